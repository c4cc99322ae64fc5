package zohobooks

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strings"
)

// Invoice is what the API answers; fields that booksync doesn't use are left out.
type Invoice struct {
	InvoiceID      string        `json:"invoice_id"`
	InvoiceNumber  string        `json:"invoice_number"`
	Status         string        `json:"status"` // draft, sent, viewed, overdue, unpaid, partially_paid, paid, void
	Date           string        `json:"date"`
	DueDate        string        `json:"due_date"`
	CustomerID     string        `json:"customer_id"`
	CurrencyCode   string        `json:"currency_code"`
	ExchangeRate   Amount        `json:"exchange_rate"`
	Reference      string        `json:"reference_number"`
	LineItems      []LineItem    `json:"line_items"`
	IsInclusiveTax bool          `json:"is_inclusive_tax"`
	SubTotal       Amount        `json:"sub_total"`
	TaxTotal       Amount        `json:"tax_total"`
	Total          Amount        `json:"total"`
	Balance        Amount        `json:"balance"`
	Adjustment     Amount        `json:"adjustment"`
	RoundOff       Amount        `json:"roundoff_value"`
	BaseTotal      Amount        `json:"bcy_total"`
	Taxes          []TaxSum      `json:"taxes"`
	CustomFields   []CustomField `json:"custom_fields"`
	// FieldHash has the custom fields by API name, in lists too.
	FieldHash      map[string]string `json:"custom_field_hash"`
	CustomerName   string            `json:"customer_name"`
	Discount       Amount            `json:"discount_total"`
	ShippingCharge Amount            `json:"shipping_charge"`
	PaymentMade    Amount            `json:"payment_made"`
	CreditsApplied Amount            `json:"credits_applied"`
	WriteOff       Amount            `json:"write_off_amount"`
	PricePrecision int               `json:"price_precision"`
	TaxRounding    string            `json:"tax_rounding"`
	CreatedTime    string            `json:"created_time"`
	PlaceOfSupply  string            `json:"place_of_supply"`
	GSTTreatment   string            `json:"gst_treatment"`
	GSTNo          string            `json:"gst_no"`
	VATTreatment   string            `json:"vat_treatment"`
	TaxTreatment   string            `json:"tax_treatment"`
	ReverseCharge  *bool             `json:"is_reverse_charge_applied"` // nil where the edition has none
	TaxAuthorityID string            `json:"tax_authority_id"`
	LocationID     string            `json:"location_id"`
	URL            string            `json:"invoice_url"`
	LastModified   string            `json:"last_modified_time"`
	// EInvoice is there where e-invoicing applies.
	EInvoice EInvoice `json:"einvoice_details"`
}

// EInvoice is the state of a document at the tax authority's portal.
type EInvoice struct {
	// Status is pushed once it's registered (reported by users); what else it says is not known.
	Status string `json:"status"`
}

// EInvoicePushed is the status of a registered e-invoice: the document can't be changed or voided any more.
const EInvoicePushed = "pushed"

// Field is the value of a custom field, and whether it was answered.
func (i *Invoice) Field(apiName string) (string, bool) {
	return FieldValue(i.CustomFields, i.FieldHash, apiName)
}

// InvoiceRequest is the body of a create or an update. An update without lines leaves out whatever is unset; with lines it replaces them all.
type InvoiceRequest struct {
	CustomerID     string     `json:"customer_id,omitempty"`
	InvoiceNumber  string     `json:"invoice_number,omitempty"` // only with IgnoreAutoNumber
	Reference      string     `json:"reference_number,omitempty"`
	Date           string     `json:"date,omitempty"`
	DueDate        string     `json:"due_date,omitempty"`
	CurrencyID     string     `json:"currency_id,omitempty"`
	ExchangeRate   Amount     `json:"exchange_rate,omitzero"`
	IsInclusiveTax bool       `json:"is_inclusive_tax"`
	LineItems      []LineItem `json:"line_items,omitempty"`
	Adjustment     Amount     `json:"adjustment,omitzero"`
	// Discount is of the whole document, with DiscountType entity_level.
	Discount Amount `json:"discount,omitzero"`
	// DiscountType is item_level where a line has a discount, entity_level where the document has: without it Zoho takes
	// its organisation's setting.
	DiscountType string `json:"discount_type,omitempty"`
	// DiscountBeforeTax says whether discounts reduce the taxed amount; nil: there are none.
	DiscountBeforeTax     *bool         `json:"is_discount_before_tax,omitempty"`
	AdjustmentDescription string        `json:"adjustment_description,omitempty"`
	PlaceOfSupply         string        `json:"place_of_supply,omitempty"`
	GSTTreatment          string        `json:"gst_treatment,omitempty"`
	GSTNo                 string        `json:"gst_no,omitempty"`
	VATTreatment          string        `json:"vat_treatment,omitempty"`
	TaxTreatment          string        `json:"tax_treatment,omitempty"`
	ReverseCharge         *bool         `json:"is_reverse_charge_applied,omitempty"` // South Africa: wanted of registered buyers
	TaxAuthorityID        string        `json:"tax_authority_id,omitempty"`
	LocationID            string        `json:"location_id,omitempty"`
	Notes                 string        `json:"notes,omitempty"`
	PaymentTerms          *int          `json:"payment_terms,omitempty"` // days
	CustomFields          []CustomField `json:"custom_fields,omitempty"`

	// IgnoreAutoNumber goes to the query string: in the body Zoho ignores it (4097).
	IgnoreAutoNumber bool `json:"-"`
}

