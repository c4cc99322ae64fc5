package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

func (b *bundle) inject(f Fault) {
	b.t.Helper()
	if err := b.sim.Inject(f); err != nil {
		b.t.Fatal(err)
	}
}

// lost expects a connection that is closed without an answer.
func (b *bundle) lost(method, path, body string) {
	b.t.Helper()
	if a, err := b.try(method, path, body); err == nil {
		b.t.Fatalf("%s %s was answered: %d %s", method, path, a.status, a.raw)
	}
}

func (b *bundle) invoices() int {
	b.t.Helper()
	return b.must(200, "GET", "/invoices", "").len("invoices")
}

func TestFaultsOfSingleCalls(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		fault Fault
		check func(b *bundle, body string)
	}{
		{"the answer is lost after commit", Fault{Kind: FaultLostAnswer}, func(b *bundle, body string) {
			b.lost("POST", "/invoices", body)
			if b.invoices() != 1 {
				b.t.Error("not applied")
			}
			if calls := b.sim.Calls(testOrg); calls.ByStatus[0] != 1 {
				b.t.Errorf("calls: %+v", calls)
			}
		}},
		{"500 after commit", Fault{Kind: FaultErrorAfter}, func(b *bundle, body string) {
			b.refused(500, codeInternal, "POST", "/invoices", body)
			if b.invoices() != 1 {
				b.t.Error("not applied")
			}
		}},
		{"500 before", Fault{Kind: FaultErrorBefore}, func(b *bundle, body string) {
			b.refused(500, codeInternal, "POST", "/invoices", body)
			if b.invoices() != 0 {
				b.t.Error("applied")
			}
		}},
		{"a proxy's page", Fault{Kind: FaultErrorBefore, Status: 502, HTML: true}, func(b *bundle, body string) {
			a := b.must(502, "POST", "/invoices", body)
			if !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") || !strings.Contains(a.raw, "502 Bad Gateway") {
				b.t.Errorf("answer %s", a.raw)
			}
		}},
		{"429 with Retry-After", Fault{Kind: FaultThrottle, RetryAfter: 7}, func(b *bundle, body string) {
			a := b.must(429, "POST", "/invoices", body)
			a.want("code", "44")
			if a.header.Get("Retry-After") != "7" {
				b.t.Error("no Retry-After")
			}
		}},
		{"1070", Fault{Kind: FaultThrottle, Code: codeConcurrent}, func(b *bundle, body string) {
			b.must(429, "POST", "/invoices", body).want("message", messageConcurrent)
		}},
		{"200 with a code", Fault{Kind: FaultOKWithCode, Code: 9}, func(b *bundle, body string) {
			b.refused(200, 9, "POST", "/invoices", body)
			if b.invoices() != 0 {
				b.t.Error("applied")
			}
		}},
		{"the total is a cent off", Fault{Kind: FaultCents}, func(b *bundle, body string) {
			id := b.must(201, "POST", "/invoices", body).str("invoice.invoice_id")
			b.must(200, "POST", "/invoices/"+id+"/status/sent", "")
			b.invoice(id).want("invoice.total", "10.01")
			b.balances(map[string]string{AccountReceivable: "10.01", AccountSales: "-10", AccountRounding: "-0.01"})
		}},
		{"a twin passes the unique field", Fault{Kind: FaultTwin, Nth: 2}, func(b *bundle, body string) {
			b.must(201, "POST", "/invoices", body)
			b.must(201, "POST", "/invoices", body)
			b.refused(400, codeDuplicateField, "POST", "/invoices", body)
			l := b.sim.Ledger(testOrg)
			if len(l.Find("invoice", "order:O1")) != 2 {
				b.t.Error("no twin")
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			test.fault.Method, test.fault.Path, test.fault.Count = "POST", "/invoices", 1
			b.inject(test.fault)
			test.check(b, b.keyed("order:O1"))
			if b.sim.FaultHits()[test.fault.Kind] != 1 {
				t.Errorf("hits: %v", b.sim.FaultHits())
			}
			b.must(201, "POST", "/invoices", b.keyed("order:O-after"))
		})
	}
}

func TestLatencyAndHanging(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.inject(Fault{Kind: FaultLatency, Delay: 200 * time.Millisecond, Count: 1})
	done := make(chan error, 1)
	go func() {
		_, err := b.try("POST", "/invoices", b.keyed("order:1"))
		done <- err
	}()
	await(t, "the call to wait", func() bool { return b.clock.waiting() == 1 })
	b.clock.Advance(200 * time.Millisecond)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for i, applied := range []bool{false, true} {
		b.inject(Fault{Kind: FaultHang, Applied: applied, Count: 1, Method: "POST"})
		client := *b.client
		client.Timeout = 50 * time.Millisecond
		impatient := *b
		impatient.client = &client
		impatient.lost("POST", "/invoices", b.keyed(fmt.Sprint("order:hang", i)))
		if got := b.invoices(); got != 1+i {
			t.Errorf("applied=%v: %d invoices", applied, got)
		}
	}
}

