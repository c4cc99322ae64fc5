package redis

import (
	"context"
	"sync"

	"github.com/redis/go-redis/v9"
)

// maxFlights is how many shared pipelines are under way at a time: with one, callers wait for a whole round trip before theirs starts; more than two
// made batches smaller without more calls a second (measured, see BenchmarkClaims).
const maxFlights = 2

// pipeliner lets the commands of concurrent goroutines share round trips. While fewer than maxFlights are under way a command goes out at once, by the
// caller itself; meanwhile the others gather, and go out together when a flight is back. Nothing ever waits for a timer, so a lone caller loses nothing.
type pipeliner struct {
	rdb   redis.UniversalClient
	batch int

	mu      sync.Mutex
	queue   []*queued
	flights int
}

type queued struct {
	cmd  redis.Cmder
	done chan struct{}
}

func newPipeliner(rdb redis.UniversalClient, batch int) *pipeliner {
	return &pipeliner{rdb: rdb, batch: batch}
}

// do executes one command and blocks until its answer is there or ctx ends; then the command may still be executed.
func (p *pipeliner) do(ctx context.Context, cmd redis.Cmder) error {
	if p.batch <= 1 {
		return p.rdb.Process(ctx, cmd)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	p.mu.Lock()
	if p.flights < maxFlights {
		p.flights++
		p.mu.Unlock()
		defer p.land()
		return p.rdb.Process(ctx, cmd)
	}
	q := &queued{cmd: cmd, done: make(chan struct{})}
	p.queue = append(p.queue, q)
	p.mu.Unlock()
	select {
	case <-q.done:
		return cmd.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// land ends the caller's flight, or hands it to those who gathered meanwhile.
func (p *pipeliner) land() {
	p.mu.Lock()
	if len(p.queue) == 0 {
		p.flights--
		p.mu.Unlock()
		return
	}
	batch := p.take()
	p.mu.Unlock()
	go p.fly(batch)
}

// fly sends one batch after the other until nothing is queued.
func (p *pipeliner) fly(batch []*queued) {
	for batch != nil {
		p.send(batch)
		p.mu.Lock()
		batch = p.take()
		if batch == nil {
			p.flights--
		}
		p.mu.Unlock()
	}
}

// send executes a batch. It belongs to several callers, so none of their contexts bounds it: the socket timeouts do.
func (p *pipeliner) send(batch []*queued) {
	ctx := context.Background()
	if len(batch) == 1 {
		_ = p.rdb.Process(ctx, batch[0].cmd) // the command holds its error
	} else {
		pipe := p.rdb.Pipeline()
		for _, q := range batch {
			_ = pipe.Process(ctx, q.cmd)
		}
		_, _ = pipe.Exec(ctx)
	}
	for _, q := range batch {
		close(q.done)
	}
}

// take removes up to a batch from the queue; nil when it is empty. The caller holds mu.
func (p *pipeliner) take() []*queued {
	n := min(len(p.queue), p.batch)
	if n == 0 {
		return nil
	}
	batch := p.queue[:n:n]
	p.queue = p.queue[n:]
	if len(p.queue) == 0 {
		p.queue = nil
	}
	return batch
}
