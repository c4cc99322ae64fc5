package processor

import (
	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/schemas"
)

// planCancel plans the cancellation of an order: nothing where there's no living invoice or it was cancelled before; void
// where nothing was paid or credited and the invoice is still in the same open period (accounting rule 10), or not issued
// yet, and the tax authority's portal doesn't have it (rule 14); else a credit note for what earlier refunds have left, applied to what the invoice still owes.
func planCancel(o *schemas.Order, org *Organization, st *OrderState, origin string) (*cancelPlan, *Rejection) {
	living := st.living()
	if len(living) == 0 || st.cancelCredit() != nil {
		return &cancelPlan{}, nil
	}
	inv := living[0]
	if st.tookBack() {
		return nil, reject(classUnsupported, "order %s took something back itself, by a credit note beside its invoice %s: undo both by hand", o.OrderID,
			inv.Number)
	}
	paid := decimal.Zero
	for i := range st.Payments {
		paid = paid.Add(st.Payments[i].Applied)
	}
	if !inv.Pushed && paid.Sign() == 0 && len(st.Credits) == 0 && len(living) == 1 && inv == st.Invoice && (inv.Status == invoiceDraft || org.samePeriod(inv.Date, org.day(o.OccurredAt))) {
		return &cancelPlan{Void: true}, nil
	}
	left := st.Invoiced().Sub(st.Credited())
	if left.Sign() <= 0 {
		return &cancelPlan{}, nil
	}
	day, trueDate := org.posting(o.OccurredAt)
	note, r := composeCredit(creditOrder{
		key: cancelKeyPrefix + o.OrderID, reference: reference(cancelKeyPrefix + o.OrderID), day: day, trueDate: trueDate,
		notes: "Order cancelled", origin: origin, wanted: left, location: o.Location, goods: true,
	}, org, st)
	if r != nil {
		return nil, r
	}
	note.applied(st, left)
	return &cancelPlan{Credit: note}, nil
}

// invoiceDraft is the status of an invoice that's not in the ledger yet.
const invoiceDraft = "draft"

// samePeriod reports whether a document of the first day may be voided on the second: both in one month, the shortest tax
// period there is, and that month's day isn't locked.
func (o *Organization) samePeriod(issued, now string) bool {
	const month = len("2006-01")
	return len(issued) >= month && len(now) >= month && issued[:month] == now[:month] && !o.locked(issued)
}
