package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestRecordParkedForLongWhileItsPartitionGoesOn(t *testing.T) {
	t.Parallel()
	k := setup(t, onePartition)
	var woken atomic.Bool
	h := HandlerFunc(func(_ context.Context, d *Delivery) Result {
		if string(d.Record.Key) == "key-3" && !woken.Load() {
			return Result{Park: &Park{Until: time.Now().Add(time.Hour), Keys: []string{"wake"}, Reason: "waiting"}}
		}
		return Result{Publish: []Message{k.outcome(d)}}
	})
	m := k.start(h)
	for range 10 {
		k.produce(50, 5)
	}
	k.waitSettled(400)
	k.checkOnce()
	if got := k.position(0); got != 3 {
		t.Errorf("position is %d, want 3, the parked record's", got)
	}
	k.eventually("status shows it", func() bool { return m.Status().Parked["waiting"] == 1 })
	m.kill()
	m = k.start(h)
	k.eventually("parked again", func() bool { return m.Status().Parked["waiting"] == 1 })
	k.produce(50, 5)
	k.waitSettled(440)
	woken.Store(true)
	m.Wake("unknown", "wake")
	k.checkAll()
}

func TestParkedRecordsBeyondTheBoundPauseThePartition(t *testing.T) {
	t.Parallel()
	k := setup(t, func(o *kitOptions) { o.partitions = 2 })
	var woken atomic.Bool
	h := HandlerFunc(func(_ context.Context, d *Delivery) Result {
		if d.Record.Partition == 0 && !woken.Load() {
			return Result{Park: &Park{Until: time.Now().Add(time.Hour), Keys: []string{"wake"}, Reason: "waiting"}}
		}
		return Result{Publish: []Message{k.outcome(d)}}
	})
	m := k.start(h, func(c *Config) { c.MaxParkedPerPartition = 10 })
	k.produce(400, 0)
	k.waitSettled(200)
	k.eventually("partition 0 waits, visibly", func() bool {
		i := slices.IndexFunc(m.Status().Partitions, func(p PartitionStatus) bool { return p.Partition == 0 })
		return i >= 0 && m.Status().Partitions[i].Paused && m.Status().Partitions[i].Parked >= 10
	})
	woken.Store(true)
	m.Wake("wake")
	k.checkAll()
}

func TestWakeUpBetweenAttemptAndParkingIsNotLost(t *testing.T) {
	t.Parallel()
	k := setup(t, onePartition)
	running, woken := make(chan struct{}), make(chan struct{})
	var attempts atomic.Int32
	m := k.start(HandlerFunc(func(_ context.Context, d *Delivery) Result {
		if attempts.Add(1) == 1 {
			close(running)
			<-woken
			return Result{Park: &Park{Until: time.Now().Add(time.Hour), Keys: []string{"other", "order"}, Reason: "waiting"}}
		}
		if d.Attempt != 2 {
			t.Errorf("attempt %d", d.Attempt)
		}
		return Result{Publish: []Message{k.outcome(d)}}
	}))
	k.produce(1, 1)
	<-running
	m.Wake("order")
	close(woken)
	k.checkAll()
}

func TestHandlerStateAndRecordSurviveParking(t *testing.T) {
	t.Parallel()
	k := setup(t, onePartition)
	k.start(HandlerFunc(func(_ context.Context, d *Delivery) Result {
		if d.Attempt < 4 {
			if d.Attempt > 1 && d.State != d.Attempt-1 {
				t.Errorf("state %v in attempt %d", d.State, d.Attempt)
			}
			d.State = d.Attempt
			return Result{Park: &Park{Until: time.Now().Add(time.Millisecond), Reason: "again"}}
		}
		if string(d.Record.Value) != "value" || string(d.Record.Headers[0].Value) != "header" {
			t.Errorf("record %q %v", d.Record.Value, d.Record.Headers)
		}
		return Result{Publish: []Message{k.outcome(d)}}
	}))
	k.send(&kgo.Record{Topic: k.source, Key: []byte("k"), Value: []byte("value"), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("header")}}})
	k.checkAll()
}

