package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
)

const testOrg = "10234695"

// clock is driven by hand; timers fire while it advances.
type clock struct {
	mu     sync.Mutex
	now    time.Time
	timers []*timer
}

type timer struct {
	at time.Time
	f  func()
}

func newClock() *clock { return &clock{now: time.Date(2026, 6, 9, 17, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) AfterFunc(d time.Duration, f func()) func() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &timer{c.now.Add(d), f}
	c.timers = append(c.timers, t)
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		before := len(c.timers)
		c.timers = without(c.timers, t)
		return len(c.timers) < before
	}
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	c.now = c.now.Add(d)
	var due []func()
	for _, t := range append([]*timer(nil), c.timers...) {
		if !t.at.After(c.now) {
			due = append(due, t.f)
			c.timers = without(c.timers, t)
		}
	}
	c.mu.Unlock()
	for _, f := range due {
		f()
	}
}

func (c *clock) waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.timers)
}

// bundle is a simulator with one organisation, a customer, and a client that speaks plain JSON.
type bundle struct {
	t        *testing.T
	sim      *Simulator
	org      Org
	clock    *clock
	srv      *httptest.Server
	token    string
	customer string
	client   *http.Client
}

func unlimited(o Org) Org {
	o.PlanQuota, o.MinuteLimit, o.Concurrency = -1, -1, -1
	return o
}

func setup(t *testing.T, change ...func(*Config)) *bundle {
	t.Helper()
	b := &bundle{t: t, clock: newClock()}
	cfg := Config{Organizations: []Org{unlimited(DefaultOrg(testOrg)).WithFields()}, Now: b.clock.Now, AfterFunc: b.clock.AfterFunc, TokenRequests: -1}
	for _, c := range change {
		c(&cfg)
	}
	b.org = cfg.Organizations[0]
	b.sim = New(cfg)
	b.srv = httptest.NewServer(b.sim.Handler())
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	b.client = &http.Client{Transport: transport}
	t.Cleanup(func() {
		b.sim.Close()
		b.srv.Close()
		transport.CloseIdleConnections()
		b.sim.working.Wait()
	})
	b.login()
	b.customer = b.must(201, "POST", "/contacts", `{"contact_name":"Acme"}`).str("contact.contact_id")
	b.sim.ResetCalls(b.org.ID)
	return b
}

func (b *bundle) login() {
	b.t.Helper()
	creds := b.sim.cfg.Credentials
	resp, err := b.client.PostForm(b.srv.URL+"/oauth/v2/token", map[string][]string{"grant_type": {"refresh_token"}, "client_id": {creds.ClientID},
		"client_secret": {creds.ClientSecret}, "refresh_token": {creds.RefreshToken}})
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	var out struct{ Access_token string }
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil || out.Access_token == "" {
		b.t.Fatalf("no access token: %v", err)
	}
	b.token = out.Access_token
}

// answer is a decoded answer, numbers kept as they came.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	raw    string
	body   map[string]any
}

func (b *bundle) try(method, path, body string, header ...string) (*answer, error) {
	sep := "?"
	if strings.Contains(path, "?") {
		sep = "&"
	}
	req, err := http.NewRequest(method, b.srv.URL+apiRoot+path+sep+"organization_id="+b.org.ID, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Zoho-oauthtoken "+b.token)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	a := &answer{t: b.t, status: resp.StatusCode, header: resp.Header, raw: string(raw), body: map[string]any{}}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		if err := dec.Decode(&a.body); err != nil {
			return nil, fmt.Errorf("answer %s: %w", raw, err)
		}
	}
	return a, nil
}

