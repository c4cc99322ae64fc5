package kafka

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestConfigValidate(t *testing.T) {
	t.Parallel()
	good := Config{Brokers: []string{"b:1"}, Group: "g", Topics: []string{"in"}, OutputTopics: []string{"out"}, TransactionalID: "t"}
	for name, test := range map[string]struct {
		change func(*Config)
		want   string // in the error; empty: none
	}{
		"complete":                   {func(*Config) {}, ""},
		"no brokers":                 {func(c *Config) { c.Brokers = nil }, "brokers are missing"},
		"no group":                   {func(c *Config) { c.Group = "" }, "group is missing"},
		"no topics":                  {func(c *Config) { c.Topics = nil }, "topics are missing"},
		"no transactional id":        {func(c *Config) { c.TransactionalID = "" }, "transactional id is missing"},
		"reads its own output":       {func(c *Config) { c.OutputTopics = []string{"in"} }, "both consumed and published"},
		"unknown protocol":           {func(c *Config) { c.Protocol = "eager" }, "unknown group protocol"},
		"unknown mechanism":          {func(c *Config) { c.SASL.Mechanism = "GSSAPI" }, "unknown sasl mechanism"},
		"password without mechanism": {func(c *Config) { c.SASL.Password = "secret" }, "without a mechanism"},
		"plain without password":     {func(c *Config) { c.SASL = SASL{Mechanism: MechanismPlain, User: "u"} }, "needs user and password"},
		"bearer without token":       {func(c *Config) { c.SASL = SASL{Mechanism: MechanismOAuthBearer} }, "needs a token source"},
		"negative time":              {func(c *Config) { c.DrainTimeout = -1 }, "drain timeout is negative"},
		"negative number":            {func(c *Config) { c.MaxUnpublished = -1 }, "unpublished results is negative"},
		"tiny metadata limit":        {func(c *Config) { c.MetadataLimit = 100 }, "below 512"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := good
			test.change(&c)
			err := c.Validate()
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v, want %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Error("the password is in the error")
			}
		})
	}
	if err := (Config{}).WithDefaults().Validate(); err == nil {
		t.Error("defaults alone are valid")
	}
}

func TestWakeups(t *testing.T) {
	t.Parallel()
	w := wakeups{memory: time.Minute}
	now := time.Unix(1000, 0)
	w.add(now, "a")
	before := w.number()
	w.add(now.Add(time.Second), "b", "c")
	for keys, want := range map[string]bool{"a": false, "b": true, "x": false} {
		if got := w.since(before, []string{keys}); got != want {
			t.Errorf("woken since: %s %v", keys, got)
		}
	}
	if got := w.take(); len(got) != 3 || len(w.take()) != 0 {
		t.Errorf("taken %v", got)
	}
	w.add(now.Add(2*time.Minute), "d")
	if w.since(0, []string{"b"}) || !w.since(0, []string{"d"}) {
		t.Error("old wake-ups are remembered")
	}
}

func TestParked(t *testing.T) {
	t.Parallel()
	var p parked
	part, other := &partition{}, &partition{}
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	names := map[*Delivery]string{}
	add := func(name string, part *partition, until int, keys ...string) {
		d := &Delivery{part: part}
		names[d] = name
		p.add(d, at(until), &Park{Keys: keys})
	}
	add("late", part, 100, "k")
	add("early", part, 10)
	add("middle", other, 50, "k", "l")
	add("same keys", part, 60, "l")
	due := func(now int, keys ...string) string {
		var got []string
		for _, e := range p.due(at(now), keys) {
			got = append(got, names[e.d])
		}
		return strings.Join(got, ",")
	}
	if got := due(9); got != "" {
		t.Errorf("due at 9: %s", got)
	}
	if got := due(10); got != "early" {
		t.Errorf("due at 10: %s", got)
	}
	if got := due(11, "l", "l"); got != "middle,same keys" && got != "same keys,middle" {
		t.Errorf("woken: %s", got)
	}
	if next, ok := p.next(); !ok || !next.Equal(at(100)) {
		t.Errorf("next %v", next)
	}
	p.forget(part)
	if got := due(1000, "k"); got != "" || len(p.byKey) != 0 {
		t.Errorf("forgotten ones are due: %s, keys %v", got, p.byKey)
	}
}

