package redis

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// switchesEvery is the default of Switches.Every.
	switchesEvery = 200 * time.Millisecond
	// switchesFresh is how old the state may be for a decision to write: together with the time that a read takes it is less than the second within which a
	// switch takes effect everywhere.
	switchesFresh = 600 * time.Millisecond
	// switchesPatience bounds one reading of the watch.
	switchesPatience = 5 * time.Second
)

// SwitchWatch knows the switches as they were a moment ago. While Redis is away, and after it lost its memory, the last known state holds; what was lost is
// put back.
type SwitchWatch struct {
	s       *Switches
	changed func()

	known atomic.Pointer[knownSwitches]
	turn  chan struct{} // holds one: who reads
	stop  func()
	ended sync.WaitGroup
}

type knownSwitches struct {
	switchState
	at time.Time // when the reading began
}

// Watch reads the switches and keeps them known until ctx ends, Stop is called or the client is closed. It blocks until they were read once and the
// subscription is confirmed. changed, which must not block, is called after every change.
func (s *Switches) Watch(ctx context.Context, changed func()) (*SwitchWatch, error) {
	w := &SwitchWatch{s: s, changed: changed, turn: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(ctx)
	told := make(chan struct{}, 1)
	unsubscribe, err := s.c.subscribe(ctx, exactly.Replace(s.channel), func(string, string) {
		select {
		case told <- struct{}{}:
		default:
		}
	}, func() {})
	if err != nil {
		cancel()
		return nil, fmt.Errorf("subscribing to the switches: %w", err)
	}
	w.stop = func() { cancel(); unsubscribe(); w.ended.Wait() }
	if err := w.renew(ctx, time.Now()); err != nil {
		w.stop()
		return nil, err
	}
	w.ended.Add(1)
	if !s.c.background(func() { defer w.ended.Done(); w.run(ctx, told) }) {
		w.ended.Done()
		w.stop()
		return nil, ErrClosed
	}
	return w, nil
}

// exactly makes a pattern that matches a channel's name only.
var exactly = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`)

// Stop ends the watch; the last known state stays.
func (w *SwitchWatch) Stop() { w.stop() }

// run reads when told and now and then.
func (w *SwitchWatch) run(ctx context.Context, told <-chan struct{}) {
	tick := time.NewTicker(cmp.Or(w.s.Every, switchesEvery))
	defer tick.Stop()
	away := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.s.c.closing.Done():
			return
		case <-told:
		case <-tick.C:
		}
		reading, cancel := context.WithTimeout(ctx, switchesPatience)
		err := w.renew(reading, time.Now())
		cancel()
		if (err != nil) != away && ctx.Err() == nil {
			if away = err != nil; away {
				w.s.c.logger.Warn("switches not read, the last known ones hold", slog.Any("error", err))
			} else {
				w.s.c.logger.Info("switches are read again")
			}
		}
	}
}

// renew reads the switches unless they were read since then. One caller at a time reads.
func (w *SwitchWatch) renew(ctx context.Context, since time.Time) error {
	select {
	case w.turn <- struct{}{}:
		defer func() { <-w.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	old := w.known.Load()
	if old != nil && !old.at.Before(since) {
		return nil
	}
	at := time.Now()
	st, err := w.s.read(ctx)
	if err != nil {
		return err
	}
	if old != nil && st.version < old.version {
		w.s.c.logger.Warn("redis has lost the switches: those last known are put back", slog.Int("switches", len(old.switches)))
		if err := w.s.restore(ctx, old.switchState); err != nil {
			return err
		}
		if st, err = w.s.read(ctx); err != nil {
			return err
		}
	}
	w.known.Store(&knownSwitches{st, at})
	if old != nil && st.version != old.version {
		w.changed()
	}
	return nil
}

// Known are the switches last read.
func (w *SwitchWatch) Known() []Switch { return w.known.Load().switches }

// Paused says whether a switch concerns the work, as last read; empty names ask for what concerns all organisations, or all workflows. It does not block.
func (w *SwitchWatch) Paused(organization, workflow string) bool {
	for _, s := range w.known.Load().switches {
		if s.covers(organization, workflow) {
			return true
		}
	}
	return false
}

// Fresh makes sure that what is known was read within the last moment, and reads it where it was not. An error says that Redis does not answer.
func (w *SwitchWatch) Fresh(ctx context.Context) error {
	if time.Since(w.known.Load().at) < switchesFresh {
		return nil
	}
	return w.renew(ctx, time.Now().Add(-switchesFresh))
}
