package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"
)

// Class says what a call is for. Waiting calls leave in the order probes, look-ups, payments and refunds, orders, operators' work.
type Class int

// Classes of calls.
const (
	LookUp Class = iota
	Order
	Payment
	Refund
	Operator // replays, reconciliation, rollback
	Probe    // the cheap GET that finds out whether Zoho is back: not held up by Budget.Pause
)

// String names the class for logs and metrics.
func (c Class) String() string {
	switch c {
	case LookUp:
		return "look_up"
	case Order:
		return "order"
	case Payment:
		return "payment"
	case Refund:
		return "refund"
	case Operator:
		return "operator"
	case Probe:
		return "probe"
	}
	return fmt.Sprintf("class(%d)", int(c))
}

// levels of priority, highest first.
const levels = 5

func (c Class) level() int {
	switch c {
	case Probe:
		return 0
	case LookUp:
		return 1
	case Payment, Refund:
		return 2
	case Order:
		return 3
	}
	return 4
}

// Limits are what an organisation may call. They must be the same on all replicas.
type Limits struct {
	// PerWindow is the number of calls in any window; Zoho allows 100 a minute to an organisation. Negative: unlimited. Default 100 calls.
	PerWindow int
	// Window is the stretch of time in which never more than PerWindow grants are given. It is the minute in which Zoho counts plus Unused: a call
	// leaves within Unused of its grant, so the calls that leave in any 60 s were granted within 61 s. Default 61 s.
	Window time.Duration
	// Unused is how long a grant is good for; one that took longer to arrive is given back. Default a 61st of Window: 1 s.
	Unused time.Duration
	// Concurrency is the number of calls in flight at a time; Zoho allows 10 (5 on the free plan). Negative: unlimited. Default 10 calls.
	Concurrency int
	// SlotDeadline is how long a call without an answer keeps its slot; longer than the HTTP timeout. Default 45 s.
	SlotDeadline time.Duration
	// DayReserve is the share of the day's quota that only look-ups, payments and refunds may spend. Negative: none. Default 0.2 of the quota.
	DayReserve float64
	// OperatorReserve is the share of the day's quota that operators' work leaves to the rest. Negative: none. Default 0.3 of the quota.
	OperatorReserve float64
	// RatePause is how long an organisation pauses at least after 429 or code 44, lengthened by up to a quarter at random. Default 60 s.
	RatePause time.Duration
	// DayPause is how long it pauses after code 45 (the day's quota is used up) when the answer does not say when the day ends. Default 1 h.
	DayPause time.Duration
	// ConcurrencyPause is the longest pause after code 1070 (too many at a time); the pause is a random part of it. Default 2 s.
	ConcurrencyPause time.Duration
}

// WithDefaults gives a copy with every zero field set to its default.
func (l Limits) WithDefaults() Limits {
	setDefault(&l.PerWindow, 100)
	setDefault(&l.Window, 61*time.Second)
	setDefault(&l.Unused, l.Window/61)
	setDefault(&l.Concurrency, 10)
	setDefault(&l.SlotDeadline, 45*time.Second)
	setDefault(&l.DayReserve, 0.2)
	setDefault(&l.OperatorReserve, 0.3)
	setDefault(&l.RatePause, time.Minute)
	setDefault(&l.DayPause, time.Hour)
	setDefault(&l.ConcurrencyPause, 2*time.Second)
	return l
}

// Validate names every field that cannot be used.
func (l Limits) Validate() error {
	l = l.WithDefaults()
	var errs []error
	if l.Window < 100*time.Millisecond {
		errs = append(errs, fmt.Errorf("budget window %v is shorter than 100 ms", l.Window))
	}
	if l.Unused < 0 || l.Unused >= l.Window {
		errs = append(errs, fmt.Errorf("budget grants good for %v do not fit into the window of %v", l.Unused, l.Window))
	}
	if l.DayReserve > 1 || l.OperatorReserve > 1 {
		errs = append(errs, fmt.Errorf("budget reserves %v and %v are shares: at most 1", l.DayReserve, l.OperatorReserve))
	}
	errs = append(errs,
		notNegative("budget slot deadline", l.SlotDeadline),
		notNegative("budget rate pause", l.RatePause),
		notNegative("budget day pause", l.DayPause),
		notNegative("budget concurrency pause", l.ConcurrencyPause))
	return errors.Join(errs...)
}

