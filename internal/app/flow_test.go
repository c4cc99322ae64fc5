package app

import (
	"strconv"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/schemas"
)

func TestAnOrderIsPaidAndRefunded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.start()
	pay := w.payment("P1", "O1", "433")
	pay.Fee = &schemas.Fee{Amount: dec("12.50"), Currency: "USD"}
	records := w.send(w.order("O1"), pay, w.refund("R1", "O1", "P1", "108.25"))
	w.posted(records...)
	w.balances(map[string]string{
		simulator.AccountReceivable: "0", simulator.AccountSales: "-300", simulator.AccountTaxPayable: "-24.75",
		simulator.AccountStripe: "312.25", simulator.AccountFees: "12.50",
	})
	if inv := w.find("invoice", "order:O1"); inv.Status != "paid" || inv.Date != "2026-03-02" || !inv.Total.Equal(dec("433")) {
		t.Errorf("invoice is %s of %s over %s", inv.Status, inv.Date, inv.Total)
	}
	if r := w.find("refund", "refund:R1"); r.Date != "2026-03-04" || r.Account != simulator.AccountStripe {
		t.Errorf("refund of %s from %s", r.Date, r.Account)
	}
	out := w.await(records[1])
	if len(out.Documents) != 1 || out.Documents[0].Type != "customer_payment" || out.InvoiceAfter == nil || out.InvoiceAfter.Status != "paid" {
		t.Errorf("outcome of the payment: %+v", out)
	}
	// Known customer: one call for a payment, two for a refund.
	if out.Calls != 1 || w.await(records[2]).Calls != 2 {
		t.Errorf("calls of payment and refund: %d, %d; want 1, 2", out.Calls, w.await(records[2]).Calls)
	}
}

// TestWhoComesEarlyIsWoken tries three orders: wake-ups are hints, and one may be lost on a busy machine.
func TestWhoComesEarlyIsWoken(t *testing.T) {
	t.Parallel()
	// The re-check is far away, too far for a busy machine to be as slow, and the deadline farther: only a wake-up is this fast.
	const recheck = 24 * time.Second
	w := newWorld(t, simulator.Switches{}, configured(func(cfg *config.Config) { cfg.Claims.Recheck = recheck }),
		waits(time.Hour))
	r := w.start()
	var slow []time.Duration
	for _, n := range []string{"1", "2", "3"} {
		early := w.send(w.refund("R"+n, "O"+n, "P"+n, "100"), w.payment("P"+n, "O"+n, "433"))
		r.parked("dependency", 2)
		begun := time.Now()
		w.posted(w.one(w.order("O" + n)))
		w.posted(early...)
		took := time.Since(begun)
		if took <= recheck/2 {
			return
		}
		slow = append(slow, took)
	}
	t.Errorf("took %v: nobody woke them", slow)
}

func TestARefundWithoutItsPaymentsNameWaitsForMoney(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{}, waits(time.Hour))
	r := w.start()
	w.posted(w.one(w.order("O1")))
	refund := w.one(w.refund("R1", "O1", "", "433"))
	r.parked("dependency", 1)
	w.posted(w.one(w.payment("P1", "O1", "433")), refund)
	w.balances(map[string]string{simulator.AccountReceivable: "0", simulator.AccountStripe: "0", simulator.AccountSales: "0"})
}

func TestAPaymentOfSeveralOrdersWaitsForAllOfThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{}, waits(time.Hour))
	r := w.start()
	one, two := w.order("O1"), w.order("O2")
	two.Customer = one.Customer
	pay := w.payment("P1", "O1", "633")
	pay.Allocations = []schemas.Allocation{{OrderID: "O2", Amount: dec("200")}, {OrderID: "O1", Amount: dec("433")}}
	w.posted(w.one(one))
	payment := w.one(pay)
	r.parked("dependency", 1)
	w.posted(w.one(two), payment)
	w.balances(map[string]string{simulator.AccountReceivable: "233", simulator.AccountStripe: "633"})
	if inv := w.find("invoice", "order:O2"); !inv.Balance.Equal(dec("233")) {
		t.Errorf("the second invoice owes %s, want 233", inv.Balance)
	}
}

