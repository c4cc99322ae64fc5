package redis

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestReportsAreKeptByReplicaAndForgottenLater(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s *bundle) {
		r := NewReports(s.open(), s.org)
		t.Cleanup(func() {
			c := s.plain()
			_ = c.rdb.Del(context.Background(), r.key).Err()
			_ = c.Close()
		})
		for _, replica := range []string{"b", "a", "b"} {
			if err := r.Put(s.ctx, replica, []byte("text of "+replica)); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.c.rdb.HSet(s.ctx, r.key, "dead", "1 long ago").Err(); err != nil {
			t.Fatal(err)
		}
		all, err := r.All(s.ctx)
		if err != nil || len(all) != 3 || all[0].Replica != "a" || string(all[1].Text) != "text of b" || all[1].Age > time.Minute || all[2].Age < forgetReports {
			t.Fatalf("%+v, %v", all, err)
		}
		if err := r.Remove(s.ctx, "a"); err != nil {
			t.Fatal(err)
		}
		if all, err := r.All(s.ctx); err != nil || len(all) != 1 || all[0].Replica != "b" {
			t.Errorf("%+v, %v", all, err)
		}
	})
}

func TestInDoubtFindsWritesThatNobodyWorksOn(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s *bundle) {
		c := s.open()
		claims, epoch := s.claimsOn(c)
		sending := func(ref Ref, mark bool) {
			t.Helper()
			req := ClaimRequest{Organization: s.org, Ref: ref, Token: ref.ID, Coordinates: "orders/0/7", Fingerprint: "f", EpochID: epoch}
			if _, err := claims.Claim(s.ctx, req); err != nil {
				t.Fatal(err)
			}
			if mark {
				if _, err := claims.Intend(s.ctx, Handle{Organization: s.org, Ref: ref, Token: ref.ID, EpochID: epoch}, "invoice", nil, nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		dead := Ref{RoleOrder, "O:1"}
		sending(dead, true)
		s.lapse(c, dead)
		sending(Ref{RoleOrder, "O2"}, true) // held: its attempt is at work
		sending(Ref{RolePayment, "P1"}, false)
		s.lapse(c, Ref{RolePayment, "P1"})
		var found []Doubtful
		looked := 0
		err := claims.InDoubt(s.ctx, s.org, func(n int) { looked += n }, func(d Doubtful) error {
			found = append(found, d)
			return nil
		})
		if err != nil || len(found) != 1 || looked != 3 {
			t.Fatalf("%d looked at, %+v, %v", looked, found, err)
		}
		if found[0].Since.IsZero() {
			t.Error("since when is not known")
		}
		found[0].Since = time.Time{}
		if diff := cmp.Diff(Doubtful{Ref: dead, Step: "invoice", Coordinates: "orders/0/7"}, found[0]); diff != "" {
			t.Error(diff)
		}
		enough := errors.New("enough")
		if err := claims.InDoubt(s.ctx, s.org, nil, func(Doubtful) error { return enough }); !errors.Is(err, enough) {
			t.Errorf("%v", err)
		}
	})
}

func TestTokenStateNeedsNoKey(t *testing.T) {
	t.Parallel()
	s := setupMini(t)
	c := s.open()
	if st, err := c.TokenState(s.ctx, s.org); err != nil || st != (TokenState{}) {
		t.Errorf("%+v, %v", st, err)
	}
	store, err := NewTokenStore(c, TokenStoreConfig{CurrentKey: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(store.Put(s.ctx, s.org, []byte("token"), time.Hour), store.SetRefusal(s.ctx, s.org, "invalid_code", time.Minute)); err != nil {
		t.Fatal(err)
	}
	if st, err := c.TokenState(s.ctx, s.org); err != nil || st.Refusal != "invalid_code" || st.Left < 59*time.Minute || st.Left > time.Hour {
		t.Errorf("%+v, %v", st, err)
	}
}
