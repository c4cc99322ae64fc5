package processor

import (
	"context"
	"slices"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/schemas"
)

// applyDispute books what a gateway did to a captured payment: one journal, or, for a reversal that is credited, a refund.
// The payment itself is never changed.
func (a *attempt) applyDispute() *ending {
	order := a.orders[0]
	st, end := a.disputed(order)
	if end != nil {
		return end
	}
	pay := st.payment(a.ref.ID)
	if pay == nil {
		return &ending{reject: &Rejection{Class: "dependency.missing", Retryable: "yes", Message: "payment " + a.ref.ID + " is not among the payments of order " + order}}
	}
	if pay.Currency == a.tenant.org().BaseCurrency { // it was converted when it came, and so is what became of it
		if rej := a.convertPayment(map[string]*OrderState{order: st}); rej != nil {
			return &ending{reject: rej}
		}
	}
	if a.payment.Kind == schemas.PaymentFee {
		if end := a.feeless(pay); end != nil {
			return end
		}
	} else if left := pay.Amount.Sub(pay.Lost); a.payment.Amount.Cmp(left) > 0 {
		return &ending{reject: reject(classTotals, "payment %s was over %s, of which %s are left, but the %s event says %s", a.ref.ID, pay.Amount, left,
			a.payment.Kind, a.payment.Amount)}
	}
	if a.payment.Kind == schemas.PaymentReversed && a.tenant.org().ReversalPolicy == reversalCredit {
		a.refund = reversalAsRefund(a.payment)
		a.states[order], a.orderID = st, order
		if end := a.applyRefund(); end != nil {
			return end
		}
		st = a.result.orders[order]
		now := *st.payment(a.ref.ID)
		now.Disputed = decimal.Max(now.Disputed.Sub(a.payment.Amount), decimal.Zero)
		a.result.orders[order] = st.withPayment(now)
		return nil
	}
	if a.rebuilt && !a.inDoubt.of(stepJournal) && !a.prog.did(stepJournal) { // no key refuses it the second time
		there, err := a.hasJournal(disputeReference(a.ref))
		if err != nil {
			return a.failed("looking for the journal", err)
		}
		if there {
			return &ending{duplicate: duplicateSame}
		}
	}
	req, rej := planDispute(a.payment, a.tenant.org(), pay.Disputed)
	if rej != nil {
		return &ending{reject: rej}
	}
	if end := a.journal(stepJournal, req); end != nil {
		return end
	}
	now := *pay
	switch a.payment.Kind {
	case schemas.PaymentFee:
	case schemas.PaymentDisputed:
		now.Disputed = now.Disputed.Add(a.payment.Amount)
	case schemas.PaymentReversed:
		now.Lost = now.Lost.Add(a.payment.Amount)
		now.Disputed = decimal.Max(now.Disputed.Sub(a.payment.Amount), decimal.Zero)
	default:
		now.Disputed = decimal.Max(now.Disputed.Sub(a.payment.Amount), decimal.Zero)
	}
	after := st.withPayment(now)
	a.result.orders = map[string]*OrderState{order: after}
	booked := a.payment.Amount
	if a.payment.Kind == schemas.PaymentFee {
		booked = a.payment.Fee.Amount
	}
	a.compared(booked, booked, decimal.Zero)
	if _, trueDate := a.tenant.org().posting(a.payment.OccurredAt); trueDate != "" {
		a.moved(trueDate, req.Date)
	}
	return nil
}

// feeless refuses a fee that comes later where the payment has one already, or is another one than the event says.
func (a *attempt) feeless(pay *PaymentState) *ending {
	if !pay.Amount.Equal(a.payment.Amount) {
		return &ending{reject: reject(classTotals, "payment %s was over %s, but the %s event says %s", a.ref.ID, pay.Amount, a.payment.Kind, a.payment.Amount)}
	}
	var now *zohobooks.Payment
	if err := a.read(func(ctx context.Context) (err error) {
		now, err = a.tenant.books.GetPayment(ctx, pay.DocumentID)
		return err
	}); err != nil {
		return a.failed("reading the payment", err)
	}
	if now.BankCharges.Sign() != 0 {
		return &ending{reject: reject(classConflict, "payment %s has the fee %s in Zoho already, and the %s event brings another: discard it, or correct the fee by hand",
			a.ref.ID, now.BankCharges, a.payment.Kind)}
	}
	return nil
}

