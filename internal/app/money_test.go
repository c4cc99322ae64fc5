package app

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/internal/testkit"
	"github.com/booksync/booksync/schemas"
)

// Shopify's own sample of an order doesn't add up: its lines make 414.95, its total says 404.95.
func TestShopifysSampleIsNotPosted(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(testkit.Shared(t, "payloads", "shopify", "orders_create.json"))
	if err != nil {
		t.Fatal(err)
	}
	var sample struct {
		Response struct {
			Name      string          `json:"name"`
			Currency  string          `json:"currency"`
			Total     decimal.Decimal `json:"total_price"`
			Tax       decimal.Decimal `json:"total_tax"`
			LineItems []struct {
				ID       json.Number     `json:"id"`
				SKU      string          `json:"sku"`
				Title    string          `json:"title"`
				Quantity decimal.Decimal `json:"quantity"`
				Price    decimal.Decimal `json:"price"`
				Discount decimal.Decimal `json:"total_discount"`
			} `json:"line_items"`
		} `json:"response"`
	}
	if err := json.Unmarshal(raw, &sample); err != nil {
		t.Fatal(err)
	}
	s := sample.Response
	w := newWorld(t, simulator.Switches{})
	w.start()
	o := w.order("O1")
	o.OrderNumber, o.Currency, o.Lines = s.Name, s.Currency, nil
	o.Totals = schemas.Totals{Net: s.Total.Sub(s.Tax), Tax: s.Tax, Gross: s.Total}
	for _, l := range s.LineItems {
		o.Lines = append(o.Lines, schemas.Line{
			LineID: l.ID.String(), Kind: schemas.LineGoods, SKU: l.SKU, Name: l.Title, Quantity: l.Quantity, UnitPrice: l.Price, Discount: l.Discount,
		})
	}
	record := w.one(o)
	out := w.rejected(record, "rejected.totals")
	for _, sum := range []string{"414.95", "404.95"} {
		if message := header(w.deadLetter(record), "dlq.message"); !strings.Contains(message, sum) || !strings.Contains(out.Error.Message, sum) {
			t.Errorf("no %s in the message %q of the dead letter, or in the outcome's %q", sum, message, out.Error.Message)
		}
	}
	if l := w.sim.Ledger(orgID); len(l.Invoices)+len(l.Contacts) > 0 || out.Calls != 0 {
		t.Errorf("%d invoices, %d contacts, %d calls", len(l.Invoices), len(l.Contacts), out.Calls)
	}
}

