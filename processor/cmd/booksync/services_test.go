package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/internal/testkit"
	"github.com/booksync/booksync/schemas"
)

// services are the embedded ones, with a configuration that fits them.
type services struct {
	kafka   testkit.Cluster
	sim     *simulator.Simulator
	org     simulator.Org
	file    string // the configuration
	environ []string
	prefix  string // of the topics' names, on a Kafka that others use too
}

func startServices(t *testing.T, bare bool) *services {
	t.Helper()
	return startServicesIn(t, "us", bare)
}

func startServicesIn(t *testing.T, country string, bare bool) *services {
	t.Helper()
	return startCompanies(t, simulatorOptions{id: "10234695", country: country, bare: bare}, "demo")
}

// startCompanies starts them with a company for each name, alike but for their ids: the first has that of the options, the next ones those that follow.
func startCompanies(t *testing.T, o simulatorOptions, names ...string) *services {
	t.Helper()
	s := &services{kafka: testkit.FakeKafka(t)}
	redis := testkit.OwnRedis(t).Addr // its own: the shared token is encrypted under a key of this test
	id, err := strconv.Atoi(o.id)
	if err != nil {
		t.Fatal(err)
	}
	orgs := make([]simulator.Org, len(names))
	for i := range names {
		each := o
		each.id = strconv.Itoa(id + i)
		orgs[i] = each.organization()
		orgs[i].MinuteLimit, orgs[i].PlanQuota = -1, -1
	}
	s.org = orgs[0]
	s.sim = simulator.New(simulator.Config{Organizations: orgs, TokenRequests: -1})
	base, stop, err := s.sim.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	o.listen = strings.TrimPrefix(base, "http://")
	text := ""
	for i, name := range names {
		var yaml strings.Builder
		if err := o.writeConfig(&yaml, orgs[i]); err != nil {
			t.Fatal(err)
		}
		shared, own, ok := strings.Cut(yaml.String(), "organizations:\n  demo:\n")
		if !ok {
			t.Fatalf("the configuration has no organisation: %s", yaml.String())
		}
		if i == 0 {
			text = shared + "organizations:\n"
		}
		text += "  " + name + ":\n" + own
	}
	s.file = filepath.Join(t.TempDir(), "booksync.yaml")
	if err := os.WriteFile(s.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.environ = []string{
		"BOOKSYNC_CONFIG=" + s.file,
		"BOOKSYNC_KAFKA_BROKERS=" + strings.Join(s.kafka.Addrs, ","),
		"BOOKSYNC_KAFKA_GROUP=" + testkit.Name(t, "booksync"),
		"BOOKSYNC_REDIS_ADDRESSES=" + redis,
		"BOOKSYNC_REDIS_TOKEN_KEY=MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
		"BOOKSYNC_ZOHO_CALLS_PER_MINUTE=100000", "BOOKSYNC_ZOHO_WINDOW=2s", "BOOKSYNC_ZOHO_PAUSE=100ms",
		"BOOKSYNC_TOPICS_PARTITIONS=1",
	}
	return s
}

func (s *services) run(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	return booksync(t, stdin, s.environ, args...)
}

func TestProduceWritesAvroWithTheOrderIDAsKey(t *testing.T) {
	t.Parallel()
	s := startServices(t, false)
	testkit.CreateTopics(t, s.kafka.Addrs, 1, nil, "commerce.orders", "commerce.payments", "commerce.refunds")
	codec, err := schemas.NewCodec()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		kind, json string
		decode     func(context.Context, []byte) (string, error)
	}{
		{"orders", orderJSON, func(ctx context.Context, v []byte) (string, error) {
			o, _, err := codec.DecodeOrder(ctx, v, nil)
			if err != nil {
				return "", err
			}
			return o.OrderID + " " + o.Totals.Gross.String(), nil
		}},
		{"payments", paymentJSON, func(ctx context.Context, v []byte) (string, error) {
			p, _, err := codec.DecodePayment(ctx, v, nil)
			if err != nil {
				return "", err
			}
			return p.OrderID + " " + p.Amount.String(), nil
		}},
		{"refunds", refundJSON, func(ctx context.Context, v []byte) (string, error) {
			r, _, err := codec.DecodeRefund(ctx, v, nil)
			if err != nil {
				return "", err
			}
			return r.OrderID + " " + r.Amount.String(), nil
		}},
	} {
		r := s.run(t, "\n"+test.json+"\n{\"order_id\": 1}\n\n", "produce", test.kind, "-")
		if r.code != 1 || r.stdout != "1 record written to commerce."+test.kind+"\n" || !strings.Contains(r.stderr, "line 3: ") || !strings.Contains(r.stderr, "1 line left out") {
			t.Errorf("%s: exit %d\n%s\n%s", test.kind, r.code, r.stdout, r.stderr)
		}
		records := testkit.ReadCommitted(t, s.kafka.Addrs, "commerce."+test.kind)
		if len(records) != 1 || string(records[0].Key) != "O1" {
			t.Fatalf("%s: %v", test.kind, records)
		}
		got, err := test.decode(t.Context(), records[0].Value)
		if err != nil || !strings.HasPrefix(got, "O1 ") {
			t.Errorf("%s: %q %v", test.kind, got, err)
		}
	}
	if r := s.run(t, orderJSON, "produce", "orders", "-", "--dry-run", "--set", "kafka.brokers=127.0.0.1:1"); r.code != 0 || r.stdout != "1 record fit for commerce.orders\n" {
		t.Errorf("dry run: %+v", r)
	}
}

