package processor

import (
	"context"
	"slices"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/schemas"
)

// applyRefund credits the value given back and returns the money: two calls. Its own credit note is the fence: a refund
// entry of exactly its remainder can't be written twice.
func (a *attempt) applyRefund() *ending {
	listed := a.states[a.orderID].Partial // now, from the books, where this refund's own entries may be already
	st, end := a.orderForCredit()
	if end != nil {
		return end
	}
	plan := a.prog.Refund
	if plan == nil {
		if st, end = a.ownEntries(st); end != nil {
			return end
		}
		if st, end = a.lossesOf(st); end != nil {
			return end
		}
		if st, end = a.moneyThere(st); end != nil {
			return end
		}
		var rej *Rejection
		if plan, rej = a.planReturn(st); rej != nil {
			return &ending{reject: rej}
		}
		if end := a.documented(plan); end != nil {
			return end
		}
		a.prog.Refund = plan
	} else {
		if rej := a.renewed(plan); rej != nil {
			return &ending{reject: rej}
		}
		if listed {
			if st, _, end = a.beforeEntries(st); end != nil {
				return end
			}
		}
	}
	posted := decimal.Zero
	intent := plan.applied(st, a.ref.key()) // from the first write on, others count on all of it
	if plan.Credit != nil {
		cr, end := a.credit(plan.Credit, st, intent)
		if end != nil {
			return end
		}
		if plan.FromCredit != nil {
			after := *cr
			after.Refunded = plan.FromCredit.Amount.Decimal
			intent = intent.withCredit(after)
			entry, end := a.refundCredit(stepRefund, intent, cr.DocumentID, plan.FromCredit, true)
			if end != nil {
				return end
			}
			cr.Refunded, posted = after.Refunded, posted.Add(entry)
		}
		st = st.withCredit(*cr)
	}
	for _, n := range plan.FromNotes {
		st = st.withRefundFrom(n.NoteID, a.ref.key(), n.Request.Amount.Decimal)
		entry, end := a.refundCredit(stepNote+":"+n.NoteID, intent, n.NoteID, n.Request, false)
		if end != nil {
			return end
		}
		posted = posted.Add(entry)
	}
	for _, ex := range plan.FromExcess {
		st = st.withExcessRefunded(ex.PaymentDocumentID, a.ref.key(), ex.Request.Amount.Decimal)
		entry, end := a.refundExcess(intent, &ex)
		if end != nil {
			return end
		}
		posted = posted.Add(entry)
	}
	if plan.Fee != nil {
		if end := a.journal(stepFee, plan.Fee); end != nil {
			return end
		}
	}
	if day, trueDate := a.tenant.org().posting(a.refund.RefundedAt); posted.Sign() > 0 {
		a.moved(trueDate, day)
	}
	a.result.orders = map[string]*OrderState{a.orderID: st}
	a.compared(a.refund.Amount, posted, decimal.Zero)
	a.afterwards(st)
	return nil
}

// planReturn plans this event's refund: a reversed payment's goes the same way.
func (a *attempt) planReturn(st *OrderState) (*refundPlan, *Rejection) {
	if a.ref.Role != RoleReversal {
		return planRefund(a.refund, a.tenant.org(), st, a.originField())
	}
	account, rej := a.returnAccount(st)
	if rej != nil {
		return nil, rej
	}
	plan, rej := planReturn(a.refund, a.ref.key(), account, a.tenant.org(), st, a.originField())
	if rej == nil {
		plan.Fee = planReversalFee(a.payment, a.tenant.org())
	}
	return plan, rej
}

// returnAccount is where the money leaves: the gateway's clearing account, or, of a payment that was disputed before it was
// reversed, the disputes account.
func (a *attempt) returnAccount(st *OrderState) (string, *Rejection) {
	if a.ref.Role == RoleReversal {
		if p := st.payment(a.ref.ID); p != nil && p.Disputed.Sign() > 0 {
			return a.tenant.org().DisputesAccount, nil
		}
	}
	if a.refund.Amount.Sign() == 0 {
		return "", nil
	}
	return a.tenant.org().clearingAccount(a.refund.Gateway, a.refund.Currency)
}

// applied is the order's state as it will be when the refund of this key has taken effect.
func (plan *refundPlan) applied(st *OrderState, key string) *OrderState {
	if c := plan.Credit; c != nil {
		cr := CreditState{Key: c.Key, Total: c.Total, Applied: c.Apply, Further: st.further(c.ApplyTo), Lines: c.Lines, Pending: true}
		if plan.FromCredit != nil {
			cr.Refunded = plan.FromCredit.Amount.Decimal
		}
		st = st.withCredit(cr)
	}
	for _, n := range plan.FromNotes {
		st = st.withRefundFrom(n.NoteID, key, n.Request.Amount.Decimal)
	}
	for _, ex := range plan.FromExcess {
		st = st.withExcessRefunded(ex.PaymentDocumentID, key, ex.Request.Amount.Decimal)
	}
	return st
}

