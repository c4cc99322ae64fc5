package processor

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/schemas"
)

// A workflow in shadow decodes, checks and plans as always, looks into the books with calls of the lowest class, and says in
// a SHADOW outcome what it would have written and how that differs from what is there: from its own documents, by their
// key, or from another program's, by the reference number that booksync would have given. It takes no claim and writes
// nothing; nothing waits, so an order or payment that isn't in the books is assumed to be as the event needs it.

// maxShadowPlan bounds the plan in an outcome, in bytes.
const maxShadowPlan = 64 << 10

// shadowed is the comparison under way.
type shadowed struct {
	requests []Request
	rejected *Rejection
	schemas.Shadow
	expected, posted decimal.NullDecimal
	notes            []string
}

// inShadow says whether the record's workflow is only shadowed.
func (a *attempt) inShadow() bool { return a.tenant.org().mode(a.workflow) == ModeShadow }

// shadow plans and compares. Its ending is a SHADOW verdict, or a park where the books could not be asked.
func (a *attempt) shadow() *ending {
	a.class, a.reads = zohobooks.ClassOperator, zohobooks.ClassOperator
	if park := a.tenant.gate.park(a.class); park != nil {
		return &ending{park: park}
	}
	s := &shadowed{rejected: a.refused}
	var err error
	if a.refused == nil {
		switch {
		case a.workflow == WorkflowPayment:
			err = a.shadowPayment(s)
		case a.workflow == WorkflowRefund:
			err = a.shadowRefund(s)
		case a.ref.Role == RoleCancel:
			err = a.shadowCancel(s)
		default:
			err = a.shadowOrder(s)
		}
	}
	if err != nil {
		end := a.failed("comparing with the books", err)
		if end.reject == nil {
			return end
		}
		// What the books refuse to answer must not turn a look into a dead letter.
		s.notes = append(s.notes, "not compared: "+end.reject.Message)
	}
	return &ending{shadow: s}
}

// shadowOrder compares an order's invoice.
func (a *attempt) shadowOrder(s *shadowed) error {
	org := a.tenant.org()
	plan, rej := a.planInvoice(org)
	if rej != nil {
		s.rejected = rej
	} else {
		s.requests = ExplainOrder(a.order, org).Requests
		s.expected = decimal.NewNullDecimal(plan.Total)
	}
	inv, err := a.invoiceInBooks(a.orderID, orderReference(a.order))
	if err != nil {
		return err
	}
	if inv != nil {
		s.Found = append(s.Found, a.invoiceDocument(inv))
		s.posted = decimal.NewNullDecimal(inv.Total.Decimal)
	}
	if plan != nil && plan.Skip {
		s.notes = append(s.notes, "the total is zero and the policy says skip")
	}
	if plan == nil || plan.Skip {
		s.differ("invoice", "none", present(inv != nil))
		return nil
	}
	s.differ("invoice", present(true), present(inv != nil))
	if inv == nil {
		return nil
	}
	req := plan.Request
	s.differ("invoice.date", req.Date, inv.Date)
	if req.DueDate != "" {
		s.differ("invoice.due_date", req.DueDate, inv.DueDate)
	}
	s.differ("invoice.customer_name", planContact(&a.order.Customer, a.order.Currency, org, a.OccurredAt).Request.ContactName, inv.CustomerName)
	s.differ("invoice.currency", a.order.Currency, inv.CurrencyCode)
	if a.order.Currency != org.BaseCurrency {
		s.differAmount("invoice.exchange_rate", req.ExchangeRate.Decimal, inv.ExchangeRate.Decimal)
	}
	s.differ("invoice.reference_number", req.Reference, inv.Reference)
	s.differAmount("invoice.total", plan.Total, inv.Total.Decimal)
	s.differAmount("invoice.tax", plan.Tax, inv.TaxTotal.Decimal)
	s.differAmount("invoice.adjustment", req.Adjustment.Decimal, inv.Adjustment.Decimal)
	s.differLines("invoice", req.LineItems, inv.LineItems)
	if inv.Status == invoiceVoid {
		s.differ("invoice.status", "sent", inv.Status)
	}
	return nil
}

