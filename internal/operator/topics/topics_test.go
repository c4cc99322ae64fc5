package topics_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/operator/topics"
	"github.com/booksync/booksync/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func setup(t *testing.T) (cfg *config.Config, addrs []string, topic string) {
	t.Helper()
	addrs, topic = testkit.Kafka(t).Addrs, testkit.Name(t, "topic")
	testkit.CreateTopics(t, addrs, 3, nil, topic)
	cfg = config.Default()
	cfg.Kafka.Brokers = addrs
	return cfg, addrs, topic
}

func read(t *testing.T, cfg *config.Config, spans topics.Spans) (values []string, passed int64) {
	t.Helper()
	err := topics.Read(t.Context(), topics.To(cfg), spans, func(r *kgo.Record) error {
		values = append(values, string(r.Value))
		return nil
	}, func(n int64) { passed += n })
	if err != nil {
		t.Fatal(err)
	}
	return values, passed
}

func TestReadEndsAtTheEndsOfItsBeginning(t *testing.T) {
	t.Parallel()
	cfg, addrs, topic := setup(t)
	produce := func(values ...string) {
		for _, v := range values {
			testkit.Produce(t, addrs, &kgo.Record{Topic: topic, Partition: 1, Value: []byte(v)})
		}
	}
	produce("a", "b")
	// A transaction that was aborted, and its marker, stand at the end.
	cl := testkit.Client(t, addrs, kgo.TransactionalID(testkit.Name(t, "tx")), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Partition: 1, Value: []byte("aborted")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := cl.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
	spans, err := topics.Between(t.Context(), topics.To(cfg), time.Time{}, topic)
	if err != nil {
		t.Fatal(err)
	}
	produce("later")
	values, passed := read(t, cfg, spans)
	if diff := cmp.Diff([]string{"a", "b"}, values); diff != "" || passed != spans.Records() || passed != 4 {
		t.Errorf("%s; passed %d of %d", diff, passed, spans.Records())
	}
	if !spans.Contains(topic, 1, 0) || spans.Contains(topic, 1, 4) || spans.Contains(topic, 0, 0) || spans.Contains("other", 1, 0) {
		t.Error("what the spans contain is wrong")
	}
}

func TestBetweenBeginsAtATime(t *testing.T) {
	t.Parallel()
	cfg, addrs, topic := setup(t)
	now := time.Now().Truncate(time.Millisecond)
	for age, value := range map[time.Duration]string{48 * time.Hour: "old", time.Hour: "new"} {
		p := int32(0)
		if value == "new" {
			p = 1
		}
		testkit.Produce(t, addrs, &kgo.Record{Topic: topic, Partition: p, Value: []byte(value), Timestamp: now.Add(-age)})
	}
	spans, err := topics.Between(t.Context(), topics.To(cfg), now.Add(-24*time.Hour), topic)
	if err != nil {
		t.Fatal(err)
	}
	if values, _ := read(t, cfg, spans); strings.Join(values, " ") != "new" {
		t.Errorf("%v", values)
	}
	if _, err := topics.Between(t.Context(), topics.To(cfg), now, topic+".missing"); err == nil {
		t.Error("a topic that does not exist is read")
	}
}

func TestOneRecordByItsCoordinates(t *testing.T) {
	t.Parallel()
	cfg, addrs, topic := setup(t)
	testkit.Produce(t, addrs, &kgo.Record{Topic: topic, Partition: 2, Value: []byte("a")}, &kgo.Record{Topic: topic, Partition: 2, Value: []byte("b")})
	if r, err := topics.One(t.Context(), topics.To(cfg), topic, 2, 1); err != nil || r == nil || string(r.Value) != "b" {
		t.Errorf("%v %v", r, err)
	}
	if r, err := topics.One(t.Context(), topics.To(cfg), topic, 2, 9); err != nil || r != nil {
		t.Errorf("%v %v", r, err)
	}
}
