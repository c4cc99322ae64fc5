package processor

import (
	"context"
	"fmt"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/schemas"
)

// applyUpdate changes an order that was posted by an earlier revision: a draft that nobody has touched is updated, an issued
// invoice corrected by further documents, what a person has edited since is left alone. While one of its writes is in doubt
// nobody else plans on the order: payments and refunds need its claim done, cancellations wait for its record. An earlier
// revision that was given up with a write in doubt is finished first, as it was planned.
func (a *attempt) applyUpdate(st *OrderState) *ending {
	o, org := a.order, a.tenant.org()
	full, err := a.completed(a.orderID, st)
	if err != nil {
		return a.failed("listing the order's documents", err)
	}
	a.states[a.orderID], st = full, full
	if st.Revision > a.revision { // as the books say
		return a.overtaken(st)
	}
	if rej := changeable(o, st); rej != nil {
		return &ending{reject: rej}
	}
	if o.Customer.ID != "" { // by e-mail another address would be another customer
		if _, end := a.contact(); end != nil {
			return end
		}
	}
	if older := a.prog.Correction; older != nil && a.prog.Fingerprint != a.fingerprint {
		if end := a.correct(older, st); end != nil {
			return end
		}
		st = a.result.orders[a.orderID]
		a.states[a.orderID], a.base = st, a.epochal(st)
		done := a.prog
		a.older = &done
		a.prog, a.inDoubt, a.w.invoice = progress{}, doubt{}, nil
		a.result = result{documents: a.result.documents}
	}
	plan := a.prog.Correction
	if plan == nil {
		was, written := st.beforeRevision(a.orderID, a.revision)
		if written.any() && !a.inDoubt.unknown { // each step looks before it writes
			a.inDoubt = doubt{unknown: true, since: a.epoch.Since}
		}
		if was.Derived { // Redis has no state that the steps could be gone on from
			a.base = a.epochal(was)
		}
		a.states[a.orderID], st = was, was
		target, rej := a.planInvoice(org)
		if rej != nil {
			return &ending{reject: rej}
		}
		if rej := target.correctable(o, st); rej != nil {
			return &ending{reject: rej}
		}
		if st.Invoice.Status == invoiceDraft || a.prog.did(stepUpdate) || a.inDoubt.step == stepUpdate {
			if updated, end := a.updateDraft(target, st); updated || end != nil {
				return end
			}
		}
		if end := a.rateOfChange(target); end != nil {
			return end
		}
		s, rej := a.laidOut(org)
		if rej != nil {
			return &ending{reject: rej}
		}
		if plan, rej = planCorrection(s, target, st, written, a.originField()); rej != nil {
			return &ending{reject: rej}
		}
		if !plan.nothing() {
			if end := a.unedited(st); end != nil {
				return end
			}
		}
		a.prog.Correction = plan
	}
	return a.correct(plan, st)
}

// changeable refuses changes that no further document can express.
func changeable(o *schemas.Order, st *OrderState) *Rejection {
	switch {
	case st.Cancelled: // by a credit note that Redis had forgotten
		return reject(classUnsupported, "order %s was cancelled: send a new order instead", o.OrderID)
	case len(st.living()) == 0:
		return reject(classEdited, "order %s: invoice %s was voided by somebody: nothing is left to correct; send a new order, or restore it in Zoho",
			o.OrderID, st.Invoice.Number)
	case st.Currency != "" && st.Currency != o.Currency:
		return reject(classUnsupported, "order %s was posted in %s and is in %s now: cancel it and send a new one", o.OrderID, st.Currency, o.Currency)
	case st.InclusiveTax != o.PricesIncludeTax:
		return reject(classUnsupported, "prices_include_tax of order %s changed since it was posted: cancel it and send a new one", o.OrderID)
	case st.CustomerID != "" && st.CustomerID != o.Customer.ID:
		return reject(classUnsupported, "order %s was posted for customer %s and is %s's now: cancel it and send a new one", o.OrderID, st.CustomerID, o.Customer.ID)
	}
	return nil
}

// classEdited is the class of orders whose documents a person has changed.
const classEdited = "rejected.edited"

// laidOut is the order as the check laid it out, or anew if the mapping was changed since.
func (a *attempt) laidOut(org *Organization) (*sheet, *Rejection) {
	if a.sheet != nil && a.sheet.org == org {
		return a.sheet, nil
	}
	return newSheet(a.order, org)
}