// invoiceInBooks is the order's invoice with its lines, by its key or else by its reference number; nil when there's none.
func (a *attempt) invoiceInBooks(orderID, reference string) (*zohobooks.Invoice, error) {
	inv, err := a.findInvoice(ClaimRef{RoleOrder, orderID}.key())
	if err != nil || inv != nil {
		return inv, err
	}
	var rows []zohobooks.Invoice
	if err := a.read(func(ctx context.Context) (err error) {
		rows, err = a.tenant.books.FindInvoicesByReference(ctx, reference)
		return err
	}); err != nil || len(rows) == 0 {
		return nil, err
	}
	err = a.read(func(ctx context.Context) (err error) {
		inv, err = a.tenant.books.GetInvoice(ctx, rows[0].InvoiceID)
		return err
	})
	return inv, err
}

// shadowCancel plans a cancellation with the order as the books hold it.
func (a *attempt) shadowCancel(s *shadowed) error {
	org := a.tenant.org()
	s.requests = ExplainOrder(a.order, org).Requests
	inv, err := a.invoiceInBooks(a.orderID, orderReference(a.order))
	if err != nil {
		return err
	}
	if inv == nil {
		s.requests, s.notes = nil, append(s.notes, "the order has no invoice: only a tombstone would be kept")
		return nil
	}
	s.Found = append(s.Found, a.invoiceDocument(inv))
	st, err := a.completed(a.orderID, a.stateFrom(inv))
	if err != nil {
		return err
	}
	plan, rej := planCancel(a.order, org, st, a.originField())
	switch {
	case rej != nil:
		s.rejected, s.requests = rej, nil
	case plan.Void:
		s.differ("invoice.status", invoiceVoid, inv.Status)
	case plan.Credit != nil:
		s.requests = []Request{
			{Call: "POST /creditnotes", Body: plan.Credit.Request},
			{Call: "POST /creditnotes/<credit note>/invoices", Body: map[string]decimal.Decimal{"amount_applied": plan.Credit.Apply}},
		}
		s.expected = decimal.NewNullDecimal(plan.Credit.Total)
		s.differ("credit_note", present(true), present(false))
	default:
		s.requests = nil
	}
	return nil
}

// shadowPayment compares a payment.
func (a *attempt) shadowPayment(s *shadowed) error {
	org, p := a.tenant.org(), a.payment
	found, err := a.paymentInBooks(paymentReference(p))
	if err != nil {
		return err
	}
	states := make(map[string]*OrderState)
	for _, al := range allocations(p) {
		inv, err := a.invoiceInBooks(al.OrderID, reference(al.OrderID))
		if err != nil {
			return err
		}
		if inv == nil {
			s.notes = append(s.notes, "order "+al.OrderID+" is not in the books: planned as if it were, and owed what is paid")
			states[al.OrderID] = owing(&al, p)
			continue
		}
		states[al.OrderID] = before(a.stateFrom(inv), found)
	}
	plan, rej := planPayment(p, org, states, a.originField())
	if rej != nil {
		s.rejected = rej
	} else {
		s.requests = []Request{{Call: "POST /customerpayments", Body: plan.Request}}
	}
	s.expected = decimal.NewNullDecimal(p.Amount)
	if found != nil {
		s.Found = append(s.Found, a.paymentDocument(found))
		s.posted = decimal.NewNullDecimal(found.Amount.Decimal)
	}
	s.differ("payment", present(plan != nil), present(found != nil))
	if plan == nil || found == nil {
		return nil
	}
	req := plan.Request
	s.differ("payment.date", req.Date, found.Date)
	s.differAmount("payment.amount", req.Amount.Decimal, found.Amount.Decimal)
	s.differ("payment.currency", p.Currency, found.CurrencyCode)
	s.differ("payment.account_id", req.AccountID, found.AccountID)
	s.differ("payment.payment_mode", req.PaymentMode, found.PaymentMode)
	s.differAmount("payment.bank_charges", req.BankCharges.Decimal, found.BankCharges.Decimal)
	s.differAmount("payment.unused_amount", plan.Excess, found.UnusedAmount.Decimal)
	return nil
}

