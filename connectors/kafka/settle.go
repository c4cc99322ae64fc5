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
	"github.com/twmb/franz-go/pkg/kmsg"
)

// settleDue settles when enough results wait or the oldest one has waited long enough, and commits positions that moved without a result.
func (l *life) settleDue(now time.Time) error {
	switch {
	case l.blocked:
		return nil
	case len(l.unpublished) >= l.cfg.SettleRecords && l.refusals == 0, !l.settleAt.IsZero() && !now.Before(l.settleAt):
		return l.settle()
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
}

// commit is what a settlement commits for one partition.
type commit struct {
	part     *partition
	position int64
	metadata string
}

func (s *settlement) byTopic() map[string][]*commit {
	topics := make(map[string][]*commit)
	for i := range s.commits {
		topic := s.commits[i].part.topic
		topics[topic] = append(topics[topic], &s.commits[i])
	}
	return topics
}

// settle publishes the results that wait and commits the positions they lead to. A nil error with results left over means that the group refused
// the commit or a topic a record; the results stay and go into the next transaction if their partitions are still here. Every error ends the life.
func (l *life) settle() error {
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
		l.refused(nil)
		return nil
	}
	s := &settlement{own: own}
	mine := make(map[*partition]bool, len(own.parts))
	for _, p := range own.parts {
		mine[p] = true
	}
	messages := 0
	for _, d := range l.unpublished {
		if mine[d.part] {
			d.mark.state = markPending
			d.part.tracker.dirty = true
			s.batch = append(s.batch, d)
			messages += len(d.result.Publish)
		}
	}
	epoch := l.epoch()
	for _, p := range own.parts {
		if p.tracker.dirty {
			position, text := p.tracker.commit(epoch)
			s.commits = append(s.commits, commit{part: p, position: position, metadata: text})
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*l.cfg.TransactionTimeout)
	defer cancel()
	published := true
	if messages == 0 {
		published, err = l.commitOnly(ctx, s)
	} else {
		published, err = l.transact(ctx, s)
	}
	switch {
	case err != nil:
		return err
	case !published:
		for _, d := range s.batch {
			d.mark.state = markOpen
		}
		l.refused(s)
		return nil
	}
	l.published(s)
	return nil
}

// refused plans the next try.
func (l *life) refused(s *settlement) {
	l.refusals++
	wait := min(l.cfg.SettleEvery<<min(l.refusals-1, 5), 2*time.Second)
	l.settleAt = time.Now().Add(wait)
	if s != nil {
		l.log.Info("kafka transaction not committed, its results are kept", slog.Int("results", len(s.batch)), slog.Duration("again_in", wait))
	}
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
	}
	for _, c := range s.commits {
		c.part.tracker.dirty = false
		c.part.committed = c.position
	}
	kept := l.unpublished[:0]
	for _, d := range l.unpublished {
		if d.mark.state != markSettled {
			kept = append(kept, d)
		}
	}
	clear(l.unpublished[len(kept):])
	l.unpublished = kept
	if len(kept) > 0 {
		l.settleAt = now.Add(l.cfg.SettleEvery)
	}
	l.settled += int64(len(s.batch))
	l.transactions.Add(1)
	l.moveAt = now.Add(moveEvery)
	l.state.progressed(now)
	l.pool.forget(len(s.batch))
}

// transact runs the transaction. It answers true when it is known to be committed and false when it is known to be aborted; everything else is an error.
func (l *life) transact(ctx context.Context, s *settlement) (bool, error) {
	if err := l.cl.BeginTransaction(); err != nil {
		return false, fmt.Errorf("beginning a transaction: %w", err)
	}
	refusal, err := l.produce(ctx, s.batch)
	if err != nil {
		return false, err
	}
	if refusal == nil {
		if refusal, err = l.commitOffsets(ctx, s); err != nil {
			return false, err
		}
	}
	if refusal != nil {
		if err := l.cl.EndTransaction(ctx, kgo.TryAbort); err != nil {
			return false, fmt.Errorf("aborting a transaction: %w", err)
		}
		l.log.Info("kafka transaction aborted", slog.Any("why", refusal))
		return false, nil
	}
	// An answer other than success does not say whether the transaction was committed. The next life reads it from the committed metadata.
	if err := l.cl.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return false, fmt.Errorf("committing a transaction: %w", err)
	}
	return true, nil
}

