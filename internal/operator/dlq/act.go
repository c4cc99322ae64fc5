package dlq

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/schemas"
)

// Request is one action on the dead letters that a filter chooses.
type Request struct {
	Filter Filter
	// Actor says who asks, Reason why, Selector how they were chosen, as it was typed; for the audit.
	Actor, Reason, Selector string
	// Apply does it; without it the fates are only told.
	Apply bool
	// Force also does what is left out otherwise: quarantined, poison, rejected again.
	Force bool
	// Max bounds the dead letters acted on, the oldest of each source partition first; 0: no bound.
	Max int
	// Rate bounds how many are sent per second; 0: no bound.
	Rate int
}

// Report is what became of one dead letter, or would.
type Report struct {
	Letter
	State State `json:"state"`
	Fate
	// Done: the transaction that did it is committed.
	Done bool `json:"done"`
}

// Result sums an action up.
type Result struct {
	// Action is the id that replayed records and the audit entries carry; "" when nothing was applied.
	Action string `json:"action,omitempty"`
	// Chosen counts what met the filter, Waiting those of them beyond Max.
	Chosen  int `json:"chosen"`
	Waiting int `json:"waiting"`
	// Done counts what was done, by fate; LeftOut what was not. Of a dry run Done is what would be.
	Done    map[string]int `json:"done"`
	LeftOut map[string]int `json:"left_out"`
	Applied bool           `json:"applied"`
	Scan    *Scan          `json:"-"`
	Summary *Summary       `json:"-"` // of what was chosen
}

// Count is the number of dead letters that were done, or would be.
func (r *Result) Count() (n int) {
	for _, k := range r.Done {
		n += k
	}
	return n
}

// Watch is told how an action goes on; its functions may be nil.
type Watch struct {
	Read   func(read, total int64) // while the dead letters are chosen
	Chosen func(*Result)           // then
	Acting func(done, total int)   // after each transaction
	Each   func(*Report) error     // of every dead letter
}

// verb is one kind of action.
type verb struct {
	state State
	// judge says what becomes of a dead letter; make, for those acted on, makes the record that does it.
	judge func(ctx context.Context, s *Scan, sub *subject) Fate
	make  func(ctx context.Context, s *Scan, sub *subject, action string) (*kgo.Record, error)
}

// ref is a chosen dead letter, small: there may be a million.
type ref struct {
	id        ID
	topic     uint16 // of its source, as configured: orders, payments, refunds
	partition int32
	offset    int64 // of the record it came from at first
}

// batchSize is how many dead letters go into one transaction.
const batchSize = 500

// act chooses dead letters, puts them into their sources' order, and does with each what the verb says.
func (d *Desk) act(ctx context.Context, req *Request, v verb, w Watch) (*Result, error) {
	if err := req.Filter.Check(); err != nil {
		return nil, err
	}
	res := &Result{Done: map[string]int{}, LeftOut: map[string]int{}, Applied: req.Apply, Summary: NewSummary()}
	var ses *session
	if req.Apply {
		var err error
		if ses, err = d.beginActing(ctx); err != nil {
			return nil, err
		}
		defer ses.close()
		res.Action = newAction()
	}
	refs, err := d.choose(ctx, req, res, w)
	if err != nil {
		return res, err
	}
	if w.Chosen != nil {
		w.Chosen(res)
	}
	size := batchSize
	if req.Rate > 0 {
		size = min(size, req.Rate)
	}
	done := 0
	for batch := range slices.Chunk(refs, size) {
		n, err := d.batch(ctx, ses, req, v, res, batch, w)
		if err != nil {
			return res, err
		}
		if done += len(batch); w.Acting != nil {
			w.Acting(done, len(refs))
		}
		if ses == nil || done == len(refs) {
			continue
		}
		if err := pace(ctx, n, req.Rate); err != nil {
			return res, err
		}
	}
	return res, nil
}

