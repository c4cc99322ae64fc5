package dlq

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/processor"
)

// Replay sends dead letters back to their source topics: key, value and the producer's headers as they came, each key's in
// their order, with headers that say what they are a replay of. It blocks until all are sent. An error leaves what was
// committed done; asked again it goes on with the rest.
func (d *Desk) Replay(ctx context.Context, req *Request, w Watch) (*Result, error) {
	return d.act(ctx, req, verb{
		state: StateReplayed,
		judge: func(ctx context.Context, s *Scan, sub *subject) Fate { return d.fate(ctx, s, sub, req.Force) },
		make: func(ctx context.Context, _ *Scan, sub *subject, action string) (*kgo.Record, error) {
			partitions, err := d.sourcePartitions(ctx, sub.letter.Source.Topic)
			if err != nil {
				return nil, err
			}
			return sub.replay(action, partitions), nil
		},
	}, w)
}

// sourcePartitions is how many partitions a source topic has now.
func (d *Desk) sourcePartitions(ctx context.Context, topic string) (int, error) {
	if d.sources == nil {
		var err error
		if d.sources, err = d.existing(ctx, d.cfg.Topics.Sources()...); err != nil {
			return 0, err
		}
	}
	info, ok := d.sources[topic]
	if !ok {
		return 0, fmt.Errorf("%w: %s", ErrMissing, topic)
	}
	return info.partitions, nil
}

// replay is the record that goes back. It goes to the partition it came from, where the other records of its key are.
func (sub *subject) replay(action string, partitions int) *kgo.Record {
	l := &sub.letter
	rec := &kgo.Record{
		Topic: l.Source.Topic, Key: sub.rec.Key, Value: sub.whole.Value, Partition: l.Source.Partition,
		Headers: append(sub.producersHeaders(), text(processor.HeaderReplayID, action), count(processor.HeaderReplayCount, l.Replays+1), text(headerReplayOf, l.ID.String())),
	}
	if int(rec.Partition) >= partitions {
		rec.Partition = partitionOf(rec, partitions)
	}
	return rec
}

// producersHeaders are those that came with the record, and those that say where it came from at first.
func (sub *subject) producersHeaders() []kgo.RecordHeader {
	var out []kgo.RecordHeader
	for _, h := range sub.whole.Headers {
		if !strings.HasPrefix(h.Key, prefixDeadLetter) && !strings.HasPrefix(h.Key, prefixConnect) {
			out = append(out, h)
		}
	}
	for _, h := range sub.rec.Headers {
		if strings.HasPrefix(h.Key, prefixSource) {
			out = append(out, h)
		}
	}
	return slices.Clip(out)
}
