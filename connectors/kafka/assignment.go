package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

type topicPartition struct {
	topic     string
	partition int32
}

// partition is one assignment of one partition: a partition that goes and comes back is another one, so what belongs to an older assignment is known as such.
type partition struct {
	topicPartition
	member  string        // the member id it was assigned to
	since   time.Time     // when it was assigned
	leaving chan struct{} // closed when it is gone, or the engine stops
	gone    atomic.Bool   // revoked or lost; set under life.mu

	// Set by the offsets callbacks under life.mu, before the first record.
	started bool // position known to the client, fetching allowed
	resumed Resumed
	alarm   string // why the partition is stopped; empty if it is not

	// The pool's, under its lock.
	running int         // of its deliveries
	over    []*Delivery // ready, but as many run as may

	// Only the engine's goroutine touches what follows.
	tracker      tracker
	lanes        map[uint64]*lane
	backlog      []*kgo.Record // fetched, not yet delivered
	backlogBytes int
	inFlight     int // in lanes, running or unpublished, not parked
	parked       int
	reasons      map[string]int // parked by reason
	paused       bool
	full         bool  // a bound other than that of fetched bytes is reached
	easy         bool  // far enough from every bound to be fetched again
	committed    int64 // last position known to be committed by this assignment, -1 before
}

// assigned is the client's callback; it never runs beside itself, the other callbacks, or a poll.
func (l *life) assigned(_ context.Context, cl *kgo.Client, added map[string][]int32) {
	member, generation := cl.GroupMetadata()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.joined = true
	for topic, partitions := range added {
		for _, n := range partitions {
			tp := topicPartition{topic, n}
			l.leave(tp) // should never be there
			l.parts[tp] = &partition{
				topicPartition: tp, member: member, since: time.Now(), leaving: make(chan struct{}), committed: -1,
				lanes: make(map[uint64]*lane), reasons: make(map[string]int),
			}
			if l.stopping {
				close(l.parts[tp].leaving)
			}
		}
	}
	// A pause outlives its assignment in the client.
	cl.ResumeFetchPartitions(added)
	l.log.Info("kafka partitions assigned", "partitions", added, "member", member, "generation", generation)
}

// revoked is the client's callback for partitions that go while the membership goes on, and for leaving.
func (l *life) revoked(_ context.Context, _ *kgo.Client, gone map[string][]int32) {
	l.drop(gone, "revoked")
}

// lost is the client's callback for partitions that are gone already.
func (l *life) lost(_ context.Context, _ *kgo.Client, gone map[string][]int32) { l.drop(gone, "lost") }

func (l *life) drop(gone map[string][]int32, how string) {
	if len(gone) == 0 {
		return
	}
	l.mu.Lock()
	for topic, partitions := range gone {
		for _, n := range partitions {
			l.leave(topicPartition{topic, n})
		}
	}
	l.mu.Unlock()
	l.log.Info("kafka partitions leave", "partitions", gone, "how", how)
	l.kick()
}

// leave ends an assignment. l.mu is held.
func (l *life) leave(tp topicPartition) {
	p := l.parts[tp]
	if p == nil {
		return
	}
	delete(l.parts, tp)
	p.gone.Store(true)
	if !l.stopping {
		close(p.leaving)
	}
	l.goneParts = append(l.goneParts, p)
}

