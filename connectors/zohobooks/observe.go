package zohobooks

import (
	"context"
	"sync/atomic"
	"time"
)

// Class is what a call is made for; the budget serves some before others.
type Class int

// Classes of calls. The zero value is ClassLookUp.
const (
	ClassLookUp   Class = iota // resolves a doubt or finds what another step needs
	ClassOrder                 // posts an order
	ClassPayment               // posts a payment
	ClassRefund                // posts a refund
	ClassOperator              // replays, reconciliation, set-up: last
	ClassProbe                 // asks whether Zoho is back
)

// String names the class for metrics.
func (c Class) String() string {
	switch c {
	case ClassLookUp:
		return "lookup"
	case ClassOrder:
		return "order"
	case ClassPayment:
		return "payment"
	case ClassRefund:
		return "refund"
	case ClassOperator:
		return "operator"
	case ClassProbe:
		return "probe"
	}
	return "other"
}

type classKey struct{}

// WithClass says what the calls made with the returned context are for.
func WithClass(ctx context.Context, class Class) context.Context {
	return context.WithValue(ctx, classKey{}, class)
}

// ClassOf is the class set by WithClass, else ClassLookUp.
func ClassOf(ctx context.Context) Class {
	class, _ := ctx.Value(classKey{}).(Class)
	return class
}

// Limiter grants calls. Acquire blocks until the call may leave, ctx ends (the error wraps ctx.Err()), or the organisation is paused for longer
// than it makes sense to wait (*PausedError).
type Limiter interface {
	Acquire(ctx context.Context, class Class) (Grant, error)
}

// TryLimiter is a Limiter that can say at once that a call would have to wait; TryAcquire answers nil then.
type TryLimiter interface {
	Limiter
	TryAcquire(ctx context.Context, class Class) Grant
}

// Grant is leave to make one call. Done is called exactly once.
type Grant interface{ Done(CallAnswer) }

// CallAnswer is what a finished call tells the budget.
type CallAnswer struct {
	Status       int           // HTTP status; 0 when there was none
	Code         int           // Zoho's code
	DayLimit     int           // the day's quota; -1 when not told
	DayRemaining int           // what is left of it; -1 when not told
	DayReset     time.Duration // until it starts anew; -1 when not told
	RetryAfter   time.Duration // 0 when not told
	// Answered: the call is over for Zoho too, or it never left (then Status is 0). Not answered: it may still be running there and holds its slot.
	Answered bool
}

type unlimited struct{}

func (unlimited) Acquire(ctx context.Context, _ Class) (Grant, error) { return unlimited{}, ctx.Err() }
func (unlimited) Done(CallAnswer)                                     {}

// CallInfo describes one finished attempt, for metrics and traces.
type CallInfo struct {
	Method    string
	Resource  string // the path with placeholders, such as /invoices/{id}: of low cardinality
	Class     Class
	Status    int           // HTTP status; 0 when no answer came
	Code      int           // Zoho's code
	Err       string        // "", or a class of low cardinality: api, lost, not_sent, unreadable, redirect, auth, budget
	Duration  time.Duration // of the HTTP exchange
	Waited    time.Duration // for the grant and the token before it
	RequestID string        // may be empty
	Repeated  bool          // the second attempt, after the token was refused
}

// Counter sums up the calls made with one context. Read it when they are over or by its methods at any time.
type Counter struct {
	calls  atomic.Int64
	waited atomic.Int64
	called atomic.Int64
}

// Calls is the number of HTTP calls that were sent or tried.
func (c *Counter) Calls() int { return int(c.calls.Load()) }

// WaitedForBudget is the time spent waiting for grants.
func (c *Counter) WaitedForBudget() time.Duration { return time.Duration(c.waited.Load()) }

// Called is the time spent in HTTP exchanges.
func (c *Counter) Called() time.Duration { return time.Duration(c.called.Load()) }

type counterKey struct{}

// CountCalls returns a context whose calls are summed up in the counter. Counters nest: those of the outer contexts count too.
func CountCalls(ctx context.Context) (context.Context, *Counter) {
	n := &counters{outer: countersOf(ctx)}
	return context.WithValue(ctx, counterKey{}, n), &n.Counter
}

type counters struct {
	Counter
	outer *counters
}

func countersOf(ctx context.Context) *counters {
	n, _ := ctx.Value(counterKey{}).(*counters)
	return n
}

func (n *counters) waitedFor(d time.Duration) {
	for ; n != nil; n = n.outer {
		n.waited.Add(int64(d))
	}
}

func (n *counters) calledFor(d time.Duration) {
	for ; n != nil; n = n.outer {
		n.calls.Add(1)
		n.called.Add(int64(d))
	}
}
