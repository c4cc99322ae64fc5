package processor

import (
	"maps"
	"slices"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/fastjson"
)

// OrderState is what booksync knows of one order's documents. It's kept in the order's claim, written under the order's
// lease, and rebuilt from the books when Redis has lost it.
type OrderState struct {
	Cancelled bool `json:"cancelled,omitempty"`
	// Partial: rebuilt from the invoice alone; its payments and credits are one sum, not listed.
	Partial bool `json:"partial,omitempty"`
	// Listed: payments and credits were listed from the books at some time after a loss of Redis. What they do not say is looked for: what of a
	// payment is disputed or lost, and which refunds drew from a credit note or an excess.
	Listed bool `json:"listed,omitempty"`
	// Epoch is Redis' at the last change.
	Epoch string `json:"epoch,omitempty"`
	// Revision is the order's revision, where the state was rebuilt from the books.
	Revision int64 `json:"revision,omitempty"`
	// Origin is that of the invoice, Reference its reference_number, where the state was rebuilt from the books.
	Origin       string              `json:"origin,omitempty"`
	Reference    string              `json:"reference,omitempty"`
	CustomerID   string              `json:"customer_id,omitempty"` // the event's; "" where it had none, or the state was rebuilt
	ContactID    string              `json:"contact_id,omitempty"`
	Currency     string              `json:"currency,omitempty"`
	ExchangeRate decimal.NullDecimal `json:"exchange_rate"`
	InclusiveTax bool                `json:"inclusive_tax,omitempty"`
	Invoice      *InvoiceState       `json:"invoice,omitempty"` // nil: none was posted (cancelled before, or rejected)
	// Further are the invoices of later revisions that raised the order, oldest first.
	Further  []*InvoiceState `json:"further,omitempty"`
	Payments []PaymentState  `json:"payments,omitempty"`
	Credits  []CreditState   `json:"credits,omitempty"`
	// Ordered is the order as its last revision has it; nil where the invoice is all there was.
	Ordered *OrderedState `json:"ordered,omitempty"`
	// Derived: Ordered is what the documents in the books make, and of the last revision perhaps not all was written.
	Derived bool `json:"derived,omitempty"`
	// Matched is what later revisions took off the order after refunds had credited it: no credit note of a revision
	// repeats it.
	Matched decimal.Decimal `json:"matched,omitzero"`
}

// OrderedState is what the last revision of an order comes to: the next one is compared with it.
type OrderedState struct {
	Total decimal.Decimal `json:"total"`
	// Adjustment is the part of Total that no line carries.
	Adjustment decimal.Decimal `json:"adjustment"`
	// Lines have no InvoiceItemID: what they were booked by are lines of several documents.
	Lines []InvoiceLine `json:"lines"`
}

// InvoiceState is the order's invoice as posted.
type InvoiceState struct {
	ID string `json:"id"`
	// Key is the further invoice's, such as order:O1:2; "" for the order's first.
	Key    string          `json:"key,omitempty"`
	Number string          `json:"number"`
	URL    string          `json:"url,omitempty"`
	Date   string          `json:"date"`
	Status string          `json:"status"` // draft, sent or void, as far as booksync's own calls go
	Total  decimal.Decimal `json:"total"`
	Tax    decimal.Decimal `json:"tax"`
	// Adjustment is the part of Total that no line carries.
	Adjustment decimal.Decimal `json:"adjustment"`
	Lines      []InvoiceLine   `json:"lines"`
	// Pushed: its e-invoice is registered at the tax authority's portal, so it can be credited only.
	Pushed bool `json:"pushed,omitempty"`
	// Modified is when Zoho last saw it change, of a draft: who has edited it since shows by it.
	Modified string `json:"modified,omitempty"`
	// ExchangeRate is Zoho's figure; zero where it isn't known.
	ExchangeRate decimal.Decimal `json:"exchange_rate,omitzero"`
	// Fields that a credit note must repeat (edition fields, location).
	PlaceOfSupply string `json:"place_of_supply,omitempty"`
	GSTTreatment  string `json:"gst_treatment,omitempty"`
	GSTNo         string `json:"gst_no,omitempty"`
	VATTreatment  string `json:"vat_treatment,omitempty"`
	TaxTreatment  string `json:"tax_treatment,omitempty"`
	LocationID    string `json:"location_id,omitempty"`
	// ReverseCharge is set where the edition has the field; TaxAuthorityID likewise.
	ReverseCharge  *bool  `json:"reverse_charge,omitempty"`
	TaxAuthorityID string `json:"tax_authority_id,omitempty"`
}

