package audit

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/booksync/booksync/schemas"
)

func TestRecordFillsInWhatIsMissing(t *testing.T) {
	t.Parallel()
	codec, err := schemas.NewCodec()
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 31, 22, 15, 0, 0, time.UTC)
	trail := New(codec, "books.audit", "1.2.3")
	trail.now = func() time.Time { return at }
	r, err := trail.Record(t.Context(), schemas.AuditEntry{Actor: "ann", Action: "replay", Organization: "acme", Counts: map[string]int64{"replayed": 3}})
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := codec.DecodeAudit(t.Context(), r.Value, r.Headers)
	if err != nil {
		t.Fatal(err)
	}
	if got.AuditID == "" {
		t.Error("the entry has no id")
	}
	got.AuditID = ""
	want := &schemas.AuditEntry{
		At: at, Actor: "ann", Action: "replay", Organization: "acme", Counts: map[string]int64{"replayed": 3}, Version: "1.2.3",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if r.Topic != "books.audit" || string(r.Key) != "acme" {
		t.Errorf("topic %s, key %s", r.Topic, r.Key)
	}
}

func TestRecordRefusesAnEntryWithoutActorOrAction(t *testing.T) {
	t.Parallel()
	trail := New(nil, "books.audit", "1")
	for _, e := range []schemas.AuditEntry{{Action: "replay"}, {Actor: "ann"}} {
		if _, err := trail.Record(t.Context(), e); !errors.Is(err, ErrIncomplete) {
			t.Errorf("%+v: %v", e, err)
		}
	}
}
