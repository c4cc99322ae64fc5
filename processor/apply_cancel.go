package processor

import (
	"context"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/schemas"
)

// applyCancel takes an order back: an unpaid invoice of the same open period is voided, of any other what's left is
// credited. Without an invoice only the tombstone remains, which makes a later CREATED stale. The voided invoice keeps its
// key: in the books, too, it says that this order was there.
func (a *attempt) applyCancel() *ending {
	st := a.states[a.orderID]
	if st.Invoice == nil && !a.settledOrder() { // Redis forgot whether there was one, or a rejected record left one behind
		found, err := a.findOrder(a.orderID)
		if err != nil {
			return a.failed("looking for the order", err)
		}
		if found != nil {
			if a.revision < found.Revision {
				return &ending{duplicate: duplicateStale}
			}
			st = found
			a.states[a.orderID] = found
		}
	}
	a.result.tombstone = true
	if st.Invoice == nil || len(st.living()) == 0 && a.prog.Cancel == nil {
		a.result.Remark = noInvoice(a.orderID, &OrderState{})
		if st.Invoice != nil {
			a.result.Remark = "the invoice of order " + a.orderID + " was void already"
		}
		gone := *st
		gone.Cancelled = true
		a.result.orders = map[string]*OrderState{a.orderID: &gone}
		return nil
	}
	st, end := a.orderForCredit()
	if end != nil {
		return end
	}
	if end := a.voidable(st); end != nil {
		return end
	}
	plan := a.prog.Cancel
	if plan == nil {
		if st, end = a.asInBooks(st); end != nil {
			return end
		}
		var rej *Rejection
		if plan, rej = planCancel(a.order, a.tenant.org(), st, a.originField()); rej != nil {
			return &ending{reject: rej}
		}
		a.prog.Cancel = plan
	}
	gone := *st
	gone.Cancelled = true
	switch {
	case plan.Void:
		if end := a.void(st.Invoice); end != nil {
			return end
		}
		gone = *gone.withVoid(st.Invoice.ID)
	case plan.Credit != nil:
		cr, end := a.credit(plan.Credit, st, (&refundPlan{Credit: plan.Credit}).applied(st, a.ref.key()))
		if end != nil {
			return end
		}
		gone = *gone.withCredit(*cr)
		a.compared(plan.Credit.Total, cr.Total, decimal.Zero)
	}
	a.result.orders = map[string]*OrderState{a.orderID: &gone}
	a.afterwards(&gone)
	return nil
}

// voidable drops the plan of a void that is not done where the invoice was paid or credited since: it's planned anew. One in
// doubt may land for as long as the write horizon.
func (a *attempt) voidable(st *OrderState) *ending {
	plan := a.prog.Cancel
	if plan == nil || !plan.Void || a.prog.did(stepVoid) || st.owes(st.Invoice).Equal(st.Invoice.Total) && len(st.living()) == 1 {
		return nil
	}
	if a.inDoubt.of(stepVoid) {
		if end := a.horizonPassed(); end != nil {
			return end
		}
		now, end := a.readInvoice(st.Invoice.ID)
		if end != nil {
			return end
		}
		if now.Status == invoiceVoid {
			return nil
		}
		a.resolved(stepVoid)
	}
	a.prog.Cancel = nil
	return nil
}

// classEInvoiced is the class of changes that a registered e-invoice forbids.
const classEInvoiced = "rejected.einvoiced"

// settledOrder says whether the order's claim knows what became of the order.
func (a *attempt) settledOrder() bool {
	return !a.inDoubt.unknown && a.known[a.orderID].State == "done"
}

// asInBooks reads the invoice before it's taken back: money that a person recorded must not be set free by a void.
func (a *attempt) asInBooks(st *OrderState) (*OrderState, *ending) {
	states := map[string]*OrderState{a.orderID: st}
	if end := a.refreshed(states); end != nil {
		return nil, end
	}
	return states[a.orderID], nil
}

// void voids the invoice. Its answer lost, the invoice's own status tells.
func (a *attempt) void(inv *InvoiceState) *ending {
	books := a.tenant.books
	end := a.once(stepVoid, true, nil,
		func() (bool, error) {
			var now *zohobooks.Invoice
			err := a.read(func(ctx context.Context) (err error) {
				now, err = books.GetInvoice(ctx, inv.ID)
				return err
			})
			return err == nil && now.Status == "void", err
		},
		func(ctx context.Context) error { return books.VoidInvoice(ctx, inv.ID) })
	if end != nil && end.reject != nil { // perhaps it was pushed since it was read
		if now, unread := a.readInvoice(inv.ID); unread == nil && now.EInvoice.Status == zohobooks.EInvoicePushed {
			end.reject.Class, end.reject.Retryable = classEInvoiced, "yes"
			end.reject.Message = "invoice " + inv.Number + " was registered as an e-invoice: replay the cancellation, and a credit note takes it back"
		}
	}
	if end != nil {
		return end
	}
	a.compared(decimal.Zero, decimal.Zero, decimal.Zero)
	a.document(schemas.Document{
		Type: "invoice", ID: inv.ID, Number: inv.Number, URL: a.documentURL("invoices", inv.ID), Status: "void", Date: inv.Date,
		Total: inv.Total, Tax: inv.Tax,
	})
	return nil
}