func TestPanicsAndInvalidResultsParkTheRecord(t *testing.T) {
	t.Parallel()
	k := setup(t)
	m := k.start(HandlerFunc(func(_ context.Context, d *Delivery) Result {
		switch string(d.Record.Key) {
		case "key-0":
			panic("handler")
		case "key-1":
			return Result{}
		case "key-2":
			return Result{Released: true, Publish: []Message{}}
		}
		return Result{Publish: []Message{k.outcome(d)}}
	}))
	k.produce(60, 6)
	k.waitSettled(30)
	k.eventually("parked", func() bool { s := m.Status().Parked; return s["panic"] == 1 && s["invalid result"] == 2 })
	k.checkOnce()
}

func TestMissingOutputTopicPausesBeforeAnyHandlerAndResumes(t *testing.T) {
	t.Parallel()
	k := setup(t, func(o *kitOptions) { o.noOutcomes = true })
	g := k.gate()
	g.pass()
	k.produce(30, 3)
	m := k.start(g)
	k.eventually("not ready because of the topic", func() bool {
		err := m.Ready()
		return errors.Is(err, ErrTopic) && strings.Contains(err.Error(), k.outcomes)
	})
	if g.running() != 0 {
		t.Error("a handler was called")
	}
	k.create(Topic{Name: k.outcomes, Partitions: 2})
	k.checkAll()
	k.eventually("ready", func() bool { return m.Ready() == nil })
}

func TestMissingSourceTopicIsSaidAndConsumedOnceItIsThere(t *testing.T) {
	t.Parallel()
	k := setup(t)
	late := k.group + ".late"
	m := k.start(k.settling(), func(c *Config) { c.Topics = []string{k.source, late} })
	k.produce(30, 3)
	k.waitSettled(30)
	if err := m.Ready(); !errors.Is(err, ErrTopic) || !strings.Contains(err.Error(), late) {
		t.Errorf("ready says %v", err)
	}
	k.create(Topic{Name: late, Partitions: 1})
	k.eventually("the new topic is assigned", func() bool { return m.owned() == 4 })
	k.within(40*time.Second, "ready", func() bool { return m.Ready() == nil })
	k.checkAll()
}

func TestOutputTopicThatVanishesPausesAndResumes(t *testing.T) {
	t.Parallel()
	k := setup(t)
	g := k.gate()
	g.pass()
	var deadLetters atomic.Bool
	deadLetters.Store(true)
	m := k.start(HandlerFunc(func(ctx context.Context, d *Delivery) Result {
		r := g.Handle(ctx, d)
		if deadLetters.Load() && r.Publish != nil {
			r.Publish = append(r.Publish, Message{Record: &kgo.Record{Topic: k.dead, Value: []byte("x")}})
		}
		return r
	}))
	k.produce(30, 3)
	k.waitSettled(30)
	if _, err := k.admin.adm.DeleteTopics(t.Context(), k.dead); err != nil {
		t.Fatal(err)
	}
	k.produce(3, 3)
	k.eventually("not ready because of the topic", func() bool { return errors.Is(m.Ready(), ErrTopic) || m.Status().Paused != "" })
	k.create(Topic{Name: k.dead, Partitions: 1})
	k.checkAll()
	k.eventually("ready", func() bool { return m.Ready() == nil })
}

func TestShutdownWithWorkInFlight(t *testing.T) {
	t.Parallel()
	k := setup(t)
	release := make(chan struct{})
	var running, released, published atomic.Int32
	h := HandlerFunc(func(_ context.Context, d *Delivery) Result {
		running.Add(1)
		select {
		case <-d.Leaving():
		case <-release:
			return Result{Publish: []Message{k.outcome(d)}}
		}
		if d.Record.Partition == 0 { // a call in flight ends and is told
			<-release
			return Result{Publish: []Message{k.outcome(d)}, Published: func() { published.Add(1) }}
		}
		released.Add(1)
		return Result{Released: true}
	})
	m := k.start(h)
	k.produce(90, 9)
	k.eventually("everything runs", func() bool { return running.Load() == 9 })
	m.cancel()
	k.eventually("the others gave up", func() bool { return released.Load() == 6 })
	close(release)
	if err := m.stop(); err != nil {
		t.Fatal(err)
	}
	// The coordinator answers before it has written the markers that make a transaction visible.
	k.eventually("three outcomes are visible", func() bool { return len(k.settledRecords()) == 3 })
	if published.Load() != 3 {
		t.Errorf("%d told, want 3", published.Load())
	}
	if running.Load() != 9 {
		t.Errorf("%d attempts, something started while stopping", running.Load())
	}
	k.checkOnce()
	k.start(k.settling())
	k.checkAll()
}

