package processor

import (
	"testing"

	"github.com/booksync/booksync/schemas"
)

// revised is an order's state after a revision, whose further invoice gets this id.
func revised(t *testing.T, st *OrderState, o *schemas.Order, org *Organization, id string) *OrderState {
	t.Helper()
	s, r := newSheet(o, org)
	if r != nil {
		t.Fatal(r)
	}
	target, r := planInvoice(o, org, "contact-1", testOrigin)
	if r != nil {
		t.Fatal(r)
	}
	plan, r := planCorrection(s, target, st, ofRevision{}, testOrigin)
	if r != nil {
		t.Fatal(r)
	}
	c := *st
	if plan.Invoice != nil {
		inv := stateAfter(o, plan.Invoice).Invoice
		inv.ID, inv.Key = id, plan.InvoiceKey
		for i := range inv.Lines {
			inv.Lines[i].InvoiceItemID = id + inv.Lines[i].InvoiceItemID
		}
		c = *c.withInvoice(inv)
	}
	if n := plan.Credit; n != nil {
		parts := n.ApplyTo
		for i := range parts {
			if parts[i].InvoiceID == thisInvoice {
				parts[i].InvoiceID = id
			}
		}
		c = *c.withCredit(CreditState{Key: n.Key, DocumentID: "cn-" + n.Key, Total: n.Total, Applied: n.Apply, Lines: n.Lines, Further: c.further(parts)})
	}
	c.Matched, c.Ordered = c.Matched.Add(plan.Matched), plan.Ordered
	return &c
}

// TestAFurtherInvoiceIsCreditedForItsOwnPlaceOfSupply: the goods go to another state than was said first: the first invoice is credited, a further one
// issued with IGST for KA.
func TestAFurtherInvoiceIsCreditedForItsOwnPlaceOfSupply(t *testing.T) {
	t.Parallel()
	org := company(t, "in", "INR", "Asia/Kolkata")
	org.State, org.Country, org.Clearing["stripe/INR"] = "MH", "IN", "bank"
	o := orderOf("INR", "100", "18", "118", goods("1", "1", "100", tax("cgst", "9", "9"), tax("sgst", "9", "9")))
	o.PlaceOfSupply = "MH"
	st := posted(t, o, org).pay("118")
	u := *o
	u.Kind, u.Revision, u.PlaceOfSupply = schemas.OrderUpdated, 2, "KA"
	u.Lines = []schemas.Line{goods("1", "1", "100", tax("igst", "18", "18"))}
	st = revised(t, st, &u, org, "inv-2")
	st.pay("118")
	f := refundOf("118", "INR")
	f.Lines = []schemas.RefundLine{{LineID: "1", Quantity: dec("1"), Amount: dec("118")}}
	for i := range st.Credits {
		st.Credits[i].Refunded = st.Credits[i].Total.Sub(st.Credits[i].Applied) // was given back
	}
	plan, r := planRefund(f, org, st, testOrigin)
	if r != nil {
		t.Fatal(r)
	}
	req := plan.Credit.Request
	if req.PlaceOfSupply != "KA" {
		t.Errorf("the credit note of %s (%s) is for %s", req.LineItems[0].InvoiceID, req.LineItems[0].TaxID, req.PlaceOfSupply)
	}
}

// TestStoreCreditThatARevisionMayHaveGivenIsRefused: 60 of goods come back for store credit, and the order loses them. In this order of arrival nothing
// says whether it is one value or two.
func TestStoreCreditThatARevisionMayHaveGivenIsRefused(t *testing.T) {
	t.Parallel()
	org := company(t, "uk", "GBP", "Europe/London")
	order := orderOf("GBP", "150", "30", "180", goods("1", "1", "50", tax("vat20", "20", "10")), goods("2", "1", "100", tax("vat20", "20", "20")))
	change := orderOf("GBP", "100", "20", "120", goods("2", "1", "100", tax("vat20", "20", "20")))
	change.Kind, change.Revision, change.OccurredAt = schemas.OrderUpdated, 2, instant("2026-03-12T10:00:00Z")
	refund := refundOf("0", "GBP")
	refund.CreditTotal = optDec("60")
	st := revised(t, posted(t, order, org).pay("180"), change, org, "inv-2")
	if _, r := planRefund(refund, org, st, testOrigin); r == nil || r.Class != classUnsupported {
		t.Errorf("refusal %v, want %s", r, classUnsupported)
	}
}
