package redis

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestLostAnswersAreRecognised(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s *bundle) {
		p := s.proxy()
		d := &desk{bundle: s}
		d.claims, d.epoch = s.claimsOn(s.openAt(p.addr()))
		lose := func(what string, call func()) {
			t.Helper()
			before := p.lost.Load()
			p.loseNext(2, d.org)
			call()
			if p.lost.Load() == before {
				t.Fatalf("%s: no answer was lost", what)
			}
			p.lose.Store(0)
		}
		req := d.request(order1, "a", "t/0/1", 1)
		lose("Claim", func() { d.claim(req, Claimed) })
		lose("Sending", func() { d.sending(req, "post", "s") })
		lose("Renew", func() {
			if err := d.claims.Renew(d.ctx, handle(req)); err != nil {
				t.Fatal(err)
			}
		})
		lose("Finish", func() { d.finish(req, FinishRequest{State: StateDone, Outcome: []byte("x")}) })
		first := d.request(order2, "b", "t/0/4", 1)
		first.Step, first.Steps = "post", []byte("s")
		lose("Claim that marks", func() {
			if a := d.claim(first, Claimed); !a.Marked || a.Entry.State != StateNone {
				t.Errorf("answer %+v", a)
			}
		})
		d.finish(first, FinishRequest{State: StateDone, Outcome: []byte("x")})
		pay := d.request(payment1, "p", "t/0/2", 0)
		pay.Needs, pay.Announce = []Ref{order1}, []string{"O1"}
		lose("Claim with needs", func() { d.claim(pay, Claimed) })
		lose("Release", func() { d.release(pay) })
		lose("Claim again", func() { d.claim(d.request(payment2, "q", "t/0/3", 0), Claimed) })
	})
}

func TestClaimTellsWhenRedisIsAway(t *testing.T) {
	t.Parallel()
	s := setupMini(t)
	d := s.desk()
	s.mini.Close()
	ctx, cancel := context.WithTimeout(d.ctx, 5*time.Second)
	defer cancel()
	if _, err := d.claims.Claim(ctx, d.request(order1, "a", "t/0/1", 1)); err == nil || errors.Is(err, ErrLost) || errors.Is(err, ErrEpochChanged) {
		t.Errorf("Claim: %v", err)
	}
}

func TestScriptsAreLoadedAgainAfterARestart(t *testing.T) {
	t.Parallel()
	s := setupMini(t)
	d := s.desk()
	if err := d.claims.c.rdb.ScriptFlush(d.ctx).Err(); err != nil {
		t.Fatal(err)
	}
	req := d.request(order1, "a", "t/0/1", 1)
	d.claim(req, Claimed)
	d.finish(req, FinishRequest{State: StateDone})
}

func TestACommandThatLayAboutChangesNothing(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s *bundle) {
		d := s.desk()
		req := d.request(order1, "a", "t/0/1", 1)
		d.claim(req, Claimed)
		early := d.claims.c.nextMark()
		d.sending(req, "first", "1")
		if err := d.claims.Answered(d.ctx, handle(req), []byte("1 done")); err != nil {
			t.Fatal(err)
		}
		d.sending(req, "second", "2")
		k := keysOf(d.org)
		for _, step := range []string{"first", ""} {
			v, err := d.claims.c.run(d.ctx, sendingScript, []string{k.epoch(), k.claim(order1), k.claim(order1)},
				d.epoch, d.claims.c.seen(d.org, d.epoch), "a", 60000, step, "1", "stale", 100000, early, 1000)
			if err != nil || !errors.Is(verdictOf(v), ErrLost) {
				t.Errorf("step %q: %v %v", step, v, err)
			}
		}
		if e := d.entry(order1); e.Step != "second" || string(e.Steps) != "2" || e.State != StateSending {
			t.Errorf("entry %+v", e)
		}
	})
}

func TestWakes(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s *bundle) {
		d := s.desk()
		other := s.desk()
		wakes, stop, err := other.claims.Wakes(d.ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
		next := func(want string) {
			t.Helper()
			for {
				select {
				case got := <-wakes:
					if got == want {
						return
					}
					if strings.HasPrefix(got, d.org+"/") { // others' are heard, too
						t.Fatalf("wake-up %s, want %s", got, want)
					}
				case <-d.ctx.Done():
					t.Fatalf("no wake-up %s", want)
				}
			}
		}
		pay := d.request(payment1, "p", "t/0/1", 0)
		pay.Needs = []Ref{order1}
		d.claim(pay, Waiting)
		// Who gives an order back unfinished wakes those who want it, not those who wait for it to be settled: they stay registered.
		held := d.request(order1, "h", "t/0/9", 1)
		d.claim(held, Claimed)
		d.claim(d.request(order1, "i", "t/0/8", 1), Busy)
		d.claim(pay, Waiting)
		d.release(held)
		next(d.org + "/free/order/O1")
		d.settle(order1, "a", "t/0/2", 1, StateDone)
		next(d.org + "/order/O1")

		d.claim(pay, Claimed)
		d.claim(d.request(payment2, "q", "t/0/3", 0), Busy)
		d.release(pay)
		next(d.org + "/free/order/O1")

		refund := d.request(refund1, "r", "t/0/4", 0)
		refund.Needs = []Ref{payment1}
		d.claim(refund, Waiting)
		d.claim(pay, Claimed)
		d.finish(pay, FinishRequest{State: StateRejected})
		next(d.org + "/order/O1") // whoever waited for it to be free may not have been the only one
		next(d.org + "/payment/P1")

		// A wake-up nobody hears is lost; the re-check finds what happened, and registers anew if it must.
		stop()
		if _, open := <-wakes; open {
			t.Error("the channel gives more after the end")
		}
		d.claim(refund, Waiting)
		replay := pay
		replay.Token, replay.Replay = "p2", true
		d.claim(replay, Claimed)
		d.finish(replay, FinishRequest{State: StateDone})
		d.claim(refund, Claimed)
	})
}

func TestWakesComeAgainAfterALostConnection(t *testing.T) {
	t.Parallel()
	s := setupMini(t)
	d := s.desk()
	p := s.proxy()
	other, err := NewClaims(s.openAt(p.addr()), ClaimsConfig{})
	if err != nil {
		t.Fatal(err)
	}
	wakes, stop, err := other.Wakes(d.ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	p.cut()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-wakes:
			return
		case <-tick.C: // waiting is registered anew until one wake-up arrives
			if err := d.claims.c.rdb.Publish(d.ctx, keysOf(d.org).wake(), order1.WakeKey(d.org)).Err(); err != nil {
				t.Fatal(err)
			}
		case <-d.ctx.Done():
			t.Fatal("no wake-up after the connection was lost")
		}
	}
}
