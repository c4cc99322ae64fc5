package processor

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/schemas"
)

// Delivery is one attempt of one record, as the engine hands it over.
type Delivery struct {
	Record  *kgo.Record
	Attempt int // 1-based, of this delivery
	// Leaving closes when the partition was revoked or the service stops: start no new write then.
	Leaving <-chan struct{}
	// Committed says whether the group had a commit for this partition when it was assigned, Epoch which Redis epoch the
	// commit named ("" when it named none), Changes what it rests on there (for Claims.Witness), End where the log ended then.
	Committed bool
	Epoch     string
	Changes   string
	End       int64
	// TraceID goes into the outcome; "" when nothing is traced.
	TraceID string
	// Work is what earlier attempts of this delivery left; nil at first. Process sets it.
	Work *Work
}

// Verdict is what Process answers: exactly one of Publish, Park and Released.
type Verdict struct {
	// Publish goes out in the transaction that commits the record.
	Publish []Message
	// Outcome is what Publish carries, for metrics; nil when a stored outcome is published again.
	Outcome *schemas.Outcome
	// OccurredAt is the event's own time, zero when it could not be decoded; Touched says that a person sent it again.
	OccurredAt time.Time
	Touched    bool
	Park       *Park
	// Released: the partition is leaving; nothing is published and the record stays open.
	Released bool
}

// Message is a record to publish; TooLarge goes instead where the topic refuses the size (nil: nothing smaller exists).
type Message struct {
	Record   *kgo.Record
	TooLarge *kgo.Record
}

// Park leaves the record in its lane until a time, or until one of the keys is woken.
type Park struct {
	Until  time.Time
	Keys   []string
	Reason string // of the fixed list in park.go; a metric's attribute
}

// Clock tells the time; tests and the torture run drive it.
type Clock interface{ Now() time.Time }

// Codec reads events and writes outcomes. *schemas.Codec is one.
type Codec interface {
	DecodeOrder(ctx context.Context, value []byte, headers []kgo.RecordHeader) (*schemas.Order, schemas.Meta, error)
	DecodePayment(ctx context.Context, value []byte, headers []kgo.RecordHeader) (*schemas.Payment, schemas.Meta, error)
	DecodeRefund(ctx context.Context, value []byte, headers []kgo.RecordHeader) (*schemas.Refund, schemas.Meta, error)
	EncodeOutcome(ctx context.Context, topic string, o *schemas.Outcome) ([]byte, error)
}

// Books is one organisation's Zoho Books. *zohobooks.Client is one. Every method makes one call, waits for its budget
// first unless the context carries a reservation, and answers errors that zohobooks.Verdict understands.
type Books interface {
	// Reserve waits until the budget grants one call, which the next method called with the reservation's context spends.
	Reserve(ctx context.Context) (*zohobooks.Reservation, error)
	// TryReserve is nil where the call would have to wait.
	TryReserve(ctx context.Context) *zohobooks.Reservation

	CreateContact(ctx context.Context, req *zohobooks.ContactRequest) (*zohobooks.Contact, error)
	UpdateContact(ctx context.Context, id string, req *zohobooks.ContactRequest) (*zohobooks.Contact, error)
	GetContact(ctx context.Context, id string) (*zohobooks.Contact, error)
	FindContactsByName(ctx context.Context, name string) ([]zohobooks.Contact, error)
	FindContactsByEmail(ctx context.Context, email string) ([]zohobooks.Contact, error)

	CreateInvoice(ctx context.Context, req *zohobooks.InvoiceRequest) (*zohobooks.Invoice, error)
	UpdateInvoice(ctx context.Context, id string, req *zohobooks.InvoiceRequest) (*zohobooks.Invoice, error)
	UpdateInvoiceCustomFields(ctx context.Context, id string, fields []zohobooks.CustomField) error
	GetInvoice(ctx context.Context, id string) (*zohobooks.Invoice, error)
	FindInvoicesByReference(ctx context.Context, reference string) ([]zohobooks.Invoice, error)
	FindInvoicesByCustomField(ctx context.Context, field, value string) ([]zohobooks.Invoice, error)
	MarkInvoiceSent(ctx context.Context, id string) error
	MarkInvoicesSent(ctx context.Context, ids []string) error
	VoidInvoice(ctx context.Context, id string) error

	CreatePayment(ctx context.Context, req *zohobooks.PaymentRequest) (*zohobooks.Payment, error)
	FindPaymentsByReference(ctx context.Context, ref string) ([]zohobooks.Payment, error)
	GetPayment(ctx context.Context, id string) (*zohobooks.Payment, error)
	UpdatePayment(ctx context.Context, id string, req *zohobooks.PaymentRequest) (*zohobooks.Payment, error)
	ListPayments(ctx context.Context, opts *zohobooks.ListOptions) iter.Seq2[zohobooks.Payment, error]
	RefundPayment(ctx context.Context, id string, req *zohobooks.RefundRequest) (*zohobooks.Refund, error)
	ListPaymentRefunds(ctx context.Context, id string) ([]zohobooks.Refund, error)

	CreateCreditNote(ctx context.Context, req *zohobooks.CreditNoteRequest) (*zohobooks.CreditNote, error)
	GetCreditNote(ctx context.Context, id string) (*zohobooks.CreditNote, error)
	ListCreditNotes(ctx context.Context, opts *zohobooks.ListOptions) iter.Seq2[zohobooks.CreditNote, error]
	FindCreditNotesByReference(ctx context.Context, ref string) ([]zohobooks.CreditNote, error)
	ApplyCreditNote(ctx context.Context, id string, to []zohobooks.CreditedInvoice) error
	RefundCreditNote(ctx context.Context, id string, req *zohobooks.RefundRequest) (*zohobooks.Refund, error)
	ListCreditNoteRefunds(ctx context.Context, id string) ([]zohobooks.Refund, error)

	CreateJournal(ctx context.Context, req *zohobooks.JournalRequest) (*zohobooks.Journal, error)
	FindJournalsByReference(ctx context.Context, ref string) ([]zohobooks.Journal, error)
	// ExchangeRateOn is zero when Zoho has no rate of that day or before.
	ExchangeRateOn(ctx context.Context, currencyID, day string) (zohobooks.Amount, error)

	Organization(ctx context.Context) (*zohobooks.Organization, error)
}

