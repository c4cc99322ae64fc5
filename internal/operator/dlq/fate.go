package dlq

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/connectors/redis"
	"github.com/booksync/booksync/processor"
	"github.com/booksync/booksync/schemas"
)

// Fates of a dead letter: what becomes of it if a verb is applied.
const (
	FateRetry       = "retry"       // it will be tried again
	FateDuplicate   = "duplicate"   // its transaction is settled already: the verdict will be DUPLICATE
	FateRejected    = "rejected"    // it would be rejected again
	FatePoison      = "poison"      // it cannot be decoded
	FateQuarantined = "quarantined" // it came back from too many replays
	FateTruncated   = "truncated"   // its value is missing, also from the source topic
	FateNoSource    = "no-source"   // its source topic is not there
	FateTooLarge    = "too-large"   // its source topic refuses it
	FateGone        = "gone"        // retention removed it meanwhile
	FateUnknown     = "unknown"     // it could not be decoded now: the registry is away
	FateDiscard     = "discard"     // it will be discarded
)

// Fate is what will become of a dead letter, or became of it.
type Fate struct {
	Kind string `json:"fate"`
	Text string `json:"text,omitempty"`
	// Act: it is done; else it is left out. Forced: only because of --force.
	Act    bool `json:"act"`
	Forced bool `json:"forced,omitempty"`
}

// leftOut is the fate of what is not done unless forced.
func leftOut(kind, text string, force bool) Fate {
	return Fate{Kind: kind, Text: text, Act: force, Forced: force}
}

// subject is a dead letter with what is known of it.
type subject struct {
	letter Letter
	state  State
	rec    *kgo.Record // of the dead-letter topic
	// whole is the record with its value: rec, or of a truncated one the record it came from; nil where that is gone.
	whole    *kgo.Record
	event    event
	poison   error // why it cannot be decoded
	away     error // why it is not known whether it can be: the registry did not answer
	identity processor.Identity
	claim    *redis.Entry      // nil: not asked
	more     map[string]string // for the audit's details
}

// subjects fetches and decodes dead letters and looks at their claims. Those that are gone have no record.
func (d *Desk) subjects(ctx context.Context, s *Scan, ids []ID) ([]subject, error) {
	found, err := d.fetch(ctx, ids...)
	if err != nil {
		return nil, err
	}
	out := make([]subject, len(ids))
	var truncated []ID
	for i, id := range ids {
		sub := &out[i]
		sub.letter.ID = id
		rec, ok := found[id]
		if !ok {
			continue
		}
		sub.rec, sub.whole, sub.letter = rec, rec, d.letter(rec)
		sub.state = s.State(&sub.letter)
		if sub.letter.Truncated != "" {
			sub.whole = nil
			if d.cfg.Topics.Workflow(sub.letter.Source.Topic) != "" {
				truncated = append(truncated, sub.letter.Source)
			}
		}
	}
	if err := d.restore(ctx, out, truncated); err != nil {
		return nil, err
	}
	for i := range out {
		sub := &out[i]
		if sub.whole == nil {
			continue
		}
		sub.event, _, err = d.decode(ctx, sub.letter.Workflow, sub.whole)
		switch {
		case errors.Is(err, schemas.ErrRegistryUnavailable):
			sub.away = fmt.Errorf("decoding %s: %w", sub.letter.ID, err)
		case err != nil && ctx.Err() != nil:
			return nil, fmt.Errorf("decoding: %w", ctx.Err())
		case err != nil:
			sub.poison = err
		default:
			sub.identity = sub.event.identity()
		}
	}
	return out, d.lookUp(ctx, out)
}

// restore finds the values of truncated dead letters in the source topics, as far as they are still there and the same.
func (d *Desk) restore(ctx context.Context, subs []subject, sources []ID) error {
	if len(sources) == 0 {
		return nil
	}
	originals, err := d.fetch(ctx, sources...)
	if errors.Is(err, ErrMissing) {
		return nil // their fate says so
	}
	if err != nil {
		return err
	}
	for i := range subs {
		sub := &subs[i]
		if original, ok := originals[sub.letter.Source]; ok && sub.rec != nil && sub.letter.Truncated != "" &&
			strings.HasSuffix(sub.letter.Truncated, "sha256 "+hashOf(original.Value)) {
			sub.whole = original
		}
	}
	return nil
}

