package processor

import (
	"context"
	"maps"
	"slices"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/schemas"
)

// applyPayment records the payment on its invoices: one call. What no invoice takes stays as the customer's credit.
func (a *attempt) applyPayment() *ending {
	states := make(map[string]*OrderState, len(a.states))
	for id, st := range a.states {
		if st.Invoice == nil && (a.tenant.org().Advances != advanceUnapplied || a.tenant.org().AdvanceContact == "") {
			return &ending{reject: &Rejection{Class: "dependency.missing", Retryable: "after-fix", Message: noInvoice(id, st) +
				": record the money in Zoho Books by hand or refund it at the gateway"}}
		}
		states[id] = st.withoutPayment(a.ref.ID)
	}
	if rej := a.convertPayment(states); rej != nil {
		return &ending{reject: rej}
	}
	if end := a.takesAll(states); end != nil {
		return end
	}
	plan := a.prog.Payment
	if plan == nil {
		var rej *Rejection
		if plan, rej = a.planPayment(states); rej != nil {
			return &ending{reject: rej}
		}
	}
	pay, end := a.postPayment(plan, states)
	if end != nil && end.reject != nil && end.reject.Code == codeOverBalance {
		pay, end = a.postOverBalance(plan, states)
	}
	if end != nil {
		return end
	}
	if end := a.paid(pay, states); end != nil {
		return end
	}
	if end := a.overtakenAdvance(plan); end != nil {
		return end
	}
	a.moved(plan.TrueDate, pay.Date)
	return nil
}

// takesAll lists the documents of an order that was rebuilt from its first invoice, should that owe less than this payment
// pays: there may be further invoices.
func (a *attempt) takesAll(states map[string]*OrderState) *ending {
	for _, al := range allocations(a.payment) {
		st := states[al.OrderID]
		if st == nil || !st.Partial || al.Amount.LessThanOrEqual(st.Balance()) {
			continue
		}
		full, err := a.completed(al.OrderID, st)
		if err != nil {
			return a.failed("listing the order's documents", err)
		}
		states[al.OrderID] = full.withoutPayment(a.ref.ID)
	}
	return nil
}

// postOverBalance goes on where the invoices owe less than was planned: this payment itself landed late, or somebody
// recorded money by hand, and it's planned again with what the invoices owe now.
func (a *attempt) postOverBalance(plan *paymentPlan, states map[string]*OrderState) (*zohobooks.Payment, *ending) {
	pay, end := look(a, stepPayment, func() (*zohobooks.Payment, error) { return a.findPayment(plan.Request.Reference) }, a.adoptPayment)
	if pay != nil || end != nil {
		return pay, end
	}
	if end := a.refreshed(states); end != nil {
		return nil, end
	}
	plan, rej := a.planPayment(states)
	if rej != nil {
		return nil, &ending{reject: rej}
	}
	return a.postPayment(plan, states)
}

// adoptPayment says whether the payment that was found is this event's.
func (a *attempt) adoptPayment(p *zohobooks.Payment) *ending {
	return a.continued(a.adoptable(fieldOf(p, a.tenant.org().Fields.Payment.Origin), a.paymentDocument(p)))
}

// codeOverBalance is Zoho's 24016: "The amount entered is more than the balance due for this invoice".
const codeOverBalance = "24016"

func noInvoice(id string, st *OrderState) string {
	if st.Cancelled {
		return "order " + id + " was cancelled before it had an invoice"
	}
	return "order " + id + " has no invoice"
}

// postPayment creates the payment. An invoice that's still a draft (its mark-sent was lost) is marked and tried again.
func (a *attempt) postPayment(plan *paymentPlan, states map[string]*OrderState) (*zohobooks.Payment, *ending) {
	a.prog.Payment = plan
	books := a.tenant.books
	intents := make(map[string]*OrderState, len(states))
	for id, st := range states {
		intents[id] = st.withPayment(PaymentState{
			PaymentID: a.ref.ID, Amount: a.payment.Amount, Applied: plan.Applied[id], Further: plan.Further[id], Excess: a.excessOf(id, plan.Excess),
			AccountID: plan.Request.AccountID, Currency: a.payment.Currency, Advance: st.Invoice == nil, Pending: true,
		})
	}
	return keyedCreate(a, stepPayment, intents,
		func() (*zohobooks.Payment, error) { return a.findPayment(plan.Request.Reference) },
		a.adoptPayment,
		func(ctx context.Context) (*zohobooks.Payment, error) {
			p, err := books.CreatePayment(ctx, plan.Request)
			if err == nil || zohobooks.Verdict(err).Action != zohobooks.ActionMarkSentFirst {
				return p, err
			}
			for _, ap := range plan.Request.Invoices {
				if err := books.MarkInvoiceSent(a.ctx, ap.InvoiceID); err != nil {
					return nil, err
				}
			}
			return books.CreatePayment(a.ctx, plan.Request)
		})
}

// excessOf gives the whole excess to the payment's own order, or to the first that it names.
func (a *attempt) excessOf(id string, excess decimal.Decimal) decimal.Decimal {
	owner := a.orderID
	if !slices.Contains(a.orders, owner) {
		owner = a.orders[0]
	}
	if id != owner {
		return decimal.Zero
	}
	return excess
}

