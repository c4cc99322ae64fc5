package dlq

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/connectors/redis"
	"github.com/booksync/booksync/processor"
	"github.com/booksync/booksync/schemas"
)

// ClassDiscarded is the class of the verdict on a dead letter that was discarded.
const ClassDiscarded = "discarded"

// Discard settles dead letters for good: nothing will be posted for them. Each gets an outcome of its own, REJECTED with the
// class discarded, the operator's name and reason; its source is the dead letter itself, a record that had no verdict yet. So
// no outcome is published twice and every record keeps one.
func (d *Desk) Discard(ctx context.Context, req *Request, w Watch) (*Result, error) {
	if strings.TrimSpace(req.Reason) == "" {
		return nil, fmt.Errorf("%w: a discard needs a reason", ErrRefused)
	}
	return d.act(ctx, req, verb{
		state: StateDiscarded,
		judge: func(_ context.Context, _ *Scan, sub *subject) Fate { return sub.discardFate() },
		make: func(ctx context.Context, _ *Scan, sub *subject, _ string) (*kgo.Record, error) {
			return d.verdict(ctx, sub, req)
		},
	}, w)
}

// discardFate warns of what stays in the books.
func (sub *subject) discardFate() Fate {
	if sub.rec == nil {
		return Fate{Kind: FateGone, Text: "retention removed it"}
	}
	f := Fate{Kind: FateDiscard, Act: true}
	switch w := sub.written(); {
	case sub.claim != nil && sub.claim.Settled == redis.StateDone:
		f.Text = fmt.Sprintf("%s %s was settled by %s", sub.identity.Ref.Role, sub.identity.Ref.ID, sub.claim.Coordinates)
	case w.Doubt != "":
		f.Text = "whether " + w.Doubt + " was written is not known: look into the books"
	case len(w.Documents) > 0:
		f.Text = "was written in part: " + documentList(w.Documents) + " stay in the books"
	}
	return f
}

func documentList(docs []schemas.Document) string {
	var out []string
	for _, doc := range docs {
		out = append(out, strings.TrimSpace(doc.Type+" "+doc.Number)+" ("+doc.ID+")")
	}
	return strings.Join(out, ", ")
}

// verdict is the outcome of a discarded dead letter.
func (d *Desk) verdict(ctx context.Context, sub *subject, req *Request) (*kgo.Record, error) {
	l := &sub.letter
	group := l.Group
	if group == "" {
		group = d.cfg.Kafka.Group
	}
	currency, amount := sub.event.amount()
	out := &schemas.Outcome{
		OutcomeID: processor.OutcomeID(group, l.ID.Topic, l.ID.Partition, l.ID.Offset), Status: schemas.StatusRejected,
		Workflow: l.Workflow, Organization: l.Organization, BusinessID: l.BusinessID, OrderID: sub.identity.OrderID, Revision: sub.identity.Revision,
		Source: schemas.Source{
			Topic: l.ID.Topic, Partition: l.ID.Partition, Offset: l.ID.Offset, Timestamp: sub.rec.Timestamp.UTC(), EventID: sub.identity.EventID,
		},
		Documents: sub.written().Documents, Currency: currency, Expected: amount,
		Error:   &schemas.Failure{Class: ClassDiscarded, Code: l.Code, Message: fmt.Sprintf("%s: %s (it was %s: %s)", req.Actor, req.Reason, l.Class, l.Message)},
		TraceID: l.TraceID(), Version: d.Version, SettledAt: d.Now().UTC().Truncate(time.Millisecond),
	}
	value, err := d.Codec.EncodeOutcome(ctx, d.cfg.Topics.Outcomes, out)
	if err != nil {
		return nil, fmt.Errorf("encoding the outcome of %s: %w", l.ID, err)
	}
	if d.outcomes == 0 {
		found, err := d.existing(ctx, d.cfg.Topics.Outcomes)
		if err != nil {
			return nil, err
		}
		if d.outcomes = found[d.cfg.Topics.Outcomes].partitions; d.outcomes == 0 {
			return nil, fmt.Errorf("%w: %s", ErrMissing, d.cfg.Topics.Outcomes)
		}
	}
	rec := &kgo.Record{Topic: d.cfg.Topics.Outcomes, Key: sub.rec.Key, Value: value}
	if out.OrderID != "" {
		rec.Key = []byte(out.OrderID)
	}
	rec.Partition = partitionOf(rec, d.outcomes)
	return rec, nil
}
