package redis

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func (s *bundle) budget(c *Client, limits Limits) *Budget {
	s.t.Helper()
	b, err := NewBudget(c, BudgetConfig{Default: limits})
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}

var (
	good       = Answer{Status: 200, DayLimit: -1, DayRemaining: -1, DayReset: -1, Answered: true}
	unanswered = Answer{DayLimit: -1, DayRemaining: -1, DayReset: -1}
)

// calls keeps when calls left and how many were in flight.
type calls struct {
	mu       sync.Mutex
	times    []time.Time
	inFlight atomic.Int64
	most     atomic.Int64
}

// call acts as a call of some length.
func (c *calls) call(ctx context.Context, g *Grant, length time.Duration) {
	now := time.Now()
	if now.After(g.UseBy()) {
		g.Return()
		return
	}
	c.mu.Lock()
	c.times = append(c.times, now)
	c.mu.Unlock()
	n := c.inFlight.Add(1)
	for {
		most := c.most.Load()
		if n <= most || c.most.CompareAndSwap(most, n) {
			break
		}
	}
	pass(ctx, length)
	c.inFlight.Add(-1)
	g.Done(good)
}

// pass lets time pass, as the answer of a server takes it.
func pass(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func TestBudgetOfThreeReplicasUnderRandomLoad(t *testing.T) {
	t.Parallel()
	rnd := seed(t)
	onServers(t, func(t *testing.T, s *bundle) {
		limits := Limits{PerWindow: 60, Window: 610 * time.Millisecond, Unused: 60 * time.Millisecond, Concurrency: 6}
		var c calls
		ctx, cancel := context.WithTimeout(s.ctx, 3*time.Second)
		defer cancel()
		var wg sync.WaitGroup
		for range 3 {
			b := s.budget(s.open(), limits)
			for range 6 {
				own := rand.New(rand.NewPCG(rnd.Uint64(), 1))
				wg.Go(func() {
					for {
						g, err := b.Acquire(ctx, s.org, Class(own.IntN(5)))
						if err != nil {
							if !errors.Is(err, context.DeadlineExceeded) {
								t.Error(err)
							}
							return
						}
						switch own.IntN(20) {
						case 0:
							g.Return()
						default:
							c.call(context.Background(), g, time.Duration(own.IntN(40))*time.Millisecond)
						}
						if own.IntN(10) == 0 {
							pass(ctx, time.Duration(own.IntN(200))*time.Millisecond)
						}
					}
				})
			}
		}
		wg.Wait()
		if n := most(c.times, limits.Window-limits.Unused); n > limits.PerWindow {
			t.Errorf("%d calls left within a window, the limit is %d", n, limits.PerWindow)
		}
		if n := c.most.Load(); n > int64(limits.Concurrency) {
			t.Errorf("%d calls in flight, %d are allowed", n, limits.Concurrency)
		}
		if len(c.times) < 3*limits.PerWindow {
			t.Errorf("only %d calls in five windows", len(c.times))
		}
	})
}

// TestBudgetKeepsSlotsBusy measures what is lost between two calls: with 10 slots and answers after 200 ms, 50 calls a second are possible.
func TestBudgetKeepsSlotsBusy(t *testing.T) {
	if testing.Short() {
		t.Skip("measures for seconds")
	}
	for _, replicas := range []int{1, 3} {
		onServersAlone(t, func(t *testing.T, s *bundle) {
			const answer = 200 * time.Millisecond
			var c calls
			warm := make([]*Budget, replicas)
			for i := range warm {
				warm[i] = s.budget(s.open(), Limits{PerWindow: 100_000, Concurrency: 10})
			}
			ctx, cancel := context.WithTimeout(s.ctx, 4*time.Second)
			defer cancel()
			var wg sync.WaitGroup
			served := make([]atomic.Int64, replicas)
			for i, b := range warm {
				for range 24 {
					wg.Go(func() {
						for {
							g, err := b.Acquire(ctx, s.org, Order)
							if err != nil {
								return
							}
							served[i].Add(1)
							c.call(context.Background(), g, answer)
						}
					})
				}
			}
			wg.Wait()
			slices.SortFunc(c.times, time.Time.Compare)
			// How long after a call the tenth next one left says what is lost between two calls of a slot.
			var between time.Duration
			for i := 10; i < len(c.times); i++ {
				between += c.times[i].Sub(c.times[i-10])
			}
			rate := 10 / (between.Seconds() / float64(len(c.times)-10))
			t.Logf("%d replicas: %.2f calls/s of 50", replicas, rate)
			if rate < 0.95*50 && !raced {
				t.Errorf("%.2f calls/s of 50", rate)
			}
			if n := c.most.Load(); n > 10 {
				t.Errorf("%d calls in flight", n)
			}
			for i := range served {
				if n := served[i].Load(); n < int64(len(c.times)/replicas/2) {
					t.Errorf("replica %d was served %d of %d calls", i, n, len(c.times))
				}
			}
		})
	}
}

func TestBudgetServesInOrder(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s *bundle) {
		b := s.budget(s.open(), Limits{PerWindow: -1, Concurrency: 1})
		held, err := b.Acquire(s.ctx, s.org, Order)
		if err != nil {
			t.Fatal(err)
		}
		type got struct {
			name  string
			grant *Grant
		}
		order := make(chan got)
		wait := func(name string, class Class) {
			p := b.pump(s.org)
			count := func() int {
				p.mu.Lock()
				defer p.mu.Unlock()
				n := 0
				for _, q := range p.queues {
					n += len(q)
				}
				return n
			}
			before := count()
			go func() {
				g, err := b.Acquire(s.ctx, s.org, class)
				if err != nil {
					t.Error(err)
				}
				order <- got{name, g}
			}()
			for count() == before {
				pass(s.ctx, time.Millisecond)
			}
		}
		wait("operator", Operator)
		wait("order 1", Order)
		wait("order 2", Order)
		wait("refund", Refund)
		wait("payment", Payment)
		wait("look-up", LookUp)
		held.Done(good)
		for _, want := range []string{"look-up", "refund", "payment", "order 1", "order 2", "operator"} {
			next := <-order
			if next.name != want {
				t.Errorf("%s was served, want %s", next.name, want)
			}
			next.grant.Done(good)
		}
	})
}

