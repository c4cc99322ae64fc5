package app

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/schemas"
)

// changing is the story of an order that changes: what came before, the revision during which the replica dies, and what
// comes after another one took over.
type changing struct {
	before, after []func(w *world, o *schemas.Order) any
	revision      func(w *world, o *schemas.Order) any
}

// changes are the stories. Of each the books with a crash are compared with those without.
func changes() map[string]changing {
	type event = func(w *world, o *schemas.Order) any
	revision := func(n int64, lines ...schemas.Line) event {
		return func(w *world, o *schemas.Order) any {
			c := w.updated(o, lines...)
			c.Revision = n
			return c
		}
	}
	pay := func(amount string) event {
		return func(w *world, o *schemas.Order) any { return w.payment("P"+amount+"-"+o.OrderID, o.OrderID, amount) }
	}
	refund := func(w *world, o *schemas.Order) any {
		r := w.refund("R-"+o.OrderID, o.OrderID, "", "54.13")
		r.Lines = []schemas.RefundLine{{LineID: "a", Quantity: dec("0.5"), Amount: dec("54.13")}}
		return r
	}
	a, b := sold("a", "1", "100"), sold("b", "2", "100")
	return map[string]changing{
		"raised": {revision: revision(2, sold("a", "3", "100"), b), after: []event{pay("541.25")}},
		"lowered": {
			revision: revision(2, sold("a", "1", "90"), b),
			after:    []event{pay("313.93"), revision(3, sold("a", "1", "80"), b)},
		},
		"one line for another": {revision: revision(2, b, sold("c", "1", "150")), after: []event{revision(3, b), pay("216.50")}},
		"twice raised": {
			before: []event{revision(2, sold("a", "3", "100"), b)}, revision: revision(3, sold("a", "4", "100"), b),
			after: []event{pay("649.50"), cancelAt(4)},
		},
		"raised, then lowered": {
			before: []event{revision(2, sold("a", "3", "100"), b)}, revision: revision(3, sold("a", "3", "90"), b),
			after: []event{revision(4, sold("a", "5", "90"), b), pay("703.63")},
		},
		"lowered after payment": {
			before: []event{pay("324.75")}, revision: revision(2, b),
			after: []event{func(w *world, o *schemas.Order) any { return w.refund("R-"+o.OrderID, o.OrderID, "", "108.25") }},
		},
		"lowered after a refund": {
			before: []event{pay("324.75"), refund}, revision: revision(2, b), after: []event{revision(3, a, b, sold("c", "1", "40"))},
		},
	}
}

// TestEveryCrashPointOfARevision lets a replica die after the first call of a revision, after the second, and so on; another
// one takes over. Redis remembers, was emptied before the revision came, forgets with the crash, or both.
func TestEveryCrashPointOfARevision(t *testing.T) {
	t.Parallel()
	long := os.Getenv("BOOKSYNC_TEST_LONG") == "1"
	quick := []string{"raised", "lowered after payment"}
	for story, c := range changes() {
		for memory, m := range map[string]struct{ before, crash bool }{
			"Redis remembers": {}, "Redis was emptied": {before: true}, "Redis is emptied": {crash: true}, "Redis is emptied twice": {true, true},
		} {
			if !long && (m.before || !slices.Contains(quick, story)) { // all 28 take minutes
				continue
			}
			t.Run(story+", "+memory, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, simulator.Switches{}, configured(func(c *config.Config) { c.Zoho.MarkSentBatch = 1 }))
				w.start()
				o := w.two("O0")
				w.posted(w.one(o))
				for _, e := range c.before {
					w.posted(w.one(e(w, o)))
				}
				record := w.one(c.revision(w, o))
				w.posted(record)
				for _, e := range c.after {
					w.posted(w.one(e(w, o)))
				}
				want, said := w.documents("O0"), w.outcome(record)
				for n := 1; w.crashes(&c, n, m.before, m.crash, want, said); n++ {
					if n > 30 {
						t.Fatal("the revision never comes to its end")
					}
				}
			})
		}
	}
}

