package kafka

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// settleDue ends the transaction that is under way if it is done. It begins the next one when enough results wait or the oldest one has waited
// long enough, and commits positions that moved without a result.
func (l *life) settleDue(now time.Time) error {
	if err := l.endSettle(); err != nil || l.settling != nil || l.blocked {
		return err
	}
	switch {
	case len(l.unpublished) >= l.cfg.SettleRecords && l.refusals == 0, !l.settleAt.IsZero() && !now.Before(l.settleAt):
		return l.beginSettle()
	case !now.Before(l.moveAt):
		l.moveAt = now.Add(moveEvery)
		return l.move()
	}
	return nil
}

// settlement is one transaction.
type settlement struct {
	own     *ownership
	batch   []*Delivery
	commits []commit

	// Set by the goroutine that runs the transaction, before done is closed.
	done      chan struct{}
	published bool                  // known to be committed; otherwise, without err, known to be aborted
	refusal   error                 // why it was aborted
	refused   map[*kgo.Record]error // records that the brokers refused
	err       error
}

// commit is what a settlement commits for one partition.
type commit struct {
	part     *partition
	position int64
	metadata string
	changes  uint64
}

func (s *settlement) byTopic() map[string][]*commit {
	topics := make(map[string][]*commit)
	for i := range s.commits {
		topic := s.commits[i].part.topic
		topics[topic] = append(topics[topic], &s.commits[i])
	}
	return topics
}

// add adds a partition's position to what s commits.
func (s *settlement) add(p *partition, epoch string) {
	position, text := p.tracker.commit(epoch)
	s.commits = append(s.commits, commit{part: p, position: position, metadata: text, changes: p.tracker.changes})
}

// beginSettle captures the ownership, takes the results that wait and the positions they lead to, and lets a goroutine publish them. Delivering goes on
// meanwhile; what it adds to the trackers is not settled and does not change what is committed.
func (l *life) beginSettle() error {
	l.settleAt = time.Time{}
	l.forgetGone()
	if len(l.unpublished) == 0 {
		return nil
	}
	own, err := l.own()
	if err != nil {
		return err
	}
	if own == nil {
		l.again()
		return nil
	}
	s := &settlement{own: own, done: make(chan struct{})}
	mine := make(map[*partition]bool, len(own.parts))
	for _, p := range own.parts {
		mine[p] = true
	}
	messages := 0
	kept := l.unpublished[:0]
	s.batch = make([]*Delivery, 0, len(l.unpublished))
	for _, d := range l.unpublished {
		if !mine[d.part] {
			kept = append(kept, d)
			continue
		}
		d.part.tracker.pend(&d.mark)
		s.batch = append(s.batch, d)
		messages += len(d.result.Publish)
	}
	clear(l.unpublished[len(kept):])
	l.unpublished = kept
	epoch := l.epoch()
	for _, p := range own.parts {
		if p.tracker.dirty() {
			s.add(p, epoch)
		}
	}
	l.settling = s
	l.settlers.Add(1)
	go func() {
		defer l.settlers.Done()
		defer l.kick()
		defer close(s.done)
		ctx, cancel := context.WithTimeout(l.settleCtx, 3*l.cfg.TransactionTimeout)
		defer cancel()
		if messages == 0 {
			s.published, s.err = l.commitOnly(ctx, s)
		} else {
			s.published, s.err = l.transact(ctx, s)
		}
	}()
	return nil
}