// LineItem is a line of an invoice or a credit note, in requests and answers.
type LineItem struct {
	LineItemID     string `json:"line_item_id,omitempty"`
	ItemID         string `json:"item_id,omitempty"`
	AccountID      string `json:"account_id,omitempty"`
	Name           string `json:"name,omitempty"`
	Description    string `json:"description,omitempty"`
	Rate           Amount `json:"rate"`
	Quantity       Amount `json:"quantity"`
	Discount       Amount `json:"discount,omitzero"` // an amount; booksync never sends a percentage
	TaxID          string `json:"tax_id,omitempty"`
	TaxExemptionID string `json:"tax_exemption_id,omitempty"`
	TreatmentCode  string `json:"tax_treatment_code,omitempty"` // why it's out of scope
	HSNOrSAC       string `json:"hsn_or_sac,omitempty"`
	LocationID     string `json:"location_id,omitempty"`

	// The two below link a credit note's line to the invoice line it takes back.
	InvoiceID     string `json:"invoice_id,omitempty"`
	InvoiceItemID string `json:"invoice_item_id,omitempty"`

	// Answers only.
	TaxName        string    `json:"tax_name,omitempty"`
	TaxPercentage  Amount    `json:"tax_percentage,omitzero"`
	ItemTotal      Amount    `json:"item_total,omitzero"`
	DiscountAmount Amount    `json:"discount_amount,omitzero"`
	LineItemTaxes  []LineTax `json:"line_item_taxes,omitempty"`
}

// LineTax is one tax on a line, as answered.
type LineTax struct {
	TaxID  string `json:"tax_id"`
	Name   string `json:"tax_name"`
	Amount Amount `json:"tax_amount"`
	// Percentage is the tax's rate.
	Percentage Amount `json:"tax_percentage,omitzero"`
}

// TaxSum is one tax of a document, as answered.
type TaxSum struct {
	Name   string `json:"tax_name"`
	Amount Amount `json:"tax_amount"`
}

const invoices = "/invoices"

// maxSentAtOnce is the number of invoices marked sent in one call. Zoho documents no limit; its other bulk calls take 25.
const maxSentAtOnce = 25

type invoiceAnswer struct {
	head
	Invoice *Invoice `json:"invoice"`
}

func (a *invoiceAnswer) complete() bool { return a.Invoice != nil && a.Invoice.InvoiceID != "" }

type invoicesAnswer struct {
	head
	Invoices []Invoice   `json:"invoices"`
	Page     pageContext `json:"page_context"`
}

func (a *invoicesAnswer) complete() bool       { return a.Invoices != nil }
func (a *invoicesAnswer) rows() []Invoice      { return a.Invoices }
func (a *invoicesAnswer) context() pageContext { return a.Page }

func newInvoicesAnswer() listAnswer[Invoice] { return new(invoicesAnswer) }

// CreateInvoice posts an invoice; it comes back as a draft, with Zoho's totals. One call.
func (c *Client) CreateInvoice(ctx context.Context, req *InvoiceRequest) (*Invoice, error) {
	var a invoiceAnswer
	err := c.do(ctx, &call{
		method: http.MethodPost, resource: invoices, path: invoices, query: ignoreAutoNumber(req.IgnoreAutoNumber), body: req,
		keyed: len(req.CustomFields) > 0 || req.InvoiceNumber != "",
	}, &a)
	if err != nil {
		return nil, err
	}
	return a.Invoice, nil
}

// UpdateInvoice changes what the request names; line items, when there are any, replace all lines. One call.
func (c *Client) UpdateInvoice(ctx context.Context, id string, req *InvoiceRequest) (*Invoice, error) {
	path, err := item(invoices, id, "")
	if err != nil {
		return nil, err
	}
	var body any = req
	if len(req.LineItems) == 0 {
		body = struct {
			*InvoiceRequest
			IsInclusiveTax *bool `json:"is_inclusive_tax,omitempty"` // hides the one that is always written
		}{InvoiceRequest: req}
	}
	var a invoiceAnswer
	err = c.do(ctx, &call{
		method: http.MethodPut, resource: invoices + "/{id}", path: path, query: ignoreAutoNumber(req.IgnoreAutoNumber), body: body,
	}, &a)
	if err != nil {
		return nil, err
	}
	return a.Invoice, nil
}

