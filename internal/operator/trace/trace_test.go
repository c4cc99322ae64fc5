package trace

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/booksync/booksync/schemas"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPausesThatHeldTheWorkBelongToIt(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	at := func(minutes int, name, organization, workflow, id string) action {
		return action{AuditEntry: &schemas.AuditEntry{AuditID: id, At: noon.Add(time.Duration(minutes) * time.Minute), Action: name, Organization: organization, Workflow: workflow}}
	}
	got := inForce([]action{
		at(5, actionResume, "", "", "ended meanwhile"),
		at(-30, actionPause, "", "order", "long over"),
		at(-20, actionResume, "", "order", "its end"),
		at(-10, actionPause, "", "", "in force"),
		at(-9, actionPause, "acme", "order", "over"),
		at(-8, actionResume, "acme", "order", "the other end"),
		at(1, actionPause, "acme", "", "came later"),
	}, noon)
	var ids []string
	for _, a := range got {
		ids = append(ids, a.AuditID)
	}
	if diff := cmp.Diff([]string{"in force", "came later", "ended meanwhile"}, ids); diff != "" {
		t.Error(diff)
	}
}

func TestActionsAreRecognisedByWholeWords(t *testing.T) {
	t.Parallel()
	tr := &tracer{words: map[string]bool{"O1": true, "replay-7": true}}
	for name, test := range map[string]struct {
		entry schemas.AuditEntry
		want  bool
	}{
		"in the selector":         {schemas.AuditEntry{Selector: "ids=O9,O1"}, true},
		"in the reason":           {schemas.AuditEntry{Reason: `order "O1" was wrong`}, true},
		"as the value of details": {schemas.AuditEntry{Details: map[string]string{"replay": "replay-7"}}, true},
		"as the key of details":   {schemas.AuditEntry{Details: map[string]string{"O1": "patched"}}, true},
		"as a part of another id": {schemas.AuditEntry{Selector: "ids=O11", Reason: "O1-b"}, false},
		"nowhere":                 {schemas.AuditEntry{Action: "replay"}, false},
	} {
		if got := tr.mentions(&test.entry); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
