package main

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/booksync/booksync/internal/operator/status"
	"github.com/booksync/booksync/internal/testkit"
)

// with is the services with more in the environment.
func (s *services) with(environ ...string) *services {
	c := *s
	c.environ = append(slices.Clone(s.environ), environ...)
	return &c
}

func (s *services) status(t *testing.T, args ...string) *status.Status {
	t.Helper()
	r := s.run(t, "", append([]string{"status", "--json"}, args...)...)
	var got status.Status
	if err := json.Unmarshal([]byte(r.stdout), &got); err != nil || r.code != 0 {
		t.Fatalf("%v: exit %d\n%s\n%s", err, r.code, r.stdout, r.stderr)
	}
	return &got
}

func states(s *status.Status) map[string]string {
	out := map[string]string{}
	for _, w := range s.Workflows {
		out[w.Workflow] = w.State
	}
	return out
}

func TestStatusWorksWhileNothingRuns(t *testing.T) {
	t.Parallel()
	s := prepared(t)
	s.produce(t, "orders", orderJSON)
	s.run(t, "", "pause", "--workflow", "refund", "--reason", "year's end", "--actor", "ann")
	got := s.with("BOOKSYNC_ORGANIZATIONS_DEMO_WORKFLOWS_REFUND=off").status(t, "--in-doubt")
	if want := map[string]string{"order": "on", "payment": "on", "refund": "paused"}; !maps.Equal(states(got), want) || len(got.Replicas) != 0 {
		t.Errorf("%v %+v", states(got), got.Replicas)
	}
	if p := got.Topics[0]; len(got.Topics) != 3 || p.Topic != s.topic("commerce.orders") || p.Position != -1 || p.Lag != 1 || p.Oldest.IsZero() || p.Owner != "" {
		t.Errorf("%+v", got.Topics)
	}
	if o := got.Organizations[0]; o.Circuit != "unknown" || o.ConfigHash == "" || o.Budget == nil || o.Reconciled != nil || got.InDoubt == nil || got.InDoubt.Count != 0 {
		t.Errorf("%+v %+v", o, got.InDoubt)
	}
	r := s.run(t, "", "status")
	for _, want := range []string{"none runs", "demo          refund    paused  ", "ann  year's end", "nobody reads it", "reconciled        never"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("%q is not in\n%s", want, r.stdout)
		}
	}
}

func TestStatusShowsWhatTheReplicasReport(t *testing.T) {
	t.Parallel()
	s := prepared(t)
	s.run(t, "", "pause", "--workflow", "order", "--reason", "x")
	stop := s.start(t, "--set", "claims.recheck=10s")
	s.produce(t, "orders", orderJSON)
	s.produce(t, "payments", paymentJSON)
	var got *status.Status
	testkit.Until(t, 30*time.Second, "a report of the parked records", func() bool {
		got = s.status(t)
		return got.Parked["paused"] == 1 && got.Parked["dependency"] == 1
	})
	if r := got.Replicas; len(r) != 1 || r[0].Silent || r[0].NotReady != "" || len(r[0].Partitions) != 3 {
		t.Errorf("%+v", r)
	}
	if p := got.Topics[0]; p.Lag != 1 || p.Parked != 1 || p.Open != 1 || p.Owner == "" || p.AgeSeconds < 0 {
		t.Errorf("%+v", p)
	}
	if o := got.Organizations[0]; o.Circuit != "closed" || o.TokenUntil.IsZero() || o.Mixed {
		t.Errorf("%+v", o)
	}
	if other := s.with("BOOKSYNC_ORGANIZATIONS_DEMO_WORKFLOWS_REFUND=off", "BOOKSYNC_ORGANIZATIONS_DEMO_TOLERANCE=7").status(t); !other.Organizations[0].Mixed || !other.Workflows[2].Differs || other.Workflows[2].State != "on" {
		t.Errorf("another configuration: %+v %+v", other.Organizations[0], other.Workflows)
	}
	if r := s.run(t, "", "status"); !strings.Contains(r.stdout, "consuming") || !strings.Contains(r.stdout, "1        paused: the end of a pause") {
		t.Errorf("exit %d\n%s", r.code, r.stdout)
	}
	stop()
	if got := s.status(t); len(got.Replicas) != 0 {
		t.Errorf("after it stopped: %+v", got.Replicas)
	}
}

func TestStatusSaysWhatItCouldNotAsk(t *testing.T) {
	t.Parallel()
	s := startServices(t, false)
	r := s.run(t, "", "status", "--set", "redis.addresses=127.0.0.1:1")
	if r.code != 3 || !strings.Contains(r.stdout, "not known: ") || !strings.Contains(r.stdout, "commerce.orders") || !strings.Contains(r.stderr, "connecting to Redis") {
		t.Errorf("exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
}
