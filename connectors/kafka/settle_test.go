package kafka

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestOutOfOrderCompletionIsCommittedAndSkippedAfterRestart(t *testing.T) {
	t.Parallel()
	k := setup(t, onePartition)
	k.produce(10, 0)
	g := k.gate()
	m := k.start(g)
	k.eventually("all run", func() bool { return g.running() == 10 })
	g.pass("0/2", "0/3", "0/7", "0/9")
	k.waitSettled(4)
	if err := m.stop(); err != nil {
		t.Fatal(err)
	}
	k.checkOnce()
	if got := k.position(0); got != 0 {
		t.Errorf("position is %d, want the lowest open offset 0", got)
	}
	again := k.gate()
	again.pass()
	k.start(again)
	k.checkAll()
	for _, at := range []string{"0/2", "0/3", "0/7", "0/9"} {
		if again.attempts(at) != 0 {
			t.Errorf("settled record %s was delivered again", at)
		}
	}
	k.eventually("position at the end", func() bool { return k.position(0) == 10 })
}

func TestKillBetweenProduceAndCommit(t *testing.T) {
	t.Parallel()
	for _, key := range []kmsg.Key{kmsg.TxnOffsetCommit, kmsg.EndTxn} {
		t.Run(key.Name(), func(t *testing.T) {
			t.Parallel()
			k := setup(t)
			k.produce(300, 30)
			cfg := k.config("same")
			m := k.startConfig(cfg, k.settling())
			k.waitSettled(1)
			sent := m.wire.requests(key.Int16())
			release := m.wire.hold(key.Int16())
			k.produce(300, 30)
			k.eventually("produced, not committed", func() bool { return m.wire.requests(key.Int16()) > sent })
			m.wire.cut()
			release()
			m.kill()
			began := time.Now()
			k.startConfig(cfg, k.settling())
			k.checkAll()
			if took := time.Since(began); took > 9*time.Second {
				t.Errorf("going on took %s: the predecessor's transaction was waited for", took)
			}
		})
	}
}

func TestLostAnswerToEndTxnThatTookEffect(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]kgo.Opt{
		"the client asks again":            nil,
		"the client gives up, starts anew": {kgo.RequestRetries(0)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := setup(t)
			cfg := k.config("m")
			m := k.startConfig(cfg, k.settling(), opts...)
			for range 5 {
				k.produce(100, 10)
				m.wire.loseAnswers(kmsg.EndTxn.Int16(), 1)
				select {
				case <-m.wire.lost:
				case <-time.After(20 * time.Second):
					t.Fatal("no answer was lost")
				}
			}
			k.checkAll()
			if opts != nil && m.Status().Restarts == 0 {
				t.Error("the engine did not start anew")
			}
		})
	}
}

func TestTransactionThatOutlivesItsTimeoutStartsAnew(t *testing.T) {
	t.Parallel()
	k := setup(t)
	m := k.start(k.settling(), func(c *Config) { c.TransactionTimeout = time.Second })
	k.produce(50, 5)
	k.waitSettled(50)
	sent := m.wire.requests(kmsg.EndTxn.Int16())
	release := m.wire.hold(kmsg.EndTxn.Int16())
	k.produce(100, 10)
	k.eventually("transaction ends", func() bool { return m.wire.requests(kmsg.EndTxn.Int16()) > sent })
	k.stable(t.Context()) // the brokers have aborted it
	release()
	k.checkAll()
}

func TestGroupThatRefusesTheCommitAbortsTheTransaction(t *testing.T) {
	t.Parallel()
	k := setup(t)
	if k.fake == nil {
		t.Skip("needs kfake: refusals are injected")
	}
	faults := k.fakeRefusals(5)
	m := k.start(k.settling())
	k.produce(300, 30)
	k.checkAll()
	if faults.Hits() < 5 {
		t.Errorf("%d refusals happened, want 5", faults.Hits())
	}
	if m.Status().Restarts != 0 {
		t.Error("the engine started anew for a rebalance")
	}
	if !strings.Contains(m.log.String(), "transaction aborted") {
		t.Error("no transaction was aborted")
	}
}

func TestDeadLetterLargerThanItsTopicTakes(t *testing.T) {
	t.Parallel()
	for name, refused := range map[string]bool{"known from the topic's configuration": false, "learned from the refusal": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := setup(t, onePartition)
			const limit = "20000"
			if !refused {
				k.setTopicConfig(k.dead, configMaxMessage, limit)
			}
			m := k.start(HandlerFunc(func(_ context.Context, d *Delivery) Result {
				dead := Message{
					Record:   &kgo.Record{Topic: k.dead, Key: d.Record.Key, Value: d.Record.Value},
					TooLarge: &kgo.Record{Topic: k.dead, Key: d.Record.Key, Value: []byte("truncated")},
				}
				return Result{Publish: []Message{k.outcome(d), dead}}
			}))
			k.eventually("ready", func() bool { return m.Ready() == nil })
			if refused {
				k.setTopicConfig(k.dead, configMaxMessage, limit) // after the engine has looked
			}
			k.send(
				&kgo.Record{Topic: k.source, Key: []byte("a"), Value: incompressible(100)},
				&kgo.Record{Topic: k.source, Key: []byte("b"), Value: incompressible(50_000)},
				&kgo.Record{Topic: k.source, Key: []byte("c"), Value: incompressible(30_000)},
				&kgo.Record{Topic: k.source, Key: []byte("d"), Value: incompressible(200)},
			)
			k.checkAll()
			got := make(map[string]int)
			for _, r := range k.read(k.dead) {
				got[string(r.Key)] = len(r.Value)
			}
			want := map[string]int{"a": 100, "b": len("truncated"), "c": len("truncated"), "d": 200}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("dead letters %v, want %v", got, want)
			}
			if m.Status().Restarts != 0 {
				t.Errorf("the engine started anew:\n%s", m.log)
			}
		})
	}
}

// setTopicConfig changes one configuration of a topic.
func (k *kit) setTopicConfig(topic, key, value string) {
	k.t.Helper()
	_, err := k.admin.adm.AlterTopicConfigs(k.t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: key, Value: &value}}, topic)
	if err != nil {
		k.t.Fatal(err)
	}
	k.eventually("configuration of "+topic, func() bool {
		found, err := k.admin.DescribeTopics(k.t.Context(), topic)
		return err == nil && found[topic].Configs[key] == value
	})
}

// fakeRefusals makes kfake refuse n commits of the group as during a rebalance.
func (k *kit) fakeRefusals(n int) *kfake.FaultHandle {
	return k.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Group: k.group, Err: kerr.RebalanceInProgress, Count: n})
}

func incompressible(n int) []byte {
	b := make([]byte, n)
	x := uint32(n) + 1
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

func onePartition(o *kitOptions) { o.partitions = 1 }
