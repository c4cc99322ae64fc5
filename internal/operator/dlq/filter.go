package dlq

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/schemas"
)

// Filter chooses dead letters: all that meet every condition that is set. Lists are met by any of their items.
type Filter struct {
	Classes       []string // with * for any characters: rejected.*
	Codes         []string // Zoho's
	Workflows     []string
	Organizations []string
	Topics        []string // source topics
	Keys          []string
	BusinessIDs   []string
	// Since and Until bound when they failed; zero: no bound.
	Since, Until time.Time
	// Offsets bound where they stand in their topics.
	Offsets []Offsets
	// IDs, if not nil, are the only ones that count.
	IDs map[ID]bool
	// States are those that count; nil: open and quarantined.
	States []State
	// Where, if not nil, is an expression over headers and the decoded event.
	Where *Where
}

// Offsets is a part of one partition of a dead-letter topic.
type Offsets struct {
	place
	span
}

// ParseOffsets reads topic/partition/from-to, both ends inclusive.
func (d *Desk) ParseOffsets(text string) (Offsets, error) {
	head, last, ok := cutLast(text)
	s, err := parseSpan(last)
	if !ok || err != nil {
		return Offsets{}, fmt.Errorf("%q: want topic/partition/from-to", text)
	}
	id, err := d.ParseID(head + "/0")
	if err != nil {
		return Offsets{}, err
	}
	return Offsets{place{id.Topic, id.Partition}, s}, nil
}

// Check says what is wrong with the filter.
func (f *Filter) Check() error {
	for _, c := range f.Classes {
		if _, err := path.Match(c, ""); err != nil {
			return fmt.Errorf("class %q is no pattern", c)
		}
	}
	for _, s := range f.States {
		if !slices.Contains([]State{StateOpen, StateQuarantined, StateReplayed, StateEdited, StateDiscarded}, s) {
			return fmt.Errorf("state %q: want open, quarantined, replayed, edited or discarded", s)
		}
	}
	if !f.Since.IsZero() && !f.Until.IsZero() && f.Until.Before(f.Since) {
		return errors.New("until is before since")
	}
	return nil
}

// Chooses says whether any condition but the states is set.
func (f *Filter) Chooses() bool {
	return len(f.Classes)+len(f.Codes)+len(f.Workflows)+len(f.Organizations)+len(f.Topics)+len(f.Keys)+len(f.BusinessIDs)+len(f.Offsets) > 0 ||
		!f.Since.IsZero() || !f.Until.IsZero() || f.IDs != nil || f.Where != nil
}

// meets compares all that needs no value.
func (f *Filter) meets(l *Letter, state State) bool {
	in := func(list []string, value string) bool { return len(list) == 0 || slices.Contains(list, value) }
	switch {
	case f.IDs != nil && !f.IDs[l.ID]:
	case len(f.States) == 0 && state != StateOpen && state != StateQuarantined, len(f.States) > 0 && !slices.Contains(f.States, state):
	case len(f.Classes) > 0 && !slices.ContainsFunc(f.Classes, func(c string) bool { ok, _ := path.Match(c, l.Class); return ok }):
	case !in(f.Codes, l.Code), !in(f.Workflows, l.Workflow), !in(f.Organizations, l.Organization), !in(f.Keys, l.Key), !in(f.BusinessIDs, l.BusinessID):
	case !in(f.Topics, l.Source.Topic):
	case !f.Since.IsZero() && l.FailedAt.Before(f.Since), !f.Until.IsZero() && !l.FailedAt.Before(f.Until):
	case len(f.Offsets) > 0 && !slices.ContainsFunc(f.Offsets, func(o Offsets) bool { return o.holds(l.ID) }):
	default:
		return true
	}
	return false
}

func (o Offsets) holds(id ID) bool {
	return o.topic == id.Topic && o.partition == id.Partition && id.Offset >= o.from && id.Offset < o.to
}

