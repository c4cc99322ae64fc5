package reconcile_test

import (
	"context"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/internal/access"
	"github.com/booksync/booksync/internal/app"
	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/operator/audit"
	"github.com/booksync/booksync/internal/operator/reconcile"
	"github.com/booksync/booksync/internal/secret"
	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/internal/testkit"
	"github.com/booksync/booksync/schemas"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	orgID    = "10234695"
	patience = 30 * time.Second
	taxCode  = "TX Sales Tax"
)

var at = time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)

// window holds everything that the tests send.
var window = reconcile.Window{Since: "2026-03-01", Until: "2026-03-31"}

// world is one company with its topics, Redis and simulated books, and the service that keeps them.
type world struct {
	testing.TB
	org      simulator.Org
	name     string
	sim      *simulator.Simulator
	addrs    []string
	cfg      *config.Config
	codec    *schemas.Codec
	producer *kgo.Client
	store    *access.Store
	books    *zohobooks.Client // a person's
	settled  atomic.Int64
	sent     int
	stop     func()
}

func newWorld(t testing.TB, switches simulator.Switches, changes ...func(*simulator.Org, *config.Organization)) *world {
	t.Helper()
	w := &world{TB: t, name: testkit.Name(t, "shop"), org: simulator.DefaultOrg(orgID).WithFields()}
	w.org.MinuteLimit, w.org.PlanQuota, w.org.Concurrency = -1, -1, 10
	for _, change := range changes {
		change(&w.org, nil)
	}
	w.sim = simulator.New(simulator.Config{Organizations: []simulator.Org{w.org}, Switches: switches, TokenRequests: -1})
	url, stop, err := w.sim.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	w.addrs = testkit.Kafka(t).Addrs
	redis := testkit.OwnRedis(t)
	w.configure(url, redis.Addr)
	o := w.cfg.Organizations[w.name]
	for _, change := range changes {
		change(nil, &o)
	}
	w.cfg.Organizations[w.name] = o
	testkit.CreateTopics(t, w.addrs, 2, nil, append(w.cfg.Topics.Sources(), w.cfg.Topics.Produced()...)...)
	if w.codec, err = schemas.NewCodec(); err != nil {
		t.Fatal(err)
	}
	w.producer = testkit.Client(t, w.addrs)
	if w.store, err = access.OpenStore(t.Context(), w.cfg, access.Options{SkipServerCheck: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.store.Close)
	if w.books, err = w.store.Books(w.name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.books.Close)
	return w
}

func (w *world) configure(url, redis string) {
	cfg := config.Default()
	id := testkit.Name(w, "booksync")
	cfg.Kafka.Brokers, cfg.Kafka.Group, cfg.Kafka.SessionTimeout = w.addrs, id, 6*time.Second
	cfg.Topics.Orders, cfg.Topics.Payments, cfg.Topics.Refunds = []string{id + ".orders"}, []string{id + ".payments"}, []string{id + ".refunds"}
	cfg.Topics.Outcomes, cfg.Topics.Audit, cfg.Topics.Reconciliations = id+".outcomes", id+".audit", id+".reconciliations"
	cfg.Engine.SettleEvery, cfg.Engine.DrainTimeout = 10*time.Millisecond, 5*time.Second
	cfg.Redis.Addresses, cfg.Redis.TokenKey = []string{redis}, secret.New(base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32))))
	cfg.Zoho.APIBase, cfg.Zoho.AccountsBase, cfg.Zoho.AllowLoopback = url+"/books/v3", url, true
	cfg.Zoho.CallsPerMinute, cfg.Zoho.Window, cfg.Zoho.Pause = 1_000_000, 200*time.Millisecond, 300*time.Millisecond
	cfg.Zoho.Timeout, cfg.Zoho.WriteHorizon, cfg.Zoho.SettleDelay = 2*time.Second, 600*time.Millisecond, 150*time.Millisecond
	cfg.Zoho.BackOff, cfg.Zoho.BackOffLimit, cfg.Zoho.MarkSentEvery = 20*time.Millisecond, 100*time.Millisecond, 30*time.Millisecond
	cfg.Claims.Lease = 4 * time.Second
	cfg.HTTP.Listen = ""
	creds := simulator.DefaultCredentials()
	o := config.DefaultOrganization()
	o.ID, o.ClientID, o.ClientSecret, o.RefreshToken = orgID, creds.ClientID, secret.New(creds.ClientSecret), secret.New(creds.RefreshToken)
	o.Taxes = make(map[string]config.TaxTarget)
	for _, t := range w.org.Taxes {
		o.Taxes[t.Name] = config.TaxTarget{TaxID: w.org.TaxID(t.Name), Rate: decimal.RequireFromString(t.Percentage)}
	}
	o.LineTargets = map[string]config.LineTarget{"GOODS": {ItemID: w.org.ItemID(simulator.ItemGoods), AccountID: w.org.AccountID(simulator.AccountSales)}}
	stripe := w.org.AccountID(simulator.AccountStripe)
	o.Clearing = map[string]string{"stripe/USD": stripe, "stripe/EUR": stripe, "stripe/GBP": stripe}
	o.FeeAccount = w.org.AccountID(simulator.AccountFees)
	o.DependencyDeadline = 700 * time.Millisecond
	cfg.Organizations = map[string]config.Organization{w.name: o}
	w.cfg = cfg
}

