// Package trace finds everything that belongs to one id: the events, outcomes, dead letters and operators' actions in Kafka, the claims in Redis, and the documents
// that the outcomes name.
//
// All records of an order, its payments and refunds included, carry the order id as key. So whatever the id is, its order is looked for first: an order id is its own
// key and leads straight to one partition of each topic; any other id is looked for in the outcomes, which name events, payments, refunds, documents and
// traces, and after that in the events themselves. Then everything with the order's key is gathered. Nothing is kept but what was found.
package trace

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/operator/topics"
	"github.com/booksync/booksync/schemas"
)

// Progress is told how a scan gets on; the zero value tells nobody.
type Progress struct {
	// Begin is told how many offsets will be looked at, and of what.
	Begin func(total int64, what string)
	// Add is told how many more were.
	Add func(n int64)
}

func (p Progress) begin(total int64, what string) {
	if p.Begin != nil {
		p.Begin(total, what)
	}
}

func (p Progress) add(n int64) {
	if p.Add != nil && n > 0 {
		p.Add(n)
	}
}

// Options say what to look for.
type Options struct {
	ID string
	// Since leaves out what is older.
	Since time.Time
	// Most bounds the entries; the oldest are kept.
	Most     int
	Progress Progress
}

// Trace is what belongs to an id.
type Trace struct {
	ID string `json:"id"`
	// Orders are the order ids it leads to.
	Orders  []string  `json:"orders"`
	Since   time.Time `json:"since"`
	Entries []Entry   `json:"entries"` // in time order
	Claims  []Claim   `json:"claims"`
	// Documents are those that the outcomes name, each as it was named last.
	Documents []Document `json:"documents"`
	// Truncated says that there were more entries than asked for.
	Truncated bool `json:"truncated,omitempty"`
	// Scanned is how many offsets were looked at.
	Scanned int64 `json:"scanned"`
}

// Kinds of entries.
const (
	KindEvent      = "event"
	KindOutcome    = "outcome"
	KindDeadLetter = "dead_letter"
	KindAction     = "action"
)

// Entry is one record of a topic.
type Entry struct {
	At           time.Time `json:"at"`   // of an event and a dead letter Kafka's time of the record, of an outcome when it was settled, of an action when it was done
	Kind         string    `json:"kind"` // event, outcome, dead_letter or action
	Topic        string    `json:"topic"`
	Partition    int32     `json:"partition"`
	Offset       int64     `json:"offset"`
	Workflow     string    `json:"workflow,omitempty"`
	Organization string    `json:"organization,omitempty"`
	BusinessID   string    `json:"business_id,omitempty"`
	// Text says in a line what it is.
	Text       string `json:"text"`
	Status     string `json:"status,omitempty"` // of an outcome
	Class      string `json:"class,omitempty"`  // of a rejection
	EventID    string `json:"event_id,omitempty"`
	OutcomeID  string `json:"outcome_id,omitempty"`
	TraceID    string `json:"trace_id,omitempty"`
	ConfigHash string `json:"config_hash,omitempty"`
	// Source is topic/partition/offset of the record that an outcome or a dead letter is about.
	Source string `json:"source,omitempty"`
	Actor  string `json:"actor,omitempty"`
}

// Document is a document in Zoho Books.
type Document struct {
	schemas.Document
	Organization string `json:"Organization"`
	// Outcome is the id of the outcome that named it last.
	Outcome string `json:"Outcome"`
}

// tracer is a search under way.
type tracer struct {
	cfg    *config.Config
	codec  *schemas.Codec
	layout *layout
	opts   Options
	out    *Trace

	seen      map[string]bool // entries, by coordinates
	documents map[string]int
	orders    map[string]bool
	refs      map[claimRef]bool
	words     map[string]bool // ids by which actions are recognised
}

// Find looks for the id. It blocks until Kafka was read and Redis asked; claims may be nil where Redis is away. Nothing found is no error: Trace.Entries and
// Trace.Claims are empty then.
func Find(ctx context.Context, cfg *config.Config, codec *schemas.Codec, claims Claims, opts Options) (*Trace, error) {
	if opts.Most <= 0 {
		opts.Most = 1000
	}
	t := &tracer{
		cfg: cfg, codec: codec, opts: opts,
		out:  &Trace{ID: opts.ID, Orders: []string{}, Since: opts.Since.UTC().Truncate(time.Second), Entries: []Entry{}, Claims: []Claim{}, Documents: []Document{}},
		seen: map[string]bool{}, documents: map[string]int{}, orders: map[string]bool{}, refs: map[claimRef]bool{}, words: map[string]bool{opts.ID: true},
	}
	var err error
	if t.layout, err = newLayout(ctx, cfg, opts.Since, append(t.keyed(), cfg.Topics.Audit)...); err != nil {
		return nil, err
	}
	if err := t.find(ctx); err != nil {
		return nil, err
	}
	if err := t.actions(ctx); err != nil {
		return nil, err
	}
	if err := t.claims(ctx, claims); err != nil {
		return nil, err
	}
	t.finish()
	return t.out, nil
}

