package bench

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// delays are a distribution.
type delays struct{ p50, p99, most time.Duration }

// String shows milliseconds.
func (d delays) String() string {
	return fmt.Sprintf("p50 %v, p99 %v, at most %v", d.p50.Round(time.Millisecond), d.p99.Round(time.Millisecond), d.most.Round(time.Millisecond))
}

// trickleEvery is the time between two events without a backlog: five a second, ten times what Zoho's largest plan allows
// over a day.
const trickleEvery = 200 * time.Millisecond

// trickle produces n events, one after the other, and measures the time from each's production to its published outcome.
func (w *world) trickle(t testing.TB, n int, posted <-chan string, event func(n int) (id string, e any)) delays {
	t.Helper()
	produced := make(map[string]time.Time, n)
	took := make([]time.Duration, 0, n)
	note := func(id string) {
		at, ok := produced[id]
		if !ok {
			t.Fatalf("an outcome of %s, which was not produced or came before", id)
		}
		delete(produced, id)
		took = append(took, time.Since(at))
	}
	tick := time.NewTicker(trickleEvery)
	defer tick.Stop()
	end := time.After(time.Duration(n)*trickleEvery + patience)
	cl := w.producer()
	defer cl.Close()
	for next := 0; len(took) < n; {
		select {
		case id := <-posted:
			note(id)
		case <-end:
			t.Fatalf("%d of %d events were posted", len(took), n)
		case <-tick.C:
			if next == n {
				continue
			}
			id, e := event(next)
			produced[id] = time.Now()
			cl.send(e)
			next++
		}
	}
	slices.Sort(took)
	return delays{p50: took[n/2], p99: took[min(n*99/100, n-1)], most: took[n-1]}
}