// updateDraft rewrites an invoice that's still a draft and as booksync wrote it; updated is false when it was issued since.
func (a *attempt) updateDraft(target *invoicePlan, st *OrderState) (updated bool, _ *ending) {
	now, end := a.readInvoice(st.Invoice.ID)
	if end != nil {
		return false, end
	}
	field := a.tenant.org().Fields.Invoice.Origin
	if now.Status == invoiceDraft && now.EInvoice.Status == zohobooks.EInvoicePushed {
		return false, &ending{reject: reject(classEInvoiced, "invoice %s is a draft that was registered as an e-invoice: it can't be updated; mark it sent, then replay",
			now.InvoiceNumber)}
	}
	if now.Status != invoiceDraft && !a.sameContent(fieldOf(now, field)) {
		return false, nil
	}
	if !a.sameContent(fieldOf(now, field)) && !asWritten(now, st.Invoice) {
		return false, a.editedBy(now)
	}
	req := *target.Request
	req.CustomerID = st.ContactID
	books := a.tenant.books
	if end := a.once(stepUpdate, false, nil,
		func() (bool, error) {
			err := a.read(func(ctx context.Context) (err error) {
				now, err = books.GetInvoice(ctx, st.Invoice.ID)
				return err
			})
			return err == nil && a.sameContent(fieldOf(now, field)), err
		},
		func(ctx context.Context) (err error) {
			now, err = books.UpdateInvoice(ctx, st.Invoice.ID, &req)
			return err
		}); end != nil {
		return false, end
	}
	if end := a.markSent(now); end != nil {
		return false, end
	}
	a.moved(target.TrueDate, now.Date)
	changed := *st
	changed.Invoice, changed.Ordered, changed.Derived = target.posted(now), nil, false
	changed.ExchangeRate = a.order.ExchangeRate
	a.compared(target.Total, now.Total.Decimal, target.Difference)
	a.document(a.invoiceDocument(now))
	a.result.orders = map[string]*OrderState{a.orderID: &changed}
	a.result.invoiceAfter = &schemas.InvoiceAfter{Status: now.Status, Balance: now.Balance.Decimal}
	return true, nil
}

// unedited reads the order's invoices and refuses when a person has changed one since: a correction on top of theirs would
// count twice.
func (a *attempt) unedited(st *OrderState) *ending {
	for _, inv := range st.living() {
		now, end := a.readInvoice(inv.ID)
		if end != nil {
			return end
		}
		if now.Status == invoiceVoid || !asWritten(now, inv) {
			return a.editedBy(now)
		}
	}
	return nil
}

func (a *attempt) editedBy(now *zohobooks.Invoice) *ending {
	return &ending{reject: reject(classEdited, "invoice %s (%s, total %s) is not as booksync wrote it: somebody has edited it since; "+
		"make the change of revision %d by hand and discard this event", now.InvoiceNumber, now.Status, now.Total, a.revision)}
}

// asWritten compares an invoice with what was written: whatever is in the ledger, and of a draft also when it was changed last.
func asWritten(now *zohobooks.Invoice, was *InvoiceState) bool {
	if !now.Total.Equal(was.Total) || !now.Adjustment.Equal(was.Adjustment) || now.Date != was.Date || len(now.LineItems) != len(was.Lines) {
		return false
	}
	if now.Status == invoiceDraft && was.Modified != "" && now.LastModified != was.Modified {
		return false
	}
	lines := make(map[string]*InvoiceLine, len(was.Lines))
	for i := range was.Lines {
		lines[was.Lines[i].InvoiceItemID] = &was.Lines[i]
	}
	for i := range now.LineItems {
		li := &now.LineItems[i]
		l := lines[li.LineItemID]
		if l == nil || !li.ItemTotal.Equal(l.Amount) || li.TaxID != l.TaxID || l.AccountID != "" && li.AccountID != "" && li.AccountID != l.AccountID {
			return false
		}
	}
	return true
}

// correct writes what the plan says: the further invoice, the credit note, and what of it is applied.
func (a *attempt) correct(plan *correctionPlan, st *OrderState) *ending {
	posted, difference := plan.Total, decimal.Zero
	if plan.Invoice != nil {
		inv, end := a.furtherInvoice(plan, st)
		if end != nil {
			return end
		}
		st = st.withInvoice(inv)
		posted = posted.Add(inv.Total).Sub(plan.Invoice.Total.Sub(plan.Invoice.RoundOff))
		difference = plan.Invoice.Difference
		a.moved(plan.Invoice.TrueDate, inv.Date)
	}
	if c := plan.Credit; c != nil {
		if inv := a.prog.Further; inv != nil {
			c.ApplyTo = resolved(c.ApplyTo, inv)
			c.Apply = sumOfParts(c.ApplyTo)
		}
		cr, end := a.credit(c, st, a.base)
		if end != nil {
			return end
		}
		st = st.withCredit(*cr)
		posted = posted.Sub(cr.Total).Add(c.Total)
	}
	done := *st
	done.Matched, done.Ordered, done.Partial, done.Derived = st.Matched.Add(plan.Matched), plan.Ordered, false, false
	switch {
	case plan.nothing() && plan.Matched.Sign() > 0:
		a.result.Remark = fmt.Sprintf("refunds have credited the %s that revision %d takes off", plan.Matched, a.revision)
	case plan.nothing():
		a.result.Remark = fmt.Sprintf("revision %d changes nothing in the books", a.revision)
	}
	a.result.orders = map[string]*OrderState{a.orderID: &done}
	a.compared(plan.Total, posted, difference)
	a.afterwards(&done)
	return nil
}

