package kafka

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestTheMetadataBoundDoesNotRise fills a partition to its bound, settles everything, and so on.
func TestTheMetadataBoundDoesNotRise(t *testing.T) {
	t.Parallel()
	l := &life{Engine: &Engine{cfg: Config{MaxRecordsPerPartition: 1 << 20}.WithDefaults()}}
	l.pool = newPool(func(*Delivery) {}, 1<<30, 1, 1, func(int) {}, &l.workers)
	l.pool.held = true
	p := &partition{lanes: map[uint64]*lane{}, reasons: map[string]int{}}
	for i := range 60_000 {
		p.backlog = append(p.backlog, &kgo.Record{Offset: int64(i) * 2})
	}
	for round := range 4 {
		l.deliverPartition(p)
		if _, text := p.tracker.commit(""); len(text) == 0 || len(text) > l.cfg.MetadataLimit {
			t.Errorf("round %d: %d bytes of metadata, at most %d are taken", round, len(text), l.cfg.MetadataLimit)
		}
		for _, m := range slices.Clone(p.tracker.entries) {
			p.tracker.pend(m)
			p.tracker.settle(m)
		}
		p.inFlight = 0
	}
}

// TestWhatRunsWhenItsPartitionIsStoppedIsPublished: the log's start overtakes the position while handlers run; what they did is told.
func TestWhatRunsWhenItsPartitionIsStoppedIsPublished(t *testing.T) {
	t.Parallel()
	k := setup(t, onePartition)
	if k.fake == nil {
		t.Skip("the fault is the embedded Kafka's")
	}
	g := k.gate()
	m := k.start(g)
	for i := range 4 {
		k.send(&kgo.Record{Topic: k.source, Value: []byte("x")})
		k.eventually("it runs", func() bool { return g.running() == i+1 })
	}
	k.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: k.source, Err: kerr.OffsetOutOfRange, Count: -1})
	k.eventually("alarm", func() bool {
		err := m.Ready()
		return err != nil && strings.Contains(err.Error(), "not in the log any more")
	})
	g.pass()
	k.waitSettled(4)
}

// TestACutLogStopsItsPartition: an unclean election cuts the log below what was read; the offsets up to there are given to other records.
func TestACutLogStopsItsPartition(t *testing.T) {
	t.Parallel()
	k := setup(t, onePartition, func(o *kitOptions) { o.fake = []kfake.Opt{kfake.NumBrokers(2)} })
	if k.fake == nil {
		t.Skip("the fault is the embedded Kafka's")
	}
	m := k.start(k.settling())
	k.produce(10, 0)
	k.waitSettled(10)
	var asked atomic.Int64
	k.fake.ControlKey(int16(kmsg.OffsetForLeaderEpoch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		k.fake.KeepControl()
		resp := req.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
		for _, topic := range req.(*kmsg.OffsetForLeaderEpochRequest).Topics {
			answer := kmsg.NewOffsetForLeaderEpochResponseTopic()
			answer.Topic = topic.Topic
			for _, p := range topic.Partitions {
				end := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
				end.Partition, end.LeaderEpoch, end.EndOffset = p.Partition, p.LeaderEpoch, 5
				answer.Partitions = append(answer.Partitions, end)
			}
			resp.Topics = append(resp.Topics, answer)
		}
		asked.Add(1)
		return resp, nil, true
	})
	node, moved := int32(0), time.Time{}
	k.eventually("the client to ask where the log ends now", func() bool {
		if time.Since(moved) > time.Second { // another leader is another epoch
			if err := k.fake.MoveTopicPartition(k.source, 0, node); err != nil {
				t.Fatal(err)
			}
			node, moved = 1-node, time.Now()
		}
		return asked.Load() > 0
	})
	k.eventually("the partition to be stopped", func() bool { return strings.Contains(m.Status().Partitions[0].Alarm, "the log was cut") })
}

// TestAPartitionWithoutLeaderKeepsNoOther: where the log of one begins and ends nobody knows when the member joins.
func TestAPartitionWithoutLeaderKeepsNoOther(t *testing.T) {
	t.Parallel()
	k := setup(t)
	if k.fake == nil {
		t.Skip("the fault is the embedded Kafka's")
	}
	k.produce(30, 0)
	k.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: k.source, Partitions: []int32{0}, Err: kerr.LeaderNotAvailable, Count: -1})
	k.start(k.settling())
	k.eventually("the other partitions to be read", func() bool { return len(k.settledRecords()) >= 20 })
}

// TestWhatWaitsForLongKeepsNoFetch: each small record came with large neighbours, which are settled and gone.
func TestWhatWaitsForLongKeepsNoFetch(t *testing.T) { //nolint:paralleltest // measures the process's memory
	if testing.Short() {
		t.Skip("the race detector keeps memory of its own")
	}
	for name, key := range map[string]func(i int) string{
		"parked":                   func(i int) string { return fmt.Sprintf("slow-%d", i) },
		"behind one that's parked": func(int) string { return "slow" },
	} {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // as above
			k := setup(t, onePartition)
			m := k.start(HandlerFunc(func(_ context.Context, d *Delivery) Result {
				if strings.HasPrefix(string(d.Record.Key), "slow") {
					return Result{Park: &Park{Until: time.Now().Add(time.Hour), Reason: "waiting"}}
				}
				return Result{Publish: []Message{k.outcome(d)}}
			}))
			large := bytes.Repeat([]byte("x"), 180_000)
			const rounds = 60
			before := heapBytes()
			for i := range rounds {
				records := []*kgo.Record{{Topic: k.source, Key: []byte(key(i)), Value: []byte("small")}}
				for j := range 5 {
					records = append(records, &kgo.Record{Topic: k.source, Key: fmt.Appendf(nil, "k%d-%d", i, j), Value: large})
				}
				k.send(records...)
			}
			k.eventually("the large ones to be settled", func() bool { return m.Status().Settled >= 5*rounds })
			if rise, most := int64(heapBytes()-before)>>20, int64(20); rise > most { // 51 MiB came with them
				t.Errorf("%d small records keep %d MiB, at most %d are the engine's own", rounds, rise, most)
			}
		})
	}
}

// heapBytes is how much memory lives, in bytes.
func heapBytes() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
