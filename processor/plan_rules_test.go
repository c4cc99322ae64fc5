package processor

import (
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/schemas"
)

// hundredOrder is an order of 100.00 net at 20 %: 120.00.
func hundredOrder() *schemas.Order {
	return orderOf("GBP", "100.00", "20.00", "120.00", goods("1", "4", "25", tax("vat20", "20", "20.00")))
}

func TestDatesAreTheOrganisationsDays(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, zone, instant, want string }{
		{"the last half hour of March in Kolkata", "Asia/Kolkata", "2026-03-31T18:00:00Z", "2026-03-31"},
		{"midnight in Kolkata", "Asia/Kolkata", "2026-03-31T18:30:00Z", "2026-04-01"},
		{"the last half hour of March in New York", "America/New_York", "2026-04-01T03:30:00Z", "2026-03-31"},
		{"midnight in New York", "America/New_York", "2026-04-01T04:00:00Z", "2026-04-01"},
		{"the last half hour of March in Auckland", "Pacific/Auckland", "2026-03-31T10:30:00Z", "2026-03-31"},
		{"midnight in Auckland", "Pacific/Auckland", "2026-03-31T11:00:00Z", "2026-04-01"},
		{"the hour that London skips", "Europe/London", "2026-03-29T01:00:00Z", "2026-03-29"},
		{"the end of the day that London shortens", "Europe/London", "2026-03-29T22:59:59Z", "2026-03-29"},
		{"after the day that London shortens", "Europe/London", "2026-03-29T23:00:00Z", "2026-03-30"},
		{"the end of the day that New York lengthens", "America/New_York", "2026-11-02T04:59:59Z", "2026-11-01"},
		{"after the day that New York lengthens", "America/New_York", "2026-11-02T05:00:00Z", "2026-11-02"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			org := company(t, "uk", "GBP", tt.zone)
			at := instant(tt.instant)
			o := hundredOrder()
			// The day of processing, the event's own time and the due date don't matter.
			o.PlacedAt, o.OccurredAt, o.DueAt = at, instant("2026-07-01T12:00:00Z"), at.AddDate(0, 0, -3)
			plan, r := planInvoice(o, org, "contact-1", testOrigin)
			if r != nil {
				t.Fatal(r)
			}
			if plan.Request.Date != tt.want || plan.Request.DueDate != tt.want {
				t.Errorf("invoice of %s, due %s, want %s", plan.Request.Date, plan.Request.DueDate, tt.want)
			}
			st := stateAfter(o, plan).pay("120")
			org.Advances = advanceUnapplied // it's paid already
			p := paymentOf("1", "GBP")
			p.ReceivedAt = at
			pp, r := planPayment(p, org, map[string]*OrderState{"O1": st}, testOrigin)
			if r != nil || pp.Request.Date != tt.want {
				t.Errorf("payment of %s, want %s (%v)", pp.Request.Date, tt.want, r)
			}
			f := refundOf("1", "GBP")
			f.RefundedAt = at
			rp, r := planRefund(f, org, st, testOrigin)
			if r != nil || rp.Credit.Request.Date != tt.want || rp.FromCredit.Date != tt.want {
				t.Errorf("credit note of %s, entry of %s, want %s (%v)", rp.Credit.Request.Date, rp.FromCredit.Date, tt.want, r)
			}
			c := hundredOrder()
			c.Kind, c.OccurredAt = schemas.OrderCancelled, at
			cp, r := planCancel(c, org, st, testOrigin)
			if r != nil || cp.Credit.Request.Date != tt.want {
				t.Errorf("cancellation of %s, want %s (%v)", cp.Credit.Request.Date, tt.want, r)
			}
		})
	}
}

