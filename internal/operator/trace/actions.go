package trace

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/schemas"
)

// actions takes what operators did: what names one of the ids found, and the pauses that held the work meanwhile.
func (t *tracer) actions(ctx context.Context) error {
	delete(t.words, "")
	first, last, scopes := t.extent()
	var switched []action
	err := t.scan(ctx, t.layout.of(t.cfg.Topics.Audit), "operators' actions", func(r *kgo.Record) {
		a, _, err := t.codec.DecodeAudit(ctx, r.Value, r.Headers)
		if err != nil {
			return
		}
		e := t.action(a, r)
		switch {
		case t.mentions(a):
			t.add(e)
		case (a.Action == actionPause || a.Action == actionResume) && !a.At.After(last) && scopes.touch(a):
			switched = append(switched, action{a, e})
		}
	})
	for _, s := range inForce(switched, first) {
		t.add(s.Entry)
	}
	return err
}

// Actions that hold work, and let it go on.
const (
	actionPause  = "pause"
	actionResume = "resume"
)

// action is an entry of the audit topic.
type action struct {
	*schemas.AuditEntry
	Entry
}

// inForce are the pauses that held at first or later, and what ended them.
func inForce(switched []action, first time.Time) []action {
	slices.SortStableFunc(switched, func(a, b action) int { return a.AuditEntry.At.Compare(b.AuditEntry.At) })
	var out []action
	for _, s := range switched {
		if s.Action == actionResume && s.AuditEntry.At.Before(first) {
			all := s.AuditEntry.Organization == "" && s.AuditEntry.Workflow == ""
			out = slices.DeleteFunc(out, func(p action) bool {
				return all || p.AuditEntry.Organization == s.AuditEntry.Organization && p.AuditEntry.Workflow == s.AuditEntry.Workflow
			})
			continue
		}
		out = append(out, s)
	}
	return out
}

// action is an audit entry in a line.
func (t *tracer) action(a *schemas.AuditEntry, r *kgo.Record) Entry {
	text := a.Action
	if a.Selector != "" {
		text += " " + a.Selector
	}
	if a.Reason != "" {
		text += ": " + a.Reason
	}
	for _, key := range slices.Sorted(maps.Keys(a.Counts)) {
		text += fmt.Sprintf("; %s %d", key, a.Counts[key])
	}
	return Entry{
		At: a.At.UTC(), Kind: KindAction, Topic: r.Topic, Partition: r.Partition, Offset: r.Offset,
		Workflow: a.Workflow, Organization: a.Organization, Text: text, Actor: a.Actor,
	}
}

// work is organisations and workflows of what was found.
type work map[[2]string]bool

// touch says whether an action's scope meets the work.
func (w work) touch(a *schemas.AuditEntry) bool {
	for k := range w {
		if (a.Organization == "" || a.Organization == k[0]) && (a.Workflow == "" || a.Workflow == k[1]) {
			return true
		}
	}
	return false
}

// extent is the time that the entries found span, and their work. What is under way lasts until now.
func (t *tracer) extent() (first, last time.Time, w work) {
	w = work{}
	for _, e := range t.out.Entries {
		if first.IsZero() || e.At.Before(first) {
			first = e.At
		}
		if e.At.After(last) {
			last = e.At
		}
		if e.Organization != "" {
			w[[2]string{e.Organization, e.Workflow}] = true
		}
	}
	if t.unsettled() {
		last = time.Now()
	}
	return first, last, w
}

// unsettled says whether an event was found of which no outcome was.
func (t *tracer) unsettled() bool {
	settled := map[string]bool{}
	for _, e := range t.out.Entries {
		if e.Kind == KindOutcome {
			settled[e.Source] = true
		}
	}
	return slices.ContainsFunc(t.out.Entries, func(e Entry) bool {
		return e.Kind == KindEvent && !settled[coordinates(e.Topic, e.Partition, e.Offset)]
	})
}

// mentions says whether an action names one of the ids, as a whole word.
func (t *tracer) mentions(a *schemas.AuditEntry) bool {
	texts := []string{a.AuditID, a.Selector, a.Reason}
	for key, value := range a.Details {
		texts = append(texts, key, value)
	}
	for _, text := range texts {
		if t.words[text] {
			return true
		}
		for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`,;"'=()[]{}`, r) }) {
			if t.words[word] {
				return true
			}
		}
	}
	return false
}