// windowSlices is into how many parts a window is cut to count its calls: a part counts until all of it has left the window, so cutting into 610 costs 1/610 of
// the limit at most (a tenth of a second of 61).
const windowSlices = 610

func (l Limits) slice() int64 { return max(1, millis(l.Window)/windowSlices) }

func (l Limits) limit() int { return max(0, l.PerWindow) }

func (l Limits) slots() int { return max(0, l.Concurrency) }

// capacity is how many calls may leave in a burst: a fifth of the limit.
func (l Limits) capacity() int { return max(1, l.limit()/5) }

// BudgetConfig holds the limits of every organisation.
type BudgetConfig struct {
	// Default are the limits of organisations without their own. Default see Limits.
	Default Limits
	// Organizations are the limits by organisation. Default empty.
	Organizations map[string]Limits
	// MaxPause is the longest pause that Acquire waits out; of a longer one it tells at once with *PausedError, so that the record can be parked.
	// Negative: none is waited out. Default 3 s.
	MaxPause time.Duration
}

// WithDefaults gives a copy with every zero field set to its default.
func (c BudgetConfig) WithDefaults() BudgetConfig {
	c.Default = c.Default.WithDefaults()
	own := make(map[string]Limits, len(c.Organizations))
	for org, l := range c.Organizations {
		own[org] = l.WithDefaults()
	}
	c.Organizations = own
	setDefault(&c.MaxPause, 3*time.Second)
	return c
}

// Validate names every field that cannot be used.
func (c BudgetConfig) Validate() error {
	errs := []error{c.Default.Validate()}
	for org, l := range c.Organizations {
		if err := l.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("organization %s: %w", org, err))
		}
	}
	return errors.Join(errs...)
}

// Reasons of pauses that the budget finds itself. Budget.Pause adds the caller's.
const (
	ReasonStateLost   = "state_lost"  // the budget's memory was lost or time jumped: nothing leaves for one window
	ReasonRate        = "rate_limit"  // 429 or code 44
	ReasonDayLimit    = "day_limit"   // code 45
	ReasonConcurrency = "concurrency" // code 1070
	ReasonDayQuota    = "day_quota"   // nothing is left of the day's quota
	ReasonDayReserve  = "day_reserve" // only the reserve is left, and this class may not spend it
)

// Reasons of waits, as the script names them.
const (
	reasonSlots    = "slots"  // all slots are in use
	reasonRateWait = "rate"   // no token, or the window is full
	reasonTurn     = "turn"   // other replicas first
	pausePrefix    = "pause:" // goes before the reason of a pause
)

// PausedError says that no call may leave for longer than the caller can wait here.
type PausedError struct {
	Until  time.Time // by the local clock
	Reason string
}

// Error names the reason and the end.
func (e *PausedError) Error() string {
	return fmt.Sprintf("organization paused until %s: %s", e.Until.UTC().Format(time.RFC3339), e.Reason)
}

// Answer is what a call taught. The day's fields are -1 when the answer did not have them; a DayLimit of 0 counts as absent, too.
type Answer struct {
	Status, Code           int
	DayLimit, DayRemaining int
	DayReset               time.Duration
	RetryAfter             time.Duration // 0 when absent
	// Answered is false when no answer came: the call may still be under way at Zoho and keeps its slot until the deadline.
	Answered bool
}

// Budget decides when calls may leave. One Budget stands for one replica. It is safe for concurrent use.
type Budget struct {
	c       *Client
	cfg     BudgetConfig
	replica string

	mu    sync.Mutex
	pumps map[string]*pump

	listen sync.Once
}

// NewBudget gives the budgets kept in the client's Redis.
func NewBudget(c *Client, cfg BudgetConfig) (*Budget, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("checking budget configuration: %w", err)
	}
	return &Budget{c: c, cfg: cfg.WithDefaults(), replica: rand.Text()[:12], pumps: make(map[string]*pump)}, nil
}

// Limits answers the limits in force for an organisation.
func (b *Budget) Limits(org string) Limits {
	if l, ok := b.cfg.Organizations[org]; ok {
		return l
	}
	return b.cfg.Default
}