func TestPoolRunsBlockingHandlersBesideEachOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var wg sync.WaitGroup
		var running, most atomic.Int32
		p := newPool(func(d *Delivery) {
			n := running.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			time.Sleep(time.Second) // in the bubble's time
			running.Add(-1)
			d.result = Result{Publish: []Message{}}
		}, 1000, 300, 100, func(int) {}, &wg)
		part := &partition{}
		var ds []*Delivery
		for range 300 {
			ds = append(ds, &Delivery{part: part})
		}
		began := time.Now()
		p.push(ds...)
		synctest.Wait()
		if most.Load() != 300 {
			t.Errorf("%d ran beside each other", most.Load())
		}
		time.Sleep(2 * time.Second)
		if got := len(p.take(nil)); got != 300 || time.Since(began) != 2*time.Second {
			t.Errorf("%d finished after %s", got, time.Since(began))
		}
		p.stop()
		wg.Wait()
	})
}

func TestPoolRunsAPartitionsShareInOrderAndOtherPartitionsBesideIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		var started []int64
		release := make(chan struct{})
		p := newPool(func(d *Delivery) {
			mu.Lock()
			started = append(started, d.mark.offset)
			mu.Unlock()
			if d.mark.offset < 100 {
				<-release
			}
		}, 1000, 2, 100, func(int) {}, &wg)
		full, other := &partition{}, &partition{}
		for offset := range int64(5) {
			d := &Delivery{part: full}
			d.mark.offset = offset
			p.push(d)
			synctest.Wait()
		}
		d := &Delivery{part: other}
		d.mark.offset = 100
		p.push(d)
		synctest.Wait()
		mu.Lock()
		if want := []int64{0, 1, 100}; !slices.Equal(started, want) {
			t.Errorf("started %v, want %v", started, want)
		}
		mu.Unlock()
		if ready, running, _ := p.counts(); ready != 3 || running != 2 {
			t.Errorf("%d ready and %d running, want 3 and 2", ready, running)
		}
		for range 2 {
			release <- struct{}{}
			synctest.Wait()
		}
		mu.Lock()
		if want := []int64{0, 1, 100, 2, 3}; !slices.Equal(started, want) {
			t.Errorf("started %v, want %v", started, want)
		}
		mu.Unlock()
		full.gone.Store(true)
		close(release)
		synctest.Wait()
		if ready, running, _ := p.counts(); ready != 0 || running != 0 || len(started) != 5 {
			t.Errorf("%d ready and %d running of a partition that is gone, started %v", ready, running, started)
		}
		p.stop()
		wg.Wait()
	})
}

func TestPoolStartsNothingAtTheBoundOfUnpublishedResults(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var wg sync.WaitGroup
		var ran atomic.Int32
		p := newPool(func(d *Delivery) {
			ran.Add(1)
			d.result = Result{Publish: []Message{}}
		}, 10, 100, 100, func(int) {}, &wg)
		part := &partition{}
		for range 30 {
			p.push(&Delivery{part: part})
			synctest.Wait()
		}
		if ran.Load() != 10 {
			t.Errorf("%d ran, want 10", ran.Load())
		}
		p.forget(5)
		synctest.Wait()
		if ran.Load() != 15 {
			t.Errorf("%d ran, want 15", ran.Load())
		}
		p.hold(true)
		p.forget(10)
		synctest.Wait()
		if ran.Load() != 15 {
			t.Error("something started while held")
		}
		p.hold(false)
		synctest.Wait()
		if ran.Load() != 25 {
			t.Errorf("%d ran, want 25", ran.Load())
		}
		part.gone.Store(true)
		p.forget(10)
		synctest.Wait()
		if ran.Load() != 25 {
			t.Error("a delivery of a partition that is gone ran")
		}
		p.stop()
		wg.Wait()
	})
}

func TestRecordSizeIsTheBatchOnTheWire(t *testing.T) {
	t.Parallel()
	k := setup(t, onePartition)
	r := &kgo.Record{Topic: k.dead, Key: []byte("key"), Value: incompressible(5000), Headers: []kgo.RecordHeader{{Key: "dlq.class", Value: []byte("rejected")}}}
	size := recordSize(r)
	opts, err := k.config("x").ClientOpts()
	if err != nil {
		t.Fatal(err)
	}
	for limit, want := range map[int]bool{size: true, size - 1: false} {
		cl, err := kgo.NewClient(append(opts, kgo.ProducerBatchMaxBytes(int32(limit)), kgo.ProducerBatchCompression(kgo.NoCompression()))...)
		if err != nil {
			t.Fatal(err)
		}
		if err := cl.ProduceSync(context.Background(), r).FirstErr(); (err == nil) != want {
			t.Errorf("%d bytes of %d: %v", limit, size, err)
		}
		cl.Close()
	}
}