// Errors of Claims.
var (
	// ErrLost: the claim or an order's lease was taken by somebody else; nothing was changed.
	ErrLost = errors.New("claim lost")
	// ErrEpochChanged: Redis holds another epoch than the one named, or none.
	ErrEpochChanged = errors.New("redis epoch changed")
	// ErrUnreadable: the claim is in a state that this version does not know; nothing was taken.
	ErrUnreadable = errors.New("claim unreadable")
)

// Claims is the store of claims. Every method is one round trip. Errors other than those above mean that
// the store is away or did not answer.
type Claims interface {
	Claim(ctx context.Context, req *ClaimRequest) (*ClaimAnswer, error)
	// Sending marks that a write of this step is about to leave, keeps steps, and writes the orders' data (intents).
	Sending(ctx context.Context, h *ClaimHandle, step string, steps []byte, orders map[string][]byte) error
	// Answered takes the mark of Sending back: the write was refused, so nothing is in doubt.
	Answered(ctx context.Context, h *ClaimHandle, steps []byte) error
	Renew(ctx context.Context, h *ClaimHandle) error
	Release(ctx context.Context, h *ClaimHandle) error
	Finish(ctx context.Context, h *ClaimHandle, f *ClaimFinish) error
	// Epoch is the organisation's present epoch; refresh asks Redis again.
	Epoch(ctx context.Context, organization string, refresh bool) (*Epoch, error)
	// Witness holds what a commit named against Redis, once: ErrEpochChanged where it lacks changes that the commit rests on. Whoever
	// made them may have died in the moment when Redis lost them.
	Witness(ctx context.Context, organization, epoch, changes string) error
	// CacheGet answers nil when the key is not there.
	CacheGet(ctx context.Context, organization, kind, key string) ([]byte, error)
	CacheSet(ctx context.Context, organization, kind, key string, value []byte, ttl time.Duration) error
	// Raise answers an entry, and raises its stamp in the same step where it has the tag.
	Raise(ctx context.Context, organization, kind, key, tag string, stamp int64, ttl time.Duration) (Stamped, error)
	// Hold takes the tag off an entry until it's stored again, and answers it as it was.
	Hold(ctx context.Context, organization, kind, key string) (Stamped, error)
	// Store writes an entry, unless it holds a later revision; its stamp stays where it is higher. Without a value it's removed.
	Store(ctx context.Context, organization, kind, key string, s Stamped, ttl time.Duration) error
}

// Stamped is a cached value with a tag, which says what it agrees with, and a stamp, which never falls. The zero value is none.
type Stamped struct {
	Tag   string // "" while it's held
	Stamp int64
	Value []byte
	// Revision counts what was stored; only Store looks at it.
	Revision int64
}

// Role says what a claim is about.
type Role string