func TestSetupMakesWhatIsMissingAndThenFindsNothingWrong(t *testing.T) {
	t.Parallel()
	s := startServices(t, true)
	first := s.run(t, "", "setup")
	if first.code != 1 || !strings.Contains(first.stdout, "commerce.orders: does not exist") ||
		!strings.Contains(first.stdout, "invoice.cf_booksync_key: does not exist") || !strings.Contains(first.stdout, "nothing was changed") {
		t.Fatalf("exit %d\n%s\n%s", first.code, first.stdout, first.stderr)
	}
	testkit.CreateTopics(t, s.kafka.Addrs, 1, nil, "commerce.orders", "commerce.payments", "commerce.refunds")
	snapshot := filepath.Join(t.TempDir(), "setup.json")
	applied := s.run(t, "", "setup", "--apply", "--snapshot", snapshot)
	if applied.code != 0 || !strings.Contains(applied.stdout, "created  books.outcomes") || !strings.Contains(applied.stdout, "created  creditnote.cf_booksync_key: unique") {
		t.Fatalf("exit %d\n%s\n%s", applied.code, applied.stdout, applied.stderr)
	}
	golden(t, "setup_apply", strings.ReplaceAll(strings.ReplaceAll(applied.stdout, strings.Join(s.kafka.Addrs, ","), "KAFKA"), s.redis(), "REDIS"))
	again := s.run(t, "", "setup", "--check", "--snapshot", snapshot)
	if again.code != 0 || !strings.Contains(again.stdout, "everything is set up; nothing was changed") {
		t.Fatalf("exit %d\n%s\n%s", again.code, again.stdout, again.stderr)
	}
}

func (s *services) redis() string {
	for _, kv := range s.environ {
		if addr, ok := strings.CutPrefix(kv, "BOOKSYNC_REDIS_ADDRESSES="); ok {
			return addr
		}
	}
	return ""
}

