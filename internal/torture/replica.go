package torture

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/booksync/booksync/internal/app"
)

// replica is one place for a `booksync run`: its processes come one after the other, each with the same transactional id.
type replica struct {
	x    *run
	n    int
	skew time.Duration
	id   string // transactional; default: by n

	mu      sync.Mutex
	current *process
	retired bool // no further process
}

// process is one life of a replica.
type process struct {
	r      *replica
	cable  *cable
	cancel context.CancelFunc
	hurry  chan struct{}
	once   sync.Once
	done   chan struct{}
}

// start lets the replica's next process live, unless the replica is retired or lives.
func (r *replica) start() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.retired || r.current != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{r: r, cancel: cancel, hurry: make(chan struct{}), done: make(chan struct{})}
	p.cable = r.x.w.net.cable(fmt.Sprintf("replica-%d", r.n), func(c *conn, op string) (bool, func()) { return r.x.see(p, c, op) })
	r.current = p
	r.x.alive.Go(func() {
		defer close(p.done)
		p.live(ctx)
	})
}

// live runs the service, anew when it ends by itself, as an orchestrator does.
func (p *process) live(ctx context.Context) {
	x := p.r.x
	cfg := *x.w.cfg
	cfg.Kafka.TransactionalID = p.transactionalID()
	cfg.Kafka.Protocol = x.plan.protocol
	log := slog.New(x.history.handler(fmt.Sprintf("replica %d", p.r.n)))
	for ctx.Err() == nil {
		service, err := app.New(ctx, &cfg, app.Options{
			Log: log, Dial: p.cable.dial, RedisSkipServerCheck: true, Idle: idle, Now: func() time.Time { return time.Now().Add(p.r.skew) },
		})
		if err == nil {
			err = service.Run(ctx, p.hurry)
		}
		if err != nil && ctx.Err() == nil {
			x.history.add("replica %d ended: %v", p.r.n, err)
			pause(ctx, 2*time.Second)
		}
		if err != nil && ctx.Err() != nil && !errors.Is(err, context.Canceled) {
			x.history.add("replica %d stopped with: %v", p.r.n, err)
		}
	}
}

// transactionalID is the one that its replica has, which a twin shares.
func (p *process) transactionalID() string {
	if p.r.id != "" {
		return p.r.id
	}
	return fmt.Sprintf("booksync-%d", p.r.n)
}

// kill is SIGKILL: from this moment on nothing of the process is seen by anybody. What it wrote last to a connection, if
// given, has left. Another one starts after a while.
func (p *process) kill(last *conn, restart time.Duration) {
	p.cable.kill(last)
	p.end()
	r := p.r
	r.mu.Lock()
	if r.current == p {
		r.current = nil
	}
	r.mu.Unlock()
	r.x.alive.Go(func() {
		pause(r.x.ctx, restart)
		r.start()
	})
}

// end makes the process's goroutines end; they hurry.
func (p *process) end() {
	p.cancel()
	p.once.Do(func() { close(p.hurry) })
}

// stop is SIGTERM; it waits until the process has drained.
func (r *replica) stop() {
	r.mu.Lock()
	p := r.current
	r.retired, r.current = true, nil
	r.mu.Unlock()
	if p != nil {
		p.cancel()
		<-p.done
	}
}

// process is the living one; nil when there is none.
func (r *replica) process() *process {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.current
}
