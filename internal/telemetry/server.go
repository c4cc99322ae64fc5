package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// Check is one condition of health or readiness. Func answers nil when it holds; the error's text is shown to whoever asks.
// It must listen to its context, which ends after [CheckTimeout].
type Check struct {
	Name string
	Func func(ctx context.Context) error
}

// CheckTimeout bounds one check. Probes of init systems and clusters give up after a few seconds.
const CheckTimeout = 2 * time.Second

// ServerConfig says what is served.
type ServerConfig struct {
	// Listen is host:port; port 0 picks one.
	Listen string
	// Health makes /healthz answer 503 when any fails: the process is stuck and should be started anew.
	Health []Check
	// Ready makes /readyz answer 503 when any fails: the process runs but cannot work now.
	Ready []Check
	// Metrics serves /metrics; nil: not served.
	Metrics http.Handler
	// Extra handlers by pattern, such as "GET /version".
	Extra map[string]http.Handler
}

// Server serves /healthz, /readyz and /metrics.
type Server struct {
	http *http.Server
	addr string
	done chan struct{}
	err  error
}

// Serve listens and serves until [Server.Close]. An address that is taken is an error at once.
func Serve(ctx context.Context, cfg ServerConfig) (*Server, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", cfg.Listen, err)
	}
	s := &Server{addr: l.Addr().String(), done: make(chan struct{}), http: &http.Server{
		Handler: Handler(cfg), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}}
	go func() {
		defer close(s.done)
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.err = err
		}
	}()
	return s, nil
}

// Addr is the address that is listened on.
func (s *Server) Addr() string { return s.addr }

// Close stops listening and waits for the answers under way, for as long as ctx allows.
func (s *Server) Close(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		_ = s.http.Close() // whoever still asks is cut off
	}
	<-s.done
	if err = errors.Join(err, s.err); err != nil {
		return fmt.Errorf("closing the HTTP server: %w", err)
	}
	return nil
}

// Handler is the handler of cfg's endpoints.
func Handler(cfg ServerConfig) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /healthz", checksHandler(cfg.Health))
	mux.Handle("GET /readyz", checksHandler(cfg.Ready))
	if cfg.Metrics != nil {
		mux.Handle("GET /metrics", cfg.Metrics)
	}
	for pattern, h := range cfg.Extra {
		mux.Handle(pattern, h)
	}
	return mux
}

// Report is the body of /healthz and /readyz.
type Report struct {
	Status  string        `json:"status"` // ok or failing
	Reasons []string      `json:"reasons,omitempty"`
	Checks  []CheckResult `json:"checks"`
	Version string        `json:"version"`
}

// CheckResult is one check's part of it.
type CheckResult struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Reason string `json:"reason,omitempty"`
}

// RunChecks runs all checks at once and waits for them, at most [CheckTimeout].
func RunChecks(ctx context.Context, checks []Check) Report {
	ctx, cancel := context.WithTimeout(ctx, CheckTimeout)
	defer cancel()
	r := Report{Status: "ok", Checks: make([]CheckResult, len(checks)), Version: Version()}
	var wg sync.WaitGroup
	for i, c := range checks {
		wg.Go(func() {
			r.Checks[i] = CheckResult{Name: c.Name, OK: true}
			if err := runCheck(ctx, c); err != nil {
				r.Checks[i] = CheckResult{Name: c.Name, Reason: err.Error()}
			}
		})
	}
	wg.Wait()
	for _, c := range r.Checks {
		if !c.OK {
			r.Status = "failing"
			r.Reasons = append(r.Reasons, c.Name+": "+c.Reason)
		}
	}
	return r
}

// runCheck gives up on a check that does not listen to its context: the probe must get its answer.
func runCheck(ctx context.Context, c Check) error {
	answer := make(chan error, 1)
	go func() { answer <- c.Func(ctx) }()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return errors.New("no answer in time")
	}
}

func checksHandler(checks []Check) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r := RunChecks(req.Context(), checks)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		if r.Status != "ok" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		_ = enc.Encode(r) // whoever asked has gone
	})
}
