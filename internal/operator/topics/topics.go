// Package topics reads topics for the operators' commands: from a time, or from their start, up to the end they had when the
// reading began, as a read_committed reader, record by record. What is in memory does not grow with the topics.
package topics

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/internal/access"
	"github.com/booksync/booksync/internal/config"
)

const (
	// idle is how long a reading goes on without any record below the end; the end is a stable one, so the records are there.
	idle = time.Minute
	// fetchBytes bounds what one fetch brings, partitionBytes its part of one partition.
	fetchBytes     = 8 << 20
	partitionBytes = 1 << 20
	// poll is how long one poll waits for records.
	poll = 5 * time.Second
)

// Header is a record's first header of this name; "" where it has none.
func Header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// ErrStalled is a partition that gives no records although its end is not reached.
var ErrStalled = errors.New("no more records although the end is not reached")

// Range is a part of one partition: From is its first offset, To the one behind its last.
type Range struct{ From, To int64 }

// Spans are the ranges to read, by topic and partition.
type Spans map[string]map[int32]Range

// Records is an upper bound of the records in the spans: markers and records of aborted transactions count too.
func (s Spans) Records() int64 {
	var n int64
	for _, partitions := range s {
		for _, r := range partitions {
			n += max(r.To-r.From, 0)
		}
	}
	return n
}

// Contains says whether the record at these coordinates is in the spans.
func (s Spans) Contains(topic string, partition int32, offset int64) bool {
	r, ok := s[topic][partition]
	return ok && offset >= r.From && offset < r.To
}

// Connect makes a client with these options beside those of the cluster.
type Connect func(opts ...kgo.Opt) (*kgo.Client, error)

// To connects to the configured cluster.
func To(cfg *config.Config) Connect {
	return func(opts ...kgo.Opt) (*kgo.Client, error) { return access.Producer(cfg, opts...) }
}

// Between are the records produced since a time (the zero time: all there are) up to the stable ends of now. A topic that
// does not exist is an error.
func Between(ctx context.Context, connect Connect, since time.Time, names ...string) (Spans, error) {
	cl, err := connect()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	var starts kadm.ListedOffsets
	if since.IsZero() {
		starts, err = adm.ListStartOffsets(ctx, names...)
	} else {
		starts, err = adm.ListOffsetsAfterMilli(ctx, since.UnixMilli(), names...)
	}
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("listing where to begin: %w", err)
	}
	ends, err := adm.ListCommittedOffsets(ctx, names...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("listing the topics' ends: %w", err)
	}
	spans := Spans{}
	ends.Each(func(end kadm.ListedOffset) {
		start, ok := starts.Lookup(end.Topic, end.Partition)
		if !ok || start.Offset < 0 {
			return // nothing since
		}
		if spans[end.Topic] == nil {
			spans[end.Topic] = map[int32]Range{}
		}
		spans[end.Topic][end.Partition] = Range{start.Offset, max(end.Offset, start.Offset)}
	})
	return spans, nil
}

// Read hands every record of the spans to each, one at a time, in order within a partition, and tells progress, if not nil,
// how many offsets were passed. It ends with the last record, with the first error, or with ctx.
func Read(ctx context.Context, connect Connect, spans Spans, each func(*kgo.Record) error, progress func(n int64)) error {
	left, at := map[string]map[int32]Range{}, map[string]map[int32]kgo.Offset{}
	open := 0
	for topic, partitions := range spans {
		left[topic], at[topic] = maps.Clone(partitions), map[int32]kgo.Offset{}
		for p, r := range partitions {
			if r.From >= r.To {
				delete(left[topic], p)
				continue
			}
			at[topic][p] = kgo.NewOffset().At(r.From)
			open++
		}
	}
	if open == 0 {
		return nil
	}
	// Control records are kept: only they show that a partition whose last transaction was aborted is read to its end.
	cl, err := connect(kgo.ConsumePartitions(at), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.FetchMaxBytes(fetchBytes), kgo.FetchMaxPartitionBytes(partitionBytes), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		return err
	}
	defer cl.Close()
	if progress == nil {
		progress = func(int64) {}
	}
	r := &reading{left: left, open: open, each: each, progress: progress}
	last := time.Now()
	for r.open > 0 {
		polling, cancel := context.WithTimeout(ctx, poll)
		fetches := cl.PollFetches(polling)
		cancel()
		if err := ctx.Err(); err != nil {
			return err
		}
		moved, err := r.take(fetches)
		switch {
		case err != nil:
			return err
		case moved:
			last = time.Now()
		case time.Since(last) > idle:
			return fmt.Errorf("%w: %v", ErrStalled, r.left)
		}
	}
	return nil
}

// reading is what is left to read.
type reading struct {
	left     map[string]map[int32]Range
	open     int
	each     func(*kgo.Record) error
	progress func(int64)
}

// take passes the records on.
func (r *reading) take(fetches kgo.Fetches) (moved bool, err error) {
	for _, e := range fetches.Errors() {
		if !errors.Is(e.Err, context.DeadlineExceeded) && !errors.Is(e.Err, context.Canceled) {
			return false, fmt.Errorf("reading %s/%d: %w", e.Topic, e.Partition, e.Err)
		}
	}
	fetches.EachRecord(func(rec *kgo.Record) {
		span, ok := r.left[rec.Topic][rec.Partition]
		if !ok || err != nil {
			return
		}
		moved = true
		if rec.Offset < span.To && !rec.Attrs.IsControl() {
			err = r.each(rec)
		}
		next := min(rec.Offset+1, span.To)
		r.progress(next - span.From)
		span.From = next
		r.left[rec.Topic][rec.Partition] = span
		if span.From >= span.To {
			delete(r.left[rec.Topic], rec.Partition)
			r.open--
		}
	})
	return moved, err
}

// All are the committed records of a topic up to its stable end of now, all of them in memory.
func All(ctx context.Context, connect Connect, topic string) ([]*kgo.Record, error) {
	spans, err := Between(ctx, connect, time.Time{}, topic)
	if err != nil {
		return nil, err
	}
	var all []*kgo.Record
	err = Read(ctx, connect, spans, func(r *kgo.Record) error {
		all = append(all, r)
		return nil
	}, nil)
	return all, err
}

// One reads the record at these coordinates; nil when it is not there any more.
func One(ctx context.Context, connect Connect, topic string, partition int32, offset int64) (*kgo.Record, error) {
	all, err := Between(ctx, connect, time.Time{}, topic)
	if err != nil {
		return nil, err
	}
	if !all.Contains(topic, partition, offset) {
		return nil, nil
	}
	var found *kgo.Record
	err = Read(ctx, connect, Spans{topic: {partition: {offset, offset + 1}}}, func(r *kgo.Record) error {
		if r.Offset == offset {
			found = r
		}
		return nil
	}, nil)
	return found, err
}
