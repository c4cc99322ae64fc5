package bench

import (
	"fmt"
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
// records, Kafka, Redis and server; the limits are out of the way. Each iteration is one round of the loop, of the loop that
// produces ahead, and of the service, on a fresh topic.
//
//	go test ./internal/bench -run '^$' -bench Pipeline -benchtime 3x
func BenchmarkPipeline(b *testing.B) {
	var sum round
	rounds := 0
	for b.Loop() {
		r := pipelineRound(b)
		sum = round{sum.loop.plus(r.loop), sum.ahead.plus(r.ahead), sum.service.plus(r.service)}
		rounds++
		b.Logf("round %d: %s", rounds, r.text())
	}
	n := rounds * pipelineRecords
	for name, t := range map[string]took{"loop-": sum.loop, "ahead-": sum.ahead, "": sum.service} {
		b.ReportMetric(perSecond(n, t.wall), name+"records/s")
		b.ReportMetric(micros(t.cpu.sum(), n), name+"CPU-us/record")
	}
	b.ReportMetric(sum.service.wallRatio(sum.loop), "ratio")
	b.ReportMetric(sum.service.cpuRatio(sum.loop), "CPU-ratio")
	b.ReportMetric(sum.service.wallRatio(sum.ahead), "ahead-ratio")
	b.ReportMetric(sum.service.cpuRatio(sum.ahead), "ahead-CPU-ratio")
	b.ReportMetric(0, "ns/op")
}

// round is what each needed for the same records.
type round struct{ loop, ahead, service took }

func (r round) text() string {
	one := func(t took) string {
		return fmt.Sprintf("%.0f records/s, %s CPU us a record", perSecond(pipelineRecords, t.wall), t.cpu.perRecord(pipelineRecords))
	}
	return fmt.Sprintf("minimal loop %s; loop ahead %s; service %s; ratio %.2f (CPU %.2f), ahead %.2f (CPU %.2f)", one(r.loop), one(r.ahead), one(r.service),
		r.service.wallRatio(r.loop), r.service.cpuRatio(r.loop), r.service.wallRatio(r.ahead), r.service.cpuRatio(r.ahead))
}

// took is what a measurement needed.
type took struct {
	wall time.Duration
	cpu  usage
}

func (t took) plus(o took) took { return took{t.wall + o.wall, t.cpu.plus(o.cpu)} }

// wallRatio is how fast t was in shares of what other was, cpuRatio the same by the processors' time.
func (t took) wallRatio(other took) float64 { return other.wall.Seconds() / t.wall.Seconds() }
func (t took) cpuRatio(other took) float64  { return other.cpu.sum().Seconds() / t.cpu.sum().Seconds() }

func perSecond(n int, d time.Duration) float64 { return float64(n) / d.Seconds() }

// pipelineRound is one measurement of each.
func pipelineRound(b *testing.B) round {
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
	measure := func(run func() time.Duration) took {
		books.again()
		runtime.GC()
		before := w.cpuTime(b)
		wall := run()
		return took{wall, w.cpuTime(b).minus(before)}
	}
	var r round
	r.loop = measure(func() time.Duration { return w.minimalLoop(b, books, pipelineRecords, false) })
	r.ahead = measure(func() time.Duration { return w.minimalLoop(b, books, pipelineRecords, true) })
	defer app.TuneMemory()() // as `run` does
	r.service = measure(func() time.Duration {
		done = make(chan struct{})
		stop = w.start(1, countTo(pipelineRecords, done))
		await(b, done, pipelineRecords)
		return time.Since(time.Unix(0, books.first.Load()))
	})
	stop()
	return r
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
