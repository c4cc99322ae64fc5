package processor

import (
	"github.com/booksync/booksync/connectors/zohobooks"
)

// takesBack says whether this order writes a credit note beside its invoice.
func (a *attempt) takesBack() bool { return a.sheet != nil && a.sheet.takesBack() }

// invoiceBefore is the invoice that an earlier attempt of this delivery created: that its mark-sent call failed puts nothing in doubt. Of an
// order whose credit note was begun it is found: it is there, and writing it again would hide which step is in doubt. Nil where there's none.
func (a *attempt) invoiceBefore(plan *invoicePlan) (*zohobooks.Invoice, *ending) {
	if made := a.w.made(a.ref.key()); plan.Returned == nil || made != nil {
		return made, nil
	}
	if a.prog.Credit == nil && a.inDoubt.step != stepCredit && a.inDoubt.step != stepApply {
		return nil, nil
	}
	inv, err := a.findInvoice(a.ref.key())
	if err != nil {
		return nil, a.failed("looking for the invoice", err)
	}
	a.w.invoice, a.w.invoiceKey = inv, a.ref.key()
	return inv, nil
}

// takeBack writes the credit note of what the order takes back itself and applies it to the invoice.
func (a *attempt) takeBack(plan *invoicePlan, inv *zohobooks.Invoice, st *OrderState) *ending {
	if plan.Returned == nil {
		return nil
	}
	plan.Returned.Request.CustomerID = st.ContactID
	plan.Returned.ApplyTo = []application{{inv.InvoiceID, plan.Returned.Apply}}
	cr, end := a.credit(plan.Returned, st, nil)
	if end != nil {
		return end
	}
	st.Credits = append(st.Credits, *cr)
	a.afterwards(st)
	a.compared(a.order.Totals.Gross, inv.Total.Sub(cr.Total), plan.Difference)
	return nil
}
