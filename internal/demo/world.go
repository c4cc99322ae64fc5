package demo

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/secret"
	"github.com/booksync/booksync/internal/simulator"
)

// organization is the demo company's name in the events; zohoID its organisation id.
const (
	organization = "demo"
	zohoID       = "10234695"
)

// Times of the demo: everything that waits is shortened together, here and in the simulator.
const (
	settleDelay  = 400 * time.Millisecond // longer than searchLag
	searchLag    = 250 * time.Millisecond
	lateLanding  = 700 * time.Millisecond
	writeHorizon = 1500 * time.Millisecond // longer than lateLanding
	ratePause    = time.Second
	recheck      = time.Second
	deadline     = 3 * time.Second
	latency      = 5 * time.Millisecond
)

// minuteLimit is the simulated organisation's, calls in any 60 s.
const minuteLimit = 12_000

// world is the embedded Kafka, Redis and Zoho Books.
type world struct {
	org       simulator.Org
	market    *market // nil: the plain sample's
	sim       *simulator.Simulator
	simURL    string
	kafkaAddr string
	redisAddr string
	cfg       *config.Config
	stops     []func()
}

func newWorld(m *market) (*world, error) {
	w := &world{org: simulator.DefaultOrg(zohoID).WithFields(), market: m}
	if m != nil {
		w.org = simulator.DefaultOrgIn(zohoID, m.country).WithFields()
	}
	w.org.MinuteLimit, w.org.PlanQuota, w.org.Concurrency = minuteLimit, -1, 10
	w.sim = simulator.New(simulator.Config{Organizations: []simulator.Org{w.org}, Latency: latency, WriteHorizon: lateLanding})
	if err := w.start(); err != nil {
		w.close()
		return nil, err
	}
	w.cfg = w.config()
	return w, nil
}

func (w *world) start() error {
	url, stop, err := w.sim.Start("127.0.0.1:0")
	if err != nil {
		return err
	}
	w.simURL, w.stops = url, append(w.stops, stop)
	topics := config.Default().Topics
	if w.kafkaAddr, stop, err = simulator.StartKafka(append(topics.Sources(), topics.Produced()...)...); err != nil {
		return err
	}
	w.stops = append(w.stops, stop)
	if w.redisAddr, stop, err = simulator.StartRedis(); err != nil {
		return err
	}
	w.stops = append(w.stops, stop)
	return nil
}

// close ends the services, the last started first.
func (w *world) close() {
	for i := len(w.stops) - 1; i >= 0; i-- {
		w.stops[i]()
	}
}

// config is what `run` would be given for this world.
func (w *world) config() *config.Config {
	cfg := config.Default()
	creds := simulator.DefaultCredentials()
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	cfg.Kafka.Brokers, cfg.Kafka.Group = []string{w.kafkaAddr}, "booksync-demo"
	cfg.Redis.Addresses, cfg.Redis.TokenKey = []string{w.redisAddr}, secret.New(base64.StdEncoding.EncodeToString(key))
	cfg.Zoho.APIBase, cfg.Zoho.AccountsBase, cfg.Zoho.AllowLoopback = w.simURL+"/books/v3", w.simURL, true
	cfg.Zoho.CallsPerMinute = minuteLimit
	cfg.Zoho.Timeout, cfg.Zoho.WriteHorizon, cfg.Zoho.SettleDelay = time.Second, writeHorizon, settleDelay
	cfg.Zoho.Pause, cfg.Zoho.MarkSentEvery, cfg.Zoho.BackOff, cfg.Zoho.BackOffLimit = ratePause, 200*time.Millisecond, 100*time.Millisecond, 2*time.Second
	cfg.Claims.Recheck, cfg.Claims.Lease = recheck, 15*time.Second
	cfg.HTTP.Listen = ""
	cfg.Organizations = map[string]config.Organization{organization: w.mapping(creds)}
	return cfg
}

