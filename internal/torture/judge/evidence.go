// Package judge holds what a run left behind against the promises: what producers sent, what Kafka holds, what the books hold.
// It has arithmetic of its own and does not ask where the evidence comes from: a simulation, or real processes.
//
//	evidence.go    what there is to judge
//	collect.go     how it is read from Kafka
//	check.go       the promises about records, documents, order
//	commits.go     what commits may say; limits.go calls; books.go the money
//	findings.go    what was found
package judge

import (
	"fmt"
	"time"

	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/internal/torture/tale"
	"github.com/booksync/booksync/schemas"
)

// Evidence is what a run left behind, everything read after the last process has ended.
type Evidence struct {
	// Tale is what was sent, with where each record landed.
	Tale *tale.Tale
	// TimeZone is the company's; its days are counted in it.
	TimeZone string

	// Outcomes by the record they speak of, in the order in which a read_committed reader saw them.
	Outcomes map[tale.Place][]Outcome
	// DeadLetters by the record they were made of.
	DeadLetters map[tale.Place][]DeadLetter
	// Commits are the group's commits as somebody saw them who looked again and again. None: not judged.
	Commits []Commit
	// Committed is where the group's commits ended, Ends where the topics do; by partition of the source topics.
	Committed, Ends map[Partition]int64
	// Delay is how much later than a commit its outcomes may be seen: as long as a transaction of another replica may stay open.
	Delay time.Duration

	// Group is the consumer group's name; "" leaves the ids of outcomes unjudged.
	Group string
	// Edited are the notes that a person wrote into invoices, by order.
	Edited map[string]string
	// Ledger and Calls are the simulator's.
	Ledger simulator.Ledger
	Calls  simulator.Calls
	// Flying is the largest number of calls that waited for their answers at a time, as the processes saw it, if known.
	Flying int
	// Sent are the times at which calls left for Zoho, if known; in any order.
	Sent []time.Time
	// Limits are those that calls must keep to; a zero is not judged.
	Limits Limits
	// Late says that an update of a contact may have landed after its answer was given up, over a later one.
	Late bool
	// Skew is by how much the clock of a process is wrong at most.
	Skew time.Duration
	// Lapsed says who went on with a claim whose lease had lapsed although nothing kept it from being prolonged; "" is nobody.
	Lapsed string
	// Usurped says who changed a claim that another attempt held; "" is nobody.
	Usurped string
	// Spinning says what was seen of work that never waits for anything; "" is nothing.
	Spinning string
}

// Limits of an organisation's calls.
type Limits struct {
	PerMinute int // in any 60 s
	PerDay    int // from midnight to midnight in the company's time zone
	InFlight  int // at Zoho, and as the processes see it
}

// Outcome is one that a read_committed reader saw: when it was written, and when it was seen. An open transaction of another
// replica on the same partition lies between the two.
type Outcome struct {
	*schemas.Outcome
	Written, Seen time.Time
}

// DeadLetter is one as it lies in its topic.
type DeadLetter struct {
	Class      string
	Key, Value []byte
	FailedAt   string
}

// Partition is one of a source topic.
type Partition struct {
	Topic     string
	Partition int32
}

func (p Partition) String() string { return fmt.Sprintf("%s/%d", p.Topic, p.Partition) }

// Commit is what the group had committed for a partition when somebody looked.
type Commit struct {
	Partition
	Position int64
	Metadata string
	Seen     time.Time
}
