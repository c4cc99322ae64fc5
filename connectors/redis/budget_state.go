package redis

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// BudgetState is what the budget knows of an organisation. Times are Redis's.
type BudgetState struct {
	Now          time.Time
	Limit        int       // calls per window; 0: unlimited
	Left         int       // calls that may still leave in the current window, by the last count; Limit when nothing is known
	Concurrency  int       // slots; 0: unlimited
	InFlight     int       // slots in use
	DayLimit     int       // the day's quota; 0: not learnt
	DayRemaining int       // what is left of it
	DayReset     time.Time // when the day ends; zero: not learnt
	PausedUntil  time.Time // end of the pause in force that lasts longest; zero without one
	PauseReason  string    // its reason
}

// State reads what the budget knows; for metrics and operators, it decides nothing.
func (b *Budget) State(ctx context.Context, org string) (BudgetState, error) {
	if err := checkOrganization(org); err != nil {
		return BudgetState{}, fmt.Errorf("reading the budget: %w", err)
	}
	k := keysOf(org)
	pipe := b.c.rdb.Pipeline()
	clock := pipe.Time(ctx)
	fields := pipe.HMGet(ctx, k.budget(), "total", "dlimit", "dremaining", "dreset", "hold", "lpause", "lreason", "pause", "preason", "last")
	if _, err := pipe.Exec(ctx); err != nil {
		return BudgetState{}, fmt.Errorf("reading the budget of %s: %w", org, err)
	}
	l := b.Limits(org)
	now := clock.Val()
	v := fields.Val()
	s := BudgetState{Now: now.UTC(), Limit: l.limit(), Concurrency: l.slots(), Left: l.limit()}
	inFlight, err := b.c.rdb.ZCount(ctx, k.budgetFlight(), strconv.FormatInt(now.UnixMilli(), 10), "+inf").Result()
	if err != nil {
		return BudgetState{}, fmt.Errorf("counting calls in flight of %s: %w", org, err)
	}
	s.InFlight = int(inFlight)
	if last := timeOf(v[9]); now.Sub(last) < l.Window {
		s.Left = max(0, l.limit()-int(numberOf(v[0])))
	}
	if reset := timeOf(v[3]); reset.After(now) {
		s.DayLimit, s.DayRemaining, s.DayReset = int(numberOf(v[1])), int(numberOf(v[2])), reset
	}
	for _, p := range []struct {
		until  time.Time
		reason string
	}{{timeOf(v[4]), ReasonStateLost}, {timeOf(v[5]), textOf(v[6])}, {timeOf(v[7]), textOf(v[8])}} {
		if p.until.After(now) && p.until.After(s.PausedUntil) {
			s.PausedUntil, s.PauseReason = p.until, p.reason
		}
	}
	return s, nil
}
