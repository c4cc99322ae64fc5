// Package tale tells what the producers of a simulated shop send, drawn from a seed: orders, what follows them, and what goes
// wrong with producers; with each record what may become of it, and with each order what the books must hold in the end.
//
//	tale.go      what a tale is made of
//	teller.go    the stories, changes.go further ones; events.go the events they are told with
//	company.go   the company whose books are kept
//	send.go      how a tale gets into Kafka
package tale

import (
	"fmt"
	"time"

	"github.com/booksync/booksync/schemas"
)

// Options say what kind of tale to tell.
type Options struct {
	// Orders is the number of orders.
	Orders int
	// Begin is about when the tale is sent: its events happened in the weeks before.
	Begin time.Time
	// Forgetful leaves out what can be known only from Redis: it loses its memory in this run, and no document tells that an
	// order was cancelled before it came.
	Forgetful bool
}

// Tale is everything that is produced in one run.
type Tale struct {
	Emissions []*Emission
	Stories   []*Story
	Victims   []*Story // of the stories: those with Victim
	Forgetful bool     // Options.Forgetful
}

// Emission is one record that a producer sends: an event or junk, when, and what may become of it.
type Emission struct {
	Workflow string // order, payment, refund: its topic
	Key      string
	// One of them: an event, or bytes that are none.
	Order   *schemas.Order
	Payment *schemas.Payment
	Refund  *schemas.Refund
	Raw     []byte
	// Size, if set, is what the event's bytes are cut or grown to: they are no event any more.
	Size int

	Story *Story
	At    time.Duration // after the begin
	After []*Emission   // which have their outcomes before
	// Aborted: it is sent within a transaction that is aborted, so nobody may ever see it.
	Aborted bool
	// Within: it is sent within a transaction that is committed.
	Within bool

	Want []Verdict // any of these; none: all are right

	// Once it is produced.
	Where Place
	Sent  bool
}

// Effect names the business event whose effect an emission has; "" for junk.
func (e *Emission) Effect() string {
	switch {
	case e.Size > 0:
		return ""
	case e.Order != nil && e.Order.Kind == schemas.OrderUpdated && len(e.Story.Revisions) > 0:
		return fmt.Sprintf("order:%s:%d", e.Order.OrderID, e.Order.Revision)
	case e.Order != nil && e.Order.Kind == schemas.OrderCancelled:
		return "cancel:" + e.Order.OrderID
	case e.Order != nil:
		return "order:" + e.Order.OrderID
	case e.Payment != nil:
		return "payment:" + e.Payment.PaymentID
	case e.Refund != nil:
		return "refund:" + e.Refund.RefundID
	}
	return ""
}

// Verdict is what may become of a record.
type Verdict struct {
	Status schemas.Status
	Class  string // of a REJECTED
}

// The verdicts that are not refusals.
var (
	Posted    = Verdict{Status: schemas.StatusPosted}
	Duplicate = Verdict{Status: schemas.StatusDuplicate}
)

// Rejected is a refusal of this class.
func Rejected(class string) Verdict { return Verdict{schemas.StatusRejected, class} }

// Place is where a record lies.
type Place struct {
	Topic     string
	Partition int32
	Offset    int64
}

func (p Place) String() string { return fmt.Sprintf("%s/%d/%d", p.Topic, p.Partition, p.Offset) }

// Story is one order and all that follows it: what the books must hold in the end.
type Story struct {
	ID        string
	Order     *schemas.Order // nil: no invoice may be there
	Cancelled bool
	// Revisions are all that was ordered, of an order that was changed after it was posted; Order is the last of them.
	Revisions []*schemas.Order
	Payments  []*schemas.Payment
	Refunds   []*schemas.Refund
	// Drawn are refunds behind the cancellation: their money comes out of its credit note, and of no other.
	Drawn []*schemas.Refund
	// Victim: people lay hands on its documents, so the books need not be what the events say; twice nothing is, all the same.
	Victim bool
}
