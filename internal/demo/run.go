package demo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/internal/app"
	"github.com/booksync/booksync/internal/operator/topics"
	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/schemas"
)

// seen is what a reader of the topics finds, as a read_committed consumer.
type seen struct {
	outcomes    []*schemas.Outcome
	deadLetters map[string]int // by class
	records     map[string]int // produced, by topic
	where       map[*emission]place
}

// place is where an emission was stored.
type place struct {
	topic     string
	partition int32
	offset    int64
}

// run produces the sample and lets the service work on it until every record has a verdict.
func (w *world) run(ctx context.Context, opts Options, codec *schemas.Codec, s *sample) (*seen, error) {
	found := &seen{deadLetters: map[string]int{}, records: map[string]int{}, where: map[*emission]place{}}
	if err := w.produce(ctx, codec, s, found); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var services sync.WaitGroup
	failed := make(chan error, opts.Replicas)
	for i := range opts.Replicas {
		cfg := *w.cfg
		cfg.Kafka.TransactionalID = fmt.Sprintf("booksync-demo-%d", i)
		service, err := app.New(ctx, &cfg, app.Options{Log: opts.Log, RedisSkipServerCheck: true})
		if err != nil {
			return nil, err
		}
		services.Go(func() {
			if err := service.Run(ctx, nil); err != nil && !errors.Is(err, context.Canceled) {
				failed <- err
				stop()
			}
		})
	}
	err := w.collect(ctx, opts, codec, len(s.emissions))
	if err == nil && opts.Then != nil {
		err = opts.Then(ctx, Site{Config: w.cfg, Ledger: func() simulator.Ledger { return w.sim.Ledger(zohoID) }})
	}
	stop()
	services.Wait()
	select {
	case serviceErr := <-failed:
		return nil, serviceErr
	default:
	}
	if err != nil {
		return nil, err
	}
	// Whatever was published after the last outcome awaited, a repetition for one, is read too.
	return found, w.rest(codec, found)
}

// produce writes the sample's records, in order.
func (w *world) produce(ctx context.Context, codec *schemas.Codec, s *sample, found *seen) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.kafkaAddr))
	if err != nil {
		return fmt.Errorf("building the producer: %w", err)
	}
	defer cl.Close()
	sources := map[string]string{"order": w.cfg.Topics.Orders[0], "payment": w.cfg.Topics.Payments[0], "refund": w.cfg.Topics.Refunds[0]}
	records := make([]*kgo.Record, len(s.emissions))
	for i, e := range s.emissions {
		topic := sources[e.workflow]
		value := e.raw
		switch {
		case e.order != nil:
			value, err = codec.EncodeOrder(ctx, topic, e.order)
		case e.payment != nil:
			value, err = codec.EncodePayment(ctx, topic, e.payment)
		case e.refund != nil:
			value, err = codec.EncodeRefund(ctx, topic, e.refund)
		}
		if err != nil {
			return fmt.Errorf("encoding %s %s: %w", e.workflow, e.key, err)
		}
		records[i] = &kgo.Record{Topic: topic, Key: []byte(e.key), Value: value}
	}
	if err := cl.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return fmt.Errorf("producing the sample: %w", err)
	}
	for i, r := range records {
		found.records[r.Topic]++
		found.where[s.emissions[i]] = place{r.Topic, r.Partition, r.Offset}
	}
	return nil
}

// collect reads outcomes until there are as many as records.
func (w *world) collect(ctx context.Context, opts Options, codec *schemas.Codec, want int) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.kafkaAddr), kgo.ConsumeTopics(w.cfg.Topics.Outcomes),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(200*time.Millisecond))
	if err != nil {
		return fmt.Errorf("building the reader: %w", err)
	}
	defer cl.Close()
	started, last := time.Now(), time.Now()
	distinct := map[string]bool{}
	for len(distinct) < want {
		poll, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
		fetches := cl.PollFetches(poll)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for _, r := range fetches.Records() {
			out, _, err := codec.DecodeOutcome(ctx, r.Value, r.Headers)
			if err != nil {
				return fmt.Errorf("decoding an outcome: %w", err)
			}
			distinct[out.OutcomeID] = true
			last = time.Now()
		}
		if opts.Progress != nil {
			opts.Progress(Progress{Elapsed: time.Since(started), Records: want, Outcomes: len(distinct), Calls: w.sim.Calls(zohoID).Total})
		}
		if time.Since(last) > stall {
			return fmt.Errorf("no verdict for %s: %d of %d records have one", stall, len(distinct), want)
		}
	}
	return nil
}

// rest reads the outcome and dead-letter topics from start to end.
func (w *world) rest(codec *schemas.Codec, found *seen) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	outcomes, err := topics.All(ctx, topics.To(w.cfg), w.cfg.Topics.Outcomes)
	if err != nil {
		return err
	}
	for _, r := range outcomes {
		out, _, err := codec.DecodeOutcome(ctx, r.Value, r.Headers)
		if err != nil {
			return fmt.Errorf("decoding an outcome: %w", err)
		}
		found.outcomes = append(found.outcomes, out)
	}
	for _, source := range w.cfg.Topics.Sources() {
		letters, err := topics.All(ctx, topics.To(w.cfg), w.cfg.Topics.DeadLetter(source))
		if err != nil {
			return err
		}
		for _, r := range letters {
			for _, h := range r.Headers {
				if h.Key == "dlq.class" {
					found.deadLetters[string(h.Value)]++
				}
			}
		}
	}
	return nil
}
