package trace

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/internal/operator/rollback"
	"github.com/booksync/booksync/internal/operator/topics"
	"github.com/booksync/booksync/processor"
	"github.com/booksync/booksync/schemas"
)

func mapsKeys[K comparable, V any](m map[K]V) iter.Seq[K] { return maps.Keys(m) }

// event is what is common to all events, of a source topic or a dead-letter topic.
type event struct {
	schemas.Event
	workflow, businessID, orderID, text string
	related                             []claimRef
}

// workflowOf is the workflow of a source topic, or of its dead-letter topic.
func (t *tracer) workflowOf(topic string) (workflow string, letter bool) {
	if w := t.cfg.Topics.Workflow(topic); w != "" {
		return w, false
	}
	source, letter := strings.CutSuffix(topic, t.cfg.Topics.DeadLetterSuffix)
	return t.cfg.Topics.Workflow(source), letter
}

// decode reads an event; the error says why it cannot be read.
func (t *tracer) decode(ctx context.Context, r *kgo.Record) (*event, error) {
	workflow, _ := t.workflowOf(r.Topic)
	switch workflow {
	case "order":
		o, _, err := t.codec.DecodeOrder(ctx, r.Value, r.Headers)
		if err != nil {
			return nil, err
		}
		return &event{
			Event: o.Event, workflow: workflow, businessID: o.OrderID, orderID: o.OrderID,
			text: fmt.Sprintf("order %s revision %d, %s %s", strings.ToLower(string(o.Kind)), o.Revision, o.Totals.Gross, o.Currency),
		}, nil
	case "payment":
		p, _, err := t.codec.DecodePayment(ctx, r.Value, r.Headers)
		if err != nil {
			return nil, err
		}
		return &event{
			Event: p.Event, workflow: workflow, businessID: p.PaymentID, orderID: p.OrderID, related: []claimRef{{p.Organization, "payment", p.PaymentID}},
			text: fmt.Sprintf("payment %s, %s %s by %s", strings.ToLower(string(p.Kind)), p.Amount, p.Currency, p.Gateway),
		}, nil
	}
	f, _, err := t.codec.DecodeRefund(ctx, r.Value, r.Headers)
	if err != nil {
		return nil, err
	}
	return &event{
		Event: f.Event, workflow: workflow, businessID: f.RefundID, orderID: f.OrderID, related: []claimRef{{f.Organization, "refund", f.RefundID}},
		text: fmt.Sprintf("refund, %s %s by %s", f.Amount, f.Currency, f.Gateway),
	}, nil
}

// names says whether the record names the id that is looked for.
func (t *tracer) names(ctx context.Context, r *kgo.Record) bool {
	id := t.opts.ID
	if string(r.Key) == id || coordinates(r.Topic, r.Partition, r.Offset) == id || traceOf(r) == id {
		return true
	}
	if r.Topic == t.cfg.Topics.Outcomes {
		o, _, err := t.codec.DecodeOutcome(ctx, r.Value, r.Headers)
		return err == nil && namedBy(o, id)
	}
	if topics.Header(r, "dlq.business-id") == id || topics.Header(r, processor.HeaderReplayID) == id {
		return true
	}
	e, err := t.decode(ctx, r)
	return err == nil && (e.EventID == id || e.businessID == id || e.orderID == id)
}

// namedBy says whether an outcome names the id.
func namedBy(o *schemas.Outcome, id string) bool {
	if slices.Contains([]string{o.OutcomeID, o.BusinessID, o.OrderID, o.Source.EventID, o.TraceID, coordinates(o.Source.Topic, o.Source.Partition, o.Source.Offset)}, id) {
		return true
	}
	named := func(d schemas.Document) bool { return d.ID == id || d.Number == id && id != "" }
	return slices.ContainsFunc(o.Documents, named) || o.Shadow != nil && slices.ContainsFunc(o.Shadow.Found, named)
}

