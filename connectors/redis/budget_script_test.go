package redis

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// lab asks the budget's script by itself, in time that only moves when told.
type lab struct {
	*bundle
	now time.Time
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{setupMini(t), time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	l.mini.SetTime(l.now)
	return l
}

func (l *lab) advance(d time.Duration) {
	l.now = l.now.Add(d)
	l.mini.SetTime(l.now)
}

// replica gives the pump of a budget of its own; it believes that the local clock goes as the server's does.
func (l *lab) replica(limits Limits) *labReplica {
	l.t.Helper()
	b, err := NewBudget(l.open(), BudgetConfig{Default: limits})
	if err != nil {
		l.t.Fatal(err)
	}
	return &labReplica{lab: l, p: b.pump(l.org)}
}

type labReplica struct {
	*lab
	p      *pump
	jumped time.Duration // how much further the server's clock goes than the local one
}

// ask asks for calls by level and tells which slots were freed.
func (r *labReplica) ask(want [levels]int, tell ...func(*question)) (asked, []string) {
	r.t.Helper()
	q := question{want: want, from: r.p.next}
	r.p.next += int64(q.wanted())
	for _, f := range tell {
		f(&q)
	}
	if r.p.state.id != "" { // as much time went by here as there
		at := time.Now().Add(r.jumped - r.now.Sub(time.UnixMilli(r.p.state.now)))
		r.jumped = 0
		r.p.state.sent, r.p.state.received = at, at
	}
	a, err := r.p.ask(q)
	if err != nil {
		r.t.Fatal(err)
	}
	var got []string
	n := q.from
	for _, g := range a.granted {
		for range g {
			got = append(got, r.p.slot(n))
			n++
		}
	}
	return a, got
}

func orders(n int) [levels]int   { return [levels]int{3: n} }
func payments(n int) [levels]int { return [levels]int{2: n} }

func freed(slots ...string) func(*question)  { return func(q *question) { q.freed = slots } }
func unused(slots ...string) func(*question) { return func(q *question) { q.unused = slots } }
func day(limit, remaining int, reset time.Duration) func(*question) {
	return func(q *question) {
		q.learnt = learnt{limit: limit, remaining: remaining, reset: reset, resetAt: time.Now()}
	}
}

func total(a asked) int {
	n := 0
	for _, g := range a.granted {
		n += g
	}
	return n
}

// most gives the largest number of times that lie within any stretch of time.
func most(times []time.Time, stretch time.Duration) int {
	slices.SortFunc(times, time.Time.Compare)
	n, from := 0, 0
	for to := range times {
		for times[to].Sub(times[from]) >= stretch {
			from++
		}
		n = max(n, to-from+1)
	}
	return n
}

func TestBudgetNeverExceedsTheLimitInAnyWindow(t *testing.T) {
	t.Parallel()
	all := seed(t)
	for _, limit := range []int{1, 7, 100, 3000} {
		rnd := rand.New(rand.NewPCG(all.Uint64(), uint64(limit)))
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			limits := Limits{PerWindow: limit, Concurrency: -1}
			replicas := []*labReplica{l.replica(limits), l.replica(limits), l.replica(limits)}
			var left []time.Time
			busy := time.Duration(0) // the time without long pauses, which would leave too little of it to use the limit
			for busy < 4*time.Minute {
				a, _ := replicas[rnd.IntN(3)].ask(orders(1 + rnd.IntN(50)))
				for range total(a) {
					left = append(left, l.now)
				}
				if rnd.IntN(3000) == 0 {
					l.advance(time.Duration(rnd.Int64N(int64(90 * time.Second))))
					continue
				}
				quiet := time.Duration(rnd.Int64N(int64(20 * time.Millisecond)))
				if a.wait > 0 {
					quiet = time.Duration(1 + rnd.Int64N(int64(2*a.wait)))
				}
				l.advance(quiet)
				busy += quiet
			}
			if n := most(left, 61*time.Second); n > limit {
				t.Errorf("%d calls in 61 s, the limit is %d", n, limit)
			}
			if len(left) < limit {
				t.Errorf("only %d calls in 4 min without long pauses", len(left))
			}
		})
	}
}