// resolved puts the further invoice's id in its place; a total that came out smaller takes less.
func resolved(parts []application, inv *InvoiceState) []application {
	var out []application
	for _, p := range parts {
		if p.InvoiceID == thisInvoice {
			p = application{inv.ID, decimal.Min(p.Amount, inv.Total)}
		}
		out = append(out, p)
	}
	return out
}

// furtherInvoice creates the invoice of what came on, and marks it sent.
func (a *attempt) furtherInvoice(plan *correctionPlan, st *OrderState) (*InvoiceState, *ending) {
	if a.prog.Further != nil {
		return a.prog.Further, nil
	}
	inv := a.w.made(plan.InvoiceKey)
	if inv == nil {
		plan.Invoice.Request.CustomerID = st.ContactID
		var intents map[string]*OrderState
		if a.base != nil {
			intents = map[string]*OrderState{a.orderID: a.base}
		}
		var end *ending
		inv, end = keyedCreate(a, stepInvoice, intents,
			func() (*zohobooks.Invoice, error) { return a.findInvoice(plan.InvoiceKey) },
			func(inv *zohobooks.Invoice) *ending {
				return a.continued(a.adoptable(fieldOf(inv, a.tenant.org().Fields.Invoice.Origin), a.invoiceDocument(inv)))
			},
			func(ctx context.Context) (*zohobooks.Invoice, error) {
				return a.tenant.books.CreateInvoice(ctx, plan.Invoice.Request)
			})
		if end != nil {
			return nil, end
		}
		a.w.invoice, a.w.invoiceKey = inv, plan.InvoiceKey
	}
	if a.prog.Found != nil && !a.inDoubt.unknown {
		a.inDoubt = doubt{unknown: true, since: a.prog.Forgotten}
	}
	if end := a.mismatched(inv, plan.Invoice); end != nil {
		return nil, end
	}
	if end := a.markSent(inv); end != nil {
		return nil, end
	}
	a.w.invoice = nil
	posted := plan.Invoice.posted(inv)
	posted.Key = plan.InvoiceKey
	a.prog.Further, a.answered = posted, true
	a.document(a.invoiceDocument(inv))
	a.registered(inv)
	return posted, nil
}

// corrected is the order's state with what was written of a revision that is rejected half done; nil where nothing was, and
// where a write is in doubt: whoever comes next finishes it.
func (a *attempt) corrected() *OrderState {
	plan, none := a.prog.Correction, a.prog.Further == nil && a.prog.Credit == nil
	switch {
	case none && a.older != nil: // nothing of this revision, but all of the earlier one
		return a.base
	case none, a.ref.Role != RoleOrder, plan == nil, a.prog.Doubt != "":
		return nil
	}
	st := *a.states[a.orderID]
	st.Derived = false
	if a.prog.Further != nil {
		st = *st.withInvoice(a.prog.Further)
		st.Ordered = plan.Raised
	}
	if a.prog.Credit != nil {
		cr := *a.prog.Credit
		if !a.prog.did(stepApply) {
			cr.Applied, cr.Further = decimal.Zero, nil
		}
		st = *st.withCredit(cr)
		st.Ordered, st.Matched = plan.Ordered, st.Matched.Add(plan.Matched)
	}
	return &st
}

// overtaken is the ending of a revision behind which the books have a later one: stale, unless what the books have of it is
// this very record's, whose outcome was lost with Redis' memory.
func (a *attempt) overtaken(st *OrderState) *ending {
	stale := &ending{duplicate: duplicateStale}
	_, written := st.beforeRevision(a.orderID, a.revision)
	if !a.forgotten() || !written.any() {
		return stale
	}
	fields, total, ours := a.tenant.org().Fields, a.order.Totals.Gross, false
	if w := written.Invoice; w != nil {
		inv, end := a.readInvoice(w.ID)
		if end != nil {
			return end
		}
		if ours = a.isOurs(fieldOf(inv, fields.Invoice.Origin)); ours {
			a.document(a.invoiceDocument(inv))
		}
	}
	if w := written.Credit; w != nil {
		var note *zohobooks.CreditNote
		if err := a.read(func(ctx context.Context) (err error) {
			note, err = a.tenant.books.GetCreditNote(ctx, w.DocumentID)
			return err
		}); err != nil {
			return a.failed("reading the credit note", err)
		}
		if a.isOurs(fieldOf(note, fields.CreditNote.Origin)) {
			ours = true
			a.document(a.creditDocument(note))
		}
	}
	if !ours {
		return stale
	}
	a.result.orders = map[string]*OrderState{a.orderID: st}
	a.compared(total, total, decimal.Zero)
	a.afterwards(st)
	return &ending{posted: true}
}

// epochal is a copy of a state that is as the books are under the present epoch of Redis.
func (a *attempt) epochal(st *OrderState) *OrderState {
	c := *st
	c.Epoch = a.epoch.ID
	return &c
}
