package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestTorturePrintsEachSeedAndTheirSum(t *testing.T) {
	t.Parallel()
	r := booksync(t, "", nil, "torture", "--seeds", "3..4", "--orders", "5", "--json")
	if r.code != 0 {
		t.Fatalf("exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
	lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
	var sum struct {
		Seeds, Events, Duplicates, Losses int
		Repeated                          int `json:"repeated_outcomes"`
		Faults                            map[string]int
		Failed                            []int64 `json:"failed_seeds"`
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &sum); err != nil {
		t.Fatal(err)
	}
	if len(lines) != 3 || sum.Seeds != 2 || sum.Events < 10 || sum.Duplicates+sum.Losses+sum.Repeated+len(sum.Failed) > 0 || sum.Failed == nil || len(sum.Faults) == 0 {
		t.Errorf("%d lines, %+v", len(lines), sum)
	}
}

func TestTortureRefusesWhatAreNoSeeds(t *testing.T) {
	t.Parallel()
	for _, seeds := range []string{"", "x", "5..1", "1..", "1..2..3"} {
		if r := booksync(t, "", nil, "torture", "--seeds", seeds); r.code != 2 || !strings.Contains(r.stderr, "A..B") {
			t.Errorf("%q: exit %d, %s", seeds, r.code, r.stderr)
		}
	}
}