// serve runs the service until it is stopped or the test ends.
func (w *world) serve() {
	w.Helper()
	w.start(*w.cfg)
}

// serveAnother runs a second replica.
func (w *world) serveAnother() {
	w.Helper()
	first := w.stop
	cfg := *w.cfg
	cfg.Kafka.TransactionalID = testkit.Name(w, "second")
	w.start(cfg)
	second := w.stop
	w.stop = func() {
		first()
		second()
	}
}

func (w *world) start(cfg config.Config) {
	w.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	service, err := app.New(ctx, &cfg, app.Options{RedisSkipServerCheck: true, ReconcileLook: 20 * time.Millisecond, Observe: func(*schemas.Outcome) { w.settled.Add(1) }})
	if err != nil {
		cancel()
		w.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- service.Run(ctx, nil) }()
	stopped := false
	w.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			w.Errorf("service: %v", err)
		}
	}
	w.Cleanup(w.stop)
}

// post sends events and waits until all have their outcome.
func (w *world) post(events ...any) []*kgo.Record {
	w.Helper()
	records := w.send(events...)
	testkit.Until(w, patience, "an outcome for every event", func() bool { return w.settled.Load() >= int64(w.sent) })
	return records
}

// send produces events.
func (w *world) send(events ...any) []*kgo.Record {
	w.Helper()
	var out []*kgo.Record
	for _, event := range events {
		r := &kgo.Record{}
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
		case *schemas.Outcome:
			r.Topic, r.Key = w.cfg.Topics.Outcomes, []byte(e.OrderID)
			r.Value, err = w.codec.EncodeOutcome(context.Background(), r.Topic, e)
			w.sent--
		}
		if err == nil {
			err = w.producer.ProduceSync(context.Background(), r).FirstErr()
		}
		if err != nil {
			w.Fatalf("producing: %v", err)
		}
		w.sent++
		out = append(out, r)
	}
	return out
}

// outcomes are those that were published.
func (w *world) outcomes() []*schemas.Outcome {
	w.Helper()
	var all []*schemas.Outcome
	for _, r := range testkit.ReadCommitted(w, w.addrs, w.cfg.Topics.Outcomes) {
		out, _, err := w.codec.DecodeOutcome(context.Background(), r.Value, r.Headers)
		if err != nil {
			w.Fatal(err)
		}
		all = append(all, out)
	}
	return all
}

// options reconcile everything, with hardly a grace period.
func (w *world) options() reconcile.Options {
	// A minute from now everything that was sent is older than the grace period.
	now := func() time.Time { return time.Now().Add(time.Minute) }
	return reconcile.Options{Organization: w.name, Window: window, Grace: time.Second, Now: now, StartedBy: "test"}
}

func (w *world) deps() reconcile.Deps {
	return reconcile.Deps{Config: w.cfg, Codec: w.codec, Books: w.books, Budget: w.store.Budget.State}
}

// reconcile runs one, as changed.
func (w *world) reconcile(change func(*reconcile.Options)) *reconcile.Result {
	w.Helper()
	opts := w.options()
	if change != nil {
		change(&opts)
	}
	res, err := reconcile.Run(context.Background(), w.deps(), opts)
	if err != nil {
		w.Fatal(err)
	}
	return res
}

func deep(o *reconcile.Options) { o.Deep = true }

