package trace

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/internal/access"
	"github.com/booksync/booksync/internal/config"
)

const (
	// silence is how long a scan waits for brokers that answer nothing.
	silence = 20 * time.Second
	// fetchBytes bounds what a scan holds of the topics at a time.
	fetchBytes = 8 << 20
)

// errSilent says that a scan was not finished.
var errSilent = errors.New("Kafka has answered nothing for a while") //nolint:staticcheck // a name

// topicPart is a partition.
type topicPart struct {
	topic string
	n     int32
}

// span is a part of a partition: from the first offset, up to and without the second.
type span struct{ from, to int64 }

// layout is where the topics' records of the time asked for lie.
type layout struct {
	spans map[topicPart]span
	count map[string]int32 // partitions of each topic that is there
}

// newLayout asks for the offsets; topics that are missing are left out.
func newLayout(ctx context.Context, cfg *config.Config, since time.Time, topics ...string) (*layout, error) {
	client, err := access.Producer(cfg)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	adm := kadm.NewClient(client)
	details, err := adm.ListTopics(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("looking for the topics: %w", err)
	}
	l := &layout{spans: make(map[topicPart]span), count: make(map[string]int32)}
	var there []string
	for _, topic := range topics {
		if d := details[topic]; d.Err == nil && len(d.Partitions) > 0 {
			there = append(there, topic)
			l.count[topic] = int32(len(d.Partitions)) //nolint:gosec // Kafka's own type
		}
	}
	if len(there) == 0 {
		return nil, errors.New("none of the topics is there: has `booksync setup` been run?")
	}
	froms, err := adm.ListOffsetsAfterMilli(ctx, since.UnixMilli(), there...)
	if err == nil {
		err = froms.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("looking for the offsets since %s: %w", since.Format(time.RFC3339), err)
	}
	ends, err := adm.ListCommittedOffsets(ctx, there...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("looking for the topics' ends: %w", err)
	}
	ends.Each(func(o kadm.ListedOffset) {
		if from, ok := froms.Lookup(o.Topic, o.Partition); ok && from.Offset >= 0 && from.Offset < o.Offset {
			l.spans[topicPart{o.Topic, o.Partition}] = span{from.Offset, o.Offset}
		}
	})
	return l, nil
}

// of are the parts of the topics, all partitions.
func (l *layout) of(topics ...string) []topicPart {
	var out []topicPart
	for _, topic := range topics {
		for n := range l.count[topic] {
			out = append(out, topicPart{topic, n})
		}
	}
	return out
}

// home is where Kafka's usual partitioner puts a key.
func (l *layout) home(topic, key string) topicPart {
	r := &kgo.Record{Topic: topic, Key: []byte(key)}
	return topicPart{topic, int32(kgo.StickyKeyPartitioner(nil).ForTopic(topic).Partition(r, int(l.count[topic])))} //nolint:gosec // below the number of partitions
}

// scan reads the parts from beginning to end, as a read_committed reader does, and calls each for every record, which must be copied if it is kept. progress is
// told of the offsets that are done, and of how many there are in all when it begins.
func (l *layout) scan(ctx context.Context, cfg *config.Config, parts []topicPart, progress Progress, what string, each func(*kgo.Record)) (int64, error) {
	from := make(map[string]map[int32]kgo.Offset)
	at := make(map[topicPart]int64) // the next offset of what is not done
	total := int64(0)
	for _, p := range parts {
		s, ok := l.spans[p]
		if _, twice := at[p]; !ok || twice {
			continue
		}
		if from[p.topic] == nil {
			from[p.topic] = make(map[int32]kgo.Offset)
		}
		from[p.topic][p.n] = kgo.NewOffset().At(s.from)
		at[p] = s.from
		total += s.to - s.from
	}
	if len(at) == 0 {
		return 0, nil
	}
	progress.begin(total, what)
	// With control records every offset below the end is seen; without them the markers of transactions would leave the end open.
	client, err := access.Producer(cfg, kgo.ConsumePartitions(from), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.FetchMaxBytes(fetchBytes), kgo.FetchMaxPartitionBytes(fetchBytes/8), kgo.MaxConcurrentFetches(1))
	if err != nil {
		return 0, err
	}
	defer client.Close()
	scanned, heard := int64(0), time.Now()
	for len(at) > 0 {
		polling, cancel := context.WithTimeout(ctx, time.Second)
		fetches := client.PollFetches(polling)
		cancel()
		if ctx.Err() != nil {
			return scanned, ctx.Err()
		}
		before := scanned
		fetches.EachRecord(func(r *kgo.Record) {
			p := topicPart{r.Topic, r.Partition}
			next, open := at[p]
			if !open {
				return
			}
			end := l.spans[p].to
			if r.Offset < end && !r.Attrs.IsControl() {
				each(r)
			}
			if r.Offset >= next {
				now := min(r.Offset+1, end)
				scanned, at[p] = scanned+now-next, now
			}
			if at[p] >= end {
				delete(at, p)
			}
		})
		progress.add(scanned - before)
		if !fetches.Empty() {
			heard = time.Now()
		}
		if time.Since(heard) > silence {
			return scanned, fmt.Errorf("scanning: %w", errSilent)
		}
	}
	return scanned, nil
}
