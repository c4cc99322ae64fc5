package torture

import (
	"fmt"
	"sort"
)

// Result is what became of one seed.
type Result struct {
	Seed    int64          `json:"seed"`
	Events  int            `json:"events"`  // records that the producers sent and did not abort
	Hours   float64        `json:"hours"`   // simulated
	Faults  map[string]int `json:"faults"`  // that happened, by kind
	Calls   int            `json:"calls"`   // that left for Zoho
	Ops     map[string]int `json:"-"`       // operations of the replicas, by name
	Verdict map[string]int `json:"verdict"` // outcomes by status

	Duplicates int `json:"duplicates"` // documents beyond the first of a business id
	Losses     int `json:"losses"`     // records without an outcome
	Repeated   int `json:"repeated"`   // outcomes beyond the first of a record

	Seconds  float64   `json:"seconds"` // real
	Problems []Problem `json:"problems,omitempty"`
	Plan     string    `json:"plan,omitempty"`    // of a failed seed: its faults
	History  []string  `json:"history,omitempty"` // of a failed seed: what happened
}

// Problem is a promise that was not kept.
type Problem struct {
	Promise string `json:"promise"`
	What    string `json:"what"`
}

// OK says whether every promise was kept.
func (r *Result) OK() bool { return len(r.Problems) == 0 }

func (r *Result) problem(promise, format string, args ...any) {
	r.Problems = append(r.Problems, Problem{promise, fmt.Sprintf(format, args...)})
}

// sorted are a map's keys in order.
func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
