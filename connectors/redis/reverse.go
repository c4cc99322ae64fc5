package redis

import (
	"context"
	"errors"
	"fmt"
)

// StateReversed is the state of a claim whose documents were taken back in the books. The same content is not posted again by itself, only by a replay or
// by other content.
const StateReversed = "reversed"

// ErrInDoubt says that a write of a claim is in doubt: whether there is something to take back is not known.
var ErrInDoubt = errors.New("a write of the claim is in doubt")

// Reversal names claims whose documents were taken back.
type Reversal struct {
	// Claims are marked as reversed; Coordinates are those of the record that each had posted.
	Claims []ReversedClaim
	// Orders are the data that orders of the handle have without those documents. An order whose own claim is reversed needs none: its data go.
	Orders map[string][]byte
}

// ReversedClaim is one of them.
type ReversedClaim struct {
	Ref         Ref
	Coordinates string
}

// Reverse marks claims as reversed under the leases of the handle's orders, all or none; asked again it answers nil. Errors: ErrInDoubt (nothing was
// changed), ErrLost, ErrEpochChanged, trouble with Redis (unknown: ask again).
func (s *Claims) Reverse(ctx context.Context, h Handle, req Reversal) error {
	k := keysOf(h.Organization)
	orders := distinct(h.Orders)
	keys := []string{k.epoch()}
	args := []any{h.EpochID, s.c.seen(h.Organization, h.EpochID), h.Token, millis(s.cfg.Retention), len(orders)}
	for _, o := range orders {
		data, given := req.Orders[o]
		keys = append(keys, k.order(o))
		args = append(args, flag(given), data)
	}
	for _, c := range req.Claims {
		if err := checkRef(c.Ref); err != nil {
			return fmt.Errorf("reversing: %w", err)
		}
		keys = append(keys, k.claim(c.Ref))
		args = append(args, c.Coordinates)
	}
	v, err := s.change(ctx, reverseScript, h, keys, args...)
	if err != nil {
		return fmt.Errorf("reversing claims of %s %s: %w", h.Ref.Role, h.Ref.ID, err)
	}
	return doubtOf(v, req.Claims)
}

func doubtOf(v []any, claims []ReversedClaim) error {
	if textOf(v[0]) != "doubt" {
		return nil
	}
	r := claims[numberOf(v[1])-1].Ref
	return fmt.Errorf("%s %s: %w", r.Role, r.ID, ErrInDoubt)
}