func TestBudgetOfAnUnansweredCall(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s *bundle) {
		b := s.budget(s.open(), Limits{PerWindow: -1, Concurrency: 1, SlotDeadline: 300 * time.Millisecond})
		g, err := b.Acquire(s.ctx, s.org, Order)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		g.Done(unanswered)
		if _, err = b.Acquire(s.ctx, s.org, Order); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d < 250*time.Millisecond {
			t.Errorf("the slot was free after %v", d)
		}
	})
}

func TestBudgetIsToldOfTheLastCallsBeforeAClientCloses(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s *bundle) {
		limits := Limits{PerWindow: -1, Concurrency: 1}
		for range 20 {
			client := s.open()
			b := s.budget(client, limits)
			g, err := b.Acquire(s.ctx, s.org, Operator)
			if err != nil {
				t.Fatal(err)
			}
			g.Done(good)
			b.Flush(s.ctx)
			if err := client.Close(); err != nil {
				t.Fatal(err)
			}
		}
		state, err := s.budget(s.open(), limits).State(s.ctx, s.org)
		if err != nil || state.InFlight != 0 {
			t.Errorf("%d slots are taken by clients that closed: %v", state.InFlight, err)
		}
	})
}

func TestBudgetPauses(t *testing.T) {
	t.Parallel()
	answer := func(status, code int) Answer {
		a := good
		a.Status, a.Code = status, code
		return a
	}
	dayIsOver := answer(429, 45)
	dayIsOver.DayReset = 2 * time.Hour
	dayEndsNow := answer(429, 45)
	dayEndsNow.DayReset = 0
	retryLater := answer(429, 0)
	retryLater.RetryAfter = 10 * time.Minute
	tests := map[string]struct {
		answer      Answer
		least, most time.Duration
		reason      string
	}{
		"too many a minute":            {answer(429, 44), 60 * time.Second, 76 * time.Second, ReasonRate},
		"a bare 429":                   {answer(429, 0), 60 * time.Second, 76 * time.Second, ReasonRate},
		"a 429 that says when":         {retryLater, 10 * time.Minute, 13 * time.Minute, ReasonRate},
		"the day's quota is spent":     {dayIsOver, 2*time.Hour + time.Second, 2*time.Hour + 2*time.Second, ReasonDayLimit},
		"spent, in its last second":    {dayEndsNow, 900 * time.Millisecond, 2 * time.Second, ReasonDayLimit},
		"spent, nobody knows how long": {answer(429, 45), time.Hour, time.Hour + 2*time.Second, ReasonDayLimit},
		"too many at a time":           {answer(429, 1070), 0, 2 * time.Second, ReasonConcurrency},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onServers(t, func(t *testing.T, s *bundle) {
				a, b := s.budget(s.open(), Limits{}), s.budget(s.open(), Limits{})
				b.cfg.MaxPause = 0
				g, err := a.Acquire(s.ctx, s.org, Order)
				if err != nil {
					t.Fatal(err)
				}
				g.Done(test.answer)
				var paused *PausedError
				for paused == nil {
					g, err := b.Acquire(s.ctx, s.org, Probe)
					if err == nil { // the answer was not told yet, or a short pause is over
						g.Return()
						if st, err := a.State(s.ctx, s.org); err != nil || test.least == 0 && st.InFlight == 0 {
							return
						}
						continue
					}
					if !errors.As(err, &paused) {
						t.Fatal(err)
					}
				}
				if d := time.Until(paused.Until); d < test.least-5*time.Second || d > test.most || paused.Reason != test.reason {
					t.Errorf("%v for %v, want %s for %v to %v", paused.Reason, d, test.reason, test.least, test.most)
				}
			})
		})
	}
}

