package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/booksync/booksync/internal/telemetry"
	"github.com/booksync/booksync/processor"
)

// stalledAfter is how long records may wait without any progress, and without a reason that is shown, until /healthz
// fails: a stalled worker is the silent failure that everyone fears.
const stalledAfter = time.Minute

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
		Health: []telemetry.Check{{Name: "progress", Func: s.progressing}},
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

// why says what keeps the service from consuming; nil when it consumes.
func (s *Service) why() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting
}

func (s *Service) kafkaReady(context.Context) error {
	e := s.engine.Load()
	if e == nil {
		return errors.New("not consuming yet")
	}
	return e.Ready()
}

// progressing fails when records wait, nothing moves, and nothing says why: no park, no pause, no call under way that's
// within its timeout.
func (s *Service) progressing(context.Context) error {
	e := s.engine.Load()
	if e == nil || e.Ready() != nil {
		return nil // not ready is said by /readyz; starting anew would not mend it
	}
	st := e.Status()
	if time.Since(st.At) > stalledAfter {
		return fmt.Errorf("the engine's loop has not turned for %s", time.Since(st.At).Round(time.Second))
	}
	open, parked := 0, 0
	for _, p := range st.Partitions {
		open += p.Open
	}
	for _, n := range st.Parked {
		parked += n
	}
	idle := time.Since(st.LastProgress)
	limit := stalledAfter + s.cfg.Zoho.Timeout
	if open <= parked || idle < limit || s.held() || s.heldUp() {
		return nil
	}
	return fmt.Errorf("%d records are neither settled nor parked, and none was settled for %s", open-parked, idle.Round(time.Second))
}

// heldUp says whether an organisation waits for its budget, a pause's end or Zoho: what is shown elsewhere.
func (s *Service) heldUp() bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for _, o := range s.state(ctx).Organizations {
		if o.Paused || o.Circuit != telemetry.CircuitClosed || o.MinuteRemaining == 0 || o.DayRemaining == 0 {
			return true
		}
	}
	return false
}

// state is what the gauges show.
func (s *Service) state(ctx context.Context) telemetry.State {
	var out telemetry.State
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
		o := telemetry.OrganizationState{Name: name, MinuteRemaining: -1, DayRemaining: -1, TokenExpiresIn: -1, ReconciledAgo: -1}
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