// orderForCredit is the order's state without this event's own earlier intent, with its payments and credits listed.
func (a *attempt) orderForCredit() (*OrderState, *ending) {
	st := a.states[a.orderID]
	if st.Invoice == nil && len(st.Payments) == 0 {
		return nil, &ending{reject: &Rejection{Class: "dependency.missing", Retryable: "after-fix",
			Message: noInvoice(a.orderID, st) + ": there is nothing to credit"}}
	}
	full, err := a.completed(a.orderID, st)
	if err != nil {
		return nil, a.failed("listing the order's payments and credit notes", err)
	}
	a.states[a.orderID] = full
	return full.without(a.ref.key()), nil
}

// renewed takes account and mode of the entries that were not written from the mapping as it is now: it may have been mended
// since they were planned.
func (a *attempt) renewed(plan *refundPlan) *Rejection {
	if a.inDoubt.step != "" {
		return nil
	}
	account, rej := a.returnAccount(a.states[a.orderID])
	if rej != nil {
		return rej
	}
	entry := newRefundEntry(a.refund, account, a.tenant.org())
	if plan.Fee != nil && !a.prog.did(stepFee) {
		if a.ref.Role == RoleReversal {
			plan.Fee = planReversalFee(a.payment, a.tenant.org())
		} else if plan.Fee, rej = planFeeReturned(a.refund, a.tenant.org()); rej != nil {
			return rej
		}
	}
	if plan.FromCredit != nil && !a.prog.did(stepRefund) {
		plan.FromCredit = entry.of(plan.FromCredit.Amount.Decimal)
	}
	for i := range plan.FromNotes {
		if n := &plan.FromNotes[i]; !a.prog.did(stepNote + ":" + n.NoteID) {
			n.Request = entry.of(n.Request.Amount.Decimal)
		}
	}
	for i := range plan.FromExcess {
		if ex := &plan.FromExcess[i]; !a.prog.did(stepExcess + ":" + ex.PaymentDocumentID) {
			ex.Request = entry.of(ex.Request.Amount.Decimal)
		}
	}
	return nil
}

// ownEntries finds the money entries of this very refund where Redis forgot them: those out of another event's credit
// note or a payment's excess carry no key that would refuse them the second time. The state is then as it was before them.
func (a *attempt) ownEntries(st *OrderState) (*OrderState, *ending) {
	if !a.rebuilt && !a.inDoubt.unknown || st.Invoice == nil {
		return st, nil
	}
	before, found, end := a.beforeEntries(st)
	switch {
	case end != nil:
		return nil, end
	case found && !a.forgotten(): // this record is newer than what Redis lost: another one wrote them
		return nil, &ending{duplicate: duplicateSame}
	case found: // each step looks before it writes
		a.inDoubt.unknown = true
	}
	return before, nil
}

// beforeEntries is a state that was listed from the books as it was before this refund's entries, and whether there are any.
func (a *attempt) beforeEntries(st *OrderState) (*OrderState, bool, *ending) {
	found, c := false, *st
	c.Credits, c.Payments = slices.Clone(st.Credits), slices.Clone(st.Payments)
	for i := range c.Credits {
		if cr := &c.Credits[i]; drawable(cr.Key) {
			sum, end := a.entered(cr.DocumentID, a.tenant.books.ListCreditNoteRefunds)
			if end != nil {
				return nil, false, end
			}
			cr.Refunded, found = cr.Refunded.Sub(sum), found || !sum.IsZero()
		}
	}
	for i := range c.Payments {
		if p := &c.Payments[i]; p.DocumentID != "" {
			sum, end := a.entered(p.DocumentID, a.tenant.books.ListPaymentRefunds)
			if end != nil {
				return nil, false, end
			}
			p.Excess, found = p.Excess.Add(sum), found || !sum.IsZero()
		}
	}
	return &c, found, nil
}

// entered is the sum of this refund's entries on a credit note or payment.
func (a *attempt) entered(id string, list func(context.Context, string) ([]zohobooks.Refund, error)) (decimal.Decimal, *ending) {
	var rows []zohobooks.Refund
	if err := a.read(func(ctx context.Context) (err error) {
		rows, err = list(ctx, id)
		return err
	}); err != nil {
		return decimal.Zero, a.failed("looking for the refund's entries", err)
	}
	sum := decimal.Zero
	for i := range rows {
		if rows[i].Reference == reference(a.refund.RefundID) {
			sum = sum.Add(rows[i].Amount.Decimal)
		}
	}
	return sum, nil
}

