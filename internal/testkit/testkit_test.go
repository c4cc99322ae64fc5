package testkit_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/booksync/booksync/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestNamesNeverRepeat(t *testing.T) {
	t.Parallel()
	if a, b := testkit.Name(t, "orders"), testkit.Name(t, "orders"); a == b {
		t.Errorf("two calls gave %q", a)
	}
}

func TestVectorsComeFromTheEnvironmentFirst(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "rounding.csv"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(testkit.EnvVectors, dir)
	if got, want := testkit.Vectors(t, "rounding.csv"), filepath.Join(dir, "rounding.csv"); got != want {
		t.Errorf("Vectors = %q, want %q", got, want)
	}
}

func TestMissingReferenceMaterialSkips(t *testing.T) {
	t.Parallel()
	var skipped bool
	t.Run("absent", func(t *testing.T) {
		defer func() { skipped = t.Skipped() }()
		testkit.Shared(t, "there is no such folder")
	})
	if !skipped {
		t.Error("the test went on")
	}
}

// transaction writes values to a partition in one transaction and ends it as told.
func transaction(t *testing.T, cl *kgo.Client, topic string, partition int32, commit kgo.TransactionEndTry, values ...string) {
	t.Helper()
	ctx := t.Context()
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	for _, v := range values {
		cl.Produce(ctx, &kgo.Record{Topic: topic, Partition: partition, Value: []byte(v)}, nil)
	}
	if err := cl.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if err := cl.EndTransaction(ctx, commit); err != nil {
		t.Fatal(err)
	}
}

func values(records []*kgo.Record) []string {
	var got []string
	for _, r := range records {
		got = append(got, strconv.Itoa(int(r.Partition))+":"+string(r.Value))
	}
	return got
}

func TestReadCommittedEndsAtTheStableEnd(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		write func(t *testing.T, addrs []string, cl *kgo.Client, topic string)
		want  []string
	}{
		"an empty topic has nothing": {
			write: func(*testing.T, []string, *kgo.Client, string) {},
		},
		"plain records of all partitions": {
			write: func(t *testing.T, addrs []string, _ *kgo.Client, topic string) {
				testkit.Produce(t, addrs, &kgo.Record{Topic: topic, Partition: 1, Value: []byte("a")}, &kgo.Record{Topic: topic, Value: []byte("b")})
			},
			want: []string{"0:b", "1:a"},
		},
		"an aborted transaction at the end is passed and not shown": {
			write: func(t *testing.T, _ []string, cl *kgo.Client, topic string) {
				transaction(t, cl, topic, 0, kgo.TryCommit, "a", "b")
				transaction(t, cl, topic, 0, kgo.TryAbort, "c")
			},
			want: []string{"0:a", "0:b"},
		},
		"only an aborted transaction": {
			write: func(t *testing.T, _ []string, cl *kgo.Client, topic string) {
				transaction(t, cl, topic, 2, kgo.TryAbort, "a")
			},
		},
		"an open transaction hides what follows it": {
			write: func(t *testing.T, addrs []string, cl *kgo.Client, topic string) {
				transaction(t, cl, topic, 0, kgo.TryCommit, "a")
				if err := cl.BeginTransaction(); err != nil {
					t.Fatal(err)
				}
				if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("b")}).FirstErr(); err != nil {
					t.Fatal(err)
				}
				testkit.Produce(t, addrs, &kgo.Record{Topic: topic, Value: []byte("c")})
			},
			want: []string{"0:a"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kafka := testkit.Kafka(t)
			topic := testkit.Name(t, "read")
			testkit.CreateTopics(t, kafka.Addrs, 3, nil, topic)
			cl := testkit.Client(t, kafka.Addrs, kgo.TransactionalID(testkit.Name(t, "read")), kgo.RecordPartitioner(kgo.ManualPartitioner()))
			test.write(t, kafka.Addrs, cl, topic)
			if diff := cmp.Diff(test.want, values(testkit.ReadCommitted(t, kafka.Addrs, topic))); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
			if n := len(test.want); n > 0 {
				if got := testkit.AwaitCommitted(t, kafka.Addrs, topic, n, time.Minute); len(got) != n {
					t.Errorf("AwaitCommitted saw %d records, want %d", len(got), n)
				}
			}
		})
	}
}

func TestTopicsTakeConfigs(t *testing.T) {
	t.Parallel()
	kafka := testkit.Kafka(t)
	topic := testkit.Name(t, "small")
	testkit.CreateTopics(t, kafka.Addrs, 1, map[string]string{"max.message.bytes": "1000", "cleanup.policy": "delete"}, topic)
	cl := testkit.Client(t, kafka.Addrs, kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: make([]byte, 2000)}).FirstErr(); err == nil {
		t.Error("a record above max.message.bytes was taken")
	}
}

func TestKeysExpireByThemselves(t *testing.T) {
	t.Parallel()
	addr, _ := testkit.Redis(t)
	cl := redis.NewClient(&redis.Options{Addr: addr})
	defer func() { _ = cl.Close() }()
	key := testkit.Name(t, "key")
	if err := cl.Set(t.Context(), key, "x", 50*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	testkit.Until(t, 10*time.Second, "the key to expire", func() bool { return cl.Exists(t.Context(), key).Val() == 0 })
}

func TestOwnRedisIsEmptiedKilledAndStartedAgain(t *testing.T) {
	t.Parallel()
	server := testkit.OwnRedis(t)
	cl := redis.NewClient(&redis.Options{Addr: server.Addr, MaxRetries: -1, DialTimeout: time.Second})
	defer func() { _ = cl.Close() }()
	ctx := t.Context()

	set := func() {
		t.Helper()
		if err := cl.Set(ctx, "key", "x", 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	gone := func() bool { return cl.Exists(ctx, "key").Val() == 0 }

	set()
	server.Empty(t)
	if !gone() {
		t.Error("a key outlived Empty")
	}
	set()
	server.Kill(t)
	if err := cl.Ping(ctx).Err(); err == nil {
		t.Error("a killed server answered")
	}
	server.Start(t)
	testkit.Until(t, 10*time.Second, "an answer after the restart", func() bool { return cl.Ping(ctx).Err() == nil })
	if !gone() {
		t.Error("a key outlived Kill")
	}
}

// Not parallel: the broker goes away for all.
func TestRestartedBrokerKeepsItsRecords(t *testing.T) {
	kafka := testkit.RealKafka(t)
	topic := testkit.Name(t, "restart")
	testkit.CreateTopics(t, kafka.Addrs, 1, nil, topic)
	testkit.Produce(t, kafka.Addrs, &kgo.Record{Topic: topic, Value: []byte("a")})
	kafka.Restart(t, func() {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := testkit.Client(t, kafka.Addrs).Ping(ctx); err == nil {
			t.Error("a killed broker answered")
		}
	})
	if diff := cmp.Diff([]string{"0:a"}, values(testkit.ReadCommitted(t, kafka.Addrs, topic))); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}
