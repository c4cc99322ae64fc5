package kafka

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestSourceWrittenInTransactionsSomeAborted(t *testing.T) {
	t.Parallel()
	k := setup(t)
	m := k.start(k.settling())
	for i := range 8 {
		var records []*kgo.Record
		for n := range 30 {
			records = append(records, &kgo.Record{Topic: k.source, Partition: int32(n % 3), Key: []byte(fmt.Sprint("key-", n)), Value: []byte(fmt.Sprint(i))})
		}
		k.produceTxn(i%3 != 2, records...) // two are aborted
	}
	k.checkAll()
	ends, err := m.Ends(t.Context(), k.source)
	if err != nil {
		t.Fatal(err)
	}
	// The last thing in every partition is a transaction's marker, which nobody settles.
	k.eventually("the position passes the markers", func() bool {
		passed, err := m.Passed(t.Context(), k.source, ends)
		return err == nil && passed
	})
	if got, want := len(k.settledRecords()), 6*30; got != want {
		t.Errorf("%d records settled, want the %d committed ones", got, want)
	}
}

func TestCompactedSource(t *testing.T) {
	t.Parallel()
	k := setup(t, onePartition, func(o *kitOptions) {
		o.sourceConfig = map[string]string{"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.01", "segment.ms": "1000", "max.compaction.lag.ms": "1000"}
	})
	g := k.gate()
	m := k.start(g)
	k.produce(200, 20)
	k.eventually("everything runs", func() bool { return g.running() == 20 })
	g.pass("0/3", "0/5")
	k.waitSettled(2)
	if err := m.stop(); err != nil {
		t.Fatal(err)
	}
	// The open records of the metadata go, except the last of each key.
	k.produce(60, 20)
	if !k.compact(260) {
		t.Skip("the broker has not compacted the topic in time")
	}
	k.start(k.settling())
	k.checkAll()
	k.eventually("position at the end", func() bool { return k.position(0) >= 260 })
}

// compact makes the broker compact the first n records of the source, as far as it can be told; a real one does it once newer segments begin.
func (k *kit) compact(n int64) bool {
	k.t.Helper()
	compacted := func() bool {
		records := k.read(k.source)
		return int64(len(records)) < records[len(records)-1].Offset+1 && records[len(records)-1].Offset >= n-1
	}
	if k.fake != nil {
		k.fake.Compact()
		return compacted()
	}
	deadline := time.After(40 * time.Second)
	tick := time.NewTicker(1500 * time.Millisecond)
	defer tick.Stop()
	for !compacted() {
		select {
		case <-tick.C:
			k.send(&kgo.Record{Topic: k.source, Key: []byte("key-0"), Value: []byte("roll")})
		case <-deadline:
			return false
		}
	}
	return true
}

func TestCommittedOffsetBelowTheLogStartStopsThePartition(t *testing.T) {
	t.Parallel()
	k := setup(t)
	k.produce(90, 9)
	k.commitPosition(0, 5, "")
	k.commitPosition(1, 5, "")
	k.deleteBefore(0, 10)
	m := k.start(k.settling())
	k.eventually("the others go on", func() bool { return len(k.settledRecords()) == 25+30 })
	err := m.Ready()
	if err == nil || !strings.Contains(err.Error(), "committed offset 5 is below the log's start 10") {
		t.Errorf("ready says %v", err)
	}
	alarm := false
	k.eventually("status shows the alarm", func() bool {
		for _, p := range m.Status().Partitions {
			alarm = alarm || p.Partition == 0 && p.Alarm != ""
		}
		return alarm
	})
	if got := k.position(0); got != 5 {
		t.Errorf("the stopped partition's position moved to %d", got)
	}
}

func TestLogStartThatOvertakesTheEngineStopsThePartition(t *testing.T) {
	t.Parallel()
	k := setup(t, func(o *kitOptions) { o.partitions = 2 })
	g := k.gate()
	m := k.start(g, func(c *Config) { c.MaxFetchedBytesPerPartition, c.MaxRecordsPerPartition = 1, 1 })
	one := &kgo.Record{Topic: k.source, Value: []byte("x")}
	k.send(one)
	k.eventually("one runs", func() bool { return g.running() == 1 })
	k.send(one)
	k.eventually("paused with the second at hand", func() bool {
		return slices.ContainsFunc(m.Status().Partitions, func(p PartitionStatus) bool { return p.Partition == 0 && p.Paused && p.Backlog > 0 })
	})
	for range 50 {
		k.send(one)
	}
	k.deleteBefore(0, 40)
	g.pass()
	k.eventually("alarm", func() bool {
		err := m.Ready()
		return err != nil && strings.Contains(err.Error(), "not in the log any more")
	})
	k.eventually("what was at hand is settled", func() bool { return len(k.settledRecords()) == 2 })
}