// produce publishes the batch's messages and waits for the brokers' answers. A refusal (a record too large, a topic missing or forbidden) leaves the client
// usable; what can be done about it is done.
func (l *life) produce(ctx context.Context, batch []*Delivery) (refusal, err error) {
	var failed struct {
		sync.Mutex
		records map[*kgo.Record]error
	}
	promise := func(r *kgo.Record, err error) {
		if err == nil {
			return
		}
		failed.Lock()
		defer failed.Unlock()
		if failed.records == nil {
			failed.records = make(map[*kgo.Record]error)
		}
		failed.records[r] = err
	}
	for _, d := range batch {
		for i := range d.result.Publish {
			m := &d.result.Publish[i]
			if m.TooLarge != nil && !l.limits.fits(m.Record) {
				m.Record, m.TooLarge = m.TooLarge, nil
			}
			l.cl.Produce(context.Background(), m.Record, promise) // a context would stay in the record for the next try
		}
	}
	if err := l.cl.Flush(ctx); err != nil {
		return nil, fmt.Errorf("publishing: %w", err)
	}
	failed.Lock()
	defer failed.Unlock()
	if len(failed.records) == 0 {
		return nil, nil
	}
	var tooLarge bool
	for r, cause := range failed.records {
		switch {
		case errors.Is(cause, kerr.MessageTooLarge), errors.Is(cause, kerr.RecordListTooLarge):
			tooLarge = true
		case errors.Is(cause, kerr.UnknownTopicOrPartition), errors.Is(cause, kerr.TopicAuthorizationFailed), errors.Is(cause, kerr.InvalidTopicException):
		default:
			return nil, fmt.Errorf("publishing to %s: %w", r.Topic, cause)
		}
		refusal = fmt.Errorf("publishing to %s: %w", r.Topic, cause)
	}
	if tooLarge {
		l.shrink(batch, failed.records)
	} else {
		l.block(refusal)
	}
	return refusal, nil
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

// commitOffsets adds the positions to the transaction, for the member and generation captured with the ownership.
func (l *life) commitOffsets(ctx context.Context, s *settlement) (refusal, err error) {
	id, epoch, err := l.cl.ProducerID(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the producer id: %w", err)
	}
	if !l.v2 {
		req := kmsg.NewPtrAddOffsetsToTxnRequest()
		req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Group = l.cfg.TransactionalID, id, epoch, l.cfg.Group
		resp, err := req.RequestWith(ctx, l.cl)
		if err == nil {
			err = kerr.ErrorForCode(resp.ErrorCode)
		}
		if err != nil {
			return nil, fmt.Errorf("adding offsets to the transaction: %w", err)
		}
	}
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch = l.cfg.TransactionalID, id, epoch
	req.Group, req.MemberID, req.Generation = l.cfg.Group, s.own.member, s.own.generation
	if l.cfg.InstanceID != "" {
		req.InstanceID = &l.cfg.InstanceID
	}
	for topic, commits := range s.byTopic() {
		t := kmsg.NewTxnOffsetCommitRequestTopic()
		t.Topic = topic
		for _, c := range commits {
			p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
			p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = c.part.partition, c.position, -1, &c.metadata
			t.Partitions = append(t.Partitions, p)
		}
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, l.cl)
	if err != nil {
		return nil, fmt.Errorf("committing offsets: %w", err)
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				err = fmt.Errorf("committing offset of %s/%d: %w", t.Topic, p.Partition, err)
				if groupRefusal(err) {
					refusal = err
					continue
				}
				return nil, err
			}
		}
	}
	return refusal, nil
}

// groupRefusal reports whether err says that the group is changing; the producer is not affected.
func groupRefusal(err error) bool {
	for _, e := range []error{
		kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.StaleMemberEpoch, kerr.GroupIDNotFound, kerr.RebalanceInProgress,
		kerr.CoordinatorNotAvailable, kerr.CoordinatorLoadInProgress, kerr.NotCoordinator,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// move commits positions that moved without a result: markers, skipped records, the first sight of a partition.
func (l *life) move() error {
	own, err := l.own()
	if own == nil || err != nil {
		return err
	}
	s := &settlement{own: own}
	for _, p := range own.parts {
		if p.tracker.position(false) != p.committed {
			position, text := p.tracker.commit(l.epoch())
			s.commits = append(s.commits, commit{part: p, position: position, metadata: text})
		}
	}
	if len(s.commits) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), l.cfg.TransactionTimeout)
	defer cancel()
	committed, err := l.commitOnly(ctx, s)
	if err != nil || !committed {
		return err
	}
	for _, c := range s.commits {
		c.part.tracker.dirty = false
		c.part.committed = c.position
	}
	return nil
}

// commitOnly commits positions outside of a transaction, for when there is nothing to publish. False means that the group refused.
func (l *life) commitOnly(ctx context.Context, s *settlement) (bool, error) {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.MemberID, req.Generation = l.cfg.Group, s.own.member, s.own.generation
	if l.cfg.InstanceID != "" {
		req.InstanceID = &l.cfg.InstanceID
	}
	for topic, commits := range s.byTopic() {
		t := kmsg.NewOffsetCommitRequestTopic()
		t.Topic = topic
		for _, c := range commits {
			p := kmsg.NewOffsetCommitRequestTopicPartition()
			p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = c.part.partition, c.position, -1, &c.metadata
			t.Partitions = append(t.Partitions, p)
		}
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, l.cl)
	if err != nil {
		return false, fmt.Errorf("committing positions: %w", err)
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			err := kerr.ErrorForCode(p.ErrorCode)
			switch {
			case err == nil:
			case groupRefusal(err):
				return false, nil
			default:
				return false, fmt.Errorf("committing position of %s/%d: %w", t.Topic, p.Partition, err)
			}
		}
	}
	return true, nil
}

// epoch is the configured one, cut to what the metadata has room for.
func (l *life) epoch() string {
	epoch := l.cfg.Epoch()
	return epoch[:min(len(epoch), maxEpoch)]
}
