package processor

import (
	"strings"
	"testing"

	"github.com/booksync/booksync/schemas"
)

func TestWhatAnOrderTakesBackItself(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		lines   []schemas.Line
		totals  [3]string // net, tax, gross
		invoice []string  // the amounts of its lines
		note    []string  // those of the credit note
	}{
		{
			name: "an old article is taken off a new one with the same tax",
			lines: []schemas.Line{
				goods("1", "1", "100", tax("vat20", "20", "20")), goods("2", "-1", "30", tax("vat20", "20", "-6")),
			},
			totals: [3]string{"70", "14", "84"}, invoice: []string{"70"},
		},
		{
			name: "off lines on the same account first",
			lines: []schemas.Line{
				service("1", "1", "100", tax("vat20", "20", "20")), goods("2", "1", "50", tax("vat20", "20", "10")), goods("3", "1", "-60", tax("vat20", "20", "-12")),
			},
			totals: [3]string{"90", "18", "108"}, invoice: []string{"90", "0"},
		},
		{
			name: "each combination of taxes by itself",
			lines: []schemas.Line{
				goods("1", "1", "100", tax("vat20", "20", "20")), goods("2", "-2", "10", tax("vat5", "5", "-1")),
			},
			totals: [3]string{"80", "19", "99"}, invoice: []string{"100"}, note: []string{"20"},
		},
		{
			name: "what is sold with a tax that is taken back more is taken off the credit note",
			lines: []schemas.Line{
				goods("1", "1", "100", tax("vat20", "20", "20")), goods("2", "1", "5", tax("vat5", "5", "0.25")), goods("3", "-2", "10", tax("vat5", "5", "-1")),
			},
			totals: [3]string{"85", "19.25", "104.25"}, invoice: []string{"100"}, note: []string{"15"},
		},
		{
			name:   "even",
			lines:  []schemas.Line{goods("1", "1", "9.99", tax("vat20", "20", "2")), goods("2", "-1", "9.99", tax("vat20", "20", "-2"))},
			totals: [3]string{"0", "0", "0"}, invoice: []string{"0"},
		},
	} {
		for _, rounding := range []string{"entity_level", itemLevel} {
			t.Run(tt.name+" "+rounding, func(t *testing.T) {
				t.Parallel()
				org := company(t, "uk", "GBP", "Europe/London")
				org.TaxRounding = rounding
				z := newZoho(t, org)
				org.LineTargets["SERVICE"] = LineTarget{ItemID: z.org.ItemID("Service")}
				o := checked(t, orderOf("GBP", tt.totals[0], tt.totals[1], tt.totals[2], tt.lines...), org)
				plan, r := planInvoice(o, org, z.contact("GBP"), testOrigin)
				if r != nil {
					t.Fatal(r)
				}
				if plan.Returned != nil {
					plan.Returned.Request.CustomerID = plan.Request.CustomerID
				}
				inv, note := z.planned(tt.name, plan, o.Totals.Gross, o.Totals.Tax)
				var got []string
				for _, l := range inv.LineItems {
					got = append(got, l.ItemTotal.String())
				}
				if strings.Join(got, " ") != strings.Join(tt.invoice, " ") {
					t.Errorf("invoice lines %v, want %v", got, tt.invoice)
				}
				got = nil
				if note != nil {
					for _, l := range note.LineItems {
						got = append(got, l.ItemTotal.String())
					}
				}
				if strings.Join(got, " ") != strings.Join(tt.note, " ") {
					t.Errorf("credit note lines %v, want %v", got, tt.note)
				}
				if tt.note == nil && !strings.Contains(plan.Request.Notes, "Taken back: ") {
					t.Errorf("the invoice's notes don't say what was taken back: %q", plan.Request.Notes)
				}
				z.balanced("in the end")
			})
		}
	}
}

func service(id, quantity, price string, taxes ...schemas.Tax) schemas.Line {
	l := goods(id, quantity, price, taxes...)
	l.Kind = schemas.LineService
	return l
}

func TestDiscountsAfterTaxLowerNoTax(t *testing.T) {
	t.Parallel()
	org := company(t, "uk", "GBP", "Europe/London")
	z := newZoho(t, org)
	line := goods("1", "3", "40", tax("vat20", "20", "20.00"))
	line.Discount = dec("20") // goes into the price, for the document has a discount of its own
	line.Quantity, line.UnitPrice = dec("4"), dec("30")
	o := orderOf("GBP", "90", "20", "110", line)
	o.Discounts = []schemas.Discount{{Amount: dec("10"), Code: "COUPON"}}
	plan, r := planInvoice(checked(t, o, org), org, z.contact("GBP"), testOrigin)
	if r != nil {
		t.Fatal(r)
	}
	z.planned("a coupon", plan, o.Totals.Gross, o.Totals.Tax)
	req := plan.Request
	if req.DiscountType != "entity_level" || req.DiscountBeforeTax == nil || *req.DiscountBeforeTax || !req.Discount.Equal(dec("10")) ||
		!req.LineItems[0].Discount.IsZero() || !req.LineItems[0].Rate.Equal(dec("25")) {
		t.Errorf("%+v", req)
	}
	// Taken back whole, the credit note is what was owed; the tax that it can't take back is named.
	st := stateAfter(o, plan).pay("110")
	back, r := planRefund(refundOf("110", "GBP"), org, st, testOrigin)
	if r != nil {
		t.Fatal(r)
	}
	if c := back.Credit; !c.Total.Equal(dec("110")) || !c.Tax.Equal(dec("18.33")) || !c.Difference.Equal(dec("1.67")) {
		t.Errorf("credit note of %s with tax %s, difference %s", c.Total, c.Tax, c.Difference)
	}
}

func TestCreditNotesAreWholeIncrements(t *testing.T) {
	t.Parallel()
	org := company(t, "uk", "GBP", "Europe/London")
	org.RoundOff = "1"
	st := posted(t, hundredOrder(), org).pay("120")
	_, r := planRefund(refundOf("12.34", "GBP"), org, st, testOrigin)
	rejected(t, r, "rejected.totals: round-off preference (1) makes 12.00 of a credit note of 12.34")
	if _, r := planRefund(refundOf("12", "GBP"), org, st, testOrigin); r != nil {
		t.Error(r)
	}
}

// The parts of docs/money.md's example: three refunds that add up to the invoice.
func TestRefundsInPartsEndWhereTheInvoiceIs(t *testing.T) {
	t.Parallel()
	org := company(t, "eu", "EUR", "Europe/Berlin")
	st := posted(t, orderOf("EUR", "10.00", "1.90", "11.90", goods("1", "1", "10", tax("vat19", "19", "1.90"))), org).pay("11.90")
	var taxes []string
	var last *creditPlan
	for i, amount := range []string{"3.97", "3.97", "3.96"} {
		f := refundOf(amount, "EUR")
		f.RefundID = string(rune('a' + i))
		plan, r := planRefund(f, org, st, testOrigin)
		if r != nil {
			t.Fatal(r)
		}
		taxes, last = append(taxes, plan.Credit.Tax.String()), plan.Credit
		st.after(plan)
	}
	if strings.Join(taxes, " ") != "0.63 0.63 0.63" || !last.Difference.Equal(dec("0.01")) || !st.Credited().Equal(dec("11.90")) {
		t.Errorf("taxes %v, difference %s, credited %s", taxes, last.Difference, st.Credited())
	}
}
