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
		if st.Invoice == nil {
			return &ending{reject: &Rejection{Class: "dependency.missing", Retryable: "after-fix", Message: noInvoice(id, st) +
				": record the money in Zoho Books by hand or refund it at the gateway"}}
		}
		states[id] = st.withoutPayment(a.ref.ID)
	}
	plan := a.prog.Payment
	if plan == nil {
		var rej *Rejection
		if plan, rej = planPayment(a.payment, a.tenant.org(), states, a.originField()); rej != nil {
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
	return a.paid(pay, states)
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
	plan, rej := planPayment(a.payment, a.tenant.org(), states, a.originField())
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
			PaymentID: a.ref.ID, Amount: a.payment.Amount, Applied: plan.Applied[id], Excess: a.excessOf(id, plan.Excess),
			AccountID: plan.Request.AccountID, Currency: a.payment.Currency, Pending: true,
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
			for _, st := range states {
				if err := books.MarkInvoiceSent(a.ctx, st.Invoice.ID); err != nil {
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
	field, key := a.tenant.org().Fields.Payment.Key, a.ref.key()
	var rows []zohobooks.Payment
	if err := a.read(func(ctx context.Context) (err error) {
		rows, err = a.tenant.books.FindPaymentsByReference(ctx, reference)
		return err
	}); err != nil {
		return nil, err
	}
	for i := range rows {
		full := &rows[i]
		if len(full.Invoices) == 0 || fieldOf(full, field) == "" { // a list row shows less than the document
			if err := a.read(func(ctx context.Context) (err error) {
				full, err = a.tenant.books.GetPayment(ctx, rows[i].PaymentID)
				return err
			}); err != nil {
				return nil, err
			}
		}
		if fieldOf(full, field) == key {
			return full, nil
		}
	}
	return nil, nil
}

// refreshed reads the invoices anew and makes the states owe what they owe.
func (a *attempt) refreshed(states map[string]*OrderState) *ending {
	for _, id := range slices.Sorted(maps.Keys(states)) {
		var inv *zohobooks.Invoice
		if err := a.read(func(ctx context.Context) (err error) {
			inv, err = a.tenant.books.GetInvoice(ctx, states[id].Invoice.ID)
			return err
		}); err != nil {
			return a.failed("reading the invoice", err)
		}
		st := states[id].withoutPayment(rebuilt)
		byHand := st.Balance().Sub(inv.Balance.Decimal)
		if inv.Status == "void" {
			inv2 := *st.Invoice
			inv2.Status = "void"
			st.Invoice = &inv2
		} else if byHand.IsPositive() {
			st = st.withPayment(PaymentState{PaymentID: rebuilt, Amount: byHand, Applied: byHand, Currency: inv.CurrencyCode})
		}
		states[id] = st
	}
	return nil
}

func (a *attempt) paymentDocument(pay *zohobooks.Payment) schemas.Document {
	return schemas.Document{
		Type: "customer_payment", ID: pay.PaymentID, Number: pay.PaymentNumber, URL: a.documentURL("paymentsreceived", pay.PaymentID),
		Status: pay.Status, Date: pay.Date, Total: pay.Amount.Decimal, Balance: pay.UnusedAmount.Decimal, Account: pay.AccountID,
		BaseTotal: optional(pay.BaseAmount.Decimal),
	}
}

// paid notes what Zoho answered: in the orders' states, the outcome and the comparison with the event.
func (a *attempt) paid(pay *zohobooks.Payment, states map[string]*OrderState) *ending {
	applied := make(map[string]decimal.Decimal, len(pay.Invoices))
	for _, ap := range pay.Invoices {
		applied[ap.InvoiceID] = applied[ap.InvoiceID].Add(ap.AmountApplied.Decimal)
	}
	a.result.orders = make(map[string]*OrderState, len(states))
	after := &schemas.InvoiceAfter{}
	for id, st := range states {
		now := st.withPayment(PaymentState{
			PaymentID: a.ref.ID, DocumentID: pay.PaymentID, Amount: pay.Amount.Decimal, Applied: applied[st.Invoice.ID],
			Excess: a.excessOf(id, pay.UnusedAmount.Decimal), AccountID: pay.AccountID, Currency: a.payment.Currency,
		})
		a.result.orders[id] = now
	}
	if end := a.recounted(); end != nil {
		return end
	}
	for _, st := range a.result.orders {
		after.Balance = after.Balance.Add(st.Balance())
	}
	after.Status = "partially_paid"
	if after.Balance.IsZero() {
		after.Status = "paid"
	}
	a.result.invoiceAfter = after
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

// recounted reads those invoices anew of which Redis knew only a sum that was paid: this payment may have been a part of it.
func (a *attempt) recounted() *ending {
	sums := make(map[string]*OrderState)
	for id, st := range a.result.orders {
		if slices.ContainsFunc(st.Payments, func(p PaymentState) bool { return p.PaymentID == rebuilt }) {
			sums[id] = st
		}
	}
	if end := a.refreshed(sums); end != nil {
		return end
	}
	maps.Copy(a.result.orders, sums)
	return nil
}
