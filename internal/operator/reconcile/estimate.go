package reconcile

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/booksync/booksync/connectors/redis"
)

// perPage is how many documents a list answers at most in one call.
const perPage = 200

// Estimate is what a reconciliation will spend.
type Estimate struct {
	Transactions int // of the window, as events and outcomes know them
	ListCalls    int // list pages, and what was asked of the organisation itself
	OpenCalls    int // documents to open for certain: all of them with Deep; the doubtful ones come on top, within Limit
	Limit        int // calls that will be made at most
	// MinuteLeft and DayLeft are what the organisation has left; negative: unknown.
	MinuteLeft, DayLeft int
}

// ErrTooExpensive is a reconciliation that needs more calls than it may make.
var ErrTooExpensive = errors.New("more calls are needed than may be made")

// dayCounts are documents by kind and day.
type dayCounts map[docKind]map[string]int

func (c dayCounts) add(kind docKind, day string) {
	if c[kind] == nil {
		c[kind] = map[string]int{}
	}
	c[kind][day]++
}

// in is the number of a kind within the window.
func (c dayCounts) in(kind docKind, w Window) int {
	n := 0
	for day, k := range c[kind] {
		if w.contains(day) {
			n += k
		}
	}
	return n
}

// estimate counts what the lists will have, tells the calls, and refuses when they are too many.
func (r *run) estimate(ctx context.Context) error {
	for _, d := range r.index.documents {
		r.pages.add(d.kind, d.oDay)
	}
	w := r.opts.Window
	docs := r.pages.in(invoiceDoc, w) + r.pages.in(paymentDoc, w) + r.pages.in(creditDoc, w)
	newest, daily := r.paymentPages()
	e := Estimate{
		Transactions: len(r.index.transactions), MinuteLeft: -1, DayLeft: -1,
		ListCalls: r.calls.Calls() + pagesOf(r.pages.in(invoiceDoc, w)) + pagesOf(r.pages.in(creditDoc, w)) + min(newest, daily),
	}
	if r.opts.Deep {
		e.OpenCalls = docs
	}
	if r.deps.Budget != nil {
		state, err := r.deps.Budget(ctx, r.opts.Organization)
		if err != nil {
			return fmt.Errorf("asking what is left of the calls: %w", err)
		}
		e.MinuteLeft, e.DayLeft = left(state)
	}
	r.limit = math.MaxInt
	if r.opts.MaxCalls > 0 {
		r.limit = r.opts.MaxCalls
	}
	if e.DayLeft >= 0 {
		r.limit = min(r.limit, e.DayLeft)
	}
	e.Limit = r.limit
	r.result.Estimate = e
	if r.opts.Estimated != nil {
		if err := r.opts.Estimated(e); err != nil {
			return err
		}
	}
	if need := e.ListCalls + e.OpenCalls; need > r.limit {
		return fmt.Errorf("%w: %d, and %d may be made: take a shorter window, leave out --deep, or allow more", ErrTooExpensive, need, r.limit)
	}
	return nil
}

func left(s redis.BudgetState) (minute, day int) {
	minute, day = -1, -1
	if s.Limit > 0 {
		minute = s.Left
	}
	if s.DayLimit > 0 {
		day = s.DayRemaining
	}
	return minute, day
}

// pagesOf is the number of list calls for n documents; asking costs one even for none.
func pagesOf(n int) int { return max(1, (n+perPage-1)/perPage) }

// may says whether another call may be made.
func (r *run) may() bool { return r.calls.Calls() < r.limit }
