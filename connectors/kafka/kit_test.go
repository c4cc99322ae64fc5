package kafka

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

const (
	// realKafka names a real broker, host:port, to run the tests on instead of kfake.
	realKafka = "BOOKSYNC_TEST_KAFKA"
	// realKafkaRestart is a shell command that kills that broker and starts it again.
	realKafkaRestart = "BOOKSYNC_TEST_KAFKA_RESTART"
)

// kit is a test's cluster, topics and group, and what was produced to them.
type kit struct {
	t        *testing.T
	fake     *kfake.Cluster // nil on a real broker
	brokers  []string
	admin    *Admin
	client   *kgo.Client // idempotent, not transactional
	source   string
	outcomes string
	dead     string
	group    string
	members  int
}

type kitOptions struct {
	partitions   int32
	sourceConfig map[string]string
	deadConfig   map[string]string
	noOutcomes   bool
	fake         []kfake.Opt
}

func setup(t *testing.T, change ...func(*kitOptions)) *kit {
	t.Helper()
	o := kitOptions{partitions: 3}
	for _, c := range change {
		c(&o)
	}
	name := fmt.Sprintf("%s-%08x", strings.Map(topicRune, t.Name()), rand.Uint32())
	k := &kit{t: t, source: name + ".source", outcomes: name + ".outcomes", dead: name + ".dlq", group: name}
	if broker := os.Getenv(realKafka); broker != "" {
		k.brokers = []string{broker}
	} else {
		fake, err := kfake.NewCluster(append(fakeOptions(), o.fake...)...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(fake.Close)
		k.fake, k.brokers = fake, fake.ListenAddrs()
	}
	admin, err := NewAdmin(k.config("admin"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(admin.Close)
	k.admin = admin
	opts, err := k.config("producer").ClientOpts()
	if err != nil {
		t.Fatal(err)
	}
	if k.client, err = kgo.NewClient(append(opts, kgo.RecordPartitioner(kgo.ManualPartitioner()))...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.client.Close)
	topics := []Topic{{Name: k.source, Partitions: o.partitions, Configs: o.sourceConfig}, {Name: k.dead, Partitions: 1, Configs: o.deadConfig}}
	if !o.noOutcomes {
		topics = append(topics, Topic{Name: k.outcomes, Partitions: 2})
	}
	k.create(topics...)
	return k
}

// topicRune keeps what topic names may have.
func topicRune(r rune) rune {
	if r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
		return r
	}
	return '-'
}

// fakeOptions make kfake as quick as tests want it.
func fakeOptions() []kfake.Opt {
	return []kfake.Opt{kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(100 * time.Millisecond), kfake.BrokerConfigs(map[string]string{
		"group.consumer.heartbeat.interval.ms": "100", "group.consumer.session.timeout.ms": "2000",
	})}
}

func (k *kit) create(topics ...Topic) {
	k.t.Helper()
	if _, err := k.admin.CreateTopics(k.t.Context(), topics...); err != nil {
		k.t.Fatal(err)
	}
	for _, topic := range topics {
		k.eventually("topic "+topic.Name, func() bool {
			found, err := k.admin.DescribeTopics(k.t.Context(), topic.Name)
			return err == nil && found[topic.Name].Partitions == topic.Partitions
		})
	}
	if k.fake == nil {
		k.t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			for _, topic := range topics {
				if _, err := k.admin.adm.DeleteTopics(ctx, topic.Name); err != nil {
					k.t.Log(err)
				}
			}
		})
	}
}

// config is a member's configuration with the short times of tests.
func (k *kit) config(id string) Config {
	session := 6 * time.Second // the shortest a real broker allows by default
	if k.fake != nil {
		session = 2 * time.Second
	}
	return Config{
		Brokers: k.brokers, Group: k.group, Topics: []string{k.source}, OutputTopics: []string{k.outcomes, k.dead}, TransactionalID: k.group + "-" + id,
		SessionTimeout: session, RebalanceTimeout: 3 * time.Second, SettleEvery: 20 * time.Millisecond, MetadataMinAge: 20 * time.Millisecond, DrainTimeout: 5 * time.Second,
		Epoch: func() string { return "epoch-1" },
	}.WithDefaults()
}

// eventually waits until cond holds, looking every few milliseconds.
func (k *kit) eventually(what string, cond func() bool) {
	k.t.Helper()
	k.within(30*time.Second, what, cond)
}

func (k *kit) within(d time.Duration, what string, cond func() bool) {
	k.t.Helper()
	deadline := time.After(d)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline:
			k.t.Fatalf("did not happen in %s: %s", d, what)
		}
	}
}

// produce writes n records to the source, with keys key-0 to key-(keys-1) in turn; keys 0 is without keys. Records of one key go to one partition.
func (k *kit) produce(n, keys int) {
	k.t.Helper()
	partitions := k.partitions()
	var records []*kgo.Record
	for i := range n {
		r := &kgo.Record{Topic: k.source, Value: []byte(strconv.Itoa(i)), Partition: int32(i % partitions)}
		if keys > 0 {
			key := i % keys
			r.Key, r.Partition = []byte("key-"+strconv.Itoa(key)), int32(key%partitions)
		}
		records = append(records, r)
	}
	k.send(records...)
}

func (k *kit) send(records ...*kgo.Record) {
	k.t.Helper()
	if err := k.client.ProduceSync(k.t.Context(), records...).FirstErr(); err != nil {
		k.t.Fatal(err)
	}
}

