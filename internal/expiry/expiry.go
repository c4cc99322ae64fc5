// Package expiry makes the keys of an embedded Redis expire, for demo and tests.
package expiry

import (
	"time"

	"github.com/alicebob/miniredis/v2"
)

// tick is how often keys are looked at.
const tick = 20 * time.Millisecond

// Run moves the clock of m, which never expires a key by itself, with the real one, until stop. (Its own ClockTTL looks at every key with
// every command of a script: half of what a script costs.)
func Run(m *miniredis.Miniredis) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(tick)
		defer ticker.Stop()
		last := time.Now()
		for {
			select {
			case <-done:
				return
			case now := <-ticker.C:
				m.FastForward(now.Sub(last))
				last = now
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}
