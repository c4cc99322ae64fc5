package bench

import (
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/booksync/booksync/internal/app"
	"github.com/booksync/booksync/internal/testkit"
	"github.com/booksync/booksync/schemas"
)

// pipelineRecords is how many orders one round has: a few seconds' work.
const pipelineRecords = 40_000

// BenchmarkPipeline measures the whole service with orders of known customers against [world.minimalLoop] with the same
// records, Kafka, Redis and server; the limits are out of the way. Each iteration is one round of both, on fresh topics.
//
//	go test ./internal/bench -run '^$' -bench Pipeline -benchtime 3x
func BenchmarkPipeline(b *testing.B) {
	var service, minimal took
	rounds := 0
	for b.Loop() {
		m, s := pipelineRound(b)
		minimal, service = minimal.plus(m), service.plus(s)
		rounds++
		b.Logf("round %d: minimal loop %.0f records/s, service %.0f records/s, ratio %.2f; CPU us a record: loop %s, service %s, ratio %.2f", rounds,
			perSecond(pipelineRecords, m.wall), perSecond(pipelineRecords, s.wall), m.wall.Seconds()/s.wall.Seconds(),
			m.cpu.perRecord(pipelineRecords), s.cpu.perRecord(pipelineRecords), m.cpu.sum().Seconds()/s.cpu.sum().Seconds())
	}
	n := rounds * pipelineRecords
	b.ReportMetric(perSecond(n, minimal.wall), "loop-records/s")
	b.ReportMetric(perSecond(n, service.wall), "records/s")
	b.ReportMetric(minimal.wall.Seconds()/service.wall.Seconds(), "ratio")
	b.ReportMetric(micros(minimal.cpu.sum(), n), "loop-CPU-us/record")
	b.ReportMetric(micros(service.cpu.sum(), n), "CPU-us/record")
	b.ReportMetric(minimal.cpu.sum().Seconds()/service.cpu.sum().Seconds(), "CPU-ratio")
	b.ReportMetric(0, "ns/op")
}

// took is what a measurement needed.
type took struct {
	wall time.Duration
	cpu  usage
}

func (t took) plus(o took) took { return took{t.wall + o.wall, t.cpu.plus(o.cpu)} }

func perSecond(n int, d time.Duration) float64 { return float64(n) / d.Seconds() }

// pipelineRound is one measurement of the minimal loop, then one of the service.
func pipelineRound(b *testing.B) (minimal, service took) {
	w, books := newFastWorld(b)
	const known = 10 // one order of every customer before, so that all are known
	done := make(chan struct{})
	stop := w.start(1, countTo(known, done))
	w.produce(w.orders(0, known))
	await(b, done, known)
	stop()
	// A topic of its own for the measured records: the loop reads all of it.
	w.freshOrders(b)
	w.produce(w.orders(known, known+pipelineRecords))
	books.again()
	runtime.GC()
	before := w.cpuTime(b)
	minimal.wall = w.minimalLoop(b, books, pipelineRecords)
	minimal.cpu = w.cpuTime(b).minus(before)
	books.again()
	runtime.GC()
	defer app.TuneMemory()() // as `run` does
	before = w.cpuTime(b)
	done = make(chan struct{})
	stop = w.start(1, countTo(pipelineRecords, done))
	await(b, done, pipelineRecords)
	service = took{time.Since(time.Unix(0, books.first.Load())), w.cpuTime(b).minus(before)}
	stop()
	return minimal, service
}

func newFastWorld(b testing.TB) (*world, *fastBooks) {
	var books *fastBooks
	w := newWorld(b, settings{
		perMinute: 1_000_000, concurrency: 1000, simulated: -1, simulatedInFlight: -1,
		wrap: func(rest http.Handler) http.Handler {
			books = newFastBooks(rest)
			return books
		},
	})
	return w, books
}

// countTo closes done with the n-th outcome, each of which must be a posted document.
func countTo(n int, done chan<- struct{}) func(*schemas.Outcome) {
	return func(o *schemas.Outcome) {
		if o.Status != schemas.StatusPosted {
			return // await will tell
		}
		if n--; n == 0 {
			close(done)
		}
	}
}

func await(t testing.TB, done <-chan struct{}, n int) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(5 * patience):
		t.Fatalf("not all of %d orders were posted", n)
	}
}

// freshOrders makes the service read another, empty topic of orders.
func (w *world) freshOrders(t testing.TB) {
	t.Helper()
	w.Orders = testkit.Name(t, "bench-orders")
	w.cfg = w.config("0")
	testkit.CreateTopics(t, w.Brokers, 6, nil, w.Orders, w.cfg.Topics.DeadLetter(w.Orders))
}