func TestAFirstWriteLandsLater(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.inject(Fault{Kind: FaultLateLanding, Delay: 2 * time.Minute, BusinessID: "order:O1", Count: 1})
	b.lost("POST", "/invoices", b.keyed("order:O1"))
	if b.invoices() != 0 {
		t.Fatal("landed at once")
	}
	b.clock.Advance(2*time.Minute - time.Second)
	if b.invoices() != 0 {
		t.Fatal("landed early")
	}
	b.clock.Advance(time.Second)
	if b.invoices() != 1 {
		t.Fatal("did not land")
	}
	// The unique field refuses the first write should it land after the second.
	b.inject(Fault{Kind: FaultLateLanding, BusinessID: "order:O2", Count: 1})
	b.lost("POST", "/invoices", b.keyed("order:O2"))
	b.must(201, "POST", "/invoices", b.keyed("order:O2"))
	b.clock.Advance(defaultWriteHorizon)
	l := b.sim.Ledger(testOrg)
	if got := len(l.Find("invoice", "order:O2")); got != 1 {
		t.Errorf("%d invoices for one key", got)
	}
}

func TestSearchLag(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.inject(Fault{Kind: FaultSearchLag, Delay: 5 * time.Second, For: time.Minute})
	id := b.must(201, "POST", "/invoices", b.keyed("order:O1")).str("invoice.invoice_id")
	b.invoice(id).want("invoice.status", "draft")
	find := func() int { return b.must(200, "GET", "/invoices?custom_field=order:O1", "").len("invoices") }
	if find() != 0 {
		t.Error("found at once")
	}
	b.clock.Advance(5 * time.Second)
	if find() != 1 {
		t.Error("not found after the lag")
	}
	b.must(201, "POST", "/invoices", b.keyed("order:O2"))
	b.clock.Advance(55 * time.Second)
	b.must(201, "POST", "/invoices", b.keyed("order:O3"))
	if b.invoices() != 3 {
		t.Error("the lag outlives its time")
	}
}

func TestStatesAndDeeds(t *testing.T) {
	t.Parallel()
	t.Run("a scope is revoked for a while", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.inject(Fault{Kind: FaultRevokeScope, Scope: "invoices.CREATE", For: time.Minute})
		b.refused(401, codeUnauthorized, "POST", "/invoices", b.keyed("order:1"))
		b.must(200, "GET", "/invoices", "")
		b.clock.Advance(time.Minute)
		b.must(201, "POST", "/invoices", b.keyed("order:1"))
	})
	t.Run("tokens die", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.inject(Fault{Kind: FaultRevokeTokens})
		b.refused(401, codeUnauthorized, "GET", "/invoices", "")
		b.login()
		b.must(200, "GET", "/invoices", "")
	})
	t.Run("the token endpoint fails", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.inject(Fault{Kind: FaultTokenError, Status: 503, Count: 1})
		if status, _ := b.tokenRequest(map[string][]string{"grant_type": {"refresh_token"}}); status != 503 {
			t.Errorf("status %d", status)
		}
		b.login()
	})
	t.Run("everything is down", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.inject(Fault{Kind: FaultDown, For: time.Minute})
		b.lost("GET", "/invoices", "")
		b.clock.Advance(time.Minute)
		b.must(200, "GET", "/invoices", "")
	})
	t.Run("the quota changes", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		day := 5
		b.inject(Fault{Kind: FaultQuota, DayLimit: &day})
		if got := b.must(200, "GET", "/invoices", "").header.Get("X-Rate-Limit-Limit"); got != "5" {
			t.Errorf("limit %s", got)
		}
	})
	t.Run("a person edits, voids and deletes", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		for i := 1; i <= 3; i++ {
			id := b.must(201, "POST", "/invoices?send=true", b.keyed(fmt.Sprint("order:", i))).str("invoice.invoice_id")
			b.pay(id, "4", "4")
		}
		b.inject(Fault{Kind: FaultEdit, BusinessID: "order:1", Amount: mustDecimal("2.5")})
		b.inject(Fault{Kind: FaultVoid, BusinessID: "order:2"})
		b.inject(Fault{Kind: FaultDelete, BusinessID: "order:3", Method: "GET", Path: "/invoices", Count: 1})
		if b.invoices() != 2 {
			t.Error("not deleted")
		}
		l := b.sim.Ledger(testOrg)
		if got := l.Find("invoice", "order:1")[0]; got.Total.String() != "12.5" || got.Balance.String() != "8.5" {
			t.Errorf("edited: %+v", got)
		}
		if got := l.Find("invoice", "order:2")[0]; got.Status != "void" {
			t.Errorf("voided: %+v", got)
		}
		b.balances(map[string]string{AccountReceivable: "8.5", AccountUnearned: "-8", AccountStripe: "12"})
		if err := b.sim.Inject(Fault{Kind: FaultVoid, BusinessID: "order:9"}); err == nil {
			t.Error("a deed on nothing is accepted")
		}
	})
}

