package kafka

import (
	"bytes"
	"context"
	"fmt"
	"hash/maphash"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// lane is the queue of records of one partition that share a key. Its head is running, parked or unpublished; the others wait.
type lane struct {
	hash    uint64
	waiting []*Delivery
	parked  bool // its head is
}

// laneSeed makes lanes of keys; 64 bits under a random seed keep two keys of one partition apart for all that matters (they would only wait for each other).
var laneSeed = maphash.MakeSeed()

const (
	// unreasonable results park for this long.
	retryAfter = 30 * time.Second
	// a release although nothing leaves is tried again after this.
	releasedAfter = time.Second
	// slab is the number of deliveries allocated together; one that is parked for long keeps its slab.
	slab = 32
	// startTogether deliveries are handed to the pool at once, so that it runs while more are delivered.
	startTogether = 128
)

// distribute takes the records of a poll into their partitions' backlogs. It must run between the poll and AllowRebalance: a rebalance in between could
// bring a partition back with another position.
func (l *life) distribute(fetches kgo.Fetches) {
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		if len(f.Records) == 0 {
			return
		}
		l.mu.Lock()
		p := l.parts[topicPartition{f.Topic, f.Partition}]
		usable := p != nil && p.started && p.alarm == ""
		l.mu.Unlock()
		if !usable {
			return
		}
		if len(p.backlog) == 0 {
			p.backlog = f.Records
		} else {
			p.backlog = append(p.backlog, f.Records...)
		}
		for _, r := range f.Records {
			p.backlogBytes += recordBytes(r)
		}
		l.fetched += int64(len(f.Records))
		l.active[p] = struct{}{}
	})
}

func recordBytes(r *kgo.Record) int { return len(r.Key) + len(r.Value) + 128 }

// deliver hands records of the backlogs to their lanes, as far as the partitions' bounds allow.
func (l *life) deliver() {
	if l.blocked {
		return
	}
	for p := range l.active {
		if p.gone.Load() || len(p.backlog) == 0 {
			delete(l.active, p)
			continue
		}
		l.deliverPartition(p)
	}
	l.push()
}

// push hands what is to start to the pool.
func (l *life) push() {
	l.pool.push(l.starting...)
	clear(l.starting)
	l.starting = l.starting[:0]
}

func (l *life) deliverPartition(p *partition) {
	n := 0
	if p.inFlight >= l.cfg.MaxRecordsPerPartition || p.parked >= l.cfg.MaxParkedPerPartition {
		return
	}
	room := p.tracker.room(l.cfg.MetadataLimit / 4 * 3) // measuring may lower size: it must come first
	most := p.tracker.size + room                       // then no further record fits into the metadata
	for _, r := range p.backlog {
		if p.inFlight >= l.cfg.MaxRecordsPerPartition || p.parked >= l.cfg.MaxParkedPerPartition || p.tracker.size >= most {
			break
		}
		n++
		p.backlogBytes -= recordBytes(r)
		if r.Attrs.IsControl() {
			p.tracker.passed(r.Offset)
			continue
		}
		if !p.tracker.fetched(r.Offset) {
			continue
		}
		if len(l.slab) == 0 {
			l.slab = make([]Delivery, slab)
		}
		d := &l.slab[0]
		l.slab = l.slab[1:]
		d.Record, d.Resumed, d.part = r, p.resumed, p
		d.mark.offset, d.mark.at = r.Offset, r.Timestamp
		p.tracker.deliver(&d.mark)
		p.inFlight++
		l.enqueue(d)
		if len(l.starting) >= startTogether {
			l.push()
		}
	}
	clear(p.backlog[:n])
	p.backlog = p.backlog[n:]
	if len(p.backlog) == 0 {
		p.backlog = nil
	}
}