// Acquire blocks until a call may leave for the organisation. The call must leave at once (Grant.UseBy), and Grant.Done be called with its answer.
// While Redis is away nothing is granted and Acquire waits. It fails when ctx ends (the error wraps ctx.Err()), or with *PausedError when the
// organisation is paused for longer than ctx lasts or BudgetConfig.MaxPause.
func (b *Budget) Acquire(ctx context.Context, org string, class Class) (*Grant, error) {
	if err := checkOrganization(org); err != nil {
		return nil, fmt.Errorf("acquiring a call: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("waiting for the budget of %s: %w", org, err)
	}
	p := b.pump(org)
	w := &waiter{ctx: ctx, class: class, result: make(chan verdict, 1)}
	p.enqueue(w)
	select {
	case v := <-w.result:
		return v.grant, v.err
	case <-ctx.Done():
		if v, decided := p.withdraw(w); decided {
			if v.grant != nil {
				v.grant.Return()
			}
			if v.err != nil {
				return nil, v.err
			}
		}
		return nil, fmt.Errorf("waiting for the budget of %s: %w", org, ctx.Err())
	}
}

// TryAcquire is Acquire that does not queue: nil when the call could not leave at once, or when others wait already. It blocks for a round trip at most
// (and for the one under way before it).
func (b *Budget) TryAcquire(ctx context.Context, org string, class Class) *Grant {
	if checkOrganization(org) != nil || ctx.Err() != nil {
		return nil
	}
	p := b.pump(org)
	w := &waiter{ctx: ctx, class: class, result: make(chan verdict, 1), once: true}
	if !p.tryEnqueue(w) {
		return nil
	}
	select {
	case v := <-w.result:
		return v.grant
	case <-ctx.Done():
		if v, decided := p.withdraw(w); decided && v.grant != nil {
			v.grant.Return()
		}
		return nil
	}
}

// Flush blocks until Redis knows of every call that ended, or ctx ends. Who closes the client without it leaves the slots of the last calls taken until
// their deadline, and others wait for them.
func (b *Budget) Flush(ctx context.Context) {
	b.mu.Lock()
	pumps := slices.Collect(maps.Values(b.pumps))
	b.mu.Unlock()
	for _, p := range pumps {
		p.flush(ctx)
	}
}

// Grant is the permission for one call.
type Grant struct {
	p     *pump
	slot  string
	useBy time.Time
	once  sync.Once
}

// UseBy is when the call must have left, by the local clock; later the grant must be returned.
func (g *Grant) UseBy() time.Time { return g.useBy }

// Done frees the slot and learns from the answer: the day's quota, refusals. An unanswered call keeps its slot until its deadline. It does not block.
// Only the first call of Done or Return counts.
func (g *Grant) Done(a Answer) { g.once.Do(func() { g.p.done(g.slot, a) }) }

// Return gives an unused grant back: no call left. It does not block.
func (g *Grant) Return() { g.once.Do(func() { g.p.giveBack(g.slot) }) }

// Pause holds all calls of the organisation but probes until the local time given. It never shortens a pause; Resume ends it. Reason is a short word.
func (b *Budget) Pause(ctx context.Context, org string, until time.Time, reason string) error {
	d := time.Until(until)
	if d <= 0 {
		return nil
	}
	return b.setPause(ctx, org, max(1, int64(math.Ceil(d.Seconds()*1000))), reason)
}

// Resume ends what Pause began. Pauses that the budget found itself go on.
func (b *Budget) Resume(ctx context.Context, org string) error { return b.setPause(ctx, org, 0, "") }

func (b *Budget) setPause(ctx context.Context, org string, ms int64, reason string) error {
	if err := checkOrganization(org); err != nil {
		return fmt.Errorf("pausing: %w", err)
	}
	if _, err := b.c.run(ctx, pauseScript, []string{keysOf(org).budget()}, ms, reason); err != nil {
		return fmt.Errorf("pausing %s: %w", org, err)
	}
	if ms == 0 {
		if err := b.c.rdb.Publish(ctx, keysOf(org).budgetFree(), "").Err(); err != nil {
			return fmt.Errorf("announcing the end of the pause of %s: %w", org, err)
		}
	}
	return nil
}
