package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"
)

func limited(day, minute, concurrency int) func(*Config) {
	return func(c *Config) {
		o := &c.Organizations[0]
		o.PlanQuota, o.MinuteLimit, o.Concurrency = day, minute, concurrency
	}
}

// A limit of n calls holds in any 60 s, not in calendar minutes.
func TestMinuteLimitHoldsInAnyWindow(t *testing.T) {
	t.Parallel()
	b := setup(t, limited(-1, 5, -1), func(c *Config) { c.Switches.MinuteBlock = -1 })
	b.clock.Advance(time.Minute) // setup's own call is out of the window
	get := func() int { return b.call("GET", "/invoices", "").status }
	want := func(status int) {
		t.Helper()
		if got := get(); got != status {
			t.Fatalf("status %d, want %d", got, status)
		}
	}
	for range 3 {
		want(200)
	}
	b.clock.Advance(40 * time.Second)
	want(200)
	want(200)
	want(429)
	b.clock.Advance(20*time.Second - time.Nanosecond)
	want(429)
	b.clock.Advance(time.Nanosecond) // the first three leave
	for range 3 {
		want(200)
	}
	want(429)
	calls := b.sim.Calls(testOrg)
	if calls.Refused != 3 || calls.ByCode[codeMinute] != 3 || calls.LargestMinute != 8 {
		t.Errorf("calls: %+v", calls)
	}
}

func TestMinuteBlock(t *testing.T) {
	t.Parallel()
	b := setup(t, limited(-1, 2, -1), func(c *Config) { c.Switches.RetryAfterOn429 = 60 })
	b.must(200, "GET", "/invoices", "")
	b.refused(429, codeMinute, "GET", "/invoices", "")
	b.clock.Advance(59 * time.Second)
	a := b.must(429, "GET", "/invoices", "")
	a.want("message", messageMinute)
	if a.header.Get("Retry-After") != "60" {
		t.Error("no Retry-After")
	}
	b.clock.Advance(time.Second)
	b.must(200, "GET", "/invoices", "")

	b = setup(t, limited(-1, 2, -1), func(c *Config) { c.Switches.BlockExtends, c.Switches.NoRateHeadersOn429 = true, true })
	b.must(200, "GET", "/invoices", "")
	b.refused(429, codeMinute, "GET", "/invoices", "")
	b.clock.Advance(59 * time.Second)
	if b.must(429, "GET", "/invoices", "").header.Get("X-Rate-Limit-Limit") != "" {
		t.Error("rate headers on a 429")
	}
	b.clock.Advance(2 * time.Second)
	b.refused(429, codeMinute, "GET", "/invoices", "")
}

func TestDayQuotaEndsAtMidnightOfTheOrganisation(t *testing.T) {
	t.Parallel()
	b := setup(t, limited(4, -1, -1)) // 13:00 in New York; setup used one
	a := b.must(200, "GET", "/invoices", "")
	for header, want := range map[string]string{"X-Rate-Limit-Limit": "4", "X-Rate-Limit-Remaining": "2", "X-Rate-Limit-Reset": strconv.Itoa(11 * 3600)} {
		if got := a.header.Get(header); got != want {
			t.Errorf("%s: %s, want %s", header, got, want)
		}
	}
	b.must(200, "GET", "/invoices", "")
	b.must(200, "GET", "/invoices", "")
	b.must(429, "GET", "/invoices", "").want("message", "The API call for this organization has exceeded the maximum call rate limit of 4.")
	b.clock.Advance(11*time.Hour - time.Second)
	b.refused(429, codeDay, "GET", "/invoices", "")
	b.clock.Advance(time.Second)
	b.login()
	if got := b.must(200, "GET", "/invoices", "").header.Get("X-Rate-Limit-Reset"); got != "86400" {
		t.Errorf("reset %s", got)
	}
	b.sim.SetLimits(testOrg, 1, 0, 0)
	b.refused(429, codeDay, "GET", "/invoices", "")
}

func TestConcurrency(t *testing.T) {
	t.Parallel()
	b := setup(t, limited(-1, -1, 2))
	b.inject(Fault{Kind: FaultLatency, Delay: time.Second})
	results := make(chan int, 3)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			a, err := b.try("GET", "/invoices", "")
			if err != nil {
				t.Error(err)
				return
			}
			results <- a.status
		})
	}
	if got := <-results; got != 429 { // two are held by the latency, the third comes back at once
		t.Fatalf("status %d, want 429", got)
	}
	await(t, "two calls in flight", func() bool { return b.clock.waiting() == 2 })
	b.clock.Advance(time.Second)
	wg.Wait()
	for range 2 {
		if got := <-results; got != 200 {
			t.Errorf("status %d, want 200", got)
		}
	}
	calls := b.sim.Calls(testOrg)
	if calls.LargestInFlight != 3 || calls.ByCode[codeConcurrent] != 1 || calls.ByResource["GET /invoices"] != 3 {
		t.Errorf("calls: %+v", calls)
	}
}

// await polls a condition that other goroutines bring about.
func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		case <-tick.C:
		}
	}
}

func (b *bundle) tokenRequest(form url.Values) (int, map[string]any) {
	b.t.Helper()
	resp, err := b.client.PostForm(b.srv.URL+"/oauth/v2/token", form)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	out := map[string]any{}
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, out
}

