package app

import (
	"strconv"
	"testing"
	"time"

	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/schemas"
)

// slow leaves time for something else before what failed is tried again.
func slow(c *config.Config) { c.Zoho.SettleDelay = 4 * time.Second }

// TestACancellationLooksAgainBeforeItVoids: the void fails, and a payment comes before it is tried again: the invoice is credited instead.
func TestACancellationLooksAgainBeforeItVoids(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{}, configured(slow))
	w.start()
	o := w.order("O1")
	w.posted(w.one(o))
	w.inject(simulator.Fault{Kind: simulator.FaultErrorBefore, Method: "POST", Path: "/invoices/*/status/void", Nth: 1})
	c := w.one(w.cancelled(o))
	w.hit(simulator.FaultErrorBefore)
	w.posted(w.one(w.payment("P1", "O1", "433")))
	if w.outcome(c) != nil {
		t.Fatal("the cancellation did not wait")
	}
	w.posted(c)
	w.balances(map[string]string{simulator.AccountSales: "0", simulator.AccountReceivable: "0"})
	w.posted(w.one(w.refund("R1", "O1", "P1", "433")))
	w.balances(map[string]string{simulator.AccountStripe: "0", simulator.AccountSales: "0", simulator.AccountUnearned: "0"})
}

// TestARefundWaitsForACancellationInDoubt: it would draw on the cancellation's credit note, whose answer was lost.
func TestARefundWaitsForACancellationInDoubt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{}, configured(slow))
	w.start()
	o := w.order("O1")
	w.posted(w.send(o, w.payment("P1", "O1", "433"))...)
	w.inject(simulator.Fault{Kind: simulator.FaultLostAnswer, Method: "POST", Path: "/creditnotes", Nth: 1})
	c := w.one(w.cancelled(o))
	w.hit(simulator.FaultLostAnswer)
	r := w.one(w.refund("R1", "O1", "P1", "433"))
	w.posted(c, r)
	w.balances(map[string]string{simulator.AccountStripe: "0", simulator.AccountSales: "0"})
}

// TestARefundWaitsForAPaymentInDoubt: it would draw on the excess of a payment whose answer was lost.
func TestARefundWaitsForAPaymentInDoubt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{}, configured(slow), configured(func(c *config.Config) { c.Claims.Recheck = 50 * time.Millisecond }),
		waits(time.Hour))
	replica := w.start()
	w.posted(w.one(w.order("O1")))
	r := w.one(w.refund("R1", "O1", "", "441"))
	replica.parked("dependency", 1)
	w.inject(simulator.Fault{Kind: simulator.FaultLostAnswer, Method: "POST", Path: "/customerpayments", Nth: 1})
	p := w.one(w.payment("P1", "O1", "450"))
	w.hit(simulator.FaultLostAnswer)
	w.posted(p, r)
}

// TestARevisionFinishedByTheNextOneIsRemembered: a revision was given up in doubt; the next one finishes it, and then meets trouble of its own.
func TestARevisionFinishedByTheNextOneIsRemembered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{}, configured(func(c *config.Config) { c.Zoho.MaxAttempts = 1 }))
	w.start()
	o := w.two("O1")
	w.posted(w.one(o))
	w.inject(simulator.Fault{Kind: simulator.FaultLostAnswer, Method: "POST", Path: "/invoices", BusinessID: "*O1:2", Nth: 1})
	r := w.one(w.updated(o, sold("a", "1", "100"), sold("b", "2", "100"), sold("c", "1", "150")))
	w.hit(simulator.FaultLostAnswer)
	w.inject(simulator.Fault{Kind: simulator.FaultErrorBefore, Method: "GET", Path: "/invoices*"})
	for i := 0; w.outcome(r) == nil && i < 100; i++ {
		w.posted(w.one(w.order("X" + strconv.Itoa(i))))
	}
	w.rejected(r, "exhausted")
	w.sim.ClearFaults()
	was := w.sim.Ledger(orgID)
	before := was.Balance(simulator.AccountSales)
	w.inject(simulator.Fault{Kind: simulator.FaultErrorBefore, Method: "GET", Path: "/invoices/*", BusinessID: "order:O1", Nth: 1})
	third := w.updated(o, sold("a", "1", "100"), sold("b", "2", "100"), sold("c", "1", "150"), sold("d", "1", "10"))
	third.Revision = 3
	w.posted(w.one(third))
	is := w.sim.Ledger(orgID)
	if got := before.Sub(is.Balance(simulator.AccountSales)); !got.Equal(dec("160")) {
		t.Errorf("revision 3 added %s of sales, want 160 (c, marked sent, and d)", got)
	}
}