// narrow cuts the spans to what the filter can meet.
func (f *Filter) narrow(spans map[place]span) {
	var bounds map[place]span
	add := func(at place, s span) {
		if b, ok := bounds[at]; ok {
			s = span{min(b.from, s.from), max(b.to, s.to)}
		}
		bounds[at] = s
	}
	switch {
	case f.IDs != nil:
		bounds = make(map[place]span)
		for id := range f.IDs {
			add(place{id.Topic, id.Partition}, span{id.Offset, id.Offset + 1})
		}
	case len(f.Offsets) > 0:
		bounds = make(map[place]span)
		for _, o := range f.Offsets {
			add(o.place, o.span)
		}
	default:
		return
	}
	for at, s := range spans {
		b, ok := bounds[at]
		s = span{max(s.from, b.from), min(s.to, b.to)}
		if spans[at] = s; !ok || s.from >= s.to {
			delete(spans, at)
		}
	}
}

// Scan is one reading of all dead letters.
type Scan struct {
	// Missing are dead-letter topics that do not exist.
	Missing []string
	// NoAudit: the audit topic does not exist, so nothing is known to have been done.
	NoAudit bool
	// Unevaluated counts the letters for which the expression has no value, such as undecodable ones.
	Unevaluated int
	// Read counts the letters looked at, Total those there are.
	Read, Total int64

	topics map[string]topicInfo
	marks  marks
}

// State is the letter's.
func (s *Scan) State(l *Letter) State { return s.marks.state(l) }

// Mark is what was done with the letter; nil for an open one.
func (s *Scan) Mark(id ID) *Mark { return s.marks.of(id) }

// clockSkew is how much earlier than dlq.failed-at a broker may date a dead letter.
const clockSkew = 5 * time.Minute

// Scan calls each with every dead letter that meets the filter, by offset within a partition, and answers what it saw.
// progress, if not nil, is told how many were read of how many. It blocks until all are read.
func (d *Desk) Scan(ctx context.Context, f *Filter, each func(*Letter, State, *kgo.Record) error, progress func(read, total int64)) (*Scan, error) {
	s, err := d.look(ctx)
	if err != nil {
		return nil, err
	}
	return s, d.scan(ctx, s, f, each, progress)
}

// look finds out what there is: topics and marks.
func (d *Desk) look(ctx context.Context) (*Scan, error) {
	all := d.Topics()
	s := &Scan{}
	var err error
	if s.topics, err = d.existing(ctx, append(all, d.cfg.Topics.Audit)...); err != nil {
		return nil, err
	}
	for _, t := range all {
		if _, ok := s.topics[t]; !ok {
			s.Missing = append(s.Missing, t)
		}
	}
	if _, ok := s.topics[d.cfg.Topics.Audit]; !ok {
		s.NoAudit = true
		return s, nil
	}
	s.marks, err = d.readMarks(ctx, s.topics)
	return s, err
}

func (d *Desk) scan(ctx context.Context, s *Scan, f *Filter, each func(*Letter, State, *kgo.Record) error, progress func(read, total int64)) error {
	var topics []string
	for _, t := range d.Topics() {
		if _, ok := s.topics[t]; ok {
			topics = append(topics, t)
		}
	}
	spans, err := d.spans(ctx, topics...)
	if err != nil {
		return err
	}
	if f.narrow(spans); !f.Since.IsZero() {
		if err := d.since(ctx, spans, f.Since.Add(-clockSkew), topics...); err != nil {
			return err
		}
	}
	for _, sp := range spans {
		s.Total += sp.to - sp.from
	}
	return d.stream(ctx, spans, func(rec *kgo.Record) error {
		s.Read++
		if progress != nil && s.Read%1000 == 0 {
			progress(s.Read, s.Total)
		}
		l := d.letter(rec)
		state := s.marks.state(&l)
		if !f.meets(&l, state) {
			return nil
		}
		if f.Where != nil {
			met, err := f.Where.met(ctx, d, &l, state, rec)
			switch {
			case errors.Is(err, schemas.ErrRegistryUnavailable):
				return fmt.Errorf("decoding %s: %w", l.ID, err)
			case err != nil && ctx.Err() != nil:
				return fmt.Errorf("evaluating: %w", ctx.Err())
			case err != nil:
				s.Unevaluated++
				return nil
			case !met:
				return nil
			}
		}
		return each(&l, state, rec)
	})
}

// classList is for messages.
func classList(counts map[string]int) string {
	parts := make([]string, 0, len(counts))
	for class, n := range counts {
		parts = append(parts, fmt.Sprintf("%s %d", class, n))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}
