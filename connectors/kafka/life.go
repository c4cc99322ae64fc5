package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// life is one client from its producer id to its end. An error ends it and the engine begins the next one, which knows only what was committed.
type life struct {
	*Engine
	cl   *kgo.Client
	work context.Context // the handlers'
	v2   bool            // the cluster runs transaction.version 2
	pool *pool

	settleCtx    context.Context
	cancelSettle context.CancelFunc
	settlers     sync.WaitGroup

	mu        sync.Mutex
	parts     map[topicPartition]*partition // assigned now
	goneParts []*partition                  // left, not yet forgotten by the engine's goroutine
	joined    bool                          // an assignment was received
	stopping  bool                          // every leaving channel is closed

	// Only the engine's goroutine touches what follows.
	active      map[*partition]struct{} // with a backlog
	starting    []*Delivery             // to be handed to the pool
	spare       []*lane
	slab        []Delivery
	doneBuffer  []*Delivery
	parked      parked
	unpublished []*Delivery
	settling    *settlement // the transaction under way
	settleAt    time.Time   // when the next transaction is due; zero when nothing waits
	moveAt      time.Time   // when positions without results are committed next
	lookAt      time.Time   // when the output topics are looked at next
	refusals    int         // transactions the group refused in a row
	lookSoon    bool        // a consumed topic was missing when the topics were looked at
	watch       watch
	blocked     bool // an output topic is missing or forbidden
	draining    bool
	fetched     int64
	settled     int64
}

const (
	// moveEvery is how often positions are committed that moved without a result.
	moveEvery = time.Second
	// lookEvery is how often the output topics are looked at while they are there, and lookAgain while they are not.
	lookEvery = 15 * time.Second
	lookAgain = time.Second
	// startTimeout bounds the requests before joining the group; then the engine says what is wrong and tries again.
	startTimeout = 10 * time.Second
	// leaveTimeout bounds leaving the group.
	leaveTimeout = 5 * time.Second
)

// live runs one life until ctx ends and what ran is settled (nil), or until an error.
func (e *Engine) live(ctx context.Context) (err error) {
	l := &life{Engine: e, work: e.work, parts: make(map[topicPartition]*partition), active: make(map[*partition]struct{})}
	l.settleCtx, l.cancelSettle = context.WithCancel(context.Background())
	l.pool = newPool(l.attempt, e.cfg.MaxUnpublished, e.cfg.MaxRunningPerPartition, e.cfg.SettleRecords, func(int) { e.kick() }, &e.workers)
	defer l.end()
	if err := l.begin(ctx); err != nil {
		return err
	}
	e.setCurrent(l)
	defer e.setCurrent(nil)
	for ctx.Err() == nil {
		if err := l.turn(ctx); err != nil {
			return err
		}
	}
	return l.drain()
}

// begin takes the producer id, before anything else: that ends a dead predecessor's open transaction. Then it waits for the output topics and joins.
func (l *life) begin(ctx context.Context) error {
	l.state.beat(time.Now())
	starting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	admin, err := l.Admin()
	if err != nil {
		return err
	}
	if l.v2, err = transactionsV2(starting, admin.cl); err != nil {
		return err
	}
	opts, err := l.cfg.ClientOpts()
	if err != nil {
		return err
	}
	opts = append(opts, l.cfg.groupOpts()...)
	opts = append(opts,
		kgo.MaxVersions(requestVersions(l.v2)),
		kgo.ProducerBatchMaxBytesFn(l.limits.batch),
		kgo.OnPartitionsAssigned(l.assigned),
		kgo.OnPartitionsRevoked(l.revoked),
		kgo.OnPartitionsLost(l.lost),
		kgo.OnOffsetsFetched(l.offsetsFetched),
	)
	opts = append(opts, l.clientOpts...)
	if l.cl, err = kgo.NewClient(opts...); err != nil {
		return fmt.Errorf("creating the kafka client: %w", err)
	}
	if _, _, err := l.cl.ProducerID(starting); err != nil {
		return fmt.Errorf("taking the producer id: %w", err)
	}
	for {
		err := l.look(ctx)
		l.state.outputs(err)
		l.state.beat(time.Now())
		if err == nil {
			break
		}
		if err := sleep(ctx, lookAgain); err != nil {
			return err
		}
	}
	l.lookAt = time.Now().Add(lookAgain)
	l.cl.AddConsumeTopics(l.cfg.Topics...)
	return nil
}