// InvoiceLine links a line of the event to a line of the invoice.
type InvoiceLine struct {
	LineID         string          `json:"line_id"`         // the event's
	Mark           string          `json:"mark,omitempty"`  // of LineID, where the state was rebuilt from the books
	InvoiceItemID  string          `json:"invoice_item_id"` // Zoho's line_item_id
	Kind           string          `json:"kind"`
	ItemID         string          `json:"item_id,omitempty"`
	AccountID      string          `json:"account_id,omitempty"`
	Name           string          `json:"name,omitempty"`
	TaxID          string          `json:"tax_id,omitempty"`
	TaxExemptionID string          `json:"tax_exemption_id,omitempty"`
	TreatmentCode  string          `json:"tax_treatment_code,omitempty"`
	TaxRates       []string        `json:"tax_rates,omitempty"` // percent, one per component
	TaxParts       []string        `json:"tax_parts,omitempty"` // of a group: which taxes they are
	HSNOrSAC       string          `json:"hsn_or_sac,omitempty"`
	Quantity       decimal.Decimal `json:"quantity"`
	Rate           decimal.Decimal `json:"rate"`
	// Amount is the line's item total as sent (after its discount; with tax if the order's prices include it).
	Amount decimal.Decimal `json:"amount"`
	// Gross is the line's value with its tax; the lines' Gross and the adjustment add up to the invoice's total.
	Gross decimal.Decimal `json:"gross"`
}

// PaymentState is one payment as far as it concerns this order.
type PaymentState struct {
	PaymentID  string          `json:"payment_id"`
	DocumentID string          `json:"document_id"`
	Amount     decimal.Decimal `json:"amount"`   // of the whole payment
	Applied    decimal.Decimal `json:"applied"`  // to this order's invoices
	Excess     decimal.Decimal `json:"excess"`   // unused amount that a refund of this order may draw on
	Refunded   decimal.Decimal `json:"refunded"` // of the excess, already returned
	AccountID  string          `json:"account_id"`
	Currency   string          `json:"currency"`
	// Further are the parts of Applied that the order's further invoices took, by their id.
	Further map[string]decimal.Decimal `json:"further,omitempty"`
	// Draws are the parts of Refunded by the key of the refund that drew them.
	Draws map[string]decimal.Decimal `json:"draws,omitempty"`
	// Advance: it came before the order had an invoice, which takes of it what it owes.
	Advance bool `json:"advance,omitempty"`
	// Disputed is what stands on the disputes account, Lost what was written off: money that is not there any more.
	Disputed decimal.Decimal `json:"disputed,omitzero"`
	Lost     decimal.Decimal `json:"lost,omitzero"`
	// Pending: written as an intent before the call left; the payment's own record resolves it.
	Pending bool `json:"pending,omitempty"`
}

// CreditState is one credit note of this order.
type CreditState struct {
	Key        string          `json:"key"` // refund:R1, cancel:O1, correction:O1:2 or returned:O1
	DocumentID string          `json:"document_id"`
	Number     string          `json:"number"`
	Total      decimal.Decimal `json:"total"`
	Applied    decimal.Decimal `json:"applied"`  // to the order's invoices
	Refunded   decimal.Decimal `json:"refunded"` // money returned from it
	// Further is as in PaymentState.
	Further map[string]decimal.Decimal `json:"further,omitempty"`
	// Draws are the parts of Refunded that other refunds drew, by their key: notes of cancellations and corrections have such.
	Draws map[string]decimal.Decimal `json:"draws,omitempty"`
	Lines []CreditedLine             `json:"lines,omitempty"`
	// Pending: written as an intent before the call left; the refund's or cancellation's own record resolves it.
	Pending bool `json:"pending,omitempty"`
}

// CreditedLine is what a credit note took back of one invoice line.
type CreditedLine struct {
	InvoiceItemID string          `json:"invoice_item_id"` // "" for the adjustment
	Quantity      decimal.Decimal `json:"quantity"`
	Gross         decimal.Decimal `json:"gross"`
	// Amount is the credit line's item total, taxed like the invoice line; Untaxed is what a second, untaxed line took
	// back so that the taxes of all credit notes add up to the invoice's.
	Amount  decimal.Decimal `json:"amount"`
	Untaxed decimal.Decimal `json:"untaxed"`
}

// Credited is the value of all credit notes that take back something of the invoices: not of what the order took back itself.
func (s *OrderState) Credited() decimal.Decimal {
	sum := decimal.Zero
	for _, c := range s.Credits {
		if !hasReturnedKey(c.Key) {
			sum = sum.Add(c.Total)
		}
	}
	return sum
}

// Received is the money received for this order, applied or held as excess, less what was lost again.
func (s *OrderState) Received() decimal.Decimal {
	sum := decimal.Zero
	for _, p := range s.Payments {
		sum = sum.Add(p.Applied).Add(p.Excess).Sub(p.Lost)
	}
	return sum
}