// crashes tells the story with a crash at the nth call, which is made, but nothing is heard of it and nothing is called after
// it. False when the revision came to its end before.
func (w *world) crashes(c *changing, n int, before, crash bool, want []string, said *schemas.Outcome) bool {
	w.Helper()
	o := w.two("O" + strconv.Itoa(n))
	w.posted(w.one(o))
	for _, e := range c.before {
		w.posted(w.one(e(w, o)))
	}
	if before {
		w.replicas[len(w.replicas)-1].stop()
		w.redis.Empty(w)
		w.start().assigned()
	}
	hits := func() int {
		h := w.sim.FaultHits()
		return h[simulator.FaultLostAnswer] + h[simulator.FaultErrorBefore]
	}
	met := hits()
	w.inject(simulator.Fault{Kind: simulator.FaultLostAnswer, Nth: n})
	w.inject(simulator.Fault{Kind: simulator.FaultErrorBefore, Status: 502, HTML: true, Nth: n + 1, Count: 1 << 30})
	record := w.one(c.revision(w, o))
	until(w, "the crash or the end", func() bool { return hits() > met || w.outcome(record) != nil })
	crashed := hits() > met
	if crashed {
		w.replicas[len(w.replicas)-1].stop()
		if crash {
			w.redis.Empty(w)
		}
		w.sim.ClearFaults()
		w.start()
	}
	w.sim.ClearFaults()
	w.posted(record)
	w.saysAsMuch(n, w.outcome(record), said)
	for _, e := range c.after {
		w.posted(w.one(e(w, o)))
	}
	if got := w.documents(o.OrderID); !slices.Equal(got, want) {
		w.Errorf("crash at call %d: the books hold\n%s\nwithout a crash they hold\n%s", n, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	return crashed && !w.Failed()
}

// saysAsMuch compares an outcome with that of the same event without a crash.
func (w *world) saysAsMuch(n int, got, want *schemas.Outcome) {
	w.Helper()
	if !equal(got.Posted, want.Posted) || !equal(got.Expected, want.Expected) || !equal(got.Difference, want.Difference) || len(got.Documents) != len(want.Documents) ||
		!got.InvoiceAfter.Balance.Equal(want.InvoiceAfter.Balance) {
		w.Errorf("crash at call %d: the outcome says %v of %v, difference %v, %d documents, balance %s; without a crash %v of %v, difference %v, %d, %s",
			n, got.Posted, got.Expected, got.Difference, len(got.Documents), got.InvoiceAfter.Balance, want.Posted, want.Expected, want.Difference,
			len(want.Documents), want.InvoiceAfter.Balance)
	}
}

func equal(a, b decimal.NullDecimal) bool { return a.Valid == b.Valid && a.Decimal.Equal(b.Decimal) }

// documents are the order's documents and what became of them, without what tells this order from another.
func (w *world) documents(order string) []string {
	var all []string
	l := w.sim.Ledger(orgID)
	for _, list := range [][]simulator.LedgerDocument{l.Invoices, l.CreditNotes, l.Payments, l.Refunds} {
		for i := range list {
			d := &list[i]
			if key := d.BusinessID + ":"; strings.Contains(key, ":"+order+":") || strings.Contains(key, "-"+order+":") {
				key = strings.ReplaceAll(strings.ReplaceAll(key, "-"+order+":", ""), ":"+order+":", ":")
				all = append(all, fmt.Sprintf("%s %s of %s: %s, total %s, tax %s, balance %s", d.Type, key, d.Date, d.Status, d.Total, d.Tax, d.Balance))
			}
		}
	}
	slices.Sort(all)
	return all
}

// assigned waits until the replica has all partitions: what comes later is no record of before.
func (r *replica) assigned() {
	r.w.Helper()
	until(r.w, "all partitions to be started", func() bool {
		e := r.engine.Load()
		if e == nil || e.Ready() != nil {
			return false
		}
		started := 0
		for _, p := range e.Status().Partitions {
			if p.Started {
				started++
			}
		}
		return started == 6
	})
}
