package bench

import (
	"testing"
	"time"

	"github.com/booksync/booksync/schemas"
)

// The short forms shrink Zoho's minute. The budget's window is longer than the minute by the time that a call may take from
// its grant to the server: a second of 61, and half a second where cores are shared with other tests.

// slack is that time.
func slack(minute time.Duration) time.Duration { return max(minute/60, 500*time.Millisecond) }

// TestCallsStayWithinTheLimitOfThreeReplicas: three replicas with a backlog share one limit.
func TestCallsStayWithinTheLimitOfThreeReplicas(t *testing.T) {
	t.Parallel()
	t.Run("100 calls in 3 s", func(t *testing.T) {
		t.Parallel()
		withinLimit(t, 100, 3*time.Second, 3, 4)
	})
	t.Run("100 calls a minute", func(t *testing.T) {
		t.Parallel()
		long(t)
		withinLimit(t, 100, time.Minute, 3, 3)
	})
}

// withinLimit lets replicas work on a backlog for so many minutes (of any length) and counts the calls that arrive.
func withinLimit(t *testing.T, limit int, minute time.Duration, replicas, minutes int) {
	w := newWorld(t, settings{
		perMinute: limit, concurrency: 10, window: minute + slack(minute), latency: 20 * time.Millisecond,
		simulated: simulatedLimit(limit, minute),
	})
	w.produce(w.orders(0, limit*(minutes+2)))
	w.start(replicas, nil)
	from, at, refused := w.settleFor(t, minute, minutes)
	largest, used := most(at, minute), use(from, at, limit, minute, minutes)
	t.Logf("%d replicas: at most %d of %d calls in any %v, %.1f %% of the limit used, %d refused", replicas, largest, limit, minute, 100*used, refused)
	if largest > limit || refused > 0 {
		t.Errorf("at most %d calls in %v and %d refusals, want at most %d and none", largest, minute, refused, limit)
	}
	if used < reach(wantShared) {
		t.Errorf("%.3f of the limit was used, want %.2f: a replica holds the others up", used, reach(wantShared))
	}
}

// reach is what a measurement must reach: the whole of it where long measurements were asked for, on idle cores; less in
// the short form, which shares the machine with other tests. That limits are kept is checked in full in both.
func reach(whole float64) float64 {
	if longRun() {
		return whole
	}
	return 0.7 * whole
}

// The shares that are to be reached: of a limit by a backlog, and of the concurrency by one partition.
const (
	wantUse     = 0.97
	wantInSlots = 0.95
	// Of a limit that replicas share: 300 calls leave in bursts of 20, so that it depends on where the measurement begins.
	wantShared = 0.85
)

// simulatedLimit is the simulator's own limit, which is one per minute of 60 s.
func simulatedLimit(limit int, minute time.Duration) int {
	if minute != time.Minute {
		return -1
	}
	return limit
}

// settleFor waits for the first invoice, then one minute in which customers become known and the bucket's first burst is
// spent, then for so many minutes; it answers when those began, and all calls that arrived until their end.
func (w *world) settleFor(t testing.TB, minute time.Duration, minutes int) (from time.Time, at []time.Time, refused int) {
	t.Helper()
	until(t, patience, "the first invoice", func() bool { return !w.calls.begun().IsZero() })
	d := time.Duration(minutes) * minute
	from = w.calls.begun().Add(minute)
	until(t, minute+d+patience, "the end of the measurement", func() bool { return time.Since(from) >= d })
	at, refused = w.calls.all()
	t.Logf("calls in each tenth of the time: %v", histogram(at, from, d/10, 10))
	return from, at, refused
}

// until looks again every 20 ms, rarely enough not to disturb what it measures.
func until(t testing.TB, d time.Duration, what string, cond func() bool) {
	t.Helper()
	end := time.After(d)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-end:
			t.Fatalf("after %v still waiting for %s", d, what)
		case <-tick.C:
		}
	}
}

// use is the share of the limit that was used over so many minutes.
func use(from time.Time, at []time.Time, limit int, minute time.Duration, minutes int) float64 {
	d := time.Duration(minutes) * minute
	usable := minute // the long form has to reach the limit of the minute itself
	if minute < time.Minute {
		usable += slack(minute)
	}
	return float64(between(at, from, from.Add(d))) / (float64(limit) * d.Seconds() / usable.Seconds())
}

// histogram counts the arrivals in n stretches of time.
func histogram(at []time.Time, from time.Time, each time.Duration, n int) []int {
	counts := make([]int, n)
	for i := range n {
		counts[i] = between(at, from.Add(time.Duration(i)*each), from.Add(time.Duration(i+1)*each))
	}
	return counts
}

