// Package torture proves the promises of booksync under faults: the very service that `run` runs, several replicas of it,
// with Kafka, Redis and Zoho Books in memory, in the bubble of a simulated clock (testing/synctest), where hours take
// seconds. A seed decides the events and the schedule of faults; each fault is bound to the n-th operation of a kind. In
// the end a checker with arithmetic of its own holds the history against the promises.
//
//	tale             the tale of a seed: what producers send
//	plan.go          the faults of a seed; strain.go those that come again and again
//	world.go         the services; network.go, pipe.go, wire.go how replicas reach them
//	fence.go         who changes a claim of others
//	replica.go       processes that live and die
//	run.go           one simulation
//	judge            the checker: the promises, the money
//	torture.go       many seeds
package torture

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// DefaultOrders is the usual number of orders in a seed's tale.
const DefaultOrders = 40

// Options say what to run.
type Options struct {
	// First and Last are the seeds, inclusive.
	First, Last int64
	// Orders is the number of orders in each seed's tale. Default DefaultOrders.
	Orders int
	// Parallel is how many seeds run at a time. Default: one per CPU.
	Parallel int
	// Verbose keeps the service's debug log in the history of failed seeds.
	Verbose bool
	// Done, if set, is told of every seed that is done, one at a time.
	Done func(*Result)
}

// Summary is what all seeds came to. Its JSON form is the last line of `torture --json`.
type Summary struct {
	Seeds            int            `json:"seeds"`
	Events           int            `json:"events"`
	Faults           map[string]int `json:"faults"` // by kind
	Duplicates       int            `json:"duplicates"`
	Losses           int            `json:"losses"`
	RepeatedOutcomes int            `json:"repeated_outcomes"`
	FailedSeeds      []int64        `json:"failed_seeds"`
	Outcomes         map[string]int `json:"outcomes"` // by status
	Calls            int            `json:"calls"`    // of Zoho Books
	SimulatedHours   float64        `json:"simulated_hours"`
	Seconds          float64        `json:"seconds"`
}

// Run runs the seeds; it blocks until all are done, or ctx ends. A seed that ctx cut short does not count.
func Run(ctx context.Context, o Options) *Summary {
	if o.Parallel <= 0 {
		o.Parallel = runtime.GOMAXPROCS(0)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // little lives, much passes
	began := time.Now()
	sum := &Summary{Faults: map[string]int{}, Outcomes: map[string]int{}, FailedSeeds: []int64{}}
	seeds := make(chan int64)
	var mu sync.Mutex
	var workers sync.WaitGroup
	for range o.Parallel {
		workers.Go(func() {
			for seed := range seeds {
				r := Seed(ctx, seed, o)
				if ctx.Err() != nil { // it was cut short
					continue
				}
				mu.Lock()
				sum.add(r)
				if o.Done != nil {
					o.Done(r)
				}
				mu.Unlock()
			}
		})
	}
	for seed := o.First; seed <= o.Last && ctx.Err() == nil; seed++ {
		select {
		case seeds <- seed:
		case <-ctx.Done():
		}
	}
	close(seeds)
	workers.Wait()
	sum.Seconds = time.Since(began).Seconds()
	return sum
}

func (s *Summary) add(r *Result) {
	s.Seeds++
	s.Events += r.Events
	for kind, n := range r.Faults {
		s.Faults[kind] += n
	}
	for status, n := range r.Verdict {
		s.Outcomes[status] += n
	}
	s.Duplicates, s.Losses, s.RepeatedOutcomes = s.Duplicates+r.Duplicates, s.Losses+r.Losses, s.RepeatedOutcomes+r.Repeated
	s.Calls, s.SimulatedHours = s.Calls+r.Calls, s.SimulatedHours+r.Hours
	if !r.OK() {
		s.FailedSeeds = append(s.FailedSeeds, r.Seed)
	}
}

// Seed runs one seed. When ctx ends it stops early, and its result says nothing.
func Seed(ctx context.Context, seed int64, o Options) (res *Result) {
	if o.Orders <= 0 {
		o.Orders = DefaultOrders
	}
	level := slog.LevelInfo
	if o.Verbose {
		level = slog.LevelDebug
	}
	defer func() {
		if p := recover(); p != nil { // the bubble is deadlocked: something waits for ever
			res = &Result{Seed: seed}
			res.Problem("nothing waits for ever", "%v", p)
		}
	}()
	began := time.Now()
	defer func() { res.Seconds = time.Since(began).Seconds() }()
	// A bubble needs no more of a test than that there is one.
	synctest.Test(&testing.T{}, func(*testing.T) { res = simulate(ctx, seed, o.Orders, level) })
	return res
}

// String is one line about a seed.
func (r *Result) String() string {
	state := "ok"
	if !r.OK() {
		state = fmt.Sprintf("FAILED: %d promises broken", len(r.Problems))
	}
	return fmt.Sprintf("seed %d: %d events, %d calls, %.1f simulated hours in %.1f s: %s", r.Seed, r.Events, r.Calls, r.Hours, r.Seconds, state)
}
