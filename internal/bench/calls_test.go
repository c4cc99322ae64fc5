package bench

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/booksync/booksync/schemas"
)

// TestCallsPerSettledEvent: with known customers, under a backlog and without faults an order and a payment cost one call
// each, a refund two, a duplicate and an undecodable record none. Marking sent comes apart, at 25 invoices a call.
func TestCallsPerSettledEvent(t *testing.T) {
	t.Parallel()
	const known, events = 10, 250
	w := newWorld(t, settings{perMinute: 1_000_000, concurrency: 10, latency: 5 * time.Millisecond, simulated: -1})
	var mu sync.Mutex
	calls, settled := map[string]int64{}, map[string]int{}
	count := func(o *schemas.Outcome) {
		mu.Lock()
		defer mu.Unlock()
		kind := o.Workflow + " " + string(o.Status)
		calls[kind] += o.Calls
		settled[kind]++
	}
	stop := w.start(1, count)
	w.produce(w.orders(0, known))
	total := func() int {
		mu.Lock()
		defer mu.Unlock()
		n := 0
		for _, k := range settled {
			n += k
		}
		return n
	}
	until(t, patience, "the known customers", func() bool { return total() == known })
	stop()
	clear(calls)
	clear(settled)
	before := w.sim.Calls(zohoID).ByResource

	var backlog []any
	for n := known; n < known+events; n++ {
		again := w.makeOrder(n)
		again.EventID += "-again"
		backlog = append(backlog, w.makeOrder(n), again, w.makePayment(n), w.makeRefund(n))
	}
	const undecodable = 20
	for n := range undecodable {
		backlog = append(backlog, []byte{7, byte(n)})
	}
	w.produce(slices.Values(sameInstants(backlog)))
	w.start(1, count)
	until(t, 2*patience, "all outcomes", func() bool { return total() >= 4*events+undecodable })

	mu.Lock()
	defer mu.Unlock()
	wantSettled := map[string]int{"order POSTED": events, "order DUPLICATE": events, "payment POSTED": events, "refund POSTED": events, "order REJECTED": undecodable}
	wantCalls := map[string]int64{"order POSTED": events, "order DUPLICATE": 0, "payment POSTED": events, "refund POSTED": 2 * events, "order REJECTED": 0}
	if !maps.Equal(settled, wantSettled) {
		t.Errorf("settled %v, want %v", settled, wantSettled)
	}
	if !maps.Equal(calls, wantCalls) {
		t.Errorf("calls by the outcomes %v, want %v", calls, wantCalls)
	}
	// What the server counted agrees, and nothing else was called.
	after := w.sim.Calls(zohoID).ByResource
	want := map[string]int{
		"POST /invoices": events, "POST /customerpayments": events, "POST /creditnotes": events, "POST /creditnotes/{id}/refunds": events,
	}
	bulk := 0
	for _, resource := range slices.Sorted(maps.Keys(after)) {
		n := after[resource] - before[resource]
		switch {
		case strings.HasPrefix(resource, "GET /settings/"), resource == "GET /transactionlocks", strings.HasPrefix(resource, "GET /organizations"):
			// read once at the start
		case resource == "POST /invoices/status/sent", resource == "POST /invoices/{id}/status/sent":
			bulk += n
		case n != want[resource]:
			t.Errorf("%d calls of %s, want %d", n, resource, want[resource])
		}
	}
	if bulk > 2*events/25 { // 1/25 when every batch is full
		t.Errorf("%d calls marked %d invoices sent", bulk, events)
	}
	t.Logf("%d calls marked %d invoices sent", bulk, events)
}

// sameInstants gives repeated events the times of the first, as a producer that sends again does.
func sameInstants(events []any) []any {
	at := time.Now().Truncate(time.Millisecond)
	for _, e := range events {
		switch e := e.(type) {
		case *schemas.Order:
			e.OccurredAt, e.PlacedAt = at, at
		case *schemas.Payment:
			e.OccurredAt, e.ReceivedAt = at, at
		case *schemas.Refund:
			e.OccurredAt, e.RefundedAt = at, at
		}
	}
	return events
}
