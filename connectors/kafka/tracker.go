package kafka

import "time"

// markState says how far a delivered record got.
type markState uint8

const (
	markOpen    markState = iota // delivered, not settled
	markPending                  // its result is in the transaction being written
	markSettled                  // its result is published
)

// mark is a delivered record's place in its partition's tracker.
type mark struct {
	offset int64
	at     time.Time // the record's timestamp
	state  markState
}

// tracker knows what of one partition was delivered and what of it is still open. Offsets that are never delivered (transaction markers, aborted or compacted
// records) need no entry: everything up to the highest delivered offset that is not open is settled. It is not safe for concurrent use.
type tracker struct {
	known   bool  // a position is known: there was a commit, or something was seen
	highest int64 // highest offset seen
	entries []*mark
	settled int     // settled ones among entries
	expect  []int64 // open offsets of the metadata that were not fetched again yet; all above every entry
	changes uint64  // counts what changes the position or the open offsets
	saved   uint64  // changes when what is committed was computed
	size    int     // upper bound of what the distances between open offsets take in the metadata, bytes before base64
	last    int64   // the offset that size counts up to; 0 and size 0: none yet
}

// restore begins from a commit.
func (t *tracker) restore(m metadata) {
	*t = tracker{known: true, highest: m.Highest, expect: m.Open}
	t.measure()
}

// fetched takes note of a record at offset and reports whether it is to be delivered; one that is not was settled before this assignment. Offsets ascend.
func (t *tracker) fetched(offset int64) bool {
	t.drop(offset)
	if len(t.expect) > 0 && t.expect[0] == offset {
		return true
	}
	if t.known && offset <= t.highest {
		return false
	}
	t.known, t.highest = true, offset
	t.changes++
	return true
}

// passed takes note of an offset that is no record: a transaction marker.
func (t *tracker) passed(offset int64) {
	t.drop(offset)
	if !t.known || offset > t.highest {
		t.known, t.highest = true, offset
		t.changes++
	}
}

// drop forgets expected offsets below offset: fetching went past them, so they are not in the log any more (compacted).
func (t *tracker) drop(offset int64) {
	for len(t.expect) > 0 && t.expect[0] < offset {
		t.expect = t.expect[1:]
		t.changes++
	}
}

// deliver adds m, whose offset fetched has just accepted.
func (t *tracker) deliver(m *mark) {
	if len(t.expect) > 0 && t.expect[0] == m.offset {
		t.expect = t.expect[1:] // it is counted in size
	} else {
		t.count(m.offset)
	}
	t.entries = append(t.entries, m)
}

// pend marks m as settled by the transaction being written.
func (t *tracker) pend(m *mark) {
	m.state = markPending
	t.changes++
}

// reopen undoes pend.
func (t *tracker) reopen(m *mark) {
	m.state = markOpen
	t.changes++
}

// dirty reports whether something changed since what is committed was computed.
func (t *tracker) dirty() bool { return t.changes != t.saved }

// settle closes m, which was pending.
func (t *tracker) settle(m *mark) {
	m.state = markSettled
	t.settled++
	n := 0
	for n < len(t.entries) && t.entries[n].state == markSettled {
		t.entries[n] = nil
		n++
	}
	t.entries, t.settled = t.entries[n:], t.settled-n
	// Long-lived open records at the head must not keep every settled one behind them.
	if t.settled < 64 || t.settled < len(t.entries)/2 {
		return
	}
	kept := make([]*mark, 0, len(t.entries)-t.settled+64)
	for _, e := range t.entries {
		if e.state != markSettled {
			kept = append(kept, e)
		}
	}
	t.entries, t.settled = kept, 0
}

// position is the lowest unsettled offset, or the one after the highest seen.
func (t *tracker) position() int64 {
	for _, e := range t.entries {
		if e.state != markSettled {
			return e.offset
		}
	}
	if len(t.expect) > 0 {
		return t.expect[0]
	}
	return t.highest + 1
}

// commit answers position and metadata with pending records taken for settled.
func (t *tracker) commit(epoch string) (int64, string) {
	var open []int64
	for _, e := range t.entries {
		if e.state == markOpen {
			open = append(open, e.offset)
		}
	}
	open = append(open, t.expect...)
	position := t.highest + 1
	if len(open) > 0 {
		position = open[0]
	}
	return position, encodeMetadata(position, metadata{Epoch: epoch, Highest: t.highest, Open: open})
}

// oldest is the timestamp of the unsettled record with the lowest offset, zero without one.
func (t *tracker) oldest() time.Time {
	for _, e := range t.entries {
		if e.state != markSettled {
			return e.at
		}
	}
	return time.Time{}
}

// open is the number of unsettled records.
func (t *tracker) open() int { return len(t.entries) - t.settled + len(t.expect) }

// count adds an open offset above all others to size.
func (t *tracker) count(offset int64) {
	t.size += varintLen(uint64(offset - t.last))
	t.last = offset
}

// measure makes size exact. The distance from zero to the first offset, which the metadata leaves out, is counted, too.
func (t *tracker) measure() {
	t.size, t.last = 0, 0
	for _, e := range t.entries {
		if e.state != markSettled {
			t.count(e.offset)
		}
	}
	for _, offset := range t.expect {
		t.count(offset)
	}
}

// room answers how much space is left in metadata of limit bytes of text, in bytes before base64; at 0 or less no further record is to be delivered. Delivered
// records are added to size as they come, settled ones only leave it when it is measured, which happens where a quarter or less seems to be left: the
// distance over a settled record is never longer than the two around it. What is answered is exact there, and otherwise at most what is left.
func (t *tracker) room(limit int) int {
	// Version, epoch with its length, highest, position, count.
	const fixed = 1 + 1 + maxEpoch + 10 + 10 + 3
	most := limit/4*3 - fixed
	if most-t.size <= most/4 {
		t.measure()
	}
	return most - t.size
}