func (w *world) mapping(creds simulator.Credentials) config.Organization {
	o := config.DefaultOrganization()
	o.ID, o.ClientID = zohoID, creds.ClientID
	o.ClientSecret, o.RefreshToken = secret.New(creds.ClientSecret), secret.New(creds.RefreshToken)
	o.Live, o.Edition = true, "us"
	o.Taxes = map[string]config.TaxTarget{}
	for _, t := range w.org.Taxes {
		o.Taxes[t.Name] = config.TaxTarget{TaxID: w.org.TaxID(t.Name), Rate: decimal.RequireFromString(t.Percentage)}
	}
	target := func(item, account string) config.LineTarget {
		return config.LineTarget{ItemID: w.org.ItemID(item), AccountID: w.org.AccountID(account)}
	}
	o.LineTargets = map[string]config.LineTarget{
		"GOODS": target(simulator.ItemGoods, simulator.AccountSales), "SERVICE": target(simulator.ItemService, simulator.AccountSales),
		"SHIPPING": target(simulator.ItemShipping, simulator.AccountShipping), "FEE": target(simulator.ItemFee, simulator.AccountOther),
		"TIP": target(simulator.ItemTip, simulator.AccountTips), "ROUNDING": target(simulator.ItemRounding, simulator.AccountRounding),
	}
	o.Clearing = map[string]string{}
	for gateway, account := range clearingAccounts {
		o.Clearing[gateway+"/"+w.org.Currency] = w.org.AccountID(account)
	}
	if m := w.market; m != nil {
		o.Edition, o.State = m.edition, m.state
		if m.taxes != nil {
			maps.Copy(o.Taxes, m.taxes(w.org))
		}
		o.Exemptions = make(map[string]string, len(m.exemptions))
		for treatment, code := range m.exemptions {
			o.Exemptions[treatment] = w.org.ExemptionID(code)
		}
	}
	o.FeeAccount = w.org.AccountID(simulator.AccountFees)
	o.PaymentModes = map[string]string{"card": "creditcard"}
	o.DependencyDeadline = deadline
	return o
}

// taxes are the sample's.
func (w *world) taxes() []taxRate {
	var out []taxRate
	for _, t := range w.org.Taxes {
		if t.Name != simulator.TaxExempt {
			out = append(out, taxRate{t.Name, decimal.RequireFromString(t.Percentage)})
		}
	}
	return out
}

// injectFaults makes Zoho fail: answers lost before and after the work, errors, refusals, a lagging search, a write that
// lands late, tokens revoked. None of them may change what ends up in the books.
func (w *world) injectFaults() error {
	var errs []error
	for _, f := range []simulator.Fault{
		{Kind: simulator.FaultLostAnswer, Method: "POST", Probability: 0.02},
		{Kind: simulator.FaultErrorAfter, Method: "POST", Probability: 0.015},
		{Kind: simulator.FaultErrorBefore, Probability: 0.015, Status: 502, HTML: true},
		{Kind: simulator.FaultErrorBefore, Probability: 0.01, Status: 500, Code: 1000},
		{Kind: simulator.FaultLateLanding, Method: "POST", Path: "/invoices", Probability: 0.01, Delay: lateLanding},
		{Kind: simulator.FaultLateLanding, Method: "POST", Path: "/creditnotes/*/refunds", Probability: 0.05, Delay: lateLanding},
		{Kind: simulator.FaultThrottle, Code: 44, Nth: 150, Count: 2},
		{Kind: simulator.FaultThrottle, Code: 1070, Probability: 0.005},
		{Kind: simulator.FaultSearchLag, Delay: searchLag},
		{Kind: simulator.FaultRevokeTokens, Method: "POST", Path: "/invoices", Nth: 60},
	} {
		if err := w.sim.Inject(f); err != nil {
			errs = append(errs, fmt.Errorf("injecting %s: %w", f.Kind, err))
		}
	}
	return errors.Join(errs...)
}
