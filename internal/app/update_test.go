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

// sold is a line with 8.25 % of tax.
func sold(id, quantity, price string) schemas.Line {
	base := dec(quantity).Mul(dec(price)).Round(2)
	return schemas.Line{
		LineID: id, Kind: schemas.LineGoods, Name: "Thing " + id, Quantity: dec(quantity), UnitPrice: dec(price),
		Taxes: []schemas.Tax{{Code: "TX Sales Tax", Rate: decimal.NewNullDecimal(dec("8.25")), Amount: base.Mul(dec("0.0825")).Round(2), CollectedBy: schemas.CollectedBySeller}},
	}
}

// selling is the order with these lines in place of its own.
func (w *world) selling(o *schemas.Order, lines ...schemas.Line) *schemas.Order {
	c := *o
	c.Event, c.Lines = w.event(), lines
	c.Totals = schemas.Totals{}
	for _, l := range lines {
		c.Totals.Net = c.Totals.Net.Add(l.Quantity.Mul(l.UnitPrice).Round(2))
		for _, tax := range l.Taxes {
			c.Totals.Tax = c.Totals.Tax.Add(tax.Amount)
		}
	}
	c.Totals.Gross = c.Totals.Net.Add(c.Totals.Tax)
	return &c
}

// updated is the order's next revision with these lines.
func (w *world) updated(o *schemas.Order, lines ...schemas.Line) *schemas.Order {
	c := w.selling(o, lines...)
	c.Kind, c.Revision, c.OccurredAt = schemas.OrderUpdated, o.Revision+1, at.Add(24*time.Hour)
	return c
}

// two is an order over a (100 and 8.25 of tax) and b (200 and 16.50).
func (w *world) two(id string) *schemas.Order {
	return w.selling(w.order(id), sold("a", "1", "100"), sold("b", "2", "100"))
}

