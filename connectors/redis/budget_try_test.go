package redis

import (
	"context"
	"testing"
	"time"
)

func TestTryAcquireTakesWhatIsThereAndDoesNotQueue(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s *bundle) {
		b := s.budget(s.open(), Limits{PerWindow: -1, Concurrency: 2})
		first, second := b.TryAcquire(s.ctx, s.org, Order), b.TryAcquire(s.ctx, s.org, Order)
		if first == nil || second == nil {
			t.Fatal("no grant though two calls may be in flight")
		}
		for range 3 { // the first one learns from the answer, the others from what was learnt
			if g := b.TryAcquire(s.ctx, s.org, Payment); g != nil {
				t.Fatal("a third call in flight")
			}
		}
		// Those who queue are served, and find out that nothing is short any more.
		waited := make(chan *Grant, 1)
		go func() {
			g, err := b.Acquire(s.ctx, s.org, Order)
			if err != nil {
				t.Errorf("Acquire: %v", err)
			}
			waited <- g
		}()
		first.Done(good)
		third := <-waited
		second.Done(good)
		third.Done(good)
		g, err := b.Acquire(s.ctx, s.org, Order)
		if err != nil {
			t.Fatal(err)
		}
		g.Done(good)
		if g := b.TryAcquire(s.ctx, s.org, Order); g == nil {
			t.Error("no grant though nothing is in flight")
		} else {
			g.Return()
		}
	})
}

func TestTryAcquireWithoutRedis(t *testing.T) {
	t.Parallel()
	s := setupMini(t)
	b := s.budget(s.open(), Limits{})
	s.mini.Close()
	ctx, cancel := context.WithTimeout(s.ctx, 20*time.Second)
	defer cancel()
	if g := b.TryAcquire(ctx, s.org, Order); g != nil || ctx.Err() != nil {
		t.Errorf("grant %v, %v", g, ctx.Err())
	}
}

func TestWhoComesAfterARefusalAsksAnew(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	p := l.replica(Limits{PerWindow: 100}).p
	refusal := asked{reason: pausePrefix + ReasonRate, wait: 2 * time.Second, received: time.Now()}
	if until := p.distribute(question{}, refusal); !until.IsZero() {
		t.Errorf("nobody waits, and yet nothing is asked until %s", until)
	}
	p.running = true // nobody asks by itself
	p.enqueue(&waiter{ctx: t.Context(), class: Order, result: make(chan verdict, 1)})
	if until := p.distribute(question{}, refusal); time.Until(until) < time.Second {
		t.Errorf("who waits knows already, and is asked for before %s", until)
	}
	p.running = false
}
