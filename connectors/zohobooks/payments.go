package zohobooks

import (
	"context"
	"iter"
	"net/http"
	"net/url"
)

// Payment is a customer payment as the API answers it.
type Payment struct {
	PaymentID            string            `json:"payment_id"`
	PaymentNumber        string            `json:"payment_number"`
	Date                 string            `json:"date"`
	CustomerID           string            `json:"customer_id"`
	PaymentMode          string            `json:"payment_mode"`
	AccountID            string            `json:"account_id"`
	CurrencyCode         string            `json:"currency_code"`
	ExchangeRate         Amount            `json:"exchange_rate"`
	Amount               Amount            `json:"amount"`
	UnusedAmount         Amount            `json:"unused_amount"`
	BankCharges          Amount            `json:"bank_charges"`
	Reference            string            `json:"reference_number"`
	Description          string            `json:"description"`
	Invoices             []AppliedInvoice  `json:"invoices"`
	CustomFields         []CustomField     `json:"custom_fields"`
	FieldHash            map[string]string `json:"custom_field_hash"`
	Refunds              []Refund          `json:"payment_refunds"`
	InvoiceNumbers       string            `json:"invoice_numbers"` // list rows only
	CustomerName         string            `json:"customer_name"`
	BankChargesAccountID string            `json:"bank_charges_account_id"`
	CreatedTime          string            `json:"created_time"`
	Status               string            `json:"payment_status"`
	BaseAmount           Amount            `json:"bcy_amount"`          // list rows only
	BaseRefunded         Amount            `json:"bcy_refunded_amount"` // list rows only
	LastModified         string            `json:"last_modified_time"`  // list rows only
}

// Field is the value of a custom field, and whether it was answered.
func (p *Payment) Field(apiName string) (string, bool) {
	return FieldValue(p.CustomFields, p.FieldHash, apiName)
}

// AppliedInvoice is the part of a payment that settles one invoice.
type AppliedInvoice struct {
	InvoiceID        string `json:"invoice_id"`
	InvoicePaymentID string `json:"invoice_payment_id,omitempty"`
	InvoiceNumber    string `json:"invoice_number,omitempty"`
	AmountApplied    Amount `json:"amount_applied"`
	Total            Amount `json:"total,omitzero"`
	Balance          Amount `json:"balance,omitzero"`
}

// PaymentRequest is the body of a create.
type PaymentRequest struct {
	CustomerID           string           `json:"customer_id,omitempty"`
	PaymentMode          string           `json:"payment_mode,omitempty"`
	Amount               Amount           `json:"amount,omitzero"`
	Date                 string           `json:"date,omitempty"`
	Reference            string           `json:"reference_number,omitempty"`
	Description          string           `json:"description,omitempty"`
	ExchangeRate         Amount           `json:"exchange_rate,omitzero"`
	BankCharges          Amount           `json:"bank_charges,omitzero"`
	BankChargesAccountID string           `json:"bank_charges_account_id,omitempty"` // UNCONFIRMED in requests, see the dossier 4.6
	AccountID            string           `json:"account_id,omitempty"`
	Invoices             []AppliedInvoice `json:"invoices"`
	LocationID           string           `json:"location_id,omitempty"`
	CustomFields         []CustomField    `json:"custom_fields,omitempty"`
}

// RefundRequest is the body of a refund of a payment's excess or of a credit note.
type RefundRequest struct {
	Date          string `json:"date"`
	RefundMode    string `json:"refund_mode,omitempty"`
	Amount        Amount `json:"amount"`
	FromAccountID string `json:"from_account_id"`
	Reference     string `json:"reference_number,omitempty"`
	ExchangeRate  Amount `json:"exchange_rate,omitzero"`
	Description   string `json:"description,omitempty"`
}

// Refund is a refund entry of a payment (PaymentRefundID) or a credit note (CreditNoteRefundID).
type Refund struct {
	PaymentRefundID    string `json:"payment_refund_id"`
	CreditNoteRefundID string `json:"creditnote_refund_id"`
	CreditNoteID       string `json:"creditnote_id"`
	Date               string `json:"date"`
	RefundMode         string `json:"refund_mode"`
	Amount             Amount `json:"amount"`
	BaseAmount         Amount `json:"amount_bcy"`
	AmountFCY          Amount `json:"amount_fcy"` // list rows have this in place of Amount
	PaymentID          string `json:"payment_id"`
	FromAccountID      string `json:"from_account_id"`
	Reference          string `json:"reference_number"`
	Description        string `json:"description"`
}

// ID is the entry's own id, whichever it is.
func (r *Refund) ID() string {
	if r.CreditNoteRefundID != "" {
		return r.CreditNoteRefundID
	}
	return r.PaymentRefundID
}

// Value is the refund's amount in the document's currency, whichever field it came in.
func (r *Refund) Value() Amount {
	if r.Amount.IsZero() {
		return r.AmountFCY
	}
	return r.Amount
}

const payments = "/customerpayments"

type paymentAnswer struct {
	head
	Payment *Payment `json:"payment"`
}

func (a *paymentAnswer) complete() bool { return a.Payment != nil && a.Payment.PaymentID != "" }

