package redis

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/booksync/booksync/internal/testkit"
)

func TestEpoch(t *testing.T) {
	t.Parallel()
	ends := map[string]map[int32]int64{"orders": {0: 10, 1: 7}}
	tests := map[string]func(t *testing.T, s *bundle, a, b *Client){
		"the first start is no loss, and all replicas read the same": func(t *testing.T, s *bundle, a, b *Client) {
			one, err := a.Epoch(s.ctx, s.org, EpochFacts{Ends: ends})
			if err != nil {
				t.Fatal(err)
			}
			two, err := b.Epoch(s.ctx, s.org, EpochFacts{HasCommits: true})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(one, two); diff != "" || one.Loss || one.ID == "" || one.InDoubt("orders", 0, 1) {
				t.Errorf("%+v %+v", one, two)
			}
		},
		"absent although the group has commits is a loss": func(t *testing.T, s *bundle, a, b *Client) {
			if _, err := a.Epoch(s.ctx, s.org, EpochFacts{HasCommits: true, Ends: ends}); err != nil {
				t.Fatal(err)
			}
			e, err := b.Epoch(s.ctx, s.org, EpochFacts{})
			if err != nil {
				t.Fatal(err)
			}
			if !e.Loss || !cmp.Equal(e.Ends, ends) || !e.InDoubt("orders", 0, 9) || e.InDoubt("orders", 0, 10) || !e.InDoubt("payments", 0, 99) {
				t.Errorf("%+v", e)
			}
		},
		"who remembers an epoch makes a new one a loss, also against a first start": func(t *testing.T, s *bundle, a, b *Client) {
			if _, err := a.Epoch(s.ctx, s.org, EpochFacts{}); err != nil {
				t.Fatal(err)
			}
			s.empty()
			innocent, err := b.Epoch(s.ctx, s.org, EpochFacts{})
			if err != nil || innocent.Loss {
				t.Fatalf("%+v %v", innocent, err)
			}
			knowing, err := a.Epoch(s.ctx, s.org, EpochFacts{Ends: ends})
			if err != nil || !knowing.Loss || knowing.ID == innocent.ID {
				t.Fatalf("%+v %v", knowing, err)
			}
			claims, err := NewClaims(b, ClaimsConfig{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := claims.Claim(s.ctx, ClaimRequest{Organization: s.org, Ref: order1, Token: "t", EpochID: innocent.ID}); !errors.Is(err, ErrEpochChanged) {
				t.Errorf("Claim: %v, want ErrEpochChanged", err)
			}
			again, err := b.Epoch(s.ctx, s.org, EpochFacts{})
			if err != nil || cmp.Diff(knowing, again) != "" {
				t.Errorf("%+v %v", again, err)
			}
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onServers(t, func(t *testing.T, s *bundle) { test(t, s, s.open(), s.open()) })
		})
	}
}

func TestEpochIsWrittenOnceByManyReplicas(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s *bundle) {
		var wg sync.WaitGroup
		ids := make([]string, 8)
		for i := range ids {
			c := s.open()
			wg.Go(func() {
				e, err := c.Epoch(s.ctx, s.org, EpochFacts{})
				if err != nil {
					t.Error(err)
				}
				ids[i] = e.ID
			})
		}
		wg.Wait()
		for _, id := range ids {
			if id != ids[0] {
				t.Fatalf("different epochs: %v", ids)
			}
		}
	})
}

func TestRedisEmptiedInTheMiddle(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s *bundle) {
		d := s.desk()
		req := d.request(order1, "a", "t/0/1", 1)
		d.claim(req, Claimed)
		d.sending(req, "post", "")
		s.empty()
		_, errClaim := d.claims.Claim(d.ctx, d.request(order2, "b", "t/0/2", 1))
		_, errSending := d.claims.Sending(d.ctx, handle(req), "post", nil)
		for what, err := range map[string]error{
			"Claim":   errClaim,
			"Sending": errSending,
			"Renew":   d.claims.Renew(d.ctx, handle(req)),
			"Release": d.claims.Release(d.ctx, handle(req)),
			"Finish":  d.claims.Finish(d.ctx, handle(req), FinishRequest{State: StateDone}),
		} {
			if !errors.Is(err, ErrEpochChanged) {
				t.Errorf("%s: %v, want ErrEpochChanged", what, err)
			}
		}
		if _, found, err := d.claims.c.CurrentEpoch(d.ctx, d.org); err != nil || found {
			t.Fatalf("an epoch appeared: %v", err)
		}
		e, err := d.claims.c.Epoch(d.ctx, d.org, EpochFacts{})
		if err != nil || !e.Loss {
			t.Fatalf("%+v %v", e, err)
		}
		d.epoch = e.ID
		req.EpochID = e.ID
		d.claim(req, Claimed)
		d.finish(req, FinishRequest{State: StateDone})
	})
}

