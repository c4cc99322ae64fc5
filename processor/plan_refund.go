package processor

import (
	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/schemas"
)

// planRefund plans what a refund that passed checkRefund does to its order. Money returned is not value credited
// (accounting rule 2), and one returned value is credited once (rule 3):
//
//   - An order without a living invoice (cancelled before it was posted, or voided) has nothing to credit: the money
//     comes out of its payments' excess.
//   - A cancelled order was credited by its cancellation: the money comes out of that credit note, then out of excess.
//   - Otherwise credit_total is credited. Where the event doesn't say it, it's the amount, or what's left to credit if
//     that's less: who paid 110 for an invoice of 100 and gets 110 back is credited 100. A credit_total of 0 is money
//     returned from an overpayment, without a credit note.
//   - Of the credit, what wasn't returned as money is applied to the invoice, at most its balance; a refund without any
//     money may leave the rest as store credit. Money above the credit comes out of payments' excess.
//
// Never more is returned than was received, nor more credited than invoiced.
func planRefund(f *schemas.Refund, org *Organization, st *OrderState, origin string) (*refundPlan, *Rejection) {
	if st.Currency != "" && st.Currency != f.Currency {
		return nil, reject(classCurrency, "the refund is in %s and order %s in %s: send the refund in the order's currency", f.Currency, f.OrderID, st.Currency)
	}
	if left := st.Received().Sub(st.Returned()); f.Amount.Cmp(left) > 0 {
		return nil, reject(classTotals, "received %s - already returned %s = %s, but amount says %s: more than is there to return",
			amountText(st.Received(), f.Currency), amountText(st.Returned(), f.Currency), amountText(left, f.Currency),
			amountText(f.Amount, f.Currency))
	}
	plan := &refundPlan{}
	entry, r := newRefundEntry(f, org)
	if r != nil {
		return nil, r
	}
	switch {
	case st.Invoice == nil || st.Invoice.Status == invoiceVoid:
		if c := f.CreditTotal; c.Valid && c.Decimal.Cmp(f.Amount) > 0 {
			return nil, reject(classTotals, "credit_total says %s, but order %s has no invoice to credit", amountText(c.Decimal, f.Currency), f.OrderID)
		}
		return plan, plan.takeExcess(f, st, f.Amount, entry)
	case st.Cancelled && st.cancelCredit() != nil:
		return plan, plan.takeCancel(f, st, entry)
	}
	credit := creditTotal(f)
	left := st.Invoice.Total.Sub(st.Credited())
	if !f.CreditTotal.Valid {
		credit = decimal.Min(credit, decimal.Max(left, decimal.Zero))
	}
	if credit.Cmp(left) > 0 {
		return nil, reject(classTotals, "invoiced %s - already credited %s = %s, but credit_total says %s: more than is left to credit",
			amountText(st.Invoice.Total, f.Currency), amountText(st.Credited(), f.Currency), amountText(left, f.Currency),
			amountText(credit, f.Currency))
	}
	if credit.Sign() > 0 {
		if r := plan.credit(f, org, st, credit, entry, origin); r != nil {
			return nil, r
		}
	}
	if over := f.Amount.Sub(credit); over.Sign() > 0 {
		return plan, plan.takeExcess(f, st, over, entry)
	}
	return plan, nil
}

// invoiceVoid is the status of a voided invoice.
const invoiceVoid = "void"

// credit plans the refund's own credit note, what of it is applied, and what of it is returned.
func (plan *refundPlan) credit(f *schemas.Refund, org *Organization, st *OrderState, credit decimal.Decimal, entry refundEntry, origin string) *Rejection {
	money := decimal.Min(f.Amount, credit)
	unpaid := credit.Sub(money)
	apply := decimal.Min(unpaid, decimal.Max(st.Balance(), decimal.Zero))
	if money.Sign() > 0 && apply.Cmp(unpaid) < 0 {
		return reject(classUnsupported, "credit_total %s - amount %s = %s, but the invoice owes only %s: returning money and leaving store credit "+
			"in one refund is not supported; send two refunds", amountText(credit, f.Currency), amountText(money, f.Currency),
			amountText(unpaid, f.Currency), amountText(apply, f.Currency))
	}
	day, trueDate := org.posting(f.RefundedAt)
	note, r := composeCredit(creditOrder{
		key: "refund:" + f.RefundID, reference: reference(f.RefundID), day: day, trueDate: trueDate, notes: f.Reason, origin: origin,
		wanted: credit, refundLines: f.Lines, location: f.Location,
	}, org, st)
	if r != nil {
		return r
	}
	note.Apply = apply
	plan.Credit = note
	if money.Sign() > 0 {
		plan.FromCredit = entry.of(money)
	}
	return nil
}

