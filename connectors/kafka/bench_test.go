package kafka

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	benchPartitions  = 6
	benchValue       = 400 // bytes
	benchTransaction = 500 // records
)

// bench is a source with b.N keyed records.
type bench struct {
	brokers         []string
	source, outcome string
	group           string
}

func setupBench(b *testing.B, n int) *bench {
	b.Helper()
	name := fmt.Sprintf("bench-%08x", rand.Uint32())
	s := &bench{source: name + ".source", outcome: name + ".outcomes", group: name}
	if broker := os.Getenv(realKafka); broker != "" {
		s.brokers = []string{broker}
	} else {
		fake, err := kfake.NewCluster(kfake.NumBrokers(1))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(fake.Close)
		s.brokers = fake.ListenAddrs()
	}
	admin, err := NewAdmin(s.config())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(admin.Close)
	if _, err := admin.CreateTopics(b.Context(), Topic{Name: s.source, Partitions: benchPartitions}, Topic{Name: s.outcome, Partitions: benchPartitions}); err != nil {
		b.Fatal(err)
	}
	if os.Getenv(realKafka) != "" {
		b.Cleanup(func() {
			if _, err := kadm.NewClient(admin.cl).DeleteTopics(context.Background(), s.source, s.outcome); err != nil {
				b.Log(err)
			}
		})
	}
	opts, err := s.config().ClientOpts()
	if err != nil {
		b.Fatal(err)
	}
	cl, err := kgo.NewClient(append(opts, kgo.DefaultProduceTopic(s.source))...)
	if err != nil {
		b.Fatal(err)
	}
	defer cl.Close()
	value := incompressible(benchValue)
	for i := range n {
		cl.Produce(b.Context(), &kgo.Record{Key: []byte(strconv.Itoa(i)), Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				b.Error(err)
			}
		})
	}
	if err := cl.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	return s
}

func (s *bench) config() Config {
	return Config{
		Brokers: s.brokers, Group: s.group, Topics: []string{s.source}, OutputTopics: []string{s.outcome}, TransactionalID: s.group,
		SettleRecords: benchTransaction,
	}.WithDefaults()
}

// BenchmarkEngine settles b.N records with a handler that publishes the value at once.
func BenchmarkEngine(b *testing.B) { benchmarkEngine(b) }

// benchmarkEngine answers records per second and the records of a transaction, on average.
func benchmarkEngine(b *testing.B) (float64, int) {
	s := setupBench(b, b.N)
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	left := b.N
	published := func() {
		if left--; left == 0 {
			cancel()
		}
	}
	e, err := New(s.config(), HandlerFunc(func(_ context.Context, d *Delivery) Result {
		return Result{Publish: []Message{{Record: &kgo.Record{Topic: s.outcome, Key: d.Record.Key, Value: d.Record.Value}}}, Published: published}
	}), WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	began := time.Now()
	if err := e.Run(ctx); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	rate := float64(b.N) / time.Since(began).Seconds()
	b.ReportMetric(rate, "records/s")
	size := b.N / int(max(1, e.transactions.Load()))
	b.ReportMetric(float64(size), "records/txn")
	return rate, size
}

// BenchmarkBareLoop does the same with franz-go alone: poll, produce, commit in a transaction, nothing else.
func BenchmarkBareLoop(b *testing.B) { benchmarkBareLoop(b, benchTransaction) }

func benchmarkBareLoop(b *testing.B, size int) float64 {
	s := setupBench(b, b.N)
	cfg := s.config()
	opts, err := cfg.ClientOpts()
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	began := time.Now()
	session, err := kgo.NewGroupTransactSession(append(opts, kgo.TransactionalID(s.group), kgo.ConsumerGroup(s.group), kgo.ConsumeTopics(s.source),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxBytes(int32(cfg.FetchMaxBytes)), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		b.Fatal(err)
	}
	transactions := 0
	for done := 0; done < b.N; {
		fetches := session.PollRecords(b.Context(), size)
		if err := fetches.Err(); err != nil {
			b.Fatal(err)
		}
		if err := session.Begin(); err != nil {
			b.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			session.Produce(b.Context(), &kgo.Record{Topic: s.outcome, Key: r.Key, Value: r.Value}, func(_ *kgo.Record, err error) {
				if err != nil {
					b.Error(err)
				}
			})
		})
		committed, err := session.End(b.Context(), kgo.TryCommit)
		if err != nil {
			b.Fatal(err)
		}
		if committed {
			done += fetches.NumRecords()
			transactions++
		}
	}
	session.Close()
	b.StopTimer()
	rate := float64(b.N) / time.Since(began).Seconds()
	b.ReportMetric(rate, "records/s")
	b.ReportMetric(float64(b.N)/float64(transactions), "records/txn")
	return rate
}

// BenchmarkEngineRatio reports the engine's rate as a part of the bare loop's with transactions of the same size, in the same run.
func BenchmarkEngineRatio(b *testing.B) {
	engine, bare, size := 0.0, 0.0, benchTransaction
	b.Run("engine", func(b *testing.B) { engine, size = benchmarkEngine(b) })
	b.Run("bare", func(b *testing.B) { bare = benchmarkBareLoop(b, size) })
	if bare > 0 {
		b.Logf("engine/bare = %.2f with %d records in a transaction", engine/bare, size)
	}
}
