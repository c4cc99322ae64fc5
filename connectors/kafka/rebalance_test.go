package kafka

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// protocols runs a test for both group protocols.
func protocols(t *testing.T, f func(t *testing.T, p func(*Config))) {
	for _, p := range []Protocol{ProtocolClassic, ProtocolConsumer} {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			f(t, func(c *Config) { c.Protocol = p })
		})
	}
}

// owned is the number of partitions a member has.
func (m *member) owned() int {
	m.Engine.mu.Lock()
	l := m.current
	m.Engine.mu.Unlock()
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, p := range l.parts {
		if p.started {
			n++
		}
	}
	return n
}

func TestRebalanceInTheMiddleOfRecordsInFlight(t *testing.T) {
	t.Parallel()
	protocols(t, func(t *testing.T, p func(*Config)) {
		k := setup(t, func(o *kitOptions) { o.partitions = 4 })
		k.produce(400, 40)
		first, second := k.gate(), k.gate()
		a := k.start(first, p)
		k.eventually("lanes of the first member run", func() bool { return first.running() == 40 })
		b := k.start(second, p)
		k.eventually("partitions shared", func() bool { return a.owned() == 2 && b.owned() == 2 })
		k.eventually("lanes of the second member run", func() bool { return second.running() == 20 })
		first.pass()
		second.pass()
		k.checkAll()
		if err := b.stop(); err != nil {
			t.Error(err)
		}
		k.produce(200, 40)
		k.checkAll()
	})
}

// The transaction's records are on their way, ownership and generation are captured, and the group rebalances twice before the offsets are committed.
func TestTwoRebalancesBetweenTwoSettles(t *testing.T) {
	t.Parallel()
	protocols(t, func(t *testing.T, p func(*Config)) {
		k := setup(t)
		a := k.start(k.settling(), p)
		k.produce(90, 9)
		k.waitSettled(90)
		sent := a.wire.requests(kmsg.Produce.Int16())
		release := a.wire.delay(kmsg.Produce.Int16())
		k.produce(90, 9)
		k.eventually("first member publishes", func() bool { return a.wire.requests(kmsg.Produce.Int16()) > sent })
		b := k.start(k.settling(), p)
		k.eventually("first rebalance", func() bool { return b.owned() >= 1 && a.owned()+b.owned() == 3 })
		after := a.owned()
		c := k.start(k.settling(), p)
		k.eventually("second rebalance takes a partition", func() bool { return a.owned() == 1 && b.owned() == 1 && c.owned() == 1 })
		if after != 2 {
			t.Fatalf("the first rebalance left %d partitions, want 2", after)
		}
		release()
		k.checkAll()
		if !strings.Contains(a.log.String(), "kafka transaction aborted") {
			t.Error("the commit with the captured generation was not refused")
		}
	})
}

// A partition goes to another member, which settles, and comes back before the first member's results are published.
func TestResultsOfAnOlderAssignmentAreDropped(t *testing.T) {
	t.Parallel()
	k := setup(t)
	g := k.gate()
	a := k.start(g)
	k.produce(90, 9)
	k.eventually("everything runs", func() bool { return g.running() == 9 })
	b := k.start(k.settling())
	k.eventually("shared", func() bool { return a.owned() == 2 && b.owned() == 1 })
	k.waitSettled(30)
	if err := b.stop(); err != nil {
		t.Error(err)
	}
	k.eventually("back again", func() bool { return a.owned() == 3 })
	g.pass()
	k.checkAll()
}

// A member that the group has forgotten while it joins again may get its old partitions as if nothing had happened, although somebody else had them.
func TestMemberForgottenWhileItJoinsAgain(t *testing.T) {
	t.Parallel()
	k := setup(t)
	short := func(c *Config) { c.RebalanceTimeout = time.Second }
	if k.fake == nil {
		t.Skip("needs kfake: session timeouts below 6 s")
	}
	g := k.gate()
	a := k.start(g, short)
	k.produce(90, 9)
	k.eventually("everything runs", func() bool { return g.running() == 9 })
	joins := a.wire.requests(kmsg.JoinGroup.Int16())
	release := a.wire.hold(kmsg.JoinGroup.Int16())
	defer release()
	b := k.start(k.settling(), short)
	k.eventually("first member wants to join again", func() bool { return a.wire.requests(kmsg.JoinGroup.Int16()) > joins })
	k.eventually("second member has everything", func() bool { return b.owned() == 3 })
	k.waitSettled(90)
	b.kill()
	g.pass()
	release()
	k.produce(90, 9)
	k.checkAll()
	if !strings.Contains(a.log.String(), errStranger.Error()) {
		t.Error("the first member did not notice")
	}
}

func TestTwinOfALivingProcessEndsWithAClearError(t *testing.T) {
	t.Parallel()
	k := setup(t)
	cfg := k.config("twin")
	a := k.startConfig(cfg, k.settling())
	b := k.startConfig(cfg, k.settling())
	looks := 0
	k.eventually("one of the twins ends", func() bool {
		if looks++; looks%20 == 0 {
			k.produce(9, 9)
		}
		select {
		case <-a.done:
			return true
		case <-b.done:
			return true
		default:
			return false
		}
	})
	for i, m := range []*member{a, b} {
		select {
		case <-m.done:
			if m.err == nil {
				t.Errorf("twin %d ended without an error", i)
			} else {
				t.Log(m.err)
			}
		default:
		}
	}
	k.checkAll()
}

func TestManyMembersComeAndGo(t *testing.T) {
	t.Parallel()
	protocols(t, func(t *testing.T, p func(*Config)) {
		k := setup(t, func(o *kitOptions) { o.partitions = 5 })
		k.start(k.settling(), p)
		for i := range 4 {
			k.produce(200, 25)
			m := k.start(k.settling(), p, func(c *Config) { c.TransactionalID = fmt.Sprintf("%s-%d", k.group, i) })
			k.produce(200, 25)
			k.eventually("member works", func() bool { return m.owned() > 0 })
			if err := m.stop(); err != nil {
				t.Error(err)
			}
		}
		k.checkAll()
	})
}
