package dlq

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/processor"
	"github.com/booksync/booksync/schemas"
)

// EditRequest mends one dead letter. Exactly one of Patch and Event is set.
type EditRequest struct {
	ID ID
	// Patch is an RFC 6902 patch of the decoded event, Event a whole event in its place, for what cannot be decoded.
	Patch, Event []byte
	// Actor, Reason and Selector go to the audit.
	Actor, Reason, Selector string
	// Apply sends the mended event; without it only the change is told.
	Apply bool
	// Force sends it although it would be rejected, or is another transaction than before.
	Force bool
}

// Edited is what an edit changes.
type Edited struct {
	Letter  Letter          `json:"letter"`
	Before  json.RawMessage `json:"before,omitempty"` // nothing for what cannot be decoded
	After   json.RawMessage `json:"after"`
	Changes []Change        `json:"changes"`
	Key     string          `json:"key"` // of the record that is sent
	Plan    Plan            `json:"-"`
	Fate    Fate            `json:"outlook"`
	Action  string          `json:"action,omitempty"`
	Applied bool            `json:"applied"`
}

// Change is one field that differs.
type Change struct {
	Path   string `json:"path"` // JSON pointer
	Before any    `json:"before,omitempty"`
	After  any    `json:"after,omitempty"`
}

// headerEdited names, on an edited record, the hash of the value it had before; the dead letter keeps that value.
const headerEdited = "dlq.edit.before-sha256"

// Edit mends the event of a dead letter and sends it to the source topic, encoded with the newest schema. The dead letter
// stays as it is; its count of replays begins anew, for the event is another one. Errors that wrap ErrRefused say what Force
// would allow, or what is wrong.
func (d *Desk) Edit(ctx context.Context, req *EditRequest) (*Edited, error) {
	var ses *session
	var err error
	if req.Apply {
		if ses, err = d.beginActing(ctx); err != nil {
			return nil, err
		}
		defer ses.close()
	}
	s, sub, err := d.single(ctx, req.ID)
	if err != nil {
		return nil, err
	}
	if mark := s.Mark(req.ID); mark != nil {
		return nil, fmt.Errorf("%w: %s was %s by %s at %s", ErrRefused, req.ID, mark.State, mark.Actor, mark.At.Format("2006-01-02 15:04:05Z"))
	}
	if sub.away != nil {
		return nil, sub.away
	}
	source := sub.letter.Source.Topic
	if d.cfg.Topics.Workflow(source) == "" {
		return nil, fmt.Errorf("%w: the configuration has no topic %q to send it back to", ErrRefused, source)
	}
	e := &Edited{Letter: sub.letter}
	mended, err := e.mend(sub, req)
	if err != nil {
		return nil, err
	}
	id := mended.identity()
	if err := e.sameTransaction(sub, mended, req.Force); err != nil {
		return e, err
	}
	e.Plan = d.Explain(ctx, sub.letter.Workflow, e.After)
	if rej := e.Plan.Rejected; rej != nil && !req.Force {
		return e, fmt.Errorf("%w: it would be rejected again: %s: %s; --force sends it all the same", ErrRefused, rej.Class, rej.Message)
	}
	value, err := d.encode(ctx, source, mended)
	if err != nil {
		return e, fmt.Errorf("encoding the mended event: %w", err)
	}
	// What the claims say, they say of the mended event.
	outlook := []subject{{letter: sub.letter, rec: sub.rec, whole: sub.rec, event: mended, identity: id}}
	if err := d.lookUp(ctx, outlook); err != nil {
		return e, err
	}
	e.Fate = Fate{Kind: FateRetry, Text: "from the beginning", Act: true}
	if f, settled := outlook[0].settled(req.Force); settled {
		if e.Fate = f; !f.Act {
			return e, fmt.Errorf("%w: %s; --force sends it all the same", ErrRefused, f.Text)
		}
	}
	partitions, err := d.sourcePartitions(ctx, source)
	if err != nil {
		return e, err
	}
	e.Key = string(sub.rec.Key)
	if before := sub.event.identity(); sub.poison != nil || sub.whole == nil || len(sub.rec.Key) == 0 || before.OrderID != id.OrderID {
		e.Key = id.OrderID
	}
	if !req.Apply {
		return e, nil
	}
	return e, d.sendEdited(ctx, ses, req, s, sub, e, value, partitions)
}

// sendEdited does it.
func (d *Desk) sendEdited(ctx context.Context, ses *session, req *EditRequest, s *Scan, sub *subject, e *Edited, value []byte, partitions int) error {
	e.Action = newAction()
	if sub.whole == nil {
		sub.whole = &kgo.Record{}
	}
	rec := sub.replay(e.Action, partitions)
	rec.Value = value
	rec.Headers = slices.DeleteFunc(rec.Headers, func(h kgo.RecordHeader) bool {
		return h.Key == schemas.HeaderValueSchemaID || h.Key == processor.HeaderReplayCount // of the value as it was
	})
	rec.Headers = append(rec.Headers, count(processor.HeaderReplayCount, 1), text(headerEdited, hashOf(sub.rec.Value)))
	if e.Key != string(sub.rec.Key) {
		rec.Key = []byte(e.Key)
		rec.Partition = partitionOf(rec, partitions)
	}
	act := &Request{Actor: req.Actor, Reason: req.Reason, Selector: req.Selector}
	res := &Result{Action: e.Action, Scan: s}
	paths := make([]string, len(e.Changes))
	for i, c := range e.Changes {
		paths[i] = c.Path
	}
	sub.more = map[string]string{"changed": joinMost(paths, 100), "edited_sha256": hashOf(value)}
	marks, err := d.markRecords(ctx, act, StateEdited, res, []subject{*sub}, []int{0})
	if err != nil {
		return err
	}
	if err := ses.commit(ctx, []*kgo.Record{rec}, marks); err != nil {
		return err
	}
	e.Applied = true
	return nil
}

