package redis

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// turnStep is how long a replica that was served later lets each of the others go first: longer than a published wake-up takes.
	turnStep = 10 * time.Millisecond
	// poll is how often a replica asks for a slot when no other told it of one.
	poll = 50 * time.Millisecond
	// firstRetry and lastRetry bound the waits while Redis is away.
	firstRetry, lastRetry = 20 * time.Millisecond, time.Second
	// askEvery is how far apart questions are at least: what comes meanwhile goes with the next. It is little beside any call's duration.
	askEvery = 2 * time.Millisecond
	// maxAsked bounds what one script call grants.
	maxAsked = 512
)

// pump asks for one organisation's grants on behalf of all who wait in this process. While one question is under way others gather; so many grants share
// a round trip, and a slot that frees here goes with the same round trip to who waits here. Its goroutine lives only while there is something to ask.
type pump struct {
	b      *Budget
	org    string
	limits Limits
	keys   keyspace

	wake chan struct{} // capacity 1: look again now

	mu      sync.Mutex
	running bool
	queues  [levels][]*waiter
	freed   []string // slots whose call ended
	unused  []string // slots whose call never left
	learnt  learnt
	next    int64         // number of the next slot
	blocked string        // why the last question was not granted in full
	hinted  bool          // ask now, whatever the last answer said
	ended   chan struct{} // closed when the goroutine that runs ends; nil when nobody waits for that

	// Used by the pump's goroutine only.
	state anchor
	askAt time.Time // not before then
	away  bool      // the last question was not answered
}

// waiter is one caller of Acquire.
type waiter struct {
	ctx    context.Context
	class  Class
	result chan verdict // capacity 1
	once   bool         // takes what the next answer grants, or nothing
}

type verdict struct {
	grant *Grant
	err   error
}

func (b *Budget) pump(org string) *pump {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.pumps[org]
	if p == nil {
		p = &pump{b: b, org: org, limits: b.Limits(org), keys: keysOf(org), wake: make(chan struct{}, 1), next: 1}
		b.pumps[org] = p
	}
	return p
}

func (p *pump) enqueue(w *waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.add(w)
}

// add queues a waiter. The caller holds mu.
func (p *pump) add(w *waiter) {
	l := w.class.level()
	p.queues[l] = append(p.queues[l], w)
	if w.class == Probe {
		p.hinted = true // what holds the others may not hold it
	}
	p.start()
}

// tryEnqueue is enqueue where nothing was short when the budget was asked last; false where it was.
func (p *pump) tryEnqueue(w *waiter) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.blocked != "" {
		return false
	}
	p.add(w)
	return true
}

// hint says that something may have become free.
func (p *pump) hint() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running && p.blocked != reasonRateWait {
		p.hinted = true
		p.signal()
	}
}

// withdraw takes a waiter out whose context ended, unless its verdict was given before.
func (p *pump) withdraw(w *waiter) (verdict, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := w.class.level()
	for i, other := range p.queues[l] {
		if other == w {
			p.queues[l] = append(p.queues[l][:i:i], p.queues[l][i+1:]...)
			return verdict{}, false
		}
	}
	return <-w.result, true
}

func (p *pump) done(slot string, a Answer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a.Answered && p.limits.slots() > 0 {
		p.freed = append(p.freed, slot)
	}
	p.learn(a)
	if len(p.freed) > 0 || p.learnt != (learnt{}) {
		p.start()
	}
}

func (p *pump) giveBack(slot string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unused = append(p.unused, slot)
	p.start()
}

// start makes the pump's goroutine look, and run if it does not. The caller holds mu.
func (p *pump) start() {
	if p.running {
		p.signal()
		return
	}
	p.running = p.b.c.background(p.run)
	if !p.running {
		p.fail()
	}
}