func TestSecondSignalHurries(t *testing.T) {
	t.Parallel()
	k := setup(t)
	var running atomic.Int32
	m := k.start(HandlerFunc(func(ctx context.Context, _ *Delivery) Result {
		running.Add(1)
		<-ctx.Done()
		return Result{Released: true}
	}), func(c *Config) { c.DrainTimeout = time.Hour })
	k.produce(3, 3)
	k.eventually("running", func() bool { return running.Load() == 3 })
	m.cancel()
	m.Hurry()
	if err := m.stop(); err != nil {
		t.Error(err)
	}
	k.checkOnce()
	if got := fmt.Sprint(len(k.settledRecords())); got != "0" {
		t.Errorf("%s outcomes", got)
	}
}

// A transaction of somebody who is gone keeps the group's commits from being read: the client waits without a word, so readiness must say it.
func TestCommitsHeldBackByAnOpenTransactionAreSaid(t *testing.T) {
	t.Parallel()
	k := setup(t)
	k.produce(30, 3)
	end := k.openCommit(0)
	m := k.start(k.settling(), func(c *Config) { c.TransactionTimeout = time.Second })
	k.eventually("not ready because of the transaction", func() bool {
		err := m.Ready()
		return err != nil && strings.Contains(err.Error(), k.source+"/0 has had no position") && strings.Contains(err.Error(), "find-hanging")
	})
	end()
	k.eventually("ready", func() bool { return m.Ready() == nil })
	k.checkAll()
}

// openCommit commits the start of a partition of the source in a transaction that stays open until the returned function aborts it.
func (k *kit) openCommit(partition int32) (abort func()) {
	k.t.Helper()
	opts, err := k.config("").ClientOpts()
	if err != nil {
		k.t.Fatal(err)
	}
	id := k.group + "-somebody"
	cl, err := kgo.NewClient(append(opts, kgo.TransactionalID(id), kgo.MaxVersions(requestVersions(false)))...)
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(cl.Close)
	ctx := k.t.Context()
	pid, epoch, err := cl.ProducerID(ctx)
	if err != nil {
		k.t.Fatal(err)
	}
	add := kmsg.NewPtrAddOffsetsToTxnRequest()
	add.TransactionalID, add.ProducerID, add.ProducerEpoch, add.Group = id, pid, epoch, k.group
	if resp, err := add.RequestWith(ctx, cl); err != nil || resp.ErrorCode != 0 {
		k.t.Fatalf("adding offsets: %v, %v", err, kerr.ErrorForCode(resp.ErrorCode))
	}
	p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	p.Partition, p.LeaderEpoch = partition, -1
	topic := kmsg.NewTxnOffsetCommitRequestTopic()
	topic.Topic, topic.Partitions = k.source, append(topic.Partitions, p)
	commit := kmsg.NewPtrTxnOffsetCommitRequest()
	commit.TransactionalID, commit.ProducerID, commit.ProducerEpoch, commit.Group, commit.Generation = id, pid, epoch, k.group, -1
	commit.Topics = append(commit.Topics, topic)
	resp, err := commit.RequestWith(ctx, cl)
	if err != nil || resp.Topics[0].Partitions[0].ErrorCode != 0 {
		k.t.Fatalf("committing in a transaction: %v, %+v", err, resp)
	}
	return func() {
		k.t.Helper()
		end := kmsg.NewPtrEndTxnRequest()
		end.TransactionalID, end.ProducerID, end.ProducerEpoch = id, pid, epoch
		if resp, err := end.RequestWith(ctx, cl); err != nil || resp.ErrorCode != 0 {
			k.t.Fatalf("ending the transaction: %v, %v", err, kerr.ErrorForCode(resp.ErrorCode))
		}
	}
}
