package app

import (
	"strconv"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/schemas"
)

func TestRedisEmptiedInTheMiddleOfWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{}, waits(time.Hour),
		configured(func(c *config.Config) { c.Claims.Recheck = 200 * time.Millisecond }))
	w.start()
	var records []*kgo.Record
	for i := range 12 {
		id := strconv.Itoa(i)
		records = append(records, w.send(w.order("O"+id), w.payment("P"+id, "O"+id, "433"), w.refund("R"+id, "O"+id, "P"+id, "33"))...)
		if i == 4 || i == 8 {
			w.posted(records[i])
			w.redis.Empty(t)
		}
	}
	w.posted(records...)
	w.balances(map[string]string{simulator.AccountReceivable: "0", simulator.AccountStripe: "4800"})
}

func TestRedisEmptiedBetweenTheStepsOfARefund(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{}, configured(func(c *config.Config) { c.Claims.Recheck = 200 * time.Millisecond }))
	w.start()
	w.posted(w.send(w.order("O1"), w.payment("P1", "O1", "400"))...)
	w.inject(simulator.Fault{Kind: simulator.FaultErrorBefore, Method: "POST", Path: "/creditnotes/*/refunds"})
	refund := w.refund("R1", "O1", "P1", "50")
	refund.CreditTotal = decimal.NewNullDecimal(dec("60")) // 10 of it are applied to what the invoice owes, before the money goes back
	record := w.one(refund)
	w.hit(simulator.FaultErrorBefore)
	w.redis.Empty(t)
	w.sim.ClearFaults()
	w.posted(record)
	w.balances(map[string]string{simulator.AccountReceivable: "23", simulator.AccountUnearned: "0", simulator.AccountStripe: "350"})
}

func TestRedisAwayForAWhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{}, waits(time.Hour),
		configured(func(c *config.Config) { c.Claims.Recheck = 200 * time.Millisecond }))
	r := w.start()
	w.posted(w.one(w.order("O0")))
	w.redis.Kill(t)
	records := w.send(w.order("O1"), w.payment("P1", "O1", "433"), w.payment("P0", "O0", "433"))
	r.parked("redis", 1)
	calls := w.sim.Calls(orgID).Total
	w.redis.Start(t)
	w.posted(records...)
	if w.sim.Calls(orgID).Total == calls {
		t.Error("no calls after Redis came back")
	}
}

// forgotten makes a world in which everything so far is settled and Redis has forgotten it.
func forgotten(t *testing.T, events func(w *world) []any, opts ...option) *world {
	w := newWorld(t, simulator.Switches{}, append([]option{waits(time.Second)}, opts...)...)
	r := w.start()
	for _, e := range events(w) {
		w.posted(w.one(e))
	}
	r.stop()
	w.redis.Empty(t)
	w.start().assigned() // records that are there then may be what was lost; these tests are about new ones
	return w
}

