package dlq

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// place is one partition of a topic.
type place struct {
	topic     string
	partition int32
}

// span is a part of a partition: from inclusive, to exclusive.
type span struct{ from, to int64 }

// Bounds of what a reader holds in memory.
const (
	fetchBytes     = 8 << 20
	partitionBytes = 1 << 20
	pollRecords    = 1000
	// quiet is how long nothing may come before the log's start is looked at again: retention may have removed what is waited for.
	quiet = 2 * time.Second
	// patience is how long nothing may come at all.
	patience = 60 * time.Second
)

// spans are the whole of the topics as a read_committed reader sees them now; partitions without records are left out.
func (d *Desk) spans(ctx context.Context, topics ...string) (map[place]span, error) {
	if len(topics) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 3*requestTimeout)
	defer cancel()
	out := make(map[place]span)
	ends, err := listed(d.adm.ListCommittedOffsets(ctx, topics...))
	if err != nil {
		return nil, err
	}
	starts, err := listed(d.adm.ListStartOffsets(ctx, topics...))
	if err != nil {
		return nil, err
	}
	for at, to := range ends {
		if from := starts[at]; from < to {
			out[at] = span{from, to}
		}
	}
	return out, nil
}

func listed(offsets kadm.ListedOffsets, err error) (map[place]int64, error) {
	if err == nil {
		err = offsets.Error()
	}
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return nil, fmt.Errorf("listing offsets: %w: %w", ErrMissing, err)
	case err != nil:
		return nil, unavailable("listing offsets", err)
	}
	out := make(map[place]int64)
	offsets.Each(func(o kadm.ListedOffset) { out[place{o.Topic, o.Partition}] = o.Offset })
	return out, nil
}

// since moves the beginnings of spans to the first records that are not older.
func (d *Desk) since(ctx context.Context, spans map[place]span, t time.Time, topics ...string) error {
	ctx, cancel := context.WithTimeout(ctx, 3*requestTimeout)
	defer cancel()
	first, err := listed(d.adm.ListOffsetsAfterMilli(ctx, t.UnixMilli(), topics...))
	if err != nil {
		return err
	}
	for at, s := range spans {
		if s.from = max(s.from, first[at]); s.from < s.to {
			spans[at] = s
		} else {
			delete(spans, at)
		}
	}
	return nil
}

// until moves the ends of spans to the first records that are younger.
func (d *Desk) until(ctx context.Context, spans map[place]span, t time.Time, topics ...string) error {
	ctx, cancel := context.WithTimeout(ctx, 3*requestTimeout)
	defer cancel()
	first, err := listed(d.adm.ListOffsetsAfterMilli(ctx, t.UnixMilli(), topics...))
	if err != nil {
		return err
	}
	for at, s := range spans {
		if end, ok := first[at]; ok && end > s.from {
			spans[at] = span{s.from, min(s.to, end)}
		} else {
			delete(spans, at)
		}
	}
	return nil
}

// stream calls each with every committed record of the spans: by offset within a partition. It blocks until all are read.
func (d *Desk) stream(ctx context.Context, spans map[place]span, each func(*kgo.Record) error) error {
	if len(spans) == 0 {
		return nil
	}
	next := make(map[place]int64, len(spans))
	start := make(map[string]map[int32]kgo.Offset)
	for at, s := range spans {
		next[at] = s.from
		if start[at.topic] == nil {
			start[at.topic] = make(map[int32]kgo.Offset)
		}
		start[at.topic][at.partition] = kgo.NewOffset().At(s.from)
	}
	cl, err := kgo.NewClient(append(slices.Clone(d.opts),
		kgo.ConsumePartitions(start), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		// Only markers show that the end of a partition whose last transaction was aborted is passed.
		kgo.KeepControlRecords(),
		kgo.FetchMaxBytes(fetchBytes), kgo.FetchMaxPartitionBytes(partitionBytes), kgo.FetchMaxWait(100*time.Millisecond),
	)...)
	if err != nil {
		return fmt.Errorf("configuring Kafka: %w", err)
	}
	defer cl.Close()
	heard := time.Now()
	for len(next) > 0 {
		n, err := d.poll(ctx, cl, spans, next, each)
		switch {
		case err != nil:
			return err
		case n > 0:
			heard = time.Now()
			continue
		case time.Since(heard) > patience:
			return unavailable("reading", fmt.Errorf("nothing came for %s", patience))
		}
		if err := d.forgetRemoved(ctx, spans, next); err != nil {
			return err
		}
	}
	return nil
}

