package app

import (
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/simulator"
)

// writes are the calls that change the books, and a story that makes each of them.
var writes = map[string]string{
	"contact": "/contacts", "invoice": "/invoices", "mark sent": "/invoices/*/status/sent", "payment": "/customerpayments", "credit note": "/creditnotes",
	"credit applied": "/creditnotes/*/invoices", "refund of a credit": "/creditnotes/*/refunds", "refund of an excess": "/customerpayments/*/refunds",
	"void": "/invoices/*/status/void",
}

// story makes every kind of write, and says how the books must look.
func (w *world) story() {
	w.Helper()
	one, two := w.order("O1"), w.order("O2")
	partly := w.refund("R2", "O1", "P1", "40")
	partly.CreditTotal = decimal.NewNullDecimal(dec("50")) // 10 of it are applied to what the invoice owes
	excess := w.refund("R3", "O3", "P3", "17")
	excess.CreditTotal = decimal.NewNullDecimal(decimal.Zero)
	w.posted(w.send(one, two, w.order("O3"), w.payment("P1", "O1", "400"), w.payment("P3", "O3", "450"))...)
	w.posted(w.send(partly, excess, w.cancelled(two))...)
	w.balances(map[string]string{
		simulator.AccountReceivable: "23", simulator.AccountUnearned: "0", simulator.AccountStripe: "793",
	})
	l := w.sim.Ledger(orgID)
	if len(l.Invoices) != 3 || len(l.Payments) != 2 || len(l.CreditNotes) != 1 || len(l.Refunds) != 2 || len(l.Contacts) != 3 {
		w.Errorf("%d invoices, %d payments, %d credit notes, %d refunds, %d contacts; want 3, 2, 1, 2, 3",
			len(l.Invoices), len(l.Payments), len(l.CreditNotes), len(l.Refunds), len(l.Contacts))
	}
}

func TestEveryKindOfWriteSurvivesTrouble(t *testing.T) {
	t.Parallel()
	troubles := map[string]simulator.Fault{
		"the answer lost after it took effect": {Kind: simulator.FaultLostAnswer},
		"an error after it took effect":        {Kind: simulator.FaultErrorAfter},
		"an error before":                      {Kind: simulator.FaultErrorBefore, Status: 502, HTML: true},
		"no answer in time":                    {Kind: simulator.FaultHang, Applied: true},
		"landing after the look-up":            {Kind: simulator.FaultLateLanding, Delay: settleDelay * 2},
		"refused for the rate":                 {Kind: simulator.FaultThrottle, Code: 44},
	}
	for write, path := range writes {
		t.Run(write, func(t *testing.T) {
			t.Parallel()
			for trouble, fault := range troubles {
				t.Run(trouble, func(t *testing.T) {
					t.Parallel()
					w := newWorld(t, simulator.Switches{}, configured(func(c *config.Config) { c.Zoho.MarkSentBatch = 1 }))
					fault.Method, fault.Path, fault.Nth = "POST", path, 1
					w.inject(fault)
					w.start()
					w.story()
					w.hit(fault.Kind)
				})
			}
		})
	}
}

func TestABulkMarkSentThatFailsIsRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.inject(simulator.Fault{Kind: simulator.FaultErrorBefore, Method: "POST", Path: "/invoices/status/sent", Nth: 1, Count: 2})
	w.start()
	var events []any
	for _, id := range []string{"O1", "O2", "O3", "O4", "O5", "O6"} {
		events = append(events, w.order(id))
	}
	w.posted(w.send(events...)...)
	w.balances(map[string]string{simulator.AccountReceivable: "2598"})
	if c := w.sim.Calls(orgID); c.Total == 0 {
		t.Error("no calls counted")
	}
}

func TestAWriteThatLandsAfterItsReplicaDiedIsFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.inject(simulator.Fault{Kind: simulator.FaultLateLanding, Method: "POST", Path: "/customerpayments", Nth: 1, Delay: writeHorizon * 2 / 3})
	first := w.start()
	w.posted(w.one(w.order("O1")))
	pay := w.one(w.payment("P1", "O1", "433"))
	w.hit(simulator.FaultLateLanding)
	first.stop()
	w.start()
	w.posted(pay)
	w.balances(map[string]string{simulator.AccountReceivable: "0", simulator.AccountStripe: "433"})
}

func TestARecordThatFailsWhileOthersSucceedIsExhausted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.inject(simulator.Fault{Kind: simulator.FaultErrorBefore, BusinessID: "payment:P1", Method: "POST", Path: "/customerpayments"})
	w.start()
	w.posted(w.one(w.order("O1")))
	bad := w.one(w.payment("P1", "O1", "433"))
	for i := 0; w.outcome(bad) == nil && i < 200; i++ {
		w.posted(w.one(w.order("O1-" + string(rune('A'+i%26)) + string(rune('A'+i/26)))))
	}
	if out := w.rejected(bad, "exhausted"); out.Attempts < 8 {
		t.Errorf("after %d attempts", out.Attempts)
	}
	// What was in doubt is looked for by the replay.
	w.sim.ClearFaults()
	w.posted(w.replay(w.deadLetter(bad), nil))
	w.balances(map[string]string{simulator.AccountStripe: "433"})
}