// findPayment finds this event's payment: Zoho filters payments by reference only, the key in the document decides.
func (a *attempt) findPayment(reference string) (*zohobooks.Payment, error) {
	books := a.tenant.books
	return withKey(a, a.tenant.org().Fields.Payment.Key, a.ref.key(),
		func(ctx context.Context) ([]zohobooks.Payment, error) {
			return books.FindPaymentsByReference(ctx, reference)
		},
		func(p *zohobooks.Payment) bool { return len(p.Invoices) == 0 },
		func(ctx context.Context, p *zohobooks.Payment) (*zohobooks.Payment, error) {
			return books.GetPayment(ctx, p.PaymentID)
		})
}

// refreshed reads the invoices anew and makes the states owe what they owe.
func (a *attempt) refreshed(states map[string]*OrderState) *ending {
	for _, id := range slices.Sorted(maps.Keys(states)) {
		st := states[id].withoutPayment(rebuilt)
		var byHand []application
		for _, inv := range st.living() {
			now, end := a.readInvoice(inv.ID)
			if end != nil {
				return end
			}
			if now.EInvoice.Status == zohobooks.EInvoicePushed && !inv.Pushed {
				st = st.changed(inv.ID, func(v *InvoiceState) { v.Pushed = true })
			}
			if now.Status == invoiceVoid {
				st = st.withVoid(inv.ID)
			} else if d := st.owes(inv).Sub(now.Balance.Decimal); d.IsPositive() {
				byHand = append(byHand, application{inv.ID, d})
			}
		}
		if sum := sumOfParts(byHand); sum.IsPositive() {
			st = st.withPayment(PaymentState{PaymentID: rebuilt, Amount: sum, Applied: sum, Further: st.further(byHand), Currency: st.Currency})
		}
		states[id] = st
	}
	return nil
}

// readInvoice reads an invoice whole: one call.
func (a *attempt) readInvoice(id string) (*zohobooks.Invoice, *ending) {
	var inv *zohobooks.Invoice
	if err := a.read(func(ctx context.Context) (err error) {
		inv, err = a.tenant.books.GetInvoice(ctx, id)
		return err
	}); err != nil {
		return nil, a.failed("reading the invoice", err)
	}
	a.registered(inv)
	return inv, nil
}

func (a *attempt) paymentDocument(pay *zohobooks.Payment) schemas.Document {
	return schemas.Document{
		Type: "customer_payment", ID: pay.PaymentID, Number: pay.PaymentNumber, URL: a.documentURL("paymentsreceived", pay.PaymentID),
		Status: pay.Status, Date: pay.Date, Total: pay.Amount.Decimal, Balance: pay.UnusedAmount.Decimal, Account: pay.AccountID,
		BaseTotal: a.inBase(pay.BaseAmount, pay.Amount, pay.CurrencyCode, pay.ExchangeRate),
	}
}

// paid notes what Zoho answered: in the orders' states, the outcome and the comparison with the event.
func (a *attempt) paid(pay *zohobooks.Payment, states map[string]*OrderState) *ending {
	applied := make(map[string]decimal.Decimal, len(pay.Invoices))
	for _, ap := range pay.Invoices {
		applied[ap.InvoiceID] = applied[ap.InvoiceID].Add(ap.AmountApplied.Decimal)
	}
	a.result.orders = make(map[string]*OrderState, len(states))
	for id, st := range states {
		var parts []application
		for _, inv := range st.living() {
			parts = append(parts, application{inv.ID, applied[inv.ID]})
		}
		now := st.withPayment(PaymentState{
			PaymentID: a.ref.ID, DocumentID: pay.PaymentID, Amount: pay.Amount.Decimal, Applied: sumOfParts(parts), Further: st.further(parts),
			Excess: a.excessOf(id, pay.UnusedAmount.Decimal), AccountID: pay.AccountID, Currency: a.payment.Currency, Advance: st.Invoice == nil,
		})
		a.result.orders[id] = now
	}
	if end := a.recounted(); end != nil {
		return end
	}
	a.afterwards(slices.Collect(maps.Values(a.result.orders))...)
	a.compared(a.payment.Amount, pay.Amount.Decimal, decimal.Zero)
	a.document(a.paymentDocument(pay))
	match := "match"
	switch {
	case !pay.Amount.Equal(a.payment.Amount):
		match = "amount"
	case pay.CurrencyCode != "" && pay.CurrencyCode != a.payment.Currency:
		match = "currency"
	case pay.Status != "" && pay.Status != "paid" && pay.Status != "success":
		match = "status"
	}
	a.p.compared(a.Organization, match)
	return nil
}

// recounted reads those invoices anew of which Redis knew only a sum that was paid, for this payment may have been a part of it, and those of
// which it may have forgotten what was paid.
func (a *attempt) recounted() *ending {
	sums := make(map[string]*OrderState)
	for id, st := range a.result.orders {
		if st.Partial || slices.ContainsFunc(st.Payments, func(p PaymentState) bool { return p.PaymentID == rebuilt }) {
			sums[id] = st
		}
	}
	if end := a.refreshed(sums); end != nil {
		return end
	}
	maps.Copy(a.result.orders, sums)
	return nil
}
