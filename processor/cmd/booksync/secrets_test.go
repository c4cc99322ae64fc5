package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/internal/testkit"
)

// secretsOfTest are what must not be found anywhere, by name.
var secretsOfTest = map[string]string{
	"client secret":        "client-secret-QxX7vD",
	"refresh token":        "1000.refresh-token-GsJ4pW",
	"Redis password":       "redis-password-Zt8mKe",
	"SASL password":        "sasl-password-Vb3nRf",
	"registry password":    "registry-password-Hy6cLu",
	"token key":            base64.StdEncoding.EncodeToString([]byte("token-key-0123456789-0123456789-")),
	"previous token key":   base64.StdEncoding.EncodeToString([]byte("previous-key-0123456789-01234567")),
	"collector's API key":  "otlp-key-Wd5qTa",
	"secret of a bad file": "secret-of-a-bad-file-Nk2xPo",
}

// customerOfTest is what logs, traces and metrics must not hold.
var customerOfTest = map[string]string{
	"name": "Quirina Zephyrbloom", "email": "quirina.z@customers.example", "phone": "+1 518 555 0173", "street": "77 Lantern Row", "company": "Zephyrbloom Freight",
	"tax number": "TAXNO-551-88-7",
}

// emitted collects everything that leaves the program, by where it was seen.
type emitted struct {
	mu   sync.Mutex
	seen map[string]*bytes.Buffer
}

func (e *emitted) add(where string, text []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.seen[where] == nil {
		e.seen[where] = new(bytes.Buffer)
	}
	e.seen[where].Write(text)
	e.seen[where].WriteByte('\n')
}

// lacks fails for every text that was seen where the filter says, in any of its spellings.
func (e *emitted) lacks(t *testing.T, what string, texts map[string]string, where func(string) bool) {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	for place, b := range e.seen {
		if !where(place) {
			continue
		}
		for name, text := range texts {
			for _, spelling := range []string{text, url.QueryEscape(text), base64.StdEncoding.EncodeToString([]byte(text))} {
				if i := bytes.Index(b.Bytes(), []byte(spelling)); i >= 0 {
					t.Errorf("%s: the %s %s is there: ...%s", place, what, name, b.Bytes()[max(0, i-300):min(b.Len(), i+len(spelling)+50)])
				}
			}
		}
	}
}

// leaky is a Zoho that repeats what it was sent in its refusals, and notes the access tokens.
type leaky struct {
	mu     sync.Mutex
	tokens map[string]string
}

