package processtest

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/booksync/booksync/internal/simulator"
)

// bar is a case that other products were measured in: plain orders, each once.
type bar struct {
	name  string
	kills int
	// faults befall the posting of invoices.
	faults []simulator.Fault
	// fewer lets Zoho grant fewer calls a minute than booksync is told, and than there are orders.
	fewer bool
	// refused are the most calls that Zoho may refuse.
	refused func(concurrency, pauses int) int
}

// TestCompared measures booksync in the cases in which other products lose records, post them twice, or storm an API that
// refuses them. The figures are in docs/reliability.md, beside theirs.
func TestCompared(t *testing.T) {
	orders := 300
	if os.Getenv(envLong) == "1" {
		orders = 3000
	}
	none := func(int, int) int { return 0 }
	tools := findTools(t)
	binary := build(t)
	for _, b := range []bar{
		{name: "two SIGKILLs", kills: 2, refused: none},
		{name: "answers of 500, nothing done", faults: []simulator.Fault{{Kind: simulator.FaultErrorBefore, Probability: 0.03}}, refused: none},
		{name: "answers of 500, posted all the same", faults: []simulator.Fault{{Kind: simulator.FaultErrorAfter, Probability: 0.03}}, refused: none},
		{name: "429: Zoho grants fewer calls than it says", fewer: true,
			// What is in flight when the first refusal comes, and a call that finds out whether the pause was long enough.
			refused: func(concurrency, pauses int) int { return (concurrency + 1) * pauses }},
	} {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			b.run(t, tools, binary, seed(t), orders)
		})
	}
}

func (b bar) run(t *testing.T, tools tools, binary string, seed int64, orders int) {
	begin := time.Now()
	terms := usual()
	if b.fewer {
		terms.granted = min(orders, terms.perMinute) * 7 / 10
		terms.settings = map[string]string{"ZOHO_PAUSE": "1m"} // booksync's own; the other runs shorten it
	}
	w := newWorld(t, tools, binary, seed, terms)
	for _, f := range b.faults {
		f.Method, f.Path, f.Status = http.MethodPost, "/invoices", http.StatusInternalServerError
		w.inject(t, f)
	}
	want := w.produce(t, seed, orders, "--plain")
	watch := w.watch(t)
	w.start(t, 0)
	k := killer{trial: trial{processes: 1, kills: b.kills}, w: w, watch: watch, r: rand.New(rand.NewPCG(uint64(seed), 0x626172)), records: len(want.Records)}
	for n := range b.kills {
		k.kill(t, n)
	}
	w.settleAll(t, watch, len(want.Records))
	finished := time.Since(begin)
	w.stopAll(t)

	j := judgement{t: t, want: want, seen: w.read(t), ledger: w.ledger(t), calls: w.calls(t), terms: w.terms}
	j.records()
	j.books()
	hits := map[simulator.FaultKind]int{}
	w.ask(t, http.MethodGet, "/_simulator/faults", nil, &hits)
	affected := 0
	for _, n := range hits {
		affected += n
	}
	if len(b.faults) > 0 && affected == 0 {
		t.Error("no fault befell any call")
	}
	pauses := int(finished/time.Minute) + 1
	if most := b.refused(w.concurrency, pauses); j.calls.Refused > most || b.fewer && j.calls.Refused == 0 {
		t.Errorf("Zoho refused %d calls, want at most %d", j.calls.Refused, most)
	}
	posts := j.calls.ByResource["POST /invoices"]
	t.Logf("| case | records | calls affected | without an outcome | dead-lettered | documents twice | outcomes twice | POSTs of invoices | calls refused with 429 | all |")
	t.Logf("| %s | %d | %d | %d | %d | %d | %d | %d | %d | %s |", b.name, len(want.Records), affected, j.losses, len(j.seen.DeadLetters), j.duplicates, j.repeated,
		posts, j.calls.Refused, fmt.Sprintf("%d calls in %v", j.calls.Total, finished.Round(time.Second)))
}
