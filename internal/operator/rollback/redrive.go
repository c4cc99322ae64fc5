package rollback

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/processor"
	"github.com/booksync/booksync/schemas"
)

// ErrRedriven says that the records of a plan were put back before.
var ErrRedriven = errors.New("the records of this plan were put back before")

// ReadRecords hands the records at these places to each; a record that its topic does not hold any more is left out.
type ReadRecords func(ctx context.Context, places map[schemas.Source]bool, each func(*kgo.Record) error) error

// Redriven are the records of everything that the plan has taken back, as replays: key, value and headers as they came. Per order they are in the order in
// which they were posted. missing counts those that their topics do not hold any more; only what was published as REVERSED is put back.
func Redriven(ctx context.Context, plan *Plan, outcomes Outcomes, read ReadRecords) (records []*kgo.Record, missing int, err error) {
	reversed := make(map[string]bool)
	if err := outcomes(ctx, func(o *schemas.Outcome) error {
		if o.Status == schemas.StatusReversed {
			reversed[o.OutcomeID] = true
		}
		return nil
	}); err != nil {
		return nil, 0, err
	}
	places := make(map[schemas.Source]bool)
	var order []schemas.Source
	for _, g := range plan.Groups {
		for _, p := range slices.Backward(g.Outcomes) {
			if reversed[reversedID(plan.ID, p.OutcomeID)] {
				at := schemas.Source{Topic: p.Source.Topic, Partition: p.Source.Partition, Offset: p.Source.Offset}
				places[at] = true
				order = append(order, at)
			}
		}
	}
	found := make(map[schemas.Source]*kgo.Record, len(places))
	if err := read(ctx, places, func(r *kgo.Record) error {
		found[schemas.Source{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}] = r
		return nil
	}); err != nil {
		return nil, 0, err
	}
	for _, at := range order {
		r := found[at]
		if r == nil {
			missing++
			continue
		}
		records = append(records, replayOf(plan.ID, r))
	}
	return records, missing, nil
}

// replayPrefix begins the replay ids of a plan's records.
func replayPrefix(plan string) string { return "rollback-" + plan + "-" }

// replayOf is the record as it was, marked as a replay for the job and for people. One that was a replay already keeps its first origin.
func replayOf(plan string, r *kgo.Record) *kgo.Record {
	again := &kgo.Record{Topic: r.Topic, Key: r.Key, Value: r.Value}
	first := true
	for _, h := range r.Headers {
		if h.Key == processor.HeaderReplayID {
			continue
		}
		first = first && h.Key != processor.HeaderSourceTopic
		again.Headers = append(again.Headers, h)
	}
	add := func(key, value string) {
		again.Headers = append(again.Headers, kgo.RecordHeader{Key: key, Value: []byte(value)})
	}
	add(processor.HeaderReplayID, fmt.Sprintf("%s%s-%d-%d", replayPrefix(plan), r.Topic, r.Partition, r.Offset))
	if first {
		add(processor.HeaderSourceTopic, r.Topic)
		add(processor.HeaderSourcePartition, strconv.Itoa(int(r.Partition)))
		add(processor.HeaderSourceOffset, strconv.FormatInt(r.Offset, 10))
	}
	return again
}

// Redrive puts the records back, with their audit entry, all in one transaction.
func Redrive(ctx context.Context, client *kgo.Client, records []*kgo.Record, entry *kgo.Record) error {
	if err := inTransaction(ctx, client, append(slices.Clone(records), entry)); err != nil {
		return fmt.Errorf("putting the records back: %w", err)
	}
	return nil
}