// An organisation rounds totals off and its configuration doesn't say so: the outcome does, and the payment goes through.
func TestARoundOffThatNobodyConfigured(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ gross, total, owed, unused string }{
		"down": {"433.25", "433", "0", "0.25"},
		"up":   {"433.75", "434", "0.25", "0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Switches{}, company(func(o *simulator.Org) { o.RoundOff = simulator.RoundOff{Type: "nearest_whole_number"} }))
			w.start()
			o := w.order("O1")
			tip := schemas.Line{LineID: "2", Kind: schemas.LineGoods, Name: "Bag", Quantity: dec("1"), UnitPrice: dec(tt.gross).Sub(dec("433"))}
			o.Lines = append(o.Lines, tip)
			o.Totals.Net, o.Totals.Gross = o.Totals.Net.Add(tip.UnitPrice), dec(tt.gross)
			order := w.one(o)
			w.posted(order)
			want := dec(tt.total).Sub(dec(tt.gross))
			if out := w.await(order); !out.Difference.Valid || !out.Difference.Decimal.Equal(want) || !out.Expected.Decimal.Equal(dec(tt.gross)) {
				t.Errorf("expected %s, posted %s, difference %v, want %s", out.Expected.Decimal, out.Posted.Decimal, out.Difference, want)
			}
			w.posted(w.one(w.payment("P1", "O1", tt.gross)))
			inv, pay := w.find("invoice", "order:O1"), w.find("payment", "payment:P1")
			if !inv.Balance.Equal(dec(tt.owed)) || !pay.Balance.Equal(dec(tt.unused)) {
				t.Errorf("the invoice owes %s, %s of the payment are unused; want %s, %s", inv.Balance, pay.Balance, tt.owed, tt.unused)
			}
			if calls := w.sim.Calls(orgID); calls.ByStatus[400] > 0 {
				t.Errorf("refusals: %v", calls.ByCode)
			}
		})
	}
	t.Run("configured, it's known beforehand", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, simulator.Switches{}, company(func(o *simulator.Org) { o.RoundOff = simulator.RoundOff{Type: "nearest_increment", Increment: "0.5"} }),
			mapped(func(o *config.Organization) { o.RoundOff = "0.5" }))
		w.start()
		o := w.order("O1")
		rounding := schemas.Line{LineID: "r", Kind: schemas.LineRounding, Name: "Rounding", Quantity: dec("1"), UnitPrice: dec("-0.22")}
		o.Lines[0].UnitPrice, o.Lines[0].Taxes[0].Amount = dec("400.2"), dec("33.02")
		o.Totals = schemas.Totals{Net: dec("399.98"), Tax: dec("33.02"), Gross: dec("433")}
		o.Lines = append(o.Lines, rounding)
		record := w.one(o)
		w.posted(record)
		if out := w.await(record); out.Difference.Valid {
			t.Errorf("a difference of %s", out.Difference.Decimal)
		}
		if inv := w.find("invoice", "order:O1"); !inv.Total.Equal(dec("433")) || !inv.RoundOff.Equal(dec("-0.22")) || !inv.Adjustment.IsZero() {
			t.Errorf("total %s, round-off %s, adjustment %s", inv.Total, inv.RoundOff, inv.Adjustment)
		}
	})
}

// A cent that Zoho makes too little or too much never keeps a payment from being booked.
func TestACentNeverStopsAPayment(t *testing.T) {
	t.Parallel()
	for cent, want := range map[string]struct{ owed, unused string }{"-0.01": {"0", "0.01"}, "0.01": {"0.01", "0"}} {
		t.Run(cent, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Switches{})
			w.inject(simulator.Fault{Kind: simulator.FaultCents, Method: "POST", Path: "/invoices", Nth: 1, Amount: dec(cent)})
			w.start()
			records := w.send(w.order("O1"), w.payment("P1", "O1", "433"))
			w.posted(records...)
			if out := w.await(records[0]); !out.Difference.Decimal.Equal(dec(cent)) {
				t.Errorf("difference %v, want %s", out.Difference, cent)
			}
			inv, pay := w.find("invoice", "order:O1"), w.find("payment", "payment:P1")
			if !inv.Balance.Equal(dec(want.owed)) || !pay.Balance.Equal(dec(want.unused)) {
				t.Errorf("the invoice owes %s, %s of the payment are unused; want %s, %s", inv.Balance, pay.Balance, want.owed, want.unused)
			}
			if calls := w.sim.Calls(orgID); calls.ByCode[24016] > 0 || calls.ByStatus[400] > 0 {
				t.Errorf("refusals: %v", calls.ByCode)
			}
		})
	}
}

// Where prices include tax, a tax that's mapped to another rate shows in no total: only in the tax.
func TestAWrongTaxFollowsThePolicy(t *testing.T) {
	t.Parallel()
	inclusive := func(w *world) *schemas.Order {
		o := w.order("O1")
		o.PricesIncludeTax, o.Lines[0].UnitPrice, o.Lines[0].Taxes[0].Amount = true, dec("433"), dec("33")
		return o
	}
	otherRate := func(w *world) option {
		return mapped(func(o *config.Organization) {
			target := o.Taxes["TX Sales Tax"]
			target.TaxID = w.org.TaxID("NY Sales Tax")
			o.Taxes["TX Sales Tax"] = target
		})
	}
	t.Run("flag", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, simulator.Switches{})
		otherRate(w)(w)
		w.start()
		record := w.one(inclusive(w))
		w.posted(record)
		if out := w.await(record); !strings.Contains(out.Reason, "tax 35.3, planned was 33") {
			t.Errorf("the outcome says %q", out.Reason)
		}
	})
	t.Run("void", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, simulator.Switches{}, mapped(func(o *config.Organization) { o.MismatchPolicy = "void" }))
		otherRate(w)(w)
		w.start()
		if out := w.rejected(w.one(inclusive(w)), "rejected.totals"); !strings.Contains(out.Error.Message, "with the tax 35.3, the order says 433 with 33") {
			t.Errorf("message %q", out.Error.Message)
		}
		w.balances(map[string]string{simulator.AccountReceivable: "0", simulator.AccountSales: "0", simulator.AccountTaxPayable: "0"})
	})
}