// offsetsFetched is the client's callback with the committed offsets of newly assigned partitions.
func (l *life) offsetsFetched(ctx context.Context, cl *kgo.Client, resp *kmsg.OffsetFetchResponse) error {
	type commit struct {
		offset int64
		text   string
	}
	commits := make(map[topicPartition]commit)
	names := make(map[string][]int32)
	for _, g := range resp.Groups {
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				if p.ErrorCode != 0 {
					continue // the client reports it in a poll and does not fetch the partition
				}
				c := commit{offset: p.Offset}
				if p.Metadata != nil {
					c.text = *p.Metadata
				}
				commits[topicPartition{t.Topic, p.Partition}] = c
				names[t.Topic] = append(names[t.Topic], p.Partition)
			}
		}
	}
	// A partition without a leader must not keep the others: the brokers refuse a fetch below its log's start by themselves, and an end that is not known
	// may be anywhere.
	starts, startErr := listOffsets(ctx, cl, names, offsetEarliest)
	ends, endErr := listOffsets(ctx, cl, names, offsetLatest)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := errors.Join(startErr, endErr); err != nil {
		l.log.Warn("kafka log starts and ends not known", "error", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for tp, c := range commits {
		p := l.parts[tp]
		if p == nil || p.started {
			continue
		}
		end, ok := ends[tp]
		if !ok {
			end = math.MaxInt64
		}
		p.resumed = Resumed{Committed: c.offset >= 0, End: end}
		if c.offset >= 0 {
			m, err := decodeMetadata(c.offset, c.text)
			switch start, ok := starts[tp]; {
			case err != nil:
				p.alarm = fmt.Sprintf("%v (position %d)", err, c.offset)
			case ok && c.offset < start:
				p.alarm = fmt.Sprintf("committed offset %d is below the log's start %d: records are gone unread", c.offset, start)
			}
			p.resumed.Epoch = m.Epoch
			p.tracker.restore(m)
			p.committed = c.offset
		}
		p.started = true
		if p.alarm != "" {
			p.tracker = tracker{}
			cl.PauseFetchPartitions(map[string][]int32{tp.topic: {tp.partition}})
			l.log.Error("kafka partition stopped", "topic", tp.topic, "partition", tp.partition, "why", p.alarm)
		}
	}
	return nil
}

// ownership is what one transaction may commit: the partitions owned and the group's generation, taken at one moment.
type ownership struct {
	member     string
	generation int32
	parts      []*partition
}

// errStranger says that a partition is held that was assigned to a member id this client no longer has: the group may have given it to somebody else and
// back without the client telling (a cooperative member that was forgotten while it joined again).
var errStranger = errors.New("the group forgot this member while it held partitions")

// own captures ownership. Without a membership it answers nil. Brokers check a commit's generation, not who owns a partition; a
// partition still in l.parts was not revoked yet, so this member did not join the generation that gives it to somebody else, and the broker refuses
// the captured one from then on.
func (l *life) own() (*ownership, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	member, generation := l.cl.GroupMetadata()
	if member == "" || generation < 0 {
		return nil, nil
	}
	o := &ownership{member: member, generation: generation}
	for _, p := range l.parts {
		if p.member != member {
			return nil, errStranger
		}
		if p.started && p.tracker.known { // also one that was stopped later: what its handlers did is published
			o.parts = append(o.parts, p)
		}
	}
	return o, nil
}

// The special timestamps of a ListOffsets request.
const (
	offsetLatest   = -1
	offsetEarliest = -2
)

// listOffsets asks for log starts or ends (last stable offsets). Any failure is an error.
func listOffsets(ctx context.Context, cl *kgo.Client, partitions map[string][]int32, at int64) (map[topicPartition]int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	req.IsolationLevel = 1
	for topic, ns := range partitions {
		t := kmsg.NewListOffsetsRequestTopic()
		t.Topic = topic
		for _, n := range ns {
			p := kmsg.NewListOffsetsRequestTopicPartition()
			p.Partition, p.Timestamp = n, at
			t.Partitions = append(t.Partitions, p)
		}
		req.Topics = append(req.Topics, t)
	}
	offsets := make(map[topicPartition]int64)
	var failed error
	for _, shard := range cl.RequestSharded(ctx, req) {
		if shard.Err != nil {
			failed = shard.Err
			continue
		}
		for _, t := range shard.Resp.(*kmsg.ListOffsetsResponse).Topics {
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					failed = err
					continue
				}
				offsets[topicPartition{t.Topic, p.Partition}] = p.Offset
			}
		}
	}
	return offsets, failed
}

// stopPartition takes a partition out of work for good, with an alarm. The engine's goroutine calls it.
func (l *life) stopPartition(p *partition, why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.alarm != "" || p.gone.Load() {
		return
	}
	p.alarm = why
	l.cl.PauseFetchPartitions(map[string][]int32{p.topic: {p.partition}})
	l.log.Error("kafka partition stopped", slog.String("topic", p.topic), slog.Int("partition", int(p.partition)), slog.String("why", why))
}