// Returned is the money already given back, from credit notes and from payments' excess.
func (s *OrderState) Returned() decimal.Decimal {
	sum := decimal.Zero
	for _, c := range s.Credits {
		sum = sum.Add(c.Refunded)
	}
	for _, p := range s.Payments {
		sum = sum.Add(p.Refunded)
	}
	return sum
}

// withPayment is a copy with this payment in place of an earlier one of the same id.
func (s *OrderState) withPayment(p PaymentState) *OrderState {
	c := *s
	c.Payments = slices.DeleteFunc(slices.Clone(s.Payments), func(o PaymentState) bool { return o.PaymentID == p.PaymentID })
	c.Payments = append(c.Payments, p)
	return &c
}

// withCredit is a copy with this credit in place of an earlier one of the same key.
func (s *OrderState) withCredit(cr CreditState) *OrderState {
	c := *s
	c.Credits = slices.DeleteFunc(slices.Clone(s.Credits), func(o CreditState) bool { return o.Key == cr.Key })
	c.Credits = append(c.Credits, cr)
	return &c
}

// payment is the payment of this id; nil when the state has none.
func (s *OrderState) payment(id string) *PaymentState {
	for i := range s.Payments {
		if s.Payments[i].PaymentID == id {
			return &s.Payments[i]
		}
	}
	return nil
}

// withoutPayment is a copy without the payment of this id.
func (s *OrderState) withoutPayment(id string) *OrderState {
	c := *s
	c.Payments = slices.DeleteFunc(slices.Clone(s.Payments), func(o PaymentState) bool { return o.PaymentID == id })
	return &c
}

// names says whether the state holds anything that this event announced or did.
func (s *OrderState) names(ref ClaimRef) bool {
	key := ref.key()
	for i := range s.Payments {
		p := &s.Payments[i]
		if _, drew := p.Draws[key]; drew || ref.Role == RolePayment && p.PaymentID == ref.ID {
			return true
		}
	}
	for i := range s.Credits {
		c := &s.Credits[i]
		if _, drew := c.Draws[key]; drew || c.Key == key {
			return true
		}
	}
	return false
}

func (s *OrderState) encode() []byte { return fastjson.Must(s) }

// withRefundFrom is a copy in which the refund of this key returns money from the credit note with this document id; the
// same refund again replaces what it had.
func (s *OrderState) withRefundFrom(documentID, key string, amount decimal.Decimal) *OrderState {
	c := *s
	c.Credits = slices.Clone(s.Credits)
	for i := range c.Credits {
		if c.Credits[i].DocumentID == documentID {
			c.Credits[i].Refunded, c.Credits[i].Draws = drawn(c.Credits[i].Refunded, c.Credits[i].Draws, key, amount)
		}
	}
	return &c
}

// withExcessRefunded is a copy in which the refund of this key returns money from this payment's excess.
func (s *OrderState) withExcessRefunded(documentID, key string, amount decimal.Decimal) *OrderState {
	c := *s
	c.Payments = slices.Clone(s.Payments)
	for i := range c.Payments {
		if c.Payments[i].DocumentID == documentID {
			c.Payments[i].Refunded, c.Payments[i].Draws = drawn(c.Payments[i].Refunded, c.Payments[i].Draws, key, amount)
		}
	}
	return &c
}

// without is a copy without anything of this key: what a plan of that very event starts from.
func (s *OrderState) without(key string) *OrderState {
	c := *s
	c.Credits = slices.DeleteFunc(slices.Clone(s.Credits), func(o CreditState) bool { return o.Key == key })
	for i := range c.Credits {
		c.Credits[i].Refunded, c.Credits[i].Draws = drawn(c.Credits[i].Refunded, c.Credits[i].Draws, key, decimal.Zero)
	}
	c.Payments = slices.Clone(s.Payments)
	for i := range c.Payments {
		c.Payments[i].Refunded, c.Payments[i].Draws = drawn(c.Payments[i].Refunded, c.Payments[i].Draws, key, decimal.Zero)
	}
	return &c
}

// drawn replaces one key's draw in a sum and its parts.
func drawn(sum decimal.Decimal, draws map[string]decimal.Decimal, key string, amount decimal.Decimal) (decimal.Decimal, map[string]decimal.Decimal) {
	before, had := draws[key]
	if !had && amount.IsZero() {
		return sum, draws
	}
	parts := maps.Clone(draws)
	if parts == nil {
		parts = make(map[string]decimal.Decimal, 1)
	}
	delete(parts, key)
	if !amount.IsZero() {
		parts[key] = amount
	}
	return sum.Sub(before).Add(amount), parts
}
