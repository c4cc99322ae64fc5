package app

import (
	"context"
	"fmt"
	"time"

	"github.com/booksync/booksync/connectors/redis"
	"github.com/booksync/booksync/processor"
)

// switches tells the job what operators have paused.
type switches struct{ watch *redis.SwitchWatch }

// Paused implements processor.Switches.
func (s switches) Paused(organization string, w processor.Workflow) bool {
	return s.watch.Paused(organization, string(w))
}

// Fresh implements processor.Switches.
func (s switches) Fresh(ctx context.Context) error { return s.watch.Fresh(ctx) }

// watchSwitches learns what is paused; nothing is consumed before that is known. It tries until Redis answers or ctx ends.
func (s *Service) watchSwitches(ctx context.Context, wake func(...string)) (*redis.SwitchWatch, error) {
	inRedis := redis.NewSwitches(s.store.Client, s.cfg.Kafka.Group)
	if s.opts.Idle > 0 {
		inRedis.Every = s.opts.Idle
	}
	for n := 0; ; n++ {
		watch, err := inRedis.Watch(ctx, func() { wake(processor.WakeSwitches) })
		if err == nil {
			for _, w := range watch.Known() {
				s.log.Warn("work is paused", "organization", w.Organization, "workflow", w.Workflow, "owner", w.Owner, "actor", w.Actor, "reason", w.Reason)
			}
			return watch, nil
		}
		s.wait(fmt.Errorf("reading what is paused: %w", err))
		if !pause(ctx, min(time.Second<<min(n, 6), time.Minute)) {
			return nil, ctx.Err()
		}
	}
}
