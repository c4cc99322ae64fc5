package demo

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/booksync/booksync/schemas"
)

// Report is what a run came to. Its JSON form is the last line of `demo --json`.
type Report struct {
	Edition            string             `json:"edition,omitempty"`
	Records            map[string]int     `json:"records"`      // by topic
	Outcomes           map[string]int     `json:"outcomes"`     // by status
	DeadLetters        map[string]int     `json:"dead_letters"` // by class
	DuplicateDocuments int                `json:"duplicate_documents"`
	LostEvents         int                `json:"lost_events"`
	RepeatedOutcomes   int                `json:"repeated_outcomes"`
	LedgerEqual        bool               `json:"ledger_equal"`
	TrialBalanceZero   bool               `json:"trial_balance_zero"`
	Calls              map[string]int     `json:"calls"`             // by method and resource
	CallsPerSettled    map[string]float64 `json:"calls_per_settled"` // by workflow: of posted events whose customer was known
	Faults             map[string]int     `json:"faults"`            // that befell calls, by kind
	LargestMinute      int                `json:"largest_minute"`    // most calls in any 60 s
	LargestInFlight    int                `json:"largest_in_flight"`
	Refused            int                `json:"refused"` // 429 answers
	Unexpected         int                `json:"unexpected_verdicts"`
	Problems           []string           `json:"problems,omitempty"`
	Seconds            float64            `json:"seconds"`
}

// OK says whether nothing was lost, repeated, twice or wrong.
func (r *Report) OK() bool {
	return r.LedgerEqual && r.TrialBalanceZero && r.DuplicateDocuments == 0 && r.LostEvents == 0 && r.RepeatedOutcomes == 0 && r.Unexpected == 0
}

func (w *world) report(s *sample, found *seen, took time.Duration) *Report {
	l := w.sim.Ledger(zohoID)
	c := checkBooks(l, s)
	calls := w.sim.Calls(zohoID)
	r := &Report{
		Records: found.records, Outcomes: map[string]int{}, DeadLetters: found.deadLetters, DuplicateDocuments: c.twice,
		TrialBalanceZero: l.Zero, Calls: calls.ByResource, CallsPerSettled: map[string]float64{}, Faults: map[string]int{},
		LargestMinute: calls.LargestMinute, LargestInFlight: calls.LargestInFlight, Refused: calls.Refused,
		Seconds: math.Round(took.Seconds()*100) / 100,
	}
	for kind, n := range w.sim.FaultHits() {
		r.Faults[string(kind)] = n
	}
	at := map[place][]*schemas.Outcome{}
	for _, out := range found.outcomes {
		p := place{out.Source.Topic, out.Source.Partition, out.Source.Offset}
		at[p] = append(at[p], out)
		r.Outcomes[string(out.Status)]++
	}
	var unexpected []string
	for _, e := range s.emissions {
		outs := at[found.where[e]]
		switch {
		case len(outs) == 0:
			r.LostEvents++
			continue
		case len(outs) > 1:
			r.RepeatedOutcomes += len(outs) - 1
		}
		class := ""
		if outs[0].Error != nil {
			class = outs[0].Error.Class
		}
		if outs[0].Status != e.status || class != e.class {
			r.Unexpected++
			message := ""
			if outs[0].Error != nil {
				message = ": " + outs[0].Error.Message
			}
			unexpected = append(unexpected, fmt.Sprintf("%s of order %s: expected %s %s, got %s %s%s", e.workflow, e.key, e.status, e.class, outs[0].Status, class, message))
		}
	}
	r.LedgerEqual = len(c.problems) == 0
	r.Problems = append(unexpected[:min(len(unexpected), maxProblems)], c.problems[:min(len(c.problems), maxProblems)]...)
	r.callsPerSettled(s, found, at)
	return r
}

// callsPerSettled are the calls of posted events, those for contacts and the shared mark-sent calls apart. Cancellations
// are counted by themselves: they read the invoice before they take it back.
func (r *Report) callsPerSettled(s *sample, found *seen, at map[place][]*schemas.Outcome) {
	calls, posted := map[string]int64{}, map[string]int64{}
	for _, e := range s.emissions {
		outs := at[found.where[e]]
		if len(outs) == 0 || outs[0].Status != schemas.StatusPosted {
			continue
		}
		kind := e.workflow
		if e.order != nil && e.order.Kind == schemas.OrderCancelled {
			kind = "cancellation"
		}
		calls[kind] += outs[0].Calls
		posted[kind]++
	}
	for resource, n := range r.Calls {
		if strings.Contains(resource, "/contacts") {
			calls["order"] -= int64(n)
		}
	}
	for kind, n := range posted {
		r.CallsPerSettled[kind] = math.Round(float64(calls[kind])/float64(n)*1000) / 1000
	}
}

// table is the report for people.
func (r *Report) table() string {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	section := func(title string, m map[string]int) {
		fmt.Fprintf(t, "\n%s\n", title)
		for _, k := range slices.Sorted(maps.Keys(m)) {
			fmt.Fprintf(t, "  %s\t%d\n", k, m[k])
		}
	}
	section("What came in", r.Records)
	section("What became of it", r.Outcomes)
	section("Dead letters", r.DeadLetters)
	section("Calls of Zoho Books", r.Calls)
	fmt.Fprintf(t, "\nCalls per posted event, customer known\n")
	for _, k := range slices.Sorted(maps.Keys(r.CallsPerSettled)) {
		fmt.Fprintf(t, "  %s\t%.3f\n", k, r.CallsPerSettled[k])
	}
	if len(r.Faults) > 0 {
		section("Faults that befell calls", r.Faults)
	}
	fmt.Fprintf(t, "\nThe books against the events\n")
	fmt.Fprintf(t, "  duplicate documents\t%d\n  lost events\t%d\n  repeated outcomes\t%d\n", r.DuplicateDocuments, r.LostEvents, r.RepeatedOutcomes)
	fmt.Fprintf(t, "  ledger equals the events\t%s\n  trial balance is zero\t%s\n", yes(r.LedgerEqual), yes(r.TrialBalanceZero))
	fmt.Fprintf(t, "  most calls in any 60 s\t%d\n  most calls in flight\t%d\n  refused with 429\t%d\n", r.LargestMinute, r.LargestInFlight, r.Refused)
	for _, p := range r.Problems {
		fmt.Fprintf(t, "  wrong: %s\n", p)
	}
	fmt.Fprintf(t, "\ndone in %.2f s\n", r.Seconds)
	_ = t.Flush() // into memory
	return b.String()
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "NO"
}
