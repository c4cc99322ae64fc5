package processor

import (
	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/processor/money"
	"github.com/booksync/booksync/schemas"
)

// checkRefund checks a refund's own numbers and the account it needs. It's pure; whether the order has what the refund
// takes back is planRefund's business.
func checkRefund(f *schemas.Refund, org *Organization) (*arithmetic, *Rejection) {
	a := new(arithmetic)
	if r := checkEvent(&f.Event, org, "refund "+f.RefundID); r != nil {
		return a, r
	}
	switch {
	case f.RefundID == "":
		return a, reject(classUnsupported, "refund_id is empty")
	case f.OrderID == "":
		return a, reject(classUnsupported, "the refund names no order: send order_id")
	}
	// The settlement rate is the money's; value that's only credited goes at the invoice's rate.
	if r := checkCurrency(f.Currency, f.ExchangeRate, f.Amount.Sign() > 0, org); r != nil {
		return a, r
	}
	if r := checkAmount("amount", f.Amount, f.Currency); r != nil {
		return a, r
	}
	if f.CreditTotal.Valid {
		if r := checkAmount("credit_total", f.CreditTotal.Decimal, f.Currency); r != nil {
			return a, r
		}
	}
	credit := creditTotal(f)
	if f.Amount.Sign() == 0 && credit.Sign() == 0 {
		return a, reject(classTotals, "amount and credit_total are both 0: a refund of nothing is not posted")
	}
	if r := checkOpen("refunded_at", f.RefundedAt, org); r != nil {
		return a, r
	}
	if r := checkFeeReturned(f, org); r != nil {
		return a, r
	}
	if r := a.checkRefundLines(f, credit); r != nil {
		return a, r
	}
	if f.Amount.Sign() > 0 {
		if _, r := org.clearingAccount(f.Gateway, f.Currency); r != nil {
			return a, r
		}
	}
	return a, nil
}

// creditTotal is the value credited: the amount where the event doesn't say.
func creditTotal(f *schemas.Refund) decimal.Decimal {
	if f.CreditTotal.Valid {
		return f.CreditTotal.Decimal
	}
	return f.Amount
}

// checkFeeReturned: the fee comes back to the clearing account by a journal of its own, for a refund entry has no field for it.
func checkFeeReturned(f *schemas.Refund, org *Organization) *Rejection {
	fee := f.FeeReturned
	if fee == nil {
		return nil
	}
	if !money.Sane(fee.Amount) {
		return reject(classTotals, "fee_returned has more digits than an amount can have")
	}
	if fee.Amount.Sign() == 0 {
		return nil
	}
	if !org.Journals {
		return reject(classUnsupported, "fee_returned is booked by a journal, and the organisation's journals are off: turn them on, or book the "+
			"returned fee by hand and send the refund without it")
	}
	if fee.Currency != f.Currency {
		return reject(classUnsupported, "fee_returned is in %s and the refund in %s: a fee in another currency is not supported; book it by hand "+
			"and send the refund without it", fee.Currency, f.Currency)
	}
	if r := checkAmount("fee_returned", fee.Amount, f.Currency); r != nil {
		return r
	}
	if org.FeeAccount == "" {
		return reject(classAccount, "the refund returns a fee and no fee account is mapped: set the organisation's fee account, then replay")
	}
	_, r := org.clearingAccount(f.Gateway, f.Currency)
	return r
}

func (a *arithmetic) checkRefundLines(f *schemas.Refund, credit decimal.Decimal) *Rejection {
	if len(f.Lines) == 0 {
		return nil
	}
	seen := make(map[string]bool, len(f.Lines))
	amounts := make([]decimal.Decimal, len(f.Lines))
	total := decimal.Zero
	for i, l := range f.Lines {
		switch {
		case l.LineID == "":
			return reject(classUnsupported, "refund line %d has no line_id", i+1)
		case seen[l.LineID]:
			return reject(classTotals, "line %s is refunded twice in one refund: send one entry per line", l.LineID)
		case !money.Sane(l.Quantity) || l.Quantity.Sign() < 0:
			return reject(classTotals, "the quantity of refund line %s must not be negative", l.LineID)
		}
		seen[l.LineID] = true
		if r := checkAmount("the amount of refund line "+l.LineID, l.Amount, f.Currency); r != nil {
			return r
		}
		taxes := decimal.Zero
		for _, t := range l.Taxes {
			if r := checkAmount("a tax of refund line "+l.LineID, t.Amount, f.Currency); r != nil {
				return r
			}
			taxes = taxes.Add(t.Amount)
		}
		if taxes.Cmp(l.Amount) > 0 {
			return reject(classTotals, "the taxes of refund line %s are %s, more than its amount %s: amounts include tax",
				l.LineID, amountText(taxes, f.Currency), amountText(l.Amount, f.Currency))
		}
		amounts[i], total = l.Amount, total.Add(l.Amount)
	}
	name := "credit_total"
	if !f.CreditTotal.Valid {
		name = "amount (credit_total is absent, so it's the same)"
	}
	return a.same(name, func() string { return "lines " + terms(amounts, f.Currency) }, total, credit)
}