func TestMatchersAndCounts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.inject(Fault{Kind: FaultErrorBefore, Path: "/invoices/*/status/sent", Nth: 2, Count: 2})
	id := b.draftOf("10")
	var got []int
	for range 5 {
		got = append(got, b.call("POST", "/invoices/"+id+"/status/sent", "").status)
	}
	if fmt.Sprint(got) != "[200 500 500 200 200]" {
		t.Errorf("statuses %v", got)
	}
	b.sim.ClearFaults()
	b.inject(Fault{Kind: FaultErrorBefore, BusinessID: "order:*7"})
	b.must(201, "POST", "/invoices", b.keyed("order:1"))
	b.must(500, "POST", "/invoices", b.keyed("order:17"))
	b.sim.ClearFaults()
	b.must(201, "POST", "/invoices", b.keyed("order:17"))
	if err := b.sim.Inject(Fault{Kind: "nonsense"}); err == nil {
		t.Error("an unknown kind is accepted")
	}
}

// Which calls a fault with a probability befalls depends on the seed and what they are about, not on their order.
func TestProbabilityDoesNotDependOnTheOrderOfCalls(t *testing.T) {
	t.Parallel()
	run := func(seed int64, order []int) map[int]int {
		b := setup(t, func(c *Config) { c.Seed = seed })
		b.inject(Fault{Kind: FaultErrorBefore, Method: "POST", Path: "/invoices", Probability: 0.5})
		out := map[int]int{}
		for _, i := range order {
			out[i] = b.call("POST", "/invoices", b.keyed(fmt.Sprint("order:", i))).status
		}
		return out
	}
	var up, down []int
	for i := range 30 {
		up, down = append(up, i), append(down, 29-i)
	}
	one := fmt.Sprint(run(7, up))
	if other := fmt.Sprint(run(7, down)); one != other {
		t.Errorf("another order, other faults:\n%s\n%s", one, other)
	}
	if other := fmt.Sprint(run(8, up)); one == other {
		t.Error("another seed, the same faults")
	}
	if !strings.Contains(one, "500") || !strings.Contains(one, "201") {
		t.Errorf("statuses %s", one)
	}
}

func TestControl(t *testing.T) {
	t.Parallel()
	b := setup(t)
	do := func(method, path, body string, status int) map[string]any {
		t.Helper()
		req, err := http.NewRequest(method, b.srv.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := b.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != status {
			t.Fatalf("%s %s: status %d", method, path, resp.StatusCode)
		}
		out := map[string]any{}
		_ = json.NewDecoder(resp.Body).Decode(&out)
		return out
	}
	b.invoiceOf("10")
	do("POST", "/_simulator/faults", `[{"kind":"error-before","method":"POST","path":"/invoices","count":1,"for":"10m"},{"kind":"latency","delay":"1ms","nth":1000}]`, 204)
	do("POST", "/_simulator/faults", `{"kind":"nonsense"}`, 422)
	do("POST", "/_simulator/faults", `{"kind":"latency","delay":"soon"}`, 400)
	b.must(500, "POST", "/invoices", b.keyed("order:1"))
	if hits := do("GET", "/_simulator/faults", "", 200); hits["error-before"] != 1.0 {
		t.Errorf("hits %v", hits)
	}
	do("DELETE", "/_simulator/faults", "", 204)
	l := do("GET", "/_simulator/ledger?organization_id="+testOrg, "", 200)
	if len(l["invoices"].([]any)) != 1 || l["zero"] != true || len(l["journal"].([]any)) != 1 {
		t.Errorf("ledger %v", l)
	}
	if l = do("GET", "/_simulator/ledger?summary=true", "", 200); l["invoices"] != nil || len(l["trial_balance"].([]any)) != 2 {
		t.Errorf("summary %v", l)
	}
	calls := do("GET", "/_simulator/calls", "", 200)
	if calls["total"] != 3.0 || calls["by_resource"].(map[string]any)["POST /invoices/{id}/status/sent"] != 1.0 {
		t.Errorf("calls %v", calls)
	}
	ids := do("GET", "/_simulator/ids", "", 200)
	if ids["account"].(map[string]any)["Sales"] != ID(testOrg, KindAccount, "Sales") {
		t.Errorf("ids %v", ids)
	}
	do("GET", "/_simulator/ledger?organization_id=1", "", 404)
	do("POST", "/_simulator/reset?documents=true", "", 204)
	if b.invoices() != 0 || b.must(200, "GET", "/settings/fields", "").len("fields") != 8 {
		t.Error("not reset")
	}
	b.balances(map[string]string{AccountReceivable: "0"})
	raw, err := json.Marshal(Fault{Kind: FaultLatency, Delay: time.Second, For: time.Minute})
	if err != nil || !strings.Contains(string(raw), `"delay":"1s"`) || !strings.Contains(string(raw), `"for":"1m0s"`) {
		t.Errorf("%s %v", raw, err)
	}
}
