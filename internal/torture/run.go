package torture

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/internal/torture/judge"
	"github.com/booksync/booksync/internal/torture/tale"
)

// run is one simulation.
type run struct {
	seed    int64
	w       *world
	plan    *plan
	tale    *tale.Tale
	sender  *tale.Sender
	reader  *judge.Collector
	history *history
	ctx     context.Context // of the simulation: ends when the replicas are to end
	alive   sync.WaitGroup  // processes, and what waits to start one

	mu       sync.Mutex
	replicas []*replica
	guests   int // replicas that joined and left
	faults   map[string]int
	edited   map[string]string // notes of invoices, by order
	ops      map[string]int    // of all replicas, by name
	calls    []time.Time       // that left for Zoho
	losing   *losing           // a failover under way
	flying   map[*conn]string  // calls that wait for their answers, by connection: when each left
	highest  int               // most of them at a time
	leases   leases
	spins    spins
}

// Times of a simulation.
const (
	linger = 6 * time.Minute // afterwards, for what comes late: longer than the write horizon, lease and deadline of Redis
)

// simulate runs a seed from begin to end within a bubble. interrupt comes from outside the bubble: it can be asked, not waited for.
func simulate(interrupt context.Context, seed int64, orders int, level slog.Level) *Result {
	x := &run{seed: seed, plan: draw(seed), history: &history{level: level}, edited: map[string]string{}, flying: map[*conn]string{}, faults: map[string]int{}, ops: map[string]int{}}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	pause(ctx, time.Until(x.plan.start))
	x.ctx = ctx
	res := &Result{Seed: seed}
	w, err := newWorld(seed, x.plan)
	if err != nil {
		res.Problem("world", "%v", err)
		return res
	}
	x.w, x.tale = w, tale.Tell(seed, tale.Options{Orders: orders, Begin: begin, Forgetful: x.plan.forgetful()})
	for _, f := range x.plan.books {
		x.inject(f)
	}
	x.reader = &judge.Collector{Connect: w.client, Topics: w.cfg.Topics, Group: w.cfg.Kafka.Group, Codec: w.codec, Note: x.history.add}
	if err := x.reader.Start(); err != nil {
		res.Problem("world", "%v", err)
		return res
	}
	x.alive.Go(x.watchCommits)
	x.sender = &tale.Sender{
		Tale: x.tale, Connect: w.client, Topics: w.cfg.Topics, Codec: w.codec, Begin: x.plan.start, Hurry: x.plan.hurry, Settled: x.reader.Settled,
		Aborted: func() { x.hit(string(aborted)) },
	}
	if slices.ContainsFunc(x.plan.skews, func(d time.Duration) bool { return d != 0 }) {
		x.hit(string(skew))
	}
	for n := range x.plan.replicas {
		r := &replica{x: x, n: n + 1, skew: x.plan.skews[n]}
		x.mu.Lock()
		x.replicas = append(x.replicas, r)
		x.mu.Unlock()
		r.start()
	}
	producing := make(chan error, 1)
	go func() { producing <- x.sender.Run(ctx) }()
	patience := x.plan.patience()
	over := func() bool {
		return x.sender.Done() || len(producing) > 0 && !x.sender.Sent() || interrupt.Err() != nil
	}
	if !until(ctx, patience, over) {
		x.history.add("not every record has a verdict after %s", patience)
	}
	until(ctx, linger, func() bool { return interrupt.Err() != nil })
	cancel()
	if err := <-producing; err != nil {
		res.Problem("world", "%v", err)
	}
	for _, r := range x.all() {
		r.stop()
	}
	x.alive.Wait()
	pause(context.Background(), 5*time.Second) // what was published last
	x.judge(res)
	x.reader.Stop()
	for kind, n := range w.sim.FaultHits() {
		x.faults["books: "+string(kind)] += n
	}
	if n := w.sim.Calls(tale.ZohoID); x.plan.perDay < usualQuota && n.Total >= x.plan.perDay {
		x.faults[string(smallQuota)]++
	}
	res.Ops, res.Faults, res.Hours = x.ops, x.faults, time.Since(x.plan.start).Hours()
	if !res.OK() {
		res.Plan, res.History = x.plan.String(), x.history.text()
	}
	w.close()
	return res
}

// readDelay is how much later than a commit the reader may see its outcomes, which are published by the same transaction: the
// timeout of a transaction that another replica has left open in front of them, and the broker's look for it.
const readDelay = 21 * time.Second

// watchCommits looks at what the group has committed whenever somebody has ended a transaction or committed without one. When
// the pause is over, everything that could be done about it at that moment is done.
func (x *run) watchCommits() {
	for {
		select {
		case <-x.w.commits:
		case <-x.ctx.Done():
			return
		}
		if !pause(x.ctx, time.Millisecond) {
			return
		}
		if err := x.reader.Look(x.ctx); err != nil && x.ctx.Err() == nil {
			x.history.add("%v", err)
		}
	}
}

// holdsUp are what may keep a renewal from leaving.
var holdsUp = []action{freeze, slow, redisOut, empty, failover}

// judge gathers the evidence and lets it be judged.
func (x *run) judge(res *Result) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	e, err := x.reader.Evidence(ctx)
	if err != nil {
		res.Problem("world", "%v", err)
		return
	}
	e.Tale, e.TimeZone, e.Spinning = x.tale, x.w.org.TimeZone, x.spins.Found
	e.Ledger, e.Calls, e.Sent = x.w.sim.Ledger(tale.ZohoID), x.w.sim.Calls(tale.ZohoID), x.calls
	e.Limits = judge.Limits{PerMinute: x.plan.perMinute, PerDay: x.plan.perDay, InFlight: concurrency}
	e.Flying = x.highest
	e.Edited = x.edited
	if !slices.ContainsFunc(x.plan.wire, func(f *wireFault) bool { return f.done && slices.Contains(holdsUp, f.action) }) {
		e.Lapsed = x.leases.Found
	}
	e.Usurped = x.w.redis.fence.Found
	e.Late = slices.ContainsFunc(x.plan.books, func(f simulator.Fault) bool { // what is done after the client has given up
		return (f.Kind == simulator.FaultLatency || f.Kind == simulator.FaultLateLanding) && f.Method != http.MethodPost && f.Method != http.MethodGet
	})
	e.Skew, e.Delay = maxSkew, readDelay
	if slices.ContainsFunc(x.plan.wire, func(f *wireFault) bool { return f.done && (f.action == freeze || f.action == slow) }) {
		e.Calls.LargestInFlight = 0 // what the network holds back arrives when its slot is long free
	}
	before := res.Problems
	res.Calls, res.Findings = len(x.calls), *judge.Check(*e)
	res.Problems = append(before, res.Problems...)
}