type paymentsAnswer struct {
	head
	Payments []Payment   `json:"customerpayments"`
	Page     pageContext `json:"page_context"`
}

func (a *paymentsAnswer) complete() bool       { return a.Payments != nil }
func (a *paymentsAnswer) rows() []Payment      { return a.Payments }
func (a *paymentsAnswer) context() pageContext { return a.Page }

func newPaymentsAnswer() listAnswer[Payment] { return new(paymentsAnswer) }

// paymentRefundAnswer: the documents have a list under payment_refunds where one object under payment_refund would be Zoho's habit.
type paymentRefundAnswer struct {
	head
	List []Refund    `json:"payment_refunds"`
	One  *Refund     `json:"payment_refund"`
	Page pageContext `json:"page_context"`
}

func (a *paymentRefundAnswer) refund() *Refund {
	if a.One == nil && len(a.List) > 0 {
		return &a.List[len(a.List)-1]
	}
	return a.One
}

func (a *paymentRefundAnswer) complete() bool { return a.refund() != nil && a.refund().ID() != "" }

type paymentRefundsAnswer struct {
	head
	List []Refund    `json:"payment_refunds"`
	Page pageContext `json:"page_context"`
}

func (a *paymentRefundsAnswer) complete() bool       { return a.List != nil }
func (a *paymentRefundsAnswer) rows() []Refund       { return a.List }
func (a *paymentRefundsAnswer) context() pageContext { return a.Page }

// CreatePayment posts a customer payment. One call.
func (c *Client) CreatePayment(ctx context.Context, req *PaymentRequest) (*Payment, error) {
	var a paymentAnswer
	err := c.do(ctx, &call{method: http.MethodPost, resource: payments, path: payments, body: req, keyed: len(req.CustomFields) > 0}, &a)
	if err != nil {
		return nil, err
	}
	return a.Payment, nil
}

// UpdatePayment changes what the request names; invoices, when not nil, replace all applications. One call.
func (c *Client) UpdatePayment(ctx context.Context, id string, req *PaymentRequest) (*Payment, error) {
	var body any = req
	if req.Invoices == nil {
		body = struct {
			*PaymentRequest
			Invoices []AppliedInvoice `json:"invoices,omitempty"` // hides the one that is always written
		}{PaymentRequest: req}
	}
	var a paymentAnswer
	if err := c.one(ctx, http.MethodPut, payments, id, "", body, &a); err != nil {
		return nil, err
	}
	return a.Payment, nil
}

// UpdatePaymentCustomFields sets custom fields only. One call.
func (c *Client) UpdatePaymentCustomFields(ctx context.Context, id string, fields []CustomField) error {
	return c.one(ctx, http.MethodPut, "/customerpayment", id, "/customfields", fields, new(head))
}

// GetPayment reads a payment whole. One call.
func (c *Client) GetPayment(ctx context.Context, id string) (*Payment, error) {
	var a paymentAnswer
	if err := c.one(ctx, http.MethodGet, payments, id, "", nil, &a); err != nil {
		return nil, err
	}
	return a.Payment, nil
}

// ListPayments walks the payments, 200 a call. Rows have no invoices and no custom fields.
func (c *Client) ListPayments(ctx context.Context, opts *ListOptions) iter.Seq2[Payment, error] {
	return list(ctx, c, payments, opts, newPaymentsAnswer)
}

// FindPaymentsByReference gives the payments (list rows, without custom fields) with exactly this reference. One call as a rule.
func (c *Client) FindPaymentsByReference(ctx context.Context, reference string) ([]Payment, error) {
	return find(ctx, c, payments, url.Values{"reference_number": {reference}}, newPaymentsAnswer,
		func(p *Payment) fit { return fitIf(p.Reference == reference) }, nil)
}

// DeletePayment deletes a payment. One call.
func (c *Client) DeletePayment(ctx context.Context, id string) error {
	return c.one(ctx, http.MethodDelete, payments, id, "", nil, new(head))
}

// RefundPayment pays back from the unused part of a payment. Nothing in Zoho hinders a second one. One call.
func (c *Client) RefundPayment(ctx context.Context, paymentID string, req *RefundRequest) (*Refund, error) {
	var a paymentRefundAnswer
	if err := c.one(ctx, http.MethodPost, payments, paymentID, "/refunds", req, &a); err != nil {
		return nil, err
	}
	return a.refund(), nil
}

// ListPaymentRefunds gives all refunds of a payment. One call per 200.
func (c *Client) ListPaymentRefunds(ctx context.Context, paymentID string) ([]Refund, error) {
	return c.refunds(ctx, payments, paymentID, func() listAnswer[Refund] { return new(paymentRefundsAnswer) })
}

// refunds reads all pages of a document's refunds.
func (c *Client) refunds(ctx context.Context, collection, id string, fresh func() listAnswer[Refund]) ([]Refund, error) {
	path, err := item(collection, id, "/refunds")
	if err != nil {
		return nil, err
	}
	all := []Refund{}
	for r, err := range list(ctx, c, collection+"/{id}/refunds", &ListOptions{path: path}, fresh) {
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}
