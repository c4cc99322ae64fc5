package torture

import (
	"sort"

	"github.com/booksync/booksync/internal/torture/judge"
)

// Result is what became of one seed.
type Result struct {
	Seed   int64          `json:"seed"`
	Hours  float64        `json:"hours"`  // simulated
	Faults map[string]int `json:"faults"` // that happened, by kind
	Calls  int            `json:"calls"`  // that left for Zoho
	Ops    map[string]int `json:"-"`      // operations of the replicas, by name
	judge.Findings

	Seconds float64  `json:"seconds"`           // real
	Plan    string   `json:"plan,omitempty"`    // of a failed seed: its faults
	History []string `json:"history,omitempty"` // of a failed seed: what happened
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