// paymentInBooks is the payment with this reference; of several, the one that carries this event's key.
func (a *attempt) paymentInBooks(reference string) (*zohobooks.Payment, error) {
	books, field, key := a.tenant.books, a.tenant.org().Fields.Payment.Key, a.ref.key()
	var rows []zohobooks.Payment
	if err := a.read(func(ctx context.Context) (err error) {
		rows, err = books.FindPaymentsByReference(ctx, reference)
		return err
	}); err != nil || len(rows) == 0 {
		return nil, err
	}
	chosen := 0
	for i := range rows {
		if fieldOf(&rows[i], field) == key {
			chosen = i
		}
	}
	var full *zohobooks.Payment
	err := a.read(func(ctx context.Context) (err error) {
		full, err = books.GetPayment(ctx, rows[chosen].PaymentID)
		return err
	})
	return full, err
}

// owing is the state of an order that isn't in the books, as the payment needs it.
func owing(al *schemas.Allocation, p *schemas.Payment) *OrderState {
	return &OrderState{
		ContactID: unknownContact, Currency: p.Currency, ExchangeRate: p.ExchangeRate,
		Invoice: &InvoiceState{ID: "<invoice of " + al.OrderID + ">", Status: "sent", Total: al.Amount},
	}
}

// before is the order's state without what the found payment has applied to its invoice.
func before(st *OrderState, found *zohobooks.Payment) *OrderState {
	if found == nil {
		return st
	}
	for _, ap := range found.Invoices {
		if ap.InvoiceID != st.Invoice.ID {
			continue
		}
		for i := range st.Payments {
			st.Payments[i].Applied = st.Payments[i].Applied.Sub(ap.AmountApplied.Decimal)
		}
	}
	return st
}

// shadowRefund compares a refund's credit note and what is returned from it.
func (a *attempt) shadowRefund(s *shadowed) error {
	org, r := a.tenant.org(), a.refund
	note, err := a.noteInBooks(reference(r.RefundID))
	if err != nil {
		return err
	}
	if note != nil {
		s.Found = append(s.Found, a.noteDocument(note))
		s.posted = decimal.NewNullDecimal(note.RefundedAmount.Decimal)
	}
	s.expected = decimal.NewNullDecimal(r.Amount)
	inv, err := a.invoiceInBooks(a.orderID, reference(a.orderID))
	if err != nil {
		return err
	}
	var plan *refundPlan
	if inv == nil {
		s.notes = append(s.notes, "order "+a.orderID+" is not in the books: the credit note is not planned")
	} else {
		st, err := a.completed(a.orderID, a.stateFrom(inv))
		if err != nil {
			return err
		}
		if note != nil {
			st = st.without(a.ref.key())
		}
		var rej *Rejection
		if plan, rej = planRefund(r, org, st, a.originField()); rej != nil {
			s.rejected = rej
		} else {
			var e Explanation
			e.refund(plan)
			s.requests = e.Requests
		}
	}
	s.differ("credit_note", present(plan == nil && s.rejected == nil || plan != nil && plan.Credit != nil), present(note != nil))
	if note == nil {
		return nil
	}
	s.differAmount("credit_note.refunded", r.Amount, note.RefundedAmount.Decimal)
	s.differ("credit_note.currency", r.Currency, note.CurrencyCode)
	if plan != nil && plan.Credit != nil {
		s.differ("credit_note.date", plan.Credit.Request.Date, note.Date)
		s.differAmount("credit_note.total", plan.Credit.Total, note.Total.Decimal)
		s.differAmount("credit_note.tax", plan.Credit.Tax, note.TaxTotal.Decimal)
		s.differLines("credit_note", plan.Credit.Request.LineItems, note.LineItems)
	}
	return nil
}