// endSettle takes in the transaction under way if it is done. The results of an aborted one stay, if their partitions are still here. An error ends the life.
func (l *life) endSettle() error {
	s := l.settling
	if s == nil {
		return nil
	}
	select {
	case <-s.done:
	default:
		return nil
	}
	l.settling = nil
	switch {
	case s.err != nil:
		return s.err
	case s.published:
		l.published(s)
		return nil
	}
	kept := make([]*Delivery, 0, len(s.batch)+len(l.unpublished))
	for _, d := range s.batch {
		d.part.tracker.reopen(&d.mark)
		if !d.part.gone.Load() {
			kept = append(kept, d)
		}
	}
	l.pool.forget(len(s.batch) - len(kept))
	l.unpublished = append(kept, l.unpublished...)
	if len(s.refused) > 0 {
		l.refusedRecords(s)
	}
	l.log.Info("kafka transaction aborted, its results are kept", slog.Any("why", s.refusal), slog.Int("results", len(s.batch)))
	l.again()
	return nil
}

// settleNow publishes what waits and waits for the end of it.
func (l *life) settleNow() error {
	for range 2 { // the one under way, then the rest
		if l.settling == nil {
			if err := l.beginSettle(); err != nil {
				return err
			}
		}
		if l.settling == nil {
			return nil
		}
		<-l.settling.done
		if err := l.endSettle(); err != nil {
			return err
		}
	}
	return nil
}

// again plans the next try.
func (l *life) again() {
	l.refusals++
	l.settleAt = time.Now().Add(min(l.cfg.SettleEvery<<min(l.refusals-1, 5), 2*time.Second))
}

// published takes note of a committed transaction and starts what waited for it.
func (l *life) published(s *settlement) {
	l.refusals = 0
	now := time.Now()
	for _, d := range s.batch {
		d.part.tracker.settle(&d.mark)
		d.part.inFlight--
		if d.result.Published != nil {
			d.result.Published()
		}
		d.result = Result{}
		l.next(d)
		d.Record, d.State = nil, nil // a parked neighbour of its slab must not keep them
	}
	l.saved(s)
	l.settled += int64(len(s.batch))
	l.transactions.Add(1)
	l.moveAt = now.Add(moveEvery)
	l.state.progressed(now)
	l.pool.forget(len(s.batch))
}

// saved takes note of committed positions.
func (l *life) saved(s *settlement) {
	for _, c := range s.commits {
		c.part.tracker.saved = c.changes
		c.part.committed = c.position
	}
}

// refusedRecords does what can be done about records the brokers refused.
func (l *life) refusedRecords(s *settlement) {
	for _, cause := range s.refused {
		if isTooLarge(cause) {
			l.shrink(s.batch, s.refused)
			return
		}
	}
	l.block(s.refusal)
}

// shrink replaces the largest refused message by its smaller form and lowers what its topic is believed to take.
func (l *life) shrink(batch []*Delivery, refused map[*kgo.Record]error) {
	var largest *Message
	for _, d := range batch {
		for i := range d.result.Publish {
			m := &d.result.Publish[i]
			if _, ok := refused[m.Record]; !ok || m.TooLarge == nil {
				continue
			}
			if largest == nil || recordSize(m.Record) > recordSize(largest.Record) {
				largest = m
			}
		}
	}
	if largest == nil {
		l.block(errors.New("an output topic refuses a record as too large and there is no smaller form of it: raise its max.message.bytes"))
		return
	}
	l.limits.lower(largest.Record.Topic, recordSize(largest.Record)-1)
	largest.Record, largest.TooLarge = largest.TooLarge, nil
}

// move commits positions that moved without a result: markers, skipped records, the first sight of a partition. No transaction is under way.
func (l *life) move() error {
	own, err := l.own()
	if own == nil || err != nil {
		return err
	}
	s := &settlement{own: own}
	for _, p := range own.parts {
		if p.tracker.position() != p.committed {
			s.add(p, l.epoch())
		}
	}
	if len(s.commits) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(l.settleCtx, l.cfg.TransactionTimeout)
	defer cancel()
	committed, err := l.commitOnly(ctx, s)
	if err != nil || !committed {
		return err
	}
	l.saved(s)
	return nil
}

// epoch is the configured one, cut to what the metadata has room for.
func (l *life) epoch() string {
	epoch := l.cfg.Epoch()
	return epoch[:min(len(epoch), maxEpoch)]
}
