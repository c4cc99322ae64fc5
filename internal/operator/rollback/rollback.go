// Package rollback takes back what booksync posted: a plan from the outcome topic and the books, then step by step in undo
// order, then the claims, so that a corrected version can post again, and outcomes with the status REVERSED.
//
//	select.go   which outcomes, and what depends on them
//	plan.go     the plan, a file that people read and approve
//	books.go    what must be done in the books, derived from what they hold now
//	credit.go   the credit note of an invoice that cannot be voided
//	calls.go    the calls that do it, each of which may be repeated
//	apply.go    does it, one order at a time, under the order's lease
//	publish.go  REVERSED outcomes, once each
//	redrive.go  puts the source records back, for posting anew
//
// The steps are derived anew from the books whenever an order is worked on, and every one of them may be repeated: a run
// that was cut off is started again and goes on where the books are. Issued documents are voided, never deleted: their
// numbers stay. Payments and refund entries, which are not issued, are deleted.
package rollback

import (
	"time"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/schemas"
)

// Plan is what a rollback would do. It is kept as JSON.
type Plan struct {
	ID       string    `json:"id"`
	Created  time.Time `json:"created"`
	Version  string    `json:"version"` // of booksync
	Selector Selector  `json:"selector"`
	// CreditRefused: an invoice that cannot be voided is taken back by a credit note of its total.
	CreditRefused bool `json:"credit_refused,omitempty"`

	Groups []*Group `json:"groups"`
	Totals Totals   `json:"totals"`
}

// Totals sum a plan up.
type Totals struct {
	Workflows map[string]int `json:"workflows"` // outcomes by workflow
	Groups    int            `json:"groups"`
	Blocked   int            `json:"blocked"` // groups that cannot be taken back
	Outcomes  int            `json:"outcomes"`
	Dependent int            `json:"dependent"` // outcomes not selected, which rest on selected ones
	Steps     int            `json:"steps"`
	Calls     int            `json:"calls"` // of Zoho Books, to apply the plan
}

// Group is what is taken back together: of one order, as a rule, or of several that share a payment.
type Group struct {
	Organization string `json:"organization"`
	// OrderID names the group; Orders are all whose leases it needs.
	OrderID  string    `json:"order_id"`
	Orders   []string  `json:"orders"`
	Outcomes []*Posted `json:"outcomes"` // last first
	Steps    []Step    `json:"steps"`
	// Stay are outcomes of payments in a locked period, whose documents stay though the invoice is credited; as CreditRefused allows.
	Stay []string `json:"stay,omitempty"`
	// Blocked says why the group cannot be taken back; then nothing of it is.
	Blocked string `json:"blocked,omitempty"`
	Calls   int    `json:"calls"`

	// Kept are documents of the order that stay, under which refund entries that go may hang.
	Kept []schemas.Document `json:"kept,omitempty"`
}

// Posted is an outcome that is taken back.
type Posted struct {
	OutcomeID  string              `json:"outcome_id"`
	Workflow   string              `json:"workflow"`
	BusinessID string              `json:"business_id"`
	OrderID    string              `json:"order_id"`
	Revision   int64               `json:"revision"`
	Source     schemas.Source      `json:"source"`
	Documents  []schemas.Document  `json:"documents"`
	Currency   string              `json:"currency"`
	Expected   decimal.NullDecimal `json:"expected"`
	Posted     decimal.NullDecimal `json:"posted"`
	ConfigHash string              `json:"config_hash"`
	SettledAt  time.Time           `json:"settled_at"`
	Selected   bool                `json:"selected"` // false: it rests on a selected one
}

// Kinds of steps, in the order in which they are done.
const (
	DeleteRefund        = "delete refund of credit note"
	UnapplyCredit       = "unapply credit"
	RenameCreditNote    = "rename key of credit note"
	VoidCreditNote      = "void credit note"
	DeletePaymentRefund = "delete refund of payment"
	DeletePayment       = "delete payment"
	RenameInvoice       = "rename key of invoice"
	VoidInvoice         = "void invoice"
	CreditInvoice       = "credit invoice"
	ApplyCredit         = "apply credit to invoice"
	DraftInvoice        = "make void invoice a draft"
	SendInvoice         = "mark invoice sent"
)

// Step is one call.
type Step struct {
	Do     string          `json:"do"`
	ID     string          `json:"id"`               // of the document, or of what belongs to Parent
	Parent string          `json:"parent,omitempty"` // the document it belongs to
	Number string          `json:"number,omitempty"`
	Amount decimal.Decimal `json:"amount"`
	Key    string          `json:"key,omitempty"` // the new key, of a renaming; the key that the document has then, of a voiding or crediting
}

// reversedKey is what takes the place of a document's key, so that the key is free again. That of a reversed key is itself.
func reversedKey(key, id string) string { return ownKey(key, id) + ":reversed:" + id }
