package app

import (
	"context"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/operator/control"
	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/schemas"
)

// TestACorruptClaimIsNotTakenForDone: what Redis holds is not what booksync wrote, or what another version did. The record waits, is rejected, or is
// posted once by the unique key in the books; it is never taken for done, nothing crashes, and others go on.
func TestACorruptClaimIsNotTakenForDone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fields []any  // of the claim; none: it is no hash
		waits  string // the reason; else it is judged
		posted bool
	}{
		"a state of another version":         {fields: []any{"state", "archived", "outcome", "x"}, waits: "unreadable"},
		"beneath a write, likewise":          {fields: []any{"state", "sending", "was", "archived"}, waits: "unreadable"},
		"done by others without an outcome":  {fields: []any{"state", "done", "coordinates", "other/0/1", "revision", "0000000000000000001"}},
		"done by this one with half of one":  {fields: []any{"state", "done", "coordinates", "SAME", "outcome", `{"outcome":`, "revision", "0000000000000000001"}},
		"steps that are none":                {fields: []any{"state", "sending", "step", "invoice", "steps", "[1,2", "since", "yesterday", "scoordinates", "SAME", "srevision", "0000000000000000001"}},
		"steps with a number without bounds": {fields: []any{"state", "sending", "step", "invoice", "steps", `{"credit":{"total":"1e999999999"}}`, "scoordinates", "SAME", "srevision", "0000000000000000001"}},
		"data that are none":                 {fields: []any{"data", "[[[["}, posted: true},
		"data with a number without bounds":  {fields: []any{"data", `{"invoice":{"total":"1e999999999"}}`}, posted: true},
		"a revision that is none":            {fields: []any{"state", "done", "revision", "many", "coordinates", "other/0/1"}},
		"a lease that is none":               {fields: []any{"token", "t", "until", "soon"}, waits: "redis"},
		"no hash":                            {waits: "redis"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Switches{}, configured(func(c *config.Config) { c.Zoho.MaxAttempts = 2 }))
			w.unsettled = c.waits != ""
			r := w.start()
			w.posted(w.one(w.order("O1")))
			w.pause(control.Scope{Workflow: "order"})
			record := w.one(w.order("O2"))
			r.parked("paused", 1)
			admin := goredis.NewClient(&goredis.Options{Addr: w.redis.Addr})
			t.Cleanup(func() { _ = admin.Close() })
			key := "booksync:{" + w.name + "}:claim:order:O2"
			var err error
			if c.fields == nil {
				err = admin.Set(context.Background(), key, "text", 0).Err()
			} else {
				for i, f := range c.fields {
					if f == "SAME" {
						c.fields[i] = coordinates(record.Topic, record.Partition, record.Offset)
					}
				}
				err = admin.HSet(context.Background(), key, c.fields...).Err()
			}
			if err != nil {
				t.Fatal(err)
			}
			w.resume(control.Scope{Workflow: "order"})
			w.posted(w.one(w.order("O3")))
			if c.waits != "" {
				r.parked(c.waits, 1)
				if out := w.outcome(record); out != nil {
					t.Errorf("it was settled: %s %+v", out.Status, out.Error)
				}
				return
			}
			switch out := w.await(record); {
			case c.posted && out.Status == schemas.StatusPosted, !c.posted && out.Status == schemas.StatusRejected:
			default:
				t.Errorf("%s %s %+v", out.Status, out.Reason, out.Error)
			}
		})
	}
}
