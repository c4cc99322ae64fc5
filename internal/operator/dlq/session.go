package dlq

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// session writes in transactions, under the one transactional id that all dlq commands of a group share.
type session struct {
	cl   *kgo.Client
	step func(string) error
}

// TransactionalID is what the dlq commands of a group write under; the user they run as needs to be allowed to.
func TransactionalID(group string) string { return group + "-dlq" }

// session takes the producer id. That ends the open transaction of a command that crashed, and fences one that still runs:
// whatever marks there are when it returns are all there will be but ours.
func (d *Desk) session(ctx context.Context, topics ...string) (*session, error) {
	limits, err := d.admin.MaxMessageBytes(ctx, topics...)
	if err != nil && len(limits) == 0 {
		limits = nil // may not be seen: the client's default
	}
	cl, err := kgo.NewClient(append(slices.Clone(d.opts),
		kgo.TransactionalID(TransactionalID(d.cfg.Kafka.Group)), kgo.TransactionTimeout(d.cfg.Engine.TransactionTimeout),
		kgo.RecordDeliveryTimeout(d.cfg.Engine.TransactionTimeout), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchMaxBytesFn(func(topic string) int32 {
			const smallest, usual, largest = 512, 1_000_012, 64 << 20
			if n, ok := limits[topic]; ok {
				return int32(max(smallest, min(n, largest)))
			}
			return usual
		}))...)
	if err != nil {
		return nil, fmt.Errorf("configuring Kafka: %w", err)
	}
	s := &session{cl: cl, step: d.step}
	ctx, cancel := context.WithTimeout(ctx, 3*requestTimeout)
	defer cancel()
	if _, _, err := cl.ProducerID(ctx); err != nil {
		cl.Close()
		return nil, s.failed("taking the producer id", err)
	}
	return s, nil
}

// close ends the client. A transaction that is open stays so until its timeout, or until the next command begins.
func (s *session) close() { s.cl.Close() }

// commit publishes the records in their order, then the marks, in one transaction. Of an error it is known only with
// errTooLarge that nothing was published; else the next command finds out from the marks.
func (s *session) commit(ctx context.Context, records, marks []*kgo.Record) error {
	if err := s.cl.BeginTransaction(); err != nil {
		return s.failed("beginning a transaction", err)
	}
	err := s.at("begun")
	if err == nil {
		err = s.produce(ctx, records)
	}
	if err == nil {
		err = s.at("produced")
	}
	if err == nil {
		err = s.produce(ctx, marks)
	}
	if err == nil {
		err = s.at("marked")
	}
	if errors.Is(err, errCrash) {
		return err
	}
	if err != nil {
		return s.abort(ctx, err)
	}
	if err := s.cl.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return s.failed("committing", err)
	}
	return s.at("committed")
}

// errCrash is what tests end a command with as a crash would: at once.
var errCrash = errors.New("crash")

func (s *session) at(step string) error {
	if s.step == nil {
		return nil
	}
	return s.step(step)
}

// abort gives a transaction up, so that it holds nobody's reading up, and answers why.
func (s *session) abort(ctx context.Context, why error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
	defer cancel()
	if err := s.cl.EndTransaction(ctx, kgo.TryAbort); err != nil {
		return errors.Join(why, fmt.Errorf("aborting: %w", err))
	}
	return why
}

// tooLargeError names the record that its topic refuses.
type tooLargeError struct{ rec *kgo.Record }

func (e *tooLargeError) Error() string {
	return fmt.Sprintf("topic %s refuses a record of %d bytes as too large", e.rec.Topic, len(e.rec.Value))
}

func (s *session) produce(ctx context.Context, records []*kgo.Record) error {
	var mu sync.Mutex
	var first error
	for _, r := range records {
		s.cl.Produce(ctx, r, func(r *kgo.Record, err error) {
			if err == nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if errors.Is(err, kerr.MessageTooLarge) || errors.Is(err, kerr.RecordListTooLarge) {
				err = &tooLargeError{r}
			}
			if first == nil {
				first = err
			}
		})
	}
	if err := s.cl.Flush(ctx); err != nil {
		return s.failed("publishing", err)
	}
	mu.Lock()
	defer mu.Unlock()
	var large *tooLargeError
	if first == nil || errors.As(first, &large) {
		return first
	}
	return s.failed("publishing", first)
}

// failed says what an error of the brokers means to the operator.
func (s *session) failed(doing string, err error) error {
	for _, fenced := range []error{kerr.InvalidProducerEpoch, kerr.ProducerFenced, kerr.TransactionalIDNotFound, kerr.InvalidProducerIDMapping} {
		if errors.Is(err, fenced) {
			return fmt.Errorf("%s: %w: %w", doing, ErrTakenOver, err)
		}
	}
	if errors.Is(err, kerr.TransactionalIDAuthorizationFailed) || errors.Is(err, kerr.TopicAuthorizationFailed) {
		return fmt.Errorf("%s: %w: %w", doing, ErrRefused, err)
	}
	return unavailable(doing, err)
}

// pace spreads batches so that no more than rate records a second are sent.
func pace(ctx context.Context, n, rate int) error {
	if rate <= 0 {
		return nil
	}
	t := time.NewTimer(time.Duration(n) * time.Second / time.Duration(rate))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