func TestALaterRevisionIsCorrectedByFurtherDocuments(t *testing.T) {
	t.Parallel()
	type step = func(w *world, o *schemas.Order) any
	update := func(lines ...schemas.Line) step {
		return func(w *world, o *schemas.Order) any { return w.updated(o, lines...) }
	}
	pay := func(id, amount string) step {
		return func(w *world, o *schemas.Order) any { return w.payment(id, o.OrderID, amount) }
	}
	refund := func(id, amount string, lines ...schemas.RefundLine) step {
		return func(w *world, o *schemas.Order) any {
			r := w.refund(id, o.OrderID, "", amount)
			r.Lines = lines
			return r
		}
	}
	cancel := func(w *world, o *schemas.Order) any { return w.cancelled(o) }
	tests := map[string]struct {
		steps              []step
		invoices, notes    int
		owed, held, bank   string // receivable, the customer's credit, clearing account
		sales, tax, second string // revenue, tax, and the further invoice's status
	}{
		"a line more": {
			steps: []step{update(sold("a", "1", "100"), sold("b", "2", "100"), sold("c", "1", "40"))}, invoices: 2,
			owed: "368.05", held: "0", bank: "0", sales: "-340", tax: "-28.05", second: "overdue",
		},
		"pieces more, at the same price": {
			steps: []step{update(sold("a", "3", "100"), sold("b", "2", "100"))}, invoices: 2,
			owed: "541.25", held: "0", bank: "0", sales: "-500", tax: "-41.25", second: "overdue",
		},
		"a higher price, after payment: the next payment pays it": {
			steps: []step{pay("P1", "324.75"), update(sold("a", "1", "110"), sold("b", "2", "100")), pay("P2", "10.83")}, invoices: 2,
			owed: "0", held: "0", bank: "335.58", sales: "-310", tax: "-25.58", second: "paid",
		},
		"one payment over both invoices, and too much": {
			steps: []step{update(sold("a", "1", "110"), sold("b", "2", "100")), pay("P1", "340")}, invoices: 2,
			owed: "0", held: "-4.42", bank: "340", sales: "-310", tax: "-25.58", second: "paid",
		},
		"a line less, unpaid: it's owed no more": {
			steps: []step{update(sold("b", "2", "100"))}, invoices: 1, notes: 1,
			owed: "216.50", held: "0", bank: "0", sales: "-200", tax: "-16.50",
		},
		"a line less, paid: the customer's credit": {
			steps: []step{pay("P1", "324.75"), update(sold("b", "2", "100"))}, invoices: 1, notes: 1,
			owed: "0", held: "-108.25", bank: "324.75", sales: "-200", tax: "-16.50",
		},
		"a line less, then its money back: one credit": {
			steps:    []step{pay("P1", "324.75"), update(sold("b", "2", "100")), refund("R1", "108.25", schemas.RefundLine{LineID: "a", Quantity: dec("1"), Amount: dec("108.25")})},
			invoices: 1, notes: 1, owed: "0", held: "0", bank: "216.50", sales: "-200", tax: "-16.50",
		},
		"the money back, then the line less: the same books": {
			steps:    []step{pay("P1", "324.75"), refund("R1", "108.25", schemas.RefundLine{LineID: "a", Quantity: dec("1"), Amount: dec("108.25")}), update(sold("b", "2", "100"))},
			invoices: 1, notes: 1, owed: "0", held: "0", bank: "216.50", sales: "-200", tax: "-16.50",
		},
		"money for more than went off: the rest is credited": {
			steps: []step{pay("P1", "324.75"), update(sold("b", "2", "100")), refund("R1", "216.50",
				schemas.RefundLine{LineID: "a", Quantity: dec("1"), Amount: dec("108.25")}, schemas.RefundLine{LineID: "b", Quantity: dec("1"), Amount: dec("108.25")})},
			invoices: 1, notes: 2, owed: "0", held: "0", bank: "108.25", sales: "-100", tax: "-8.25",
		},
		"less went off than was returned: nothing more is credited": {
			steps:    []step{pay("P1", "324.75"), refund("R1", "150"), update(sold("b", "2", "100"))},
			invoices: 1, notes: 1, owed: "0", held: "0", bank: "174.75", sales: "-161.43", tax: "-13.32",
		},
		"one line for another, paid": {
			steps:    []step{pay("P1", "324.75"), update(sold("b", "2", "100"), sold("c", "1", "150"))},
			invoices: 2, notes: 1, owed: "54.13", held: "0", bank: "324.75", sales: "-350", tax: "-28.88", second: "overdue",
		},
		"up and down again": {
			steps: []step{update(sold("a", "3", "100"), sold("b", "2", "100")), func(w *world, o *schemas.Order) any {
				c := w.updated(o, sold("a", "1", "100"), sold("b", "2", "100"))
				c.Revision = 3
				return c
			}},
			invoices: 2, notes: 1, owed: "324.75", held: "0", bank: "0", sales: "-300", tax: "-24.75", second: "overdue",
		},
		"a cancellation takes back what all documents left": {
			steps:    []step{pay("P1", "324.75"), update(sold("b", "2", "100"), sold("c", "1", "150")), refund("R1", "24.75"), cancelAt(3), refund("R2", "300")},
			invoices: 2, notes: 3, owed: "0", held: "0", bank: "0", sales: "0", tax: "0", second: "paid",
		},
		"cancelled unpaid after it grew: credited": {
			steps: []step{update(sold("a", "3", "100"), sold("b", "2", "100")), cancelAt(3)}, invoices: 2, notes: 1,
			owed: "0", held: "0", bank: "0", sales: "0", tax: "0", second: "paid",
		},
		"cancelled, then changed": {steps: []step{cancel}, invoices: 1, owed: "0", held: "0", bank: "0", sales: "0", tax: "0"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Switches{})
			w.start()
			o := w.two("O1")
			w.posted(w.one(o))
			for _, s := range tt.steps {
				w.posted(w.one(s(w, o)))
			}
			w.balances(map[string]string{
				simulator.AccountReceivable: tt.owed, simulator.AccountUnearned: tt.held, simulator.AccountStripe: tt.bank,
				simulator.AccountSales: tt.sales, simulator.AccountTaxPayable: tt.tax,
			})
			l := w.sim.Ledger(orgID)
			if len(l.Invoices) != tt.invoices || len(l.CreditNotes) != tt.notes {
				t.Errorf("%d invoices and %d credit notes, want %d and %d", len(l.Invoices), len(l.CreditNotes), tt.invoices, tt.notes)
			}
			if tt.second != "" {
				if inv := w.find("invoice", "order:O1:2"); inv.Status != tt.second || inv.Date != "2026-03-03" {
					t.Errorf("the further invoice is %s of %s, want %s of 2026-03-03", inv.Status, inv.Date, tt.second)
				}
			}
			if name == "cancelled, then changed" {
				c := w.updated(o, sold("a", "1", "100"))
				c.Revision = 9
				w.rejected(w.one(c), "rejected.unsupported")
			}
		})
	}
}

