package processor

import (
	"fmt"
	"slices"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/schemas"
)

// Explanation is what booksync would do with an event, found out without touching anything: the sums it compares, why it
// would reject, or the requests it would send.
type Explanation struct {
	BusinessID string     `json:"business_id"`
	Sums       []string   `json:"sums,omitempty"`
	Rejected   *Rejection `json:"rejected,omitempty"`
	Requests   []Request  `json:"requests,omitempty"`
	Notes      []string   `json:"notes,omitempty"`
}

// Request is one planned call of Zoho Books. Ids that only a run knows stand in angle brackets.
type Request struct {
	Call string `json:"call"` // method and path
	When string `json:"when,omitempty"`
	Body any    `json:"body,omitempty"`
}

// explained holds the placeholders of ids that only a run knows.
const (
	unknownContact = "<contact>"
	unknownInvoice = "<invoice>"
)

// ExplainOrder explains an order event. Cancellations are explained as if the invoice were posted and unpaid.
func ExplainOrder(o *schemas.Order, org *Organization) Explanation {
	sums, rej := checkOrder(o, org)
	e := Explanation{BusinessID: ClaimRef{RoleOrder, o.OrderID}.key(), Sums: lines(sums), Rejected: rej}
	if rej != nil {
		return e
	}
	if o.Kind == schemas.OrderCancelled {
		e.BusinessID = ClaimRef{RoleCancel, o.OrderID}.key()
		e.Requests = []Request{{Call: "POST /invoices/" + unknownInvoice + "/status/void", When: "unpaid, uncredited and in the same open period"}}
		e.Notes = append(e.Notes, "else a credit note for what is left is created and applied; without an invoice only a tombstone is kept in Redis")
		return e
	}
	plan, rej := planInvoice(o, org, unknownContact, "<origin>")
	if rej != nil {
		e.Rejected = rej
		return e
	}
	if plan.Skip {
		e.Notes = append(e.Notes, "the total is zero and the policy says skip: nothing is posted")
		return e
	}
	contact := planContact(&o.Customer, o.Currency, org, o.OccurredAt)
	e.Requests = []Request{
		{Call: "POST /contacts", When: "once, for a customer not known yet: " + contact.Key, Body: contact.Request},
		{Call: "POST /invoices", Body: plan.Request},
	}
	if org.InvoicePolicy != "draft" {
		e.Requests = append(e.Requests, Request{Call: "POST /invoices/status/sent", When: "together with up to 24 other invoices"})
	}
	if o.Currency != org.BaseCurrency && !o.ExchangeRate.Valid {
		e.Notes = append(e.Notes, "exchange_rate is added: Zoho's of the day, which is read once")
	}
	if c := plan.Returned; c != nil {
		e.credit(c)
	}
	e.Notes = append(e.Notes, fmt.Sprintf("Zoho must answer a total of %s with %s tax", plan.Total, plan.Tax))
	if !plan.Difference.IsZero() {
		e.Notes = append(e.Notes, fmt.Sprintf("%s of rounding goes into the adjustment, and into the outcome's difference", plan.Difference))
	}
	return e
}

// ExplainPayment explains a payment event, as if its orders' invoices owed what it pays.
func ExplainPayment(p *schemas.Payment, org *Organization) Explanation {
	sums, rej := checkPayment(p, org)
	e := Explanation{BusinessID: ClaimRef{RolePayment, p.PaymentID}.key(), Sums: lines(sums), Rejected: rej}
	if rej != nil {
		return e
	}
	if p.Kind != schemas.PaymentCaptured {
		e.dispute(p, org)
		return e
	}
	parts := p.Allocations
	if len(parts) == 0 {
		parts = []schemas.Allocation{{OrderID: p.OrderID, Amount: p.Amount}}
	}
	states := make(map[string]*OrderState, len(parts))
	for _, part := range parts {
		states[part.OrderID] = &OrderState{
			ContactID: unknownContact, Currency: p.Currency, ExchangeRate: p.ExchangeRate,
			Invoice: &InvoiceState{ID: "<invoice of " + part.OrderID + ">", Status: "sent", Total: part.Amount},
		}
	}
	plan, rej := planPayment(p, org, states, "<origin>")
	if rej != nil {
		e.Rejected = rej
		return e
	}
	e.Requests = []Request{{Call: "POST /customerpayments", When: "as soon as every order has its invoice", Body: plan.Request}}
	e.Notes = append(e.Notes, "what an invoice does not owe any more stays as the customer's credit")
	return e
}