func TestLockedPeriodMovesToTheNextOpenDay(t *testing.T) {
	t.Parallel()
	org := company(t, "uk", "GBP", "Europe/London")
	org.LockedUntil, org.LockPolicy = "2026-03-31", "next_open_date"
	plan, r := planInvoice(hundredOrder(), org, "contact-1", testOrigin)
	if r != nil {
		t.Fatal(r)
	}
	if plan.Request.Date != "2026-04-01" || plan.TrueDate != "2026-03-10" || !strings.Contains(plan.Request.Notes, "2026-03-10") {
		t.Errorf("date %s, true date %q, notes %q", plan.Request.Date, plan.TrueDate, plan.Request.Notes)
	}
	if plan.Request.DueDate != "2026-04-15" {
		t.Errorf("due %s, want the terms after the invoice's day", plan.Request.DueDate)
	}
}

// did says what a refund's plan does, in a few words.
func did(p *refundPlan) string {
	var parts []string
	if c := p.Credit; c != nil {
		parts = append(parts, "credit "+c.Total.String())
		if c.Apply.Sign() > 0 {
			parts = append(parts, "apply "+c.Apply.String())
		}
	}
	if p.FromCredit != nil {
		parts = append(parts, "return "+p.FromCredit.Amount.String())
	}
	for _, n := range p.FromNotes {
		parts = append(parts, "return "+n.Request.Amount.String()+" of "+n.NoteID)
	}
	for _, e := range p.FromExcess {
		parts = append(parts, "return "+e.Request.Amount.String()+" of "+e.PaymentDocumentID)
	}
	return strings.Join(parts, ", ")
}