// enqueue puts d into its lane; a lane that was empty starts it.
func (l *life) enqueue(d *Delivery) {
	if d.Record.Key == nil {
		l.starting = append(l.starting, d)
		return
	}
	hash := maphash.Bytes(laneSeed, d.Record.Key)
	if ln := d.part.lanes[hash]; ln != nil {
		d.lane = ln
		if ln.parked {
			d.keep()
		}
		ln.waiting = append(ln.waiting, d)
		return
	}
	var ln *lane
	if n := len(l.spare); n > 0 {
		ln, l.spare = l.spare[n-1], l.spare[:n-1]
	} else {
		ln = new(lane)
	}
	ln.hash, d.lane = hash, ln
	d.part.lanes[hash] = ln
	l.starting = append(l.starting, d)
}

// next starts the record after d, which is published, or gives up the lane.
func (l *life) next(d *Delivery) {
	ln := d.lane
	if ln == nil {
		return
	}
	d.lane = nil
	if len(ln.waiting) > 0 {
		l.starting = append(l.starting, ln.waiting[0])
		ln.waiting[0] = nil
		ln.waiting = ln.waiting[1:]
		return
	}
	delete(d.part.lanes, ln.hash)
	ln.waiting = ln.waiting[:0]
	if len(l.spare) < 4096 {
		l.spare = append(l.spare, ln)
	}
}

// attempt runs the handler; it is what the pool's goroutines do.
func (l *life) attempt(d *Delivery) {
	d.Attempt++
	d.woken = l.wakeups.number()
	d.result = Result{}
	defer func() {
		if v := recover(); v != nil {
			l.log.Error("kafka handler panicked", slog.Any("panic", v), slog.String("topic", d.Record.Topic), slog.Int("partition", int(d.Record.Partition)),
				slog.Int64("offset", d.Record.Offset), slog.String("stack", string(debug.Stack())))
			d.result = Result{Park: &Park{Until: time.Now().Add(retryAfter), Reason: "panic"}}
		}
	}()
	d.result = l.handler.Handle(l.work, d)
}

// collect takes in what the handlers have finished.
func (l *life) collect(now time.Time) {
	done := l.pool.take(l.doneBuffer[:0])
	dropped := 0
	for i, d := range done {
		done[i] = nil
		switch r := &d.result; {
		case d.part.gone.Load():
			// The partition's next owner does it again, or finds it done.
			if r.Publish != nil {
				dropped++
			}
		case r.Publish != nil && r.Park == nil && !r.Released:
			l.unpublished = append(l.unpublished, d)
		case r.Park != nil && r.Publish == nil && !r.Released:
			l.park(d, r.Park, now)
		case r.Released && r.Publish == nil && r.Park == nil:
			if l.draining {
				continue // stays open
			}
			l.park(d, &Park{Until: now.Add(releasedAfter), Reason: "released"}, now)
		default:
			l.log.Error("kafka handler answered none or several of publish, park and released", slog.String("topic", d.Record.Topic),
				slog.Int("partition", int(d.Record.Partition)), slog.Int64("offset", d.Record.Offset))
			if r.Publish != nil {
				dropped++
			}
			l.park(d, &Park{Until: now.Add(retryAfter), Reason: "invalid result"}, now)
		}
	}
	l.doneBuffer = done
	l.pool.forget(dropped)
	if len(l.unpublished) > 0 && l.settleAt.IsZero() {
		l.settleAt = now.Add(l.cfg.SettleEvery)
	}
}

func (l *life) park(d *Delivery, park *Park, now time.Time) {
	d.result = Result{}
	d.keep()
	until := park.Until
	if until.IsZero() {
		until = now.Add(retryAfter)
	}
	if l.wakeups.since(d.woken, park.Keys) {
		l.starting = append(l.starting, d) // it was woken while it ran
		return
	}
	l.parked.add(d, until, park)
	if d.lane != nil {
		d.lane.parked = true
		for _, w := range d.lane.waiting {
			w.keep()
		}
	}
	d.part.inFlight--
	d.part.parked++
	d.part.reasons[park.Reason]++
}

