package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/internal/operator/trace"
	"github.com/booksync/booksync/internal/testkit"
)

func (s *services) trace(t *testing.T, args ...string) *trace.Trace {
	t.Helper()
	r := s.run(t, "", append([]string{"trace", "--json"}, args...)...)
	var got trace.Trace
	if err := json.Unmarshal([]byte(r.stdout), &got); err != nil || r.code != 0 {
		t.Fatalf("%v: exit %d\n%s\n%s", err, r.code, r.stdout, r.stderr)
	}
	return &got
}

func kinds(t *trace.Trace) string {
	var out []string
	for _, e := range t.Entries {
		out = append(out, e.Kind+" "+e.Workflow)
	}
	return strings.Join(out, ", ")
}

// TestTraceFindsTheSameByEveryID: whatever the id is, it leads to the whole story of its order, and to no other's.
func TestTraceFindsTheSameByEveryID(t *testing.T) {
	t.Parallel()
	s := prepared(t)
	s.run(t, "", "pause", "--workflow", "payment", "--reason", "waiting for the mapping", "--actor", "ann")
	stop := s.start(t)
	other := strings.ReplaceAll(strings.ReplaceAll(orderJSON, `"O1"`, `"O2"`), `"e1"`, `"other-event"`)
	if other == orderJSON {
		t.Fatal("the other order is the same one")
	}
	s.produce(t, "orders", other)
	s.produce(t, "orders", orderJSON)
	s.produce(t, "payments", paymentJSON)
	s.produce(t, "refunds", refundJSON)
	poison := &kgo.Record{Topic: s.topic("commerce.payments"), Key: []byte("O1"), Value: []byte("no avro")}
	testkit.Produce(t, s.kafka.Addrs, poison)
	s.outcomes(t, 2)
	if r := s.run(t, "", "resume", "--all", "--actor", "ben"); r.code != 0 {
		t.Fatalf("%+v", r)
	}
	s.outcomes(t, 5)
	stop()

	want := s.trace(t, "O1")
	if !slices.Equal(want.Orders, []string{"O1"}) || len(want.Claims) != 3 || len(want.Documents) < 3 {
		t.Errorf("%v, claims %+v, documents %+v", want.Orders, want.Claims, want.Documents)
	}
	for _, part := range []string{"event order", "event payment", "event refund", "outcome order", "outcome payment", "outcome refund", "dead_letter payment", "action payment", "action "} {
		if !strings.Contains(kinds(want), part) {
			t.Errorf("no %q in %s", part, kinds(want))
		}
	}
	if !slices.IsSortedFunc(want.Entries, func(a, b trace.Entry) int { return a.At.Compare(b.At) }) {
		t.Error("the records are not in time order")
	}
	for _, c := range want.Claims {
		if c.State != "done" || c.Record == "" {
			t.Errorf("%+v", c)
		}
	}
	ids := []string{"P1", "R1", s.topic("commerce.payments/0/0")}
	for _, e := range want.Entries {
		ids = append(ids, e.EventID, e.OutcomeID, e.TraceID)
	}
	for _, d := range want.Documents {
		ids = append(ids, d.ID, d.Number)
	}
	slices.Sort(ids)
	ids = slices.DeleteFunc(slices.Compact(ids), func(id string) bool { return id == "" })
	if len(ids) < 12 {
		t.Fatalf("only %v", ids)
	}
	for _, id := range ids {
		if got := s.trace(t, id); kinds(got) != kinds(want) || len(got.Claims) != len(want.Claims) || len(got.Documents) != len(want.Documents) {
			t.Errorf("%s: %s\nwant %s", id, kinds(got), kinds(want))
		}
	}

	r := s.run(t, "", "trace", "O1")
	for _, line := range []string{"RECORDS", "CLAIMS", "DOCUMENTS", "by ann: pause workflow payment: waiting for the mapping", "POSTED", "poison."} {
		if !strings.Contains(r.stdout, line) {
			t.Errorf("%q is not in\n%s", line, r.stdout)
		}
	}
	if r := s.run(t, "", "trace", "nobody"); r.code != 1 || !strings.Contains(r.stderr, "nothing with the id nobody") {
		t.Errorf("an id that is not there: %+v", r)
	}
	if r := s.run(t, "", "trace", "O1", "--set", "redis.addresses=127.0.0.1:1"); r.code != 3 || !strings.Contains(r.stdout, "POSTED") || !strings.Contains(r.stderr, "the claims are left out") {
		t.Errorf("without Redis: %+v", r)
	}
	if got := s.trace(t, "O1", "--most", "2"); len(got.Entries) != 2 || !got.Truncated {
		t.Errorf("the most: %+v", got)
	}
}

func TestTraceFindsWhatIsNotSettledYet(t *testing.T) {
	t.Parallel()
	s := prepared(t)
	s.produce(t, "orders", orderJSON)
	s.produce(t, "payments", paymentJSON)
	if got := s.trace(t, "P1"); kinds(got) != "event order, event payment" || len(got.Claims) != 0 {
		t.Errorf("%s %+v", kinds(got), got.Claims)
	}
	if r := s.run(t, "", "trace", "P1", "--since", "0h"); r.code != 1 {
		t.Errorf("everything is older: %+v", r)
	}
}

func TestSinceIsALengthOfTimeADayOrAnInstant(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"48h": now.Add(-48 * time.Hour), "10d": now.AddDate(0, 0, -10), "2026-03-01": time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
		"2026-03-01T10:00:00+01:00": time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC), "-1h": {}, "yesterday": {}, "d": {},
	} {
		got, err := instant(text, now)
		if !got.Equal(want) || (err != nil) != want.IsZero() {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
}