// cancelAt cancels as a later revision.
func cancelAt(revision int64) func(w *world, o *schemas.Order) any {
	return func(w *world, o *schemas.Order) any {
		c := w.cancelled(o)
		c.Revision, c.OccurredAt = revision, at.Add(30*time.Hour)
		return c
	}
}

func TestARevisionThatChangesNothingInTheBooksCostsNoCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.start()
	o := w.two("O1")
	w.posted(w.one(o))
	calls := w.sim.Calls(orgID).Total
	changed := w.updated(o, o.Lines...)
	changed.Notes = "ring twice"
	r := w.one(changed)
	w.posted(r)
	if out := w.await(r); out.Calls != 0 || len(out.Documents) != 0 || out.Reason == "" || out.Revision != 2 {
		t.Errorf("outcome: %+v", out)
	}
	older := w.updated(o, sold("a", "1", "1"))
	w.duplicate(w.one(w.again(o)), "stale")
	older.Revision = 1
	w.duplicate(w.one(older), "stale")
	if spent := w.sim.Calls(orgID).Total - calls; spent != 0 {
		t.Errorf("cost %d calls, want 0", spent)
	}
}

func TestWhatAPersonHasEditedIsLeftAlone(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		policy string
		deed   simulator.Fault
		paid   bool
	}{
		"an issued invoice's total": {"sent", simulator.Fault{Kind: simulator.FaultEdit, Amount: dec("5")}, false},
		"an issued invoice voided":  {"sent", simulator.Fault{Kind: simulator.FaultVoid}, false},
		"a draft's total":           {"draft", simulator.Fault{Kind: simulator.FaultEdit, Amount: dec("5")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Switches{}, mapped(func(o *config.Organization) { o.InvoicePolicy = tt.policy }))
			w.start()
			o := w.two("O1")
			w.posted(w.one(o))
			tt.deed.BusinessID = "order:O1"
			w.inject(tt.deed)
			w.rejected(w.one(w.updated(o, sold("a", "1", "100"))), "rejected.edited")
			if l := w.sim.Ledger(orgID); len(l.Invoices) != 1 || len(l.CreditNotes) != 0 {
				t.Errorf("documents were added: %+v", l.CreditNotes)
			}
		})
	}
}

func TestADraftIsUpdated(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]*simulator.Fault{
		"": nil, "its answer lost": {Kind: simulator.FaultLostAnswer}, "landing late": {Kind: simulator.FaultLateLanding, Delay: settleDelay * 2},
		"refused for the rate": {Kind: simulator.FaultThrottle},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Switches{}, mapped(func(o *config.Organization) { o.InvoicePolicy = "draft" }))
			if fault != nil {
				fault.Method, fault.Path, fault.Nth = "PUT", "/invoices/*", 1
				w.inject(*fault)
			}
			w.start()
			o := w.two("O1")
			w.posted(w.one(o))
			w.posted(w.one(w.updated(o, sold("b", "1", "100"))))
			inv := w.find("invoice", "order:O1")
			if inv.Status != "draft" || !inv.Total.Equal(dec("108.25")) || len(inv.Lines) != 1 {
				t.Errorf("%s over %s with %d lines", inv.Status, inv.Total, len(inv.Lines))
			}
			w.posted(w.send(w.payment("P1", "O1", "108.25"), w.refund("R1", "O1", "P1", "8.25"))...)
			w.balances(map[string]string{simulator.AccountReceivable: "0", simulator.AccountStripe: "100"})
		})
	}
}

