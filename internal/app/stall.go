package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/booksync/booksync/connectors/kafka"
	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/internal/telemetry"
)

// A stalled worker is the silent failure that everyone fears: nothing fails, nothing moves, and nobody is told. The watchdog
// looks for work that does not move and has no reason that is shown elsewhere. It knows three kinds:
//
//   - an attempt at a record that runs on and neither waits for its budget nor has begun or ended a call lately: a call that
//     never answers in spite of its timeout, a deadlock;
//   - what the engine itself finds: its loop does not turn, a record that no queue holds, a wake-up that was lost;
//   - a partition to which records are written and from which none are fetched.
//
// Parked records have a reason, which metrics and `status` show; so has a call that waits for its budget while there is little
// of it; and while Redis or Kafka is away everything that needs them waits, which /readyz says.
const (
	// shortestStall is from how long without a sign of life on work hangs: longer than a call takes at the default timeout with
	// all that Redis and the accounts server may take, short enough to be known within a minute.
	shortestStall = 50 * time.Second
	// looksPerStall is how often the watchdog looks within that time.
	looksPerStall = 10
	// stackLimit bounds the goroutines' stacks that are logged once when a stall is found, in bytes.
	stackLimit = 256 << 10
	// attemptsNamed is how many hanging attempts a reason names.
	attemptsNamed = 3
)

// stallAfter is how long work may go without a sign of life: a call that is never answered keeps its slot for one and a half
// timeouts, and others wait for it.
func (s *Service) stallAfter() time.Duration {
	if s.opts.StallAfter > 0 {
		return s.opts.StallAfter
	}
	return max(shortestStall, s.cfg.Zoho.Timeout*3/2+5*time.Second)
}

// watchdog finds what is stalled.
type watchdog struct {
	s     *Service
	limit time.Duration

	mu       sync.Mutex
	attempts map[*runningAttempt]struct{}
	lastCall time.Time // of any call to Zoho
	looked   time.Time
	stall    error // what the last look found

	// Used by the watchdog's goroutine only.
	redisBack time.Time // since when Redis answers
	kafkaBack time.Time
	fetching  map[string]fetched // by topic and partition
}

// runningAttempt is one that runs.
type runningAttempt struct {
	where    string
	started  time.Time
	activity *zohobooks.Activity
}

// fetched is how far a partition is, and since when more has been written to it.
type fetched struct {
	position, end int64
	behind        time.Time
}

func newWatchdog(s *Service) *watchdog {
	now := time.Now()
	return &watchdog{
		s: s, limit: s.stallAfter(), attempts: make(map[*runningAttempt]struct{}), looked: now, redisBack: now, kafkaBack: now,
		fetching: make(map[string]fetched),
	}
}

