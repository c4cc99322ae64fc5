package redis

import (
	"maps"
	"testing"
	"time"
)

// TestOrdersAreNotRefusedForTheOperatorsReserve: 250 of 1,000 calls are left. Orders may spend 50 of them, operators none; both wait, and there are not
// slots for all.
func TestOrdersAreNotRefusedForTheOperatorsReserve(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	r := l.replica(Limits{Concurrency: 5})
	r.ask(orders(1), day(1000, 250, 10*time.Hour))
	var waiters []*waiter
	for _, class := range []Class{Order, Order, Order, Order, Order, Operator} {
		w := &waiter{ctx: l.ctx, class: class, result: make(chan verdict, 1)}
		waiters = append(waiters, w)
		r.p.queues[class.level()] = append(r.p.queues[class.level()], w)
	}
	q := question{from: r.p.next}
	q.want[Order.level()], q.want[Operator.level()] = 5, 1
	r.p.next += int64(len(waiters))
	now := time.Now()
	r.p.state.sent, r.p.state.received = now, now
	a, err := r.p.ask(q)
	if err != nil {
		t.Fatal(err)
	}
	r.p.distribute(q, a)
	for i, w := range waiters {
		var refused error
		told := false
		select {
		case v := <-w.result:
			told, refused = true, v.err
		default:
		}
		switch {
		case w.class == Order && refused != nil:
			t.Errorf("order %d is refused: %v", i, refused)
		case w.class == Operator && (!told || refused == nil):
			t.Error("the operator's call is not refused")
		}
	}
}

// TestTwoDaysAreNotMixed: the last answer of a day and the first of the next one come together.
func TestTwoDaysAreNotMixed(t *testing.T) {
	t.Parallel()
	last := Answer{Status: 200, Answered: true, DayLimit: 1000, DayRemaining: 0, DayReset: 0}
	first := Answer{Status: 200, Answered: true, DayLimit: 1000, DayRemaining: 999, DayReset: 24*time.Hour - time.Second}
	for name, answers := range map[string][]Answer{"in order": {last, first}, "out of order": {first, last}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			r := l.replica(Limits{})
			r.ask(orders(2), day(1000, 5, time.Second))
			l.advance(2 * time.Second)
			for _, a := range answers {
				r.p.learn(a)
			}
			learnt := r.p.learnt
			r.ask(payments(1), func(q *question) { q.learnt = learnt })
			l.advance(10 * time.Second)
			if a, _ := r.ask(payments(1)); total(a) != 1 {
				t.Errorf("no call for %v (%s) though 999 of 1,000 are left", a.dayReset, a.day)
			}
		})
	}
}

// TestOthersDoNotMakeUpForLostGrants: a failover loses what one replica was granted; another one's questions bring the count to what it was.
func TestOthersDoNotMakeUpForLostGrants(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	limits := Limits{PerWindow: 100, Concurrency: 10}
	one, other := l.replica(limits), l.replica(limits)
	other.ask(orders(1))
	state, flight := keysOf(l.org).budget(), keysOf(l.org).budgetFlight()
	held := map[string]string{}
	fields, err := l.mini.HKeys(state)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fields {
		held[f] = l.mini.HGet(state, f)
	}
	set, err := l.mini.SortedSet(flight)
	if err != nil {
		t.Fatal(err)
	}
	slots := maps.Clone(set)
	one.ask(orders(9)) // in flight, and not on the node that takes over
	l.mini.Del(state)
	l.mini.Del(flight)
	for f, v := range held {
		l.mini.HSet(state, f, v)
	}
	for member, score := range slots {
		if _, err := l.mini.ZAdd(flight, score, member); err != nil {
			t.Fatal(err)
		}
	}
	l.advance(100 * time.Millisecond)
	other.ask(orders(9))
	l.advance(5 * time.Second)
	if a, _ := one.ask(orders(9)); a.reason != pausePrefix+ReasonStateLost {
		t.Errorf("%d granted, reason %q, want %q", total(a), a.reason, pausePrefix+ReasonStateLost)
	}
}