func TestEveryWriteOfARevisionSurvivesTrouble(t *testing.T) {
	t.Parallel()
	for write, path := range map[string]string{
		"the further invoice": "/invoices", "marked sent": "/invoices/*/status/sent", "the credit note": "/creditnotes", "applied": "/creditnotes/*/invoices",
	} {
		for trouble, fault := range map[string]simulator.Fault{
			"lost": {Kind: simulator.FaultLostAnswer}, "error before": {Kind: simulator.FaultErrorBefore, Status: 502, HTML: true},
			"error after": {Kind: simulator.FaultErrorAfter}, "landing late": {Kind: simulator.FaultLateLanding, Delay: settleDelay * 2},
			"refused for good": {Kind: simulator.FaultErrorBefore, Status: 400, Code: 999999},
		} {
			t.Run(write+" "+trouble, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, simulator.Switches{}, configured(func(c *config.Config) { c.Zoho.MarkSentBatch = 1 }))
				w.start()
				o := w.two("O1")
				w.posted(w.one(o))
				fault.Method, fault.Path, fault.Nth = "POST", path, 1
				w.inject(fault)
				r := w.one(w.updated(o, sold("b", "2", "100"), sold("c", "1", "150")))
				pay := w.one(w.payment("P1", "O1", "378.88"))
				if trouble == "refused for good" {
					w.rejected(r, "rejected.books")
					r = w.replay(w.deadLetter(r), nil)
				}
				w.posted(r, pay)
				w.hit(fault.Kind)
				w.balances(map[string]string{
					simulator.AccountStripe: "378.88", simulator.AccountSales: "-350", simulator.AccountTaxPayable: "-28.88",
				})
				l := w.sim.Ledger(orgID)
				if got := l.Balance(simulator.AccountReceivable).Add(l.Balance(simulator.AccountUnearned)); !got.IsZero() || len(l.Invoices) != 2 || len(l.CreditNotes) != 1 {
					t.Errorf("owed less held: %s; %d invoices, %d credit notes", got, len(l.Invoices), len(l.CreditNotes))
				}
			})
		}
	}
}

func TestRevisionsInParallelEndWithTheLast(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.keyless = true
	o := w.two("O1")
	w.one(o)
	for n := range 6 {
		c := w.updated(o, sold("a", strconv.Itoa(n+1), "100"))
		c.Revision = int64(n + 2)
		w.one(c)
	}
	w.start()
	w.start()
	for _, r := range w.sent {
		if out := w.await(r); out.Status == schemas.StatusRejected {
			t.Errorf("revision %d: %+v", out.Revision, out.Error)
		}
	}
	l := w.sim.Ledger(orgID)
	if got := l.Balance(simulator.AccountSales); !got.Equal(dec("-600")) {
		t.Errorf("sales %s, want -600", got)
	}
}

func TestRevisionsWhenRedisForgot(t *testing.T) {
	t.Parallel()
	changed := func(w *world) []any {
		o := w.two("O1")
		return []any{o, w.payment("P1", "O1", "324.75"), w.updated(o, sold("b", "2", "100"), sold("c", "1", "150"))}
	}
	third := func(w *world, lines ...schemas.Line) *schemas.Order {
		c := w.updated(w.two("O1"), lines...)
		c.Revision = 3
		return c
	}
	t.Run("the next one goes on from the books", func(t *testing.T) {
		t.Parallel()
		w := forgotten(t, changed)
		w.posted(w.one(third(w, sold("b", "2", "100"), sold("c", "2", "150"))))
		w.balances(map[string]string{simulator.AccountSales: "-500", simulator.AccountTaxPayable: "-41.26", simulator.AccountReceivable: "216.50"})
	})
	t.Run("one that takes off", func(t *testing.T) {
		t.Parallel()
		w := forgotten(t, changed)
		w.posted(w.one(third(w, sold("b", "1", "100"), sold("c", "1", "150"))))
		w.balances(map[string]string{simulator.AccountSales: "-250", simulator.AccountReceivable: "0", simulator.AccountUnearned: "-54.12"})
	})
	t.Run("an older one is stale", func(t *testing.T) {
		t.Parallel()
		w := forgotten(t, changed)
		w.duplicate(w.one(w.two("O1")), "same") // as the first invoice says
		w.posted(w.one(third(w, sold("b", "2", "100"))))
		w.duplicate(w.one(w.updated(w.two("O1"), sold("a", "1", "1"))), "stale")
	})
	t.Run("a payment finds the further invoice", func(t *testing.T) {
		t.Parallel()
		w := forgotten(t, changed)
		w.posted(w.one(w.payment("P2", "O1", "54.13")))
		w.balances(map[string]string{simulator.AccountReceivable: "0", simulator.AccountUnearned: "0", simulator.AccountStripe: "378.88"})
	})
	t.Run("a refund by lines finds its lines", func(t *testing.T) {
		t.Parallel()
		w := forgotten(t, changed)
		r := w.refund("R1", "O1", "P1", "108.25")
		r.Lines = []schemas.RefundLine{{LineID: "b", Quantity: dec("1"), Amount: dec("108.25")}}
		w.posted(w.one(r))
		w.balances(map[string]string{simulator.AccountSales: "-250", simulator.AccountStripe: "216.50"})
	})
}

