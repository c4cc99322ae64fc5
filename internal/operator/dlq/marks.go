package dlq

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// State is what became of a dead letter, by the marks.
type State string

// The states. An open one with too many replays behind it is quarantined.
const (
	StateOpen        State = "open"
	StateQuarantined State = "quarantined"
	StateReplayed    State = "replayed"
	StateEdited      State = "edited"
	StateDiscarded   State = "discarded"
)

// Headers of a mark. They say all that is needed without the value, so that a schema registry that is away hides nothing; the
// value says the same, and more, to people.
const (
	markState   = "dlq.mark.state"
	markTopic   = "dlq.mark.topic"
	markTopicID = "dlq.mark.topic-id"
	markOffsets = "dlq.mark.offsets"
	markAction  = "dlq.mark.action"
	markActor   = "dlq.mark.actor"
	markReason  = "dlq.mark.reason"
	markAt      = "dlq.mark.at"
)

// Mark says what was done with dead letters, by whom and why.
type Mark struct {
	State  State     `json:"state"`
	Action string    `json:"action"` // the replay id that replayed records carry
	Actor  string    `json:"actor"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
}

// run are marked offsets that follow each other.
type run struct {
	span
	mark *Mark
}

// marks are all that was done, by partition, sorted.
type marks map[place][]run

// of is what was done with a dead letter; nil for an open one.
func (m marks) of(id ID) *Mark {
	runs := m[place{id.Topic, id.Partition}]
	i, found := slices.BinarySearchFunc(runs, id.Offset, func(r run, o int64) int {
		switch {
		case r.to <= o:
			return -1
		case r.from > o:
			return 1
		}
		return 0
	})
	if !found {
		return nil
	}
	return runs[i].mark
}

// state is the letter's.
func (m marks) state(l *Letter) State {
	switch mark := m.of(l.ID); {
	case mark != nil:
		return mark.State
	case l.Quarantined():
		return StateQuarantined
	}
	return StateOpen
}

// readMarks reads the audit topic to its stable end. Marks of a topic that was deleted and made anew since are not its own.
func (d *Desk) readMarks(ctx context.Context, topics map[string]topicInfo) (marks, error) {
	spans, err := d.spans(ctx, d.cfg.Topics.Audit)
	if err != nil {
		return nil, fmt.Errorf("reading the audit topic: %w", err)
	}
	m := make(marks)
	err = d.stream(ctx, spans, func(rec *kgo.Record) error { return m.add(rec, topics) })
	if err != nil {
		return nil, fmt.Errorf("reading the audit topic: %w", err)
	}
	for at := range m {
		slices.SortFunc(m[at], func(a, b run) int { return int(a.from - b.from) })
	}
	return m, nil
}

// add takes a record of the audit topic; most are no marks.
func (m marks) add(rec *kgo.Record, topics map[string]topicInfo) error {
	var mark Mark
	var topic, topicID, offsets string
	for _, h := range rec.Headers {
		switch h.Key {
		case markState:
			mark.State = State(h.Value)
		case markTopic:
			topic = string(h.Value)
		case markTopicID:
			topicID = string(h.Value)
		case markOffsets:
			offsets = string(h.Value)
		case markAction:
			mark.Action = string(h.Value)
		case markActor:
			mark.Actor = string(h.Value)
		case markReason:
			mark.Reason = string(h.Value)
		case markAt:
			mark.At = instantOf(h.Value, rec.Timestamp.UTC())
		}
	}
	info, ok := topics[topic]
	if mark.State == "" || !ok || info.id != topicID {
		return nil
	}
	spans, err := parseOffsets(offsets)
	if err != nil { // doing something twice is worse than doing nothing
		return fmt.Errorf("the mark at %s cannot be read: %w", idOf(rec), err)
	}
	for partition, parts := range spans {
		at := place{topic, partition}
		for _, s := range parts {
			m[at] = append(m[at], run{s, &mark})
		}
	}
	return nil
}

// formatOffsets writes dead letters of one topic as partition:offset,from-to partition:..., both ends inclusive.
func formatOffsets(ids []ID) string {
	byPartition := make(map[int32][]int64)
	var partitions []int32
	for _, id := range ids {
		if byPartition[id.Partition] == nil {
			partitions = append(partitions, id.Partition)
		}
		byPartition[id.Partition] = append(byPartition[id.Partition], id.Offset)
	}
	slices.Sort(partitions)
	var b strings.Builder
	for i, p := range partitions {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(strconv.Itoa(int(p)))
		offsets := byPartition[p]
		slices.Sort(offsets)
		sep := byte(':')
		for i := 0; i < len(offsets); {
			j := i
			for j+1 < len(offsets) && offsets[j+1] == offsets[j]+1 {
				j++
			}
			b.WriteByte(sep)
			b.WriteString(strconv.FormatInt(offsets[i], 10))
			if j > i {
				b.WriteByte('-')
				b.WriteString(strconv.FormatInt(offsets[j], 10))
			}
			sep, i = ',', j+1
		}
	}
	return b.String()
}

// parseOffsets reads what formatOffsets wrote.
func parseOffsets(text string) (map[int32][]span, error) {
	out := make(map[int32][]span)
	for _, part := range strings.Fields(text) {
		head, list, ok := strings.Cut(part, ":")
		p, err := strconv.ParseInt(head, 10, 32)
		if !ok || err != nil || p < 0 {
			return nil, fmt.Errorf("%q is no partition with offsets", part)
		}
		for _, item := range strings.Split(list, ",") {
			s, err := parseSpan(item)
			if err != nil {
				return nil, err
			}
			out[int32(p)] = append(out[int32(p)], s)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%q holds no offsets", text)
	}
	return out, nil
}

// parseSpan reads one offset, or two with - between them, both inclusive.
func parseSpan(text string) (span, error) {
	first, last, ranged := strings.Cut(text, "-")
	from, err := strconv.ParseInt(first, 10, 64)
	to := from
	if err == nil && ranged {
		to, err = strconv.ParseInt(last, 10, 64)
	}
	if err != nil || from < 0 || to < from {
		return span{}, fmt.Errorf("%q is neither an offset nor a range of offsets", text)
	}
	return span{from, to + 1}, nil
}
