package kafka

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// coordinate is where a source record is.
type coordinate struct {
	partition int32
	offset    int64
}

// read answers every record of a topic that a read_committed reader sees now, in order of partition and offset.
func (k *kit) read(topic string) []*kgo.Record {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	ends, err := k.admin.Ends(ctx, topic)
	if err != nil {
		k.t.Fatal(err)
	}
	starts, err := k.admin.Starts(ctx, topic)
	if err != nil {
		k.t.Fatal(err)
	}
	left := make(map[int32]int64)
	from := make(map[int32]kgo.Offset)
	for n, end := range ends[topic] {
		if starts[topic][n] < end {
			left[n] = end
			from[n] = kgo.NewOffset().At(starts[topic][n])
		}
	}
	if len(left) == 0 {
		return nil
	}
	opts, err := k.config("reader").ClientOpts()
	if err != nil {
		k.t.Fatal(err)
	}
	cl, err := kgo.NewClient(append(opts, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())...)
	if err != nil {
		k.t.Fatal(err)
	}
	defer cl.Close()
	var records []*kgo.Record
	for len(left) > 0 {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			k.t.Fatalf("reading %s, left %v: %v", topic, left, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset >= left[r.Partition]-1 {
				delete(left, r.Partition)
			}
			if !r.Attrs.IsControl() && r.Offset < ends[topic][r.Partition] {
				records = append(records, r)
			}
		})
	}
	slices.SortStableFunc(records, func(a, b *kgo.Record) int {
		if a.Partition != b.Partition {
			return int(a.Partition - b.Partition)
		}
		return int(a.Offset - b.Offset)
	})
	return records
}

// settledRecords answers how often each source record has an outcome, and complains about outcomes out of their key's order.
func (k *kit) settledRecords() map[coordinate]int {
	k.t.Helper()
	settled := make(map[coordinate]int)
	type lane struct {
		partition int32
		key       string
	}
	last := make(map[lane]int64)
	for _, r := range k.read(k.outcomes) {
		p, o, ok := strings.Cut(string(r.Value), "/")
		partition, err := strconv.Atoi(p)
		offset, err2 := strconv.ParseInt(o, 10, 64)
		if !ok || err != nil || err2 != nil {
			k.t.Fatalf("odd outcome %q", r.Value)
		}
		settled[coordinate{int32(partition), offset}]++
		if r.Key == nil {
			continue
		}
		at := lane{int32(partition), string(r.Key)}
		if before, ok := last[at]; ok && offset <= before {
			k.t.Errorf("key order: outcome of %s at offset %d comes after that of %d", r.Key, offset, before)
		}
		last[at] = offset
	}
	return settled
}

// checkCommits proves that nothing is committed past an unsettled record that the metadata does not show. It may run at any time.
func (k *kit) checkCommits() {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	// Positions first: outcomes are published together with them or earlier.
	positions, err := k.admin.Positions(ctx)
	if err != nil {
		k.t.Fatal(err)
	}
	k.stable(ctx)
	records := k.read(k.source)
	settled := k.settledRecords()
	for n, p := range positions[k.source] {
		m, err := decodeMetadata(p.Offset, p.Metadata)
		if err != nil {
			k.t.Errorf("metadata of partition %d at %d: %v", n, p.Offset, err)
			continue
		}
		for _, r := range records {
			at := coordinate{r.Partition, r.Offset}
			if r.Partition == n && r.Offset <= m.Highest && !slices.Contains(m.Open, r.Offset) && settled[at] == 0 {
				k.t.Errorf("commit of partition %d at %d (highest %d, open %v) says that offset %d is settled, it is not", n, p.Offset, m.Highest, m.Open, r.Offset)
			}
		}
	}
}

// stable waits until everything that is in the outcome topic now is decided: an open transaction hides the committed ones behind it.
func (k *kit) stable(ctx context.Context) {
	k.t.Helper()
	ends, err := k.admin.adm.ListEndOffsets(ctx, k.outcomes)
	if err != nil {
		k.t.Fatal(err)
	}
	k.eventually("open transactions are decided", func() bool {
		now, err := k.admin.Ends(ctx, k.outcomes)
		if err != nil {
			return false
		}
		stable := true
		ends.Each(func(o kadm.ListedOffset) { stable = stable && now[o.Topic][o.Partition] >= o.Offset })
		return stable
	})
}

// checkAll waits until every source record has an outcome and proves the promises: exactly one outcome each, key order, honest commits.
func (k *kit) checkAll() {
	k.t.Helper()
	records := k.read(k.source)
	var missing []string
	k.t.Cleanup(func() {
		if k.t.Failed() && len(missing) > 0 {
			k.t.Logf("%d of %d without an outcome: %v", len(missing), len(records), missing[:min(len(missing), 30)])
		}
	})
	k.within(60*time.Second, "every record has an outcome", func() bool {
		settled := k.settledRecords()
		missing = missing[:0]
		for _, r := range records {
			if settled[coordinate{r.Partition, r.Offset}] == 0 {
				missing = append(missing, fmt.Sprintf("%d/%d", r.Partition, r.Offset))
			}
		}
		return len(missing) == 0
	})
	k.checkOnce()
}

// checkOnce is checkAll without waiting, and without asking for every record to be settled.
func (k *kit) checkOnce() {
	k.t.Helper()
	for at, n := range k.settledRecords() {
		if n != 1 {
			k.t.Errorf("record %d/%d has %d outcomes", at.partition, at.offset, n)
		}
	}
	k.checkCommits()
}

// waitSettled waits until n records have outcomes.
func (k *kit) waitSettled(n int) {
	k.t.Helper()
	k.eventually(fmt.Sprintf("%d outcomes", n), func() bool { return len(k.settledRecords()) >= n })
}
