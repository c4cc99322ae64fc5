package torture

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

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

// maxPerSecond is how many operations of all replicas may leave within a second of simulated time. Time stands still while
// they work, so that work which never waits shows as more than that.
const maxPerSecond = 20_000

// spins finds work that never waits for anything.
type spins struct {
	second int64
	ops    map[string]int
	n      int
	Found  string // what was seen first
}

// see counts an operation. The lock of the run is held.
func (s *spins) see(op string) (spinning bool, told string) {
	if now := time.Now().Unix(); now != s.second {
		s.second, s.n, s.ops = now, 0, map[string]int{}
	}
	s.n++
	s.ops[op]++
	if s.n == maxPerSecond && s.Found == "" {
		s.Found = fmt.Sprint(s.ops)
		return true, s.Found
	}
	return s.n > maxPerSecond, ""
}

// leases finds who goes on with a claim whose lease has lapsed, as nobody prolonged it in time. Operations count as they leave.
type leases struct {
	last  map[string]time.Time // by the attempt's token
	Found string               // what was seen first
}

// cut takes the token off the name of an operation.
func (l *leases) cut(op string) (name, token string) {
	parts := strings.SplitN(op, " ", 3)
	if parts[0] != "redis" || len(parts) < 3 {
		return op, ""
	}
	return parts[0] + " " + parts[1], parts[2]
}

// see takes note of an operation. The lock of the run is held.
func (l *leases) see(op, token string) {
	if token == "" {
		return
	}
	now := time.Now()
	last, known := l.last[token]
	if known && op != "redis claim" && now.Sub(last) > lease && l.Found == "" {
		l.Found = fmt.Sprintf("%s at %s, %s after the lease was taken or prolonged", op, now.UTC().Format("15:04:05.000"), now.Sub(last))
	}
	if l.last == nil {
		l.last = map[string]time.Time{}
	}
	l.last[token] = now
}

// losing is a failover that comes after some more operations of Redis.
type losing struct {
	f    *wireFault
	snap *snapshot
	left int
}

// see is told of every operation that a replica is about to send. It decides, by the plan, what becomes of it.
func (x *run) see(p *process, c *conn, op string) (bool, func()) {
	if strings.HasPrefix(op, "redis subscribe") || strings.HasPrefix(op, "redis psubscribe") {
		p.cable.subscribed(c)
	}
	op, token := x.leases.cut(op)
	x.mu.Lock()
	x.leases.see(op, token)
	x.ops[op]++
	if spinning, told := x.spins.see(op); spinning {
		if told != "" {
			defer x.history.add("more than %d operations within a second, at last: %s", maxPerSecond, told)
		}
		defer c.out.hold(time.Now().Add(time.Millisecond)) // time must go on
	}
	var due []*wireFault
	deaf := false
	for _, f := range x.plan.wire {
		if !strings.HasPrefix(op, f.op) {
			continue
		}
		if f.seen++; f.seen == f.nth && !f.done {
			f.done = true
			due = append(due, f)
		}
		deaf = deaf || time.Now().Before(f.deafTill)
	}
	over := x.losing
	if over != nil && strings.HasPrefix(op, "redis ") {
		if over.left--; over.left > 0 {
			over = nil
		} else {
			x.losing = nil
		}
	} else {
		over = nil
	}
	x.mu.Unlock()
	if deaf {
		c.in.poison(c.cut)
	}
	if over != nil {
		x.history.add("redis fails over without its last %d operations", over.f.lost)
		x.w.redis.restore(over.snap)
		x.w.net.outage(redisAddr, over.f.for_)
	}
	var last func()
	for _, f := range due {
		x.hit(string(f.action))
		x.history.add("%s, by replica %d", f, p.r.n)
		ok, then := x.act(f, p, c)
		if !ok {
			return false, nil
		}
		if then != nil {
			last = then
		}
	}
	if counted(op) && !p.cable.dead() && c.writable() {
		x.leaves(c, fmt.Sprintf("%s by replica %d at %s", op, p.r.n, time.Now().UTC().Format("15:04:05.000")))
		c.await(func() {
			x.mu.Lock()
			defer x.mu.Unlock()
			delete(x.flying, c)
		})
	}
	return true, last
}

// counted says whether an operation is a call that Zoho Books counts for the company: tokens and the list of companies name none.
func counted(op string) bool {
	return strings.HasPrefix(op, "books ") && !strings.Contains(op, "/oauth/") && !strings.HasSuffix(op, "/organizations")
}

// leaves takes note of a call that leaves for Zoho.
func (x *run) leaves(c *conn, call string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.calls = append(x.calls, time.Now())
	x.flying[c] = call
	if n := len(x.flying); n > x.highest {
		x.highest = n
		if n > concurrency {
			x.history.add("%d calls wait for their answers: %s", n, strings.Join(slices.Sorted(maps.Values(x.flying)), ", "))
		}
	}
}

func (x *run) hit(kind string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.faults[kind]++
}

