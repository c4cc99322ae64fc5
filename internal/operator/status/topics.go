package status

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/connectors/kafka"
	"github.com/booksync/booksync/internal/access"
	"github.com/booksync/booksync/internal/config"
)

const (
	// readPatience bounds reading the oldest records, whatever the number of partitions.
	readPatience = 10 * time.Second
	// reconciledTail is how many records from a partition's end the last reconciliations are looked for.
	reconciledTail = 200
	// readIdle is how long nothing may come until what is left is taken as not there.
	readIdle = 3 * time.Second
)

// topics says how far the group has come in each source partition.
func (s *Status) topics(ctx context.Context, cfg *config.Config) error {
	admin, err := access.Admin(cfg)
	if err != nil {
		return err
	}
	defer admin.Close()
	ctx, cancel := context.WithTimeout(ctx, readPatience)
	defer cancel()
	there, err := admin.DescribeTopics(ctx, cfg.Topics.Sources()...)
	if err != nil {
		return err
	}
	var topics, missing []string
	for _, topic := range cfg.Topics.Sources() {
		if _, ok := there[topic]; ok {
			topics = append(topics, topic)
		} else {
			missing = append(missing, topic)
		}
	}
	if len(missing) > 0 {
		err = fmt.Errorf("missing: %s", strings.Join(missing, ", "))
	}
	if len(topics) == 0 {
		return err
	}
	return errors.Join(err, s.positions(ctx, cfg, admin, topics))
}

func (s *Status) positions(ctx context.Context, cfg *config.Config, admin *kafka.Admin, topics []string) error {
	starts, err := admin.Starts(ctx, topics...)
	if err != nil {
		return err
	}
	ends, err := admin.Ends(ctx, topics...)
	if err != nil {
		return err
	}
	positions, err := admin.Positions(ctx)
	if err != nil {
		return err
	}
	for topic, parts := range ends {
		for n, end := range parts {
			p := Partition{Topic: topic, Partition: n, Position: -1, End: end, AgeSeconds: -1}
			from := starts[topic][n]
			if at, ok := positions[topic][n]; ok {
				p.Position, from = at.Offset, max(at.Offset, from)
			} else if cfg.Engine.StartAtEnd {
				from = end
			}
			p.Lag = max(end-from, 0)
			if p.Lag == 0 {
				p.AgeSeconds = 0
			}
			s.Topics = append(s.Topics, p)
		}
	}
	slices.SortFunc(s.Topics, func(a, b Partition) int {
		return cmp.Or(cmp.Compare(slices.Index(topics, a.Topic), slices.Index(topics, b.Topic)), cmp.Compare(a.Partition, b.Partition))
	})
	s.owned()
	return s.oldest(ctx, cfg, starts)
}

// owned adds what the partitions' owners report.
func (s *Status) owned() {
	for _, r := range s.living() {
		for _, rp := range r.Partitions {
			for i := range s.Topics {
				if p := &s.Topics[i]; p.Topic == rp.Topic && p.Partition == rp.Partition {
					p.Owner, p.Open, p.Parked, p.Full, p.Alarm = r.ID, rp.Open, rp.Parked, rp.Full, rp.Alarm
				}
			}
		}
	}
}

// oldest reads the first record behind each position.
func (s *Status) oldest(ctx context.Context, cfg *config.Config, starts map[string]map[int32]int64) error {
	from := map[string]map[int32]kgo.Offset{}
	waiting := map[string]map[int32]*Partition{}
	left := 0
	for i := range s.Topics {
		p := &s.Topics[i]
		if p.Lag == 0 {
			continue
		}
		if from[p.Topic] == nil {
			from[p.Topic], waiting[p.Topic] = map[int32]kgo.Offset{}, map[int32]*Partition{}
		}
		from[p.Topic][p.Partition] = kgo.NewOffset().At(max(p.Position, starts[p.Topic][p.Partition]))
		waiting[p.Topic][p.Partition] = p
		left++
	}
	return read(ctx, cfg, from, left, func(r *kgo.Record) bool {
		p := waiting[r.Topic][r.Partition]
		if p == nil {
			return false
		}
		delete(waiting[r.Topic], r.Partition)
		p.Oldest = r.Timestamp.UTC()
		p.AgeSeconds = max(int64(s.At.Sub(p.Oldest).Seconds()), 0)
		return true
	})
}

// read fetches from the offsets until got has answered true as often as wanted, or time is over, which is no error: what was not reached (such as an offset that
// only markers lie behind) stays unknown.
func read(ctx context.Context, cfg *config.Config, from map[string]map[int32]kgo.Offset, wanted int, got func(*kgo.Record) bool) error {
	if wanted == 0 {
		return nil
	}
	const little = 256 << 10 // one record is wanted of each; brokers answer at least one batch
	client, err := access.Producer(cfg, kgo.ConsumePartitions(from), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxPartitionBytes(little),
		kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		return err
	}
	defer client.Close()
	idle := time.Now()
	for wanted > 0 && time.Since(idle) < readIdle {
		polling, cancel := context.WithTimeout(ctx, time.Second)
		fetches := client.PollFetches(polling)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		fetches.EachRecord(func(r *kgo.Record) {
			idle = time.Now()
			if wanted > 0 && got(r) {
				wanted--
			}
		})
	}
	return nil
}

// reconciliations reads the last reconciliation of each organisation.
func (s *Status) reconciliations(ctx context.Context, cfg *config.Config) error {
	admin, err := access.Admin(cfg)
	if err != nil {
		return err
	}
	defer admin.Close()
	ctx, cancel := context.WithTimeout(ctx, readPatience)
	defer cancel()
	topic := cfg.Topics.Reconciliations
	there, err := admin.DescribeTopics(ctx, topic)
	if err != nil || len(there) == 0 {
		return err // without the topic there was none
	}
	starts, err := admin.Starts(ctx, topic)
	if err != nil {
		return err
	}
	ends, err := admin.Ends(ctx, topic)
	if err != nil {
		return err
	}
	codec, err := access.Codec(cfg)
	if err != nil {
		return err
	}
	defer codec.Close()
	from := map[string]map[int32]kgo.Offset{topic: {}}
	wanted := 0
	for n, end := range ends[topic] {
		if first := max(starts[topic][n], end-reconciledTail); first < end {
			from[topic][n] = kgo.NewOffset().At(first)
			wanted += int(end - first)
		}
	}
	return read(ctx, cfg, from, wanted, func(r *kgo.Record) bool {
		found, _, err := codec.DecodeReconciliation(ctx, r.Value, r.Headers)
		if err != nil {
			s.failed(fmt.Sprintf("the reconciliation at %s/%d/%d", r.Topic, r.Partition, r.Offset), err)
			return true
		}
		for i := range s.Organizations {
			o := &s.Organizations[i]
			if o.Name != found.Organization || o.Reconciled != nil && o.Reconciled.At.After(found.StartedAt) {
				continue
			}
			o.Reconciled = &Reconciled{
				At: found.StartedAt, Since: found.Since, Until: found.Until, Counts: found.Counts, Exceptions: int64(len(found.Exceptions)) + found.LeftOut,
			}
		}
		return true
	})
}