func TestTheSameEventAfterAnExhaustedOneAdoptsWhatLandedLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{}, configured(func(c *config.Config) { c.Zoho.MaxAttempts = 1 }))
	w.start()
	w.posted(w.one(w.order("O1")))
	// The write lands after the record was given up.
	w.inject(simulator.Fault{Kind: simulator.FaultLateLanding, BusinessID: "payment:P1", Method: "POST", Path: "/customerpayments", Delay: writeHorizon, Nth: 1})
	w.inject(simulator.Fault{Kind: simulator.FaultErrorBefore, Method: "GET", Path: "/customerpayments*"})
	bad := w.one(w.payment("P1", "O1", "433"))
	for i := 0; w.outcome(bad) == nil && i < 100; i++ {
		w.posted(w.one(w.order("O1-" + string(rune('A'+i%26)) + string(rune('A'+i/26)))))
	}
	w.rejected(bad, "exhausted")
	until(w, "the first write to land", func() bool { l := w.sim.Ledger(orgID); return len(l.Find("payment", "payment:P1")) == 1 })
	w.sim.ClearFaults()
	w.posted(w.one(w.payment("P1", "O1", "433")))
	w.find("payment", "payment:P1")
}

func TestAnOutageDeadLettersNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	r := w.start()
	w.posted(w.one(w.order("O0")))
	w.inject(simulator.Fault{Kind: simulator.FaultErrorBefore, Status: 503, HTML: true})
	var events []any
	for _, id := range []string{"O1", "O2", "O3", "O4", "O5", "O6", "O7", "O8"} {
		events = append(events, w.order(id), w.payment("P"+id, id, "433"))
	}
	records := w.send(events...)
	untilCircuit(r, true)
	w.sim.ClearFaults()
	w.posted(records...)
	untilCircuit(r, false)
}

func untilCircuit(r *replica, open bool) {
	r.w.Helper()
	until(r.w, "the circuit to open or close", func() bool {
		job := r.job.Load()
		return job != nil && job.Gates()[r.w.name].CircuitOpen == open
	})
}

func TestAPauseOfTheOrganisationHoldsAndEnds(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]int{"the minute's limit": 44, "concurrency": 1070} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Switches{})
			w.inject(simulator.Fault{Kind: simulator.FaultThrottle, Code: code, Nth: 12, Count: 3})
			w.start()
			var events []any
			for _, id := range []string{"O1", "O2", "O3", "O4", "O5", "O6"} {
				events = append(events, w.order(id), w.payment("P"+id, id, "433"))
			}
			w.posted(w.send(events...)...)
			w.hit(simulator.FaultThrottle)
		})
	}
}

func TestARevokedTokenIsReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.start()
	w.posted(w.one(w.order("O1")))
	w.inject(simulator.Fault{Kind: simulator.FaultRevokeTokens})
	w.posted(w.send(w.order("O2"), w.payment("P1", "O1", "433"))...)
}

func TestRefusedCredentialsPauseTheOrganisation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{}, waits(100*time.Millisecond))
	r := w.start()
	w.posted(w.one(w.order("O1")))
	w.inject(simulator.Fault{Kind: simulator.FaultRevokeScope, Scope: "customerpayments.CREATE"})
	waiting := w.send(w.payment("P1", "O1", "433"), w.refund("R1", "O1", "P1", "100"))
	r.parked("paused", 1)
	until(w, "the organisation to be paused", func() bool { return !r.job.Load().Gates()[w.name].PausedUntil.IsZero() })
	w.sim.ClearFaults()
	r.stop()
	w.start() // the pause is the replica's own; a new one asks at once
	w.posted(waiting...)
}

func TestTheDaysReserveIsForPaymentsAndRefunds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{}, company(func(o *simulator.Org) { o.PlanQuota = 60 }),
		configured(func(c *config.Config) { c.Zoho.ReservePercent = 50 }))
	r := w.start()
	paid := w.order("O1")
	w.posted(w.one(paid))
	var orders []any
	for i := range 26 {
		o := w.order("N" + string(rune('A'+i)))
		o.Customer = paid.Customer
		orders = append(orders, o)
	}
	w.send(orders...)
	until(w, "the orders' part of the day to be used up", func() bool {
		return r.engine.Load() != nil && r.engine.Load().Status().Parked["day_reserve"] > 0
	})
	w.posted(w.one(w.payment("P1", "O1", "433")), w.one(w.refund("R1", "O1", "P1", "100")))
	held := 0
	w.mu.Lock()
	all := w.sent[1:27]
	w.mu.Unlock()
	for _, r := range all {
		if w.outcome(r) == nil {
			held++
		}
	}
	if held == 0 {
		t.Error("no order was held back for the reserve")
	}
	w.sim.SetLimits(orgID, -1, -1, 10)
	w.unsettled = true // the day would have to end
}
