package redis

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func (s *bundle) switches() *Switches {
	s.t.Helper()
	sw := NewSwitches(s.open(), "{"+s.org+"}[*?")
	s.t.Cleanup(func() {
		c := s.plain()
		_ = c.rdb.Del(context.Background(), sw.key).Err()
		_ = c.Close()
	})
	return sw
}

func (s *bundle) until(what string, cond func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !cond(); {
		if time.Now().After(deadline) {
			s.t.Fatalf("waited too long for %s", what)
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-s.ctx.Done():
		}
	}
}

func TestSwitchesAreKeptByScopeAndOwner(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s *bundle) {
		sw := s.switches()
		first, err := sw.Set(s.ctx, Switch{Workflow: "order", Owner: "people", Actor: "ann", Reason: "one [\"two\"] three"})
		if err != nil || first.Since.IsZero() {
			t.Fatalf("%+v, %v", first, err)
		}
		if _, err := sw.Set(s.ctx, Switch{Workflow: "order", Owner: "rollback:1", Actor: "ben"}); err != nil {
			t.Fatal(err)
		}
		again, err := sw.Set(s.ctx, Switch{Workflow: "order", Owner: "people", Actor: "cleo", Reason: "more"})
		if err != nil || !again.Since.Equal(first.Since) || again.Actor != "cleo" || again.Reason != "more" {
			t.Errorf("set again: %+v, %v", again, err)
		}
		if _, err := sw.Set(s.ctx, Switch{Workflow: "order"}); err == nil {
			t.Error("a switch without an owner was set")
		}
		if n, err := sw.Clear(s.ctx, Switch{Workflow: "order", Owner: "people"}, Switch{Organization: "acme", Owner: "people"}); err != nil || n != 1 {
			t.Errorf("cleared %d, %v", n, err)
		}
		all, err := sw.List(s.ctx)
		if err != nil || len(all) != 1 || all[0].Owner != "rollback:1" {
			t.Errorf("%+v, %v", all, err)
		}
	})
}

func TestASwitchIsSeenByOthersAtOnce(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s *bundle) {
		sw := s.switches()
		other := &Switches{c: s.open(), key: sw.key, channel: sw.channel}
		var changes atomic.Int64
		watch, err := other.Watch(s.ctx, func() { changes.Add(1) })
		if err != nil {
			t.Fatal(err)
		}
		defer watch.Stop()
		if watch.Paused("acme", "order") {
			t.Error("paused before anything was")
		}
		set, err := sw.Set(s.ctx, Switch{Organization: "acme", Owner: "people"})
		if err != nil {
			t.Fatal(err)
		}
		s.until("the switch to be seen", func() bool { return watch.Paused("acme", "order") })
		if watch.Paused("", "order") || watch.Paused("other", "order") {
			t.Error("an organisation's switch concerns others")
		}
		if diff := cmp.Diff([]Switch{set}, watch.Known()); diff != "" {
			t.Error(diff)
		}
		if _, err := sw.Clear(s.ctx, set); err != nil {
			t.Fatal(err)
		}
		s.until("the switch to be gone", func() bool { return !watch.Paused("acme", "order") })
		s.until("two changes to be told", func() bool { return changes.Load() >= 2 })
	})
}

func TestSwitchesThatRedisForgotArePutBackOnce(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s *bundle) {
		sw := s.switches()
		var watches []*SwitchWatch
		for range 2 {
			w, err := (&Switches{c: s.open(), key: sw.key, channel: sw.channel}).Watch(s.ctx, func() {})
			if err != nil {
				t.Fatal(err)
			}
			defer w.Stop()
			watches = append(watches, w)
		}
		set, err := sw.Set(s.ctx, Switch{Owner: "people", Reason: "why"})
		if err != nil {
			t.Fatal(err)
		}
		s.until("both to know", func() bool { return watches[0].Paused("", "") && watches[1].Paused("", "") })
		if err := sw.c.rdb.Del(s.ctx, sw.key).Err(); err != nil {
			t.Fatal(err)
		}
		s.until("it to be put back", func() bool {
			all, err := sw.List(s.ctx)
			return err == nil && cmp.Equal(all, []Switch{set})
		})
		if !watches[0].Paused("", "") || !watches[1].Paused("", "") {
			t.Error("the pause was interrupted")
		}
		if _, err := sw.Clear(s.ctx, set); err != nil {
			t.Fatal(err)
		}
		s.until("both to know that it's over", func() bool { return !watches[0].Paused("", "") && !watches[1].Paused("", "") })
	})
}

func TestWhatAWatchKnowsHoldsWhileRedisIsAway(t *testing.T) {
	t.Parallel()
	s := setupMini(t)
	sw := s.switches()
	if _, err := sw.Set(s.ctx, Switch{Workflow: "refund", Owner: "people"}); err != nil {
		t.Fatal(err)
	}
	watch, err := (&Switches{c: s.open(), key: sw.key, channel: sw.channel}).Watch(s.ctx, func() {})
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Stop()
	s.mini.SetError("LOADING away")
	s.until("it to be old", func() bool {
		ctx, cancel := context.WithTimeout(s.ctx, 100*time.Millisecond)
		defer cancel()
		return watch.Fresh(ctx) != nil
	})
	if !watch.Paused("any", "refund") || watch.Paused("any", "order") {
		t.Errorf("%+v", watch.Known())
	}
	s.mini.SetError("")
	s.until("it to be fresh again", func() bool { return watch.Fresh(s.ctx) == nil })
}
