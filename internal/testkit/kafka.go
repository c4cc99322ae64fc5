package testkit

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// patience bounds every wait of the helpers. A broker that was killed takes 5 s to serve again; a transaction that was
// abandoned holds readers up for its timeout, 10 s by default.
const patience = 60 * time.Second

// Cluster is a Kafka to test against.
type Cluster struct {
	Addrs []string
	Real  bool
	Fake  *kfake.Cluster // nil when Real; has faults, controls and group inspection
}

// Kafka returns the real broker that BOOKSYNC_TEST_KAFKA names, or a fresh kfake cluster that ends with the test. The
// options apply to kfake only: one broker unless they say otherwise, sessions as short as 100 ms allowed. Topics are
// never created by themselves: see [CreateTopics].
func Kafka(t testing.TB, opts ...kfake.Opt) Cluster {
	t.Helper()
	if addr := os.Getenv(EnvKafka); addr != "" {
		return Cluster{Addrs: strings.Split(addr, ","), Real: true}
	}
	return FakeKafka(t, opts...)
}

// FakeKafka is [Kafka] for tests that need kfake, for its faults, whatever the environment says.
func FakeKafka(t testing.TB, opts ...kfake.Opt) Cluster {
	t.Helper()
	fake, err := kfake.NewCluster(append([]kfake.Opt{
		kfake.NumBrokers(1),
		kfake.GroupMinSessionTimeout(100 * time.Millisecond),
	}, opts...)...)
	if err != nil {
		t.Fatalf("starting kfake: %v", err)
	}
	t.Cleanup(fake.Close)
	return Cluster{Addrs: fake.ListenAddrs(), Fake: fake}
}

// RealKafka is [Kafka] for tests that mean nothing on a fake: it skips the test without a real broker.
func RealKafka(t testing.TB) Cluster {
	t.Helper()
	if os.Getenv(EnvKafka) == "" {
		t.Skipf("needs a real Kafka: %s is not set (see .ci/services)", EnvKafka)
	}
	return Kafka(t)
}

// Restart kills the real broker (SIGKILL), starts it again on its data and returns when it answers, about 5 s later.
// Between the two it calls down, if not nil. It skips the test on kfake and where no script is named. Tests that run in
// parallel with this one lose their broker too: call it from tests that do not.
func (c Cluster) Restart(t testing.TB, down func()) {
	t.Helper()
	script := os.Getenv(EnvServices)
	if !c.Real || script == "" {
		t.Skipf("needs a real Kafka that may be killed: %s and %s are not both set (see .ci/services)", EnvKafka, EnvServices)
	}
	if down != nil {
		services(t, script, "kill-kafka")
		down()
	}
	services(t, script, "restart-kafka")
}

func services(t testing.TB, script, command string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 4*patience) // the script waits for 180 s
	defer cancel()
	if out, err := exec.CommandContext(ctx, script, command).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", script, command, err, out)
	}
}

// Client returns a client of the cluster that is closed with the test. It refreshes metadata quickly, so that a moved
// leader costs milliseconds and not seconds.
func Client(t testing.TB, addrs []string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(addrs...),
		kgo.MetadataMinAge(50 * time.Millisecond), // 5 s by default
	}, opts...)...)
	if err != nil {
		t.Fatalf("making a Kafka client: %v", err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// CreateTopics creates topics with the configs given (nil: the broker's own) and returns when every partition has a
// leader. They are deleted with the test.
func CreateTopics(t testing.TB, addrs []string, partitions int32, configs map[string]string, topics ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	adm := kadm.NewClient(Client(t, addrs))
	values := make(map[string]*string, len(configs))
	for name, value := range configs {
		values[name] = &value
	}
	created, err := adm.CreateTopics(ctx, partitions, 1, values, topics...)
	if err == nil {
		err = created.Error()
	}
	if err != nil {
		t.Fatalf("creating topics %v: %v", topics, err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_, _ = adm.DeleteTopics(ctx, topics...) // the broker is thrown away after all
	})
	Until(t, patience, "leaders of new topics", func() bool {
		listed, err := adm.ListTopics(ctx, topics...)
		if err != nil || len(listed) != len(topics) {
			return false
		}
		for _, topic := range listed {
			if topic.Err != nil || len(topic.Partitions) != int(partitions) {
				return false
			}
			for _, p := range topic.Partitions {
				if p.Err != nil || p.Leader < 0 {
					return false
				}
			}
		}
		return true
	})
}

// Produce writes records outside of any transaction and waits until all are acknowledged.
func Produce(t testing.TB, addrs []string, records ...*kgo.Record) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := Client(t, addrs, kgo.RecordPartitioner(kgo.ManualPartitioner())).ProduceSync(ctx, records...).FirstErr(); err != nil {
		t.Fatalf("producing: %v", err)
	}
}

// ReadCommitted returns every record a read_committed reader sees in the topic, up to the stable end at the time of the
// call: by partition, then offset. Records of open and aborted transactions, and markers, are not among them.
func ReadCommitted(t testing.TB, addrs []string, topic string) []*kgo.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	adm := kadm.NewClient(Client(t, addrs))
	ends := offsets(ctx, t, adm.ListCommittedOffsets, topic)
	starts := offsets(ctx, t, adm.ListStartOffsets, topic)

	next := make(map[int32]kgo.Offset)
	for p, end := range ends {
		if starts[p] < end {
			next[p] = kgo.NewOffset().At(starts[p])
		}
	}
	if len(next) == 0 {
		return nil
	}
	// Control records are kept: only they show that the reader has passed the end of a partition whose last
	// transaction was aborted. Aborted data still are not returned.
	cl := Client(t, addrs, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: next}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.FetchMaxWait(100*time.Millisecond))
	defer cl.Close()
	byPartition := make(map[int32][]*kgo.Record)
	for len(next) > 0 {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) {
			t.Fatalf("reading %s to its stable end, partitions left %v: %v", topic, next, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset >= ends[r.Partition] {
				delete(next, r.Partition)
				return
			}
			if !r.Attrs.IsControl() {
				byPartition[r.Partition] = append(byPartition[r.Partition], r)
			}
			if r.Offset == ends[r.Partition]-1 {
				delete(next, r.Partition)
			}
		})
	}
	var all []*kgo.Record
	for p := range int32(len(ends)) {
		all = append(all, byPartition[p]...)
	}
	return all
}

func offsets(ctx context.Context, t testing.TB, list func(context.Context, ...string) (kadm.ListedOffsets, error), topic string) map[int32]int64 {
	t.Helper()
	listed, err := list(ctx, topic)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		t.Fatalf("listing offsets of %s: %v", topic, err)
	}
	found := make(map[int32]int64)
	listed.Each(func(o kadm.ListedOffset) { found[o.Partition] = o.Offset })
	return found
}

// AwaitCommitted waits until a read_committed reader has seen n records of the topic and returns those it saw, in the
// order they came: at least n. It fails the test after d.
func AwaitCommitted(t testing.TB, addrs []string, topic string, n int, d time.Duration) []*kgo.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	cl := Client(t, addrs, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(100*time.Millisecond))
	defer cl.Close()
	var seen []*kgo.Record
	for len(seen) < n {
		fetches := cl.PollFetches(ctx)
		seen = append(seen, fetches.Records()...)
		if ctx.Err() != nil && len(seen) < n {
			t.Fatalf("after %v %s shows %d committed records, want %d", d, topic, len(seen), n)
		}
	}
	return seen
}
