package dlq

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/connectors/redis"
	"github.com/booksync/booksync/processor"
	"github.com/booksync/booksync/schemas"
)

// Shown is everything that is known of one dead letter.
type Shown struct {
	Letter   Letter          `json:"letter"`
	State    State           `json:"state"`
	Mark     *Mark           `json:"mark,omitempty"`
	TraceID  string          `json:"trace_id,omitempty"`
	Headers  []Header        `json:"headers"`
	Bytes    int             `json:"bytes"`
	Restored bool            `json:"restored,omitempty"` // the value is missing here and was found in the source topic
	Event    json.RawMessage `json:"event,omitempty"`
	Poison   string          `json:"poison,omitempty"` // why there is no event
	Claim    *ClaimShown     `json:"claim,omitempty"`
	Outcome  json.RawMessage `json:"outcome,omitempty"` // published together with the dead letter
	History  []HistoryEntry  `json:"history,omitempty"`
	Outlook  Fate            `json:"outlook"`
	Plan     Plan            `json:"-"`
	Value    []byte          `json:"-"`
}

// Header is one of the record's.
type Header struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// ClaimShown is what Redis says of the business id.
type ClaimShown struct {
	Role        string    `json:"role"`
	ID          string    `json:"id"`
	State       string    `json:"state"` // none, sending, done or rejected
	Coordinates string    `json:"coordinates,omitempty"`
	Revision    int64     `json:"revision,omitempty"`
	Step        string    `json:"step,omitempty"`
	Since       time.Time `json:"since,omitzero"`
	HeldUntil   time.Time `json:"held_until,omitzero"`
	written
}

// HistoryEntry is another dead letter of the same record: from before or after a replay.
type HistoryEntry struct {
	ID       ID        `json:"id"`
	Class    string    `json:"class"`
	FailedAt time.Time `json:"failed_at"`
	Replays  int       `json:"replays"`
	State    State     `json:"state"`
}

// Show finds out everything about one dead letter. What is away (registry, claims) is left out where it can be: the rest is
// still worth seeing.
func (d *Desk) Show(ctx context.Context, id ID) (*Shown, error) {
	s, sub, err := d.single(ctx, id)
	if err != nil {
		return nil, err
	}
	l := &sub.letter
	v := &Shown{
		Letter: *l, State: sub.state, Mark: s.Mark(id), TraceID: l.TraceID(), Bytes: len(sub.rec.Value), Value: sub.rec.Value,
		Restored: l.Truncated != "" && sub.whole != nil,
	}
	for _, h := range sub.rec.Headers {
		v.Headers = append(v.Headers, Header{h.Key, string(h.Value)})
	}
	switch {
	case sub.whole == nil:
		v.Poison = l.Truncated
	case sub.away != nil:
		v.Poison = sub.away.Error()
	case sub.poison != nil:
		v.Poison = sub.poison.Error()
	default:
		if v.Event, err = sub.event.json(); err != nil {
			v.Poison = err.Error()
		}
		v.Plan = d.plan(ctx, sub)
	}
	v.Outlook = d.fate(ctx, s, sub, false)
	v.Claim = sub.claimShown()
	if v.Outcome, err = d.outcome(ctx, sub); err != nil && !errors.Is(err, schemas.ErrRegistryUnavailable) {
		return nil, err
	}
	if l.Replays > 0 || v.Mark != nil {
		if v.History, err = d.history(ctx, s, sub); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func (sub *subject) claimShown() *ClaimShown {
	c := sub.claim
	if c == nil {
		return nil
	}
	out := &ClaimShown{
		Role: string(sub.identity.Ref.Role), ID: sub.identity.Ref.ID, State: c.State, Coordinates: c.Coordinates, Revision: c.Revision,
		Step: c.Step, Since: c.Since, HeldUntil: c.HeldUntil, written: sub.written(),
	}
	if c.State == redis.StateNone {
		out.State = "none"
	}
	return out
}

// An outcome goes out in one transaction with its dead letter, so it is as old: only this much around it is read.
const (
	outcomeBefore = 5 * time.Second
	outcomeAfter  = time.Minute
)

// outcome is the verdict that was published with the dead letter; nil where retention removed it.
func (d *Desk) outcome(ctx context.Context, sub *subject) (json.RawMessage, error) {
	l, topic := &sub.letter, d.cfg.Topics.Outcomes
	if l.Group == "" || l.Source.IsZero() {
		return nil, nil
	}
	spans, err := d.spans(ctx, topic)
	if errors.Is(err, ErrMissing) {
		return nil, nil
	}
	if err == nil {
		err = d.since(ctx, spans, sub.rec.Timestamp.Add(-outcomeBefore), topic)
	}
	if err == nil {
		err = d.until(ctx, spans, sub.rec.Timestamp.Add(outcomeAfter), topic)
	}
	if err != nil {
		return nil, err
	}
	id := []byte(processor.OutcomeID(l.Group, l.Source.Topic, l.Source.Partition, l.Source.Offset))
	var found json.RawMessage
	err = d.stream(ctx, spans, func(rec *kgo.Record) error {
		if !bytes.Contains(rec.Value, id) {
			return nil
		}
		out, _, err := d.Codec.DecodeOutcome(ctx, rec.Value, rec.Headers)
		if err == nil {
			found, err = schemas.OutcomeToJSON(out)
		}
		if err != nil {
			return fmt.Errorf("decoding the outcome at %s: %w", idOf(rec), err)
		}
		return nil
	})
	return found, err
}

// history are the other dead letters of the same record. A key's dead letters are in one partition.
func (d *Desk) history(ctx context.Context, s *Scan, sub *subject) ([]HistoryEntry, error) {
	at := place{sub.letter.ID.Topic, sub.letter.ID.Partition}
	spans, err := d.spans(ctx, at.topic)
	if err != nil {
		return nil, err
	}
	var out []HistoryEntry
	err = d.stream(ctx, map[place]span{at: spans[at]}, func(rec *kgo.Record) error {
		if l := d.letter(rec); l.Origin == sub.letter.Origin && !l.Origin.IsZero() && l.ID != sub.letter.ID {
			out = append(out, HistoryEntry{ID: l.ID, Class: l.Class, FailedAt: l.FailedAt, Replays: l.Replays, State: s.State(&l)})
		}
		return nil
	})
	return out, err
}
