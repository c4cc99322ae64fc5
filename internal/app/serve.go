package app

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/booksync/booksync/internal/telemetry"
	"github.com/booksync/booksync/processor"
)

// serve opens /healthz, /readyz and /metrics; the returned function closes them.
func (s *Service) serve(ctx context.Context) (func(), error) {
	stopWatching, err := s.tel.Metrics.Watch(s.state)
	if err != nil {
		return nil, err
	}
	if s.cfg.HTTP.Listen == "" {
		return stopWatching, nil
	}
	server, err := telemetry.Serve(ctx, telemetry.ServerConfig{
		Listen: s.cfg.HTTP.Listen, Metrics: s.tel.Handler(),
		Health: []telemetry.Check{{Name: "progress", Func: func(context.Context) error { return s.watchdog.stalled() }}},
		Ready: []telemetry.Check{
			{Name: "organizations", Func: func(context.Context) error { return s.why() }},
			{Name: "kafka", Func: s.kafkaReady},
			{Name: "redis", Func: s.store.Client.Ping},
		},
	})
	if err != nil {
		stopWatching()
		return nil, err
	}
	s.mu.Lock()
	s.addr = server.Addr()
	s.mu.Unlock()
	s.log.Info("serving health and metrics", "address", server.Addr())
	return func() {
		stopWatching()
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := server.Close(closing); err != nil {
			s.log.Warn("HTTP server not closed", "error", err.Error())
		}
	}, nil
}

// Addr is where health and metrics are served; "" when they are not.
func (s *Service) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addr
}

// why says what keeps the service from consuming, and organisations from being worked for; nil when nothing does.
func (s *Service) why() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	errs := []error{s.waiting}
	for _, name := range slices.Sorted(maps.Keys(s.unusable)) {
		errs = append(errs, s.unusable[name])
	}
	return errors.Join(errs...)
}

func (s *Service) kafkaReady(context.Context) error {
	e := s.engine.Load()
	if e == nil {
		return errors.New("not consuming yet")
	}
	return e.Ready()
}

// state is what the gauges show.
func (s *Service) state(ctx context.Context) telemetry.State {
	out := telemetry.State{Stalled: s.watchdog.stalled() != nil}
	if e := s.engine.Load(); e != nil {
		st := e.Status()
		out.Parked, out.Unpublished = st.Parked, st.Unpublished
		ends, err := e.AllEnds(ctx)
		if err != nil {
			s.log.Debug("log ends not read, no lag is shown", "error", err.Error())
		}
		for _, p := range st.Partitions {
			ps := telemetry.PartitionState{Topic: p.Topic, Partition: p.Partition, Lag: -1}
			if end, ok := ends[p.Topic][p.Partition]; ok && p.Position >= 0 {
				ps.Lag = max(end-p.Position, 0)
			}
			if !p.OldestUnsettled.IsZero() {
				ps.OldestUnsettled = time.Since(p.OldestUnsettled)
			}
			out.Partitions = append(out.Partitions, ps)
		}
	}
	var gates map[string]processor.GateState
	if job := s.job.Load(); job != nil {
		gates = job.Gates()
	}
	for _, name := range s.cfg.OrganizationNames() {
		o := telemetry.OrganizationState{Name: name, MinuteRemaining: -1, DayRemaining: -1, TokenExpiresIn: -1, ReconciledAgo: s.reconciledAgo(ctx, name)}
		if b, err := s.store.Budget.State(ctx, name); err == nil {
			o.MinuteRemaining = b.Left
			if b.DayLimit > 0 {
				o.DayRemaining = b.DayRemaining
			}
			o.Paused, o.PauseReason = b.PausedUntil.After(b.Now), b.PauseReason
		}
		if at := s.books[name].TokenExpires(); !at.IsZero() {
			o.TokenExpiresIn = max(time.Until(at), 0)
		}
		switch g := gates[name]; {
		case g.CircuitOpen:
			o.Circuit = telemetry.CircuitOpen
		case !g.PausedUntil.IsZero() && !o.Paused:
			o.Paused, o.PauseReason = true, g.PauseReason
		}
		out.Organizations = append(out.Organizations, o)
	}
	return out
}