func TestWhatWasSettledBeforeRedisForgot(t *testing.T) {
	t.Parallel()
	paid := func(w *world) []any { return []any{w.order("O1"), w.payment("P1", "O1", "450")} }
	t.Run("an order sent again is a duplicate", func(t *testing.T) {
		t.Parallel()
		w := forgotten(t, paid)
		w.duplicate(w.one(w.order("O1")), "same")
		changed := w.order("O1")
		changed.Notes = "changed"
		w.rejected(w.one(changed), "rejected.conflict")
	})
	t.Run("a payment sent again is a duplicate, and refunds do not wait for it", func(t *testing.T) {
		t.Parallel()
		w := forgotten(t, paid)
		w.duplicate(w.one(w.payment("P1", "O1", "450")), "same")
		w.posted(w.one(w.refund("R1", "O1", "P1", "100")))
	})
	t.Run("a refund finds order and payment", func(t *testing.T) {
		t.Parallel()
		w := forgotten(t, paid)
		w.posted(w.one(w.refund("R1", "O1", "P1", "433")))
		w.balances(map[string]string{simulator.AccountSales: "0", simulator.AccountStripe: "17"})
		w.duplicate(w.one(w.order("O1")), "same")
	})
	t.Run("a payment finds its order and leaves it owing the rest", func(t *testing.T) {
		t.Parallel()
		w := forgotten(t, func(w *world) []any { return []any{w.order("O1"), w.payment("P1", "O1", "133")} })
		w.posted(w.one(w.payment("P2", "O1", "300")))
		w.duplicate(w.one(w.order("O1")), "same")
		w.balances(map[string]string{simulator.AccountReceivable: "0", simulator.AccountUnearned: "0", simulator.AccountStripe: "433"})
	})
	t.Run("a cancellation voids the invoice that Redis does not know", func(t *testing.T) {
		t.Parallel()
		w := forgotten(t, func(w *world) []any { return []any{w.order("O1")} })
		w.posted(w.one(w.cancelled(w.order("O1"))))
		w.balances(map[string]string{simulator.AccountReceivable: "0", simulator.AccountSales: "0"})
		w.duplicate(w.one(w.order("O1")), "stale")
	})
	t.Run("a cancellation credits the paid invoice that Redis does not know", func(t *testing.T) {
		t.Parallel()
		w := forgotten(t, paid)
		w.posted(w.one(w.cancelled(w.order("O1"))))
		w.balances(map[string]string{simulator.AccountReceivable: "0", simulator.AccountSales: "0", simulator.AccountUnearned: "-450"})
		w.posted(w.one(w.refund("R1", "O1", "P1", "450")))
		w.balances(map[string]string{simulator.AccountUnearned: "0", simulator.AccountStripe: "0"})
	})
	t.Run("a payment sent with other content does not hide the one in the books", func(t *testing.T) {
		t.Parallel()
		w := forgotten(t, paid)
		w.posted(w.one(w.cancelled(w.order("O1")))) // which lists the order's payments
		w.rejected(w.one(w.payment("P1", "O1", "449")), "rejected.conflict")
		w.posted(w.one(w.refund("R1", "O1", "P1", "450")))
		w.balances(map[string]string{simulator.AccountUnearned: "0", simulator.AccountStripe: "0"})
	})
	t.Run("a payment of an order that is known tells what the books owe", func(t *testing.T) {
		t.Parallel()
		w := forgotten(t, func(w *world) []any { return []any{w.order("O1"), w.payment("P1", "O1", "133")} })
		if out := w.wantStatus(w.one(w.payment("P2", "O1", "300")), schemas.StatusPosted, ""); out.InvoiceAfter == nil || !out.InvoiceAfter.Balance.IsZero() {
			t.Errorf("invoice after the payment: %+v, want a balance of 0", out.InvoiceAfter)
		}
	})
	t.Run("a refund of an excess sent again returns nothing", func(t *testing.T) {
		t.Parallel()
		excess := func(w *world) *schemas.Refund {
			r := w.refund("R1", "O1", "P1", "8")
			r.CreditTotal = decimal.NewNullDecimal(decimal.Zero)
			return r
		}
		w := forgotten(t, func(w *world) []any { return append(paid(w), excess(w)) })
		w.duplicate(w.one(excess(w)), "same")
		w.balances(map[string]string{simulator.AccountStripe: "442"})
	})
	t.Run("an adopted order's own record in doubt is posted", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, simulator.Switches{}, waits(time.Second))
		r := w.start()
		w.posted(w.one(w.order("O0"))) // a commit exists
		w.inject(simulator.Fault{Kind: simulator.FaultErrorBefore, Method: "POST", Path: "/invoices/*/status/sent"})
		order := w.one(w.order("O1"))
		w.hit(simulator.FaultErrorBefore)
		r.stop()
		w.redis.Empty(t)
		w.sim.ClearFaults()
		w.start()
		w.posted(order, w.one(w.payment("P1", "O1", "433")))
		w.balances(map[string]string{simulator.AccountReceivable: "433", simulator.AccountStripe: "433"})
	})
}

func TestWaitingIsNotCountedDuringABacklog(t *testing.T) {
	t.Parallel()
	// The orders' topic stands still for longer than the deadline; the payment's clock does not run meanwhile.
	const short = time.Second
	w := newWorld(t, simulator.Switches{}, waits(short),
		configured(func(c *config.Config) {
			c.Claims.Recheck, c.Zoho.Timeout, c.Claims.Lease = 50*time.Millisecond, 10*short, 20*short
		}))
	w.inject(simulator.Fault{Kind: simulator.FaultLatency, Method: "POST", Path: "/invoices", Delay: short * 3 / 2, Nth: 1})
	held := w.one(w.order("O0"))
	pay := w.one(w.payment("P1", "O1", "433"))
	r := w.start()
	r.parked("dependency", 1)
	w.posted(held)
	w.posted(w.one(w.order("O1")), pay)
}

func TestAnOrderThatNeverComesEndsTheWait(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{}, configured(func(c *config.Config) { c.Claims.Recheck = 50 * time.Millisecond }),
		waits(150*time.Millisecond))
	w.start()
	records := w.send(w.payment("P1", "O1", "433"), w.refund("R1", "O1", "P1", "1"))
	w.rejected(records[0], "dependency.missing")
	w.rejected(records[1], "dependency.missing")
	order := w.one(w.order("O1"))
	w.posted(order, w.replay(w.deadLetter(records[0]), nil))
	w.posted(w.replay(w.deadLetter(records[1]), nil))
}