// take adds a record that belongs to what is looked for.
func (t *tracer) take(ctx context.Context, r *kgo.Record) {
	if r.Topic == t.cfg.Topics.Outcomes {
		t.takeOutcome(ctx, r)
		return
	}
	e := Entry{At: r.Timestamp.UTC(), Kind: KindEvent, Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, TraceID: traceOf(r)}
	var letter bool
	e.Workflow, letter = t.workflowOf(r.Topic)
	ev, err := t.decode(ctx, r)
	if err != nil {
		e.Text = "cannot be read: " + err.Error()
	} else {
		e.Organization, e.BusinessID, e.EventID, e.Text = ev.Organization, ev.businessID, ev.EventID, ev.text
		t.belongs(ev.Organization, ev.orderID, ev.related...)
		t.words[ev.businessID], t.words[ev.EventID] = true, true
	}
	if id := topics.Header(r, processor.HeaderReplayID); id != "" {
		e.Text += "; replayed as " + id
		t.words[id] = true
	}
	if letter {
		e.Kind, e.Class = KindDeadLetter, topics.Header(r, "dlq.class")
		e.Text = e.Class + ": " + topics.Header(r, "dlq.message")
		e.Source = strings.Join([]string{topics.Header(r, processor.HeaderSourceTopic), topics.Header(r, processor.HeaderSourcePartition), topics.Header(r, processor.HeaderSourceOffset)}, "/")
		if at, err := time.Parse(time.RFC3339Nano, topics.Header(r, "dlq.failed-at")); err == nil {
			e.At = at.UTC()
		}
	}
	t.add(e)
}

func (t *tracer) takeOutcome(ctx context.Context, r *kgo.Record) {
	e := Entry{At: r.Timestamp.UTC(), Kind: KindOutcome, Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, TraceID: traceOf(r)}
	o, _, err := t.codec.DecodeOutcome(ctx, r.Value, r.Headers)
	if err != nil {
		e.Text = "cannot be read: " + err.Error()
		t.add(e)
		return
	}
	e.At, e.Workflow, e.Organization, e.BusinessID, e.Status = o.SettledAt.UTC(), o.Workflow, o.Organization, o.BusinessID, string(o.Status)
	e.EventID, e.OutcomeID, e.TraceID, e.ConfigHash = o.Source.EventID, o.OutcomeID, o.TraceID, o.ConfigHash
	e.Source = coordinates(o.Source.Topic, o.Source.Partition, o.Source.Offset)
	e.Text = outcomeText(o)
	if o.Error != nil {
		e.Class = o.Error.Class
	}
	var related []claimRef
	if o.Workflow != "order" && o.BusinessID != "" {
		related = append(related, claimRef{o.Organization, o.Workflow, o.BusinessID})
	}
	t.belongs(o.Organization, o.OrderID, related...)
	for _, word := range []string{o.OutcomeID, o.BusinessID, o.Source.EventID, rollback.PlanOf(o)} {
		t.words[word] = true
	}
	for _, d := range o.Documents {
		t.document(Document{Document: d, Organization: o.Organization, Outcome: o.OutcomeID})
	}
	t.add(e)
}

// outcomeText is an outcome in a line.
func outcomeText(o *schemas.Outcome) string {
	var parts []string
	for _, d := range o.Documents {
		name := d.Number
		if name == "" {
			name = d.ID
		}
		parts = append(parts, fmt.Sprintf("%s %s over %s", strings.ReplaceAll(d.Type, "_", " "), name, d.Total))
	}
	if o.Error != nil {
		parts = append(parts, o.Error.Class+": "+o.Error.Message)
	}
	if o.Shadow != nil {
		parts = append(parts, fmt.Sprintf("not written; %d found in the books, %d fields differ", len(o.Shadow.Found), len(o.Shadow.Differences)))
	}
	if o.Reason != "" {
		parts = append(parts, o.Reason)
	}
	return strings.Join(parts, "; ")
}

// document keeps what was said of it last.
func (t *tracer) document(d Document) {
	key := d.Organization + "/" + d.Type + "/" + d.ID
	t.words[d.ID], t.words[d.Number] = true, true
	if i, ok := t.documents[key]; ok {
		t.out.Documents[i] = d
		return
	}
	t.documents[key] = len(t.out.Documents)
	t.out.Documents = append(t.out.Documents, d)
}

// belongs notes the order, and the claims to ask for.
func (t *tracer) belongs(organization, orderID string, related ...claimRef) {
	if orderID == "" || organization == "" {
		return
	}
	t.orders[orderID] = true
	t.refs[claimRef{organization, "order", orderID}] = true
	t.refs[claimRef{organization, "cancel", orderID}] = true
	for _, r := range related {
		t.refs[r] = true
	}
}
