package control

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/booksync/booksync/connectors/redis"
	"github.com/booksync/booksync/internal/testkit"
)

var (
	ann      = Owner{Name: People, Actor: "ann"}
	ben      = Owner{Name: People, Actor: "ben"}
	rollback = Owner{Name: "rollback:7QX2", Actor: "ann"}
)

func setup(t *testing.T) *redis.Switches {
	t.Helper()
	addr, _ := testkit.Redis(t)
	c, err := redis.Open(t.Context(), redis.Config{Addresses: []string{addr}, SkipServerCheck: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	s := redis.NewSwitches(c, testkit.Name(t, "group"))
	return s
}

func pause(t *testing.T, s Store, scope Scope, owner Owner) Paused {
	t.Helper()
	p, err := Pause(t.Context(), s, scope, "why", owner)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPauseNeedsOwnerReasonAndAKnownWorkflow(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for name, try := range map[string]func() error{
		"owner":    func() error { _, err := Pause(t.Context(), s, Scope{}, "why", Owner{Actor: "ann"}); return err },
		"reason":   func() error { _, err := Pause(t.Context(), s, Scope{}, "", ann); return err },
		"workflow": func() error { _, err := Pause(t.Context(), s, Scope{Workflow: "orders"}, "why", ann); return err },
		"resume":   func() error { _, err := Resume(t.Context(), s, Scope{Workflow: "orders"}, ann, true); return err },
	} {
		if try() == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if all, err := List(t.Context(), s); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
}

func TestPeopleLiftEachOthersPauses(t *testing.T) {
	t.Parallel()
	s := setup(t)
	p := pause(t, s, Scope{Organization: "acme", Workflow: "refund"}, ann)
	got, err := Resume(t.Context(), s, p.Scope, ben, false)
	if diff := cmp.Diff(Resumed{Lifted: []Paused{p}}, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	if got, err := Resume(t.Context(), s, p.Scope, ben, false); err != nil || len(got.Lifted)+len(got.Remaining) != 0 {
		t.Errorf("of what is not paused: %+v, %v", got, err)
	}
}

func TestARollbacksPauseIsItsOwn(t *testing.T) {
	t.Parallel()
	s := setup(t)
	orders := Scope{Workflow: "order"}
	own := pause(t, s, orders, rollback)
	got, err := Resume(t.Context(), s, orders, ann, false)
	if !errors.Is(err, ErrNotYours) || len(got.Lifted) != 0 || !cmp.Equal(got.Remaining, []Paused{own}) {
		t.Fatalf("%+v, %v", got, err)
	}
	if _, err := ResumeAll(t.Context(), s, ann, false); !errors.Is(err, ErrNotYours) {
		t.Errorf("all: %v", err)
	}
	byHand := pause(t, s, orders, ann)
	got, err = Resume(t.Context(), s, orders, ann, false)
	if diff := cmp.Diff(Resumed{Lifted: []Paused{byHand}, Remaining: []Paused{own}}, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	if got, err := Resume(t.Context(), s, orders, rollback, false); err != nil || len(got.Lifted) != 1 || len(got.Remaining) != 0 {
		t.Errorf("its own: %+v, %v", got, err)
	}
	pause(t, s, orders, rollback)
	if got, err := Resume(t.Context(), s, orders, ann, true); err != nil || len(got.Lifted) != 1 {
		t.Errorf("forced: %+v, %v", got, err)
	}
}

func TestResumeLiftsExactlyItsScopeAndNamesWhatStillHolds(t *testing.T) {
	t.Parallel()
	s := setup(t)
	everything := pause(t, s, Scope{}, ann)
	one := pause(t, s, Scope{Organization: "acme", Workflow: "order"}, ann)
	pause(t, s, Scope{Workflow: "refund"}, ann)
	acme := pause(t, s, Scope{Organization: "acme"}, ann)
	got, err := Resume(t.Context(), s, acme.Scope, ann, false)
	if err != nil || !cmp.Equal(got.Lifted, []Paused{acme}) {
		t.Errorf("%+v, %v", got, err)
	}
	want := []Scope{everything.Scope, one.Scope, {Workflow: "refund"}}
	var remaining []Scope
	for _, p := range got.Remaining {
		remaining = append(remaining, p.Scope)
	}
	if diff := cmp.Diff(want, remaining, cmpopts.SortSlices(func(a, b Scope) bool { return a.String() < b.String() })); diff != "" {
		t.Error(diff)
	}
	all, err := List(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if got := Holding(all, Scope{Organization: "acme", Workflow: "order"}); len(got) != 2 {
		t.Errorf("acme's orders are held by %+v", got)
	}
	if got := Holding(all, Scope{Organization: "other", Workflow: "order"}); len(got) != 1 || got[0].Scope != (Scope{}) {
		t.Errorf("another's orders are held by %+v", got)
	}
	if got, err := ResumeAll(t.Context(), s, ben, false); err != nil || len(got.Lifted) != 3 || len(got.Remaining) != 0 {
		t.Errorf("all: %+v, %v", got, err)
	}
}
