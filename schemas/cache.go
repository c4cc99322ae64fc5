package schemas

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"
)

// maxEntries bounds a cache; beyond it the remembered errors go, which anybody's bytes can cause.
const maxEntries = 10_000

// cache looks things up once for all who ask at the same time, and remembers the answers. A look-up runs on its own
// time, not on that of the caller who happened to come first.
type cache[K comparable, V any] struct {
	fetch   func(context.Context, K) (V, error)
	keep    func(error) time.Duration // how long an error answers; 0: not at all
	timeout time.Duration
	now     func() time.Time
	ctx     context.Context // ends at close
	cancel  context.CancelFunc

	mu      sync.RWMutex
	entries map[K]entry[V]
	flights map[K]*flight[V]
}

type entry[V any] struct {
	value V
	err   error
	until time.Time // zero: for ever
}

type flight[V any] struct {
	done  chan struct{} // closed when value and err are set
	value V
	err   error
}

func newCache[K comparable, V any](timeout time.Duration, fetch func(context.Context, K) (V, error), keep func(error) time.Duration) *cache[K, V] {
	ctx, cancel := context.WithCancel(context.Background())
	return &cache[K, V]{
		fetch: fetch, keep: keep, timeout: timeout, now: time.Now, ctx: ctx, cancel: cancel,
		entries: make(map[K]entry[V]), flights: make(map[K]*flight[V]),
	}
}

func (c *cache[K, V]) close() { c.cancel() }

// get blocks until the look-up ends or ctx does.
func (c *cache[K, V]) get(ctx context.Context, key K) (V, error) {
	c.mu.RLock()
	e, ok := c.entries[key]
	c.mu.RUnlock()
	if ok && (e.until.IsZero() || c.now().Before(e.until)) {
		return e.value, e.err
	}
	f := c.join(key)
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		var zero V
		return zero, fmt.Errorf("%w: waiting for it: %w", ErrRegistryUnavailable, context.Cause(ctx))
	}
}

// join returns the look-up under way, or starts one.
func (c *cache[K, V]) join(key K) *flight[V] {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f, ok := c.flights[key]; ok {
		return f
	}
	f := &flight[V]{done: make(chan struct{})}
	if e, ok := c.entries[key]; ok && (e.until.IsZero() || c.now().Before(e.until)) { // it ended just now
		f.value, f.err = e.value, e.err
		close(f.done)
		return f
	}
	c.flights[key] = f
	go c.run(key, f)
	return f
}

func (c *cache[K, V]) run(key K, f *flight[V]) {
	ctx, cancel := context.WithTimeout(c.ctx, c.timeout)
	defer cancel()
	defer close(f.done)
	defer func() {
		if r := recover(); r != nil { // a schema's text is anybody's too
			f.err = &Error{Class: ClassSchema, Reason: "reading the schema", Err: fmt.Errorf("panicked: %v", r)}
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.flights, key)
		e := entry[V]{value: f.value, err: f.err}
		if f.err != nil {
			keep := c.keep(f.err)
			if keep == 0 {
				return
			}
			if keep != math.MaxInt64 {
				e.until = c.now().Add(keep)
			}
		}
		c.makeRoom()
		c.entries[key] = e
	}()
	f.value, f.err = c.fetch(ctx, key)
	if f.err != nil && errors.Is(f.err, context.DeadlineExceeded) && !errors.Is(f.err, ErrRegistryUnavailable) {
		f.err = fmt.Errorf("%w: %w", ErrRegistryUnavailable, f.err)
	}
}

func (c *cache[K, V]) makeRoom() {
	if len(c.entries) < maxEntries {
		return
	}
	for key, e := range c.entries {
		if e.err != nil {
			delete(c.entries, key)
		}
	}
}

func (c *cache[K, V]) forget(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.entries, key)
}
