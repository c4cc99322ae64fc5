package main

import (
	"context"
	"testing"
	"time"

	"github.com/booksync/booksync/internal/testkit"
	"github.com/booksync/booksync/schemas"
)

// TestRunPostsWhatWasProduced goes the whole way by commands alone: setup, produce, run, stop.
func TestRunPostsWhatWasProduced(t *testing.T) {
	t.Parallel()
	s := startServices(t, true)
	testkit.CreateTopics(t, s.kafka.Addrs, 1, nil, "commerce.orders", "commerce.payments", "commerce.refunds")
	if r := s.run(t, "", "setup", "--apply"); r.code != 0 {
		t.Fatalf("setup: exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
	for kind, event := range map[string]string{"orders": orderJSON, "payments": paymentJSON, "refunds": refundJSON} {
		if r := s.run(t, event, "produce", kind, "-"); r.code != 0 {
			t.Fatalf("produce: %+v", r)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan result, 1)
	go func() {
		done <- booksyncWith(t, ctx, "", s.environ, "run", "--set", "http.listen=127.0.0.1:0", "--set", "zoho.mark_sent_every=10ms", "--set", "claims.recheck=100ms")
	}()
	codec, err := schemas.NewCodec()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]schemas.Status{}
	for _, rec := range testkit.AwaitCommitted(t, s.kafka.Addrs, "books.outcomes", 3, 30*time.Second) {
		o, _, err := codec.DecodeOutcome(t.Context(), rec.Value, rec.Headers)
		if err != nil {
			t.Fatal(err)
		}
		got[o.Workflow+" "+o.BusinessID] = o.Status
		if o.Error != nil {
			t.Logf("%+v", o.Error)
		}
	}
	for _, id := range []string{"order O1", "payment P1", "refund R1"} {
		if got[id] != schemas.StatusPosted {
			t.Errorf("%s: %q", id, got[id])
		}
	}
	stop()
	if r := <-done; r.code != 0 {
		t.Errorf("run: exit %d\n%s", r.code, r.stderr)
	}
}
