package app

import (
	"context"
	"encoding/base64"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/shopspring/decimal"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/secret"
	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/internal/testkit"
	"github.com/booksync/booksync/schemas"
)

// The worlds of these tests wait far more than they work.
const worldsAtOnce = "12"

func TestMain(m *testing.M) {
	flag.Parse()
	byHand := false
	flag.Visit(func(f *flag.Flag) { byHand = byHand || f.Name == "test.parallel" })
	if !byHand {
		_ = flag.Set("test.parallel", worldsAtOnce)
	}
	goleak.VerifyTestMain(m)
}

// Times of the tests: everything that waits is shortened together, here and in the simulator.
const (
	settleDelay  = 150 * time.Millisecond
	writeHorizon = 600 * time.Millisecond
	lease        = 2 * time.Second // the shortest that is allowed is one
	timeout      = time.Second
	recheck      = 5 * time.Second // long: what must be woken promptly is not by this
	deadline     = 700 * time.Millisecond
	patience     = 30 * time.Second
	orgID        = "10234695"
)

// world is one company with its Kafka topics, Redis and Zoho Books, and the replicas of booksync that serve it.
type world struct {
	testing.TB
	org   simulator.Org
	name  string // of the organisation in events
	sim   *simulator.Simulator
	addrs []string
	redis *testkit.RedisServer
	cfg   *config.Config
	codec *schemas.Codec

	producer  *kgo.Client
	keyless   bool              // records have no key: each has a lane of its own
	letters   map[string]string // configuration of the dead-letter topic of orders
	unsettled bool              // not every record gets a verdict
	mu        sync.Mutex
	outcomes  map[string][]*schemas.Outcome // by coordinates of the source
	sent      []*kgo.Record
	replicas  []*replica
}

type option func(*world)

// company changes the simulated company.
func company(change func(*simulator.Org)) option { return func(w *world) { change(&w.org) } }

// newWorld starts everything but booksync. Options see the configuration before it's used, and the company before it is made.
func newWorld(t testing.TB, switches simulator.Switches, opts ...option) *world {
	w := &world{TB: t, name: testkit.Name(t, "shop"), outcomes: make(map[string][]*schemas.Outcome), org: simulator.DefaultOrg(orgID).WithFields()}
	w.org.MinuteLimit, w.org.PlanQuota, w.org.Concurrency = -1, -1, 10
	for _, opt := range opts {
		opt(w)
	}
	switches.MinuteBlock = 1
	w.sim = simulator.New(simulator.Config{Organizations: []simulator.Org{w.org}, Switches: switches, WriteHorizon: writeHorizon / 2, TokenRequests: -1})
	url, stop, err := w.sim.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	w.addrs = testkit.Kafka(t).Addrs
	w.redis = testkit.OwnRedis(t)
	w.configure(url)
	for _, opt := range opts {
		opt(w)
	}
	w.createTopics()
	if w.codec, err = schemas.NewCodec(); err != nil {
		t.Fatal(err)
	}
	w.producer = testkit.Client(t, w.addrs)
	w.read()
	t.Cleanup(w.judge)
	return w
}

func (w *world) createTopics() {
	w.Helper()
	letters := w.cfg.Topics.DeadLetter(w.cfg.Topics.Orders[0])
	all := append(w.cfg.Topics.Sources(), w.cfg.Topics.Produced()...)
	testkit.CreateTopics(w, w.addrs, 2, nil, slices.DeleteFunc(all, func(topic string) bool { return topic == letters })...)
	testkit.CreateTopics(w, w.addrs, 2, w.letters, letters)
}

// redisClient is a client of Redis beside booksync's own.
func (w *world) redisClient() *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: w.redis.Addr})
	w.Cleanup(func() { _ = c.Close() })
	return c
}

// until waits for a condition that booksync brings about.
func until(w *world, what string, cond func() bool) {
	w.Helper()
	testkit.Until(w, patience, what, cond)
}

// configured changes the configuration.
func configured(change func(*config.Config)) option {
	return func(w *world) {
		if w.cfg != nil {
			change(w.cfg)
		}
	}
}

// waits is how long an organisation waits for what an event needs.
func waits(d time.Duration) option {
	return mapped(func(o *config.Organization) { o.DependencyDeadline = d })
}

// mapped changes the organisation's mapping.
func mapped(change func(*config.Organization)) option {
	return func(w *world) {
		if w.cfg == nil {
			return
		}
		o := w.cfg.Organizations[w.name]
		change(&o)
		w.cfg.Organizations[w.name] = o
	}
}

