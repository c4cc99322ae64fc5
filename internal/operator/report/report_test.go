package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/operator/reconcile"
)

func dec(s string) decimal.Decimal { return decimal.RequireFromString(s) }

// TestSumsOfEachSideStandOnTheirOwnDay adds up by hand: one order invoiced, paid with a fee, partly refunded, and a refund that
// belongs to the month after.
func TestSumsOfEachSideStandOnTheirOwnDay(t *testing.T) {
	t.Parallel()
	a := &adder{
		window:   reconcile.Window{Since: "2026-03-01", Until: "2026-03-31"},
		accounts: map[string]string{"77": "stripe"}, lines: map[lineKey]*sums{}, entries: map[string]string{}, notes: map[string]string{}, partial: map[string]bool{},
	}
	both := func(kind, id string, s reconcile.ItemSide) reconcile.ItemDocument {
		said, held := s, s
		said.Whole, said.Taxes, said.Fee = true, nil, decimal.Zero
		return reconcile.ItemDocument{Kind: kind, ID: id, Said: &said, Held: &held}
	}
	a.item(&reconcile.Item{
		Workflow: "order", BusinessID: "O1", Currency: "USD",
		Event:     &reconcile.ItemEvent{Day: "2026-03-02", Total: dec("433"), Tax: dec("33"), Taxes: []reconcile.RateSum{{Percent: "8.25", Amount: dec("33")}}},
		Documents: []reconcile.ItemDocument{both(reconcile.KindInvoice, "1", reconcile.ItemSide{Day: "2026-03-02", Total: dec("433"), Tax: dec("33"), Whole: true, Taxes: []reconcile.RateSum{{Percent: "8.25", Amount: dec("33")}}})},
	})
	a.item(&reconcile.Item{
		Workflow: "order", BusinessID: "void", Currency: "USD", Event: &reconcile.ItemEvent{Day: "2026-03-02", Total: dec("1"), Void: true},
		Documents: []reconcile.ItemDocument{both(reconcile.KindInvoice, "9", reconcile.ItemSide{Day: "2026-03-02", Total: dec("1"), Void: true})},
	})
	a.item(&reconcile.Item{
		Workflow: "payment", BusinessID: "P1", Currency: "USD", Event: &reconcile.ItemEvent{Day: "2026-03-02", Account: "77", Total: dec("433"), Fee: dec("12.5")},
		Documents: []reconcile.ItemDocument{both(reconcile.KindPayment, "2", reconcile.ItemSide{Day: "2026-03-02", Account: "77", Total: dec("430"), Whole: true, Fee: dec("12.5")})},
	})
	a.item(&reconcile.Item{
		Workflow: "refund", BusinessID: "R1", Currency: "USD", Event: &reconcile.ItemEvent{Day: "2026-03-31", Account: "77", Total: dec("100")},
		Documents: []reconcile.ItemDocument{
			both(reconcile.KindCreditNote, "3", reconcile.ItemSide{Day: "2026-03-31", Total: dec("100"), Tax: dec("7.62"), Whole: true}),
			{Kind: reconcile.KindRefundEntry, ID: "4", Said: &reconcile.ItemSide{Day: "2026-03-31", Account: "77", Total: dec("100")}},
		},
	})
	a.item(&reconcile.Item{Workflow: "refund", BusinessID: "R2", Currency: "USD", Event: &reconcile.ItemEvent{Day: "2026-04-01", Account: "77", Total: dec("50")}})
	a.money(books, "USD", "77", dec("100"))
	r := &Report{Organization: "shop", Window: a.window, Lines: a.result()}
	got := map[string]string{}
	for _, l := range r.Lines {
		got[l.Section+" "+l.Name] = text(l.Events, "USD") + " " + text(l.Outcomes, "USD") + " " + text(l.Books, "USD") + " " + text(l.Difference, "USD")
	}
	for line, want := range map[string]string{
		"sales invoices":            "433.00 433.00 433.00 0.00",
		"sales credit notes":        "- 100.00 100.00 0.00",
		"sales net of credit notes": "- 333.00 333.00 0.00",
		"tax invoices":              "33.00 33.00 33.00 0.00",
		"tax at 8.25 %":             "33.00 - 33.00 0.00",
		"tax credit notes":          "- 7.62 7.62 0.00",
		"payments received":         "433.00 430.00 430.00 -3.00",
		"refunds returned":          "100.00 100.00 100.00 0.00",
		"fees gateways":             "12.50 - 12.50 0.00",
		"clearing stripe (77)":      "333.00 330.00 330.00 -3.00",
	} {
		if got[line] != want {
			t.Errorf("%s: %q, want %q", line, got[line], want)
		}
	}
	if len(got) != 10 || !r.Differs() {
		t.Errorf("%v", got)
	}
	var table, sheet bytes.Buffer
	if err := r.WriteTable(&table); err != nil || !strings.Contains(table.String(), "clearing") {
		t.Error(err, table.String())
	}
	if err := r.WriteCSV(&sheet); err != nil || strings.Count(sheet.String(), "\n") != 11 {
		t.Error(err, sheet.String())
	}
}