func TestAPaymentOfTwoCustomersOrdersIsRejected(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.start()
	w.posted(w.send(w.order("O1"), w.order("O2"))...)
	pay := w.payment("P1", "O1", "866")
	pay.Allocations = []schemas.Allocation{{OrderID: "O2", Amount: dec("433")}, {OrderID: "O1", Amount: dec("433")}}
	w.rejected(w.one(pay), "rejected.unsupported")
	w.posted(w.one(w.payment("P2", "O1", "433"))) // the orders are free again
}

func TestTwoReplicasShareTheWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{}, waits(time.Hour))
	var events []any
	for i := range 12 {
		id := strconv.Itoa(i)
		events = append(events, w.refund("R"+id, "O"+id, "P"+id, "33"), w.payment("P"+id, "O"+id, "433"), w.order("O"+id))
	}
	records := w.send(events...)
	first := w.start()
	w.start()
	w.posted(records[:12]...)
	first.stop()
	w.posted(records...)
	w.balances(map[string]string{simulator.AccountStripe: "4800", simulator.AccountReceivable: "0"})
}

func TestCancellations(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		before   func(w *world, o *schemas.Order) []any
		balances map[string]string
	}{
		"unpaid: the invoice is void": {
			before:   func(*world, *schemas.Order) []any { return nil },
			balances: map[string]string{simulator.AccountSales: "0", simulator.AccountReceivable: "0", simulator.AccountStripe: "0"},
		},
		"paid: what was paid stays as credit": {
			before: func(w *world, _ *schemas.Order) []any { return []any{w.payment("P1", "O1", "433")} },
			balances: map[string]string{
				simulator.AccountSales: "0", simulator.AccountTaxPayable: "0", simulator.AccountReceivable: "0", simulator.AccountUnearned: "-433", simulator.AccountStripe: "433",
			},
		},
		"part paid: the rest is not owed any more": {
			before:   func(w *world, _ *schemas.Order) []any { return []any{w.payment("P1", "O1", "133")} },
			balances: map[string]string{simulator.AccountSales: "0", simulator.AccountReceivable: "0", simulator.AccountUnearned: "-133", simulator.AccountStripe: "133"},
		},
		"after a refund: only what is left": {
			before: func(w *world, _ *schemas.Order) []any {
				return []any{w.payment("P1", "O1", "433"), w.refund("R1", "O1", "P1", "108.25")}
			},
			balances: map[string]string{simulator.AccountSales: "0", simulator.AccountReceivable: "0", simulator.AccountUnearned: "-324.75", simulator.AccountStripe: "324.75"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Switches{})
			w.start()
			o := w.order("O1")
			w.posted(w.one(o))
			for _, e := range tt.before(w, o) {
				w.posted(w.one(e))
			}
			w.posted(w.one(w.cancelled(o)))
			w.balances(tt.balances)
			w.duplicate(w.one(w.again(o)), "stale")
			again := w.cancelled(o)
			w.duplicate(w.one(again), "same")
			again.Revision = 7
			w.duplicate(w.one(again), "same")
			w.balances(tt.balances)
		})
	}
}

func TestCancellationAndRefundInEitherOrderGiveTheSameBooks(t *testing.T) {
	t.Parallel()
	for name, refundFirst := range map[string]bool{"refund first": true, "cancellation first": false} {
		for _, amount := range []string{"433", "108.25"} {
			t.Run(name+" of "+amount, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, simulator.Switches{})
				w.start()
				o := w.order("O1")
				w.posted(w.send(o, w.payment("P1", "O1", "433"))...)
				events := []any{w.refund("R1", "O1", "P1", amount), w.cancelled(o)}
				if !refundFirst {
					events[0], events[1] = events[1], events[0]
				}
				w.posted(w.one(events[0]))
				w.posted(w.one(events[1]))
				rest := dec(amount).Sub(dec("433"))
				w.balances(map[string]string{
					simulator.AccountSales: "0", simulator.AccountTaxPayable: "0", simulator.AccountReceivable: "0", simulator.AccountUnearned: rest.String(),
					simulator.AccountStripe: rest.Neg().String(),
				})
			})
		}
	}
}