func TestRedisThatLostItsLastWritesEndsTheEpoch(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s *bundle) {
		d := s.desk()
		for _, token := range []string{"a", "b", "c"} {
			d.release(func() ClaimRequest { r := d.request(order1, token, "t/0/1", 1); d.claim(r, Claimed); return r }())
		}
		// What a failover to a replica that lagged behind does.
		if err := d.claims.c.rdb.HSet(d.ctx, keysOf(d.org).epoch(), changesField(d.claims.c.counter, d.epoch), 2).Err(); err != nil {
			t.Fatal(err)
		}
		// Others lost nothing and go on.
		other := s.desk()
		other.org, other.epoch = d.org, d.epoch
		for range 5 {
			r := other.request(order2, "o", "t/0/2", 1)
			other.claim(r, Claimed)
			other.release(r)
		}
		if _, err := d.claims.Claim(d.ctx, d.request(order1, "d", "t/0/1", 1)); !errors.Is(err, ErrEpochChanged) {
			t.Fatalf("Claim: %v, want ErrEpochChanged", err)
		}
		if e, err := d.claims.c.Epoch(d.ctx, d.org, EpochFacts{}); err != nil || !e.Loss || e.ID == d.epoch {
			t.Errorf("%+v %v", e, err)
		}
	})
}

// What is on its way while Redis fails over names a count from before what was lost, and would make it up.
func TestCommandsOnTheirWayDoNotMakeUpWhatWasLost(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s *bundle) {
		d := s.desk()
		one, two := d.request(order1, "a", "t/0/1", 1), d.request(order2, "b", "t/0/2", 1)
		one.Orders, two.Orders = nil, nil
		d.claim(one, Claimed)
		d.claim(two, Claimed)
		_, before := d.claims.c.Changes(d.org, d.epoch)

		pipes := d.claims.c.pipes
		pipes.mu.Lock()
		pipes.flights = maxFlights // so that what comes gathers
		pipes.mu.Unlock()
		renewed := make(chan error)
		for _, req := range []ClaimRequest{one, two} {
			go func() { renewed <- d.claims.Renew(d.ctx, handle(req)) }()
		}
		var onTheirWay []*queued
		testkit.Until(t, time.Minute, "both commands to be on their way", func() bool {
			pipes.mu.Lock()
			defer pipes.mu.Unlock()
			if len(pipes.queue) < 2 {
				return false
			}
			onTheirWay, pipes.flights = pipes.take(), 0
			return true
		})

		three := d.request(payment1, "c", "t/0/3", 1)
		three.Orders = nil
		d.claim(three, Claimed)
		d.finish(three, FinishRequest{State: StateDone})
		k := keysOf(d.org)
		if err := d.claims.c.rdb.HSet(d.ctx, k.epoch(), changesField(d.claims.c.counter, d.epoch), before).Err(); err != nil {
			t.Fatal(err)
		}
		if err := d.claims.c.rdb.Del(d.ctx, k.claim(payment1)).Err(); err != nil {
			t.Fatal(err)
		}
		pipes.send(onTheirWay)
		for range 2 {
			if err := <-renewed; !errors.Is(err, ErrEpochChanged) {
				t.Errorf("Renew: %v, want ErrEpochChanged", err)
			}
		}
		three.Token = "d"
		if _, err := d.claims.Claim(d.ctx, three); !errors.Is(err, ErrEpochChanged) {
			t.Errorf("Claim: %v, want ErrEpochChanged", err)
		}
		if e, err := d.claims.c.Epoch(d.ctx, d.org, EpochFacts{}); err != nil || !e.Loss || e.ID == d.epoch {
			t.Errorf("%+v %v", e, err)
		}
	})
}

func TestANumberIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	var a answered
	for i, tt := range []struct {
		n    int64
		want bool
	}{
		{1, true}, {1, false}, {3, true}, {2, true}, {2, false}, {3, false}, {64, true}, {65, true}, {65, false},
		{answeredWindow + 1, true}, {1, false}, {66, true}, {66, false}, {answeredWindow + 65, true}, {65, false}, {67, true},
		{5 * answeredWindow, true}, {5*answeredWindow - 1, true}, {5*answeredWindow - 1, false}, {4 * answeredWindow, false}, {4*answeredWindow + 1, true},
	} {
		if got := a.add(tt.n); got != tt.want {
			t.Errorf("%d: %d is new: %v", i, tt.n, got)
		}
	}
}

// Who wrote last may die in the moment when Redis loses it: others know by what it had told them.
func TestOthersNoticeWhatTheDeadHaveLost(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s *bundle) {
		dead, d := s.desk(), s.desk()
		d.org, d.epoch = dead.org, dead.epoch
		for _, token := range []string{"a", "b", "c"} {
			r := dead.request(order1, token, "t/0/1", 1)
			dead.claim(r, Claimed)
			dead.release(r)
		}
		client, number := dead.claims.c.Changes(d.org, d.epoch)
		if number < 6 {
			t.Fatalf("%s made %d changes, want 6", client, number)
		}
		if there, err := d.claims.c.Witness(d.ctx, d.org, d.epoch, client, number); err != nil || !there {
			t.Fatalf("all is there: %v %v", there, err)
		}
		if err := d.claims.c.rdb.HSet(d.ctx, keysOf(d.org).epoch(), changesField(client, d.epoch), number-1).Err(); err != nil {
			t.Fatal(err)
		}
		d.claim(d.request(order2, "d", "t/0/2", 1), Claimed) // nothing of its own was lost
		if there, err := d.claims.c.Witness(d.ctx, d.org, d.epoch, client, number); err != nil || there {
			t.Fatalf("one change is gone: %v %v", there, err)
		}
		if _, err := d.claims.Claim(d.ctx, d.request(order1, "e", "t/0/1", 1)); !errors.Is(err, ErrEpochChanged) {
			t.Fatalf("Claim: %v, want ErrEpochChanged", err)
		}
	})
}