// deleteBefore moves the start of a partition of the source.
func (k *kit) deleteBefore(partition int32, offset int64) {
	k.t.Helper()
	o, err := k.admin.adm.ListStartOffsets(k.t.Context(), k.source)
	if err != nil {
		k.t.Fatal(err)
	}
	del := o.Offsets()
	for topic, ps := range del {
		for n, p := range ps {
			if n != partition {
				delete(del[topic], n)
				continue
			}
			p.At = offset
			ps[n] = p
		}
	}
	if _, err := k.admin.adm.DeleteRecords(k.t.Context(), del); err != nil {
		k.t.Fatal(err)
	}
}

func TestUnreadableMetadataStopsThePartition(t *testing.T) {
	t.Parallel()
	k := setup(t)
	k.produce(90, 9)
	k.commitPosition(0, 5, "not ours")
	k.commitPosition(1, 5, encodeMetadata(7, metadata{Highest: 7, Open: []int64{7}}))
	k.commitPosition(2, 5, "") // an operator's reset
	m := k.start(k.settling())
	k.waitSettled(25)
	err := m.Ready()
	for _, want := range []string{"source/0 is stopped", "source/1 is stopped", "another position"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ready does not say %q: %v", want, err)
		}
	}
	if got := len(k.settledRecords()); got != 25 {
		t.Errorf("%d records settled, want 25", got)
	}
}

func TestMetadataAtItsLimit(t *testing.T) {
	t.Parallel()
	k := setup(t, onePartition)
	const limit = 512
	small := func(c *Config) {
		c.MetadataLimit, c.MaxRecordsPerPartition, c.MaxRunningPerPartition = limit, 5000, 5000
	}
	g := k.gate()
	m := k.start(g, small)
	k.produce(3000, 0)
	var paused bool
	k.eventually("the partition takes no more", func() bool {
		for _, p := range m.Status().Partitions {
			paused = p.Paused || p.Backlog > 0
		}
		return paused && g.running() > 100
	})
	var some []string
	for offset := 1; offset < g.running(); offset += 2 {
		some = append(some, fmt.Sprintf("0/%d", offset))
	}
	g.pass(some...)
	k.waitSettled(len(some))
	k.checkOnce()
	positions, err := k.admin.Positions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := len(positions[k.source][0].Metadata); n > limit {
		t.Errorf("metadata has %d bytes", n)
	} else {
		t.Logf("%d bytes of metadata for %d open records", n, g.running()-len(some))
	}
	if err := m.stop(); err != nil {
		t.Fatal(err)
	}
	k.start(k.settling(), small)
	k.checkAll()
}

func TestBrokerKilledAndStartedAgain(t *testing.T) {
	switch {
	case os.Getenv(realKafka) == "":
		t.Parallel()
	case os.Getenv(realKafkaRestart) == "":
		t.Skipf("%s does not name a command that kills and starts the broker", realKafkaRestart)
	}
	dir := t.TempDir()
	disk := []kfake.Opt{kfake.DataDir(dir)}
	k := setup(t, func(o *kitOptions) { o.fake = disk })
	m1, m2 := k.start(k.settling()), k.start(k.settling())
	k.produce(500, 50)
	k.waitSettled(1)
	k.restartBroker(disk)
	if k.fake == nil {
		k.abortHanging(m1.cfg.TransactionalID, m2.cfg.TransactionalID)
	}
	k.eventually("produced again", func() bool {
		ctx := t.Context()
		return k.client.ProduceSync(ctx, &kgo.Record{Topic: k.source, Key: []byte("key-0"), Value: []byte("after")}).FirstErr() == nil
	})
	k.checkAll()
}

func (k *kit) restartBroker(opts []kfake.Opt) {
	k.t.Helper()
	if k.fake == nil {
		if out, err := exec.Command("sh", "-c", os.Getenv(realKafkaRestart)).CombinedOutput(); err != nil {
			k.t.Fatalf("%v: %s", err, out)
		}
		return
	}
	var port int
	if _, err := fmt.Sscanf(k.brokers[0][strings.LastIndex(k.brokers[0], ":")+1:], "%d", &port); err != nil {
		k.t.Fatal(err)
	}
	k.fake.Close()
	fake, err := kfake.NewCluster(append(append(fakeOptions(), kfake.Ports(port)), opts...)...)
	if err != nil {
		k.t.Fatal(err)
	}
	k.fake = fake
	k.t.Cleanup(fake.Close)
}