// lookUp reads the claims, an organisation's in one go.
func (d *Desk) lookUp(ctx context.Context, subs []subject) error {
	if d.Claims == nil {
		return nil
	}
	byOrg := make(map[string][]int)
	for i := range subs {
		if id := subs[i].identity; id.Organization != "" && id.Ref.ID != "" {
			byOrg[id.Organization] = append(byOrg[id.Organization], i)
		}
	}
	for org, at := range byOrg {
		if _, ok := d.cfg.Organizations[org]; !ok {
			continue
		}
		refs := make([]redis.Ref, len(at))
		for n, i := range at {
			refs[n] = redis.Ref{Role: string(subs[i].identity.Ref.Role), ID: subs[i].identity.Ref.ID}
		}
		entries, err := d.Claims.Lookup(ctx, org, refs...)
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("asking for the claims: %w", ctx.Err())
		case err != nil: // then nothing is said about them: what decides is the claim that a replay takes
			continue
		}
		for n, i := range at {
			subs[i].claim = &entries[n]
		}
	}
	return nil
}

// fate says what a replay of the dead letter would come to.
func (d *Desk) fate(ctx context.Context, s *Scan, sub *subject, force bool) Fate {
	l := &sub.letter
	switch {
	case sub.rec == nil:
		return Fate{Kind: FateGone, Text: "retention removed it"}
	case sub.whole == nil:
		return Fate{Kind: FateTruncated, Text: fmt.Sprintf("%s; the record %s it came from is gone or another one: "+
			"send the event with `dlq edit --event`, or produce it anew", l.Truncated, l.Source)}
	}
	source := l.Source.Topic
	if _, ok := s.topics[d.cfg.Topics.DeadLetter(source)]; !ok || d.cfg.Topics.Workflow(source) == "" {
		return Fate{Kind: FateNoSource, Text: fmt.Sprintf("the configuration has no topic %q to send it back to", source)}
	}
	if sub.state == StateQuarantined && !force {
		return leftOut(FateQuarantined, fmt.Sprintf("came back from %d replays: mend it, or the mapping, and use --force", l.Replays), false)
	}
	if sub.away != nil {
		return Fate{Kind: FateUnknown, Text: sub.away.Error()}
	}
	if sub.poison != nil {
		return leftOut(FatePoison, sub.poison.Error(), force)
	}
	if f, settled := sub.settled(force); settled {
		return f
	}
	if plan := d.plan(ctx, sub); plan.Rejected != nil {
		return leftOut(FateRejected, plan.Rejected.Class+": "+plan.Rejected.Message, force)
	}
	return Fate{Kind: FateRetry, Text: sub.resumes(), Act: true, Forced: sub.state == StateQuarantined}
}

// plan is what the job would do with the event, without what only a run knows.
func (d *Desk) plan(ctx context.Context, sub *subject) Plan {
	text, err := sub.event.json()
	if err != nil {
		return Plan{Rejected: &processor.Rejection{Class: schemas.ClassDecode, Message: err.Error(), Retryable: "no"}}
	}
	return d.Explain(ctx, sub.letter.Workflow, text)
}

// settled says what a claim that is done makes of the event.
func (sub *subject) settled(force bool) (Fate, bool) {
	c, id := sub.claim, sub.identity
	switch {
	case c == nil || c.Settled != redis.StateDone, id.Revision > c.Revision: // a higher revision goes on
	case c.Fingerprint == id.Fingerprint, id.Revision < c.Revision:
		return Fate{Kind: FateDuplicate, Text: fmt.Sprintf("%s %s was settled by %s", id.Ref.Role, id.Ref.ID, c.Coordinates), Act: true}, true
	default:
		return leftOut(FateRejected, fmt.Sprintf("%s %s was settled with other content by %s", id.Ref.Role, id.Ref.ID, c.Coordinates), force), true
	}
	return Fate{}, false
}

// written are the steps that were done before it was rejected, and their documents.
type written struct {
	Done      []string           `json:"done,omitempty"`
	Documents []schemas.Document `json:"documents,omitempty"`
	Doubt     string             `json:"doubt,omitempty"`
}

func (sub *subject) written() (w written) {
	if sub.claim != nil && len(sub.claim.Steps) > 0 {
		_ = json.Unmarshal(sub.claim.Steps, &w) // steps of another version tell nothing here
	}
	return w
}

// resumes says where a replay begins.
func (sub *subject) resumes() string {
	w := sub.written()
	switch {
	case sub.claim == nil:
		return "the claims were not asked"
	case sub.claim.State == redis.StateSending:
		return "a write is in doubt: it is looked for first"
	case w.Doubt != "":
		return "goes on from " + strings.Join(w.Done, ", ") + "; looks for " + w.Doubt + " first"
	case len(w.Done) > 0:
		return "goes on after " + strings.Join(w.Done, ", ")
	}
	return "from the beginning"
}