// moneyThere makes a refund wait while less money was received for the order than it returns: its payment is under way.
// When the time is over, money that a person recorded counts too.
func (a *attempt) moneyThere(st *OrderState) (*OrderState, *ending) {
	have := st.Received().Sub(st.Returned())
	if a.refund.Amount.LessThanOrEqual(have) {
		return st, nil
	}
	ref := ClaimRef{RolePayment, a.refund.PaymentID}
	expired, end := a.expired([]ClaimRef{ref})
	if end != nil {
		return nil, end
	}
	if expired {
		if !a.w.lookedLast {
			now, end := a.asInBooks(st)
			if end != nil {
				if end.park != nil {
					a.w.wait = wait{}
				}
				return nil, end
			}
			a.w.lookedLast = true
			return a.moneyThere(now)
		}
		return nil, &ending{reject: &Rejection{Class: "dependency.missing", Retryable: "yes", Message: "refund " + a.ref.ID + " returns " +
			a.refund.Amount.String() + " " + a.refund.Currency + ", but of order " + a.orderID + " only " + have.String() + " is there to return"}}
	}
	return nil, a.untilPaid()
}

// untilPaid parks until something becomes of the order's money.
func (a *attempt) untilPaid() *ending {
	return &ending{park: &Park{Until: a.recheckAt(), Reason: parkDependency, Keys: []string{paidKey(a.Organization, a.orderID)}}}
}

// documented makes a refund wait while it would draw on a credit note or a payment that is only announced: its write is in
// doubt or was put off, and its own record resolves that.
func (a *attempt) documented(plan *refundPlan) *ending {
	ref, missing := ClaimRef{RolePayment, ""}, false
	for i := range plan.FromExcess {
		missing = missing || plan.FromExcess[i].PaymentDocumentID == ""
	}
	for i := range plan.FromNotes {
		if plan.FromNotes[i].NoteID == "" {
			ref, missing = ClaimRef{RoleOrder, a.orderID}, true
		}
	}
	if !missing {
		return nil
	}
	switch expired, end := a.expired([]ClaimRef{ref}); {
	case end != nil:
		return end
	case expired:
		return &ending{reject: &Rejection{Class: "dependency.missing", Retryable: "yes", Message: "refund " + a.ref.ID +
			" returns money from a document of order " + a.orderID + " whose own record is not settled"}}
	}
	return a.untilPaid()
}

// paidKey wakes the lanes of this replica that wait for money on an order.
func paidKey(organization, orderID string) string { return organization + "/paid/" + orderID }

// refundCredit returns money from a credit note, and answers the amount.
func (a *attempt) refundCredit(step string, intent *OrderState, noteID string, req *zohobooks.RefundRequest, own bool) (decimal.Decimal, *ending) {
	books := a.tenant.books
	return a.refundEntry(step, own, intent, req,
		func(ctx context.Context) ([]zohobooks.Refund, error) { return books.ListCreditNoteRefunds(ctx, noteID) },
		func(ctx context.Context) (*zohobooks.Refund, error) { return books.RefundCreditNote(ctx, noteID, req) }, "refund")
}

// refundExcess returns money from a payment's unused amount.
func (a *attempt) refundExcess(intent *OrderState, ex *excessRefund) (decimal.Decimal, *ending) {
	books, id := a.tenant.books, ex.PaymentDocumentID
	return a.refundEntry(stepExcess+":"+id, false, intent, ex.Request,
		func(ctx context.Context) ([]zohobooks.Refund, error) { return books.ListPaymentRefunds(ctx, id) },
		func(ctx context.Context) (*zohobooks.Refund, error) { return books.RefundPayment(ctx, id, ex.Request) }, "payment_refund")
}

// refundEntry writes one refund entry once. Entries have neither number nor custom fields: reference, amount and date tell
// whether it's there.
func (a *attempt) refundEntry(step string, fenced bool, intent *OrderState, req *zohobooks.RefundRequest,
	list func(context.Context) ([]zohobooks.Refund, error), create func(context.Context) (*zohobooks.Refund, error), kind string,
) (decimal.Decimal, *ending) {
	var entry *zohobooks.Refund
	end := a.once(step, fenced, map[string]*OrderState{a.orderID: intent},
		func() (bool, error) {
			var rows []zohobooks.Refund
			if err := a.read(func(ctx context.Context) (err error) {
				rows, err = list(ctx)
				return err
			}); err != nil {
				return false, err
			}
			for i := range rows {
				if rows[i].Reference == req.Reference && rows[i].Amount.Equal(req.Amount.Decimal) && rows[i].Date == req.Date {
					entry = &rows[i]
					return true, nil
				}
			}
			return false, nil
		},
		func(ctx context.Context) (err error) {
			entry, err = create(ctx)
			return err
		})
	if end != nil {
		return decimal.Zero, end
	}
	if entry == nil { // an earlier attempt wrote it
		return req.Amount.Decimal, nil
	}
	a.document(schemas.Document{
		Type: kind, ID: entry.ID(), Date: entry.Date, Total: entry.Amount.Decimal, Account: req.FromAccountID,
		BaseTotal: a.inBase(entry.BaseAmount, entry.Amount, a.currency(), req.ExchangeRate),
	})
	return entry.Amount.Decimal, nil
}