// noteInBooks is the credit note with this reference; nil when there's none.
func (a *attempt) noteInBooks(reference string) (*zohobooks.CreditNote, error) {
	var rows []zohobooks.CreditNote
	if err := a.read(func(ctx context.Context) (err error) {
		rows, err = a.tenant.books.FindCreditNotesByReference(ctx, reference)
		return err
	}); err != nil || len(rows) == 0 {
		return nil, err
	}
	var full *zohobooks.CreditNote
	err := a.read(func(ctx context.Context) (err error) {
		full, err = a.tenant.books.GetCreditNote(ctx, rows[0].CreditNoteID)
		return err
	})
	return full, err
}

func (a *attempt) noteDocument(n *zohobooks.CreditNote) schemas.Document {
	return schemas.Document{
		Type: "credit_note", ID: n.CreditNoteID, Number: n.CreditNoteNumber, URL: a.documentURL("creditnotes", n.CreditNoteID),
		Status: n.Status, Date: n.Date, Total: n.Total.Decimal, Tax: n.TaxTotal.Decimal, Balance: n.Balance.Decimal,
		BaseTotal: optional(n.BaseTotal.Decimal),
	}
}

// present is how a document that's there, or not, is called in a difference.
func present(there bool) string {
	if there {
		return "one"
	}
	return "none"
}

// differ notes a difference of texts. What Zoho's answer leaves out is not compared.
func (s *shadowed) differ(field, planned, found string) {
	if planned != found && (found != "" || !strings.Contains(field, ".")) {
		s.Differences = append(s.Differences, schemas.ShadowDifference{Field: field, Planned: planned, Found: found})
	}
}

func (s *shadowed) differAmount(field string, planned, found decimal.Decimal) {
	if !planned.Equal(found) {
		s.differ(field, planned.String(), found.String())
	}
}

// differLines compares lines in their order.
func (s *shadowed) differLines(document string, planned, found []zohobooks.LineItem) {
	if len(planned) != len(found) {
		s.differ(document+".lines", fmt.Sprint(len(planned)), fmt.Sprint(len(found)))
		return
	}
	for i := range planned {
		p, f, at := &planned[i], &found[i], fmt.Sprintf("%s.lines[%d].", document, i+1)
		s.differAmount(at+"quantity", p.Quantity.Decimal, f.Quantity.Decimal)
		s.differAmount(at+"rate", p.Rate.Decimal, f.Rate.Decimal)
		if p.ItemID != "" {
			s.differ(at+"item_id", p.ItemID, f.ItemID)
		}
		if p.AccountID != "" {
			s.differ(at+"account_id", p.AccountID, f.AccountID)
		}
		s.differ(at+"tax_id", p.TaxID, f.TaxID)
	}
}

// shadowOutcome is the verdict: what would have been written, or why nothing. Its id is not that of the verdict to come should
// the record be worked once more.
func (a *attempt) shadowOutcome(s *shadowed) *schemas.Outcome {
	out := a.outcome(schemas.StatusShadow)
	out.OutcomeID = OutcomeID(a.p.cfg.Group+"\x00shadow", a.d.Record.Topic, a.d.Record.Partition, a.d.Record.Offset)
	if len(s.requests) > 0 && s.rejected == nil {
		var plan strings.Builder
		enc := json.NewEncoder(&plan)
		enc.SetEscapeHTML(false) // placeholders stand in angle brackets
		switch err := enc.Encode(s.requests); {
		case err != nil:
			s.notes = append(s.notes, "the plan could not be written down: "+err.Error())
		case plan.Len() > maxShadowPlan:
			s.notes = append(s.notes, fmt.Sprintf("the plan of %d bytes is left out", plan.Len()))
		default:
			s.Plan = strings.TrimSuffix(plan.String(), "\n")
		}
	}
	if s.rejected != nil {
		out.Error = &schemas.Failure{Class: s.rejected.Class, Code: s.rejected.Code, Message: cut(s.rejected.Message, maxMessage)}
	}
	out.Shadow, out.Documents = &s.Shadow, nil
	out.Expected, out.Posted = s.expected, s.posted
	if out.Expected.Valid && out.Posted.Valid {
		out.Difference = decimal.NewNullDecimal(out.Posted.Decimal.Sub(out.Expected.Decimal))
	}
	out.Reason = cut(strings.Join(s.notes, "; "), maxMessage)
	return out
}
