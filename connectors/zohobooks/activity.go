package zohobooks

import (
	"context"
	"sync/atomic"
	"time"
)

// Activity tells whether the calls made with one context move: a call that waits for its grant has a reason that the budget
// shows, and one that left has its timeout; work that shows neither for longer hangs.
type Activity struct {
	waits atomic.Int64
	last  atomic.Int64 // nanoseconds since the epoch
}

// Waits says whether a call waits for its grant now.
func (a *Activity) Waits() bool { return a.waits.Load() > 0 }

// Last is when a wait for a grant, or a call, ended last; zero when none has.
func (a *Activity) Last() time.Time {
	if n := a.last.Load(); n != 0 {
		return time.Unix(0, n)
	}
	return time.Time{}
}

type activityKey struct{}

// activities are those of a context, the innermost first.
type activities struct {
	*Activity
	outer *activities
}

// WatchActivity returns a context whose calls, those of the contexts made from it included, show in the activity.
func WatchActivity(ctx context.Context) (context.Context, *Activity) {
	a := new(Activity)
	return context.WithValue(ctx, activityKey{}, &activities{Activity: a, outer: activityOf(ctx)}), a
}

// ActiveFor returns a context whose calls show in the activities of another one, too: for a call that is made once for many.
func ActiveFor(ctx, other context.Context) context.Context {
	outer := activityOf(ctx)
	for n := activityOf(other); n != nil; n = n.outer {
		outer = &activities{Activity: n.Activity, outer: outer}
	}
	return context.WithValue(ctx, activityKey{}, outer)
}

func activityOf(ctx context.Context) *activities {
	n, _ := ctx.Value(activityKey{}).(*activities)
	return n
}

// grant asks the limiter, which may take long.
func (c *Client) grant(ctx context.Context, class Class) (Grant, error) {
	n := activityOf(ctx)
	n.waiting(1)
	defer n.waiting(-1)
	return c.limiter.Acquire(ctx, class)
}

// waiting counts waits for grants; the end of one is a move.
func (n *activities) waiting(d int64) {
	for a := n; a != nil; a = a.outer {
		a.waits.Add(d)
	}
	if d < 0 {
		n.moved()
	}
}

func (n *activities) moved() {
	now := time.Now().UnixNano()
	for ; n != nil; n = n.outer {
		n.last.Store(now)
	}
}