// The roles.
const (
	RoleOrder    Role = "order"
	RolePayment  Role = "payment"
	RoleRefund   Role = "refund"
	RoleCustomer Role = "customer"
	RoleCancel   Role = "cancel"
	// The four below carry the id of the payment that they concern.
	RoleDispute  Role = "dispute"
	RoleWon      Role = "won"
	RoleReversal Role = "reversal"
	RoleFee      Role = "fee"
)

// ClaimRef names a claim within an organisation.
type ClaimRef struct {
	Role Role
	ID   string
}

// WakeKey is what lanes that wait for this claim to be settled are woken by.
func (r ClaimRef) WakeKey(organization string) string {
	return organization + "/" + string(r.Role) + "/" + r.ID
}

// FreeKey is what lanes are woken by that wait for this claim, or the order's lease, to be free.
func (r ClaimRef) FreeKey(organization string) string {
	return organization + "/free/" + string(r.Role) + "/" + r.ID
}

// ClaimRequest asks for a claim and for the leases of all orders that the event names, all or none.
type ClaimRequest struct {
	Organization string
	Ref          ClaimRef
	Token        string
	Coordinates  string
	Fingerprint  string
	Revision     int64
	Replay       bool
	Orders       []string
	Needs        []ClaimRef
	Announce     []string
	ListPending  bool
	Lease        time.Duration
	EpochID      string
	// Step, if not empty, is marked as sending with Steps where the claim is taken and holds nothing, as Sending would.
	Step  string
	Steps []byte
}

// ClaimState is what a claim request found.
type ClaimState string

// The states; see section 6 of the design.
const (
	ClaimClaimed  ClaimState = "claimed"
	ClaimBusy     ClaimState = "busy"
	ClaimWaiting  ClaimState = "waiting"
	ClaimInDoubt  ClaimState = "in_doubt"
	ClaimDone     ClaimState = "done"
	ClaimRejected ClaimState = "rejected"
)

// claimReversed is the state of an entry whose documents an operator took back.
const claimReversed = "reversed"

// ClaimAnswer is what a claim request found and did.
type ClaimAnswer struct {
	State      ClaimState
	Entry      ClaimEntry
	Orders     map[string]ClaimEntry
	BusyUntil  time.Time
	Now        time.Time // the store's clock
	WaitingFor []ClaimRef
	Pending    []string
	// Marked: the request's Step is marked; the entry shows the claim without it.
	Marked bool
}

// ClaimEntry is what a claim holds.
type ClaimEntry struct {
	Exists bool
	State  string // "", sending, done, rejected, reversed
	// Coordinates, Fingerprint and Revision are those of the settled record; while none is, those of the write under way.
	Coordinates string
	Fingerprint string
	Revision    int64
	// Sending is whose write is under way or in doubt.
	Sending ClaimOrigin
	Step    string
	Since   time.Time // when Step was marked sending, the store's clock
	Steps   []byte
	Outcome []byte
	Data    []byte
}

// ClaimOrigin says which record, with which content, an attempt worked for.
type ClaimOrigin struct {
	Coordinates, Fingerprint string
	Revision                 int64
}

// ClaimHandle is a claim that this attempt holds.
type ClaimHandle struct {
	Organization string
	Ref          ClaimRef
	Token        string
	EpochID      string
	Orders       []string
	Lease        time.Duration
}

// ClaimFinish settles a claim.
type ClaimFinish struct {
	State     string // done or rejected
	Outcome   []byte
	Steps     []byte
	Data      []byte
	Orders    map[string]OrderUpdate
	Retention time.Duration
}

// OrderUpdate changes an order's claim while its lease is held.
type OrderUpdate struct {
	Data     []byte
	Revision int64 // 0: keep
	Done     bool  // mark the order's claim done if it's not: a tombstone, or an adopted invoice
}

// Epoch says since when Redis remembers.
type Epoch struct {
	ID string
	// Mark is what commits name while this epoch is in force (Delivery.Epoch); another one means an earlier memory.
	Mark string
	// Loss: commits existed when the epoch was written, so an earlier memory was lost.
	Loss bool
	// Since is when it was written.
	Since time.Time
	// Ends are the topics' end offsets of that moment; records below them are in doubt if Loss.
	Ends map[string]map[int32]int64
}

// Progress says how far the topics are settled, for the deadlines of waiting records.
type Progress interface {
	// Ends are the ends of the topic's partitions now.
	Ends(ctx context.Context, topic string) (map[int32]int64, error)
	// Passed says whether the group has settled everything below ends.
	Passed(ctx context.Context, topic string, ends map[int32]int64) (bool, error)
}