// watch looks until ctx ends.
func (w *watchdog) watch(ctx context.Context) {
	tick := time.NewTicker(w.limit / looksPerStall)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			w.look(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// attempt notes that an attempt runs; over says that it ended.
func (w *watchdog) attempt(ctx context.Context, topic string, partition int32, offset int64) (_ context.Context, over func()) {
	a := &runningAttempt{where: topic + "/" + strconv.Itoa(int(partition)) + "/" + strconv.FormatInt(offset, 10), started: time.Now()}
	ctx, a.activity = zohobooks.WatchActivity(ctx)
	w.mu.Lock()
	w.attempts[a] = struct{}{}
	w.mu.Unlock()
	return ctx, func() {
		w.mu.Lock()
		delete(w.attempts, a)
		w.mu.Unlock()
	}
}

// called notes that a call to Zoho ended.
func (w *watchdog) called() {
	w.mu.Lock()
	w.lastCall = time.Now()
	w.mu.Unlock()
}

// stalled is what the last look found; nil for nothing. It does not block.
func (w *watchdog) stalled() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if late := time.Since(w.looked); late > w.limit {
		return fmt.Errorf("the watchdog itself has not looked for %s", late.Round(time.Second))
	}
	return w.stall
}

// look finds what is stalled now, and logs when that begins and ends.
func (w *watchdog) look(ctx context.Context) {
	asking, cancel := context.WithTimeout(ctx, w.limit/2)
	defer cancel()
	if err := w.s.store.Client.Ping(asking); err != nil {
		w.redisBack = time.Now()
	}
	var found []error
	if e := w.s.engine.Load(); e != nil {
		found = append(found, w.engine(asking, e)...)
	}
	found = append(found, w.running(asking)...)
	if ctx.Err() != nil {
		return
	}
	now := errors.Join(found...)
	w.mu.Lock()
	before := w.stall
	w.stall, w.looked = now, time.Now()
	w.mu.Unlock()
	switch {
	case now != nil && before == nil:
		stacks := make([]byte, stackLimit)
		stacks = stacks[:runtime.Stack(stacks, true)]
		w.s.log.Error("work stalled, and nothing says why", slog.String("reason", oneLine(now)), slog.String("stacks", string(stacks)))
	case now == nil && before != nil:
		w.s.log.Warn("work moves again")
	}
}

// engine is what the engine finds, and the partitions from which nothing comes.
func (w *watchdog) engine(ctx context.Context, e *kafka.Engine) []error {
	now := time.Now()
	var found []error
	if still := now.Sub(e.Beat()); still > w.limit {
		found = append(found, fmt.Errorf("the engine's loop has not turned for %s", still.Round(time.Second)))
	}
	st := e.Status()
	ends, err := e.AllEnds(ctx)
	if err != nil || e.Ready() != nil {
		w.kafkaBack = now
	}
	if err == nil {
		found = append(found, w.fetches(now, st, ends)...)
	}
	return append(found, w.stuck(now, st)...)
}

// stuck judges what the engine found of itself: while Kafka is away nothing is published.
func (w *watchdog) stuck(now time.Time, st kafka.Status) []error {
	var found []error
	for _, s := range st.Stuck {
		if still := now.Sub(later(s.Since, w.kafkaBack)); still > w.limit {
			found = append(found, fmt.Errorf("%s: %d for %s", s.What, s.Records, still.Round(time.Second)))
		}
	}
	return found
}

// fetches finds partitions to which more was written after their position stood still.
func (w *watchdog) fetches(now time.Time, st kafka.Status, ends map[string]map[int32]int64) []error {
	var found []error
	seen := make(map[string]fetched, len(st.Partitions))
	for _, p := range st.Partitions {
		end, known := ends[p.Topic][p.Partition]
		if !known || p.Open > 0 || p.Backlog > 0 || p.Paused || p.Alarm != "" || st.Paused != "" || st.Draining {
			continue // what is open is the attempts' matter, the rest is shown
		}
		name := p.Topic + "/" + strconv.Itoa(int(p.Partition))
		f, before := w.fetching[name]
		switch {
		case !before || f.position != p.Position:
			f = fetched{position: p.Position, end: end}
		case end > f.end && f.behind.IsZero():
			f.behind = now
		}
		if seen[name] = f; f.behind.IsZero() {
			continue
		}
		if still := now.Sub(later(f.behind, w.kafkaBack)); still > w.limit {
			found = append(found, fmt.Errorf("%s: nothing was fetched for %s, its position is %d and its end %d", name, still.Round(time.Second), p.Position, end))
		}
	}
	w.fetching = seen
	return found
}

// running finds attempts that show no sign of life.
func (w *watchdog) running(ctx context.Context) []error {
	now := time.Now()
	w.mu.Lock()
	var hanging, waiting []string
	var longest, waited time.Duration
	for a := range w.attempts {
		still := now.Sub(later(a.started, a.activity.Last(), w.redisBack, w.kafkaBack))
		switch {
		case still <= w.limit:
		case a.activity.Waits():
			waiting, waited = append(waiting, a.where), max(waited, still)
		default:
			hanging, longest = append(hanging, a.where), max(longest, still)
		}
	}
	idle := now.Sub(later(w.lastCall, w.redisBack))
	w.mu.Unlock()
	var found []error
	if n := len(hanging); n > 0 {
		found = append(found, fmt.Errorf("%d records are worked on without a sign of life, the longest for %s: %s", n, longest.Round(time.Second), few(hanging)))
	}
	if n := len(waiting); n > 0 && idle > w.limit && !shortOfBudget(w.s.state(ctx).Organizations) {
		found = append(found, fmt.Errorf("%d records wait for a budget of which there is enough, the longest for %s: %s", n, waited.Round(time.Second), few(waiting)))
	}
	return found
}

// shortOfBudget says whether an organisation may make no calls now.
func shortOfBudget(orgs []telemetry.OrganizationState) bool {
	for _, o := range orgs {
		if o.Paused || o.Circuit != telemetry.CircuitClosed || o.MinuteRemaining <= 0 || o.DayRemaining == 0 {
			return true
		}
	}
	return false
}

func few(names []string) string {
	text := strings.Join(names[:min(len(names), attemptsNamed)], ", ")
	if len(names) > attemptsNamed {
		text += ", ..."
	}
	return text
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// later is the latest of them.
func later(first time.Time, others ...time.Time) time.Time {
	for _, t := range others {
		if t.After(first) {
			first = t
		}
	}
	return first
}