// beginActing looks whether what is written to is there, and takes the producer id.
func (d *Desk) beginActing(ctx context.Context) (*session, error) {
	found, err := d.existing(ctx, d.cfg.Topics.Audit)
	if err != nil {
		return nil, err
	}
	if _, ok := found[d.cfg.Topics.Audit]; !ok {
		return nil, fmt.Errorf("%w: %s: nothing is done without it; `booksync setup --apply` creates it", ErrMissing, d.cfg.Topics.Audit)
	}
	return d.session(ctx, append(d.cfg.Topics.Sources(), d.cfg.Topics.Audit, d.cfg.Topics.Outcomes)...)
}

// choose scans for what is asked for. The order of the records that the dead letters once were keeps each key's order.
func (d *Desk) choose(ctx context.Context, req *Request, res *Result, w Watch) ([]ref, error) {
	sources := d.cfg.Topics.Sources()
	var refs []ref
	var err error
	res.Scan, err = d.Scan(ctx, &req.Filter, func(l *Letter, state State, _ *kgo.Record) error {
		if state != StateOpen && state != StateQuarantined {
			return nil // done with; a filter may show them, nothing is done twice
		}
		res.Summary.Add(l)
		at := l.Origin
		if at.IsZero() {
			at = l.Source
		}
		topic := max(0, slices.Index(sources, l.Source.Topic))
		refs = append(refs, ref{id: l.ID, topic: uint16(topic), partition: at.Partition, offset: at.Offset}) //nolint:gosec // topics are few
		return nil
	}, w.Read)
	if err != nil {
		return nil, err
	}
	res.Summary.sort()
	slices.SortFunc(refs, func(a, b ref) int {
		return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition), cmp.Compare(a.offset, b.offset),
			cmp.Compare(a.id.Partition, b.id.Partition), cmp.Compare(a.id.Offset, b.id.Offset))
	})
	res.Chosen = len(refs)
	if req.Max > 0 && len(refs) > req.Max {
		res.Waiting = len(refs) - req.Max
		refs = refs[:req.Max]
	}
	return refs, nil
}

