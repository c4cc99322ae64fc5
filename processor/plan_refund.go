package processor

import (
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/schemas"
)

// planRefund plans what a refund that passed checkRefund does to its order. Money returned is not value credited
// (accounting rule 2), and one returned value is credited once (rule 3):
//
//   - An order without a living invoice (cancelled before it was posted, or voided) has nothing to credit: the money
//     comes out of its payments' excess.
//   - A cancelled order was credited by its cancellation: the money comes out of that credit note, and out of those of
//     revisions that lowered the order, then out of excess.
//   - What revisions that lowered the order credited and nobody got back yet comes first: only the rest is credited anew.
//   - Otherwise credit_total is credited. Where the event doesn't say it, it's the amount, or what's left to credit if
//     that's less: who paid 110 for an invoice of 100 and gets 110 back is credited 100. A credit_total of 0 is money
//     returned from an overpayment, without a credit note.
//   - Of the credit, what wasn't returned as money is applied to the invoice, at most its balance; a refund without any
//     money may leave the rest as store credit. Money above the credit comes out of payments' excess.
//
// Never more is returned than was received, nor more credited than invoiced.
func planRefund(f *schemas.Refund, org *Organization, st *OrderState, origin string) (*refundPlan, *Rejection) {
	account := ""
	if f.Amount.Sign() > 0 {
		var r *Rejection
		if account, r = org.clearingAccount(f.Gateway, f.Currency); r != nil {
			return nil, r
		}
	}
	plan, r := planReturn(f, ClaimRef{RoleRefund, f.RefundID}.key(), account, org, st, origin)
	if r == nil && f.FeeReturned != nil && f.FeeReturned.Amount.Sign() > 0 {
		plan.Fee, r = planFeeReturned(f, org)
	}
	return plan, r
}

// planReturn plans a refund whose documents have this key and whose money leaves this account.
func planReturn(f *schemas.Refund, key, account string, org *Organization, st *OrderState, origin string) (*refundPlan, *Rejection) {
	if st.Currency != "" && st.Currency != f.Currency {
		return nil, reject(classCurrency, "the refund is in %s and order %s in %s: send the refund in the order's currency", f.Currency, f.OrderID, st.Currency)
	}
	if left := st.Received().Sub(st.Returned()); f.Amount.Cmp(left) > 0 {
		return nil, reject(classTotals, "received %s - already returned %s = %s, but amount says %s: more than is there to return",
			amountText(st.Received(), f.Currency), amountText(st.Returned(), f.Currency), amountText(left, f.Currency),
			amountText(f.Amount, f.Currency))
	}
	plan := &refundPlan{}
	entry := newRefundEntry(f, account, org)
	switch {
	case len(st.living()) == 0:
		if c := f.CreditTotal; c.Valid && c.Decimal.Cmp(f.Amount) > 0 {
			return nil, reject(classTotals, "credit_total says %s, but order %s has no invoice to credit", amountText(c.Decimal, f.Currency), f.OrderID)
		}
		return plan, plan.takeExcess(f, st, f.Amount, entry)
	case st.Cancelled && st.cancelCredit() != nil:
		taken := plan.takeNotes(st, f.Amount, entry)
		return plan, plan.takeExcess(f, st, f.Amount.Sub(taken), entry)
	}
	credit := creditTotal(f)
	if credit.Cmp(f.Amount) > 0 && len(f.Lines) == 0 && st.lowered() {
		return nil, reject(classUnsupported, "credit_total %s is more than the amount %s, and revisions that lowered order %s have credited value already: "+
			"it could be the same; discard this event if it is, else send it with its lines", amountText(credit, f.Currency),
			amountText(f.Amount, f.Currency), f.OrderID)
	}
	taken := plan.takeNotes(st, decimal.Min(f.Amount, credit), entry)
	credit = credit.Sub(taken)
	left := st.Invoiced().Sub(st.Credited())
	if !f.CreditTotal.Valid {
		credit = decimal.Min(credit, decimal.Max(left, decimal.Zero))
	}
	if credit.Cmp(left) > 0 {
		return nil, reject(classTotals, "invoiced %s - already credited %s = %s, but credit_total says %s: more than is left to credit",
			amountText(st.Invoiced(), f.Currency), amountText(st.Credited(), f.Currency), amountText(left, f.Currency),
			amountText(credit, f.Currency))
	}
	if credit.Sign() > 0 {
		if r := plan.credit(f, key, org, st, taken, credit, entry, origin); r != nil {
			return nil, r
		}
	}
	if over := f.Amount.Sub(taken).Sub(credit); over.Sign() > 0 {
		return plan, plan.takeExcess(f, st, over, entry)
	}
	return plan, nil
}

// lowered says whether a revision credited value that no refund has returned as money.
func (s *OrderState) lowered() bool {
	return slices.ContainsFunc(s.Credits, func(c CreditState) bool {
		return strings.HasPrefix(c.Key, correctionKeyPrefix) && c.Total.Cmp(c.Refunded) > 0
	})
}

// invoiceVoid is the status of a voided invoice.
const invoiceVoid = "void"

