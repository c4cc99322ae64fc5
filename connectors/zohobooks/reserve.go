package zohobooks

import (
	"context"
	"sync/atomic"
	"time"
)

// Reservation is a grant taken before its call: a caller that must note something between the grant and the call (that a
// write is about to leave) reserves, notes, and calls with the context that Attach gives. It serves one call; a repetition
// within the call (after a refused token) asks the limiter again. Call Release in any case; it's nothing once the call was made.
type Reservation struct {
	grant  Grant
	class  Class
	waited time.Duration
	spent  atomic.Bool
}

type reservationKey struct{}

// Reserve waits for the token and for a grant of the context's class. Errors are those of the methods that call.
func (c *Client) Reserve(ctx context.Context) (*Reservation, error) {
	if _, err := c.tokens.token(ctx); err != nil {
		return nil, err
	}
	asked := time.Now()
	grant, err := c.grant(ctx, ClassOf(ctx))
	waited := time.Since(asked)
	countersOf(ctx).waitedFor(waited)
	if err != nil {
		return nil, &BudgetError{Err: err}
	}
	return &Reservation{grant: grant, class: ClassOf(ctx), waited: waited}, nil
}

// TryReserve is Reserve that does not queue: nil when the call would have to wait, or could not be made at all.
func (c *Client) TryReserve(ctx context.Context) *Reservation {
	l, ok := c.limiter.(TryLimiter)
	if !ok {
		return nil
	}
	if _, err := c.tokens.token(ctx); err != nil {
		return nil
	}
	asked := time.Now()
	grant := l.TryAcquire(ctx, ClassOf(ctx))
	waited := time.Since(asked)
	countersOf(ctx).waitedFor(waited)
	if grant == nil {
		return nil
	}
	return &Reservation{grant: grant, class: ClassOf(ctx), waited: waited}
}

// Attach gives a context whose first call spends the reservation.
func (r *Reservation) Attach(ctx context.Context) context.Context {
	return context.WithValue(ctx, reservationKey{}, r)
}

// Release gives the grant back if no call spent it.
func (r *Reservation) Release() {
	if r.spent.CompareAndSwap(false, true) {
		giveBack(r.grant)
	}
}

// giveBack ends a grant that no call left with.
func giveBack(g Grant) {
	g.Done(CallAnswer{DayLimit: -1, DayRemaining: -1, DayReset: -1, Answered: true})
}

// perishable is a grant that a call has to leave with by a time: later it would count in another window than the one it
// was granted for.
type perishable interface{ UseBy() time.Time }

func perished(g Grant) bool {
	p, ok := g.(perishable)
	return ok && time.Now().After(p.UseBy())
}

// acquire is the reservation's grant where the context carries one that's not spent and still good, else one of the limiter.
func (c *Client) acquire(ctx context.Context, class Class) (Grant, error) {
	if r, ok := ctx.Value(reservationKey{}).(*Reservation); ok && r.spent.CompareAndSwap(false, true) {
		if !perished(r.grant) {
			return r.grant, nil
		}
		giveBack(r.grant)
		class = r.class
	}
	return c.grant(ctx, class)
}
