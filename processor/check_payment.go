package processor

import (
	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/processor/money"
	"github.com/booksync/booksync/schemas"
)

// checkPayment checks a payment's own numbers and the accounts it needs. It's pure; the orders it pays are planPayment's
// business.
func checkPayment(p *schemas.Payment, org *Organization) (*arithmetic, *Rejection) {
	a := new(arithmetic)
	if r := checkEvent(&p.Event, org, "payment "+p.PaymentID); r != nil {
		return a, r
	}
	if paymentRoles[p.Kind] == "" {
		return a, reject(classUnsupported, "a payment of kind %s is not supported: book it by hand", p.Kind)
	}
	if p.PaymentID == "" {
		return a, reject(classUnsupported, "payment_id is empty")
	}
	if r := checkCurrency(p.Currency, p.ExchangeRate, true, org); r != nil {
		return a, r
	}
	if r := checkAmount("amount", p.Amount, p.Currency); r != nil {
		return a, r
	}
	if p.Amount.Sign() == 0 {
		return a, reject(classTotals, "amount is 0: a payment of nothing is not posted")
	}
	name, day := "received_at", p.ReceivedAt
	if p.Kind != schemas.PaymentCaptured {
		name, day = "occurred_at", p.OccurredAt
	}
	if r := checkOpen(name, day, org); r != nil {
		return a, r
	}
	if r := a.checkAllocations(p); r != nil {
		return a, r
	}
	if r := checkFee(p, org); r != nil {
		return a, r
	}
	if r := checkDispute(p, org); r != nil {
		return a, r
	}
	_, r := org.clearingAccount(p.Gateway, p.Currency)
	return a, r
}

// checkDispute: what became of a captured payment needs the accounts and the policy for it (accounting rules 4 and 13).
func checkDispute(p *schemas.Payment, org *Organization) *Rejection {
	switch p.Kind {
	case schemas.PaymentFee:
		switch {
		case p.Fee == nil || p.Fee.Amount.Sign() == 0:
			return reject(classTotals, "payment %s: the %s event names no fee", p.PaymentID, p.Kind)
		case !org.Journals:
			return reject(classUnsupported, "payment %s: a fee that is known later is booked by a journal, and the organisation's journals are off: turn them on, "+
				"then replay, or book the fee by hand", p.PaymentID)
		}
	case schemas.PaymentDisputed, schemas.PaymentDisputeWon:
		if org.DisputesAccount == "" {
			return reject(classAccount, "payment %s: %s, and no account for disputes is mapped: set the organisation's disputes account, then replay", p.PaymentID, p.Kind)
		}
	case schemas.PaymentReversed:
		if len(p.Allocations) > 1 {
			return reject(classUnsupported, "payment %s of several orders was reversed: book it by hand", p.PaymentID)
		}
		switch org.ReversalPolicy {
		case reversalCredit:
			if p.Fee != nil && p.Fee.Amount.Sign() != 0 && !org.Journals {
				return reject(classUnsupported, "payment %s was reversed for a fee, which is booked by a journal, and the organisation's journals are off: "+
					"turn them on, or book the fee by hand and send the event without it", p.PaymentID)
			}
		case reversalWriteOff:
			if org.LossesAccount == "" {
				return reject(classAccount, "payment %s was reversed, and no account for losses is mapped: set the organisation's losses account, then replay", p.PaymentID)
			}
		default:
			return reject(classUnsupported, "payment %s was reversed, and the organisation's policy is to reject that: book it by hand, or set "+
				"reversal_policy to write_off or credit, then replay", p.PaymentID)
		}
	}
	return nil
}

// The reversal policies that book something.
const (
	reversalWriteOff = "write_off"
	reversalCredit   = "credit"
)

func (a *arithmetic) checkAllocations(p *schemas.Payment) *Rejection {
	if len(p.Allocations) == 0 {
		if p.OrderID == "" {
			return reject(classUnsupported, "the payment names no order: send order_id or allocations")
		}
		return nil
	}
	seen := make(map[string]bool, len(p.Allocations))
	amounts := make([]decimal.Decimal, len(p.Allocations))
	total := decimal.Zero
	for i, al := range p.Allocations {
		switch {
		case al.OrderID == "":
			return reject(classUnsupported, "allocation %d names no order", i+1)
		case seen[al.OrderID]:
			return reject(classTotals, "order %s is allocated twice: send one allocation per order", al.OrderID)
		}
		seen[al.OrderID] = true
		if r := checkAmount("the allocation to order "+al.OrderID, al.Amount, p.Currency); r != nil {
			return r
		}
		amounts[i], total = al.Amount, total.Add(al.Amount)
	}
	return a.same("amount", func() string { return "allocations " + terms(amounts, p.Currency) }, total, p.Amount)
}

func checkFee(p *schemas.Payment, org *Organization) *Rejection {
	if p.Fee == nil {
		return nil
	}
	if !money.Sane(p.Fee.Amount) {
		return reject(classTotals, "fee has more digits than an amount can have")
	}
	if p.Fee.Amount.Sign() == 0 {
		return nil
	}
	if p.Fee.Currency != p.Currency {
		return reject(classUnsupported, "the fee is in %s and the payment in %s: a fee in another currency is not supported; book it by hand "+
			"and send the payment without it", p.Fee.Currency, p.Currency)
	}
	if p.Kind != schemas.PaymentCaptured { // of a dispute that is won it may come back, and be more than the payment
		if r := checkExact("fee", p.Fee.Amount, p.Currency); r != nil {
			return r
		}
	} else if r := checkAmount("fee", p.Fee.Amount, p.Currency); r != nil {
		return r
	}
	if p.Kind == schemas.PaymentCaptured && p.Fee.Amount.Cmp(p.Amount) >= 0 {
		return reject(classTotals, "the fee %s is not less than the amount %s: amount is gross, before the gateway's fee",
			amountText(p.Fee.Amount, p.Currency), amountText(p.Amount, p.Currency))
	}
	if org.FeeAccount == "" {
		return reject(classAccount, "the payment has a fee and no fee account is mapped: set the organisation's fee account, then replay")
	}
	return nil
}