// turn is one round of the loop.
func (l *life) turn(ctx context.Context) error {
	now := time.Now()
	l.forgetGone()
	l.collect(now)
	l.unpark(now)
	if err := l.settleDue(now); err != nil {
		return err
	}
	l.lookDue(ctx, now)
	l.deliver()
	hungry := l.pausing()
	l.snapshot(now, false)
	if !hungry {
		return l.wait(ctx, now)
	}
	return l.poll(ctx, now)
}

// until is when the next round must begin at the latest.
func (l *life) until(now time.Time) time.Time {
	t := now.Add(l.cfg.SettleEvery)
	if !l.blocked && l.settling == nil && !l.settleAt.IsZero() && l.settleAt.Before(t) {
		t = l.settleAt
	}
	if due, ok := l.parked.next(); ok && due.Before(t) {
		t = due
	}
	return t
}

// wait passes the time when no partition takes records.
func (l *life) wait(ctx context.Context, now time.Time) error {
	timer := time.NewTimer(l.until(now).Sub(now))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.kicked:
	case <-ctx.Done():
	}
	return nil
}

// poll fetches until records come, a kick, or the next deadline.
func (l *life) poll(ctx context.Context, now time.Time) error {
	ctx, cancel := context.WithDeadline(ctx, l.until(now))
	defer cancel()
	l.kicks.Store(&cancel)
	var fetches kgo.Fetches
	select {
	case <-l.kicked: // meanwhile: take what is there and do not wait
		fetches = l.cl.PollFetches(nil) //nolint:staticcheck // nil is documented to mean that
	default:
		fetches = l.cl.PollFetches(ctx)
	}
	l.kicks.Store(nil)
	defer l.cl.AllowRebalance()
	fetches.EachError(func(topic string, n int32, e error) { // before its records: they begin where the log was cut
		if loss := (*kgo.ErrDataLoss)(nil); errors.As(e, &loss) {
			l.truncated(topicPartition{topic, n}, e)
		}
	})
	l.distribute(fetches)
	var err error
	fetches.EachError(func(topic string, n int32, e error) {
		switch {
		case errors.Is(e, context.Canceled), errors.Is(e, context.DeadlineExceeded):
		case errors.Is(e, kgo.ErrClientClosed):
			err = e
		case errors.Is(e, kerr.FencedInstanceID):
			err = fmt.Errorf("group membership of instance %q: %w", l.cfg.InstanceID, e)
		case errors.Is(e, kerr.OffsetOutOfRange):
			l.outOfRange(topicPartition{topic, n}, e, &err)
		default:
			l.state.pollFailed(time.Now(), topic, n, e)
			l.log.Warn("kafka poll error", slog.String("topic", topic), slog.Int("partition", int(n)), slog.Any("error", e))
		}
	})
	return err
}

// partition is the assigned one; nil when it's not assigned.
func (l *life) partition(tp topicPartition) *partition {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.parts[tp]
}

// truncated stops a partition whose log was cut below what was read: offsets up to the highest seen are given out anew, to other records.
func (l *life) truncated(tp topicPartition, cause error) {
	if p := l.partition(tp); p != nil {
		l.stopPartition(p, fmt.Sprintf("the log was cut, offsets are given out anew: %v", cause))
	}
}

// outOfRange stops a partition whose position is not in the log any more. Without a commit there is nothing to lose: the engine starts anew at the log's start.
func (l *life) outOfRange(tp topicPartition, cause error, restart *error) {
	p := l.partition(tp)
	if p == nil {
		return
	}
	if !p.resumed.Committed && !p.tracker.known {
		*restart = fmt.Errorf("fetching %s from its start: %w", tp, cause)
		return
	}
	l.stopPartition(p, fmt.Sprintf("position is not in the log any more, records are gone unread: %v", cause))
}

// lookDue looks at the output topics from time to time, and pauses consumption while one is missing or forbidden.
func (l *life) lookDue(ctx context.Context, now time.Time) {
	if now.Before(l.lookAt) {
		return
	}
	err := l.look(ctx)
	switch {
	case ctx.Err() != nil:
	case err == nil, errors.Is(err, ErrTopic):
		l.block(err)
	default: // not known; publishing would say it, too
		l.lookAt = now.Add(lookEvery)
		l.state.pollFailed(now, "", 0, err)
	}
}