func (l *leaky) server(t *testing.T, behind string) string {
	target, err := url.Parse(behind)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	proxy := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Zoho-oauthtoken ")
		if token != "" {
			l.mu.Lock()
			l.tokens["access token "+token] = token
			l.mu.Unlock()
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if r.Method == http.MethodPost && bytes.Contains(body, []byte("LEAK")) {
			w.Header().Set("Content-Type", "application/json;charset=UTF-8")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprintf(w, `{"code":4711,"message":"refused: Zoho-oauthtoken %s of %s with %s"}`, token, secretsOfTest["refresh token"], secretsOfTest["client secret"])
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { s.Close(); transport.CloseIdleConnections() })
	return s.URL
}

// TestNoSecretIsEmittedAnywhere runs the whole service and the operators' commands, through failures of every credential, at debug level and with
// traces, and looks for the secrets in everything that came out: streams, topics, traces, metrics, health and Redis.
func TestNoSecretIsEmittedAnywhere(t *testing.T) {
	t.Parallel()
	out := &emitted{seen: map[string]*bytes.Buffer{}}
	topics := []string{"commerce.orders", "commerce.payments", "commerce.refunds"}
	kafka := testkit.FakeKafka(t, kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", "booksync", secretsOfTest["SASL password"]), kfake.SeedTopics(1, topics...))
	redis := miniredis.NewMiniRedis()
	redis.RequireUserAuth("booksync", secretsOfTest["Redis password"])
	if err := redis.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(redis.Close)
	registry := srfake.New(srfake.WithAuth("Basic " + base64.StdEncoding.EncodeToString([]byte("booksync:"+secretsOfTest["registry password"]))))
	t.Cleanup(registry.Close)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		out.add("traces", body)
	}))
	t.Cleanup(collector.Close)

	o := simulatorOptions{id: "10234695", country: "us"}
	org := o.organization()
	org.MinuteLimit, org.PlanQuota = -1, -1
	credentials := simulator.DefaultCredentials()
	credentials.ClientSecret, credentials.RefreshToken = secretsOfTest["client secret"], secretsOfTest["refresh token"]
	sim := simulator.New(simulator.Config{Credentials: credentials, Organizations: []simulator.Org{org}, TokenRequests: -1})
	base, stop, err := sim.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	books := &leaky{tokens: map[string]string{}}
	o.listen = strings.TrimPrefix(books.server(t, base), "http://")
	var yaml strings.Builder
	if err := o.writeConfig(&yaml, org); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	file := write("booksync.yaml", yaml.String())
	environ := []string{
		"BOOKSYNC_CONFIG=" + file,
		"BOOKSYNC_KAFKA_BROKERS=" + strings.Join(kafka.Addrs, ","), "BOOKSYNC_KAFKA_SASL_MECHANISM=scram-sha-256",
		"BOOKSYNC_KAFKA_SASL_USERNAME=booksync", "BOOKSYNC_KAFKA_SASL_PASSWORD=" + secretsOfTest["SASL password"],
		"BOOKSYNC_REDIS_ADDRESSES=" + redis.Addr(), "BOOKSYNC_REDIS_USERNAME=booksync", "BOOKSYNC_REDIS_PASSWORD=" + secretsOfTest["Redis password"],
		"BOOKSYNC_REDIS_TOKEN_KEY_FILE=" + write("token.key", secretsOfTest["token key"]+"\n"),
		"BOOKSYNC_REDIS_TOKEN_KEY_PREVIOUS=" + secretsOfTest["previous token key"],
		"BOOKSYNC_SCHEMA_REGISTRY_URLS=" + registry.URL(), "BOOKSYNC_SCHEMA_REGISTRY_USERNAME=booksync",
		"BOOKSYNC_SCHEMA_REGISTRY_PASSWORD=" + secretsOfTest["registry password"],
		"BOOKSYNC_TELEMETRY_OTLP_ENDPOINT=" + collector.URL, "BOOKSYNC_TELEMETRY_OTLP_HEADERS=x-api-key=" + secretsOfTest["collector's API key"],
		"BOOKSYNC_ORGANIZATIONS_DEMO_CLIENT_SECRET=" + secretsOfTest["client secret"],
		"BOOKSYNC_ORGANIZATIONS_DEMO_REFRESH_TOKEN_FILE=" + write("refresh.token", secretsOfTest["refresh token"]),
		"BOOKSYNC_ZOHO_CALLS_PER_MINUTE=100000", "BOOKSYNC_ZOHO_WINDOW=200ms", "BOOKSYNC_ZOHO_PAUSE=100ms", "BOOKSYNC_LOG_LEVEL=debug",
		"BOOKSYNC_TOPICS_PARTITIONS=1",
	}
	command := func(stdin string, args ...string) result {
		r := booksync(t, stdin, environ, args...)
		out.add("command "+strings.Join(args[:min(2, len(args))], " "), []byte(r.stdout+r.stderr))
		return r
	}
	must := func(stdin string, args ...string) result {
		t.Helper()
		r := command(stdin, args...)
		if r.code != 0 {
			t.Fatalf("%v: exit %d\n%s%s", args, r.code, r.stdout, r.stderr)
		}
		return r
	}
	must("", "setup", "--apply")
	must("", "config", "print")
	must("", "config", "check")
	must("", "auth", "test", "demo")

	// Events: posted, rejected by a Zoho that repeats secrets, poison, and one that waits.
	person := strings.NewReplacer(
		"Ann Lee", customerOfTest["name"], "ann@example.com", customerOfTest["email"], "1 Main St", customerOfTest["street"],
		`"billing_address"`, fmt.Sprintf(`"phone":%q,"company":%q,"tax_number":%q,"billing_address"`, customerOfTest["phone"], customerOfTest["company"], customerOfTest["tax number"]))
	order := person.Replace(orderJSON)
	another := func(id, number string) string {
		return strings.NewReplacer(`"order_id":"O1"`, fmt.Sprintf("%q:%q", "order_id", id), `"1001"`, fmt.Sprintf("%q", number), `"e1"`, `"e-`+id+`"`).Replace(order)
	}
	must(order, "produce", "orders", "-")
	must(another("O2", "LEAK"), "produce", "orders", "-")
	must(paymentJSON, "produce", "payments", "-")
	must(strings.Replace(paymentJSON, `"order_id":"O1"`, `"order_id":"O9"`, 1), "produce", "payments", "-")
	auth := scram.Auth{User: "booksync", Pass: secretsOfTest["SASL password"]}.AsSha256Mechanism()
	client := testkit.Client(t, kafka.Addrs, kgo.SASL(auth))
	poison := &kgo.Record{Topic: "commerce.orders", Key: []byte("O3"), Value: []byte("nonsense of " + customerOfTest["name"])}
	if err := client.ProduceSync(t.Context(), poison).FirstErr(); err != nil {
		t.Fatal(err)
	}

	// serve runs the service until cond holds, with some settings changed.
	served := 0
	serve := func(cond func(scrape func(path string) string) bool, change ...string) {
		t.Helper()
		served++
		stderr := &lockedBuffer{}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		args := append([]string{"run", "--set", "http.listen=127.0.0.1:0", "--set", "zoho.mark_sent_every=10ms", "--set", "claims.recheck=100ms", "--set", "zoho.settle_delay=10ms"}, change...)
		go func() {
			done <- runWith(ctx, args, &cli{stdin: strings.NewReader(""), stdout: stderr, stderr: stderr, environ: environ, skipServerCheck: true})
		}()
		address := regexp.MustCompile(`"address":"([^"]+)"`)
		scrape := func(path string) string {
			found := address.FindStringSubmatch(stderr.String())
			if found == nil {
				return ""
			}
			resp, err := http.Get("http://" + found[1] + path)
			if err != nil {
				return ""
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			out.add("http "+path, body)
			return string(body)
		}
		var ended error
		testkit.Until(t, 60*time.Second, fmt.Sprintf("run %d", served), func() bool {
			select {
			case ended = <-done:
				done <- ended
				return true
			default:
				return cond(scrape)
			}
		})
		scrape("/metrics")
		cancel()
		if err := <-done; err != nil {
			out.add("run's error", []byte(err.Error()))
		}
		out.add("run's log", []byte(stderr.String()))
	}
	read := func() {
		reader := testkit.Client(t, kafka.Addrs, kgo.SASL(auth), kgo.ConsumeRegex(), kgo.ConsumeTopics("books.*", "commerce.*"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100*time.Millisecond))
		for empty := 0; empty < 3; {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			fetches := reader.PollFetches(ctx)
			cancel()
			if fetches.NumRecords() == 0 {
				empty++
			}
			fetches.EachRecord(func(r *kgo.Record) {
				text := fmt.Appendf(nil, "%s %s %s", r.Topic, r.Key, r.Value)
				for _, h := range r.Headers {
					text = fmt.Appendf(text, " %s=%s", h.Key, h.Value)
				}
				out.add("topic "+r.Topic, text)
			})
		}
	}
	settled := func(n int) func(func(string) string) bool {
		return func(scrape func(string) string) bool {
			var sum int
			for _, m := range regexp.MustCompile(`(?m)^booksync_events_settled_total\{.*\} (\d+)`).FindAllStringSubmatch(scrape("/metrics"), -1) {
				var k int
				_, _ = fmt.Sscan(m[1], &k)
				sum += k
			}
			return sum >= n
		}
	}
	serve(settled(4)) // all but the payment that waits
	if err := sim.Inject(simulator.Fault{Kind: simulator.FaultRevokeTokens, Count: 1}); err != nil {
		t.Fatal(err)
	}
	must(another("O4", "1004"), "produce", "orders", "-")
	serve(settled(1)) // with another access token
	must("", "status")
	chosen := filepath.Join(dir, "ids")
	must("", "dlq", "ls", "--rows", "--ids-out", chosen)
	listed, err := os.ReadFile(chosen)
	if err != nil {
		t.Fatal(err)
	}
	ids := regexp.MustCompile(`(?m)^[^#\s]+/\d+/\d+`).FindAllString(string(listed), -1)
	if len(ids) < 2 {
		t.Fatalf("%d dead letters, want the poison and the refused order", len(ids))
	}
	command("", "dlq", "show", ids[0])
	must("", "dlq", "discard", ids[0], "--reason", "a test", "--apply")
	command("", "pause", "--all", "--reason", "a test")
	command("", "resume", "--all")
	command("", "trace", "O2")

	unready := func(words ...string) func(func(string) string) bool {
		return func(scrape func(string) string) bool {
			body := scrape("/readyz")
			return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(body, w) })
		}
	}
	// Every credential refused in its turn; the wrong ones are as secret as the right ones.
	if err := sim.Inject(simulator.Fault{Kind: simulator.FaultRevokeTokens, Count: 1}); err != nil {
		t.Fatal(err)
	}
	redis.FlushAll()
	bad := secretsOfTest["secret of a bad file"]
	serve(unready("invalid_client"), "--set", "organizations.demo.client_secret="+bad) // unknown: settings of organisations are no --set
	for _, change := range []string{"BOOKSYNC_ORGANIZATIONS_DEMO_CLIENT_SECRET", "BOOKSYNC_KAFKA_SASL_PASSWORD", "BOOKSYNC_SCHEMA_REGISTRY_PASSWORD", "BOOKSYNC_REDIS_PASSWORD", "BOOKSYNC_REDIS_TOKEN_KEY_PREVIOUS"} {
		before := environ
		environ = append(slices.Clone(environ), change+"="+bad)
		command("", "status", "--set", "kafka.session_timeout=6s")
		command("", "auth", "test", "demo")
		command("", "config", "print")
		serve(unready("invalid_client", "kafka: ", "registry", "sasl"))
		environ = before
	}
	for _, text := range map[string]string{
		"not YAML":             "redis:\n  password: " + bad + "\n  token_key: [" + bad + "\n",
		"a list for a secret":  "redis:\n  password: [" + bad + "]\n",
		"a wrong token key":    "redis:\n  token_key: " + bad + "\n",
		"wrong headers":        "telemetry:\n  otlp_endpoint: http://127.0.0.1:1\n  otlp_headers: " + bad + "\n",
		"credentials in a URL": "schema_registry:\n  urls: [\"http://u:" + bad + "@127.0.0.1:1\"]\n",
	} {
		broken := write("broken.yaml", text)
		for _, args := range [][]string{{"config", "print"}, {"config", "check"}, {"run"}} {
			command("", append(args, "--config", broken)...)
		}
	}
	read()
	out.add("Redis", []byte(redis.Dump()))

	for _, place := range []string{"run's log", "traces", "topic books.outcomes", "topic commerce.orders.dlq", "topic books.audit", "http /metrics", "http /readyz", "Redis"} {
		if out.seen[place] == nil {
			t.Errorf("%s: nothing was seen", place)
		}
	}
	if !strings.Contains(out.seen["topic commerce.orders.dlq"].String(), "Zoho-oauthtoken [secret]") {
		t.Error("the refusal that repeats secrets was not met")
	}
	if len(books.tokens) == 0 {
		t.Error("no access token was seen")
	}
	everything := maps.Clone(secretsOfTest)
	maps.Copy(everything, books.tokens)
	out.lacks(t, "secret", everything, func(string) bool { return true })
	out.lacks(t, "customer's", customerOfTest, func(place string) bool {
		return place == "run's log" || place == "run's error" || place == "traces" || strings.HasPrefix(place, "http ")
	})
}

// lockedBuffer is a buffer that is written to and read at once.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
