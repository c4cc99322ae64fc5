package processor

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/internal/fastjson"
	"github.com/booksync/booksync/schemas"
)

// Workflow names one kind of handling; each can be paused on its own.
type Workflow string

// The workflows.
const (
	WorkflowOrder   Workflow = "order"
	WorkflowPayment Workflow = "payment"
	WorkflowRefund  Workflow = "refund"
)

// event is a decoded record: one of order, payment and refund, and what the steps need to know of any of them.
type event struct {
	schemas.Event
	order   *schemas.Order
	payment *schemas.Payment
	refund  *schemas.Refund

	workflow Workflow
	tenant   *tenant // nil: the organisation is not configured
	ref      ClaimRef
	orderID  string
	orders   []string // every order the event names, sorted, without repetition
	revision int64
	class    zohobooks.Class

	// converted says what a payment was before it was converted to its invoice's currency.
	converted string
	// ratedByZoho: the event had no exchange rate and got Zoho's.
	ratedByZoho bool

	fingerprint string
	customer    string // of an order: the hash of its customer, once it was asked for
	coordinates string // of this record
	// origin are the coordinates that the documents name: of a record that came back from a dead-letter topic, those it
	// had at first.
	origin   string
	replay   bool
	schemaID int
}

// decode turns the record's bytes into an event. Bytes that can't be read are poison; a registry that's away is an
// outage and parks.
func (a *attempt) decode() *ending {
	if a.event != nil {
		return a.configured()
	}
	rec := a.d.Record
	e := &event{workflow: a.p.workflowOf(rec.Topic), coordinates: coordinatesOf(rec)}
	e.origin = e.coordinates
	a.event = e
	e.replayOf(rec)
	var meta schemas.Meta
	var err error
	switch e.workflow {
	case WorkflowOrder:
		if e.order, meta, err = a.p.codec.DecodeOrder(a.ctx, rec.Value, rec.Headers); err == nil {
			e.ofOrder()
		}
	case WorkflowPayment:
		if e.payment, meta, err = a.p.codec.DecodePayment(a.ctx, rec.Value, rec.Headers); err == nil {
			e.ofPayment()
		}
	case WorkflowRefund:
		if e.refund, meta, err = a.p.codec.DecodeRefund(a.ctx, rec.Value, rec.Headers); err == nil {
			e.ofRefund()
		}
	default:
		err = fmt.Errorf("topic %q belongs to no workflow", rec.Topic)
	}
	e.schemaID = meta.SchemaID
	if err != nil {
		return a.undecoded(err)
	}
	if e.replay { // replays come last
		e.class = zohobooks.ClassOperator
	}
	if e.tenant = a.p.tenants[e.Organization]; e.tenant != nil {
		e.Organization = e.tenant.name // metrics keep it for good, and with the event's own text its whole record
	}
	a.w.event = e
	return a.configured()
}

// configured rejects events of organisations that nobody configured.
func (a *attempt) configured() *ending {
	if a.tenant != nil {
		return nil
	}
	return &ending{reject: reject("rejected.organization",
		"organisation %q is not configured: add it to the configuration, then replay", a.Organization)}
}

// undecoded is the ending of a record whose bytes were not understood.
func (a *attempt) undecoded(err error) *ending {
	if errors.Is(err, schemas.ErrRegistryUnavailable) {
		a.event = nil // the next attempt decodes again
		return a.parkFor(parkRegistry, backOff(a.p.cfg.BackOff, a.p.cfg.BackOffLimit, a.w.tries-1))
	}
	if a.leaving() && a.ctx.Err() != nil {
		a.event = nil
		return &ending{released: true}
	}
	class := "poison.decode"
	var typed *schemas.Error
	if errors.As(err, &typed) && typed.Class != "" {
		class = typed.Class
	}
	retryable := "no"
	if class == "poison.schema" {
		retryable = "after-fix"
	}
	return &ending{reject: &Rejection{Class: class, Message: err.Error(), Retryable: retryable}}
}

