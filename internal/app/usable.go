package app

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/processor"
)

// Which organisations can be worked for, and when the others are tried again.

// organizations reads every organisation from Zoho, and each one's epoch from Redis, which a commit names. It tries until it
// has all epochs and an organisation that is usable, or ctx ends: nothing is consumed before. The late ones are those that are
// not usable yet: their records wait, nobody else's do.
func (s *Service) organizations(ctx context.Context) (usable []*processor.Organization, late []string, err error) {
	names := s.cfg.OrganizationNames()
	for _, name := range names {
		for n := 0; ; n++ {
			_, err := s.claims.Epoch(ctx, name, false)
			if err == nil {
				break
			}
			s.wait(err)
			s.log.Error("claims not usable", "organization", name, "error", err.Error())
			if !pause(ctx, again(err, n, time.Now())) {
				return nil, nil, ctx.Err()
			}
		}
	}
	for n := 0; ; n++ {
		tried := make([]*processor.Organization, len(names))
		errs := make([]error, len(names))
		var trying sync.WaitGroup
		for i, name := range names {
			trying.Go(func() { tried[i], errs[i] = s.organization(ctx, name) })
		}
		trying.Wait()
		for i, name := range names {
			if errs[i] == nil {
				usable = append(usable, tried[i])
			} else {
				late = append(late, name)
			}
		}
		if len(usable) > 0 {
			return usable, late, nil
		}
		late = nil
		wait := time.Minute
		for _, err := range errs {
			wait = min(wait, again(err, n, time.Now()))
		}
		if !pause(ctx, wait) {
			return nil, nil, ctx.Err()
		}
	}
}

// organization tries once to make an organisation usable. What a person must mend is logged and shown by /readyz.
func (s *Service) organization(ctx context.Context, name string) (*processor.Organization, error) {
	ctx = zohobooks.WithClass(ctx, zohobooks.ClassLookUp)
	org, err := OrganizationOf(ctx, name, s.cfg.Organizations[name], s.books[name])
	if err == nil {
		err = s.stockTracked(ctx, org)
	}
	s.mu.Lock()
	if err == nil {
		delete(s.unusable, name)
	} else {
		s.unusable[name] = err
	}
	s.mu.Unlock()
	if err != nil && ctx.Err() == nil {
		s.log.Error("organisation not usable", "organization", name, "error", err.Error())
	}
	return org, err
}

// usable waits for a late organisation; nil when ctx ended first.
func (s *Service) usable(ctx context.Context, name string) *processor.Organization {
	for n := 0; ; n++ {
		s.mu.Lock()
		err := s.unusable[name]
		s.mu.Unlock()
		if !pause(ctx, again(err, n, time.Now())) {
			return nil
		}
		if org, err := s.organization(ctx, name); err == nil {
			s.log.Info("organisation usable", "organization", name)
			return org
		}
	}
}

// again is how long to wait after the n-th try of an organisation failed, at most a minute. Who starts during a pause is
// there when it ends.
func again(err error, n int, now time.Time) time.Duration {
	wait := time.Second << min(n, 6)
	var paused *zohobooks.PausedError
	if errors.As(err, &paused) {
		wait = max(paused.Until.Sub(now), time.Second)
	}
	return min(wait, time.Minute)
}

// pause waits; false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *Service) wait(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = err
}
