package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// transact runs the transaction, beside the engine's goroutine. It answers true when it is known to be committed and false when it is known to be
// aborted; everything else is an error.
func (l *life) transact(ctx context.Context, s *settlement) (bool, error) {
	if err := l.cl.BeginTransaction(); err != nil {
		return false, fmt.Errorf("beginning a transaction: %w", err)
	}
	refusal, err := l.produce(ctx, s)
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
		s.refusal = refusal
		return false, nil
	}
	// An answer other than success does not say whether the transaction was committed. The next life reads it from the committed metadata.
	if err := l.cl.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return false, fmt.Errorf("committing a transaction: %w", err)
	}
	return true, nil
}

// produce publishes the batch's messages and waits for the brokers' answers. A refusal (a record too large, a topic missing or forbidden) leaves the client
// usable.
func (l *life) produce(ctx context.Context, s *settlement) (refusal, err error) {
	var mu sync.Mutex
	promise := func(r *kgo.Record, err error) {
		if err == nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if s.refused == nil {
			s.refused = make(map[*kgo.Record]error)
		}
		s.refused[r] = err
	}
	for _, d := range s.batch {
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
	mu.Lock()
	defer mu.Unlock()
	for r, cause := range s.refused {
		refusal = fmt.Errorf("publishing to %s: %w", r.Topic, cause)
		if !isTooLarge(cause) && !isTopicRefusal(cause) {
			return nil, refusal
		}
	}
	return refusal, nil
}

func isTooLarge(err error) bool {
	return errors.Is(err, kerr.MessageTooLarge) || errors.Is(err, kerr.RecordListTooLarge)
}

func isTopicRefusal(err error) bool {
	return errors.Is(err, kerr.UnknownTopicOrPartition) || errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.InvalidTopicException)
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
				s.refusal = err
				return false, nil
			default:
				return false, fmt.Errorf("committing position of %s/%d: %w", t.Topic, p.Partition, err)
			}
		}
	}
	return true, nil
}