// An order that takes something back with another tax writes a credit note beside its invoice, once, whatever happens.
func TestAnExchangeIsBookedOnce(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]*simulator.Fault{
		"no trouble":                             nil,
		"the answer to the invoice lost":         {Kind: simulator.FaultLostAnswer, Method: "POST", Path: "/invoices", Nth: 1},
		"the answer to the credit note lost":     {Kind: simulator.FaultLostAnswer, Method: "POST", Path: "/creditnotes", Nth: 1},
		"the answer to its application lost":     {Kind: simulator.FaultLostAnswer, Method: "POST", Path: "/creditnotes/*/invoices", Nth: 1},
		"stopped before the credit note":         {Kind: simulator.FaultErrorBefore, Method: "POST", Path: "/creditnotes", Nth: 1, Count: 2},
		"stopped while applying the credit note": {Kind: simulator.FaultErrorAfter, Method: "POST", Path: "/creditnotes/*/invoices", Nth: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Switches{})
			if fault != nil {
				w.inject(*fault)
			}
			r := w.start()
			o := w.order("O1")
			o.Lines = append(o.Lines, schemas.Line{
				LineID: "2", Kind: schemas.LineGoods, Name: "Old kettle", Quantity: dec("-2"), UnitPrice: dec("50"),
				Taxes: []schemas.Tax{{Code: "NY Sales Tax", Rate: decimal.NewNullDecimal(dec("8.875")), Amount: dec("-8.88"), CollectedBy: schemas.CollectedBySeller}},
			}, schemas.Line{
				LineID: "3", Kind: schemas.LineGoods, Name: "Deposit", Quantity: dec("-1"), UnitPrice: dec("4"),
				Taxes: []schemas.Tax{{Code: "TX Sales Tax", Rate: decimal.NewNullDecimal(dec("8.25")), Amount: dec("-0.33"), CollectedBy: schemas.CollectedBySeller}},
			})
			o.Totals = schemas.Totals{Net: dec("296"), Tax: dec("23.79"), Gross: dec("319.79")}
			record := w.one(o)
			if strings.HasPrefix(name, "stopped") {
				w.hit(fault.Kind)
				r.stop()
				w.start()
			}
			w.posted(record)
			out := w.await(record)
			if out.Difference.Valid || !out.Posted.Decimal.Equal(dec("319.79")) || len(out.Documents) != 2 {
				t.Errorf("posted %s, difference %v, documents %+v", out.Posted.Decimal, out.Difference, out.Documents)
			}
			w.posted(w.one(w.payment("P1", "O1", "319.79")))
			inv, note := w.find("invoice", "order:O1"), w.find("creditnote", "returned:O1")
			if !inv.Total.Equal(dec("428.67")) || !inv.Balance.IsZero() || !note.Total.Equal(dec("108.88")) || !note.Balance.IsZero() {
				t.Errorf("invoice %s owes %s, credit note %s has %s left", inv.Total, inv.Balance, note.Total, note.Balance)
			}
			w.balances(map[string]string{
				simulator.AccountReceivable: "0", simulator.AccountSales: "-296", simulator.AccountTaxPayable: "-23.79", simulator.AccountStripe: "319.79",
			})
			// A refund takes back what was sold, and no more money than came in.
			w.posted(w.one(w.refund("R1", "O1", "P1", "319.79")))
			w.rejected(w.one(w.cancelled(o)), "rejected.unsupported")
			w.balances(map[string]string{simulator.AccountStripe: "0", simulator.AccountReceivable: "0"})
		})
	}
}
