package journal

import (
	"testing"

	"github.com/shopspring/decimal"
)

func TestJournal(t *testing.T) {
	t.Parallel()
	var j Journal
	var lines Lines
	lines.Debit(0, decimal.NewFromInt(10))
	lines.Credit(1, decimal.NewFromInt(7))
	lines.Debit(2, decimal.Zero)
	if err := j.Post(Entry{Document: 1, Event: "x", Lines: lines}); err == nil {
		t.Error("an entry that does not balance was posted")
	}
	lines.Balance(3)
	if err := j.Post(Entry{Document: 1, Event: "x", Lines: lines.Compact()}); err != nil {
		t.Fatal(err)
	}
	if got := j.Balance(3); !got.Equal(decimal.NewFromInt(-3)) {
		t.Errorf("balance %s", got)
	}
	if err := j.Post(Entry{Document: 1, Event: "back", Lines: Reverse(lines.Compact())}); err != nil {
		t.Fatal(err)
	}
	if !j.Balance(0).IsZero() || !j.Sum().IsZero() || len(j.Entries()) != 2 {
		t.Errorf("after reversing: %s, %s, %d entries", j.Balance(0), j.Sum(), len(j.Entries()))
	}
	if err := j.Post(Entry{}); err != nil || len(j.Entries()) != 2 {
		t.Error("an empty entry was kept")
	}
}