func (p *Processor) workflowOf(topic string) Workflow {
	switch t := p.cfg.Topics; {
	case slices.Contains(t.Orders, topic):
		return WorkflowOrder
	case slices.Contains(t.Payments, topic):
		return WorkflowPayment
	case slices.Contains(t.Refunds, topic):
		return WorkflowRefund
	}
	return ""
}

func (e *event) ofOrder() {
	o := e.order
	e.Event, e.orderID, e.revision = o.Event, o.OrderID, o.Revision
	e.ref = ClaimRef{RoleOrder, o.OrderID}
	if o.Kind == schemas.OrderCancelled {
		e.ref.Role = RoleCancel
	}
	e.orders = []string{o.OrderID}
	e.class = zohobooks.ClassOrder
	content := *o
	content.Event = businessPart(o.Event)
	e.fingerprint = fingerprint(&content)
}

// paymentRoles: what happens to a payment after it was captured is another transaction than the payment itself.
var paymentRoles = map[schemas.PaymentKind]Role{
	schemas.PaymentCaptured: RolePayment, schemas.PaymentDisputed: RoleDispute, schemas.PaymentDisputeWon: RoleWon, schemas.PaymentReversed: RoleReversal,
	schemas.PaymentFee: RoleFee,
}

func (e *event) ofPayment() {
	p := e.payment
	e.Event, e.orderID = p.Event, p.OrderID
	e.ref = ClaimRef{paymentRoles[p.Kind], p.PaymentID}
	if e.ref.Role == "" { // the check refuses it
		e.ref.Role = RolePayment
	}
	e.orders = []string{p.OrderID}
	if len(p.Allocations) > 0 {
		e.orders = e.orders[:0]
		for _, al := range p.Allocations {
			e.orders = append(e.orders, al.OrderID)
		}
		slices.Sort(e.orders)
		e.orders = slices.Compact(e.orders)
	}
	e.class = zohobooks.ClassPayment
	content := *p
	content.Event = businessPart(p.Event)
	e.fingerprint = fingerprint(&content)
}

func (e *event) ofRefund() {
	r := e.refund
	e.Event, e.orderID = r.Event, r.OrderID
	e.ref = ClaimRef{RoleRefund, r.RefundID}
	e.orders = []string{r.OrderID}
	e.class = zohobooks.ClassRefund
	content := *r
	content.Event = businessPart(r.Event)
	e.fingerprint = fingerprint(&content)
}

// businessPart leaves of the common fields what is business: not the event's id, source, time and attributes.
func businessPart(e schemas.Event) schemas.Event {
	return schemas.Event{Organization: e.Organization, Location: e.Location, Test: e.Test}
}

// fingerprint is a hash of the business content. Struct fields marshal in their order and decimals without trailing
// zeros, so the same content has the same hash whichever schema version wrote it.
func fingerprint(content any) string {
	var sum [sha256.Size]byte
	fastjson.Use(content, func(b []byte) { sum = sha256.Sum256(b) })
	return hex.EncodeToString(sum[:16])
}

func coordinatesOf(rec *kgo.Record) string {
	return rec.Topic + "/" + strconv.Itoa(int(rec.Partition)) + "/" + strconv.FormatInt(rec.Offset, 10)
}

// replayOf takes the origin of a replayed record from its headers.
func (e *event) replayOf(rec *kgo.Record) {
	var id, topic, partition, offset string
	for _, h := range rec.Headers {
		switch h.Key {
		case HeaderReplayID:
			id = string(h.Value)
		case HeaderSourceTopic:
			topic = string(h.Value)
		case HeaderSourcePartition:
			partition = string(h.Value)
		case HeaderSourceOffset:
			offset = string(h.Value)
		}
	}
	if id == "" || topic == "" || partition == "" || offset == "" {
		return
	}
	e.replay = true
	e.origin = strings.Join([]string{topic, partition, offset}, "/")
}
