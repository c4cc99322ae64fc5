package kafka

import "sync"

// pool runs deliveries on goroutines that are reused. As many run at once as there are lanes with something to do: a worker that takes a delivery while
// others wait wakes or starts another worker, one at a time, so that short handlers stay on few goroutines and blocking ones get as many as they need.
// Of one partition only so many run at a time: handlers that wait for a scarce resource hold memory and claims for nothing, and another partition's
// records must not wait behind them.
type pool struct {
	run       func(*Delivery)
	finished  func(n int) // called without the lock when n results wait, each time n reaches the threshold or 1
	threshold int
	limit     int // of unpublished results
	share     int // of running deliveries of one partition
	wg        *sync.WaitGroup

	mu          sync.Mutex
	work        sync.Cond
	ready       []*Delivery
	head        int // ready[:head] is taken
	done        []*Delivery
	running     int
	over        int // deliveries in their partitions' queues, which are at their share
	unpublished int // results to publish handed in and not yet settled or dropped
	idle        int
	waking      bool   // a worker was woken or started and has not taken the lock yet
	started     uint64 // counts what was taken off ready
	held        bool   // nothing starts for now
	stopped     bool   // nothing starts any more, idle workers end
}

// maxIdleWorkers is how many goroutines wait for work between bursts; a goroutine costs a few kilobytes.
const maxIdleWorkers = 64

func newPool(run func(*Delivery), limit, share, threshold int, finished func(int), wg *sync.WaitGroup) *pool {
	p := &pool{run: run, limit: limit, share: share, threshold: threshold, finished: finished, wg: wg}
	p.work.L = &p.mu
	return p
}

// push makes deliveries ready to run.
func (p *pool) push(ds ...*Delivery) {
	if len(ds) == 0 {
		return
	}
	p.mu.Lock()
	if p.head > 0 && p.head == len(p.ready) {
		p.ready, p.head = p.ready[:0], 0
	}
	p.ready = append(p.ready, ds...)
	p.wakeOne()
	p.mu.Unlock()
}

func (p *pool) canStart() bool {
	return p.head < len(p.ready) && !p.held && !p.stopped && p.unpublished < p.limit
}

// wakeOne gets one more worker going if there is something to start. The lock is held.
func (p *pool) wakeOne() {
	if p.waking || !p.canStart() {
		return
	}
	p.waking = true
	if p.idle > 0 {
		p.work.Signal()
		return
	}
	p.wg.Add(1)
	go p.worker()
}

func (p *pool) worker() {
	defer p.wg.Done()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waking = false
	for {
		for !p.canStart() {
			if p.stopped || p.idle >= maxIdleWorkers {
				return
			}
			p.idle++
			p.work.Wait()
			p.idle--
			p.waking = false
		}
		d := p.ready[p.head]
		p.ready[p.head] = nil
		p.head++
		p.started++
		if d.part.gone.Load() {
			continue
		}
		if d.part.running >= p.share {
			d.part.over = append(d.part.over, d)
			p.over++
			continue
		}
		p.running++
		d.part.running++
		p.wakeOne()
		p.mu.Unlock()
		p.run(d)
		p.mu.Lock()
		p.running--
		p.finishedOf(d.part)
		if d.result.Publish != nil {
			p.unpublished++
		}
		p.done = append(p.done, d)
		if n := len(p.done); n == 1 || n == p.threshold || p.stopped {
			p.mu.Unlock()
			p.finished(n)
			p.mu.Lock()
		}
	}
}

// finishedOf makes the partition's next delivery ready where it was at its share. The lock is held.
func (p *pool) finishedOf(part *partition) {
	part.running--
	switch {
	case len(part.over) == 0:
	case part.gone.Load() || p.stopped:
		p.over -= len(part.over)
		part.over = nil
	default:
		p.ready = append(p.ready, part.over[0])
		part.over[0] = nil
		part.over = part.over[1:]
		p.over--
	}
}

// take answers what has finished since the last call; into is an empty slice to reuse.
func (p *pool) take(into []*Delivery) []*Delivery {
	p.mu.Lock()
	defer p.mu.Unlock()
	done := p.done
	p.done = into
	return done
}

// forget says that n unpublished results are settled or dropped.
func (p *pool) forget(n int) {
	if n == 0 {
		return
	}
	p.mu.Lock()
	p.unpublished -= n
	p.wakeOne()
	p.mu.Unlock()
}

// hold stops the start of deliveries, or allows it again.
func (p *pool) hold(held bool) {
	p.mu.Lock()
	p.held = held
	p.wakeOne()
	p.mu.Unlock()
}

// stop forgets what has not started and ends the workers as they become idle. Running deliveries go on.
func (p *pool) stop() {
	p.mu.Lock()
	p.stopped = true
	p.ready, p.head = nil, 0
	p.work.Broadcast()
	p.mu.Unlock()
}

// counts answers how many deliveries wait for a worker, run, and have finished unseen.
func (p *pool) counts() (ready, running, done int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.ready) - p.head + p.over, p.running, len(p.done)
}

// startable answers whether something could start now, and how many deliveries were started so far.
func (p *pool) startable() (could bool, started uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.canStart(), p.started
}