// fail tells all who wait that the client is closed. The caller holds mu.
func (p *pump) fail() {
	for l := range p.queues {
		for _, w := range p.queues[l] {
			w.result <- verdict{err: fmt.Errorf("waiting for the budget of %s: %w", p.org, ErrClosed)}
		}
		p.queues[l] = nil
	}
}

// stop ends the goroutine of a pump whose client was closed.
func (p *pump) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end()
	p.fail()
}

// end notes that the goroutine ends. The caller holds mu.
func (p *pump) end() {
	p.running, p.hinted = false, false
	if p.ended != nil {
		close(p.ended)
		p.ended = nil
	}
}

// flush blocks until nothing is left to ask and to tell, or ctx ends.
func (p *pump) flush(ctx context.Context) {
	p.mu.Lock()
	if !p.running {
		p.mu.Unlock()
		return
	}
	if p.ended == nil {
		p.ended = make(chan struct{})
	}
	ended := p.ended
	p.mu.Unlock()
	select {
	case <-ended:
	case <-ctx.Done():
	}
}

func (p *pump) signal() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// question is what one script call asks and tells.
type question struct {
	want          [levels]int
	from          int64
	freed, unused []string
	learnt        learnt
}

func (q question) wanted() int {
	n := 0
	for _, w := range q.want {
		n += w
	}
	return n
}

// empty says that there is nothing to ask and nothing to tell.
func (q question) empty() bool {
	return q.wanted() == 0 && len(q.freed)+len(q.unused) == 0 && q.learnt == (learnt{})
}

// run asks until nobody waits and nothing is left to tell.
func (p *pump) run() {
	retry := firstRetry
	var quiet time.Time // until then asking again is of no use, unless there is news
	for {
		if d := time.Until(p.askAt); d > 0 && p.busy() && !p.pauseFor(d) {
			p.stop()
			return
		}
		q, more := p.gather(quiet)
		if !more {
			return
		}
		if q.empty() {
			if !p.wait(time.Until(quiet)) {
				p.stop()
				return
			}
			continue
		}
		p.askAt = time.Now().Add(askEvery)
		a, err := p.ask(q)
		if err != nil {
			p.takeBack(q)
			if !p.pauseFor(retry/2 + jitter(retry/2)) {
				p.stop()
				return
			}
			retry = min(2*retry, lastRetry)
			quiet = time.Time{}
			continue
		}
		retry = firstRetry
		quiet = p.distribute(q, a)
		if a.reason == reasonSlots || a.reason == reasonTurn {
			p.b.hear()
		}
	}
}

// busy says whether there is something to ask or to tell.
func (p *pump) busy() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waiting() > 0 || !p.untold().empty()
}

// untold is a question that asks for nothing and tells all there is. The caller holds mu.
func (p *pump) untold() question {
	return question{freed: p.freed, unused: p.unused, learnt: p.learnt}
}

// waiting is how many wait. The caller holds mu.
func (p *pump) waiting() int {
	n := 0
	for l := range p.queues {
		n += len(p.queues[l])
	}
	return n
}

// gather takes what there is to ask and tell; false when there is nothing and the goroutine ends. Before quiet it gives an empty question unless there is
// news: slots freed or grants unused here, an answer's lesson, a hint.
func (p *pump) gather(quiet time.Time) (question, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.wake:
	default:
	}
	q := p.untold()
	p.freed, p.unused, p.learnt = nil, nil, learnt{}
	news := !q.empty() || p.hinted
	if p.waiting() == 0 && q.empty() {
		p.end()
		return question{}, false
	}
	if !news && time.Now().Before(quiet) {
		return q, true
	}
	p.hinted = false
	left := maxAsked
	for l := range p.queues {
		q.want[l] = min(len(p.queues[l]), left)
		left -= q.want[l]
	}
	q.from = p.next
	p.next += int64(q.wanted())
	return q, true
}

