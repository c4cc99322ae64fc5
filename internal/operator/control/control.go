// Package control pauses work and lets it go on, for all replicas of a consumer group at once.
//
// A pause concerns a [Scope]: one workflow, one organisation, both, or everything. It takes effect within a second: from then on no write to the
// books leaves for what it concerns. Records of paused work stay in Kafka, parked with the reason `paused`; nothing is dead-lettered and no deadline
// runs. Several owners may pause the same work, and it goes on when each has lifted its own pause: a rollback pauses as its own owner, so that
// nobody starts the work under its hands by mistake.
package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/booksync/booksync/connectors/redis"
)

// People is the owner on whose account operators pause by hand; they lift each other's pauses.
const People = "people"

// Workflows are the workflows that can be paused.
var Workflows = []string{"order", "payment", "refund"}

// TakesEffect is how long after Pause returned writes may still leave.
const TakesEffect = time.Second

// ErrNotYours is wrapped by what Resume says of pauses that are another owner's.
var ErrNotYours = errors.New("paused by another owner")

// Scope is what a pause concerns: an organisation, a workflow (order, payment, refund), or all of them where a field is empty.
type Scope struct {
	Organization string `json:"organization,omitempty"`
	Workflow     string `json:"workflow,omitempty"`
}

// String is the scope for people.
func (s Scope) String() string {
	switch {
	case s == Scope{}:
		return "everything"
	case s.Workflow == "":
		return "organisation " + s.Organization
	case s.Organization == "":
		return "workflow " + s.Workflow
	}
	return "workflow " + s.Workflow + " of organisation " + s.Organization
}

// Covers says whether a pause of s concerns all of t.
func (s Scope) Covers(t Scope) bool {
	return (s.Organization == "" || s.Organization == t.Organization) && (s.Workflow == "" || s.Workflow == t.Workflow)
}

// touches says whether a pause of s concerns some of t.
func (s Scope) touches(t Scope) bool {
	meet := func(a, b string) bool { return a == "" || b == "" || a == b }
	return meet(s.Organization, t.Organization) && meet(s.Workflow, t.Workflow)
}

func (s Scope) validate() error {
	if s.Workflow != "" && !slices.Contains(Workflows, s.Workflow) {
		return fmt.Errorf("no workflow %q: there are %s", s.Workflow, strings.Join(Workflows, ", "))
	}
	return nil
}

// Owner is on whose account work is paused, and who did it.
type Owner struct {
	// Name tells owners apart: People, or such as "rollback:<id of the plan>".
	Name string
	// Actor is the person, for those who read it.
	Actor string
}

// Paused is a pause in force.
type Paused struct {
	Scope
	Owner  string    `json:"owner"`
	Actor  string    `json:"actor"`
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"` // Redis's time
}

// Store keeps the pauses. *redis.Switches is one.
type Store interface {
	Set(ctx context.Context, w redis.Switch) (redis.Switch, error)
	Clear(ctx context.Context, switches ...redis.Switch) (int, error)
	List(ctx context.Context) ([]redis.Switch, error)
}

// Pause pauses the scope on the owner's account. When it returned, no write leaves for it after TakesEffect; calls that have left by then are
// finished. Pausing again what the owner has paused keeps its time, and replaces actor and reason.
func Pause(ctx context.Context, store Store, scope Scope, reason string, owner Owner) (Paused, error) {
	if owner.Name == "" || reason == "" {
		return Paused{}, errors.New("a pause needs an owner and a reason")
	}
	if err := scope.validate(); err != nil {
		return Paused{}, err
	}
	w := switchOf(scope, owner.Name)
	w.Actor, w.Reason = owner.Actor, reason
	kept, err := store.Set(ctx, w)
	if err != nil {
		return Paused{}, fmt.Errorf("pausing %s: %w", scope, err)
	}
	return pausedOf(kept), nil
}

// Resumed is what Resume did.
type Resumed struct {
	// Lifted are the pauses that it ended.
	Lifted []Paused `json:"lifted"`
	// Remaining are the pauses that still hold some of the scope: wider or narrower ones, and those of other owners.
	Remaining []Paused `json:"remaining"`
}

// Resume lifts the owner's pause of exactly this scope; with force those of all owners. A pause of the scope that only another owner has is
// left, and the error wraps ErrNotYours. That nothing was paused is no error.
func Resume(ctx context.Context, store Store, scope Scope, owner Owner, force bool) (Resumed, error) {
	if err := scope.validate(); err != nil {
		return Resumed{}, err
	}
	return resume(ctx, store, scope, owner, force, func(p Paused) bool { return p.Scope == scope })
}

// ResumeAll lifts the owner's pauses of every scope; with force those of all owners.
func ResumeAll(ctx context.Context, store Store, owner Owner, force bool) (Resumed, error) {
	return resume(ctx, store, Scope{}, owner, force, func(Paused) bool { return true })
}

func resume(ctx context.Context, store Store, scope Scope, owner Owner, force bool, meant func(Paused) bool) (Resumed, error) {
	before, err := List(ctx, store)
	if err != nil {
		return Resumed{}, err
	}
	var out Resumed
	var refused error
	var clear []redis.Switch
	for _, p := range before {
		switch {
		case meant(p) && (force || p.Owner == owner.Name):
			out.Lifted = append(out.Lifted, p)
			clear = append(clear, switchOf(p.Scope, p.Owner))
		case p.touches(scope):
			out.Remaining = append(out.Remaining, p)
			if meant(p) && refused == nil {
				refused = fmt.Errorf("%s: %w %s (%s: %s)", p.Scope, ErrNotYours, p.Owner, p.Actor, p.Reason)
			}
		}
	}
	if _, err := store.Clear(ctx, clear...); err != nil {
		return Resumed{}, fmt.Errorf("resuming %s: %w", scope, err)
	}
	if len(out.Lifted) > 0 { // what was asked for was done; what remains is said
		refused = nil
	}
	return out, refused
}

// List answers the pauses in force, the oldest first.
func List(ctx context.Context, store Store) ([]Paused, error) {
	all, err := store.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing pauses: %w", err)
	}
	out := make([]Paused, len(all))
	for i, w := range all {
		out[i] = pausedOf(w)
	}
	return out, nil
}

// Holding are those of the pauses that concern the whole scope.
func Holding(all []Paused, scope Scope) []Paused {
	var out []Paused
	for _, p := range all {
		if p.Covers(scope) {
			out = append(out, p)
		}
	}
	return out
}

func switchOf(scope Scope, owner string) redis.Switch {
	return redis.Switch{Organization: scope.Organization, Workflow: scope.Workflow, Owner: owner}
}

func pausedOf(w redis.Switch) Paused {
	return Paused{Scope: Scope{w.Organization, w.Workflow}, Owner: w.Owner, Actor: w.Actor, Reason: w.Reason, Since: w.Since}
}
