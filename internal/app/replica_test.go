package app

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/booksync/booksync/internal/testkit"
)

// replica is one running service.
type replica struct {
	*Service
	w      *world
	cancel context.CancelFunc
	done   chan error
	once   sync.Once
}

// start runs another replica.
func (w *world) start(change ...func(*Options)) *replica {
	w.Helper()
	cfg := *w.cfg
	cfg.Kafka.TransactionalID = testkit.Name(w, cfg.Kafka.Group)
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("BOOKSYNC_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})).With("test", w.Name())
	}
	opts := Options{Log: log, RedisSkipServerCheck: true}
	for _, c := range change {
		c(&opts)
	}
	s, err := New(context.Background(), &cfg, opts)
	if err != nil {
		w.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &replica{Service: s, w: w, cancel: cancel, done: make(chan error, 1)}
	go func() { r.done <- s.Run(ctx, nil) }()
	w.replicas = append(w.replicas, r)
	return r
}

// stop ends the replica as SIGTERM does, and waits for it.
func (r *replica) stop() {
	r.w.Helper()
	r.once.Do(func() {
		r.cancel()
		select {
		case err := <-r.done:
			if err != nil && !errors.Is(err, context.Canceled) {
				r.w.Errorf("the service ended with: %v", err)
			}
		case <-time.After(patience):
			r.w.Errorf("the service did not stop within %s", patience)
		}
	})
}

// parked waits until so many records are parked for this reason.
func (r *replica) parked(reason string, n int) {
	r.w.Helper()
	testkit.Until(r.w, patience, strconv.Itoa(n)+" records parked: "+reason, func() bool {
		e := r.engine.Load()
		return e != nil && e.Status().Parked[reason] >= n
	})
}
