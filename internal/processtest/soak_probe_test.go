package processtest

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/booksync/booksync/connectors/redis"
)

// Bounds of the soak. A line is fitted to the samples (least squares), without the first quarter, in which caches and heaps
// fill; by so much it may rise over what is judged.
const (
	mostMemory     = 0.10 // of the mean VmRSS of that process
	mostGoroutines = 16
	mostDrift      = 25  // calls
	mostRSS        = 256 // MiB, at any time
)

// probe looks at the processes and at the budget.
type probe struct {
	w       *world
	budget  *redis.Budget
	samples []sample
	last    sample // when all is settled
}

// sample is one look.
type sample struct {
	at       time.Duration
	outcomes int
	process  map[int]figures
	// drift is by how many calls the budget's count of the day is off the simulator's; inFlight are the budget's slots in use.
	drift, inFlight int
}

// figures are of one process.
type figures struct{ rss, goroutines float64 } // MiB; a number

func (w *world) probe(t *testing.T) *probe {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := redis.Open(ctx, redis.Config{Addresses: []string{w.redis.Addr}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	b, err := redis.NewBudget(c, redis.BudgetConfig{Default: redis.Limits{PerWindow: w.perMinute, Concurrency: w.concurrency}})
	if err != nil {
		t.Fatal(err)
	}
	return &probe{w: w, budget: b}
}

func (p *probe) sample(t *testing.T, at time.Duration, outcomes int) {
	t.Helper()
	s := p.look(t)
	s.at, s.outcomes = at, outcomes
	p.samples = append(p.samples, s)
	t.Logf("%v", s)
}

func (p *probe) look(t *testing.T) sample {
	t.Helper()
	s := sample{process: map[int]figures{}}
	for n, process := range p.w.processes {
		s.process[n] = figures{rss: rss(t, process.cmd.Process.Pid), goroutines: p.w.metric(t, n, "go_goroutines")}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	state, err := p.budget.State(ctx, "demo")
	if err != nil {
		t.Fatal(err)
	}
	if state.DayLimit == p.w.perDay { // else nothing is learnt yet
		s.drift = (p.w.perDay - p.w.calls(t).Total) - state.DayRemaining
	}
	s.inFlight = state.InFlight
	return s
}

// settled looks once more when nothing is to be done: every slot must have been given back, and no call be uncounted.
func (p *probe) settled(t *testing.T, watch *watcher) {
	t.Helper()
	p.w.until(t, "every slot of the budget to be free", func() bool {
		p.last = p.look(t)
		return p.last.inFlight == 0
	}, watch)
	t.Logf("settled: %v", p.last)
}

func (s sample) String() string {
	text := fmt.Sprintf("soak %6s: %6d outcomes, budget off by %d, %d slots in use;", s.at.Round(time.Second), s.outcomes, s.drift, s.inFlight)
	for n := range len(s.process) {
		text += fmt.Sprintf(" %d: %.0f MiB %.0f goroutines;", n, s.process[n].rss, s.process[n].goroutines)
	}
	return strings.TrimSuffix(text, ";")
}

// judge fails the test where something grows.
func (p *probe) judge(t *testing.T, long bool) {
	t.Helper()
	for _, problem := range growth(p.samples) {
		t.Error(problem)
	}
	for _, s := range p.samples {
		for n, f := range s.process {
			if long && f.rss > mostRSS {
				t.Errorf("after %v process %d took %.0f MiB, want at most %d", s.at, n, f.rss, mostRSS)
			}
		}
	}
	if p.last.drift < -mostDrift || p.last.drift > mostDrift {
		t.Errorf("in the end the budget's count of the day is off by %d calls", p.last.drift)
	}
}

// growth names what grows over the samples by more than the bounds.
func growth(samples []sample) []string {
	judged := samples[len(samples)/4:]
	var problems []string
	say := func(what string, pick func(sample) float64, most func(mean float64) float64) {
		rise, mean := trend(judged, pick)
		if bound := most(mean); rise > bound {
			problems = append(problems, fmt.Sprintf("%s rises by %.1f over %v, at most %.1f is allowed (mean %.1f)", what, rise, judged[len(judged)-1].at-judged[0].at, bound, mean))
		}
	}
	for n := range len(judged[0].process) {
		say(fmt.Sprintf("memory of process %d (MiB)", n), func(s sample) float64 { return s.process[n].rss }, func(mean float64) float64 { return mostMemory * mean })
		say(fmt.Sprintf("the number of goroutines of process %d", n), func(s sample) float64 { return s.process[n].goroutines }, func(float64) float64 { return mostGoroutines })
	}
	drift := func(sign float64) func(sample) float64 {
		return func(s sample) float64 { return sign * float64(s.drift) }
	}
	calls := func(float64) float64 { return mostDrift }
	say("what the budget counts too little", drift(-1), calls)
	say("what the budget counts too much", drift(1), calls)
	say("the slots of the budget in use", func(s sample) float64 { return float64(s.inFlight) }, calls)
	return problems
}

// trend fits a line to a figure and tells by how much it rises from the first sample to the last, and the figure's mean.
func trend(samples []sample, pick func(sample) float64) (rise, mean float64) {
	count := float64(len(samples))
	var at float64
	for _, s := range samples {
		at, mean = at+s.at.Seconds()/count, mean+pick(s)/count
	}
	var both, square float64
	for _, s := range samples {
		x := s.at.Seconds() - at
		both, square = both+x*(pick(s)-mean), square+x*x
	}
	if square == 0 {
		return 0, mean
	}
	return both / square * (samples[len(samples)-1].at - samples[0].at).Seconds(), mean
}

// report prints the figures that the documentation shows.
func (p *probe) report(t *testing.T) {
	t.Helper()
	judged := p.samples[len(p.samples)/4:]
	for n := range len(judged[0].process) {
		of := func(pick func(figures) float64) string {
			figure := func(s sample) float64 { return pick(s.process[n]) }
			low := figure(slices.MinFunc(judged, func(a, b sample) int { return int(figure(a) - figure(b)) }))
			high := figure(slices.MaxFunc(judged, func(a, b sample) int { return int(figure(a) - figure(b)) }))
			rise, mean := trend(judged, figure)
			return fmt.Sprintf("mean %.0f, from %.0f to %.0f, trend %+.1f", mean, low, high, rise)
		}
		t.Logf("process %d: MiB %s; goroutines %s", n, of(func(f figures) float64 { return f.rss }), of(func(f figures) float64 { return f.goroutines }))
	}
	rise, mean := trend(judged, func(s sample) float64 { return float64(s.drift) })
	t.Logf("budget's count against the simulator's: mean %+.1f calls, trend %+.1f; in the end %+d, %d slots in use", mean, rise, p.last.drift, p.last.inFlight)
}

// rss is a process's VmRSS in MiB.
func rss(t *testing.T, pid int) float64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmRSS:" {
			kib, err := strconv.Atoi(fields[1])
			if err != nil {
				t.Fatal(err)
			}
			return float64(kib) / 1024
		}
	}
	t.Fatalf("process %d has no VmRSS", pid)
	return 0
}

// metric reads one metric without labels of its own at the n-th process.
func (w *world) metric(t *testing.T, n int, name string) float64 {
	t.Helper()
	text, err := w.get(t, n, "/metrics")
	if err != nil {
		t.Fatalf("asking process %d for its metrics: %v", n, err)
	}
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) == 2 && (fields[0] == name || strings.HasPrefix(fields[0], name+"{")) {
			value, err := strconv.ParseFloat(fields[1], 64)
			if err != nil {
				t.Fatal(err)
			}
			return value
		}
	}
	t.Fatalf("process %d has no metric %s", n, name)
	return 0
}