func (w *world) configure(url string) {
	cfg := config.Default()
	id := testkit.Name(w, "booksync")
	cfg.Kafka.Brokers, cfg.Kafka.Group, cfg.Kafka.SessionTimeout = w.addrs, id, time.Second*6
	cfg.Topics.Orders, cfg.Topics.Payments, cfg.Topics.Refunds = []string{id + ".orders"}, []string{id + ".payments"}, []string{id + ".refunds"}
	cfg.Topics.Outcomes, cfg.Topics.Audit, cfg.Topics.Reconciliations = id+".outcomes", id+".audit", id+".reconciliations"
	cfg.Engine.SettleEvery, cfg.Engine.DrainTimeout = 10*time.Millisecond, 5*time.Second
	cfg.Redis.Addresses, cfg.Redis.TokenKey = []string{w.redis.Addr}, secret.New(base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32))))
	cfg.Redis.Timeout = 500 * time.Millisecond
	cfg.Zoho.APIBase, cfg.Zoho.AccountsBase, cfg.Zoho.AllowLoopback = url+"/books/v3", url, true
	cfg.Zoho.CallsPerMinute, cfg.Zoho.Window, cfg.Zoho.Pause = 100_000, 200*time.Millisecond, 300*time.Millisecond
	cfg.Zoho.Timeout, cfg.Zoho.WriteHorizon, cfg.Zoho.SettleDelay = timeout, writeHorizon, settleDelay
	cfg.Zoho.BackOff, cfg.Zoho.BackOffLimit = 20*time.Millisecond, 100*time.Millisecond
	cfg.Zoho.MarkSentEvery = 30 * time.Millisecond
	cfg.Claims.Recheck, cfg.Claims.Lease = recheck, lease
	cfg.HTTP.Listen = ""

	creds := simulator.DefaultCredentials()
	o := config.DefaultOrganization()
	o.ID, o.ClientID, o.ClientSecret, o.RefreshToken = orgID, creds.ClientID, secret.New(creds.ClientSecret), secret.New(creds.RefreshToken)
	o.Taxes = make(map[string]config.TaxTarget)
	for _, t := range w.org.Taxes {
		o.Taxes[t.Name] = config.TaxTarget{TaxID: w.org.TaxID(t.Name), Rate: decimal.RequireFromString(t.Percentage)}
	}
	o.LineTargets = map[string]config.LineTarget{
		"GOODS": {ItemID: w.org.ItemID(simulator.ItemGoods), AccountID: w.org.AccountID(simulator.AccountSales)},
	}
	o.Clearing = map[string]string{"stripe/" + w.org.Currency: w.org.AccountID(simulator.AccountStripe)}
	o.FeeAccount = w.org.AccountID(simulator.AccountFees)
	o.DependencyDeadline = deadline
	cfg.Organizations = map[string]config.Organization{w.name: o}
	w.cfg = cfg
}

// read collects the outcomes as a read_committed reader sees them.
func (w *world) read() {
	cl := testkit.Client(w, w.addrs, kgo.ConsumeTopics(w.cfg.Topics.Outcomes), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(50*time.Millisecond))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			for _, r := range cl.PollFetches(ctx).Records() {
				out, _, err := w.codec.DecodeOutcome(ctx, r.Value, r.Headers)
				if err != nil {
					w.Errorf("decoding an outcome: %v", err)
					continue
				}
				key := coordinates(out.Source.Topic, out.Source.Partition, out.Source.Offset)
				w.mu.Lock()
				w.outcomes[key] = append(w.outcomes[key], out)
				w.mu.Unlock()
			}
		}
	}()
	w.Cleanup(func() {
		cancel()
		<-done
	})
}

func coordinates(topic string, partition int32, offset int64) string {
	return topic + "/" + strconv.Itoa(int(partition)) + "/" + strconv.FormatInt(offset, 10)
}

// send produces events, or raw bytes under a key, in this order, and returns their records.
func (w *world) send(events ...any) []*kgo.Record {
	w.Helper()
	var out []*kgo.Record
	for _, e := range events {
		out = append(out, w.sendWith(e))
	}
	return out
}

// one is send for a single event.
func (w *world) one(event any, headers ...kgo.RecordHeader) *kgo.Record {
	w.Helper()
	return w.sendWith(event, headers...)
}

type rawOrder struct {
	key   string
	value []byte
}

