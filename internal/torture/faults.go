package torture

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/internal/torture/tale"
)

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
