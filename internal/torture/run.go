package torture

import (
	"context"
	"fmt"
	"log/slog"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/schemas"
)

// run is one simulation.
type run struct {
	seed    int64
	w       *world
	plan    *plan
	tale    *tale
	history *history
	ctx     context.Context // of the simulation: ends when the replicas are to end
	alive   sync.WaitGroup  // processes, and what waits to start one

	mu       sync.Mutex
	replicas []*replica
	guests   int // replicas that joined and left
	faults   map[string]int
	ops      map[string]int // of all replicas, by name
	calls    []time.Time    // that left for Zoho
	losing   *losing        // a failover under way
	spins    spins
	outcomes map[place][]*outcome
	seen     int
}

// outcome is one that a read_committed reader saw, and when.
type outcome struct {
	*schemas.Outcome
	at time.Time
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
	x.mu.Lock()
	x.ops[op]++
	if spinning, told := x.spins.see(op); spinning {
		if told != "" {
			defer x.history.add("more than %d operations within a second, at last: %s", maxPerSecond, told)
		}
		defer c.out.hold(time.Now().Add(time.Millisecond)) // time must go on
	}
	var due []*wireFault
	for _, f := range x.plan.wire {
		if !f.done && strings.HasPrefix(op, f.op) {
			if f.seen++; f.seen == f.nth {
				f.done = true
				due = append(due, f)
			}
		}
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
	if strings.HasPrefix(op, "books ") && !strings.Contains(op, "/oauth/") && !p.cable.dead() {
		x.mu.Lock()
		x.calls = append(x.calls, time.Now())
		x.mu.Unlock()
	}
	return true, last
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
		x.guest(f.for_)
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

// guest is a replica that joins the group now and leaves it after a while.
func (x *run) guest(stay time.Duration) {
	x.mu.Lock()
	x.guests++
	r := &replica{x: x, n: 10 + x.guests}
	x.mu.Unlock()
	x.alive.Go(func() {
		r.start()
		pause(x.ctx, stay+5*time.Second) // it asks Zoho first
		r.stop()
	})
}

// people do something to a document of every victim.
func (x *run) people(f simulator.Fault, prefix string) {
	for _, st := range x.tale.victims {
		f.BusinessID = prefix + st.id + "*"
		x.inject(f)
	}
}

// inject asks the simulator for a fault. A person who finds no document does nothing.
func (x *run) inject(f simulator.Fault) {
	if err := x.w.sim.Inject(f); err != nil {
		x.history.add("%v", err)
	}
}

// quotaGone uses up the day's calls until the company's midnight.
func (x *run) quotaGone() {
	used := x.w.sim.Calls(zohoID).Total
	x.w.sim.SetLimits(zohoID, used, 0, 0)
	zone, err := time.LoadLocation(x.w.org.TimeZone)
	if err != nil {
		panic(err) // the simulator has loaded it, too
	}
	local := time.Now().In(zone)
	midnight := time.Date(local.Year(), local.Month(), local.Day()+1, 0, 0, 0, 0, zone)
	x.alive.Go(func() {
		pause(x.ctx, time.Until(midnight))
		x.w.sim.SetLimits(zohoID, 10_000, 0, 0)
	})
}

// Times of a simulation.
const (
	patience = 8 * time.Hour   // until every record has its verdict
	linger   = 7 * time.Minute // afterwards, for what comes late: longer than the write horizon, lease and deadline of Redis
)

// simulate runs a seed from begin to end within a bubble.
func simulate(seed int64, orders int, level slog.Level) *Result {
	x := &run{seed: seed, plan: draw(seed), history: &history{level: level}, faults: map[string]int{}, ops: map[string]int{}, outcomes: map[place][]*outcome{}}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	pause(ctx, time.Until(x.plan.start))
	x.ctx = ctx
	res := &Result{Seed: seed}
	w, err := newWorld(seed, x.plan)
	if err != nil {
		res.problem("world", "%v", err)
		return res
	}
	x.w, x.tale = w, tell(seed, w.org, orders, x.plan.forgetful())
	for _, f := range x.plan.books {
		x.inject(f)
	}
	stopReading, err := x.read()
	if err != nil {
		res.problem("world", "%v", err)
		return res
	}
	for n := range x.plan.replicas {
		r := &replica{x: x, n: n + 1, skew: x.plan.skews[n]}
		x.mu.Lock()
		x.replicas = append(x.replicas, r)
		x.mu.Unlock()
		r.start()
	}
	producing := make(chan error, 1)
	go func() { producing <- x.produce() }()
	if !until(ctx, patience, x.settled) {
		x.history.add("not every record has a verdict after %s", patience)
	}
	pause(ctx, linger)
	cancel()
	if err := <-producing; err != nil {
		res.problem("world", "%v", err)
	}
	for _, r := range x.all() {
		r.stop()
	}
	x.alive.Wait()
	stopReading()
	x.check(res)
	for kind, n := range w.sim.FaultHits() {
		x.faults["books: "+string(kind)] += n
	}
	res.Ops, res.Faults, res.Hours = x.ops, x.faults, time.Since(x.plan.start).Hours()
	if !res.OK() {
		res.Plan, res.History = x.plan.String(), x.history.text()
	}
	w.close()
	return res
}

// settled says whether every record that counts was sent and has a verdict.
func (x *run) settled() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, e := range x.tale.emissions {
		if !e.aborted && (!e.sent || len(x.outcomes[e.where]) == 0) {
			return false
		}
	}
	return true
}

// produce sends the tale's records when their time has come and what they wait for is there.
func (x *run) produce() error {
	plain, err := x.w.client()
	if err != nil {
		return fmt.Errorf("building the producer: %w", err)
	}
	defer plain.Close()
	shop, err := x.w.client(kgo.TransactionalID("shop"))
	if err != nil {
		return fmt.Errorf("building the transactional producer: %w", err)
	}
	defer shop.Close()
	left := append([]*emission{}, x.tale.emissions...)
	sort.SliceStable(left, func(i, j int) bool { return left[i].at < left[j].at })
	for len(left) > 0 {
		rest := left[:0]
		for _, e := range left {
			if !x.ready(e) {
				rest = append(rest, e)
				continue
			}
			if err := x.send(plain, shop, e); err != nil {
				if x.ctx.Err() != nil {
					return nil
				}
				return err
			}
		}
		left = rest
		if !pause(x.ctx, 200*time.Millisecond) {
			return nil
		}
	}
	return nil
}

func (x *run) ready(e *emission) bool {
	if time.Since(x.plan.start) < e.at {
		return false
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, b := range e.after {
		if !b.sent || len(x.outcomes[b.where]) == 0 {
			return false
		}
	}
	return true
}

func (x *run) send(plain, shop *kgo.Client, e *emission) error {
	topics := map[string]string{"order": x.w.cfg.Topics.Orders[0], "payment": x.w.cfg.Topics.Payments[0], "refund": x.w.cfg.Topics.Refunds[0]}
	r := &kgo.Record{Topic: topics[e.workflow], Key: []byte(e.key), Value: e.raw}
	if r.Topic == "" { // poison
		r.Topic = topics["order"]
	}
	var err error
	switch {
	case e.order != nil:
		r.Value, err = x.w.codec.EncodeOrder(x.ctx, r.Topic, e.order)
	case e.payment != nil:
		r.Value, err = x.w.codec.EncodePayment(x.ctx, r.Topic, e.payment)
	case e.refund != nil:
		r.Value, err = x.w.codec.EncodeRefund(x.ctx, r.Topic, e.refund)
	}
	if err != nil {
		return fmt.Errorf("encoding %s of %s: %w", e.workflow, e.key, err)
	}
	switch {
	case e.aborted:
		err = x.transaction(shop, r, kgo.TryAbort)
		x.hit(string(aborted))
	case e.within:
		err = x.transaction(shop, r, kgo.TryCommit)
	default:
		err = plain.ProduceSync(x.ctx, r).FirstErr()
	}
	if err != nil {
		return fmt.Errorf("producing: %w", err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	e.where, e.sent = place{r.Topic, r.Partition, r.Offset}, true
	return nil
}

func (x *run) transaction(shop *kgo.Client, r *kgo.Record, how kgo.TransactionEndTry) error {
	if err := shop.BeginTransaction(); err != nil {
		return err
	}
	if err := shop.ProduceSync(x.ctx, r).FirstErr(); err != nil {
		return err
	}
	return shop.EndTransaction(x.ctx, how)
}

// read collects the outcomes as they become visible to a read_committed reader, until the returned function is called.
func (x *run) read() (func(), error) {
	cl, err := x.w.client(kgo.ConsumeTopics(x.w.cfg.Topics.Outcomes), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(time.Second))
	if err != nil {
		return nil, fmt.Errorf("building the reader: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer cl.Close()
		for ctx.Err() == nil {
			for _, r := range cl.PollFetches(ctx).Records() {
				x.take(r)
			}
		}
	}()
	return func() {
		pause(context.Background(), 5*time.Second) // what was published last
		cancel()
		<-done
	}, nil
}

func (x *run) take(r *kgo.Record) {
	out, _, err := x.w.codec.DecodeOutcome(context.Background(), r.Value, r.Headers)
	if err != nil {
		x.history.add("an outcome cannot be decoded: %v", err)
		return
	}
	at := place{out.Source.Topic, out.Source.Partition, out.Source.Offset}
	why := out.Reason
	if out.Error != nil {
		why = out.Error.Class + ": " + out.Error.Message
	}
	x.history.add("outcome of %s: %s %s %s %s", at, out.Workflow, out.BusinessID, out.Status, why)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.outcomes[at] = append(x.outcomes[at], &outcome{out, time.Now()})
	x.seen++
}