// disputed is the order's state with its payments listed; where it was rebuilt, the journals tell what is disputed or lost.
func (a *attempt) disputed(order string) (*OrderState, *ending) {
	st := a.states[order]
	if st.Invoice == nil {
		return st, nil
	}
	full, err := a.completed(order, st)
	if err != nil {
		return nil, a.failed("listing the order's payments", err)
	}
	pay := full.payment(a.ref.ID)
	if !a.rebuilt || pay == nil {
		return full, nil
	}
	others := slices.DeleteFunc([]Role{RoleDispute, RoleWon, RoleReversal}, func(r Role) bool { return r == a.ref.Role })
	now, end := a.fromJournals(*pay, others...)
	if end != nil {
		return nil, end
	}
	return full.withPayment(now), nil
}

// fromJournals is a payment with what the journals of these roles, in their order, say of it.
func (a *attempt) fromJournals(p PaymentState, roles ...Role) (PaymentState, *ending) {
	for _, role := range roles {
		there, err := a.hasJournal(disputeReference(ClaimRef{role, p.PaymentID}))
		if err != nil {
			return p, a.failed("looking for the payment's disputes", err)
		}
		if !there {
			continue
		}
		switch role { // a journal's total holds the fee, too: of a dispute all of the payment is held
		case RoleDispute:
			p.Disputed = p.Amount
		case RoleWon:
			p.Disputed = decimal.Zero
		case RoleReversal:
			p.Disputed, p.Lost = decimal.Zero, p.Amount
		}
	}
	return p, nil
}

// lossesOf is an order's state with what was written off of its payments, for a refund: where it was rebuilt only the journals tell.
func (a *attempt) lossesOf(st *OrderState) (*OrderState, *ending) {
	if !a.rebuilt || a.ref.Role != RoleRefund || a.tenant.org().LossesAccount == "" {
		return st, nil
	}
	for _, p := range st.Payments {
		if p.PaymentID == "" || !p.Lost.IsZero() {
			continue
		}
		now, end := a.fromJournals(p, RoleReversal)
		if end != nil {
			return nil, end
		}
		if !now.Lost.IsZero() {
			st = st.withPayment(now)
		}
	}
	return st, nil
}

// journal writes one manual journal entry once. Entries have no unique field: reference, day and total tell whether it's
// there, and one in doubt waits until it can't land any more.
func (a *attempt) journal(step string, req *zohobooks.JournalRequest) *ending {
	var entry *zohobooks.Journal
	end := a.once(step, false, nil,
		func() (bool, error) {
			rows, err := a.journals(req.Reference)
			for i := range rows {
				if rows[i].Date == req.Date && rows[i].Total.Equal(journalTotal(req)) {
					entry = &rows[i]
				}
			}
			return entry != nil, err
		},
		func(ctx context.Context) (err error) {
			entry, err = a.tenant.books.CreateJournal(ctx, req)
			return err
		})
	if end == nil && entry != nil {
		a.document(schemas.Document{
			Type: "journal", ID: entry.JournalID, Number: entry.EntryNumber, Status: entry.Status, Date: req.Date, Total: journalTotal(req),
			BaseTotal: optional(entry.BaseTotal.Decimal),
		})
	}
	return end
}

// journalTotal is the sum of the debits.
func journalTotal(req *zohobooks.JournalRequest) decimal.Decimal {
	sum := decimal.Zero
	for _, l := range req.Lines {
		if l.DebitOrCredit == zohobooks.Debit {
			sum = sum.Add(l.Amount.Decimal)
		}
	}
	return sum
}

func (a *attempt) journals(reference string) (rows []zohobooks.Journal, _ error) {
	err := a.read(func(ctx context.Context) (err error) {
		rows, err = a.tenant.books.FindJournalsByReference(ctx, reference)
		return err
	})
	return rows, err
}

func (a *attempt) hasJournal(reference string) (bool, error) {
	rows, err := a.journals(reference)
	return len(rows) > 0, err
}