func TestRefundsFollowTheRules(t *testing.T) {
	t.Parallel()
	org := company(t, "uk", "GBP", "Europe/London")
	paid := func(amounts ...string) *OrderState {
		st := posted(t, hundredOrder(), org)
		for _, a := range amounts {
			st.pay(a)
		}
		return st
	}
	for _, tt := range []struct {
		name   string
		state  *OrderState
		amount string
		credit string // "" is absent
		want   string // what is done, or "class: message"
	}{
		{"paid in full, a part returned", paid("120"), "30", "", "credit 30, return 30"},
		{"partly paid, the same returned as credited: the invoice still owes what it owed", paid("60"), "30", "30", "credit 30, return 30"},
		{"partly paid, more credited than returned: the rest is applied", paid("60"), "30", "50", "credit 50, apply 20, return 30"},
		{"unpaid, credited only", paid(), "0", "40", "credit 40, apply 40"},
		{"paid, credited only: store credit", paid("120"), "0", "30", "credit 30"},
		{"partly paid, credited beyond the balance without money: the rest is store credit", paid("60"), "0", "80", "credit 80, apply 60"},
		{"money and store credit in one refund", paid("120"), "20", "50",
			"rejected.unsupported: credit_total 50.00 - amount 20.00 = 30.00, but the invoice owes only 0.00"},
		{"an overpayment returned", paid("130"), "10", "0", "return 10 of pay-1"},
		{"a part of an overpayment returned without saying so is a credit", paid("130"), "10", "", "credit 10, return 10"},
		{"everything received returned", paid("130"), "130", "", "credit 120, return 120, return 10 of pay-1"},
		{"more money than credit comes out of the excess", paid("130"), "40", "35", "credit 35, return 35, return 5 of pay-1"},
		{"the named payment's excess first", paid("130", "20"), "25", "0", "return 10 of pay-1, return 15 of pay-2"},
		{"more money than credit and excess", paid("120"), "40", "35", "rejected.totals: returns 5.00 more than it credits, but payments hold only 0.00"},
		{"more than was received", paid("60"), "61", "", "rejected.totals: received 60.00 - already returned 0.00 = 60.00, but amount says 61.00"},
		{"unpaid", paid(), "1", "", "rejected.totals: received 0.00"},
		{"more credited than invoiced", paid("120"), "1", "120.01",
			"rejected.totals: invoiced 120.00 - already credited 0.00 = 120.00, but credit_total says 120.01"},
		{"another currency", func() *OrderState { st := paid("120"); st.Currency = "EUR"; return st }(), "1", "", "rejected.currency: EUR"},
		{"a voided invoice has nothing to credit", func() *OrderState { st := paid(); st.Invoice.Status = invoiceVoid; return st.pay("120") }(), "120", "",
			"return 120 of pay-1"},
		{"credit on a voided invoice", func() *OrderState { st := paid(); st.Invoice.Status = invoiceVoid; return st.pay("120") }(), "1", "2",
			"rejected.totals: no invoice to credit"},
		{"cancelled before it was posted", (&OrderState{Cancelled: true, Currency: "GBP"}).pay("120"), "120", "", "return 120 of pay-1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := refundOf(tt.amount, "GBP")
			if tt.credit != "" {
				f.CreditTotal = optDec(tt.credit)
			}
			plan, r := planRefund(f, org, tt.state, testOrigin)
			if strings.HasPrefix(tt.want, "rejected.") {
				rejected(t, r, tt.want)
				return
			}
			if r != nil {
				t.Fatal(r)
			}
			if got := did(plan); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestOneCreditForOneReturnedValue(t *testing.T) {
	t.Parallel()
	org := company(t, "uk", "GBP", "Europe/London")
	cancelled := hundredOrder()
	cancelled.Kind, cancelled.OccurredAt = schemas.OrderCancelled, instant("2026-03-25T00:00:00Z")
	must := func(p *refundPlan, r *Rejection) *refundPlan {
		t.Helper()
		if r != nil {
			t.Fatal(r)
		}
		return p
	}
	// Cancelled, then refunded in two parts.
	first := posted(t, hundredOrder(), org).pay("120")
	cp, r := planCancel(cancelled, org, first, testOrigin)
	if r != nil || cp.Void || cp.Credit.Apply.Sign() != 0 {
		t.Fatalf("a paid order's cancellation: %+v, %v", cp, r)
	}
	first.cancelled(cp)
	for _, want := range []string{"return 50 of cn-cancel", "return 70 of cn-cancel"} {
		p := must(planRefund(refundOf(strings.Fields(want)[1], "GBP"), org, first, testOrigin))
		if did(p) != want {
			t.Errorf("got %q, want %q", did(p), want)
		}
		first.after(p)
	}
	_, r = planRefund(refundOf("0.01", "GBP"), org, first, testOrigin)
	rejected(t, r, "rejected.totals: received 120.00 - already returned 120.00")

	// Refunded, then cancelled, then refunded the rest.
	second := posted(t, hundredOrder(), org).pay("120")
	second.after(must(planRefund(refundOf("50", "GBP"), org, second, testOrigin)))
	cp, r = planCancel(cancelled, org, second, testOrigin)
	if r != nil || !cp.Credit.Total.Equal(dec("70")) {
		t.Fatalf("the cancellation must credit what is left: %+v, %v", cp, r)
	}
	second.cancelled(cp)
	second.after(must(planRefund(refundOf("70", "GBP"), org, second, testOrigin)))

	for _, st := range []*OrderState{first, second} {
		if !st.Credited().Equal(dec("120")) || !st.Returned().Equal(dec("120")) || st.Balance().Sign() != 0 {
			t.Errorf("credited %s, returned %s, balance %s", st.Credited(), st.Returned(), st.Balance())
		}
	}
	// Cancelled twice.
	if cp, r = planCancel(cancelled, org, second, testOrigin); r != nil || cp.Void || cp.Credit != nil {
		t.Errorf("a second cancellation does something: %+v, %v", cp, r)
	}
}

func TestRefundsOfLines(t *testing.T) {
	t.Parallel()
	org := company(t, "uk", "GBP", "Europe/London")
	order := func() *schemas.Order {
		stock := goods("2", "2", "10", tax("vat20", "20", "4.00"))
		stock.SKU = "SKU-1"
		return orderOf("GBP", "40.00", "5.00", "45.00", goods("1", "1", "20", tax("vat5", "5", "1.00")), stock)
	}
	org.StockItems = map[string]bool{"item-1": true}
	line := func(id, quantity, amount string) schemas.RefundLine {
		return schemas.RefundLine{LineID: id, Quantity: dec(quantity), Amount: dec(amount)}
	}
	for _, tt := range []struct {
		name  string
		lines []schemas.RefundLine
		total string
		want  string
	}{
		{"goods of a stock-tracked item", []schemas.RefundLine{line("2", "1", "12")}, "12", ""},
		{"value of a stock-tracked item", []schemas.RefundLine{line("2", "0", "12")}, "12", "rejected.unsupported: would restock"},
		{"an amount that falls on a stock-tracked item", nil, "12", "rejected.unsupported: would restock"},
		{"value of another item", []schemas.RefundLine{line("1", "0", "10.50")}, "10.5", ""},
		{"a line that isn't there", []schemas.RefundLine{line("9", "1", "1")}, "1", "rejected.totals: refund line 9 is not on invoice INV-000001"},
		{"more pieces than sold", []schemas.RefundLine{line("2", "3", "12")}, "12", "rejected.totals: sold 2 times, but the refund takes back 3"},
		{"more than the line", []schemas.RefundLine{line("1", "1", "30")}, "30",
			"rejected.totals: line 1: invoiced 21.00 - already credited 0.00 = 21.00, but the refund says 30.00"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := refundOf(tt.total, "GBP")
			f.Lines = tt.lines
			plan, r := planRefund(f, org, posted(t, order(), org).pay("45"), testOrigin)
			rejected(t, r, tt.want)
			if tt.want == "" && !plan.Credit.Total.Equal(dec(tt.total)) {
				t.Errorf("credit note of %s", plan.Credit.Total)
			}
		})
	}
	t.Run("a cancellation brings stock back", func(t *testing.T) {
		t.Parallel()
		o := order()
		o.Kind = schemas.OrderCancelled
		plan, r := planCancel(o, org, posted(t, order(), org).pay("45"), testOrigin)
		if r != nil {
			t.Fatal(r)
		}
		for i, want := range []string{"1", "2"} {
			if got := plan.Credit.Request.LineItems[i].Quantity; !got.Equal(dec(want)) {
				t.Errorf("line %d comes back %s times, want %s", i+1, got, want)
			}
		}
	})
}

func TestRoundingLineNeedsATarget(t *testing.T) {
	t.Parallel()
	org := company(t, "eu", "EUR", "Europe/Berlin")
	vat := func() schemas.Tax { return tax("vat19", "19", "0.62") }
	o := orderOf("EUR", "9.75", "1.86", "11.61", goods("1", "1", "3.25", vat()), goods("2", "1", "3.25", vat()), goods("3", "1", "3.25", vat()))
	st := posted(t, o, org).pay("11.61")
	plan, r := planRefund(refundOf("11.61", "EUR"), org, st, testOrigin)
	if r != nil {
		t.Fatal(r)
	}
	last := plan.Credit.Request.LineItems[len(plan.Credit.Request.LineItems)-1]
	if last.AccountID != "acc-rounding" || !last.Rate.Equal(dec("0.01")) || last.TaxID != "" {
		t.Errorf("the invoice's adjustment of 0.01 comes back as %+v", last)
	}
	delete(org.LineTargets, "ROUNDING")
	_, r = planRefund(refundOf("11.61", "EUR"), org, st, testOrigin)
	rejected(t, r, "rejected.account: ROUNDING")
}

func TestCancellationVoidsOnlyWhatMayBeVoided(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		at     string
		change func(st *OrderState, org *Organization)
		void   bool
	}{
		{"unpaid in the same month", "2026-03-31T22:59:00Z", func(*OrderState, *Organization) {}, true},
		{"the next month has begun in London", "2026-03-31T23:00:00Z", func(*OrderState, *Organization) {}, false},
		{"the month is locked meanwhile", "2026-03-20T00:00:00Z", func(_ *OrderState, org *Organization) { org.LockedUntil = "2026-03-15" }, false},
		{"partly paid", "2026-03-20T00:00:00Z", func(st *OrderState, _ *Organization) { st.pay("1") }, false},
		{"a draft of another month", "2026-05-01T00:00:00Z", func(st *OrderState, _ *Organization) { st.Invoice.Status = invoiceDraft }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			org := company(t, "uk", "GBP", "Europe/London")
			st := posted(t, hundredOrder(), org)
			tt.change(st, org)
			o := hundredOrder()
			o.Kind, o.OccurredAt = schemas.OrderCancelled, instant(tt.at)
			plan, r := planCancel(o, org, st, testOrigin)
			if r != nil || plan.Void != tt.void || (plan.Credit != nil) == tt.void {
				t.Errorf("void %t, credit %v, %v", plan.Void, plan.Credit, r)
			}
			if plan.Credit != nil && !plan.Credit.Apply.Equal(st.Balance()) {
				t.Errorf("applies %s of a balance of %s", plan.Credit.Apply, st.Balance())
			}
		})
	}
}

