package judge

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/internal/torture/tale"
	"github.com/booksync/booksync/schemas"
)

// metadata is what a commit carries for these open offsets, the first of which is the position.
func metadata(highest int64, open ...int64) string {
	b := append([]byte{1, 3}, "abc"...)
	b = binary.AppendUvarint(b, uint64(highest-open[0]+1))
	b = binary.AppendUvarint(b, uint64(open[0]))
	b = binary.AppendUvarint(b, uint64(len(open)))
	for i := 1; i < len(open); i++ {
		b = binary.AppendUvarint(b, uint64(open[i]-open[i-1]))
	}
	return base64.StdEncoding.EncodeToString(b)
}

func TestCommitsSayWhatIsSettled(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		commit Commit
		want   settledBy
		wrong  bool
	}{
		{name: "nothing open", commit: Commit{Position: 7}, want: settledBy{Position: 7, Highest: 6}},
		{name: "three open", commit: Commit{Position: 5, Metadata: metadata(12, 5, 7, 11)}, want: settledBy{Position: 5, Highest: 12, Open: []int64{5, 7, 11}}},
		{name: "of another position", commit: Commit{Position: 6, Metadata: metadata(12, 5, 7, 11)}, wrong: true},
		{name: "no base64", commit: Commit{Position: 6, Metadata: "%"}, wrong: true},
		{name: "cut short", commit: Commit{Position: 5, Metadata: metadata(12, 5, 7, 11)[:12]}, wrong: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := test.commit.read()
			if (err != nil) != test.wrong {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); err == nil && diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestCommitsThatLie: three records of one partition, settled at 1 s, 2 s and 3 s.
func TestCommitsThatLie(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 3, 9, 13, 0, 0, 0, time.UTC)
	at := func(seconds int) time.Time { return begin.Add(time.Duration(seconds) * time.Second) }
	p := Partition{"orders", 0}
	commit := func(seconds int, position int64, metadata string) Commit {
		return Commit{p, position, metadata, at(seconds)}
	}
	tests := []struct {
		name    string
		commits []Commit
		end     int64
		want    string // of the problem; "": none
	}{
		{"in step with the outcomes", []Commit{commit(1, 1, ""), commit(2, 2, ""), commit(3, 3, "")}, 3, ""},
		{"the second one is settled first", []Commit{commit(2, 0, metadata(2, 0, 2)), commit(3, 3, "")}, 3, "orders/0/0 is committed as open"},
		{"what is open is named", []Commit{commit(2, 2, metadata(2, 2)), commit(3, 3, "")}, 3, ""},
		{"the polled offset", []Commit{commit(1, 3, "")}, 3, "orders/0/1 is committed as settled"},
		{"what is open is not named", []Commit{commit(1, 1, metadata(2, 1))}, 3, "orders/0/2 is committed as settled"},
		{"an older state comes back", []Commit{commit(2, 2, ""), commit(3, 1, "")}, 1, "orders/0/1 is committed as open"},
		{"the end is not reached", []Commit{commit(3, 2, metadata(2, 2))}, 2, "orders/0 is committed up to 2 and ends at 3"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			story := &tale.Story{ID: "o-1", Victim: true}
			e := Evidence{
				Tale: &tale.Tale{Stories: []*tale.Story{story}, Victims: []*tale.Story{story}}, TimeZone: "UTC", Outcomes: map[tale.Place][]Outcome{},
				Commits: test.commits, Committed: map[Partition]int64{p: test.end}, Ends: map[Partition]int64{p: 3}, Ledger: simulator.Ledger{Zero: true},
			}
			if test.name == "the second one is settled first" { // as open after it was settled
				e.Commits = append([]Commit{commit(1, 1, "")}, e.Commits...)
			}
			for i := range 3 {
				where := tale.Place{Topic: "orders", Offset: int64(i)}
				e.Tale.Emissions = append(e.Tale.Emissions, &tale.Emission{Workflow: "order", Story: story, Where: where, Sent: true})
				out := &schemas.Outcome{OutcomeID: where.String(), Status: schemas.StatusDuplicate}
				e.Outcomes[where] = []Outcome{{Outcome: out, Written: at(i + 1), Seen: at(i + 1)}}
			}
			var got []string
			for _, p := range Check(e).Problems {
				got = append(got, p.Promise+": "+p.What)
			}
			switch all := strings.Join(got, "\n"); {
			case test.want == "" && len(got) > 0:
				t.Error(all)
			case test.want != "" && !strings.Contains(all, commits+": "+test.want):
				t.Errorf("want %q, got %s", test.want, all)
			}
		})
	}
}