// poll handles what comes next, and says how many records that was.
func (d *Desk) poll(ctx context.Context, cl *kgo.Client, spans map[place]span, next map[place]int64, each func(*kgo.Record) error) (n int, err error) {
	pollCtx, cancel := context.WithTimeout(ctx, quiet)
	defer cancel()
	fetches := cl.PollRecords(pollCtx, pollRecords)
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("reading: %w", err)
	}
	for _, e := range fetches.Errors() {
		if !errors.Is(e.Err, context.DeadlineExceeded) {
			return 0, unavailable(fmt.Sprintf("reading %s/%d", e.Topic, e.Partition), e.Err)
		}
	}
	fetches.EachRecord(func(rec *kgo.Record) {
		at := place{rec.Topic, rec.Partition}
		want, ok := next[at]
		if n++; err != nil || !ok || rec.Offset < want {
			return
		}
		next[at] = rec.Offset + 1
		if to := spans[at].to; rec.Offset+1 >= to {
			delete(next, at)
			cl.PauseFetchPartitions(map[string][]int32{at.topic: {at.partition}})
			if rec.Offset >= to {
				return
			}
		}
		if !rec.Attrs.IsControl() {
			err = each(rec)
		}
	})
	return n, err
}

// forgetRemoved drops partitions whose wanted records retention has removed meanwhile.
func (d *Desk) forgetRemoved(ctx context.Context, spans map[place]span, next map[place]int64) error {
	var topics []string
	for at := range next {
		if !slices.Contains(topics, at.topic) {
			topics = append(topics, at.topic)
		}
	}
	now, err := d.spans(ctx, topics...)
	if err != nil {
		return err
	}
	for at := range next {
		if s, ok := now[at]; !ok || s.from >= spans[at].to {
			delete(next, at)
		}
	}
	return nil
}

// nearby is how many records may lie between two wanted ones that are still read in one go.
const nearby = 5000

// fetch answers those of the records that are still there. Their order is that of the topics.
func (d *Desk) fetch(ctx context.Context, ids ...ID) (map[ID]*kgo.Record, error) {
	found := make(map[ID]*kgo.Record, len(ids))
	byPlace := make(map[place][]int64)
	var topics []string
	for _, id := range ids {
		if !slices.Contains(topics, id.Topic) {
			topics = append(topics, id.Topic)
		}
	}
	there, err := d.spans(ctx, topics...)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		at := place{id.Topic, id.Partition}
		if s, ok := there[at]; ok && id.Offset >= s.from && id.Offset < s.to {
			byPlace[at] = append(byPlace[at], id.Offset)
		}
	}
	for len(byPlace) > 0 {
		spans := make(map[place]span)
		wanted := make(map[ID]bool)
		for at, offsets := range byPlace {
			slices.Sort(offsets)
			n := 1
			for n < len(offsets) && offsets[n]-offsets[n-1] <= nearby {
				n++
			}
			for _, o := range offsets[:n] {
				wanted[ID{at.topic, at.partition, o}] = true
			}
			spans[at] = span{offsets[0], offsets[n-1] + 1}
			if byPlace[at] = offsets[n:]; len(byPlace[at]) == 0 {
				delete(byPlace, at)
			}
		}
		err := d.stream(ctx, spans, func(rec *kgo.Record) error {
			if id := idOf(rec); wanted[id] {
				found[id] = rec
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}