func TestPaymentsAreRejected(t *testing.T) {
	t.Parallel()
	org := company(t, "uk", "GBP", "Europe/London")
	two := func() *schemas.Payment {
		p := paymentOf("140", "GBP")
		p.Allocations = []schemas.Allocation{{OrderID: "O1", Amount: dec("120")}, {OrderID: "O2", Amount: dec("20")}}
		return p
	}
	other := posted(t, hundredOrder(), org)
	other.ContactID = "contact-2"
	foreign := posted(t, hundredOrder(), org)
	foreign.Currency = "EUR"
	for _, tt := range []struct {
		name    string
		payment *schemas.Payment
		orders  map[string]*OrderState
		want    string
	}{
		{"orders of two contacts", two(), map[string]*OrderState{"O1": posted(t, hundredOrder(), org), "O2": other}, "rejected.unsupported: two contacts"},
		{"another currency", paymentOf("1", "GBP"), map[string]*OrderState{"O1": foreign}, "rejected.currency: in GBP and the invoice of order O1 in EUR"},
		{"an order nobody knows", paymentOf("1", "GBP"), nil, "dependency.missing: O1"},
		{"an order that was cancelled before it was posted", paymentOf("1", "GBP"), map[string]*OrderState{"O1": {Cancelled: true}}, "dependency.missing: O1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, r := planPayment(tt.payment, org, tt.orders, testOrigin)
			rejected(t, r, tt.want)
		})
	}
}