// drawing is a cancelled order, and a refund of it with a fee that the gateway returns, or without.
func drawing(w *world) (refund func(fee string) *schemas.Refund) {
	o := w.order("O1")
	w.posted(w.send(o, w.payment("P1", "O1", "433"))...)
	w.posted(w.one(w.cancelled(o)))
	return func(fee string) *schemas.Refund {
		f := w.refund("R1", "O1", "P1", "100")
		if fee != "" {
			f.FeeReturned = &schemas.Fee{Amount: dec(fee), Currency: "USD"}
		}
		return f
	}
}

// TestARefundPostedInPartIsNotPostedWithOtherContent: its entry out of the cancellation's credit note carries no key that would refuse a second one.
func TestARefundPostedInPartIsNotPostedWithOtherContent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{}, mapped(func(o *config.Organization) { o.Journals = true }))
	w.start()
	refund := drawing(w)
	w.inject(simulator.Fault{Kind: simulator.FaultErrorBefore, Method: "POST", Path: "/journals", Status: 400, Code: 2, Nth: 1})
	w.rejected(w.one(refund("1.25")), "rejected.books")
	w.balances(map[string]string{simulator.AccountStripe: "333"})
	w.rejected(w.one(refund("")), "rejected.conflict")
	w.balances(map[string]string{simulator.AccountStripe: "333"})
}

// TestStepsStayWithARecordThatTheMappingRefuses: the fee of a refund is in doubt when journals are turned off, and on again.
func TestStepsStayWithARecordThatTheMappingRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{}, mapped(func(o *config.Organization) { o.Journals = true }))
	r := w.start()
	refund := drawing(w)
	w.inject(simulator.Fault{Kind: simulator.FaultErrorBefore, Method: "POST", Path: "/journals"})
	rec := w.one(refund("1.25"))
	w.hit(simulator.FaultErrorBefore)
	r.stop()
	w.sim.ClearFaults()
	mapped(func(o *config.Organization) { o.Journals = false })(w)
	r = w.start()
	w.rejected(rec, "rejected.unsupported")
	r.stop()
	mapped(func(o *config.Organization) { o.Journals = true })(w)
	w.start()
	w.posted(w.replay(w.deadLetter(rec), nil))
	w.balances(map[string]string{simulator.AccountStripe: "334.25"})
}

// TestAVoidThatLandsLateFreesThePayment: it lands behind a payment that was posted meanwhile.
func TestAVoidThatLandsLateFreesThePayment(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{}, configured(func(c *config.Config) {
		c.Zoho.SettleDelay, c.Zoho.WriteHorizon = 3*time.Second, 6*time.Second
	}))
	w.start()
	o := w.order("O1")
	w.posted(w.one(o))
	w.inject(simulator.Fault{Kind: simulator.FaultLateLanding, Method: "POST", Path: "/invoices/*/status/void", Nth: 1, Delay: 5 * time.Second})
	c := w.one(w.cancelled(o))
	w.hit(simulator.FaultLateLanding)
	w.posted(w.one(w.payment("P1", "O1", "433")), c)
	w.posted(w.one(w.refund("R1", "O1", "P1", "433")))
	w.balances(map[string]string{simulator.AccountStripe: "0", simulator.AccountSales: "0", simulator.AccountUnearned: "0"})
}

// TestAnAdvanceInDoubtIsAppliedToItsOrder: the order comes while the answer about the advance is missing.
func TestAnAdvanceInDoubtIsAppliedToItsOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{AcceptPaymentWithoutInvoices: true}, configured(slow))
	contact := w.contactByHand("Unallocated payments", "nobody@example.com")
	mapped(func(o *config.Organization) {
		o.Advances, o.AdvanceContact, o.DependencyDeadline = "advance", contact, 200*time.Millisecond
	})(w)
	configured(func(c *config.Config) { c.Claims.Recheck = 50 * time.Millisecond })(w)
	w.start()
	w.inject(simulator.Fault{Kind: simulator.FaultLostAnswer, Method: "POST", Path: "/customerpayments", Nth: 1})
	payment := w.one(w.payment("P1", "O1", "433"))
	w.hit(simulator.FaultLostAnswer)
	w.posted(w.one(w.order("O1")), payment)
	w.balances(map[string]string{simulator.AccountReceivable: "0", simulator.AccountUnearned: "0"})
	w.posted(w.one(w.refund("R1", "O1", "P1", "433")))
	w.balances(map[string]string{simulator.AccountStripe: "0", simulator.AccountSales: "0", simulator.AccountUnearned: "0"})
}