// single is one dead letter with all that is known of it.
func (d *Desk) single(ctx context.Context, id ID) (*Scan, *subject, error) {
	s, err := d.look(ctx)
	if err != nil {
		return nil, nil, err
	}
	if _, ok := s.topics[id.Topic]; !ok {
		return nil, nil, fmt.Errorf("%w: %s; `booksync setup --apply` creates it", ErrMissing, id.Topic)
	}
	subs, err := d.subjects(ctx, s, []ID{id})
	if err != nil {
		return nil, nil, err
	}
	if subs[0].rec == nil {
		return nil, nil, fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	return s, &subs[0], nil
}

// mend makes the event as it will be sent, and notes the changes.
func (e *Edited) mend(sub *subject, req *EditRequest) (event, error) {
	var err error
	if sub.whole != nil && sub.poison == nil {
		if e.Before, err = sub.event.json(); err != nil {
			return event{}, err
		}
	}
	after := req.Event
	if req.Patch != nil {
		if e.Before == nil {
			why := errors.New("its value is missing")
			if sub.poison != nil {
				why = sub.poison
			}
			return event{}, fmt.Errorf("%w: there is no decoded event to patch (%w): give the whole event with --event", ErrRefused, why)
		}
		if after, err = patch(e.Before, req.Patch); err != nil {
			return event{}, fmt.Errorf("%w: %w", ErrRefused, err)
		}
	}
	mended, err := fromJSON(sub.letter.Workflow, after)
	if err != nil {
		return event{}, fmt.Errorf("%w: the mended event is none: %w", ErrRefused, err)
	}
	if e.After, err = mended.json(); err != nil {
		return event{}, fmt.Errorf("%w: the mended event is none: %w", ErrRefused, err)
	}
	if bytes.Equal(e.Before, e.After) {
		return event{}, fmt.Errorf("%w: nothing changes: use replay", ErrRefused)
	}
	e.Changes, err = changes(e.Before, e.After)
	return mended, err
}

// patch applies an RFC 6902 patch as it is written: no negative indexes, nothing made up on the way.
func patch(doc, text []byte) ([]byte, error) {
	p, err := jsonpatch.DecodePatch(text)
	if err != nil {
		return nil, fmt.Errorf("reading the patch: %w", err)
	}
	opts := jsonpatch.NewApplyOptions()
	opts.SupportNegativeIndices = false
	out, err := p.ApplyWithOptions(doc, opts)
	if err != nil {
		return nil, fmt.Errorf("applying the patch: %w", err)
	}
	return out, nil
}

// sameTransaction refuses to turn an event into another transaction's: what was written for it would be forgotten.
func (e *Edited) sameTransaction(sub *subject, mended event, force bool) error {
	if force || e.Before == nil {
		return nil
	}
	before, after := sub.identity, mended.identity()
	if before.Organization == after.Organization && before.Ref == after.Ref && before.OrderID == after.OrderID {
		return nil
	}
	return fmt.Errorf("%w: it would be another transaction: %s %s %s of order %s becomes %s %s %s of order %s; discard it and produce "+
		"the other one, or use --force", ErrRefused, before.Organization, before.Ref.Role, before.Ref.ID, before.OrderID,
		after.Organization, after.Ref.Role, after.Ref.ID, after.OrderID)
}

// changes are the fields that differ, by path.
func changes(before, after json.RawMessage) ([]Change, error) {
	var a, b any
	if before != nil {
		if err := json.Unmarshal(before, &a); err != nil {
			return nil, fmt.Errorf("comparing: %w", err)
		}
	}
	if err := json.Unmarshal(after, &b); err != nil {
		return nil, fmt.Errorf("comparing: %w", err)
	}
	return differ(nil, "", a, b), nil
}

func differ(out []Change, path string, a, b any) []Change {
	ma, okA := a.(map[string]any)
	mb, okB := b.(map[string]any)
	if okA && okB {
		keys := maps.Clone(ma)
		maps.Copy(keys, mb)
		for _, k := range slices.Sorted(maps.Keys(keys)) {
			out = differ(out, path+"/"+k, ma[k], mb[k])
		}
		return out
	}
	la, okA := a.([]any)
	lb, okB := b.([]any)
	if okA && okB {
		for i := range max(len(la), len(lb)) {
			var x, y any
			if i < len(la) {
				x = la[i]
			}
			if i < len(lb) {
				y = lb[i]
			}
			out = differ(out, path+"/"+strconv.Itoa(i), x, y)
		}
		return out
	}
	if okA != okB || !equalScalars(a, b) {
		out = append(out, Change{path, a, b})
	}
	return out
}

func equalScalars(a, b any) bool {
	_, mapA := a.(map[string]any)
	_, mapB := b.(map[string]any)
	if mapA || mapB {
		return false
	}
	return a == b
}
