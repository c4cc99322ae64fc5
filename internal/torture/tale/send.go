package tale

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/operator/topics"
	"github.com/booksync/booksync/schemas"
)

// Sender produces a tale: each record when its time has come and what it waits for is settled.
type Sender struct {
	Tale    *Tale
	Connect topics.Connect
	Topics  config.Topics // the first of each workflow's is sent to
	Codec   *schemas.Codec
	// Begin is when the tale begins.
	Begin time.Time
	// Hurry divides the tale's times. Default 1.
	Hurry float64
	// Settled says whether a record has its outcome.
	Settled func(Place) bool
	// Aborted, if set, is told of every transaction that was aborted.
	Aborted func()

	mu sync.Mutex // of what emissions say about where they lie
}

// every is how often a sender looks what is due.
const every = 200 * time.Millisecond

// Run sends the tale. It returns when everything is sent, with the first error, or, without an error, when ctx ends.
func (s *Sender) Run(ctx context.Context) error {
	plain, err := s.Connect()
	if err != nil {
		return fmt.Errorf("building the producer: %w", err)
	}
	defer plain.Close()
	shop, err := s.Connect(kgo.TransactionalID("shop"))
	if err != nil {
		return fmt.Errorf("building the transactional producer: %w", err)
	}
	defer shop.Close()
	left := append([]*Emission{}, s.Tale.Emissions...)
	sort.SliceStable(left, func(i, j int) bool { return left[i].At < left[j].At })
	tick := time.NewTicker(every)
	defer tick.Stop()
	for len(left) > 0 {
		rest := left[:0]
		for i, e := range left {
			if !s.come(e) { // nor has that of any after it
				rest = append(rest, left[i:]...)
				break
			}
			if !s.ready(e) {
				rest = append(rest, e)
				continue
			}
			if err := s.send(ctx, plain, shop, e); err != nil {
				if ctx.Err() != nil {
					return nil
				}
				return err
			}
		}
		left = rest
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// Sent says whether everything is sent.
func (s *Sender) Sent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !slices.ContainsFunc(s.Tale.Emissions, func(e *Emission) bool { return !e.Sent })
}

// Done says whether every record that counts is sent and settled.
func (s *Sender) Done() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.Tale.Emissions {
		if !e.Aborted && (!e.Sent || !s.Settled(e.Where)) {
			return false
		}
	}
	return true
}

// come says whether a record's time has come.
func (s *Sender) come(e *Emission) bool {
	at := e.At
	if s.Hurry > 0 {
		at = time.Duration(float64(at) / s.Hurry)
	}
	return time.Since(s.Begin) >= at
}

// ready says whether everything that a record waits for is settled.
func (s *Sender) ready(e *Emission) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range e.After {
		if !b.Sent || !s.Settled(b.Where) {
			return false
		}
	}
	return true
}

func (s *Sender) send(ctx context.Context, plain, shop *kgo.Client, e *Emission) error {
	topic := map[string]string{"order": s.Topics.Orders[0], "payment": s.Topics.Payments[0], "refund": s.Topics.Refunds[0]}[e.Workflow]
	r := &kgo.Record{Topic: topic, Key: []byte(e.Key), Value: e.Raw}
	var err error
	switch {
	case e.Order != nil:
		r.Value, err = s.Codec.EncodeOrder(ctx, topic, e.Order)
	case e.Payment != nil:
		r.Value, err = s.Codec.EncodePayment(ctx, topic, e.Payment)
	case e.Refund != nil:
		r.Value, err = s.Codec.EncodeRefund(ctx, topic, e.Refund)
	}
	if err != nil {
		return fmt.Errorf("encoding %s of %s: %w", e.Workflow, e.Key, err)
	}
	if e.Size > 0 {
		r.Value = breakTo(r.Value, e.Size)
	}
	switch {
	case e.Aborted:
		err = transaction(ctx, shop, r, kgo.TryAbort)
		if s.Aborted != nil {
			s.Aborted()
		}
	case e.Within:
		err = transaction(ctx, shop, r, kgo.TryCommit)
	default:
		err = plain.ProduceSync(ctx, r).FirstErr()
	}
	if err != nil {
		return fmt.Errorf("producing: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e.Where, e.Sent = Place{r.Topic, r.Partition, r.Offset}, true
	return nil
}

func transaction(ctx context.Context, shop *kgo.Client, r *kgo.Record, how kgo.TransactionEndTry) error {
	if err := shop.BeginTransaction(); err != nil {
		return err
	}
	if err := shop.ProduceSync(ctx, r).FirstErr(); err != nil {
		return err
	}
	return shop.EndTransaction(ctx, how)
}
