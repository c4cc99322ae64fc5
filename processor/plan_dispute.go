package processor

import (
	"fmt"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/schemas"
)

// What gateways do to a payment after it was captured (accounting rule 13) is booked by journals: the payment stays as it
// is, and so does its invoice.
//
//	FEE          only the fee moves: of a payment that was captured without one
//	DISPUTED     the amount moves from the gateway's clearing account to the disputes account
//	DISPUTE_WON  it moves back
//	REVERSED     it's gone: from the disputes account where it was disputed before, else from the clearing account, to the
//	             losses account (write_off), or to the customer as a refund with its credit note (credit)
//
// The fee of each is an expense out of the clearing account; a negative one comes back.

// journalPublished is the status of journals that are in the ledger.
const journalPublished = "published"

// planDispute plans the journal of a fee, a dispute, its end, or a reversal that is written off. held is what of the payment
// stands on the disputes account.
func planDispute(p *schemas.Payment, org *Organization, held decimal.Decimal) (*zohobooks.JournalRequest, *Rejection) {
	clearing, r := org.clearingAccount(p.Gateway, p.Currency)
	if r != nil {
		return nil, r
	}
	req := newPaymentJournal(p, org, "")
	switch p.Kind {
	case schemas.PaymentDisputed:
		addLeg(req, org.DisputesAccount, zohobooks.Debit, p.Amount)
		addLeg(req, clearing, zohobooks.Credit, p.Amount)
	case schemas.PaymentDisputeWon:
		addLeg(req, clearing, zohobooks.Debit, p.Amount)
		addLeg(req, org.DisputesAccount, zohobooks.Credit, p.Amount)
	case schemas.PaymentReversed:
		addLeg(req, org.LossesAccount, zohobooks.Debit, p.Amount)
		disputed := decimal.Min(held, p.Amount)
		addLeg(req, org.DisputesAccount, zohobooks.Credit, disputed)
		addLeg(req, clearing, zohobooks.Credit, p.Amount.Sub(disputed))
	}
	addFee(req, p, org, clearing)
	return req, nil
}

// planReversalFee plans the journal of the fee alone; nil when there's none, or nowhere to book it.
func planReversalFee(p *schemas.Payment, org *Organization) *zohobooks.JournalRequest {
	clearing, r := org.clearingAccount(p.Gateway, p.Currency)
	if r != nil || p.Fee == nil || p.Fee.Amount.Sign() == 0 {
		return nil
	}
	req := newPaymentJournal(p, org, "fee:")
	addFee(req, p, org, clearing)
	return req
}

func newPaymentJournal(p *schemas.Payment, org *Organization, prefix string) *zohobooks.JournalRequest {
	day, trueDate := org.posting(p.OccurredAt)
	note := fmt.Sprintf("Payment %s of order %s: %s", p.PaymentID, p.OrderID, p.Kind)
	if p.GatewayReference != "" {
		note += ", reference " + p.GatewayReference
	}
	req := &zohobooks.JournalRequest{
		Date: day, Status: journalPublished, Reference: reference(prefix + ClaimRef{paymentRoles[p.Kind], p.PaymentID}.key()),
		Notes: cleanLines(withTrueDate(note, trueDate), maxNotes),
	}
	if p.Currency != org.BaseCurrency {
		req.CurrencyID, req.ExchangeRate = org.CurrencyIDs[p.Currency], zohobooks.NewAmount(p.ExchangeRate.Decimal)
	}
	return req
}

// disputeReference is the reference of the journal of a fee, a dispute, its end, or a reversal.
func disputeReference(ref ClaimRef) string { return reference(ref.key()) }

func addFee(req *zohobooks.JournalRequest, p *schemas.Payment, org *Organization, clearing string) {
	if p.Fee == nil {
		return
	}
	kept := p.Fee.Amount
	from, to := clearing, org.FeeAccount
	if kept.Sign() < 0 {
		from, to, kept = to, from, kept.Neg()
	}
	addLeg(req, to, zohobooks.Debit, kept)
	addLeg(req, from, zohobooks.Credit, kept)
}

// addLeg adds one leg; nothing for nothing.
func addLeg(req *zohobooks.JournalRequest, account, side string, amount decimal.Decimal) {
	if amount.Sign() != 0 {
		req.Lines = append(req.Lines, zohobooks.JournalLine{AccountID: account, DebitOrCredit: side, Amount: zohobooks.NewAmount(amount)})
	}
}

// reversalAsRefund is the refund that a reversed payment comes to where the policy credits the order.
func reversalAsRefund(p *schemas.Payment) *schemas.Refund {
	order := p.OrderID
	if len(p.Allocations) == 1 {
		order = p.Allocations[0].OrderID
	}
	return &schemas.Refund{
		Event: p.Event, RefundID: ClaimRef{RoleReversal, p.PaymentID}.key(), OrderID: order, PaymentID: p.PaymentID, Amount: p.Amount,
		Currency: p.Currency, ExchangeRate: p.ExchangeRate, Reason: "Payment " + p.PaymentID + " was reversed", Method: p.Method,
		Gateway: p.Gateway, GatewayReference: p.GatewayReference, RefundedAt: p.OccurredAt,
	}
}
