package app

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"github.com/booksync/booksync/internal/access"
	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/operator/reconcile"
	"github.com/booksync/booksync/processor"
)

const (
	// reconcileLook is how often it is asked whether a scheduled reconciliation is due.
	reconcileLook = time.Minute
	// reconcileLease is how long a replica that died keeps the others from its run.
	reconcileLease = 2 * time.Minute
	// reconcileWork is the lease's name.
	reconcileWork = "reconcile"
	// reconcileRetry is how long a run that failed is left alone.
	reconcileRetry = 15 * time.Minute
	scheduled      = "schedule"
)

// reconciler runs the scheduled reconciliations of this replica.
type reconciler struct {
	s        *Service
	schedule config.Schedule
	look     time.Duration
	failed   map[string]time.Time // when an organisation's last run failed
}

// reconcileBySchedule looks, until ctx ends, whether a reconciliation is due, and runs it: one replica at a time, under a
// lease in Redis. Which runs were made stands in Redis too: a run that a crash or a stop cut short, or that nobody was there
// for, is made up for, once.
func (s *Service) reconcileBySchedule(ctx context.Context, orgs []*processor.Organization) {
	schedule, err := config.ParseSchedule(s.cfg.Reconcile.Schedule)
	if err != nil || schedule.Never() { // the configuration was checked
		return
	}
	r := &reconciler{s: s, schedule: schedule, look: s.opts.ReconcileLook, failed: map[string]time.Time{}}
	if r.look <= 0 {
		r.look = reconcileLook
	}
	began := time.Now()
	for pause(ctx, r.look) {
		for _, org := range orgs {
			if err := r.due(ctx, org, began); err != nil && ctx.Err() == nil {
				r.failed[org.Name] = time.Now()
				s.log.Error("reconciliation failed", "organization", org.Name, "error", err.Error())
			}
		}
	}
}

// due runs an organisation's reconciliation if its time has come. Where none was ever made, the first is that of the next
// time after this replica began.
func (r *reconciler) due(ctx context.Context, org *processor.Organization, began time.Time) error {
	if time.Since(r.failed[org.Name]) < min(reconcileRetry, r.look*15) {
		return nil
	}
	at := r.schedule.Last(time.Now(), org.TimeZone)
	owed, err := r.owed(ctx, org.Name, at, began)
	if err != nil || !owed {
		return err
	}
	client, owner := r.s.store.Client, rand.Text()
	ours, err := client.Lease(ctx, org.Name, reconcileWork, owner, reconcileLease)
	if err != nil || !ours {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var beside sync.WaitGroup
	beside.Go(func() {
		defer cancel() // without the lease another replica may have begun
		for pause(ctx, reconcileLease/4) {
			if still, err := client.Extend(ctx, org.Name, reconcileWork, owner, reconcileLease); err == nil && !still {
				return
			}
		}
	})
	defer func() {
		cancel()
		beside.Wait()
		giving, stop := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer stop()
		if err := client.Unlease(giving, org.Name, reconcileWork, owner); err != nil {
			r.s.log.Warn("reconciliation's lease not given back", "organization", org.Name, "error", err.Error())
		}
	}()
	if owed, err = r.owed(ctx, org.Name, at, began); err != nil || !owed { // somebody may have been quicker
		return err
	}
	return r.run(ctx, org, at)
}

// owed says whether the run of this time was not made.
func (r *reconciler) owed(ctx context.Context, organization string, at, began time.Time) (bool, error) {
	last, err := reconcile.LastOf(ctx, r.s.store.Client, organization)
	if err != nil {
		return false, err
	}
	if last == nil {
		return at.After(began), nil
	}
	return last.Due.Before(at) && last.At.Before(at), nil
}

// run reconciles, publishes the result, and only then notes that it was made.
func (r *reconciler) run(ctx context.Context, org *processor.Organization, due time.Time) error {
	s := r.s
	today := time.Now().In(org.TimeZone)
	rc := s.cfg.Reconcile
	result, err := reconcile.Run(ctx, reconcile.Deps{Config: s.cfg, Codec: s.codec, Books: s.books[org.Name], Budget: s.store.Budget.State}, reconcile.Options{
		Organization: org.Name, Grace: rc.Grace, MaxCalls: rc.MaxCalls, StartedBy: scheduled,
		Window: reconcile.Window{Since: today.AddDate(0, 0, -rc.Days).Format(time.DateOnly), Until: today.Format(time.DateOnly)},
	})
	if err != nil {
		return err
	}
	client, err := access.Producer(s.cfg)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := result.Publish(ctx, s.codec, client, s.cfg.Topics.Reconciliations); err != nil {
		return err
	}
	if err := reconcile.RememberDue(ctx, s.store.Client, result, due); err != nil {
		return fmt.Errorf("after publishing it: %w", err)
	}
	exceptions := make(map[string]int, len(result.Counts))
	for status, n := range result.Counts {
		if status.Exception() {
			exceptions[string(status)] = n
		}
	}
	s.tel.Metrics.Reconciled(ctx, org.Name, result.Duration, exceptions)
	s.log.Info("reconciled", "organization", org.Name, "window", result.Window.String(), "transactions", result.Transactions,
		"exceptions", len(result.Exceptions)+result.LeftOut, "calls", result.Calls, "duration", result.Duration)
	return nil
}

// reconciledAgo is the age of an organisation's last reconciliation; negative without one.
func (s *Service) reconciledAgo(ctx context.Context, organization string) time.Duration {
	last, err := reconcile.LastOf(ctx, s.store.Client, organization)
	if err != nil || last == nil {
		return -1
	}
	return max(time.Since(last.At), 0)
}
