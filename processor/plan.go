package processor

import (
	"fmt"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/connectors/zohobooks"
)

// Rejection is a verdict on an event that must not be posted as it is.
type Rejection struct {
	Class   string `json:"class"`            // a dead letter's, such as rejected.totals
	Code    string `json:"code,omitempty"`   // Zoho's code, or ""
	Status  int    `json:"status,omitempty"` // the answer's HTTP status, or 0
	Message string `json:"message"`          // names the field, the sums, or the missing mapping, and what to do
	// Retryable is yes, after-fix or no.
	Retryable string `json:"retryable"`
}

// Error makes a Rejection an error.
func (r *Rejection) Error() string { return r.Class + ": " + r.Message }

// reject makes a Rejection that a changed event or mapping can mend.
func reject(class, format string, args ...any) *Rejection {
	return &Rejection{Class: class, Message: fmt.Sprintf(format, args...), Retryable: "after-fix"}
}

// The plans below are pure: event, mapping and order state in, Zoho requests out. Nothing in them has been sent.

// contactPlan creates a contact. Key identifies it: customer:<id>:<currency>, or email:<address>:<currency>, with the tax
// number after it where there is one.
type contactPlan struct {
	Key     string
	Request *zohobooks.ContactRequest
	// At is when the event happened, in Unix milliseconds, and Raw a hash of its customer; see contactRecord.
	At  int64
	Raw string
}

// invoicePlan creates an order's invoice.
type invoicePlan struct {
	Request    *zohobooks.InvoiceRequest
	Total, Tax decimal.Decimal // what Zoho must answer
	Difference decimal.Decimal // what went into the adjustment because of rounding
	// TaxDifference is Tax less the event's tax: the same cents seen from the tax, and with prices that include tax the
	// only place where they show.
	TaxDifference decimal.Decimal
	// RoundOff is what Zoho's round-off preference adds to the total, as configured.
	RoundOff decimal.Decimal
	// TrueDate is the event's own day where a locked period moved the document to another; "" otherwise.
	TrueDate string
	// Lines are the request's lines in order, as they'll be remembered; InvoiceItemID is filled from the answer.
	Lines []InvoiceLine
	// Returned is the credit note of what the order takes back itself, applied to the invoice; nil where there's none. Total
	// is then the event's total and that note's.
	Returned *creditPlan `json:",omitempty"`
	// Skip: nothing to post (a zero total whose policy says skip).
	Skip bool
}

// paymentPlan records a customer payment.
type paymentPlan struct {
	Request *zohobooks.PaymentRequest
	// Applied is by order id, in the payment's currency, Further by order and further invoice; Excess is what no invoice takes.
	Applied map[string]decimal.Decimal
	Further map[string]map[string]decimal.Decimal
	Excess  decimal.Decimal
	// TrueDate is as in invoicePlan.
	TrueDate string
}

// creditPlan creates a credit note and says what becomes of it.
type creditPlan struct {
	Key        string // refund:R1, cancel:O1, correction:O1:2 or returned:O1
	Request    *zohobooks.CreditNoteRequest
	Total, Tax decimal.Decimal
	Lines      []CreditedLine
	// Apply is what's applied to the order's invoices, ApplyTo to which.
	Apply   decimal.Decimal
	ApplyTo []application
	// Difference is what's left of the invoices' taxes by the credit note that completes them (NegativeLines says when), and
	// zero for others. Stays names the taxes that it's of: one may be too little and another too much.
	Difference decimal.Decimal
	Stays      string `json:",omitempty"`
	// TrueDate is as in invoicePlan.
	TrueDate string
}

// refundPlan is what a refund does, in this order: create the credit note (nil: none), apply a part of it, return money
// from it, from credit notes that are there, or from payments' excess.
type refundPlan struct {
	Credit *creditPlan
	// FromCredit returns money from this refund's own credit note; nil when nothing is returned from it.
	FromCredit *zohobooks.RefundRequest
	// FromNotes returns money from the credit notes of the order's cancellation or of revisions that lowered it.
	FromNotes []noteRefund
	// FromExcess returns money from payments' excess.
	FromExcess []excessRefund
	// Fee takes back what the gateway returned of its fee; nil when it returned none.
	Fee *zohobooks.JournalRequest
}

// noteRefund returns a part of what is open on another event's credit note.
type noteRefund struct {
	NoteID  string
	Request *zohobooks.RefundRequest
}

// excessRefund returns a part of one payment's unused amount.
type excessRefund struct {
	PaymentDocumentID string
	Request           *zohobooks.RefundRequest
}

// cancelPlan is what a cancellation does: void the invoice, or credit what's left; with neither, only the tombstone remains.
type cancelPlan struct {
	Void   bool
	Credit *creditPlan
}
