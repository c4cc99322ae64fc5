package kafka

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// stuck waits until the member's status names what is stuck, and answers it.
func (m *member) stuck(what string) Stuck {
	m.k.t.Helper()
	var found Stuck
	m.k.eventually("status names it: "+what, func() bool {
		st := m.Status().Stuck
		i := slices.IndexFunc(st, func(s Stuck) bool { return s.What == what })
		if i >= 0 {
			found = st[i]
		}
		return i >= 0
	})
	return found
}

func (m *member) nothingStuck() {
	m.k.t.Helper()
	m.k.eventually("nothing is stuck", func() bool { return len(m.Status().Stuck) == 0 })
}

// parking parks the records of key-1 until woken, and settles the others.
func (k *kit) parking() Handler {
	return HandlerFunc(func(_ context.Context, d *Delivery) Result {
		if string(d.Record.Key) == "key-1" {
			return Result{Park: &Park{Until: time.Now().Add(time.Hour), Keys: []string{"wake"}, Reason: "waiting"}}
		}
		return Result{Publish: []Message{k.outcome(d)}}
	})
}

func TestARecordThatNoQueueHoldsIsFound(t *testing.T) {
	t.Parallel()
	k := setup(t, onePartition)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	m := k.start(HandlerFunc(func(_ context.Context, d *Delivery) Result {
		if string(d.Record.Key) == "key-0" {
			select {
			case <-release:
			case <-d.Leaving():
				return Result{Released: true}
			}
		}
		return Result{Publish: []Message{k.outcome(d)}}
	}), func(c *Config) { c.MaxRunningPerPartition = 1 })
	k.produce(3, 3)
	k.eventually("records wait behind the one that runs", func() bool { return m.Status().Running == 1 && m.Status().Ready > 0 })
	m.nothingStuck()

	// The bug put in on purpose: what waits for its turn is forgotten, so its lane never wakes.
	m.mu.Lock()
	l := m.current
	m.mu.Unlock()
	lost := 0
	l.pool.mu.Lock()
	for _, p := range l.parts {
		lost += len(p.over)
		l.pool.over -= len(p.over)
		p.over = nil
	}
	lost += len(l.pool.ready) - l.pool.head
	l.pool.ready, l.pool.head = nil, 0
	l.pool.mu.Unlock()
	if s := m.stuck(stuckLane); s.Records != lost {
		t.Errorf("%d records are said to be in no queue, want %d", s.Records, lost)
	}
}

func TestAStartThatIsForgottenIsFound(t *testing.T) {
	t.Parallel()
	k := setup(t, onePartition)
	m := k.start(k.settling())
	k.produce(1, 1)
	k.waitSettled(1)
	// The bug put in on purpose: workers believe that another one was woken.
	m.mu.Lock()
	l := m.current
	m.mu.Unlock()
	l.pool.mu.Lock()
	l.pool.waking = true
	l.pool.mu.Unlock()
	k.produce(2, 2)
	before := m.stuck(stuckStart).Since
	if again := m.stuck(stuckStart).Since; !again.Equal(before) {
		t.Errorf("since %s, then since %s", before, again)
	}
	l.pool.mu.Lock()
	l.pool.waking = false
	l.pool.wakeOne()
	l.pool.mu.Unlock()
	k.waitSettled(3)
	m.nothingStuck()
}

func TestParkedRecordsAreNotStuckAndLostOnesAre(t *testing.T) {
	t.Parallel()
	k := setup(t, onePartition)
	m := k.start(k.parking())
	k.produce(6, 3) // two of each key: one parked, one behind it in its lane
	k.waitSettled(4)
	k.eventually("parked", func() bool { return m.Status().Parked["waiting"] == 1 })
	m.nothingStuck()
	k.produce(1, 1)
	k.waitSettled(5)
	m.nothingStuck()

	// A look at a life as it were if the parked record had fallen out of the heap.
	var w watch
	p := &partition{topicPartition: topicPartition{k.source, 0}, parked: 1, lanes: map[uint64]*lane{}}
	l := &life{Engine: m.Engine, parts: map[topicPartition]*partition{p.topicPartition: p}, pool: &pool{}}
	now := time.Now()
	if got := w.look(l, now); len(got) != 0 {
		t.Errorf("the first look finds %v: it may be on its way", got)
	}
	want := []Stuck{{What: stuckParked, Records: 1, Since: now}}
	if got := w.look(l, now.Add(time.Minute)); !slices.Equal(got, want) {
		t.Errorf("the second look finds %v, want %v", got, want)
	}
	l.parked.add(&Delivery{part: p}, now.Add(-time.Second), &Park{Reason: "waiting"})
	w.look(l, now)
	if got := w.look(l, now.Add(time.Minute)); len(got) != 1 || got[0].What != stuckDue {
		t.Errorf("an overdue record: %v, want %q", got, stuckDue)
	}
}

func TestTheBeatGoesOnWithoutBrokers(t *testing.T) {
	t.Parallel()
	k := setup(t, onePartition)
	cfg := k.config("m")
	cfg.Brokers = []string{"127.0.0.1:1"} // nobody listens there
	m := k.startConfig(cfg, k.settling(), kgo.RetryTimeout(time.Second))
	first := m.Beat()
	k.eventually("it beats", func() bool { return m.Beat().After(first) })
	if len(m.Status().Stuck) > 0 {
		t.Errorf("stuck without brokers: %v", m.Status().Stuck)
	}
}