// takeCancel takes the money from the cancellation's credit note, and what that can't give from excess.
func (plan *refundPlan) takeCancel(f *schemas.Refund, st *OrderState, entry refundEntry) *Rejection {
	note := st.cancelCredit()
	take := decimal.Min(f.Amount, decimal.Max(note.Total.Sub(note.Applied).Sub(note.Refunded), decimal.Zero))
	if take.Sign() > 0 {
		plan.FromCancel, plan.FromCancelID = entry.of(take), note.DocumentID
	}
	return plan.takeExcess(f, st, f.Amount.Sub(take), entry)
}

// takeExcess takes amount from the payments' unused amounts: of the payment that the refund names first.
func (plan *refundPlan) takeExcess(f *schemas.Refund, st *OrderState, amount decimal.Decimal, entry refundEntry) *Rejection {
	left := amount
	for _, named := range [2]bool{true, false} {
		for i := range st.Payments {
			p := &st.Payments[i]
			if (p.PaymentID == f.PaymentID) != named {
				continue
			}
			if take := decimal.Min(left, p.Excess.Sub(p.Refunded)); take.Sign() > 0 {
				plan.FromExcess = append(plan.FromExcess, excessRefund{PaymentDocumentID: p.DocumentID, Request: entry.of(take)})
				left = left.Sub(take)
			}
		}
	}
	if left.Sign() > 0 {
		return reject(classTotals, "the refund returns %s more than it credits, but payments hold only %s that no invoice took: "+
			"more than is there to return without a credit", amountText(amount, f.Currency), amountText(amount.Sub(left), f.Currency))
	}
	return nil
}

// cancelCredit is the credit note of the order's cancellation, nil if there's none.
func (s *OrderState) cancelCredit() *CreditState {
	for i := range s.Credits {
		if hasCancelKey(s.Credits[i].Key) {
			return &s.Credits[i]
		}
	}
	return nil
}

// refundEntry is what all money entries of one refund have in common.
type refundEntry zohobooks.RefundRequest

func (e refundEntry) of(amount decimal.Decimal) *zohobooks.RefundRequest {
	req := zohobooks.RefundRequest(e)
	req.Amount = zohobooks.NewAmount(amount)
	return &req
}

// newRefundEntry prepares the money entries: on the day the money left, from the gateway's clearing account, at its own rate. Their
// reference is the refund's id: with it they're found again.
func newRefundEntry(f *schemas.Refund, org *Organization) (refundEntry, *Rejection) {
	if f.Amount.Sign() == 0 {
		return refundEntry{}, nil
	}
	account, r := org.clearingAccount(f.Gateway, f.Currency)
	if r != nil {
		return refundEntry{}, r
	}
	day, trueDate := org.posting(f.RefundedAt)
	e := refundEntry{
		Date: day, RefundMode: org.paymentMode(f.Method), FromAccountID: account, Reference: reference(f.RefundID),
		Description: cleanLines(withTrueDate(refundDescription(f), trueDate), maxDescription),
	}
	if f.Currency != org.BaseCurrency && f.ExchangeRate.Valid {
		e.ExchangeRate = zohobooks.NewAmount(f.ExchangeRate.Decimal)
	}
	return e, nil
}

func refundDescription(f *schemas.Refund) string {
	s := "Refund " + f.RefundID
	if f.Gateway != "" {
		s += ", gateway " + f.Gateway
	}
	if f.GatewayReference != "" {
		s += ", reference " + f.GatewayReference
	}
	return s
}