// dispute explains what a gateway did to a captured payment.
func (e *Explanation) dispute(p *schemas.Payment, org *Organization) {
	e.BusinessID = ClaimRef{paymentRoles[p.Kind], p.PaymentID}.key()
	if p.Kind == schemas.PaymentReversed && org.ReversalPolicy == reversalCredit {
		e.Notes = append(e.Notes, "the order is credited and the money returned, as by a refund of this amount without lines")
		return
	}
	req, rej := planDispute(p, org, decimal.Zero)
	if rej != nil {
		e.Rejected = rej
		return
	}
	e.Requests = []Request{{Call: "POST /journals", When: "as soon as the payment is posted", Body: req}}
	if p.Kind == schemas.PaymentReversed {
		e.Notes = append(e.Notes, "what was disputed before leaves the disputes account, not the clearing account")
	}
}

// ExplainRefund explains a refund event. With the order event it belongs to, the order is taken as posted and paid in
// full, and the credit note is planned; without one only the checks are shown.
func ExplainRefund(r *schemas.Refund, org *Organization, order *schemas.Order) Explanation {
	sums, rej := checkRefund(r, org)
	e := Explanation{BusinessID: ClaimRef{RoleRefund, r.RefundID}.key(), Sums: lines(sums), Rejected: rej}
	if rej != nil {
		return e
	}
	if order == nil {
		e.Notes = append(e.Notes, "the credit note is planned from the order's invoice: give the order event too to see it")
		return e
	}
	if _, rej := checkOrder(order, org); rej != nil {
		e.Rejected = rej
		return e
	}
	inv, rej := planInvoice(order, org, unknownContact, "<origin>")
	if rej != nil {
		e.Rejected = rej
		return e
	}
	plan, rej := planRefund(r, org, postedAndPaid(order, inv), "<origin>")
	if rej != nil {
		e.Rejected = rej
		return e
	}
	e.refund(plan)
	return e
}

// postedAndPaid is the state of an order whose invoice was posted as planned and paid in full.
func postedAndPaid(o *schemas.Order, plan *invoicePlan) *OrderState {
	posted := slices.Clone(plan.Lines)
	for i := range posted {
		posted[i].InvoiceItemID = fmt.Sprintf("<line %s>", posted[i].LineID)
	}
	return &OrderState{
		ContactID: unknownContact, Currency: o.Currency, ExchangeRate: o.ExchangeRate, InclusiveTax: o.PricesIncludeTax,
		Invoice:  &InvoiceState{ID: unknownInvoice, Status: "sent", Total: plan.Total, Tax: plan.Tax, Adjustment: plan.Request.Adjustment.Decimal, Lines: posted},
		Payments: []PaymentState{{PaymentID: "<payment>", DocumentID: "<payment>", Amount: plan.Total, Applied: plan.Total, Currency: o.Currency}},
	}
}

func (e *Explanation) refund(plan *refundPlan) {
	if c := plan.Credit; c != nil {
		e.credit(c)
	}
	if plan.FromCredit != nil {
		e.Requests = append(e.Requests, Request{Call: "POST /creditnotes/<credit note>/refunds", Body: plan.FromCredit})
	}
	for _, n := range plan.FromNotes {
		e.Requests = append(e.Requests, Request{Call: "POST /creditnotes/" + n.NoteID + "/refunds", Body: n.Request})
	}
	if plan.Fee != nil {
		e.Requests = append(e.Requests, Request{Call: "POST /journals", Body: plan.Fee})
	}
	for _, x := range plan.FromExcess {
		e.Requests = append(e.Requests, Request{Call: "POST /customerpayments/" + x.PaymentDocumentID + "/refunds", Body: x.Request})
	}
}

func (e *Explanation) credit(c *creditPlan) {
	e.Requests = append(e.Requests, Request{Call: "POST /creditnotes", Body: c.Request})
	if c.Apply.IsPositive() {
		e.Requests = append(e.Requests, Request{Call: "POST /creditnotes/<credit note>/invoices", Body: map[string]decimal.Decimal{"amount_applied": c.Apply}})
	}
}

// lines are the sums for people.
func lines(a *arithmetic) []string {
	out := make([]string, len(a.Sums))
	for i, s := range a.Sums {
		out[i] = s.String()
	}
	return out
}
