package app

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/booksync/booksync/connectors/redis"
	"github.com/booksync/booksync/internal/operator/status"
	"github.com/booksync/booksync/internal/telemetry"
	"github.com/booksync/booksync/processor"
)

// reportPatience bounds one report.
const reportPatience = 3 * time.Second

// reporting reports until the returned function is called, which blocks until the last report is given.
func (s *Service) reporting(ctx context.Context) (stop func(), err error) {
	kc, err := s.cfg.KafkaConfig()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // while it drains, too
	var done sync.WaitGroup
	done.Go(func() { s.reportStatus(ctx, kc.TransactionalID) })
	return func() { cancel(); done.Wait() }, nil
}

// reportStatus tells `booksync status` how this replica is doing until ctx ends, and then that it has left. A report that fails is
// left out: the next one comes soon.
func (s *Service) reportStatus(ctx context.Context, id string) {
	reports := redis.NewReports(s.store.Client, s.cfg.Kafka.Group)
	started := time.Now().UTC().Truncate(time.Second)
	put := func(ctx context.Context, text []byte) {
		ctx, cancel := context.WithTimeout(ctx, reportPatience)
		defer cancel()
		if err := reports.Put(ctx, id, text); err != nil && !errors.Is(err, context.Canceled) {
			s.log.Debug("status not reported", "error", err.Error())
		}
	}
	every := status.ReportEvery
	if s.opts.Idle > 0 {
		every = s.opts.Idle
	}
	for {
		text, err := json.Marshal(s.report(id, started))
		if err != nil {
			s.log.Error("status not reported", "error", err.Error()) // plain fields: cannot fail
			return
		}
		put(ctx, text)
		if !pause(ctx, every) {
			break
		}
	}
	put(context.WithoutCancel(ctx), nil)
}

// report is how this replica is doing.
func (s *Service) report(id string, started time.Time) status.Replica {
	r := status.Replica{
		ID: id, Version: telemetry.Version(), Started: started, Parked: map[string]int{}, Partitions: []status.ReplicaPartition{},
		Organizations: make(map[string]status.ReplicaOrganization, len(s.books)),
	}
	err := s.why()
	if e := s.engine.Load(); e != nil {
		if err == nil {
			err = e.Ready()
		}
		st := e.Status()
		r.Restarts, r.Running, r.Unpublished, r.Settled = st.Restarts, st.Running, st.Unpublished, st.Settled
		for reason, n := range st.Parked {
			r.Parked[reason] = n
		}
		for _, p := range st.Partitions {
			r.Partitions = append(r.Partitions, status.ReplicaPartition{
				Topic: p.Topic, Partition: p.Partition, Open: p.Open, Parked: p.Parked, Full: p.Paused, Alarm: p.Alarm,
			})
		}
	}
	if err != nil {
		r.NotReady = err.Error()
	}
	var gates map[string]processor.GateState
	if job := s.job.Load(); job != nil {
		gates = job.Gates()
	}
	for name, books := range s.books {
		o, g := s.cfg.Organizations[name], gates[name]
		r.Organizations[name] = status.ReplicaOrganization{
			ConfigHash: o.Hash(), Workflows: map[string]string{"order": o.Workflows.Order, "payment": o.Workflows.Payment, "refund": o.Workflows.Refund},
			CircuitOpen: g.CircuitOpen, PausedUntil: g.PausedUntil.UTC(), PauseReason: g.PauseReason, TokenUntil: books.TokenExpires().UTC(),
		}
	}
	return r
}
