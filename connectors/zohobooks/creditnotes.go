package zohobooks

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
)

// CreditNote is what the API answers.
type CreditNote struct {
	CreditNoteID     string            `json:"creditnote_id"`
	CreditNoteNumber string            `json:"creditnote_number"`
	Status           string            `json:"status"` // draft, open, closed, void
	Date             string            `json:"date"`
	CustomerID       string            `json:"customer_id"`
	CurrencyCode     string            `json:"currency_code"`
	ExchangeRate     Amount            `json:"exchange_rate"`
	Reference        string            `json:"reference_number"`
	LineItems        []LineItem        `json:"line_items"`
	IsInclusiveTax   bool              `json:"is_inclusive_tax"`
	SubTotal         Amount            `json:"sub_total"`
	TaxTotal         Amount            `json:"tax_total"`
	Total            Amount            `json:"total"`
	CreditsUsed      Amount            `json:"total_credits_used"`
	RefundedAmount   Amount            `json:"total_refunded_amount"`
	Balance          Amount            `json:"balance"`
	BaseTotal        Amount            `json:"bcy_total"`
	CreditedInvoices []CreditedInvoice `json:"invoices_credited"`
	CustomFields     []CustomField     `json:"custom_fields"`
	FieldHash        map[string]string `json:"custom_field_hash"`
	Refunds          []Refund          `json:"creditnote_refunds"`
	Taxes            []TaxSum          `json:"taxes"`
	RoundOff         Amount            `json:"roundoff_value"`
	CustomerName     string            `json:"customer_name"`
	InvoiceID        string            `json:"invoice_id"`
	LastModified     string            `json:"last_modified_time"`
	CreatedTime      string            `json:"created_time"`
}

// Field is the value of a custom field, and whether it was answered.
func (n *CreditNote) Field(apiName string) (string, bool) {
	return FieldValue(n.CustomFields, n.FieldHash, apiName)
}

// CreditNoteRequest is the body of a create or an update. An update without lines leaves out whatever is unset.
type CreditNoteRequest struct {
	CustomerID       string        `json:"customer_id,omitempty"`
	CreditNoteNumber string        `json:"creditnote_number,omitempty"` // only with IgnoreAutoNumber
	Date             string        `json:"date,omitempty"`
	Reference        string        `json:"reference_number,omitempty"`
	ExchangeRate     Amount        `json:"exchange_rate,omitzero"`
	IsInclusiveTax   bool          `json:"is_inclusive_tax,omitempty"` // not in the us and ca editions, which have no such prices
	LineItems        []LineItem    `json:"line_items,omitempty"`
	PlaceOfSupply    string        `json:"place_of_supply,omitempty"`
	GSTTreatment     string        `json:"gst_treatment,omitempty"`
	GSTNo            string        `json:"gst_no,omitempty"`
	VATTreatment     string        `json:"vat_treatment,omitempty"`
	TaxTreatment     string        `json:"tax_treatment,omitempty"`
	ReverseCharge    *bool         `json:"is_reverse_charge_applied,omitempty"`
	TaxAuthorityID   string        `json:"tax_authority_id,omitempty"`
	LocationID       string        `json:"location_id,omitempty"`
	Notes            string        `json:"notes,omitempty"`
	CustomFields     []CustomField `json:"custom_fields,omitempty"`

	IgnoreAutoNumber bool `json:"-"`
}

// CreditedInvoice is one application of a credit note to an invoice.
type CreditedInvoice struct {
	CreditNoteInvoiceID string `json:"creditnote_invoice_id,omitempty"`
	InvoiceID           string `json:"invoice_id"`
	AmountApplied       Amount `json:"amount_applied,omitzero"`  // requests
	CreditedAmount      Amount `json:"credited_amount,omitzero"` // answers
	InvoiceNumber       string `json:"invoice_number,omitempty"`
	Date                string `json:"date,omitempty"`
}

const creditNotes = "/creditnotes"

type creditNoteAnswer struct {
	head
	CreditNote *CreditNote `json:"creditnote"`
}

func (a *creditNoteAnswer) complete() bool {
	return a.CreditNote != nil && a.CreditNote.CreditNoteID != ""
}

type creditNotesAnswer struct {
	head
	CreditNotes []CreditNote `json:"creditnotes"`
	Page        pageContext  `json:"page_context"`
}

func (a *creditNotesAnswer) complete() bool       { return a.CreditNotes != nil }
func (a *creditNotesAnswer) rows() []CreditNote   { return a.CreditNotes }
func (a *creditNotesAnswer) context() pageContext { return a.Page }

func newCreditNotesAnswer() listAnswer[CreditNote] { return new(creditNotesAnswer) }

type creditRefundAnswer struct {
	head
	Refund *Refund `json:"creditnote_refund"`
}

func (a *creditRefundAnswer) complete() bool {
	return a.Refund != nil && a.Refund.CreditNoteRefundID != ""
}

type creditRefundsAnswer struct {
	head
	List []Refund    `json:"creditnote_refunds"`
	Page pageContext `json:"page_context"`
}

func (a *creditRefundsAnswer) complete() bool       { return a.List != nil }
func (a *creditRefundsAnswer) rows() []Refund       { return a.List }
func (a *creditRefundsAnswer) context() pageContext { return a.Page }

type creditedAnswer struct {
	head
	Invoices []CreditedInvoice `json:"invoices_credited"`
}

func (a *creditedAnswer) complete() bool { return a.Invoices != nil }