// keyed are the topics whose records carry the order id as key.
func (t *tracer) keyed() []string {
	topics := append(t.cfg.Topics.Sources(), t.cfg.Topics.Outcomes)
	for _, source := range t.cfg.Topics.Sources() {
		topics = append(topics, t.cfg.Topics.DeadLetter(source))
	}
	return topics
}

// find looks for the order, then gathers what has its key.
func (t *tracer) find(ctx context.Context) error {
	if err := t.gather(ctx, nil, t.opts.ID); err != nil || len(t.out.Entries) > 0 {
		return err
	}
	elsewhere := map[topicPart]bool{} // where the records of what is found have been read
	for _, step := range []struct {
		what   string
		topics []string
	}{
		{"outcomes", []string{t.cfg.Topics.Outcomes}},
		{"events and dead letters", slices.DeleteFunc(t.keyed(), func(topic string) bool { return topic == t.cfg.Topics.Outcomes })},
	} {
		keys := map[string]bool{}
		if err := t.scan(ctx, t.layout.of(step.topics...), step.what, func(r *kgo.Record) {
			if !t.names(ctx, r) {
				return
			}
			keys[string(r.Key)] = true
			elsewhere[topicPart{r.Topic, r.Partition}] = true
			if len(r.Key) == 0 { // nothing else leads to it
				t.take(ctx, r)
			}
			if r.Topic == t.cfg.Topics.Outcomes {
				if o, _, err := t.codec.DecodeOutcome(ctx, r.Value, r.Headers); err == nil {
					elsewhere[topicPart{o.Source.Topic, o.Source.Partition}] = true
				}
			}
		}); err != nil {
			return err
		}
		delete(keys, "")
		if len(keys) > 0 || len(t.out.Entries) > 0 {
			return t.gather(ctx, elsewhere, slices.Sorted(mapsKeys(keys))...)
		}
	}
	return nil
}

// gather takes what has one of the keys: from the partitions where the keys belong, and where they were seen.
func (t *tracer) gather(ctx context.Context, elsewhere map[topicPart]bool, keys ...string) error {
	wanted := map[string]bool{}
	var parts []topicPart
	for _, key := range keys {
		wanted[key] = true
		for _, topic := range t.keyed() {
			if t.layout.count[topic] > 0 {
				parts = append(parts, t.layout.home(topic, key))
			}
		}
	}
	for p := range elsewhere {
		parts = append(parts, p)
	}
	return t.scan(ctx, parts, "records of the order", func(r *kgo.Record) {
		if wanted[string(r.Key)] {
			t.take(ctx, r)
		}
	})
}

func (t *tracer) scan(ctx context.Context, parts []topicPart, what string, each func(*kgo.Record)) error {
	n, err := t.layout.scan(ctx, t.cfg, parts, t.opts.Progress, what, each)
	t.out.Scanned += n
	return err
}

// add keeps an entry, once.
func (t *tracer) add(e Entry) {
	at := coordinates(e.Topic, e.Partition, e.Offset)
	if t.seen[at] {
		return
	}
	if len(t.out.Entries) >= t.opts.Most {
		t.out.Truncated = true
		return
	}
	t.seen[at] = true
	t.out.Entries = append(t.out.Entries, e)
}

// finish sorts what was found.
func (t *tracer) finish() {
	slices.SortStableFunc(t.out.Entries, func(a, b Entry) int { return a.At.Compare(b.At) })
	t.out.Orders = slices.Sorted(mapsKeys(t.orders))
	if t.out.Orders == nil {
		t.out.Orders = []string{}
	}
}

func coordinates(topic string, partition int32, offset int64) string {
	return fmt.Sprintf("%s/%d/%d", topic, partition, offset)
}

// traceOf is the trace id of a record's traceparent header.
func traceOf(r *kgo.Record) string {
	parts := strings.Split(topics.Header(r, "traceparent"), "-")
	if len(parts) != 4 {
		return ""
	}
	return parts[1]
}