func TestBudgetUsesTheLimit(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{100, 1000} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			limits := Limits{PerWindow: limit, Concurrency: -1}
			replicas := []*labReplica{l.replica(limits), l.replica(limits), l.replica(limits)}
			next := []time.Time{l.now, l.now, l.now}
			start, used := l.now, 0
			served := make([]int, 3)
			for l.now.Sub(start) < 4*time.Minute {
				for i, r := range replicas {
					if next[i].After(l.now) {
						continue
					}
					a, _ := r.ask(orders(20))
					used += total(a)
					served[i] += total(a)
					next[i] = l.now.Add(max(a.wait, time.Millisecond))
				}
				l.advance(max(time.Millisecond, min(next[0].Sub(l.now), next[1].Sub(l.now), next[2].Sub(l.now))))
			}
			if share := float64(used) / float64(4*limit); share < 0.97 {
				t.Errorf("%.1f %% of the limit used", 100*share)
			}
			for i, n := range served {
				if n < used/5 {
					t.Errorf("replica %d got %d of %d calls", i, n, used)
				}
			}
		})
	}
}

func TestBudgetDecides(t *testing.T) {
	t.Parallel()
	limits := Limits{PerWindow: 100, Concurrency: 4}
	tests := map[string]func(t *testing.T, l *lab, a, b *labReplica){
		"never more than the slots, and a freed one goes out again": func(t *testing.T, _ *lab, a, b *labReplica) {
			got, slots := a.ask(orders(9))
			if total(got) != 4 || got.reason != reasonSlots {
				t.Fatalf("%+v", got)
			}
			if got, _ := b.ask(orders(1)); total(got) != 0 || got.reason != reasonSlots {
				t.Fatalf("%+v", got)
			}
			if got, _ := a.ask(orders(0), freed(slots[:2]...)); total(got) != 0 {
				t.Fatalf("%+v", got)
			}
			if got, _ := b.ask(orders(9)); total(got) != 2 {
				t.Fatalf("%+v", got)
			}
		},
		"a slot without an answer is kept until its deadline": func(t *testing.T, l *lab, a, b *labReplica) {
			a.ask(orders(4))
			l.advance(44 * time.Second)
			if got, _ := b.ask(orders(4)); total(got) != 0 {
				t.Fatalf("%+v", got)
			}
			l.advance(2 * time.Second)
			if got, _ := b.ask(orders(4)); total(got) != 4 {
				t.Fatalf("%+v", got)
			}
		},
		"who waits longest is served first when a slot frees": func(t *testing.T, l *lab, a, b *labReplica) {
			_, slots := a.ask(orders(9))
			b.ask(orders(9))
			l.advance(time.Millisecond)
			if got, _ := a.ask(orders(9), freed(slots[0])); total(got) != 0 || got.reason != reasonTurn || got.wait > 10*time.Millisecond {
				t.Fatalf("the replica that was served before goes first: %+v", got)
			}
			if got, _ := b.ask(orders(9)); total(got) != 1 {
				t.Fatalf("%+v", got)
			}
			l.advance(time.Millisecond)
			if got, _ := a.ask(orders(9), freed(slots[1])); total(got) != 1 {
				t.Fatalf("now it is its turn: %+v", got)
			}
		},
		"a replica that waits and died holds up nobody": func(t *testing.T, l *lab, a, b *labReplica) {
			_, slots := a.ask(orders(9))
			b.ask(orders(9))
			got, _ := a.ask(orders(9), freed(slots[0]))
			l.advance(got.wait)
			if got, _ := a.ask(orders(9)); total(got) != 1 {
				t.Fatalf("%+v", got)
			}
		},
		"a grant given back leaves the window": func(t *testing.T, l *lab, a, b *labReplica) {
			left := 0
			for left < 100 {
				got, slots := a.ask(orders(4))
				left += total(got)
				a.ask(orders(0), freed(slots...))
				l.advance(time.Second)
			}
			if got, _ := a.ask(orders(1)); total(got) != 0 || got.reason != reasonRateWait {
				t.Fatalf("%+v", got)
			}
			l.advance(20 * time.Second)
			got, slots := a.ask(orders(1))
			if total(got) != 1 {
				t.Fatalf("%+v", got)
			}
			if got, _ := b.ask(orders(1)); total(got) != 1 {
				t.Fatalf("%+v", got)
			}
			before := numberOf(l.hash("total"))
			a.ask(orders(0), unused(slots...))
			a.ask(orders(0), unused(slots...))
			if after := numberOf(l.hash("total")); after != before-1 {
				t.Errorf("%d calls in the window, before %d", after, before)
			}
		},
		"the higher class leaves first": func(t *testing.T, _ *lab, a, _ *labReplica) {
			if got, _ := a.ask([levels]int{0, 1, 2, 5, 5}); got.granted != [levels]int{0, 1, 2, 1, 0} {
				t.Fatalf("%+v", got)
			}
		},
		"the reserve of the day is for look-ups, payments and refunds": func(t *testing.T, l *lab, a, _ *labReplica) {
			_, slots := a.ask(orders(1))
			a.ask([levels]int{}, freed(slots...), day(1000, 301, time.Hour))
			steps := []struct {
				remaining int
				want      [levels]int
				reason    string
			}{
				{304, [levels]int{0, 1, 1, 1, 1}, ""},
				{303, [levels]int{0, 1, 1, 1, 0}, ReasonDayReserve},
				{202, [levels]int{0, 1, 1, 0, 0}, ReasonDayReserve},
				{1, [levels]int{0, 1, 0, 0, 0}, ReasonDayQuota},
				{0, [levels]int{}, ReasonDayQuota},
			}
			for _, s := range steps {
				l.mini.HSet(keysOf(l.org).budget(), "dremaining", fmt.Sprint(s.remaining))
				got, slots := a.ask([levels]int{0, 1, 1, 1, 1})
				if got.granted != s.want || got.day != s.reason {
					t.Errorf("%d left: %+v, want %v %q", s.remaining, got, s.want, s.reason)
				}
				a.ask([levels]int{}, freed(slots...))
				l.advance(4 * time.Second)
			}
			l.advance(time.Hour)
			if got, _ := a.ask(orders(1)); total(got) != 1 || got.day != "" {
				t.Errorf("the next day: %+v", got)
			}
		},
		"the lower of overtaking answers counts, a new limit at once": func(t *testing.T, l *lab, a, _ *labReplica) {
			a.ask([levels]int{}, day(1000, 500, time.Hour))
			a.ask([levels]int{}, day(1000, 490, time.Hour))
			a.ask([levels]int{}, day(1000, 495, time.Hour))
			if got := l.hash("dremaining"); got != "490" {
				t.Errorf("%s remaining", got)
			}
			a.ask([levels]int{}, day(1000, 700, time.Hour))
			if got := l.hash("dremaining"); got != "700" {
				t.Errorf("%s remaining", got)
			}
			a.ask([levels]int{}, day(2000, 300, time.Hour))
			if got := l.hash("dremaining"); got != "300" {
				t.Errorf("%s remaining", got)
			}
		},
		"a refusal pauses all, then the bucket fills from empty": func(t *testing.T, l *lab, a, b *labReplica) {
			_, slots := a.ask(orders(1))
			a.ask([levels]int{}, freed(slots...), func(q *question) {
				q.learnt = learnt{pause: time.Minute, reason: ReasonRate, empty: true}
			})
			got, _ := b.ask([levels]int{1, 1, 1, 1, 1})
			if total(got) != 0 || got.reason != pausePrefix+ReasonRate || got.wait != time.Minute {
				t.Fatalf("%+v", got)
			}
			l.advance(time.Minute)
			if got, _ := b.ask(orders(4)); total(got) != 4 {
				t.Fatalf("%+v", got)
			}
		},
		"a state that was lost grants nothing for one window": func(t *testing.T, l *lab, a, b *labReplica) {
			a.ask(orders(1))
			l.mini.FlushAll()
			if got, _ := a.ask(orders(1)); total(got) != 0 || got.reason != pausePrefix+ReasonStateLost || got.wait != 61*time.Second {
				t.Fatalf("%+v", got)
			}
			l.advance(60 * time.Second)
			if got, _ := b.ask(payments(1)); total(got) != 0 {
				t.Fatalf("%+v", got)
			}
			l.advance(time.Second)
			if got, _ := b.ask(orders(1)); total(got) != 1 {
				t.Fatalf("%+v", got)
			}
		},
		"a state written anew by one who knew nothing is found out by one who did": func(t *testing.T, l *lab, a, b *labReplica) {
			a.ask(orders(1))
			l.mini.FlushAll()
			if got, _ := b.ask(orders(1)); total(got) != 1 {
				t.Fatalf("%+v", got)
			}
			if got, _ := a.ask(orders(1)); total(got) != 0 {
				t.Fatalf("%+v", got)
			}
			if got, _ := b.ask(orders(1)); total(got) != 0 {
				t.Fatalf("%+v", got)
			}
		},
		"a state older than seen grants nothing for one window": func(t *testing.T, l *lab, a, _ *labReplica) {
			for range 3 {
				a.ask(orders(1))
			}
			l.mini.HSet(keysOf(l.org).budget(), "sequence", "1")
			if got, _ := a.ask(orders(1)); total(got) != 0 || got.wait != 61*time.Second {
				t.Fatalf("%+v", got)
			}
			l.advance(61 * time.Second)
			if got, _ := a.ask(orders(1)); total(got) != 1 {
				t.Fatalf("%+v", got)
			}
		},
		"a loss of claims holds the budget of who starts after it": func(t *testing.T, l *lab, a, _ *labReplica) {
			if _, err := a.p.b.c.Epoch(l.ctx, l.org, EpochFacts{HasCommits: true}); err != nil {
				t.Fatal(err)
			}
			if got, _ := a.ask(orders(1)); total(got) != 0 || got.reason != pausePrefix+ReasonStateLost {
				t.Fatalf("%+v", got)
			}
			l.advance(61 * time.Second)
			if got, _ := a.ask(orders(1)); total(got) != 1 {
				t.Fatalf("%+v", got)
			}
		},
		"time set back grants nothing for one window": func(t *testing.T, l *lab, a, b *labReplica) {
			a.ask(orders(1))
			l.advance(-time.Hour)
			if got, _ := b.ask(orders(1)); total(got) != 0 || got.wait != 61*time.Second {
				t.Fatalf("%+v", got)
			}
		},
		"time that jumped on a replica's watch grants nothing for one window": func(t *testing.T, l *lab, a, b *labReplica) {
			a.ask(orders(1))
			l.advance(time.Hour)
			a.jumped = time.Hour - time.Second
			if got, slots := a.ask(orders(1)); !got.late {
				t.Fatalf("a jump was not seen: %+v", got)
			} else {
				got, _ = a.ask(orders(1), unused(slots...))
				if total(got) != 0 || got.wait != 61*time.Second {
					t.Fatalf("%+v", got)
				}
			}
			if got, _ := b.ask(orders(1)); total(got) != 0 {
				t.Fatalf("%+v", got)
			}
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			test(t, l, l.replica(limits), l.replica(limits))
		})
	}
}

func (l *lab) hash(field string) string { return l.mini.HGet(keysOf(l.org).budget(), field) }