// unpark starts what is due at now or was woken.
func (l *life) unpark(now time.Time) {
	for _, e := range l.parked.due(now, l.wakeups.take()) {
		p := e.d.part
		if p.gone.Load() {
			continue
		}
		if e.d.lane != nil {
			e.d.lane.parked = false
		}
		p.inFlight++
		p.parked--
		if p.reasons[e.park.Reason]--; p.reasons[e.park.Reason] == 0 {
			delete(p.reasons, e.park.Reason)
		}
		if !l.draining {
			l.starting = append(l.starting, e.d)
		}
	}
}

// keep makes d hold a copy of its record, so that waiting for long does not keep the record's fetch in memory.
func (d *Delivery) keep() {
	if !d.kept {
		d.Record, d.kept = cloneRecord(d.Record), true
	}
}

// cloneRecord copies what r shares with the rest of its fetch.
func cloneRecord(r *kgo.Record) *kgo.Record {
	c := *r
	c.Key, c.Value = bytes.Clone(r.Key), bytes.Clone(r.Value)
	c.Headers = slices.Clone(r.Headers)
	for i := range c.Headers {
		c.Headers[i].Value = bytes.Clone(c.Headers[i].Value)
	}
	if r.Context == nil {
		c.Context = context.Background()
	}
	return &c
}

// forgetGone drops what the engine's goroutine still holds of partitions that left.
func (l *life) forgetGone() {
	l.mu.Lock()
	gone := l.goneParts
	l.goneParts = nil
	l.mu.Unlock()
	if len(gone) == 0 {
		return
	}
	for _, p := range gone {
		l.parked.forget(p)
		delete(l.active, p)
		p.backlog, p.lanes = nil, nil
	}
	kept, dropped := l.unpublished[:0], 0
	for _, d := range l.unpublished {
		if d.part.gone.Load() {
			dropped++
			continue
		}
		kept = append(kept, d)
	}
	clear(l.unpublished[len(kept):])
	l.unpublished = kept
	l.pool.forget(dropped)
}

// pausing decides which partitions are fetched, and answers whether any takes records now. While none does there is no poll, and the client's own buffer
// is the back-pressure; pausing a partition makes the client throw away what it has fetched of it.
func (l *life) pausing() (hungry bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	hungry = len(l.parts) == 0
	for _, p := range l.parts {
		if p.alarm != "" {
			continue
		}
		room := p.tracker.room(l.cfg.MetadataLimit / 4 * 3)
		p.full = l.blocked || p.parked >= l.cfg.MaxParkedPerPartition || room <= 0
		// Resuming after the first record that leaves would pause again at once.
		p.easy = !p.full && len(p.backlog) == 0 && p.parked <= l.cfg.MaxParkedPerPartition*9/10 && room > l.cfg.MetadataLimit/16
		if (!p.paused && !p.full || p.paused && p.easy) && len(p.backlog) == 0 && p.inFlight < l.cfg.MaxRecordsPerPartition {
			hungry = true
		}
	}
	var pause, resume map[string][]int32
	note := func(m *map[string][]int32, p *partition) {
		if *m == nil {
			*m = make(map[string][]int32)
		}
		(*m)[p.topic] = append((*m)[p.topic], p.partition)
	}
	for _, p := range l.parts {
		switch {
		case p.alarm != "":
		case !p.paused && (p.full || hungry && p.backlogBytes >= l.cfg.MaxFetchedBytesPerPartition):
			p.paused = true
			note(&pause, p)
		case p.paused && p.easy:
			p.paused = false
			note(&resume, p)
		}
	}
	if pause != nil {
		l.cl.PauseFetchPartitions(pause)
	}
	if resume != nil {
		l.cl.ResumeFetchPartitions(resume)
	}
	return hungry
}

// String names the partition in errors.
func (tp topicPartition) String() string { return fmt.Sprintf("%s/%d", tp.topic, tp.partition) }
