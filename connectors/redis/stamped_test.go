package redis

import (
	"testing"
	"time"
)

func TestAStampRisesWhereTheTagAgrees(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s *bundle) {
		c := s.open()
		want := func(what string, got Stamped, err error, tag string, stamp int64, value string) {
			t.Helper()
			if err != nil || got.Tag != tag || got.Stamp != stamp || string(got.Value) != value || value == "" && got.Value != nil {
				t.Errorf("%s: %+v, %v, want %q %d %q", what, got, err, tag, stamp, value)
			}
		}
		raise := func(what, tag string, stamp int64, wantTag string, wantStamp int64, value string) {
			t.Helper()
			got, err := c.Raise(s.ctx, s.org, "kind", "k", tag, stamp, time.Minute)
			want(what, got, err, wantTag, wantStamp, value)
		}
		raise("nothing is there", "a", 5, "", 0, "")
		if err := c.Store(s.ctx, s.org, "kind", "k", Stamped{"a", 5, []byte("v1"), 1}, time.Minute); err != nil {
			t.Fatal(err)
		}
		raise("later, the same", "a", 7, "a", 7, "v1")
		raise("earlier", "a", 6, "a", 7, "v1")
		raise("later, another", "b", 9, "a", 7, "v1")
		held, err := c.Hold(s.ctx, s.org, "kind", "k")
		want("held", held, err, "a", 7, "v1")
		raise("while it's held", "a", 8, "", 7, "v1")
		held, err = c.Hold(s.ctx, s.org, "kind", "k")
		want("held again", held, err, "", 7, "v1")
		if err := c.Store(s.ctx, s.org, "kind", "k", Stamped{"b", 3, []byte("v2"), 2}, time.Minute); err != nil {
			t.Fatal(err)
		}
		raise("a stamp does not fall", "b", 4, "b", 7, "v2")
		if err := c.Store(s.ctx, s.org, "kind", "k", Stamped{"a", 9, []byte("v1"), 1}, time.Minute); err != nil {
			t.Fatal(err)
		}
		raise("what comes late is not stored over it", "a", 10, "b", 7, "v2")
		if ttl, err := c.rdb.PTTL(s.ctx, keysOf(s.org).stamped("kind", "k")).Result(); err != nil || ttl <= 0 || ttl > time.Minute {
			t.Errorf("it lives for %s, %v", ttl, err)
		}
		if err := c.Store(s.ctx, s.org, "kind", "k", Stamped{}, 0); err != nil {
			t.Fatal(err)
		}
		held, err = c.Hold(s.ctx, s.org, "kind", "k")
		want("removed", held, err, "", 0, "")
		raise("holding makes no entry", "", 1, "", 0, "")
	})
}
