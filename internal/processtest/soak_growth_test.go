package processtest

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// TestGrowth holds the soak's own judge to account: what is level but noisy passes, what leaks does not.
func TestGrowth(t *testing.T) {
	t.Parallel()
	// An hour of a process whose memory and goroutines go up and down, in a warm-up that is left out up only.
	hour := func(leak func(s *sample, minute float64)) []sample {
		r := rand.New(rand.NewPCG(7, 7))
		var out []sample
		for minute := range 61 {
			f := figures{rss: 180 + 20*r.Float64(), goroutines: float64(60 + r.IntN(20))}
			if minute < 10 {
				f.rss = 20 * float64(minute)
			}
			s := sample{at: time.Duration(minute) * time.Minute, process: map[int]figures{0: f}, drift: r.IntN(20), inFlight: r.IntN(20)}
			leak(&s, float64(minute))
			out = append(out, s)
		}
		return out
	}
	process := func(change func(f *figures, minute float64)) func(*sample, float64) {
		return func(s *sample, minute float64) {
			f := s.process[0]
			change(&f, minute)
			s.process[0] = f
		}
	}
	for _, c := range []struct {
		name string
		leak func(s *sample, minute float64)
		want string // what is said to grow; empty: nothing
	}{
		{"level", func(*sample, float64) {}, ""},
		{"memory that comes back", process(func(f *figures, minute float64) { f.rss += float64(int(minute*3) % 40) }), ""},
		{"memory", process(func(f *figures, minute float64) { f.rss += minute }), "memory"},
		{"goroutines", process(func(f *figures, minute float64) { f.goroutines += minute }), "goroutines"},
		{"slots that are not given back", func(s *sample, minute float64) { s.inFlight += int(minute) }, "slots"},
		{"calls that nobody counted", func(s *sample, minute float64) { s.drift -= int(minute) }, "too little"},
		{"calls that were counted twice", func(s *sample, minute float64) { s.drift += int(minute) }, "too much"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := growth(hour(c.leak))
			if c.want == "" && len(got) == 0 {
				return
			}
			if c.want == "" || len(got) != 1 || !strings.Contains(got[0], c.want) {
				t.Errorf("found %q, want only: %s", got, c.want)
			}
		})
	}
}
