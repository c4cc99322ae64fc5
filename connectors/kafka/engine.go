package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Engine consumes, handles and settles. Create it with New; Run may be called once.
type Engine struct {
	cfg        Config
	handler    Handler
	log        *slog.Logger
	clientOpts []kgo.Opt
	wakeups    wakeups
	limits     limits
	state      state
	passed     passedCache

	transactions atomic.Int64 // committed

	work       context.Context // the handlers', over all lives
	cancelWork context.CancelFunc
	workers    sync.WaitGroup
	ran        atomic.Bool
	hurryOnce  sync.Once
	hurried    chan struct{}
	kicked     chan struct{} // one token: there is something to look at
	kicks      atomic.Pointer[context.CancelFunc]

	mu      sync.Mutex
	admin   *Admin
	closed  bool
	current *life
}

// Option changes how an engine is built.
type Option func(*Engine)

// WithLogger sets the logger. Default: slog.Default().
func WithLogger(log *slog.Logger) Option { return func(e *Engine) { e.log = log } }

// WithClientOpts adds options to the engine's clients, after its own: hooks for metrics and traces, dialers.
func WithClientOpts(opts ...kgo.Opt) Option {
	return func(e *Engine) { e.clientOpts = append(e.clientOpts, opts...) }
}

// ErrFenced is what Run returns when another living process keeps taking the transactional id (or the static membership) away.
var ErrFenced = errors.New("kafka: another process uses the same transactional id or group instance id")

// New checks cfg and builds an engine; it touches no network.
func New(cfg Config, h Handler, opts ...Option) (*Engine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if h == nil {
		return nil, errors.New("kafka: handler is missing")
	}
	e := &Engine{cfg: cfg.WithDefaults(), handler: h, log: slog.Default(), hurried: make(chan struct{}), kicked: make(chan struct{}, 1)}
	for _, opt := range opts {
		opt(e)
	}
	e.wakeups.memory = e.cfg.WakeMemory
	e.passed.turn = make(chan struct{}, 1)
	e.state.start(time.Now())
	e.work, e.cancelWork = context.WithCancel(context.Background())
	return e, nil
}

const (
	// Restarts wait between these, doubling; a life longer than backoffReset begins at the shortest again.
	backoffMin   = 100 * time.Millisecond
	backoffMax   = 10 * time.Second
	backoffReset = time.Minute
	// fencedLimit fences within fencedWindow mean a living twin. A transaction that outlived its timeout fences once in a while, too.
	fencedLimit  = 5
	fencedWindow = 2 * time.Minute
)

// Run consumes until ctx ends. Then it starts nothing more, lets running handlers end (at most Config.DrainTimeout), publishes their results, leaves the
// group and returns nil. Errors of the brokers never end it: it starts itself anew from what is committed, and Ready says what is wrong. It returns an error
// for a living twin (ErrFenced), for handlers that outlive the drain time, and when it was called before.
func (e *Engine) Run(ctx context.Context) error {
	if e.ran.Swap(true) {
		return errors.New("kafka: Run was called before")
	}
	defer e.Close()
	var fenced []time.Time
	backoff := backoffMin
	for {
		began := time.Now()
		err := e.live(ctx)
		if ctx.Err() != nil {
			return e.stop(err)
		}
		now := time.Now()
		e.state.restarted(now, err)
		if isFenced(err) {
			fenced = append(fenced, now)
			for now.Sub(fenced[0]) > fencedWindow {
				fenced = fenced[1:]
			}
			if len(fenced) >= fencedLimit {
				_ = e.stop(nil) // the twin is what matters
				return fmt.Errorf("%w (transactional id %q, %d times in %s): %w", ErrFenced, e.cfg.TransactionalID, len(fenced), fencedWindow, err)
			}
		}
		if now.Sub(began) > backoffReset {
			backoff = backoffMin
		}
		wait := backoff/2 + rand.N(backoff/2+1)
		backoff = min(2*backoff, backoffMax)
		e.log.Warn("kafka engine starts anew", slog.Any("error", err), slog.Duration("in", wait))
		if sleep(ctx, wait) != nil {
			return e.stop(nil)
		}
	}
}

// stop ends the handlers and waits for them, as far as they return.
func (e *Engine) stop(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		err = nil
	}
	e.cancelWork()
	done := make(chan struct{})
	go func() {
		e.workers.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(lastWords):
		err = errors.Join(err, errors.New("kafka: handlers still run after the engine stopped"))
	}
	return err
}

// isFenced reports whether err says that somebody else took the transactional id or the static membership.
func isFenced(err error) bool {
	return errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidProducerEpoch) || errors.Is(err, kerr.FencedInstanceID)
}

// Hurry shortens the drain after ctx of Run ended: the handlers' context ends now. It may be called at any time, more than once.
func (e *Engine) Hurry() { e.hurryOnce.Do(func() { close(e.hurried) }) }

// Wake makes parked records with one of these keys due. It is safe for concurrent use and does not block.
func (e *Engine) Wake(keys ...string) {
	if len(keys) == 0 {
		return
	}
	e.wakeups.add(time.Now(), keys...)
	e.kick()
}

// kick makes the loop look again.
func (e *Engine) kick() {
	select {
	case e.kicked <- struct{}{}:
	default:
	}
	if cancel := e.kicks.Load(); cancel != nil {
		(*cancel)()
	}
}

// Admin is the engine's own administrative client; it lives until Run returns or Close is called.
func (e *Engine) Admin() (*Admin, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, errClosed
	}
	if e.admin == nil {
		admin, err := NewAdmin(e.cfg, e.clientOpts...)
		if err != nil {
			return nil, err
		}
		e.admin = admin
	}
	return e.admin, nil
}

// Close frees what an engine holds that was never run. Run calls it.
func (e *Engine) Close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	e.cancelWork()
	if e.admin != nil {
		e.admin.Close()
		e.admin = nil
	}
}

func (e *Engine) setCurrent(l *life) {
	e.mu.Lock()
	e.current = l
	e.mu.Unlock()
}

// sleep waits for d or until ctx ends, which is an error.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
