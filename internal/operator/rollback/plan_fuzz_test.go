package rollback

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzPlan feeds files that are given for plans: what is read is safe to walk through and comes back the same.
func FuzzPlan(f *testing.F) {
	for _, seed := range []string{
		`{"id":"A","groups":[{"organization":"o","order_id":"O1","orders":["O1"],"outcomes":[{"outcome_id":"x","workflow":"order"}],"steps":[]}]}`,
		`{"id":"A","groups":[null]}`, `{"id":"A","groups":[{"outcomes":[null]}]}`, `{"id":1}`, `[]`, `{"id":"A"}{"id":"B"}`, strings.Repeat(`{"groups":[`, 5000),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := parse("plan", text)
		if err != nil {
			return
		}
		p.sum()
		p.Organizations()
		again, err := json.Marshal(p)
		if err != nil {
			t.Fatalf("writing what was read: %v", err)
		}
		if _, err := parse("plan", again); err != nil {
			t.Fatalf("reading what was written: %v", err)
		}
	})
}

func TestAFileThatIsNoPlanIsReadToABoundOnly(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "huge")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(name, maxPlan+1); err != nil { // of nothing: it takes no room
		t.Fatal(err)
	}
	if _, err := Read(name); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("%v, want that it is too large", err)
	}
}