func TestRoundOffPreferenceDecidesByPolicy(t *testing.T) {
	t.Parallel()
	org := company(t, "uk", "GBP", "Europe/London")
	org.RoundOff = "1"
	o := orderOf("GBP", "20.63", "0", "20.63", goods("1", "1", "20.63"))
	plan, r := planInvoice(o, org, "contact-1", testOrigin)
	if r != nil || !plan.Total.Equal(dec("21")) || !plan.RoundOff.Equal(dec("0.37")) {
		t.Errorf("total %s, round-off %s, %v", plan.Total, plan.RoundOff, r)
	}
	org.MismatchPolicy = "void"
	_, r = planInvoice(o, org, "contact-1", testOrigin)
	rejected(t, r, "rejected.totals: round-off preference (1) makes 21.00 of the total 20.63")
	// The seller rounds as Zoho does.
	line := goods("2", "1", "0.37")
	line.Kind = schemas.LineRounding
	o.Lines, o.Totals = append(o.Lines, line), schemas.Totals{Net: dec("21"), Gross: dec("21")}
	plan, r = planInvoice(o, org, "contact-1", testOrigin)
	if r != nil || !plan.Total.Equal(dec("21")) || !plan.Difference.Equal(decimal.Zero) || !plan.Request.Adjustment.IsZero() {
		t.Errorf("total %s, difference %s, %v", plan.Total, plan.Difference, r)
	}
}

func TestZeroTotalFollowsThePolicy(t *testing.T) {
	t.Parallel()
	org := company(t, "uk", "GBP", "Europe/London")
	o := orderOf("GBP", "0", "0", "0", goods("1", "1", "0", tax("vat20", "20", "0")))
	for policy, skip := range map[string]bool{"post": false, "skip": true} {
		org.ZeroTotal = policy
		plan, r := planInvoice(checked(t, o, org), org, "contact-1", testOrigin)
		if r != nil || plan.Skip != skip {
			t.Errorf("policy %s: skip %t, %v", policy, plan.Skip, r)
		}
	}
}