func TestSetupSaysWhatIsNotAvailable(t *testing.T) {
	t.Parallel()
	s := startServices(t, false)
	r := s.run(t, "", "setup", "--json", "--skip", "kafka", "--set", "redis.addresses=127.0.0.1:1")
	if r.code != 3 || !strings.Contains(r.stdout, `"area": "redis"`) || !strings.Contains(r.stdout, `"unknown": 2`) {
		t.Errorf("exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
}

func TestProveShowsThatASecondDocumentIsRefused(t *testing.T) {
	t.Parallel()
	s := startServicesIn(t, "gb", false)
	r := s.run(t, "", "setup", "--prove", "demo", "--account", s.org.AccountID(simulator.AccountSales))
	for _, what := range []string{"contact", "invoice", "credit note", "payment"} {
		if !strings.Contains(r.stdout, "ok       "+what+": a second one with the same key is refused: status 400") {
			t.Errorf("%s: not shown", what)
		}
	}
	if r.code != 0 || strings.Contains(r.stdout, "could not be deleted") {
		t.Errorf("exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
	if live := s.run(t, "", "setup", "--prove", "demo", "--account", "1", "--config", s.liveFile(t)); live.code != 2 || !strings.Contains(live.stderr, "the organisation is live") {
		t.Errorf("live: %+v", live)
	}
}

// liveFile is the configuration with the organisation live.
func (s *services) liveFile(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(s.file)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "live.yaml")
	if err := os.WriteFile(name, []byte(strings.ReplaceAll(string(text), "live: false", "live: true")), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestAuth(t *testing.T) {
	t.Parallel()
	s := startServices(t, false)
	if r := s.run(t, "", "auth", "login", "demo", "--scopes"); r.code != 0 || !strings.Contains(r.stdout, "ZohoBooks.invoices.CREATE,") {
		t.Errorf("scopes: %+v", r)
	}
	if r := s.run(t, "wrong\n", "auth", "login", "demo"); r.code != 1 || !strings.Contains(r.stderr, "invalid_code") || r.stdout != "" {
		t.Errorf("wrong code: %+v", r)
	}
	file := filepath.Join(t.TempDir(), "token")
	r := s.run(t, simulator.DefaultCredentials().Code+"\n", "auth", "login", "demo", "--out", file)
	token, err := os.ReadFile(file)
	if r.code != 0 || err != nil || !strings.Contains(r.stderr, "ok       ZohoBooks.invoices.READ") || strings.Contains(r.stdout+r.stderr, strings.TrimSpace(string(token))) {
		t.Fatalf("login: %+v, %v", r, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode: %v %v", info.Mode(), err)
	}
	s.environ = append(s.environ, "BOOKSYNC_ORGANIZATIONS_DEMO_REFRESH_TOKEN_FILE="+file)
	if r := s.run(t, "", "auth", "test", "demo"); r.code != 0 || !strings.Contains(r.stdout, `organisation 10234695: `) {
		t.Errorf("test: %+v", r)
	}
	if r := s.run(t, "", "auth", "revoke", "demo"); r.code != 2 {
		t.Errorf("revoke without --yes: %+v", r)
	}
	if r := s.run(t, "", "auth", "revoke", "demo", "--yes"); r.code != 0 {
		t.Errorf("revoke: %+v", r)
	}
}

func TestAuthTestNamesAMissingScope(t *testing.T) {
	t.Parallel()
	s := startServices(t, false)
	if err := s.sim.Inject(simulator.Fault{Kind: simulator.FaultRevokeScope, Scope: "creditnotes.READ"}); err != nil {
		t.Fatal(err)
	}
	r := s.run(t, "", "auth", "test", "demo")
	if r.code != 1 || !strings.Contains(r.stdout, "refused  ZohoBooks.creditnotes.READ") || !strings.Contains(r.stdout, "a scope is missing") {
		t.Errorf("exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
}

func TestAnOutageOfTheAccountsServerExitsWith3(t *testing.T) {
	t.Parallel()
	down := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	defer down.Close()
	s := startServices(t, false)
	r := s.run(t, "", "auth", "test", "demo", "--set", "zoho.accounts_base="+down.URL)
	if r.code != 3 || !strings.Contains(r.stdout, "unknown  ZohoBooks.settings.READ") {
		t.Errorf("exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
}

func TestSimulatorServesUntilItIsStopped(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan result)
	pr, pw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pr.Close()
	go func() {
		defer pw.Close()
		err := runWith(ctx, []string{"simulator", "--listen", "127.0.0.1:0"}, &cli{stdin: strings.NewReader(""), stdout: pw, stderr: pw})
		done <- result{code: exitCode(err), err: err}
	}()
	line := make([]byte, 200)
	n, err := pr.Read(line)
	if err != nil || !strings.Contains(string(line[:n]), " at http://127.0.0.1:") {
		t.Fatalf("%q %v", line[:n], err)
	}
	cancel()
	if r := <-done; r.code != 0 {
		t.Errorf("%+v", r)
	}
}
