package bench

import (
	"context"
	"encoding/base64"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/shopspring/decimal"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/internal/app"
	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/secret"
	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/internal/testkit"
	"github.com/booksync/booksync/schemas"
)

const (
	zohoID   = "10234695"
	patience = 60 * time.Second
)

// place says where a service finds its world, and within which limits it works. It goes to other processes as JSON.
type place struct {
	Brokers     []string
	Redis       string
	RealRedis   bool
	URL         string // of the books
	Name        string // of the organisation, the group, and part of the topics' names
	Orders      string // the topic of orders
	PerMinute   int
	Concurrency int
	Window      time.Duration
}

// config is what `run` would be given: defaults, but for names and limits.
func (p place) config(replica string) *config.Config {
	cfg := config.Default()
	creds := simulator.DefaultCredentials()
	cfg.Kafka.Brokers, cfg.Kafka.Group, cfg.Kafka.TransactionalID = p.Brokers, p.Name, p.Name+"-"+replica
	cfg.Redis.Addresses = []string{p.Redis}
	cfg.Redis.TokenKey = secret.New(base64.StdEncoding.EncodeToString(make([]byte, 32)))
	cfg.Topics.Orders, cfg.Topics.Payments, cfg.Topics.Refunds = []string{p.Orders}, []string{p.Name + ".payments"}, []string{p.Name + ".refunds"}
	cfg.Topics.Outcomes = p.Name + ".outcomes"
	cfg.Zoho.APIBase, cfg.Zoho.AccountsBase, cfg.Zoho.AllowLoopback = p.URL+"/books/v3", p.URL, true
	cfg.Zoho.CallsPerMinute, cfg.Zoho.Concurrency = p.PerMinute, p.Concurrency
	if p.Window > 0 {
		cfg.Zoho.Window = p.Window
	}
	cfg.HTTP.Listen = ""
	cfg.Organizations = map[string]config.Organization{p.Name: mapping(creds)}
	return cfg
}

// mapping books everything on the simulator's default accounts.
func mapping(creds simulator.Credentials) config.Organization {
	org := simulator.DefaultOrg(zohoID)
	o := config.DefaultOrganization()
	o.ID, o.ClientID = zohoID, creds.ClientID
	o.ClientSecret, o.RefreshToken = secret.New(creds.ClientSecret), secret.New(creds.RefreshToken)
	o.Edition = "us"
	o.Taxes = map[string]config.TaxTarget{taxName: {TaxID: org.TaxID(taxName), Rate: decimal.RequireFromString(taxRate)}}
	o.LineTargets = map[string]config.LineTarget{"GOODS": {ItemID: org.ItemID(simulator.ItemGoods), AccountID: org.AccountID(simulator.AccountSales)}}
	o.Clearing = map[string]string{"stripe/USD": org.AccountID(simulator.AccountStripe)}
	o.FeeAccount = org.AccountID(simulator.AccountFees)
	o.PaymentModes = map[string]string{"card": "creditcard"}
	return o
}

// settings of a world; zero values are Zoho's defaults without latency.
type settings struct {
	partitions  int32 // of every topic; default 6
	perMinute   int
	concurrency int
	window      time.Duration // the budget's; default that of the configuration
	latency     time.Duration
	// simulated are the simulator's own limits per minute and of calls in flight; 0: as the budget's, negative: none.
	simulated, simulatedInFlight int
	wrap                         func(http.Handler) http.Handler
}

// world is Kafka, Redis and books for one measurement.
type world struct {
	place
	t     testing.TB
	cfg   *config.Config
	sim   *simulator.Simulator
	calls *arrivals
	codec *schemas.Codec
}

func newWorld(t testing.TB, s settings) *world {
	t.Helper()
	if s.partitions == 0 {
		s.partitions = 6
	}
	w := &world{t: t, calls: &arrivals{}}
	org := simulator.DefaultOrg(zohoID).WithFields()
	org.PlanQuota, org.MinuteLimit, org.Concurrency = -1, orElse(s.simulated, s.perMinute), orElse(s.simulatedInFlight, s.concurrency)
	w.sim = simulator.New(simulator.Config{Organizations: []simulator.Org{org}, Latency: s.latency})
	t.Cleanup(w.sim.Close)
	handler := w.sim.Handler()
	if s.wrap != nil {
		handler = s.wrap(handler)
	}
	cluster := testkit.Kafka(t)
	addr, isReal := startRedis(t)
	w.place = place{
		Brokers: cluster.Addrs, Redis: addr, RealRedis: isReal, URL: listen(t, w.calls.before(handler)), Name: testkit.Name(t, "bench"),
		PerMinute: s.perMinute, Concurrency: s.concurrency, Window: s.window,
	}
	w.Orders = w.Name + ".orders"
	w.cfg = w.config("0")
	topics := append(w.cfg.Topics.Sources(), w.cfg.Topics.Outcomes)
	for _, source := range w.cfg.Topics.Sources() {
		topics = append(topics, w.cfg.Topics.DeadLetter(source))
	}
	testkit.CreateTopics(t, w.Brokers, s.partitions, nil, topics...)
	var err error
	if w.codec, err = schemas.NewCodec(); err != nil {
		t.Fatalf("building the codec: %v", err)
	}
	return w
}