func TestBudgetPausedByTheCaller(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s *bundle) {
		a, b := s.budget(s.open(), Limits{}), s.budget(s.open(), Limits{})
		if err := a.Pause(s.ctx, s.org, time.Now().Add(time.Hour), "circuit"); err != nil {
			t.Fatal(err)
		}
		var paused *PausedError
		if _, err := b.Acquire(s.ctx, s.org, Payment); !errors.As(err, &paused) || paused.Reason != "circuit" || time.Until(paused.Until) < 50*time.Minute {
			t.Fatalf("Acquire: %v", err)
		}
		g, err := b.Acquire(s.ctx, s.org, Probe)
		if err != nil {
			t.Fatalf("a probe is held, too: %v", err)
		}
		g.Done(good)
		if st, err := a.State(s.ctx, s.org); err != nil || st.PauseReason != "circuit" {
			t.Errorf("%+v %v", st, err)
		}
		if err := b.Pause(s.ctx, s.org, time.Now().Add(time.Minute), "shorter"); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Acquire(s.ctx, s.org, Payment); !errors.As(err, &paused) || paused.Reason != "circuit" {
			t.Fatalf("Acquire: %v", err)
		}
		if err := a.Resume(s.ctx, s.org); err != nil {
			t.Fatal(err)
		}
		g, err = b.Acquire(s.ctx, s.org, Payment)
		if err != nil {
			t.Fatal(err)
		}
		g.Done(good)
	})
}

func TestBudgetWaitsForRedis(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s *bundle) {
		p := s.proxy()
		b := s.budget(s.openAt(p.addr()), Limits{PerWindow: -1, Concurrency: 2})
		p.down.Store(true)
		p.cut()
		ctx, cancel := context.WithTimeout(s.ctx, 300*time.Millisecond)
		defer cancel()
		if _, err := b.Acquire(ctx, s.org, Order); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Acquire: %v", err)
		}
		p.down.Store(false)
		for range 4 {
			g, err := b.Acquire(s.ctx, s.org, Order)
			if err != nil {
				t.Fatal(err)
			}
			g.Done(good)
		}
	})
}

// TestBudgetAfterALostAnswer loses the answers that grant: what they granted comes back, long before the slots' deadlines.
func TestBudgetAfterALostAnswer(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s *bundle) {
		p := s.proxy()
		b := s.budget(s.openAt(p.addr()), Limits{PerWindow: 1000, Concurrency: 2})
		for range 6 {
			p.loseNext(1, s.org)
			g, err := b.Acquire(s.ctx, s.org, Order)
			if err != nil {
				t.Fatal(err)
			}
			g.Done(good)
		}
		if p.lost.Load() == 0 {
			t.Fatal("no answer was lost")
		}
		for {
			st, err := b.State(s.ctx, s.org)
			if err != nil {
				continue
			}
			if st.InFlight == 0 && st.Left == 1000-6 {
				break
			}
			if s.ctx.Err() != nil {
				t.Fatalf("%+v", st)
			}
			pass(s.ctx, time.Millisecond)
		}
	})
}

func TestBudgetEndsWithItsClient(t *testing.T) {
	t.Parallel()
	s := setupMini(t)
	c := s.open()
	b := s.budget(c, Limits{PerWindow: -1, Concurrency: 1})
	if _, err := b.Acquire(s.ctx, s.org, Order); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error)
	go func() {
		_, err := b.Acquire(s.ctx, s.org, Order)
		failed <- err
	}()
	_ = c.Close()
	if err := <-failed; !errors.Is(err, ErrClosed) {
		t.Errorf("Acquire: %v, want ErrClosed", err)
	}
	if _, err := b.Acquire(s.ctx, s.org, Order); !errors.Is(err, ErrClosed) {
		t.Errorf("Acquire: %v, want ErrClosed", err)
	}
}
