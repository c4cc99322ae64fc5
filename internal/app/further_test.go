package app

import (
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/schemas"
)

// TestADraftIsNotUpdatedToAnOrderThatTakesBack: what it takes back would be a credit note beside the invoice.
func TestADraftIsNotUpdatedToAnOrderThatTakesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{}, mapped(func(o *config.Organization) { o.InvoicePolicy = "draft" }))
	w.start()
	o := w.two("O1")
	w.posted(w.one(o))
	back := sold("d", "1", "1")
	back.Taxes, back.Quantity, back.UnitPrice = nil, dec("-1"), dec("25")
	w.rejected(w.one(w.updated(o, sold("a", "1", "100"), sold("b", "2", "100"), back)), "rejected.unsupported")
	if inv := w.find("invoice", "order:O1"); !inv.Total.Equal(dec("324.75")) {
		t.Errorf("the draft is over %s", inv.Total)
	}
}

// TestWhatBecomesOfAConvertedPaymentIsConverted: the payment was converted to the base currency, which is its invoice's.
func TestWhatBecomesOfAConvertedPaymentIsConverted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{}, waits(time.Second), euros("event"), disputes("write_off"))
	w.start()
	w.posted(w.one(w.order("O1")))
	pay := w.payment("P1", "O1", "360.83")
	pay.Currency, pay.ExchangeRate = "EUR", decimal.NewNullDecimal(dec("1.2"))
	w.posted(w.one(pay))
	w.posted(w.one(w.became(pay, schemas.PaymentFee, "10")))
	w.posted(w.one(w.became(pay, schemas.PaymentDisputed, "")))
	w.posted(w.one(w.became(pay, schemas.PaymentReversed, "")))
	w.rejected(w.one(w.refund("R1", "O1", "P1", "72.17")), "dependency.missing") // all of it is lost
	w.balances(map[string]string{simulator.AccountStripe: "-12", simulator.AccountDisputes: "0", simulator.AccountBadDebt: "433", simulator.AccountFees: "12"})
}

// TestADisputeOfAPaymentInACurrencyWorthLess is no larger than the payment.
func TestADisputeOfAPaymentInACurrencyWorthLess(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{}, euros("event"), disputes("write_off"))
	w.start()
	w.posted(w.one(w.order("O1")))
	pay := w.payment("P1", "O1", "866")
	pay.Currency, pay.ExchangeRate = "EUR", decimal.NewNullDecimal(dec("0.5"))
	w.posted(w.one(pay))
	w.posted(w.one(w.became(pay, schemas.PaymentDisputed, "")))
}

// TestFurtherDocumentsHaveTheRateOfTheirOwnDay: Zoho's rate is 1.25 on the day the order was placed, 1.50 on the day it is changed, 1.75 a week later.
func TestFurtherDocumentsHaveTheRateOfTheirOwnDay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{}, euros("zoho"), rated("1.25"), disputes("write_off"))
	c := w.redisClient()
	w.start()
	o := w.two("O1")
	o.Currency = "EUR"
	pay := w.payment("P1", "O1", "324.75")
	pay.Currency = "EUR"
	w.posted(w.send(o, pay)...)
	const placed = "2026-03-02"
	keys := c.Keys(t.Context(), "*rate:EUR:"+placed+"*").Val()
	if len(keys) != 1 {
		t.Fatalf("cached rates: %v", keys)
	}
	for day, rate := range map[string]string{"2026-03-03": "1.5", "2026-03-09": "1.75"} {
		c.Set(t.Context(), strings.Replace(keys[0], placed, day, 1), rate, time.Hour)
	}
	change := w.one(w.updated(o, sold("a", "1", "100"), sold("b", "2", "100"), sold("c", "1", "40")))
	w.posted(change)
	if doc := w.outcome(change).Documents[0]; !doc.BaseTotal.Decimal.Equal(dec("64.95")) { // 43.30 x 1.50
		t.Errorf("the further invoice of %s over %s is %s in the base currency, want 64.95", doc.Date, doc.Total, doc.BaseTotal.Decimal)
	}
	w.posted(w.one(w.became(pay, schemas.PaymentDisputed, "")))
	l := w.sim.Ledger(orgID)
	if got := l.Balance(simulator.AccountDisputes); !got.Equal(dec("568.31")) { // 324.75 x 1.75
		t.Errorf("disputes hold %s, want 568.31", got)
	}
}

// TestAFurtherInvoiceIsCreditedAtItsOwnRate: the order's rate was 1.10, its change's 1.50.
func TestAFurtherInvoiceIsCreditedAtItsOwnRate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{}, euros("event"))
	w.start()
	rate := func(text string) decimal.NullDecimal { return decimal.NewNullDecimal(dec(text)) }
	o := w.two("O1")
	o.Currency, o.ExchangeRate = "EUR", rate("1.1")
	w.posted(w.one(o))
	change := w.updated(o, sold("a", "1", "100"), sold("b", "2", "100"), sold("c", "1", "40"))
	change.ExchangeRate = rate("1.5")
	pay := w.payment("P1", "O1", "368.05")
	pay.Currency, pay.ExchangeRate = "EUR", rate("1.5")
	refund := w.refund("R1", "O1", "P1", "43.30")
	refund.Currency, refund.ExchangeRate = "EUR", rate("1.5")
	refund.Lines = []schemas.RefundLine{{LineID: "c", Quantity: dec("1"), Amount: dec("43.30")}}
	var last *schemas.Outcome
	for _, e := range []any{change, pay, refund} {
		r := w.one(e)
		w.posted(r)
		last = w.outcome(r)
	}
	if note := last.Documents[0]; !note.BaseTotal.Decimal.Equal(dec("64.95")) {
		t.Errorf("invoiced as 64.95 in the base currency, credited as %s", note.BaseTotal.Decimal)
	}
}