// startRedis is testkit.Redis, but the embedded one expires nothing: it would look at every key again and again.
func startRedis(t testing.TB) (addr string, isReal bool) {
	t.Helper()
	if os.Getenv(testkit.EnvRedis) != "" {
		return testkit.Redis(t)
	}
	m := miniredis.NewMiniRedis()
	if err := m.Start(); err != nil {
		t.Fatalf("starting Redis: %v", err)
	}
	t.Cleanup(m.Close)
	return m.Addr(), false
}

func orElse(n, other int) int {
	if n == 0 {
		return other
	}
	return n
}

// listen serves h on loopback until the test ends.
func listen(t testing.TB, h http.Handler) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listening: %v", err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: patience}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l) // it ends with Close below
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return "http://" + l.Addr().String()
}

// start runs n replicas until stop is called or the test ends; every published outcome is told to observe.
func (w *world) start(n int, observe func(*schemas.Outcome)) (stop func()) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var replicas sync.WaitGroup
	for i := range n {
		service, err := app.New(ctx, w.config(string(rune('0'+i))), app.Options{Log: warnings, Observe: observe, RedisSkipServerCheck: !w.RealRedis})
		if err != nil {
			cancel()
			w.t.Fatalf("building the service: %v", err)
		}
		replicas.Go(func() {
			if err := service.Run(ctx, nil); err != nil && ctx.Err() == nil {
				w.t.Errorf("the service ended: %v", err)
			}
		})
	}
	stop = sync.OnceFunc(func() {
		cancel()
		replicas.Wait()
	})
	w.t.Cleanup(stop)
	return stop
}

// producer keeps a connection, so that an event is stored within a millisecond or two.
type producer struct {
	*kgo.Client
	w *world
}

func (w *world) producer() *producer { return &producer{testkit.Client(w.t, w.Brokers), w} }

// send stores one event.
func (p *producer) send(event any) {
	p.w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.ProduceSync(ctx, p.w.record(ctx, event)).FirstErr(); err != nil {
		p.w.t.Fatalf("producing: %v", err)
	}
}

// produce writes events and waits until they are stored.
func (w *world) produce(events iter.Seq[any]) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*patience)
	defer cancel()
	cl := testkit.Client(w.t, w.Brokers)
	defer cl.Close()
	const chunk = 5000 // records in memory
	var records []*kgo.Record
	store := func() {
		if err := cl.ProduceSync(ctx, records...).FirstErr(); err != nil {
			w.t.Fatalf("producing: %v", err)
		}
		records = records[:0]
	}
	for e := range events {
		if records = append(records, w.record(ctx, e)); len(records) == chunk {
			store()
		}
	}
	store()
}

func (w *world) record(ctx context.Context, event any) *kgo.Record {
	w.t.Helper()
	var r kgo.Record
	var err error
	switch e := event.(type) {
	case *schemas.Order:
		r.Topic, r.Key = w.cfg.Topics.Orders[0], []byte(e.OrderID)
		r.Value, err = w.codec.EncodeOrder(ctx, r.Topic, e)
	case *schemas.Payment:
		r.Topic, r.Key = w.cfg.Topics.Payments[0], []byte(e.OrderID)
		r.Value, err = w.codec.EncodePayment(ctx, r.Topic, e)
	case *schemas.Refund:
		r.Topic, r.Key = w.cfg.Topics.Refunds[0], []byte(e.OrderID)
		r.Value, err = w.codec.EncodeRefund(ctx, r.Topic, e)
	case []byte:
		r.Topic, r.Key, r.Value = w.cfg.Topics.Orders[0], e, e
	default:
		w.t.Fatalf("no event: %T", event)
	}
	if err != nil {
		w.t.Fatalf("encoding %T: %v", event, err)
	}
	return &r
}

// warnings are shown: a measurement of a service in trouble is none.
var warnings = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