// credit plans the refund's own credit note, what of it is applied, and what of it is returned; taken is the part of the
// refund that earlier credit notes gave.
func (plan *refundPlan) credit(
	f *schemas.Refund, key string, org *Organization, st *OrderState, taken, credit decimal.Decimal, entry refundEntry, origin string,
) *Rejection {
	money := decimal.Min(f.Amount.Sub(taken), credit)
	unpaid := credit.Sub(money)
	apply := decimal.Min(unpaid, decimal.Max(st.Balance(), decimal.Zero))
	if money.Sign() > 0 && apply.Cmp(unpaid) < 0 {
		return reject(classUnsupported, "credit_total %s - amount %s = %s, but the invoice owes only %s: returning money and leaving store credit "+
			"in one refund is not supported; send two refunds", amountText(credit, f.Currency), amountText(money, f.Currency),
			amountText(unpaid, f.Currency), amountText(apply, f.Currency))
	}
	day, trueDate := org.posting(f.RefundedAt)
	co := creditOrder{
		key: key, reference: reference(f.RefundID), day: day, trueDate: trueDate, notes: f.Reason, origin: origin,
		wanted: credit, refundLines: f.Lines, location: f.Location,
	}
	if taken.Sign() > 0 {
		co.refundLines = st.uncredited(f.Lines, credit)
	}
	note, r := composeCredit(co, org, st)
	if r != nil {
		return r
	}
	note.applied(st, apply)
	plan.Credit = note
	if money.Sign() > 0 {
		plan.FromCredit = entry.of(money)
	}
	return nil
}

// takeNotes takes up to amount from what is open on the credit notes of the order's cancellation and of revisions that
// lowered it, oldest first, and answers what they gave.
func (plan *refundPlan) takeNotes(st *OrderState, amount decimal.Decimal, entry refundEntry) decimal.Decimal {
	left := amount
	for i := range st.Credits {
		c := &st.Credits[i]
		if !drawable(c.Key) {
			continue
		}
		if take := decimal.Min(left, c.open()); take.Sign() > 0 {
			plan.FromNotes = append(plan.FromNotes, noteRefund{NoteID: c.DocumentID, Request: entry.of(take)})
			left = left.Sub(take)
		}
	}
	return amount.Sub(left)
}

// uncredited are a refund's lines as far as no credit note has taken them back, where they come to exactly the wanted
// value; else none, and the value is spread over all that's left.
func (s *OrderState) uncredited(lines []schemas.RefundLine, wanted decimal.Decimal) []schemas.RefundLine {
	left := make(map[string]decimal.Decimal)
	names := make(map[string]string)
	for _, inv := range s.living() {
		for i := range inv.Lines {
			l := &inv.Lines[i]
			names[l.InvoiceItemID] = l.LineID
			left[l.LineID] = left[l.LineID].Add(l.Gross)
		}
	}
	for i := range s.Credits {
		for _, l := range s.Credits[i].Lines {
			left[names[l.InvoiceItemID]] = left[names[l.InvoiceItemID]].Sub(l.Gross)
		}
	}
	var rest []schemas.RefundLine
	sum := decimal.Zero
	for _, l := range lines {
		if room := left[l.LineID]; room.Cmp(l.Amount) < 0 {
			l.Amount, l.Quantity = decimal.Max(room, decimal.Zero), decimal.Zero
		}
		if l.Amount.Sign() > 0 {
			rest, sum = append(rest, l), sum.Add(l.Amount)
		}
	}
	if !sum.Equal(wanted) {
		return nil
	}
	return rest
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
		if strings.HasPrefix(s.Credits[i].Key, cancelKeyPrefix) {
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

// newRefundEntry prepares the money entries: on the day the money left, from the account it left, at its own rate. Their
// reference is the refund's id: with it they're found again.
func newRefundEntry(f *schemas.Refund, account string, org *Organization) refundEntry {
	if f.Amount.Sign() == 0 {
		return refundEntry{}
	}
	day, trueDate := org.posting(f.RefundedAt)
	e := refundEntry{
		Date: day, RefundMode: org.paymentMode(f.Method), FromAccountID: account, Reference: reference(f.RefundID),
		Description: cleanLines(withTrueDate(refundDescription(f), trueDate), maxDescription),
	}
	if f.Currency != org.BaseCurrency && f.ExchangeRate.Valid {
		e.ExchangeRate = zohobooks.NewAmount(f.ExchangeRate.Decimal)
	}
	return e
}

// planFeeReturned plans the journal that brings a returned fee back: to the gateway's clearing account, from the fees
// (accounting rule 4).
func planFeeReturned(f *schemas.Refund, org *Organization) (*zohobooks.JournalRequest, *Rejection) {
	account, r := org.clearingAccount(f.Gateway, f.Currency)
	if r != nil {
		return nil, r
	}
	day, trueDate := org.posting(f.RefundedAt)
	req := &zohobooks.JournalRequest{
		Date: day, Reference: reference("fee:" + f.RefundID), Status: journalPublished,
		Notes: cleanLines(withTrueDate("Fee returned with refund "+f.RefundID+" of order "+f.OrderID, trueDate), maxNotes),
	}
	addLeg(req, account, zohobooks.Debit, f.FeeReturned.Amount)
	addLeg(req, org.FeeAccount, zohobooks.Credit, f.FeeReturned.Amount)
	if f.Currency != org.BaseCurrency {
		req.CurrencyID, req.ExchangeRate = org.CurrencyIDs[f.Currency], zohobooks.NewAmount(f.ExchangeRate.Decimal)
	}
	return req, nil
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
