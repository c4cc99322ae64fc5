package judge

import "fmt"

// The promises.
const (
	waits       = "whoever cannot go on waits"
	held        = "whoever works on a claim holds it"
	oneVerdict  = "one verdict per record"
	oneDocument = "one document per business id"
	inStep      = "customers are as the newest event says"
	money       = "the money is that of the events"
	inOrder     = "effects in order"
	limits      = "calls within the limits"
	noLies      = "no outcome contradicts the books"
	commits     = "no commit passes an unsettled record"
	outage      = "an outage dead-letters nothing"
	accounts    = "the journal's accounts are those of the events"
)

// Findings are what a judgement came to.
type Findings struct {
	Events     int            `json:"events"`     // records that the producers sent and did not abort
	Verdict    map[string]int `json:"verdict"`    // outcomes by status
	Duplicates int            `json:"duplicates"` // documents beyond the first of a business id
	Losses     int            `json:"losses"`     // records without an outcome
	Repeated   int            `json:"repeated"`   // outcomes beyond the first of a record
	Problems   []Problem      `json:"problems,omitempty"`
}

// Problem is a promise that was not kept.
type Problem struct {
	Promise string `json:"promise"`
	What    string `json:"what"`
}

// OK says whether every promise was kept.
func (f *Findings) OK() bool { return len(f.Problems) == 0 }

// Problem adds a promise that was not kept.
func (f *Findings) Problem(promise, format string, args ...any) {
	f.Problems = append(f.Problems, Problem{promise, fmt.Sprintf(format, args...)})
}