func TestATombstoneMakesALaterOrderStale(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.start()
	o := w.order("O1")
	w.posted(w.one(w.cancelled(o)))
	w.duplicate(w.one(o), "stale")
	w.rejected(w.one(w.payment("P1", "O1", "433")), "dependency.missing")
	if l := w.sim.Ledger(orgID); len(l.Invoices)+len(l.Payments) > 0 {
		t.Errorf("documents for an order that never was: %+v", l.Invoices)
	}
}

func TestAnOverpaymentIsRefundedWithoutACredit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.start()
	w.posted(w.send(w.order("O1"), w.payment("P1", "O1", "450"))...)
	refund := w.refund("R1", "O1", "P1", "17")
	refund.CreditTotal = decimal.NewNullDecimal(decimal.Zero)
	w.posted(w.one(refund))
	w.balances(map[string]string{
		simulator.AccountReceivable: "0", simulator.AccountSales: "-400", simulator.AccountTaxPayable: "-33", simulator.AccountStripe: "433",
	})
	if l := w.sim.Ledger(orgID); len(l.CreditNotes) != 0 || len(l.Refunds) != 1 {
		t.Errorf("%d credit notes and %d refunds, want 0 and 1", len(l.CreditNotes), len(l.Refunds))
	}
}

func TestPartialRefundsNeverReturnMoreThanWasPaid(t *testing.T) {
	t.Parallel()
	for name, parallel := range map[string]bool{"one after the other": false, "in parallel": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Switches{})
			w.start()
			w.posted(w.send(w.order("O1"), w.payment("P1", "O1", "433"))...)
			var posted, refused int
			var events []any
			for i := range 5 {
				events = append(events, w.refund("R"+strconv.Itoa(i), "O1", "P1", "108.25"))
			}
			w.keyless = parallel
			for _, e := range events {
				r := w.one(e)
				if !parallel {
					w.await(r)
				}
			}
			for _, r := range w.sent[2:] {
				switch out := w.await(r); {
				case out.Status == schemas.StatusPosted:
					posted++
				case out.Error != nil && (out.Error.Class == "dependency.missing" || out.Error.Class == "rejected.totals"):
					refused++
				}
			}
			if posted != 4 || refused != 1 {
				t.Errorf("%d posted and %d refused, want 4 and 1", posted, refused)
			}
			w.balances(map[string]string{simulator.AccountReceivable: "0", simulator.AccountSales: "0", simulator.AccountTaxPayable: "0", simulator.AccountStripe: "0"})
		})
	}
}

func TestDaysAreThoseOfTheCompany(t *testing.T) {
	t.Parallel()
	// 23:30 on 31 March, and half an hour later, where the company is.
	for zone, offset := range map[string]time.Duration{"Asia/Kolkata": 5*time.Hour + 30*time.Minute, "Pacific/Auckland": 13 * time.Hour, "America/New_York": -4 * time.Hour} {
		t.Run(zone, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Switches{}, company(func(o *simulator.Org) { o.TimeZone = zone }))
			w.start()
			late := time.Date(2026, 3, 31, 23, 30, 0, 0, time.UTC).Add(-offset)
			one, two := w.order("O1"), w.order("O2")
			one.PlacedAt, two.PlacedAt = late, late.Add(30*time.Minute)
			pay, refund := w.payment("P1", "O1", "433"), w.refund("R1", "O1", "P1", "33")
			pay.ReceivedAt, refund.RefundedAt = late.Add(15*time.Minute), late.Add(45*time.Minute)
			w.posted(w.send(one, two, pay, refund)...)
			for key, want := range map[[2]string]string{
				{"invoice", "order:O1"}: "2026-03-31", {"invoice", "order:O2"}: "2026-04-01", {"payment", "payment:P1"}: "2026-03-31",
				{"creditnote", "refund:R1"}: "2026-04-01", {"refund", "refund:R1"}: "2026-04-01",
			} {
				if got := w.find(key[0], key[1]).Date; got != want {
					t.Errorf("%v is of %s, want %s", key, got, want)
				}
			}
		})
	}
}