// TestABacklogUsesTheLimit: 6,000 calls a minute, answers within 50 ms.
func TestABacklogUsesTheLimit(t *testing.T) {
	t.Parallel()
	t.Run("100 calls a second for 12 s", func(t *testing.T) {
		t.Parallel()
		usesLimit(t, 400, 4*time.Second, 3)
	})
	t.Run("6000 calls a minute for 3 minutes", func(t *testing.T) {
		t.Parallel()
		long(t)
		usesLimit(t, 6000, time.Minute, 3)
	})
}

func usesLimit(t *testing.T, limit int, minute time.Duration, minutes int) {
	w := newWorld(t, settings{
		perMinute: limit, concurrency: 10, window: minute + slack(minute), latency: 45 * time.Millisecond,
		simulated: simulatedLimit(limit, minute),
	})
	w.produce(w.orders(0, limit*(minutes+2)))
	w.start(1, nil)
	from, at, refused := w.settleFor(t, minute, minutes)
	used, largest := use(from, at, limit, minute, minutes), most(at, minute)
	t.Logf("%.1f %% of %d calls in %v used, at most %d in any, %d refused", 100*used, limit, minute, largest, refused)
	if used < reach(wantUse) {
		t.Errorf("%.3f of the limit was used, want %.2f", used, reach(wantUse))
	}
	if largest > limit || refused > 0 {
		t.Errorf("at most %d calls in %v and %d refusals, want at most %d and none", largest, minute, refused, limit)
	}
}

// TestOnePartitionUsesTheConcurrency: answers take 200 ms, ten at a time are allowed, all records are in one partition.
func TestOnePartitionUsesTheConcurrency(t *testing.T) {
	t.Parallel()
	d := 8 * time.Second
	if longRun() {
		d = time.Minute
	}
	const latency, slots = 200 * time.Millisecond, 10
	w := newWorld(t, settings{partitions: 1, perMinute: 1_000_000, concurrency: slots, latency: latency, simulated: -1})
	perSecond := float64(slots) / latency.Seconds()
	w.produce(w.orders(0, int(perSecond*d.Seconds()*1.5)))
	w.start(1, nil)
	// The first calls read the organisation, one after the other: the measurement begins behind them.
	until(t, patience, "ten calls in flight", func() bool { return w.sim.Calls(zohoID).LargestInFlight == slots })
	from := time.Now()
	until(t, d+patience, "the end of the measurement", func() bool { return time.Since(from) >= d })
	at, refused := w.calls.all()
	rate := float64(between(at, from, from.Add(d))) / d.Seconds()
	t.Logf("%.1f of %.0f calls/s over %v, %d refused", rate, perSecond, d, refused)
	if want := reach(wantInSlots) * perSecond; rate < want || refused > 0 {
		t.Errorf("%.1f calls/s and %d refusals, want at least %.1f and none", rate, refused, want)
	}
}

// TestWithoutABacklogEventsArePostedSoon: one event after the other, answers take 200 ms.
func TestWithoutABacklogEventsArePostedSoon(t *testing.T) {
	t.Parallel()
	events := 20
	if longRun() {
		events = 300
	}
	posted := make(chan string, 2*events) // business ids
	w := newWorld(t, settings{perMinute: 1_000_000, concurrency: 10, latency: 200 * time.Millisecond, simulated: -1})
	w.start(1, func(o *schemas.Outcome) {
		if o.Status == schemas.StatusPosted {
			posted <- o.BusinessID
		}
	})
	w.produce(w.orders(0, 10)) // all ten customers become known
	for range 10 {
		<-posted
	}
	orders := w.trickle(t, events, posted, func(n int) (string, any) { return orderID(10 + n), w.makeOrder(10 + n) })
	payments := w.trickle(t, events, posted, func(n int) (string, any) {
		p := w.makePayment(10 + n)
		return p.PaymentID, p
	})
	t.Logf("orders: %v", orders)
	t.Logf("payments: %v", payments)
	if most := soon(3 * time.Second); orders.p50 >= most {
		t.Errorf("orders took %v at p50, want less than %v", orders.p50, most)
	}
	if most := soon(time.Second); payments.p50 >= most {
		t.Errorf("payments of settled orders took %v at p50, want less than %v", payments.p50, most)
	}
}

// soon is reach for times.
func soon(d time.Duration) time.Duration {
	if longRun() {
		return d
	}
	return 2 * d
}