func TestARevisionThatWasGivenUpInDoubtIsFinishedByTheNext(t *testing.T) {
	t.Parallel()
	for write, path := range map[string]string{"the further invoice": "/invoices", "the credit note": "/creditnotes"} {
		t.Run(write, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Switches{}, configured(func(c *config.Config) { c.Zoho.MaxAttempts = 1 }))
			w.start()
			o := w.two("O1")
			w.posted(w.one(o))
			w.inject(simulator.Fault{Kind: simulator.FaultLostAnswer, Method: "POST", Path: path, BusinessID: "*O1:2", Nth: 1})
			second := w.updated(o, sold("b", "2", "100"), sold("c", "1", "150"))
			if write == "the credit note" {
				second = w.updated(o, sold("b", "2", "100"))
			}
			r := w.one(second)
			w.hit(simulator.FaultLostAnswer)
			w.inject(simulator.Fault{Kind: simulator.FaultErrorBefore, Method: "GET", Path: path + "*"})
			for i := 0; w.outcome(r) == nil && i < 100; i++ {
				w.posted(w.one(w.order("X" + strconv.Itoa(i))))
			}
			w.rejected(r, "exhausted")
			w.sim.ClearFaults()
			third := w.updated(o, sold("b", "1", "100"))
			third.Revision = 3
			sales := w.sim.Ledger(orgID)
			others := dec("400").Mul(decimal.NewFromInt(int64(len(sales.Contacts) - 1)))
			w.posted(w.one(third))
			l := w.sim.Ledger(orgID)
			if got := l.Balance(simulator.AccountSales).Neg().Sub(others); !got.Equal(dec("100")) {
				t.Errorf("the order's sales are %s, want 100", got)
			}
			if write == "the further invoice" {
				w.find("invoice", "order:O1:2")
			}
			w.find("creditnote", "correction:O1:2")
			w.find("creditnote", "correction:O1:3")
		})
	}
}

// The replica itself goes on after the loss: what it remembers of the further invoice is not the order's first.
func TestAFurtherInvoiceIsNotTakenForTheFirstWhenRedisForgets(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.start()
	o := w.two("O1")
	w.posted(w.one(o))
	for _, path := range []string{"/invoices/status/sent", "/invoices/*/status/sent"} {
		w.inject(simulator.Fault{Kind: simulator.FaultErrorBefore, Method: "POST", Path: path, Status: 502, HTML: true})
	}
	raised := w.one(w.updated(o, sold("a", "3", "100"), sold("b", "2", "100")))
	w.hit(simulator.FaultErrorBefore) // the further invoice is there, and not marked
	w.redis.Empty(t)
	w.sim.ClearFaults()
	w.posted(raised)
	if out := w.outcome(raised); !out.Posted.Valid || !out.Posted.Decimal.Equal(dec("541.25")) || out.Difference.Valid && !out.Difference.Decimal.IsZero() {
		t.Errorf("the outcome says %v with a difference of %v, want 541.25", out.Posted, out.Difference)
	}
	w.posted(w.one(w.payment("P1", "O1", "541.25")))
	w.balances(map[string]string{simulator.AccountReceivable: "0", simulator.AccountUnearned: "0", simulator.AccountStripe: "541.25", simulator.AccountSales: "-500"})
}