// UpdateInvoiceCustomFields sets custom fields only. One call.
func (c *Client) UpdateInvoiceCustomFields(ctx context.Context, id string, fields []CustomField) error {
	return c.one(ctx, http.MethodPut, "/invoice", id, "/customfields", fields, new(head))
}

// GetInvoice reads an invoice whole. One call.
func (c *Client) GetInvoice(ctx context.Context, id string) (*Invoice, error) {
	var a invoiceAnswer
	if err := c.one(ctx, http.MethodGet, invoices, id, "", nil, &a); err != nil {
		return nil, err
	}
	return a.Invoice, nil
}

// ListInvoices walks the invoices, 200 a call. Rows have no lines and no taxes.
func (c *Client) ListInvoices(ctx context.Context, opts *ListOptions) iter.Seq2[Invoice, error] {
	return list(ctx, c, invoices, opts, newInvoicesAnswer)
}

// FindInvoicesByNumber gives the invoices (list rows) with exactly this number. One call as a rule.
func (c *Client) FindInvoicesByNumber(ctx context.Context, number string) ([]Invoice, error) {
	return find(ctx, c, invoices, url.Values{"invoice_number": {number}}, newInvoicesAnswer,
		func(i *Invoice) fit { return fitIf(sameText(i.InvoiceNumber, number)) }, nil)
}

// FindInvoicesByReference gives the invoices (list rows) with exactly this reference. One call as a rule.
func (c *Client) FindInvoicesByReference(ctx context.Context, reference string) ([]Invoice, error) {
	return find(ctx, c, invoices, url.Values{"reference_number": {reference}}, newInvoicesAnswer,
		func(i *Invoice) fit { return fitIf(i.Reference == reference) }, nil)
}

// FindInvoicesByCustomField gives the invoices whose custom field has exactly this value. One call as a rule, and one more for each row that lacks
// the field. What is found is a list row or, where the row lacked the field, the whole invoice.
//
// The documents give the filter as custom_field and say no more; that it takes the bare value, and looks through all custom fields, is
// UNCONFIRMED, so that rows may be other invoices and are compared here.
func (c *Client) FindInvoicesByCustomField(ctx context.Context, apiName, value string) ([]Invoice, error) {
	return find(ctx, c, invoices, url.Values{"custom_field": {value}}, newInvoicesAnswer,
		func(i *Invoice) fit {
			got, ok := i.Field(apiName)
			if !ok {
				return fitMaybe
			}
			return fitIf(got == value)
		},
		func(ctx context.Context, row *Invoice) (*Invoice, error) {
			doc, err := c.GetInvoice(ctx, row.InvoiceID)
			if err != nil {
				return nil, fmt.Errorf("opening an invoice that was found: %w", err)
			}
			return doc, nil
		})
}

// MarkInvoiceSent takes an invoice out of draft, without a mail. May be repeated. One call.
func (c *Client) MarkInvoiceSent(ctx context.Context, id string) error {
	return c.one(ctx, http.MethodPost, invoices, id, "/status/sent", nil, new(head))
}

// MarkInvoicesSent does the same to several, at most 25, in one call.
func (c *Client) MarkInvoicesSent(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	if len(ids) > maxSentAtOnce {
		return fmt.Errorf("%w: marking %d invoices sent at once, at most %d", ErrInvalidRequest, len(ids), maxSentAtOnce)
	}
	for _, id := range ids {
		if _, err := item(invoices, id, ""); err != nil {
			return err
		}
	}
	const path = invoices + "/status/sent"
	q := url.Values{"invoice_ids": {strings.Join(ids, ",")}}
	return c.do(ctx, &call{method: http.MethodPost, resource: path, path: path, query: q.Encode()}, new(head))
}

// VoidInvoice makes an invoice void; its payments and credits go back to the customer. One call.
func (c *Client) VoidInvoice(ctx context.Context, id string) error {
	return c.one(ctx, http.MethodPost, invoices, id, "/status/void", nil, new(head))
}

// EmailInvoice mails an invoice to the addresses. Not repeatable: each call is a mail. One call.
func (c *Client) EmailInvoice(ctx context.Context, id string, to []string) error {
	body := struct {
		To []string `json:"to_mail_ids"`
	}{to}
	return c.one(ctx, http.MethodPost, invoices, id, "/email", body, new(head))
}

// DeleteInvoice deletes an invoice that has no payments and credits. One call.
func (c *Client) DeleteInvoice(ctx context.Context, id string) error {
	return c.one(ctx, http.MethodDelete, invoices, id, "", nil, new(head))
}