// block pauses everything while err is not nil.
func (l *life) block(err error) {
	l.lookAt = time.Now().Add(lookEvery)
	if err != nil || l.lookSoon {
		l.lookAt = time.Now().Add(lookAgain)
	}
	l.state.outputs(err)
	if blocked := err != nil; blocked != l.blocked {
		l.blocked = blocked
		l.pool.hold(blocked)
		if blocked {
			l.log.Error("kafka output topic not usable, consumption is paused", slog.Any("error", err))
		} else {
			l.log.Info("kafka output topics usable again, consumption goes on")
		}
	}
}

// look checks that the output topics are usable and learns their limits.
func (l *life) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	admin, err := l.Admin()
	if err != nil {
		return err
	}
	sources := admin.Readable(ctx, l.cfg.Topics...)
	l.state.sources(sources)
	l.lookSoon = sources != nil
	if err := admin.Writable(ctx, l.cfg.OutputTopics...); err != nil {
		return err
	}
	limits, err := admin.MaxMessageBytes(ctx, l.cfg.OutputTopics...)
	if err != nil {
		// Without the right to describe configurations the broker's refusals teach the limits.
		l.log.Debug("kafka topic limits unknown", slog.Any("error", err))
	}
	l.limits.set(limits)
	return nil
}

// drain lets what runs end, settles it and returns. A second signal or the drain time ends the handlers' context first.
func (l *life) drain() error {
	l.draining = true
	l.leaveAll()
	l.pool.stop()
	deadline := time.NewTimer(l.cfg.DrainTimeout)
	defer deadline.Stop()
	grace := make(<-chan time.Time)
	hurried := l.hurried
	hurry := func() {
		hurried = nil
		l.cancelWork()
		grace = time.After(lastWords)
	}
	for {
		now := time.Now()
		l.forgetGone()
		l.collect(now)
		if err := l.endSettle(); err != nil {
			return err
		}
		_, running, done := l.pool.counts()
		finished := running == 0 && done == 0
		if l.settling == nil && (finished && l.refusals == 0 || !l.settleAt.IsZero() && !now.Before(l.settleAt)) {
			if err := l.beginSettle(); err != nil {
				return err
			}
		}
		l.snapshot(now, true)
		if finished && l.settling == nil && len(l.unpublished) == 0 {
			return l.move()
		}
		timer := time.NewTimer(l.cfg.SettleEvery)
		select {
		case <-timer.C:
		case <-l.kicked:
		case <-hurried:
			hurry()
		case <-deadline.C:
			hurry()
		case <-grace:
			timer.Stop()
			return l.lastSettle(running)
		}
		timer.Stop()
	}
}

// lastSettle publishes what is there when the time to drain is over; what is not published now is its next owner's.
func (l *life) lastSettle(running int) error {
	stop := time.AfterFunc(lastWords, l.cancelSettle)
	defer stop.Stop()
	if err := l.settleNow(); err != nil {
		l.log.Warn("kafka results not published while stopping", slog.Any("error", err))
	}
	if running > 0 {
		return fmt.Errorf("stopping: %d handlers still run after the drain time", running)
	}
	return nil
}

// lastWords is how long handlers may take to return once their context ended.
const lastWords = 2 * time.Second

// leaveAll closes every leaving channel.
func (l *life) leaveAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopping {
		return
	}
	l.stopping = true
	for _, p := range l.parts {
		close(p.leaving)
	}
}

// end leaves the group and closes the client. Handlers that still run see Leaving closed, and their results are never looked at.
func (l *life) end() {
	l.leaveAll()
	l.pool.stop()
	defer l.cancelSettle()
	if l.cl == nil {
		return
	}
	l.cancelSettle()
	l.settlers.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	l.cl.AllowRebalance()
	if err := l.cl.LeaveGroupContext(ctx); err != nil {
		l.log.Debug("kafka group not left", slog.Any("error", err))
	}
	l.cl.CloseAllowingRebalance()
	l.cl.AllowRebalance() // Close ends with a poll of its own, which keeps a goroutine that leaves the group waiting for ever
}