// produceTxn writes records in one transaction and ends it.
func (k *kit) produceTxn(end kgo.TransactionEndTry, records ...*kgo.Record) {
	k.t.Helper()
	opts, err := k.config("source-txn").ClientOpts()
	if err != nil {
		k.t.Fatal(err)
	}
	cl, err := kgo.NewClient(append(opts, kgo.TransactionalID(k.group+"-source"), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		k.t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.BeginTransaction(); err != nil {
		k.t.Fatal(err)
	}
	if err := cl.ProduceSync(k.t.Context(), records...).FirstErr(); err != nil {
		k.t.Fatal(err)
	}
	if err := cl.EndTransaction(k.t.Context(), end); err != nil {
		k.t.Fatal(err)
	}
}

func (k *kit) partitions() int {
	k.t.Helper()
	found, err := k.admin.DescribeTopics(k.t.Context(), k.source)
	if err != nil {
		k.t.Fatal(err)
	}
	return int(found[k.source].Partitions)
}

// commitPosition writes a commit of the group from outside; the group must be empty.
func (k *kit) commitPosition(partition int32, offset int64, text string) {
	k.t.Helper()
	var o kadm.Offsets
	o.Add(kadm.Offset{Topic: k.source, Partition: partition, At: offset, LeaderEpoch: -1, Metadata: text})
	if err := k.admin.adm.CommitAllOffsets(k.t.Context(), k.group, o); err != nil {
		k.t.Fatal(err)
	}
}

// position is the committed position of a partition of the source, -1 without one.
func (k *kit) position(partition int32) int64 {
	k.t.Helper()
	positions, err := k.admin.Positions(k.t.Context())
	if err != nil {
		k.t.Fatal(err)
	}
	if p, ok := positions[k.source][partition]; ok {
		return p.Offset
	}
	return -1
}

// member is one running engine.
type member struct {
	*Engine
	k      *kit
	wire   *wire
	cancel context.CancelFunc
	done   chan struct{}
	err    error
	log    *logBuffer
}

// start runs an engine with the handler; it is stopped at the end of the test.
func (k *kit) start(h Handler, change ...func(*Config)) *member {
	k.t.Helper()
	k.members++
	cfg := k.config(fmt.Sprintf("m%d", k.members))
	for _, c := range change {
		c(&cfg)
	}
	return k.startConfig(cfg, h)
}

func (k *kit) startConfig(cfg Config, h Handler, opts ...kgo.Opt) *member {
	k.t.Helper()
	m := &member{k: k, wire: newWire(), done: make(chan struct{}), log: &logBuffer{}}
	logger := slog.New(slog.NewTextHandler(m.log, nil))
	if cfg.TLS == nil {
		opts = append(opts, m.wire.opt())
	}
	e, err := New(cfg, h, WithLogger(logger), WithClientOpts(opts...))
	if err != nil {
		k.t.Fatal(err)
	}
	m.Engine = e
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel = cancel
	go func() {
		defer close(m.done)
		m.err = e.Run(ctx)
	}()
	k.t.Cleanup(func() {
		if k.t.Failed() {
			k.t.Logf("member %s: ready %v, status %+v", cfg.TransactionalID, m.Ready(), m.Status())
			m.wire.cut()
		}
		m.cancel()
		m.Hurry()
		<-m.done
		if k.t.Failed() {
			k.t.Logf("member %s:\n%s", cfg.TransactionalID, m.log)
		}
	})
	return m
}

// stop ends the member in good order and answers what Run answered.
func (m *member) stop() error {
	m.cancel()
	<-m.done
	return m.err
}

// kill ends the member as SIGKILL would: its connections break and nothing reaches the brokers any more.
func (m *member) kill() {
	m.wire.cut()
	m.cancel()
	m.Hurry()
}

// outcome is the message that says that d was settled.
func (k *kit) outcome(d *Delivery) Message {
	return Message{Record: &kgo.Record{
		Topic: k.outcomes, Key: d.Record.Key, Value: []byte(fmt.Sprintf("%d/%d", d.Record.Partition, d.Record.Offset)),
	}}
}

// settling is the handler that settles everything at once.
func (k *kit) settling() Handler {
	return HandlerFunc(func(_ context.Context, d *Delivery) Result { return Result{Publish: []Message{k.outcome(d)}} })
}

// gate is a handler that settles a record once it is let through.
type gate struct {
	k       *kit
	mu      sync.Mutex
	open    bool
	passes  map[string]bool
	started map[string]int
	changed chan struct{}
}

func (k *kit) gate() *gate {
	return &gate{k: k, passes: make(map[string]bool), started: make(map[string]int), changed: make(chan struct{})}
}

func (g *gate) Handle(ctx context.Context, d *Delivery) Result {
	at := fmt.Sprintf("%d/%d", d.Record.Partition, d.Record.Offset)
	g.mu.Lock()
	g.started[at]++
	g.mu.Unlock()
	for {
		g.mu.Lock()
		pass, changed := g.open || g.passes[at], g.changed
		g.mu.Unlock()
		if pass {
			return Result{Publish: []Message{g.k.outcome(d)}}
		}
		select {
		case <-changed:
		case <-d.Leaving():
			return Result{Released: true}
		case <-ctx.Done():
			return Result{Released: true}
		}
	}
}

// pass lets records through, all of them without an argument.
func (g *gate) pass(coordinates ...string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = g.open || len(coordinates) == 0
	for _, at := range coordinates {
		g.passes[at] = true
	}
	close(g.changed)
	g.changed = make(chan struct{})
}

// attempts is how many attempts of the record began.
func (g *gate) attempts(at string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.started[at]
}

func (g *gate) running() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.started)
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