// batch does one transaction's worth and answers how many records it sent.
func (d *Desk) batch(ctx context.Context, ses *session, req *Request, v verb, res *Result, refs []ref, w Watch) (int, error) {
	ids := make([]ID, len(refs))
	for i, r := range refs {
		ids[i] = r.id
	}
	subs, err := d.subjects(ctx, res.Scan, ids)
	if err != nil {
		return 0, err
	}
	reports := make([]Report, len(subs))
	for i := range subs {
		if err := subs[i].away; err != nil {
			return 0, err
		}
		reports[i] = Report{Letter: subs[i].letter, State: subs[i].state, Fate: v.judge(ctx, res.Scan, &subs[i])}
	}
	n := 0
	if ses != nil {
		if n, err = d.commit(ctx, ses, req, v, res, subs, reports); err != nil {
			return 0, err
		}
	}
	for i := range reports {
		r := &reports[i]
		if r.Act {
			res.Done[r.Kind]++
		} else {
			res.LeftOut[r.Kind]++
		}
		if w.Each != nil {
			if err := w.Each(r); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// commit sends what is acted on. What a topic refuses for its size is left out, and the rest is sent again.
func (d *Desk) commit(ctx context.Context, ses *session, req *Request, v verb, res *Result, subs []subject, reports []Report) (int, error) {
	for {
		var records []*kgo.Record
		var done []int
		for i := range subs {
			if !reports[i].Act {
				continue
			}
			rec, err := v.make(ctx, res.Scan, &subs[i], res.Action)
			if err != nil {
				return 0, err
			}
			records, done = append(records, rec), append(done, i)
		}
		if len(records) == 0 {
			return 0, nil
		}
		marks, err := d.markRecords(ctx, req, v.state, res, subs, done)
		if err != nil {
			return 0, err
		}
		err = ses.commit(ctx, records, marks)
		var large *tooLargeError
		if errors.As(err, &large) {
			if i := slices.Index(records, large.rec); i >= 0 {
				reports[done[i]].Fate = Fate{Kind: FateTooLarge, Text: large.Error()}
				continue
			}
		}
		if err != nil {
			return 0, err
		}
		for _, i := range done {
			reports[i].Done = true
		}
		return len(records), nil
	}
}

// markRecords are the audit entries of a transaction: one for each organisation and dead-letter topic.
func (d *Desk) markRecords(ctx context.Context, req *Request, state State, res *Result, subs []subject, done []int) ([]*kgo.Record, error) {
	type part struct{ organization, workflow, topic string }
	ids := make(map[part][]ID)
	fates := make(map[part]map[string]int)
	var parts []part
	for _, i := range done {
		l := &subs[i].letter
		p := part{l.Organization, l.Workflow, l.ID.Topic}
		if ids[p] == nil {
			parts = append(parts, p)
			fates[p] = make(map[string]int)
		}
		ids[p] = append(ids[p], l.ID)
		fates[p][l.Class]++
	}
	now := d.Now().UTC().Truncate(time.Millisecond)
	partitions := res.Scan.topics[d.cfg.Topics.Audit].partitions
	var out []*kgo.Record
	for _, p := range parts {
		offsets := formatOffsets(ids[p])
		entry := schemas.AuditEntry{
			At: now, Actor: req.Actor, Action: state.action(), Organization: p.organization, Workflow: p.workflow,
			Selector: req.Selector, Reason: req.Reason, Counts: map[string]int64{string(state): int64(len(ids[p]))},
			Details: map[string]string{"topic": p.topic, "offsets": offsets, "action_id": res.Action, "classes": classList(fates[p])},
		}
		if len(done) == 1 {
			for k, v := range subs[done[0]].details() {
				entry.Details[k] = v
			}
		}
		rec, err := d.trail.Record(ctx, entry)
		if err != nil {
			return nil, err
		}
		rec.Partition = partitionOf(rec, partitions)
		for _, h := range [][2]string{
			{markState, string(state)}, {markTopic, p.topic}, {markTopicID, res.Scan.topics[p.topic].id}, {markOffsets, offsets},
			{markAction, res.Action}, {markActor, req.Actor}, {markReason, req.Reason}, {markAt, now.Format(time.RFC3339Nano)},
		} {
			rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: h[0], Value: []byte(h[1])})
		}
		out = append(out, rec)
	}
	return out, nil
}

// action is the audit's word for what leads to a state.
func (s State) action() string {
	switch s {
	case StateReplayed:
		return "replay"
	case StateEdited:
		return "edit"
	case StateDiscarded:
		return "discard"
	}
	return string(s)
}

// details of a single dead letter, for people who read the audit.
func (sub *subject) details() map[string]string {
	l := &sub.letter
	out := map[string]string{"id": l.ID.String(), "key": l.Key, "class": l.Class, "business_id": l.BusinessID, "source": l.Source.String()}
	if sub.rec != nil {
		out["value_sha256"] = hashOf(sub.rec.Value)
	}
	maps.Copy(out, sub.more)
	return out
}

// partitionOf is where Kafka's own clients put the record's key.
func partitionOf(rec *kgo.Record, partitions int) int32 {
	if partitions < 1 {
		return 0
	}
	return int32(kgo.StickyKeyPartitioner(nil).ForTopic(rec.Topic).Partition(rec, partitions)) //nolint:gosec // below partitions
}

func hashOf(value []byte) string {
	sum := sha256.Sum256(value)
	return hex.EncodeToString(sum[:])
}

// newAction names an action.
func newAction() string { return rand.Text() }

// joinMost joins at most n of the items.
func joinMost(items []string, n int) string {
	if len(items) <= n {
		return strings.Join(items, ", ")
	}
	return strings.Join(items[:n], ", ") + fmt.Sprintf(" and %d more", len(items)-n)
}

// text is a header.
func text(key, value string) kgo.RecordHeader {
	return kgo.RecordHeader{Key: key, Value: []byte(value)}
}

func count(key string, n int) kgo.RecordHeader { return text(key, strconv.Itoa(n)) }