func TestADraftInvoiceIsMarkedSentByItsPayment(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{RefusePaymentOnDraft: true, DraftPayment: simulator.Refusal{Status: 400, Code: 12005, Message: "draft"}},
		mapped(func(o *config.Organization) { o.InvoicePolicy = "draft" }))
	w.start()
	order := w.one(w.order("O1"))
	w.posted(order)
	if out := w.await(order); out.InvoiceAfter.Status != "draft" {
		t.Errorf("the invoice is %s, want draft", out.InvoiceAfter.Status)
	}
	w.posted(w.one(w.payment("P1", "O1", "433")))
	w.balances(map[string]string{simulator.AccountReceivable: "0", simulator.AccountSales: "-400"})
}

func TestAWrongTotalFollowsThePolicy(t *testing.T) {
	t.Parallel()
	t.Run("flag: posted, the outcome says so", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, simulator.Switches{})
		w.inject(simulator.Fault{Kind: simulator.FaultCents, Method: "POST", Path: "/invoices", Nth: 1})
		w.start()
		r := w.one(w.order("O1"))
		w.posted(r)
		if out := w.await(r); !out.Difference.Valid || !out.Difference.Decimal.Equal(dec("0.01")) {
			t.Errorf("difference %v, want 0.01", out.Difference)
		}
		w.posted(w.one(w.payment("P1", "O1", "433.01")))
	})
	for name, fault := range map[string]*simulator.Fault{
		"void":                                  nil,
		"void, the answer to the rename lost":   {Kind: simulator.FaultLostAnswer, Method: "PUT", Path: "/invoice/*/customfields", Nth: 1},
		"void, the answer to the void lost":     {Kind: simulator.FaultLostAnswer, Method: "POST", Path: "/invoices/*/status/void", Nth: 1},
		"void, and stopped before it was void":  {Kind: simulator.FaultErrorBefore, Method: "POST", Path: "/invoices/*/status/void", Nth: 1, Count: 3},
		"void, the answer to the create lost":   {Kind: simulator.FaultLostAnswer, Method: "POST", Path: "/invoices", Nth: 1},
		"void, and refused once for its rename": {Kind: simulator.FaultThrottle, Method: "PUT", Nth: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Switches{}, mapped(func(o *config.Organization) { o.MismatchPolicy, o.Tolerance = "void", 0 }))
			w.inject(simulator.Fault{Kind: simulator.FaultCents, Method: "POST", Path: "/invoices", Nth: 1})
			if fault != nil {
				w.inject(*fault)
			}
			r := w.start()
			o := w.order("O1")
			record := w.one(o)
			if name == "void, and stopped before it was void" {
				w.hit(simulator.FaultErrorBefore)
				r.stop()
				w.start()
			}
			w.rejected(record, "rejected.totals")
			w.balances(map[string]string{simulator.AccountReceivable: "0", simulator.AccountSales: "0"})
			w.posted(w.replay(w.deadLetter(record), nil))
			l := w.sim.Ledger(orgID)
			if len(l.Invoices) != 2 || l.Invoices[0].Status != "void" || l.Invoices[1].BusinessID != "order:O1" {
				t.Errorf("invoices: %+v", l.Invoices)
			}
			w.balances(map[string]string{simulator.AccountReceivable: "433", simulator.AccountSales: "-400"})
		})
	}
}