// takeBack keeps the news of a question that may not have arrived, and gives back whatever it may have been granted.
func (p *pump) takeBack(q question) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turnAway()
	p.freed = append(p.freed, q.freed...)
	p.unused = append(p.unused, q.unused...)
	for i := range int64(q.wanted()) {
		p.unused = append(p.unused, p.slot(q.from+i))
	}
	if p.learnt == (learnt{}) {
		p.learnt = q.learnt
	} else if q.learnt.pause > p.learnt.pause {
		p.learnt.pause, p.learnt.reason, p.learnt.empty = q.learnt.pause, q.learnt.reason, p.learnt.empty || q.learnt.empty
	}
}

func (p *pump) slot(n int64) string { return p.b.replica + ":" + strconv.FormatInt(n, 10) }

// wait blocks until the time is over or there is news; false when the client is closed.
func (p *pump) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-p.wake:
	case <-timer.C:
	case <-p.b.c.closing.Done():
		return false
	}
	return true
}

// pauseFor blocks for a while whatever news there is; false when the client is closed.
func (p *pump) pauseFor(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.b.c.closing.Done():
		return false
	}
}

// distribute hands grants to those who wait, first come first served by level, and errors to those who need not wait any longer. It answers until when asking
// again is of no use.
func (p *pump) distribute(q question, a asked) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := q.from
	for l, granted := range a.granted {
		for range granted {
			slot := p.slot(n)
			n++
			var w *waiter
			if !a.late {
				w = p.pop(l)
			}
			if w == nil {
				p.unused = append(p.unused, slot)
				continue
			}
			w.result <- verdict{grant: &Grant{p: p, slot: slot, useBy: a.sent.Add(p.limits.Unused)}}
		}
	}
	p.blocked = a.reason
	if a.day != "" && p.blocked == "" {
		p.blocked = a.day
	}
	if p.blocked != "" {
		p.turnAway()
	}
	if reason, paused := strings.CutPrefix(a.reason, pausePrefix); paused {
		p.refuse(0, a.received.Add(a.wait), reason)
	}
	if a.day != "" {
		p.refuse(a.dayLevel, a.received.Add(a.dayReset), a.day) // whose class may not spend what is left of the day
	}
	switch {
	case a.reason == "" && a.day == "", p.waiting() == 0: // who comes now has not been answered
		return time.Time{}
	case a.reason == "", len(p.queues[Probe.level()]) > 0 && a.wait > poll:
		return a.received.Add(poll)
	}
	return a.received.Add(a.wait)
}

// turnAway gives nothing to those who do not queue. The caller holds mu.
func (p *pump) turnAway() {
	for l := range p.queues {
		p.queues[l] = slices.DeleteFunc(p.queues[l], func(w *waiter) bool {
			if w.once {
				w.result <- verdict{}
			}
			return w.once
		})
	}
}

// refuse tells those from a level on who cannot wait so long. The caller holds mu.
func (p *pump) refuse(level int, until time.Time, reason string) {
	long := time.Until(until) > p.b.cfg.MaxPause
	for l := level; l < levels; l++ {
		kept := p.queues[l][:0:0]
		for _, w := range p.queues[l] {
			end, bounded := w.ctx.Deadline()
			switch {
			case w.class == Probe && !hard(reason):
				kept = append(kept, w)
			case long || bounded && until.After(end):
				w.result <- verdict{err: &PausedError{Until: until, Reason: reason}}
			default:
				kept = append(kept, w)
			}
		}
		p.queues[l] = kept
	}
}

// hard says whether a pause holds probes, too.
func hard(reason string) bool {
	switch reason {
	case ReasonStateLost, ReasonRate, ReasonDayLimit, ReasonConcurrency, ReasonDayQuota, ReasonDayReserve:
		return true
	}
	return false
}

func (p *pump) pop(level int) *waiter {
	if len(p.queues[level]) == 0 {
		return nil
	}
	w := p.queues[level][0]
	p.queues[level][0] = nil
	p.queues[level] = p.queues[level][1:]
	return w
}
