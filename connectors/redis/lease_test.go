package redis

import (
	"testing"
	"time"

	"github.com/booksync/booksync/internal/testkit"
)

func TestLeaseHasOneOwnerUntilItLapses(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s *bundle) {
		c := s.open()
		take := func(owner string, want bool) {
			t.Helper()
			if got, err := c.Lease(s.ctx, s.org, "work", owner, time.Minute); err != nil || got != want {
				t.Errorf("%s: %v %v, want %v", owner, got, err, want)
			}
		}
		extend := func(owner string, want bool) {
			t.Helper()
			if got, err := c.Extend(s.ctx, s.org, "work", owner, 50*time.Millisecond); err != nil || got != want {
				t.Errorf("prolonging by %s: %v %v, want %v", owner, got, err, want)
			}
		}
		take("a", true)
		take("a", true) // its own repetition
		take("b", false)
		extend("b", false)
		if err := c.Unlease(s.ctx, s.org, "work", "b"); err != nil {
			t.Error(err)
		}
		take("b", false)
		extend("a", true)
		if s.mini != nil {
			s.mini.FastForward(time.Second)
		}
		testkit.Until(t, 10*time.Second, "the lease to lapse", func() bool {
			ok, err := c.Lease(s.ctx, s.org, "work", "b", time.Minute)
			return ok && err == nil
		})
		extend("a", false)
		if err := c.Unlease(s.ctx, s.org, "work", "b"); err != nil {
			t.Error(err)
		}
		take("a", true)
	})
}
