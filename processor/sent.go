package processor

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/booksync/booksync/connectors/zohobooks"
)

// sentBatcher marks invoices as sent, many in one call: a created invoice is a draft and not in the ledger, so an order is
// settled only then. Marking a sent invoice again changes nothing (recorded), so no answer of it is ever in doubt.
type sentBatcher struct {
	books      Books
	guard      func(context.Context) error // asked before a call leaves
	answered   func()                      // told of every call that went through
	most       int
	wait       time.Duration
	background func(func(context.Context))

	mu      sync.Mutex
	waiting []sentWaiter
	timer   *time.Timer
}

type sentWaiter struct {
	ctx  context.Context
	id   string
	done chan<- error
}

// mark blocks until the invoice's batch was answered, or ctx ends.
func (b *sentBatcher) mark(ctx context.Context, id string) error {
	done := make(chan error, 1)
	b.mu.Lock()
	b.waiting = append(b.waiting, sentWaiter{ctx, id, done})
	switch {
	case len(b.waiting) >= b.most:
		b.flush()
	case len(b.waiting) == 1:
		b.timer = time.AfterFunc(b.wait, func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.flush()
		})
	}
	b.mu.Unlock()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// flush sends what waits; the lock is held.
func (b *sentBatcher) flush() {
	if len(b.waiting) == 0 {
		return
	}
	batch := b.waiting
	b.waiting = nil
	if b.timer != nil { // a batch of one never has any
		b.timer.Stop()
	}
	b.background(func(ctx context.Context) {
		for _, w := range batch { // whoever watches the attempts sees what their batch waits for
			ctx = zohobooks.ActiveFor(ctx, w.ctx)
		}
		b.send(zohobooks.WithGuard(zohobooks.WithClass(ctx, zohobooks.ClassLookUp), b.guard), batch)
	})
}

// send marks a batch. A refusal of the whole because of one is found out one by one.
func (b *sentBatcher) send(ctx context.Context, batch []sentWaiter) {
	if len(batch) == 1 {
		batch[0].done <- b.sendOne(ctx, batch[0].id)
		return
	}
	ids := make([]string, len(batch))
	for i, w := range batch {
		ids[i] = w.id
	}
	err := b.books.MarkInvoicesSent(ctx, ids)
	if err == nil {
		b.answered()
	}
	var refused *zohobooks.Error
	single := err != nil && errors.As(err, &refused) && zohobooks.Verdict(err).Action == zohobooks.ActionReject
	for i, w := range batch {
		switch {
		case single:
			w.done <- b.sendOne(ctx, w.id)
		case err != nil && i > 0:
			w.done <- &sharedFailure{err}
		default:
			w.done <- err
		}
	}
}

func (b *sentBatcher) sendOne(ctx context.Context, id string) error {
	err := b.books.MarkInvoiceSent(ctx, id)
	if err == nil {
		b.answered()
	}
	return err
}

// sharedFailure is a failure of one call that concerned many: only the first of them counts it as an outage.
type sharedFailure struct{ err error }

func (e *sharedFailure) Error() string { return e.err.Error() }
func (e *sharedFailure) Unwrap() error { return e.err }
