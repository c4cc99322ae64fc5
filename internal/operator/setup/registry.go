package setup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/schemas"
)

// subject is a topic and the schema of its values.
type subject struct {
	topic string
	kind  schemas.Kind
	// registered encodes a sample, for which the codec must find the schema.
	registered func(ctx context.Context, reg Registry, topic string) error
}

func (r *run) subjects() []subject {
	t := r.cfg.Topics
	var out []subject
	add := func(kind schemas.Kind, encode func(context.Context, Registry, string) error, topics ...string) {
		for _, topic := range topics {
			out = append(out, subject{topic, kind, encode})
		}
	}
	add(schemas.KindOrder, func(ctx context.Context, reg Registry, topic string) error {
		_, err := reg.EncodeOrder(ctx, topic, sampleOrder())
		return err
	}, t.Orders...)
	add(schemas.KindPayment, func(ctx context.Context, reg Registry, topic string) error {
		_, err := reg.EncodePayment(ctx, topic, samplePayment())
		return err
	}, t.Payments...)
	add(schemas.KindRefund, func(ctx context.Context, reg Registry, topic string) error {
		_, err := reg.EncodeRefund(ctx, topic, sampleRefund())
		return err
	}, t.Refunds...)
	add(schemas.KindOutcome, func(ctx context.Context, reg Registry, topic string) error {
		_, err := reg.EncodeOutcome(ctx, topic, sampleOutcome())
		return err
	}, t.Outcomes)
	add(schemas.KindAudit, func(ctx context.Context, reg Registry, topic string) error {
		_, err := reg.EncodeAudit(ctx, topic, sampleAudit())
		return err
	}, t.Audit)
	add(schemas.KindReconciliation, func(ctx context.Context, reg Registry, topic string) error {
		_, err := reg.EncodeReconciliation(ctx, topic, sampleReconciliation())
		return err
	}, t.Reconciliations)
	return out
}

// registry looks whether the schemas of what booksync writes are registered, and those of `produce`.
func (r *run) registry(ctx context.Context) {
	if r.deps.Registry == nil {
		r.add("registry", "", "schema registry", Note, "none configured: records are written in Avro's single-object encoding", "")
		return
	}
	for _, s := range r.subjects() {
		item := s.topic + "-value"
		err := s.registered(ctx, r.deps.Registry, s.topic)
		switch {
		case err == nil:
			r.report.Snapshot.Schemas[item] = string(s.kind)
			r.add("registry", "", item, OK, string(s.kind), "")
		case errors.Is(err, schemas.ErrRegistryUnavailable):
			r.add("registry", "", item, Unknown, err.Error(), "start the schema registry, or correct schema_registry")
			return
		case !errors.Is(err, schemas.ErrNotRegistered):
			r.add("registry", "", item, Wrong, err.Error(), "")
		case !r.opts.Apply:
			r.missingSchema(s, item)
		default:
			r.registerSchema(ctx, s, item)
		}
	}
}

// written says whether booksync itself writes the topic; the others' schemas are the producers', and only `produce` needs ours.
func (s subject) written() bool {
	return s.kind == schemas.KindOutcome || s.kind == schemas.KindAudit || s.kind == schemas.KindReconciliation
}

func (r *run) missingSchema(s subject, item string) {
	if s.written() {
		r.add("registry", "", item, Missing, "our "+string(s.kind)+" schema is not registered", "`booksync setup --apply` registers it")
		return
	}
	r.add("registry", "", item, Note, "our "+string(s.kind)+" schema is not registered: producers may use their own; `booksync produce` needs it", "`booksync setup --apply` registers it")
}

func (r *run) registerSchema(ctx context.Context, s subject, item string) {
	id, err := r.deps.Registry.Register(ctx, s.topic, s.kind)
	switch {
	case err == nil:
		r.report.Snapshot.Schemas[item] = string(s.kind)
		r.add("registry", "", item, Created, fmt.Sprintf("%s, id %d", s.kind, id), "")
	case errors.Is(err, schemas.ErrRegistryUnavailable):
		r.add("registry", "", item, Unknown, err.Error(), "start the schema registry, or correct schema_registry")
	case errors.Is(err, schemas.ErrIncompatible) && !s.written():
		r.add("registry", "", item, Warning, err.Error(), "the producers' schema stays; their records are poison.schema where a needed field is missing")
	default:
		r.add("registry", "", item, Wrong, err.Error(), "use other topics, or delete the subject if nothing of it is needed")
	}
}

// The samples have the least that the schemas ask for; nothing of them is ever sent.

func sampleEvent() schemas.Event {
	return schemas.Event{EventID: "e", OccurredAt: time.Unix(0, 0).UTC(), Source: "setup", Organization: "o"}
}

func sampleOrder() *schemas.Order {
	return &schemas.Order{
		Event: sampleEvent(), Kind: schemas.OrderCreated, OrderID: "o", OrderNumber: "o", Currency: "EUR", PlacedAt: time.Unix(0, 0).UTC(),
		Customer: schemas.Party{ID: "c", Name: "c", Email: "c@example.com", BillingAddress: &schemas.Address{}},
		Lines:    []schemas.Line{{LineID: "1", Kind: schemas.LineGoods, Name: "l", Quantity: decimal.NewFromInt(1)}},
	}
}

func samplePayment() *schemas.Payment {
	return &schemas.Payment{
		Event: sampleEvent(), Kind: schemas.PaymentCaptured, PaymentID: "p", OrderID: "o", Amount: decimal.NewFromInt(1), Currency: "EUR",
		Method: "card", Gateway: "g", GatewayReference: "r", ReceivedAt: time.Unix(0, 0).UTC(),
	}
}

func sampleRefund() *schemas.Refund {
	return &schemas.Refund{
		Event: sampleEvent(), RefundID: "r", OrderID: "o", Amount: decimal.NewFromInt(1), Currency: "EUR",
		Method: "card", Gateway: "g", GatewayReference: "r", RefundedAt: time.Unix(0, 0).UTC(),
	}
}

func sampleOutcome() *schemas.Outcome {
	return &schemas.Outcome{
		OutcomeID: "o", Status: schemas.StatusPosted, Workflow: "order", Organization: "o", BusinessID: "o", OrderID: "o",
		Source: schemas.Source{Topic: "t", Timestamp: time.Unix(0, 0).UTC()}, Version: "v", SettledAt: time.Unix(0, 0).UTC(),
	}
}

func sampleAudit() *schemas.AuditEntry {
	return &schemas.AuditEntry{AuditID: "a", At: time.Unix(0, 0).UTC(), Actor: "setup", Action: "setup", Version: "v"}
}

func sampleReconciliation() *schemas.Reconciliation {
	return &schemas.Reconciliation{ReconciliationID: "r", Organization: "o", StartedAt: time.Unix(0, 0).UTC(), Version: "v"}
}