func TestOAuth(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := DefaultCredentials()
	form := func(change ...string) url.Values {
		f := url.Values{"grant_type": {"refresh_token"}, "client_id": {c.ClientID}, "client_secret": {c.ClientSecret}, "refresh_token": {c.RefreshToken}}
		for i := 0; i < len(change); i += 2 {
			f.Set(change[i], change[i+1])
		}
		return f
	}
	for _, test := range []struct {
		name   string
		form   url.Values
		status int
		err    string
	}{
		{"a wrong refresh token is 200", form("refresh_token", "x"), 200, "invalid_code"},
		{"a wrong client", form("client_id", "x"), 200, "invalid_client"},
		{"a wrong secret", form("client_secret", "x"), 200, "invalid_client_secret"},
		{"a wrong grant type", form("grant_type", "x"), 200, "invalid_client"},
		{"no grant type", form("grant_type", ""), 400, "invalid_request"},
		{"client credentials without soid", form("grant_type", "client_credentials"), 200, "missing_org_info"},
		{"client credentials", form("grant_type", "client_credentials", "soid", "ZohoBooks."+testOrg), 200, ""},
		{"refresh", form(), 200, ""},
		{"a wrong code", form("grant_type", "authorization_code", "code", "x"), 200, "invalid_code"},
		{"a code", form("grant_type", "authorization_code", "code", c.Code), 200, ""},
		{"a code, again", form("grant_type", "authorization_code", "code", c.Code), 200, "invalid_code"},
	} {
		status, body := b.tokenRequest(test.form)
		if status != test.status || test.err != "" && body["error"] != test.err || test.err == "" && body["access_token"] == nil {
			t.Errorf("%s: %d %v", test.name, status, body)
		}
	}
	_, body := b.tokenRequest(form())
	if body["expires_in"] != 3600.0 || body["token_type"] != "Bearer" || body["api_domain"] != b.srv.URL || body["refresh_token"] != nil {
		t.Errorf("token: %v", body)
	}
	b.must(200, "GET", "/invoices", "", "Authorization", "Bearer "+body["access_token"].(string))
	b.refused(401, codeUnauthenticated, "GET", "/invoices", "", "Authorization", "")
	b.refused(401, codeUnauthorized, "GET", "/invoices", "", "Authorization", "Zoho-oauthtoken x")
	old := b.token
	for range 10 {
		b.login()
	}
	b.refused(401, codeUnauthorized, "GET", "/invoices", "", "Authorization", "Zoho-oauthtoken "+old) // the eleventh killed the first
	b.clock.Advance(time.Hour)
	b.refused(401, codeUnauthorized, "GET", "/invoices", "")
	b.login()
	resp, err := b.client.PostForm(b.srv.URL+"/oauth/v2/token/revoke", url.Values{"token": {c.RefreshToken}})
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("revoking: %v %v", resp, err)
	}
	_ = resp.Body.Close()
	b.refused(401, codeUnauthorized, "GET", "/invoices", "")
	if _, body := b.tokenRequest(form()); body["error"] != "invalid_code" {
		t.Errorf("a revoked token: %v", body)
	}
}

func TestTokenRequestsAreThrottled(t *testing.T) {
	t.Parallel()
	for _, ends := range []bool{false, true} {
		b := setup(t, func(c *Config) { c.TokenRequests, c.Switches.TokenRefusalEnds = 10, ends })
		c := DefaultCredentials()
		form := url.Values{"grant_type": {"refresh_token"}, "client_id": {c.ClientID}, "client_secret": {c.ClientSecret}, "refresh_token": {c.RefreshToken}}
		for range 9 {
			b.login()
		}
		status, body := b.tokenRequest(form)
		if status != 400 || body["error"] != "Access Denied" {
			t.Fatalf("the eleventh: %d %v", status, body)
		}
		b.clock.Advance(9 * time.Minute)
		b.tokenRequest(form)
		b.clock.Advance(time.Minute)
		if status, body = b.tokenRequest(form); (status == 200) != ends {
			t.Errorf("after ten minutes, one more request in between, ends=%v: %d %v", ends, status, body)
		}
		b.clock.Advance(10 * time.Minute)
		b.login()
	}
}

func TestScopesAndOrganisations(t *testing.T) {
	t.Parallel()
	other := DefaultCredentials()
	other.RefreshToken, other.ClientID = "1000.other", "1000.OTHER"
	b := setup(t, func(c *Config) {
		c.Credentials = DefaultCredentials()
		c.Credentials.Scopes = []string{"ZohoBooks.contacts.ALL", "ZohoBooks.invoices.READ", "ZohoBooks.settings.READ"}
		second := unlimited(DefaultOrg("20000001"))
		second.Credentials = &other
		c.Organizations = append(c.Organizations, second)
	})
	b.must(200, "GET", "/invoices", "")
	b.refused(401, codeUnauthorized, "POST", "/invoices", `{}`)
	b.refused(401, codeUnauthorized, "GET", "/customerpayments", "")
	if got := b.must(200, "GET", "/organizations", "").len("organizations"); got != 1 {
		t.Errorf("%d organisations", got)
	}
	req, err := http.NewRequest("GET", b.srv.URL+apiRoot+"/invoices?organization_id=20000001", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Zoho-oauthtoken "+b.token)
	resp, err := b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 401 {
		t.Errorf("another's organisation: %d", resp.StatusCode)
	}
	if fmt.Sprint(b.sim.Calls("20000001").ByStatus) != "map[401:1]" {
		t.Errorf("calls: %+v", b.sim.Calls("20000001"))
	}
}
