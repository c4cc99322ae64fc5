package kafka

import (
	"container/heap"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

// wakeups remembers wake-ups, so that one that comes after an attempt began and before its record is parked is not lost. It is safe for concurrent use.
type wakeups struct {
	memory time.Duration

	last atomic.Uint64 // number of the last wake-up; written under mu

	mu      sync.Mutex
	keys    map[uint64]wakeup // by the keys' hashes, without pointers: thousands a second are remembered for a minute
	pending []string          // not yet seen by the engine's goroutine
	pruned  time.Time
}

type wakeup struct {
	number uint64
	at     int64 // nanoseconds since the epoch
}

// add notes that keys were woken.
func (w *wakeups) add(now time.Time, keys ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.keys == nil {
		w.keys = make(map[uint64]wakeup)
	}
	number := w.last.Add(1)
	for _, key := range keys {
		w.keys[hashOf(key)] = wakeup{number: number, at: now.UnixNano()}
	}
	w.pending = append(w.pending, keys...)
	if now.Sub(w.pruned) < w.memory/4 {
		return
	}
	w.pruned = now
	for key, wake := range w.keys {
		if now.UnixNano()-wake.at > int64(w.memory) {
			delete(w.keys, key)
		}
	}
}

// hashOf stands for a key; two of one hash would wake each other, and a wake-up is a hint.
func hashOf(key string) uint64 { return maphash.String(laneSeed, key) }

// number answers the number of the last wake-up.
func (w *wakeups) number() uint64 { return w.last.Load() }

// since reports whether one of keys was woken after the wake-up with that number.
func (w *wakeups) since(number uint64, keys []string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, key := range keys {
		if w.keys[hashOf(key)].number > number {
			return true
		}
	}
	return false
}

// take answers the keys woken since the last call.
func (w *wakeups) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	keys := w.pending
	w.pending = nil
	return keys
}

// parked holds the parked deliveries of a life: by time in a heap, by wake key in a map. It belongs to the engine's goroutine.
type parked struct {
	byTime parkHeap
	byKey  map[string]map[*parkedDelivery]struct{}
}

type parkedDelivery struct {
	d     *Delivery
	until time.Time
	park  *Park
	index int // in the heap; -1 when not in it
}

// add parks d.
func (p *parked) add(d *Delivery, until time.Time, park *Park) {
	e := &parkedDelivery{d: d, until: until, park: park}
	heap.Push(&p.byTime, e)
	if p.byKey == nil {
		p.byKey = make(map[string]map[*parkedDelivery]struct{})
	}
	for _, key := range park.Keys {
		if p.byKey[key] == nil {
			p.byKey[key] = make(map[*parkedDelivery]struct{})
		}
		p.byKey[key][e] = struct{}{}
	}
}

// due takes out and answers what is due at now or woken by keys.
func (p *parked) due(now time.Time, keys []string) []*parkedDelivery {
	var due []*parkedDelivery
	for _, key := range keys {
		for e := range p.byKey[key] {
			due = append(due, e)
			p.remove(e)
		}
	}
	for len(p.byTime) > 0 && !p.byTime[0].until.After(now) {
		e := p.byTime[0]
		due = append(due, e)
		p.remove(e)
	}
	return due
}

// forget takes out the deliveries of part.
func (p *parked) forget(part *partition) {
	for i := 0; i < len(p.byTime); {
		if e := p.byTime[i]; e.d.part == part {
			p.remove(e)
			i = 0
			continue
		}
		i++
	}
}

func (p *parked) remove(e *parkedDelivery) {
	heap.Remove(&p.byTime, e.index)
	for _, key := range e.park.Keys {
		delete(p.byKey[key], e)
		if len(p.byKey[key]) == 0 {
			delete(p.byKey, key)
		}
	}
}

// next answers when the earliest one is due.
func (p *parked) next() (time.Time, bool) {
	if len(p.byTime) == 0 {
		return time.Time{}, false
	}
	return p.byTime[0].until, true
}

// parkHeap is a container/heap of parked deliveries, earliest first.
type parkHeap []*parkedDelivery

func (h parkHeap) Len() int           { return len(h) }
func (h parkHeap) Less(i, j int) bool { return h[i].until.Before(h[j].until) }
func (h parkHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *parkHeap) Push(x any) {
	e := x.(*parkedDelivery)
	e.index = len(*h)
	*h = append(*h, e)
}

func (h *parkHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	e.index = -1
	return e
}