func (w *world) sendWith(event any, headers ...kgo.RecordHeader) *kgo.Record {
	w.Helper()
	r := &kgo.Record{Headers: headers}
	var err error
	switch e := event.(type) {
	case *schemas.Order:
		r.Topic, r.Key = w.cfg.Topics.Orders[0], []byte(e.OrderID)
		r.Value, err = w.codec.EncodeOrder(context.Background(), r.Topic, e)
	case *schemas.Payment:
		r.Topic, r.Key = w.cfg.Topics.Payments[0], []byte(e.OrderID)
		r.Value, err = w.codec.EncodePayment(context.Background(), r.Topic, e)
	case *schemas.Refund:
		r.Topic, r.Key = w.cfg.Topics.Refunds[0], []byte(e.OrderID)
		r.Value, err = w.codec.EncodeRefund(context.Background(), r.Topic, e)
	case rawOrder:
		r.Topic, r.Key, r.Value = w.cfg.Topics.Orders[0], []byte(e.key), e.value
	case *kgo.Record:
		r = &kgo.Record{Topic: e.Topic, Key: e.Key, Value: e.Value, Headers: headers}
	default:
		err = fmt.Errorf("no event: %T", event)
	}
	if w.keyless {
		r.Key = nil
	}
	if err == nil {
		err = w.producer.ProduceSync(context.Background(), r).FirstErr()
	}
	if err != nil {
		w.Fatalf("producing: %v", err)
	}
	w.mu.Lock()
	w.sent = append(w.sent, r)
	w.mu.Unlock()
	return r
}

// outcome is the record's; nil when there's none yet.
func (w *world) outcome(r *kgo.Record) *schemas.Outcome {
	w.mu.Lock()
	defer w.mu.Unlock()
	if outs := w.outcomes[coordinates(r.Topic, r.Partition, r.Offset)]; len(outs) > 0 {
		return outs[0]
	}
	return nil
}

// await waits for the record's outcome.
func (w *world) await(r *kgo.Record) *schemas.Outcome {
	w.Helper()
	testkit.Until(w, patience, "an outcome of "+coordinates(r.Topic, r.Partition, r.Offset), func() bool { return w.outcome(r) != nil })
	return w.outcome(r)
}

// posted waits for POSTED of every record.
func (w *world) posted(records ...*kgo.Record) {
	w.Helper()
	for _, r := range records {
		w.wantStatus(r, schemas.StatusPosted, "")
	}
}

// wantStatus waits for the record's outcome and compares status and, of rejected ones, class.
func (w *world) wantStatus(r *kgo.Record, status schemas.Status, class string) *schemas.Outcome {
	w.Helper()
	out := w.await(r)
	got := ""
	if out.Error != nil {
		got = out.Error.Class
	}
	if out.Status != status || got != class {
		w.Errorf("%s of %s: %s %s (%+v), want %s %s", out.Workflow, out.OrderID, out.Status, got, out.Error, status, class)
	}
	return out
}

func (w *world) rejected(r *kgo.Record, class string) *schemas.Outcome {
	w.Helper()
	return w.wantStatus(r, schemas.StatusRejected, class)
}

func (w *world) duplicate(r *kgo.Record, reason string) {
	w.Helper()
	if out := w.wantStatus(r, schemas.StatusDuplicate, ""); out.Reason != reason {
		w.Errorf("duplicate with reason %q, want %q", out.Reason, reason)
	}
}

// deadLetter is the dead letter of a record.
func (w *world) deadLetter(r *kgo.Record) *kgo.Record {
	w.Helper()
	for _, l := range testkit.ReadCommitted(w, w.addrs, r.Topic+w.cfg.Topics.DeadLetterSuffix) {
		if header(l, "__connect.errors.partition") == strconv.Itoa(int(r.Partition)) && header(l, "__connect.errors.offset") == strconv.FormatInt(r.Offset, 10) {
			return l
		}
	}
	w.Fatalf("no dead letter of %s", coordinates(r.Topic, r.Partition, r.Offset))
	return nil
}

func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// replay is what an operator sends back: the dead letter with an id of the replay.
func (w *world) replay(letter *kgo.Record, value []byte) *kgo.Record {
	w.Helper()
	headers := append(slices.Clone(letter.Headers), kgo.RecordHeader{Key: "dlq.replay.id", Value: []byte("replay-1")})
	r := &kgo.Record{Topic: strings.TrimSuffix(letter.Topic, w.cfg.Topics.DeadLetterSuffix), Key: letter.Key, Value: letter.Value}
	if value != nil {
		r.Value = value
	}
	return w.sendWith(r, headers...)
}

// inject asks the simulator for a fault.
func (w *world) inject(f simulator.Fault) {
	w.Helper()
	if err := w.sim.Inject(f); err != nil {
		w.Fatal(err)
	}
}

// hit waits until a fault of the kind has befallen a call.
func (w *world) hit(kind simulator.FaultKind) {
	w.Helper()
	testkit.Until(w, patience, "a call to meet "+string(kind), func() bool { return w.sim.FaultHits()[kind] > 0 })
}