// act is what a fault does.
func (x *run) act(f *wireFault, p *process, c *conn) (bool, func()) {
	switch f.action {
	case loseRequest:
		c.cut()
		return false, nil
	case loseAnswer:
		c.in.poison(c.cut)
	case loseAnswers:
		c.in.poison(c.cut)
		x.mu.Lock()
		f.deafTill = time.Now().Add(f.for_)
		x.mu.Unlock()
	case vanish:
		c.in.poison(func() { x.w.net.outage(string(c.remote), f.for_) })
	case slow:
		c.out.hold(time.Now().Add(f.for_))
	case kill:
		p.kill(nil, f.for_)
		return false, nil
	case killAfter:
		return true, func() { p.kill(c, f.for_) }
	case freeze:
		p.cable.freeze(f.for_)
	case join:
		x.guest(f.for_, "")
	case twin:
		x.guest(f.for_, p.transactionalID())
	case flap:
		x.alive.Go(x.flap)
	case mute:
		for _, r := range x.all() {
			if p := r.process(); p != nil {
				p.cable.mute(f.for_)
			}
		}
	case empty:
		x.w.redis.FlushAll()
		x.w.net.outage(redisAddr, f.for_)
	case failover:
		snap := x.w.redis.snapshot()
		x.mu.Lock()
		x.losing = &losing{f: f, snap: snap, left: f.lost}
		x.mu.Unlock()
	case redisOut:
		x.w.net.outage(redisAddr, f.for_)
	case kafkaOut:
		x.w.net.outage(kafkaAddr, f.for_)
	case booksOut:
		x.w.net.outage(booksAddr, f.for_)
	case personEdit:
		x.people(simulator.Fault{Kind: simulator.FaultEdit, Notes: "edited by hand"}, "order:")
	case personGone:
		x.people(simulator.Fault{Kind: simulator.FaultDelete}, "payment:p-")
	case quotaGone:
		x.quotaGone()
	case scopeGone:
		x.inject(simulator.Fault{Kind: simulator.FaultRevokeScope, Scope: "customerpayments.CREATE", For: f.for_})
	}
	return true, nil
}

func (x *run) all() []*replica {
	x.mu.Lock()
	defer x.mu.Unlock()
	return append([]*replica{}, x.replicas...)
}

// guest is a replica that joins the group now and leaves it after a while; with the transactional id of another one it is its
// twin.
func (x *run) guest(stay time.Duration, id string) {
	x.mu.Lock()
	x.guests++
	r := &replica{x: x, n: 10 + x.guests, id: id}
	x.mu.Unlock()
	x.alive.Go(func() {
		r.start()
		pause(x.ctx, stay+5*time.Second) // it asks Zoho first
		r.stop()
	})
}

// flap is a member of the group that leaves it as soon as it has joined.
func (x *run) flap() {
	ctx, cancel := context.WithTimeout(x.ctx, 20*time.Second)
	defer cancel()
	in := make(chan struct{})
	var once sync.Once
	opts := []kgo.Opt{
		kgo.ConsumerGroup(x.w.cfg.Kafka.Group), kgo.ConsumeTopics(x.w.cfg.Topics.Sources()...), kgo.DisableAutoCommit(),
		kgo.OnPartitionsAssigned(func(context.Context, *kgo.Client, map[string][]int32) { once.Do(func() { close(in) }) }),
	}
	if x.plan.protocol == "consumer" {
		opts = append(opts, kgo.ServerSideBalancer())
	} else {
		opts = append(opts, kgo.Balancers(kgo.CooperativeStickyBalancer()), kgo.SessionTimeout(10*time.Second))
	}
	cl, err := x.w.client(opts...)
	if err != nil {
		x.history.add("joining: %v", err)
		return
	}
	defer cl.Close()
	select {
	case <-in:
		x.history.add("a member has joined, and leaves")
	case <-ctx.Done():
	}
}

// people do something to a document of every victim.
func (x *run) people(f simulator.Fault, prefix string) {
	for _, st := range x.tale.Victims {
		f.BusinessID = prefix + st.ID + "*"
		if x.inject(f) && f.Kind == simulator.FaultEdit {
			x.mu.Lock()
			x.edited[st.ID] = f.Notes
			x.mu.Unlock()
		}
	}
}

// inject asks the simulator for a fault; false when it could not be. A person who finds no document does nothing.
func (x *run) inject(f simulator.Fault) bool {
	err := x.w.sim.Inject(f)
	if err != nil {
		x.history.add("%v", err)
	}
	return err == nil
}

// quotaGone uses up the day's calls until the company's midnight, which is near. Where everything was so late that another day has begun, it has them.
func (x *run) quotaGone() {
	zone, err := time.LoadLocation(x.w.org.TimeZone)
	if err != nil {
		panic(err) // the simulator has loaded it, too
	}
	local := time.Now().In(zone)
	midnight := time.Date(local.Year(), local.Month(), local.Day()+1, 0, 0, 0, 0, zone)
	if time.Until(midnight) > time.Hour {
		return
	}
	used := x.w.sim.Calls(tale.ZohoID).Total
	x.w.sim.SetLimits(tale.ZohoID, used, 0, 0)
	x.alive.Go(func() {
		pause(x.ctx, time.Until(midnight))
		x.w.sim.SetLimits(tale.ZohoID, 10_000, 0, 0)
	})
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
	e.Skew, e.Delay = maxSkew, readDelay
	if slices.ContainsFunc(x.plan.wire, func(f *wireFault) bool { return f.done && (f.action == freeze || f.action == slow) }) {
		e.Calls.LargestInFlight = 0 // what the network holds back arrives when its slot is long free
	}
	before := res.Problems
	res.Calls, res.Findings = len(x.calls), *judge.Check(*e)
	res.Problems = append(before, res.Problems...)
}