// want is the exceptions' statuses by transaction; all others match.
func (w *world) want(res *reconcile.Result, want map[string]reconcile.Status) {
	w.Helper()
	got := map[string]reconcile.Status{}
	for i := range res.Exceptions {
		e := &res.Exceptions[i]
		got[e.Workflow+":"+e.BusinessID] = e.Status
		if want[e.Workflow+":"+e.BusinessID] != e.Status {
			w.Errorf("%s: %s, want %q: %s", e.ID, e.Status, want[e.Workflow+":"+e.BusinessID], e.Message())
		}
	}
	for key, status := range want {
		if got[key] == "" {
			w.Errorf("%s is no exception, want %s", key, status)
		}
	}
}

// exception is the one of a transaction.
func (w *world) exception(res *reconcile.Result, key string) *reconcile.Exception {
	w.Helper()
	for i := range res.Exceptions {
		if e := &res.Exceptions[i]; e.Workflow+":"+e.BusinessID == key {
			return e
		}
	}
	w.Fatalf("%s is no exception: %+v", key, res.Counts)
	return nil
}

// document is the one in the books under a key.
func (w *world) document(kind, key string) simulator.LedgerDocument {
	w.Helper()
	l := w.sim.Ledger(orgID)
	found := l.Find(kind, key)
	if len(found) != 1 {
		w.Fatalf("%d documents of %s", len(found), key)
	}
	return found[0]
}

func (w *world) inject(f simulator.Fault) {
	w.Helper()
	if err := w.sim.Inject(f); err != nil {
		w.Fatal(err)
	}
}

// audited writes an audit entry.
func (w *world) audited(e schemas.AuditEntry) {
	w.Helper()
	if err := audit.New(w.codec, w.cfg.Topics.Audit, "test").Write(context.Background(), w.producer, e); err != nil {
		w.Fatal(err)
	}
}

func dec(s string) decimal.Decimal { return decimal.RequireFromString(s) }

var eventIDs atomic.Int64

func (w *world) event() schemas.Event {
	return schemas.Event{EventID: "evt-" + strconv.FormatInt(eventIDs.Add(1), 10), OccurredAt: at, Source: "test-shop", Organization: w.name}
}

// order sells goods for 400 and 33 of tax.
func (w *world) order(id string) *schemas.Order {
	return &schemas.Order{
		Event: w.event(), Kind: schemas.OrderCreated, Revision: 1, OrderID: id, OrderNumber: "#" + id, Currency: "USD",
		Customer: schemas.Party{ID: "c-" + id, Name: "Customer " + id, Email: strings.ToLower(id) + "@example.com", BillingAddress: &schemas.Address{Country: "US"}},
		Lines: []schemas.Line{{
			LineID: "1", Kind: schemas.LineGoods, Name: "Kettle", Quantity: dec("1"), UnitPrice: dec("400"),
			Taxes: []schemas.Tax{{Code: taxCode, Rate: decimal.NewNullDecimal(dec("8.25")), Amount: dec("33"), CollectedBy: schemas.CollectedBySeller}},
		}},
		Totals: schemas.Totals{Net: dec("400"), Tax: dec("33"), Gross: dec("433")}, PlacedAt: at,
	}
}

func (w *world) cancelled(o *schemas.Order) *schemas.Order {
	c := *o
	c.Event, c.Kind, c.Revision = w.event(), schemas.OrderCancelled, o.Revision+1
	c.OccurredAt = at.Add(time.Hour)
	return &c
}

func (w *world) payment(id, order, amount string) *schemas.Payment {
	return &schemas.Payment{
		Event: w.event(), Kind: schemas.PaymentCaptured, PaymentID: id, OrderID: order, Amount: dec(amount), Currency: "USD",
		Method: "card", Gateway: "stripe", GatewayReference: "ch_" + id, ReceivedAt: at.Add(time.Hour),
	}
}

func (w *world) refund(id, order, payment, amount string) *schemas.Refund {
	return &schemas.Refund{
		Event: w.event(), RefundID: id, OrderID: order, PaymentID: payment, Amount: dec(amount), Currency: "USD",
		Method: "card", Gateway: "stripe", GatewayReference: "re_" + id, RefundedAt: at.Add(48 * time.Hour),
	}
}

// foreign makes an order one in euros.
func foreign(o *schemas.Order, rate string) *schemas.Order {
	o.Currency, o.ExchangeRate = "EUR", decimal.NewNullDecimal(dec(rate))
	return o
}
