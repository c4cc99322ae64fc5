package kafka

import (
	"slices"
	"time"
)

// Stuck is a part of the engine that does not move although it could: a wake-up that was lost, a record that no queue holds any more.
type Stuck struct {
	What    string
	Records int
	Since   time.Time
}

// watch compares one look at a life with the next. Nothing in it is expected ever to last: it finds what the engine itself has done wrong, and what
// waits for good reasons (a parked record, a handler that runs, Kafka away) never shows. It belongs to the engine's goroutine.
type watch struct {
	since   map[string]time.Time
	started uint64
	settled int64
}

const (
	stuckLane   = "records are in no queue"
	stuckParked = "parked records are in no queue"
	stuckDue    = "parked records are overdue"
	stuckStart  = "records could start and do not"
	stuckSettle = "results are not published"
)

// look answers what is stuck. An unpublished result may wait for Kafka: whoever asks knows from [Engine.Ready] whether it is there.
func (w *watch) look(l *life, now time.Time) []Stuck {
	found := map[string]int{}
	inFlight, parked, waiting := 0, 0, 0
	l.mu.Lock()
	for _, p := range l.parts {
		inFlight += p.inFlight
		parked += p.parked
		for _, ln := range p.lanes {
			waiting += len(ln.waiting)
		}
	}
	l.mu.Unlock()
	ready, running, done := l.pool.counts()
	unpublished := len(l.unpublished)
	if l.settling != nil {
		unpublished += len(l.settling.batch)
	}
	// Those of partitions that left may still be counted in queues: then there seem to be more than there are, never fewer.
	found[stuckLane] = inFlight - len(l.starting) - ready - running - done - unpublished - waiting
	found[stuckParked] = parked - len(l.parked.byTime)
	found[stuckDue], found[stuckStart], found[stuckSettle] = 0, 0, 0
	if at, ok := l.parked.next(); ok && now.After(at) {
		found[stuckDue] = 1
	}
	could, started := l.pool.startable()
	if could && started == w.started {
		found[stuckStart] = ready
	}
	if w.settled == l.settled && !l.blocked {
		found[stuckSettle] = unpublished
	}
	w.started, w.settled = started, l.settled

	var out []Stuck
	if w.since == nil {
		w.since = make(map[string]time.Time)
	}
	for what, n := range found {
		switch since, known := w.since[what]; {
		case n <= 0 || l.draining:
		case known:
			out = append(out, Stuck{What: what, Records: n, Since: since})
			continue
		default:
			w.since[what] = now
			continue
		}
		delete(w.since, what)
	}
	slices.SortFunc(out, func(a, b Stuck) int { return a.Since.Compare(b.Since) })
	return out
}
