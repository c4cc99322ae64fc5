package kafka

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Handler does the work for one record.
type Handler interface {
	// Handle runs one attempt of one record. It is called on a goroutine of its own lane, for at most one record of the lane at a time, and may block.
	// ctx ends only when the drain time is over or [Engine.Hurry] was called; Delivery.Leaving closes as soon as the partition was revoked or
	// lost or the engine is stopping, and no new write may start after that. A panic parks the record for a while and is logged.
	Handle(ctx context.Context, d *Delivery) Result
}

// HandlerFunc is a function that is a Handler.
type HandlerFunc func(ctx context.Context, d *Delivery) Result

// Handle calls f.
func (f HandlerFunc) Handle(ctx context.Context, d *Delivery) Result { return f(ctx, d) }

// Delivery is one record handed to this process, from its first attempt until it is settled or its partition is taken away.
type Delivery struct {
	// Record is the consumed record. After the first parking it is a copy, so that a parked record does not keep its fetch in memory.
	Record *kgo.Record
	// Attempt counts the calls of Handle for this delivery, from 1.
	Attempt int
	// Resumed is what was known when the partition was assigned.
	Resumed Resumed
	// State belongs to the handler and is kept between the attempts of one delivery.
	State any

	mark
	part   *partition
	lane   *lane
	kept   bool   // Record is a copy
	woken  uint64 // number of the last wake-up when the attempt began
	result Result
}

// Leaving is closed as soon as the record's partition was revoked or lost, or the engine is stopping or starting anew.
func (d *Delivery) Leaving() <-chan struct{} { return d.part.leaving }

// Resumed is what was known of a partition when it was assigned.
type Resumed struct {
	// Committed says that the group had a commit for the partition.
	Committed bool
	// Epoch is the text [Config.Epoch] answered when that commit was made; empty without a commit or after an operator's reset.
	Epoch string
	// End is the partition's log end (last stable offset) at the assignment.
	End int64
}

// Result is what an attempt came to: exactly one of Publish, Park and Released. Publish may be empty but not nil: settled with nothing to say.
type Result struct {
	// Publish goes out in the transaction that commits the record.
	Publish []Message
	// Published, optional, is called once that transaction is known to be committed. It runs on the engine's goroutine and must not block.
	Published func()
	// Park leaves the record unsettled for a while.
	Park *Park
	// Released says that the handler gave up because the delivery is leaving: nothing is published, the record stays open for its next owner.
	Released bool
}

// Message is a record to publish. Its Topic must be set.
type Message struct {
	Record *kgo.Record
	// TooLarge, optional, is sent instead when Record is larger than its topic takes.
	TooLarge *kgo.Record
}

// Park says how long a record waits. The next attempt starts at Until or when one of Keys is woken, whichever is first.
type Park struct {
	// Until is when the next attempt is due at the latest. Zero: 30 s from now.
	Until time.Time
	// Keys are wake keys for [Engine.Wake].
	Keys []string
	// Reason is shown in [Status] and must be one of a small set of words.
	Reason string
}
