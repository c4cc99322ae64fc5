package kafka

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Status is what the engine is doing, as of At.
type Status struct {
	At           time.Time
	Partitions   []PartitionStatus
	Running      int            // handlers that run
	Ready        int            // records that could start and wait for a goroutine or the bound of unpublished results
	Unpublished  int            // results that wait for their transaction
	Parked       map[string]int // parked records by reason
	Fetched      int64          // records fetched since the engine's client started
	Settled      int64          // records settled since then
	Restarts     int            // how often the engine started itself anew
	LastRestart  string         // why, the last time
	LastProgress time.Time      // of the last committed transaction, or of the start
	Paused       string         // why nothing is consumed; empty if something is
	Draining     bool
	// Stuck is what does not move although nothing it waits for is missing, longest first; see [Stuck].
	Stuck []Stuck
}

// PartitionStatus is one assigned partition.
type PartitionStatus struct {
	Topic           string
	Partition       int32
	Started         bool  // its commit was read and it is fetched; before, it is only assigned
	Position        int64 // to be committed next; -1 if unknown
	Committed       int64 // last committed by this process; -1 if none
	Highest         int64 // highest delivered offset
	Open            int   // delivered and not settled
	Parked          int
	Backlog         int       // fetched, not yet delivered
	OldestUnsettled time.Time // timestamp of the oldest unsettled record; zero if none
	Paused          bool      // takes no new records for now: a bound is reached
	Alarm           string    // why it is stopped for good; empty if it is not
}

// state is what Ready and Status share with the loop.
type state struct {
	status atomic.Pointer[Status]
	beatAt atomic.Int64 // when the engine's goroutine was last seen, nanoseconds since the epoch

	mu         sync.Mutex
	began      time.Time
	progress   time.Time
	restarts   int
	lastError  error
	errorAt    time.Time
	outputErr  error
	sourceErr  error
	pollErr    error
	pollErrAt  time.Time
	snapshotAt time.Time
}

// An error of a poll makes the engine unready for pollErrorFor; lasting ones come again within it.
const pollErrorFor = 15 * time.Second

// unstableFor transaction timeouts is how long a dead predecessor's transaction may keep a partition's commits from being read: its time, and that of the
// brokers' next look for such ones. The client waits for longer, and says nothing (KIP-447: UNSTABLE_OFFSET_COMMIT).
const unstableFor = 3

// snapshotEvery is how old a Status may be while the loop turns.
const snapshotEvery = 200 * time.Millisecond

func (s *state) start(now time.Time) {
	s.began, s.progress = now, now
	s.beat(now)
	s.status.Store(&Status{At: now, LastProgress: now})
}

func (s *state) progressed(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.progress, s.lastError = now, nil
}

func (s *state) restarted(now time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.beat(now)
	s.restarts++
	s.lastError, s.errorAt = err, now
	old := *s.status.Load()
	old.At, old.Partitions, old.Restarts, old.Running, old.Ready, old.Unpublished, old.Parked = now, nil, s.restarts, 0, 0, 0, nil
	if err != nil {
		old.LastRestart = err.Error()
	}
	s.status.Store(&old)
}

func (s *state) outputs(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outputErr = err
}

func (s *state) sources(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sourceErr = err
}

func (s *state) pollFailed(now time.Time, topic string, partition int32, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if topic != "" {
		err = fmt.Errorf("consuming %s/%d: %w", topic, partition, err)
	}
	s.pollErr, s.pollErrAt = err, now
}

// snapshot renews what Status answers.
func (l *life) snapshot(now time.Time, force bool) {
	l.state.mu.Lock()
	due := force || now.Sub(l.state.snapshotAt) >= snapshotEvery
	if due {
		l.state.snapshotAt = now
	}
	st := &Status{At: now, Restarts: l.state.restarts, LastProgress: l.state.progress, Draining: l.draining, Parked: make(map[string]int)}
	l.state.mu.Unlock()
	l.state.beat(now)
	if !due {
		return
	}
	st.LastRestart = l.state.status.Load().LastRestart
	st.Fetched, st.Settled, st.Unpublished = l.fetched, l.settled, len(l.unpublished)
	if l.settling != nil {
		st.Unpublished += len(l.settling.batch)
	}
	st.Ready, st.Running, _ = l.pool.counts()
	if l.blocked {
		st.Paused = "an output topic is missing or forbidden"
	}
	l.mu.Lock()
	for _, p := range l.parts {
		ps := PartitionStatus{
			Topic: p.topic, Partition: p.partition, Started: p.started, Position: -1, Committed: p.committed, Highest: p.tracker.highest, Open: p.tracker.open(),
			Parked: p.parked, Backlog: len(p.backlog), Paused: p.paused, Alarm: p.alarm, OldestUnsettled: p.tracker.oldest(),
		}
		if p.tracker.known {
			ps.Position = p.tracker.position()
		}
		for reason, n := range p.reasons {
			st.Parked[reason] += n
		}
		st.Partitions = append(st.Partitions, ps)
	}
	l.mu.Unlock()
	st.Stuck = l.watch.look(l, now)
	l.state.status.Store(st)
}

func (s *state) beat(now time.Time) { s.beatAt.Store(now.UnixNano()) }

// Beat is when the engine's goroutine was last seen. It comes by at least every few seconds, also while Kafka is away: one that stays away hangs.
func (e *Engine) Beat() time.Time { return time.Unix(0, e.state.beatAt.Load()) }

// Status answers what the engine is doing. It does not block; while the loop turns it is at most a few hundred milliseconds old.
func (e *Engine) Status() Status { return *e.state.status.Load() }

// Ready answers nil when the engine consumes: it is in the group, its output topics are usable, no partition is stopped, nothing fails right now.
func (e *Engine) Ready() error {
	now := time.Now()
	var errs []error
	e.mu.Lock()
	l := e.current
	e.mu.Unlock()
	e.state.mu.Lock()
	switch {
	case e.state.lastError != nil && now.Sub(e.state.errorAt) < pollErrorFor:
		errs = append(errs, fmt.Errorf("kafka: started anew at %s: %w", e.state.errorAt.UTC().Format(time.RFC3339), e.state.lastError))
	case l == nil && e.state.outputErr == nil:
		errs = append(errs, errors.New("kafka: not started"))
	}
	if e.state.outputErr != nil {
		errs = append(errs, e.state.outputErr)
	}
	if e.state.sourceErr != nil {
		errs = append(errs, e.state.sourceErr)
	}
	if e.state.pollErr != nil && now.Sub(e.state.pollErrAt) < pollErrorFor {
		errs = append(errs, fmt.Errorf("kafka: polling: %w", e.state.pollErr))
	}
	e.state.mu.Unlock()
	if l == nil {
		return errors.Join(errs...)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.joined {
		errs = append(errs, fmt.Errorf("kafka: group %q not joined yet", e.cfg.Group))
	}
	for _, p := range l.parts {
		switch held := now.Sub(p.since); {
		case p.alarm != "":
			errs = append(errs, fmt.Errorf("kafka: partition %s is stopped: %s", p.topicPartition, p.alarm))
		case !p.started && held > unstableFor*e.cfg.TransactionTimeout:
			errs = append(errs, fmt.Errorf("kafka: partition %s has had no position for %s: its commits are held back by a transaction that nobody ends: "+
				"look with kafka-transactions.sh find-hanging", p.topicPartition, held.Round(time.Second)))
		}
	}
	return errors.Join(errs...)
}
