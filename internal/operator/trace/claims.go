package trace

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/booksync/booksync/connectors/redis"
)

// Claims looks claims up without taking them. *redis.Claims is one.
type Claims interface {
	Lookup(ctx context.Context, org string, refs ...redis.Ref) ([]redis.Entry, error)
}

// claimRef names a claim.
type claimRef struct{ organization, role, id string }

// Claim is a claim as it stands now.
type Claim struct {
	Organization string `json:"organization"`
	Role         string `json:"role"` // order, payment, refund or cancel
	ID           string `json:"id"`
	// State is claimed, sending, done or rejected.
	State string `json:"state"`
	// Record is topic/partition/offset of the record that settled it, or is being worked.
	Record   string `json:"record,omitempty"`
	Revision int64  `json:"revision,omitempty"`
	// Step and Since are of the write that was marked last.
	Step  string    `json:"step,omitempty"`
	Since time.Time `json:"since,omitzero"`
	// HeldUntil is when the lease of who works on it lapses.
	HeldUntil time.Time `json:"held_until,omitzero"`
}

// maxLookup is how many claims are asked for at a time.
const maxLookup = 100

// claims asks for the claims of what was found.
func (t *tracer) claims(ctx context.Context, store Claims) error {
	if store == nil {
		return nil
	}
	refs := slices.SortedFunc(mapsKeys(t.refs), func(a, b claimRef) int {
		return cmp.Or(cmp.Compare(a.organization, b.organization), cmp.Compare(a.role, b.role), cmp.Compare(a.id, b.id))
	})
	for len(refs) > 0 {
		n := 1
		for n < len(refs) && n < maxLookup && refs[n].organization == refs[0].organization {
			n++
		}
		if err := t.lookup(ctx, store, refs[:n]); err != nil {
			return err
		}
		refs = refs[n:]
	}
	return nil
}

func (t *tracer) lookup(ctx context.Context, store Claims, refs []claimRef) error {
	asked := make([]redis.Ref, len(refs))
	for i, r := range refs {
		asked[i] = redis.Ref{Role: r.role, ID: r.id}
	}
	entries, err := store.Lookup(ctx, refs[0].organization, asked...)
	if err != nil {
		return err
	}
	for i, e := range entries {
		if !e.Exists {
			continue
		}
		c := Claim{
			Organization: refs[i].organization, Role: refs[i].role, ID: refs[i].id, State: cmp.Or(e.State, "claimed"), Record: e.Coordinates,
			Revision: e.Revision, HeldUntil: e.HeldUntil,
		}
		if e.State == redis.StateSending {
			c.Step, c.Since, c.Record = e.Step, e.Since, cmp.Or(e.Sending.Coordinates, c.Record)
		}
		t.out.Claims = append(t.out.Claims, c)
	}
	return nil
}