func (b *bundle) call(method, path, body string, header ...string) *answer {
	b.t.Helper()
	a, err := b.try(method, path, body, header...)
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

func (b *bundle) must(status int, method, path, body string, header ...string) *answer {
	b.t.Helper()
	a := b.call(method, path, body, header...)
	if a.status != status {
		b.t.Fatalf("%s %s %s: status %d, want %d: %s", method, path, body, a.status, status, a.raw)
	}
	return a
}

// refused expects a failure with Zoho's code.
func (b *bundle) refused(status, code int, method, path, body string, header ...string) {
	b.t.Helper()
	a := b.call(method, path, body, header...)
	if a.status != status || a.code() != code {
		b.t.Fatalf("%s %s %s: status %d code %d, want %d %d: %s", method, path, body, a.status, a.code(), status, code, a.raw)
	}
}

func (a *answer) at(path string) any {
	a.t.Helper()
	var v any = a.body
	for _, step := range strings.Split(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[step]
		case []any:
			var i int
			if _, err := fmt.Sscan(step, &i); err != nil || i >= len(x) {
				a.t.Fatalf("no element %s of %s in %s", step, path, a.raw)
			}
			v = x[i]
		default:
			a.t.Fatalf("no %s in %s", path, a.raw)
		}
	}
	return v
}

func (a *answer) str(path string) string {
	a.t.Helper()
	return fmt.Sprint(a.at(path))
}

func (a *answer) len(path string) int {
	a.t.Helper()
	return len(a.at(path).([]any))
}

func (a *answer) code() int {
	var n int
	_, _ = fmt.Sscan(fmt.Sprint(a.body["code"]), &n)
	return n
}

func (a *answer) want(path, value string) {
	a.t.Helper()
	if got := a.str(path); got != value {
		a.t.Errorf("%s is %s, want %s", path, got, value)
	}
}

// invoiceOf makes an invoice of one plain line, and marks it sent.
func (b *bundle) invoiceOf(amount string) string {
	b.t.Helper()
	id := b.draftOf(amount)
	b.must(200, "POST", "/invoices/"+id+"/status/sent", "")
	return id
}

func (b *bundle) draftOf(amount string) string {
	b.t.Helper()
	return b.must(201, "POST", "/invoices", fmt.Sprintf(`{"customer_id":%q,"date":"2026-06-09","line_items":[{"name":"x","rate":%s}]}`, b.customer, amount)).
		str("invoice.invoice_id")
}

func (b *bundle) pay(invoice, amount, applied string) *answer {
	b.t.Helper()
	return b.call("POST", "/customerpayments", b.paymentBody(invoice, amount, applied))
}

func (b *bundle) paymentBody(invoice, amount, applied string) string {
	return fmt.Sprintf(`{"customer_id":%q,"payment_mode":"cash","amount":%s,"date":"2026-06-09","account_id":%q,"invoices":[{"invoice_id":%q,"amount_applied":%s}]}`,
		b.customer, amount, b.org.AccountID(AccountStripe), invoice, applied)
}

func (b *bundle) noteOf(amount string) string {
	b.t.Helper()
	return b.must(201, "POST", "/creditnotes", fmt.Sprintf(`{"customer_id":%q,"date":"2026-06-09","line_items":[{"name":"x","rate":%s}]}`, b.customer, amount)).
		str("creditnote.creditnote_id")
}

func (b *bundle) refundBody(amount string) string {
	return fmt.Sprintf(`{"date":"2026-06-09","amount":%s,"from_account_id":%q}`, amount, b.org.AccountID(AccountStripe))
}

func (b *bundle) invoice(id string) *answer {
	b.t.Helper()
	return b.must(200, "GET", "/invoices/"+id, "")
}

// balances checks the trial balance: the sum is zero and each named account stands where it should.
func (b *bundle) balances(want map[string]string) {
	b.t.Helper()
	l := b.sim.Ledger(b.org.ID)
	if !l.Zero {
		b.t.Errorf("the trial balance is off by %s: %s", l.Sum, l.Error)
	}
	for name, amount := range want {
		if got := l.Balance(name); !got.Equal(decimal.RequireFromString(amount)) {
			b.t.Errorf("account %s stands at %s, want %s\n%+v", name, got, amount, l.TrialBalance)
		}
	}
}
