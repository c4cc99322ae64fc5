package processor

import (
	"context"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/connectors/zohobooks"
)

// takeAdvances applies the money that came before the order (accounting rule 9) to its invoice: each advance is moved to the
// order's contact and applied by one update of the payment. What the invoice doesn't take stays the customer's credit.
func (a *attempt) takeAdvances(st *OrderState) (*OrderState, *ending) {
	for _, p := range st.Payments { // as they were: each that is applied makes another state
		if !p.Advance || p.Pending || p.Currency != st.Currency {
			continue
		}
		free := p.Excess.Sub(p.Refunded)
		// A payment of which something was returned can't be changed any more: a person applies the rest.
		parts := st.owing(free)
		if len(parts) == 0 || p.Refunded.Sign() > 0 {
			continue
		}
		if end := a.applyAdvance(&p, st.ContactID, parts); end != nil {
			return nil, end
		}
		p.Advance, p.Applied, p.Further = false, sumOfParts(parts), st.further(parts)
		p.Excess = p.Excess.Sub(p.Applied)
		st = st.withPayment(p)
		a.afterwards(st)
	}
	return st, nil
}

// overtakenAdvance applies an advance to the invoice that its order got while the advance was in doubt: the order did not know of it for sure.
func (a *attempt) overtakenAdvance(plan *paymentPlan) *ending {
	if contact := a.tenant.org().AdvanceContact; contact == "" || plan.Request.CustomerID != contact || len(plan.Request.Invoices) > 0 {
		return nil
	}
	for id, st := range a.result.orders {
		p := st.payment(a.ref.ID)
		if st.Invoice == nil || p.Excess.IsZero() {
			continue
		}
		late := *p
		late.Advance = true
		now, end := a.takeAdvances(st.withPayment(late))
		if end != nil {
			return end
		}
		a.result.orders[id] = now
	}
	return nil
}

// applyAdvance makes the update. It sets what the payment is applied to rather than adding to it, but a twin that lands later
// could undo what was applied since: in doubt it waits for the horizon as every write without a unique field.
func (a *attempt) applyAdvance(p *PaymentState, contactID string, parts []application) *ending {
	books := a.tenant.books
	req := &zohobooks.PaymentRequest{CustomerID: contactID}
	for _, part := range parts {
		req.Invoices = append(req.Invoices, zohobooks.AppliedInvoice{InvoiceID: part.InvoiceID, AmountApplied: zohobooks.NewAmount(part.Amount)})
	}
	var now *zohobooks.Payment
	end := a.once(stepAdvance+":"+p.DocumentID, false, nil,
		func() (bool, error) {
			err := a.read(func(ctx context.Context) (err error) {
				now, err = books.GetPayment(ctx, p.DocumentID)
				return err
			})
			if err != nil {
				return false, err
			}
			sum := decimal.Zero
			for _, ap := range now.Invoices {
				if ap.InvoiceID == parts[0].InvoiceID {
					sum = sum.Add(ap.AmountApplied.Decimal)
				}
			}
			return sum.Equal(parts[0].Amount), nil
		},
		func(ctx context.Context) (err error) {
			now, err = books.UpdatePayment(ctx, p.DocumentID, req)
			return err
		})
	if end == nil && now != nil {
		a.document(a.paymentDocument(now))
	}
	return end
}
