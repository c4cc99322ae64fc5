package schemas

import (
	"time"

	"github.com/shopspring/decimal"
)

// Status is the verdict on a record.
type Status string

// The verdicts. The last two come from operators' work.
const (
	StatusPosted    Status = "POSTED"
	StatusDuplicate Status = "DUPLICATE"
	StatusRejected  Status = "REJECTED"
	StatusShadow    Status = "SHADOW"
	StatusReversed  Status = "REVERSED"
)

// Outcome says what became of one consumed record: the value of the outcome topic.
type Outcome struct {
	OutcomeID    string // hash of group, topic, partition and offset: the same whenever it is published
	Status       Status
	Workflow     string // order, payment or refund
	Organization string // "" when the record could not be decoded
	BusinessID   string // "" when the record could not be decoded
	OrderID      string
	Revision     int64
	Source       Source
	Documents    []Document
	InvoiceAfter *InvoiceAfter // nil when no invoice was touched
	Currency     string
	Expected     decimal.NullDecimal // what the event said
	Posted       decimal.NullDecimal // what Zoho Books answered
	Difference   decimal.NullDecimal // Posted - Expected, or what went into an adjustment
	Calls        int64               // calls spent on this record, shared ones counted once with the record that made them
	Attempts     int64
	Reason       string // of a DUPLICATE: same, stale; of others "" or a remark
	Error        *Failure
	Timings      Timings
	TraceID      string
	Version      string
	ConfigHash   string  // of the organisation's mapping in force
	Shadow       *Shadow // of a SHADOW outcome; nil for all others
	SettledAt    time.Time
}

// Shadow is what booksync would have done with a record in shadow mode, and how that differs from the books.
type Shadow struct {
	Plan        string     // the requests as a JSON list; "" when it would have rejected, or the list is too long
	Found       []Document // what the books hold under the record's key or reference
	Differences []ShadowDifference
}

// ShadowDifference is one field that differs.
type ShadowDifference struct {
	Field   string // such as invoice.total or invoice.lines[2].tax_id
	Planned string // what booksync would have written
	Found   string // what the books hold
}

// Source is where a record came from.
type Source struct {
	Topic     string
	Partition int32
	Offset    int64
	Timestamp time.Time
	EventID   string
}

// Document is one document in Zoho Books.
type Document struct {
	Type      string // invoice, customer_payment, credit_note, refund, payment_refund, credit_application
	ID        string
	Number    string
	URL       string
	Status    string
	Date      string // calendar day in the organisation's time zone, YYYY-MM-DD
	Total     decimal.Decimal
	Tax       decimal.Decimal
	Balance   decimal.Decimal
	Account   string
	BaseTotal decimal.NullDecimal // in the organisation's base currency
}

// InvoiceAfter is the invoice's state after the event took effect.
type InvoiceAfter struct {
	Status  string
	Balance decimal.Decimal
}

// Failure is why a record was rejected.
type Failure struct {
	Class   string
	Code    string // Zoho's code, or ""
	Message string
}

// Timings say where a record's time went, in milliseconds.
type Timings struct {
	Queued, WaitedForBudget, Called, Total int64
}

// AuditEntry is one operator action: the value of the audit topic.
type AuditEntry struct {
	AuditID      string
	At           time.Time
	Actor        string
	Action       string
	Organization string
	Workflow     string
	Selector     string
	Reason       string
	Counts       map[string]int64
	Details      map[string]string
	Version      string
}