// CreateCreditNote posts a credit note; it is open at once. One call.
func (c *Client) CreateCreditNote(ctx context.Context, req *CreditNoteRequest) (*CreditNote, error) {
	var a creditNoteAnswer
	err := c.do(ctx, &call{
		method: http.MethodPost, resource: creditNotes, path: creditNotes, query: ignoreAutoNumber(req.IgnoreAutoNumber), body: req,
		keyed: len(req.CustomFields) > 0 || req.CreditNoteNumber != "",
	}, &a)
	if err != nil {
		return nil, err
	}
	return a.CreditNote, nil
}

// UpdateCreditNote changes what the request names; line items, when there are any, replace all lines. One call.
func (c *Client) UpdateCreditNote(ctx context.Context, id string, req *CreditNoteRequest) (*CreditNote, error) {
	path, err := item(creditNotes, id, "")
	if err != nil {
		return nil, err
	}
	var body any = req
	if len(req.LineItems) == 0 {
		body = struct {
			*CreditNoteRequest
			IsInclusiveTax *bool `json:"is_inclusive_tax,omitempty"` // hides the one that may be written
		}{CreditNoteRequest: req}
	}
	var a creditNoteAnswer
	err = c.do(ctx, &call{
		method: http.MethodPut, resource: creditNotes + "/{id}", path: path, query: ignoreAutoNumber(req.IgnoreAutoNumber), body: body,
	}, &a)
	if err != nil {
		return nil, err
	}
	return a.CreditNote, nil
}

// GetCreditNote reads a credit note whole. One call.
func (c *Client) GetCreditNote(ctx context.Context, id string) (*CreditNote, error) {
	var a creditNoteAnswer
	if err := c.one(ctx, http.MethodGet, creditNotes, id, "", nil, &a); err != nil {
		return nil, err
	}
	return a.CreditNote, nil
}

// ListCreditNotes walks the credit notes, 200 a call. Rows have no lines and no custom fields.
func (c *Client) ListCreditNotes(ctx context.Context, opts *ListOptions) iter.Seq2[CreditNote, error] {
	return list(ctx, c, creditNotes, opts, newCreditNotesAnswer)
}

// FindCreditNotesByReference gives the credit notes (list rows, without custom fields) with exactly this reference. One call as a rule.
func (c *Client) FindCreditNotesByReference(ctx context.Context, reference string) ([]CreditNote, error) {
	return find(ctx, c, creditNotes, url.Values{"reference_number": {reference}}, newCreditNotesAnswer,
		func(n *CreditNote) fit { return fitIf(n.Reference == reference) }, nil)
}

// FindCreditNotesByNumber gives the credit notes (list rows) with exactly this number. One call as a rule.
func (c *Client) FindCreditNotesByNumber(ctx context.Context, number string) ([]CreditNote, error) {
	return find(ctx, c, creditNotes, url.Values{"creditnote_number": {number}}, newCreditNotesAnswer,
		func(n *CreditNote) fit { return fitIf(sameText(n.CreditNoteNumber, number)) }, nil)
}

// ApplyCreditNote uses the credit on invoices. Nothing in Zoho hinders a second application. One call.
func (c *Client) ApplyCreditNote(ctx context.Context, id string, to []CreditedInvoice) error {
	type application struct {
		InvoiceID     string `json:"invoice_id"`
		AmountApplied Amount `json:"amount_applied"`
	}
	var body struct {
		Invoices []application `json:"invoices"`
	}
	for _, inv := range to {
		body.Invoices = append(body.Invoices, application{inv.InvoiceID, inv.AmountApplied})
	}
	if len(body.Invoices) == 0 {
		return fmt.Errorf("%w: applying a credit note to no invoice", ErrInvalidRequest)
	}
	return c.one(ctx, http.MethodPost, creditNotes, id, "/invoices", body, new(head))
}

// CreditNoteInvoices gives what the credit note was applied to. One call.
func (c *Client) CreditNoteInvoices(ctx context.Context, id string) ([]CreditedInvoice, error) {
	var a creditedAnswer
	if err := c.one(ctx, http.MethodGet, creditNotes, id, "/invoices", nil, &a); err != nil {
		return nil, err
	}
	return a.Invoices, nil
}

// RefundCreditNote pays back from the credit that is left. Nothing in Zoho hinders a second one but the balance. One call.
func (c *Client) RefundCreditNote(ctx context.Context, id string, req *RefundRequest) (*Refund, error) {
	var a creditRefundAnswer
	if err := c.one(ctx, http.MethodPost, creditNotes, id, "/refunds", req, &a); err != nil {
		return nil, err
	}
	return a.Refund, nil
}

// ListCreditNoteRefunds gives all refunds of a credit note. One call per 200.
func (c *Client) ListCreditNoteRefunds(ctx context.Context, id string) ([]Refund, error) {
	return c.refunds(ctx, creditNotes, id, func() listAnswer[Refund] { return new(creditRefundsAnswer) })
}

// VoidCreditNote makes a credit note void. One call.
func (c *Client) VoidCreditNote(ctx context.Context, id string) error {
	return c.one(ctx, http.MethodPost, creditNotes, id, "/status/void", nil, new(head))
}

// DeleteCreditNote deletes a credit note. One call.
func (c *Client) DeleteCreditNote(ctx context.Context, id string) error {
	return c.one(ctx, http.MethodDelete, creditNotes, id, "", nil, new(head))
}
