package app

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/schemas"
)

// history is one random order's: what was sent of it, and what came of that.
type history struct {
	w              *world
	rnd            *rand.Rand
	order          *schemas.Order // as its last revision has it
	paid, returned decimal.Decimal
	payments       int
	refunds        int
	cancelled      bool
}

// next sends a random event and waits for its verdict.
func (h *history) next() {
	h.w.Helper()
	switch n := h.rnd.IntN(10); {
	case n < 4 && !h.cancelled:
		var lines []schemas.Line
		for i := range 4 {
			if h.rnd.IntN(3) > 0 {
				lines = append(lines, sold(string(rune('a'+i)), fmt.Sprint(1+h.rnd.IntN(3)), fmt.Sprintf("%d.%02d", 1+h.rnd.IntN(90), h.rnd.IntN(100))))
			}
		}
		if len(lines) == 0 {
			return
		}
		changed := h.w.updated(h.order, lines...)
		changed.OccurredAt = at.Add(time.Duration(changed.Revision) * 24 * time.Hour)
		h.w.posted(h.w.one(changed))
		h.order = changed
	case n < 7:
		h.payments++
		p := h.w.payment(fmt.Sprintf("P%d-%s", h.payments, h.order.OrderID), h.order.OrderID, fmt.Sprintf("%d.%02d", 1+h.rnd.IntN(150), h.rnd.IntN(100)))
		if h.w.await(h.w.one(p)).Status == schemas.StatusPosted { // refused where no invoice owes anything
			h.paid = h.paid.Add(p.Amount)
		}
	case n < 9:
		h.refunds++
		left := h.paid.Sub(h.returned)
		amount := left.Mul(decimal.New(h.rnd.Int64N(120), -2)).Round(2) // now and then more than is there
		if amount.IsZero() {
			return
		}
		r := h.w.refund(fmt.Sprintf("R%d-%s", h.refunds, h.order.OrderID), h.order.OrderID, "", amount.String())
		r.RefundedAt = at.Add(100 * 24 * time.Hour)
		switch out := h.w.await(h.w.one(r)); {
		case out.Status == schemas.StatusPosted:
			h.returned = h.returned.Add(amount)
		case amount.LessThanOrEqual(left):
			h.w.Errorf("refund of %s of %s: %+v", amount, left, out.Error)
		}
	case n == 9 && !h.cancelled && h.rnd.IntN(3) == 0:
		c := h.w.cancelled(h.order)
		c.OccurredAt = at.Add(40 * 24 * time.Hour)
		h.w.posted(h.w.one(c))
		h.order, h.cancelled = c, true
	}
}

// Whatever happens to an order, in whatever order: never more is returned than came in, nothing is owed twice or below zero, a
// cancelled order's sales are zero, and without refunds the sales are what the last revision says. The world's judge compares
// documents, outcomes and the trial balance.
func TestRandomHistoriesOfOrders(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Switches{}, func(w *world) {
				mapped(func(o *config.Organization) {
					o.LineTargets["ROUNDING"] = config.LineTarget{AccountID: w.org.AccountID(simulator.AccountRounding)}
				})(w)
			})
			w.start()
			h := &history{w: w, rnd: rand.New(rand.NewPCG(seed, 42)), order: w.two("O1")}
			w.posted(w.one(h.order))
			for range 14 {
				h.next()
				l := w.sim.Ledger(orgID)
				sales := l.Balance(simulator.AccountSales).Add(l.Balance(simulator.AccountTaxPayable)).Add(l.Balance(simulator.AccountRounding)).Neg()
				cash, owed, held := l.Balance(simulator.AccountStripe), l.Balance(simulator.AccountReceivable), l.Balance(simulator.AccountUnearned).Neg()
				if !cash.Equal(h.paid.Sub(h.returned)) || cash.IsNegative() || owed.IsNegative() || held.IsNegative() || !l.Zero {
					t.Fatalf("cash %s of %s paid and %s returned, owed %s, held %s", cash, h.paid, h.returned, owed, held)
				}
				want := h.order.Totals.Gross
				if h.cancelled {
					want = decimal.Zero
				}
				if h.returned.IsZero() && !sales.Equal(want) || h.cancelled && !sales.Equal(want) || sales.GreaterThan(want) {
					t.Fatalf("sales with tax are %s, the order says %s (cancelled: %v, returned: %s)", sales, want, h.cancelled, h.returned)
				}
				if !cash.Sub(held).Equal(sales.Sub(owed)) {
					t.Fatalf("cash %s - held %s is not sales %s - owed %s", cash, held, sales, owed)
				}
			}
		})
	}
}
