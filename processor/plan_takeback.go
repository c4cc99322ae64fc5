package processor

import (
	"time"

	"github.com/booksync/booksync/connectors/zohobooks"
)

// TakeBack plans the credit note that takes a whole invoice back where Zoho does not let it be voided: of its total, line by
// line, at its rate, dated the organisation's day of the instant, or, in a locked period, the next open day. The key makes
// it the only one of its kind. It has no origin: it belongs to no event, and no order counts it. The error is a *Rejection
// and says why no credit note can do that.
func TakeBack(inv *zohobooks.Invoice, org *Organization, key, notes string, at time.Time) (*zohobooks.CreditNoteRequest, error) {
	o, _ := parseOrigin(fieldOf(inv, org.Fields.Invoice.Origin))
	st := stateFromInvoice(inv, o)
	st.Payments = nil // what was paid is taken back, too, or stays the customer's
	if len(st.living()) == 0 {
		return nil, reject(classUnsupported, "invoice %s is void", inv.InvoiceNumber)
	}
	day, trueDate := org.posting(at)
	plan, rej := composeCredit(creditOrder{
		key: key, reference: reference(key), day: day, trueDate: trueDate, notes: notes, wanted: inv.Total.Decimal, goods: true,
	}, org, st)
	if rej != nil {
		return nil, rej
	}
	return plan.Request, nil
}
