package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func setup(t *testing.T) *Telemetry {
	t.Helper()
	tel, err := Setup(t.Context(), Config{Version: "v1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tel.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return tel
}

func scrape(t *testing.T, tel *Telemetry) string {
	t.Helper()
	rec := httptest.NewRecorder()
	tel.Handler().ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if rec.Code != http.StatusOK {
		t.Fatalf("status %d: %s", rec.Code, rec.Body)
	}
	return rec.Body.String()
}

func TestEveryMetricIsServedUnderItsName(t *testing.T) {
	t.Parallel()
	tel, ctx := setup(t), t.Context()
	m := tel.Metrics
	m.Settled(ctx, Settled{Workflow: "order", Organization: "acme", Status: "REJECTED", Class: "rejected.totals", Touched: true}, 3*time.Second)
	m.Settled(ctx, Settled{Workflow: "order", Organization: "acme", Status: "POSTED"}, -1)
	m.PaymentCompared(ctx, "acme", PaymentMatch)
	m.Call(ctx, Call{Organization: "acme", Resource: "invoices", Method: "POST", Status: 429, Code: 44}, time.Second, time.Millisecond)
	m.InDoubt(ctx, "order", "acme", "found")
	m.Webhook(ctx, "shopify", "accepted", time.Second)
	m.Reconciled(ctx, "acme", time.Minute, map[string]int{"missing": 2})
	m.Processed(ctx, "commerce.orders", "booksync", "", time.Second)
	m.Consumed(ctx, "commerce.orders", "booksync")
	m.Sent(ctx, "books.outcomes", 3)
	stop, err := m.Watch(func(context.Context) State {
		return State{
			Partitions:  []PartitionState{{Topic: "commerce.orders", Partition: 3, Lag: 42, OldestUnsettled: 90 * time.Second}, {Topic: "x", Lag: -1}},
			Parked:      map[string]int{"order": 5},
			Unpublished: 7,
			Organizations: []OrganizationState{{Name: "acme", MinuteRemaining: 80, DayRemaining: -1, Circuit: CircuitOpen, Paused: true, PauseReason: "day quota",
				TokenExpiresIn: time.Hour, ReconciledAgo: -1}},
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	text := scrape(t, tel)
	for _, want := range []string{
		`booksync_events_settled_total{class="rejected.totals",organization="acme",`, `touched="true",workflow="order"} 1`,
		`booksync_settle_duration_seconds_count{organization="acme",`,
		`booksync_payments_compared_total{organization="acme",`, `result="match"} 1`,
		`booksync_books_calls_total{code="44",method="POST",organization="acme",`, `resource="invoices",status="429"} 1`,
		"booksync_books_call_duration_seconds_sum", "booksync_budget_wait_seconds_sum",
		"booksync_claims_in_doubt_total", "booksync_webhooks_received_total", "booksync_webhooks_lag_seconds_sum",
		"booksync_reconciliation_duration_seconds_sum", `booksync_reconciliation_exceptions_total{kind="missing",`,
		`messaging_client_consumed_messages_total{messaging_consumer_group_name="booksync",messaging_destination_name="commerce.orders",messaging_operation_name="poll",messaging_system="kafka",`,
		`messaging_client_sent_messages_total{messaging_destination_name="books.outcomes",`, "messaging_process_duration_seconds_count",
		`booksync_consumer_lag{`, `partition="3",topic="commerce.orders"} 42`, `booksync_events_oldest_unsettled_seconds{`, `topic="commerce.orders"} 90`,
		`booksync_records_parked{`, `reason="order"} 5`, "booksync_results_unpublished{", `window="minute"} 80`, "booksync_circuit_state", "booksync_organization_paused",
		"booksync_token_expires_in_seconds", `service_version="v1.2.3"`, "go_goroutines",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("missing: %s", want)
		}
	}
	for _, unwanted := range []string{`window="day"`, "booksync_reconciliation_age_seconds{", `topic="x"} -1`} {
		if strings.Contains(text, unwanted) {
			t.Errorf("an unknown value is shown: %s", unwanted)
		}
	}
	stop()
	if strings.Contains(scrape(t, tel), "booksync_consumer_lag{") {
		t.Error("the gauges are shown after stop")
	}
	if t.Failed() {
		t.Log(text)
	}
}

func TestNilMetricsAndTracerDoNothing(t *testing.T) {
	t.Parallel()
	var m *Metrics
	m.Settled(t.Context(), Settled{}, time.Second)
	m.Call(t.Context(), Call{}, 0, 0)
	var tr *Tracer
	ctx, span := tr.Process(t.Context(), Record{})
	span.Text("a", "b")
	span.Status(500, 0)
	span.End(errors.New("x"))
	if TraceID(ctx) != "" || TraceParent(ctx) != "" {
		t.Error("a trace from nowhere")
	}
}

func TestAttemptIsAChildOfTheRecordsTrace(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	tr := &Tracer{tracer: provider.Tracer(scope)}
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	ctx, span := tr.Process(t.Context(), Record{Topic: "commerce.orders", Partition: 2, Offset: 7, Key: "O1", Group: "g", Attempt: 1, TraceParent: parent})
	if got := TraceID(ctx); got != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("trace id %q", got)
	}
	if p := TraceParent(ctx); !strings.HasPrefix(p, "00-0af7651916cd43dd8448eb211c80319c-") || p == parent {
		t.Errorf("traceparent %q", p)
	}
	var out bytes.Buffer
	log, err := NewLogger(&out, "debug", "json")
	if err != nil {
		t.Fatal(err)
	}
	log.With("a", 1).WithGroup("g").DebugContext(ctx, "line", "b", 2)
	if !strings.Contains(out.String(), `"trace_id":"0af7651916cd43dd8448eb211c80319c"`) {
		t.Errorf("no trace id in %s", out.String())
	}
	_, call := tr.Call(ctx, "POST", "invoices", "acme")
	call.Status(400, 1001)
	call.End(errors.New("exists"))
	span.End(nil)
	ended := spans.Ended()
	if len(ended) != 2 || ended[1].Name() != "process commerce.orders" || ended[0].Name() != "POST invoices" || ended[0].Parent().SpanID() != ended[1].SpanContext().SpanID() {
		t.Errorf("spans: %v", ended)
	}
}

func TestTracesAreExported(t *testing.T) {
	t.Parallel()
	got := make(chan *http.Request, 1)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body)
		got <- req
	}))
	defer collector.Close()
	tel, err := Setup(t.Context(), Config{OTLPEndpoint: collector.URL + "/", OTLPHeaders: map[string]string{"X-Key": "k"}, SampleRatio: 1, InstanceID: "host"})
	if err != nil {
		t.Fatal(err)
	}
	_, span := tel.Tracer.Step(t.Context(), "claim")
	span.End(nil)
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	req := <-got
	if req.URL.Path != "/v1/traces" || req.Header.Get("X-Key") != "k" {
		t.Errorf("%s %v", req.URL.Path, req.Header)
	}
}

func TestHealthNamesWhatFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		never := make(chan struct{})
		defer close(never)
		h := Handler(ServerConfig{
			Health: []Check{{"engine", func(context.Context) error { return nil }}},
			Ready: []Check{
				{"kafka", func(context.Context) error { return nil }},
				{"redis", func(context.Context) error { return errors.New("connection refused") }},
				{"zoho", func(context.Context) error { <-never; return nil }},
			},
		})
		get := func(path string) (int, Report) {
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
			var r Report
			if err := json.Unmarshal(rec.Body.Bytes(), &r); err != nil {
				t.Fatalf("%s: %v", rec.Body, err)
			}
			return rec.Code, r
		}
		if code, r := get("/healthz"); code != 200 || r.Status != "ok" {
			t.Errorf("healthz: %d %+v", code, r)
		}
		start := time.Now()
		code, r := get("/readyz")
		if code != 503 || strings.Join(r.Reasons, "; ") != "redis: connection refused; zoho: no answer in time" || !r.Checks[0].OK {
			t.Errorf("readyz: %d %+v", code, r)
		}
		if d := time.Since(start); d != CheckTimeout {
			t.Errorf("the answer took %s", d)
		}
	})
}

func TestServerServesUntilItIsClosed(t *testing.T) {
	t.Parallel()
	tel := setup(t)
	s, err := Serve(t.Context(), ServerConfig{Listen: "127.0.0.1:0", Metrics: tel.Handler()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Serve(t.Context(), ServerConfig{Listen: s.Addr()}); err == nil {
		t.Error("an address was taken twice")
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Addr()+path, nil)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWrongLogSettingsAndHeaders(t *testing.T) {
	t.Parallel()
	if _, err := NewLogger(io.Discard, "loud", "json"); err == nil {
		t.Error("level")
	}
	if _, err := NewLogger(io.Discard, "info", "xml"); err == nil {
		t.Error("format")
	}
	if _, err := ParseHeaders("deadbeef"); err == nil || strings.Contains(err.Error(), "deadbeef") {
		t.Errorf("headers: %v", err)
	}
	if h, err := ParseHeaders("a=b, c=d=e"); err != nil || h["c"] != "d=e" {
		t.Errorf("headers: %v %v", h, err)
	}
}

func BenchmarkSettled(b *testing.B) {
	tel, err := Setup(b.Context(), Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = tel.Shutdown(context.Background()) }()
	s := Settled{Workflow: "order", Organization: "acme", Status: "POSTED"}
	b.ReportAllocs()
	for b.Loop() {
		tel.Metrics.Settled(b.Context(), s, time.Second)
	}
}
