package zohobooks_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/internal/secret"
)

// accounts is a server whose tokens are T1, T2, ... and whose API takes only the newest.
type accounts struct {
	*http.ServeMux
	issued atomic.Int64 // token requests answered with a token
	asked  atomic.Int64 // token requests
	calls  atomic.Int64
	answer func(w http.ResponseWriter, r *http.Request) bool // true: it has answered the token request
	dead   atomic.Int64                                      // tokens up to this number are refused
}

func newAccounts(*testing.T) *accounts {
	a := &accounts{ServeMux: http.NewServeMux()}
	a.HandleFunc("POST /oauth/v2/token", func(w http.ResponseWriter, r *http.Request) {
		a.asked.Add(1)
		if a.answer != nil && a.answer(w, r) {
			return
		}
		if r.PostFormValue("refresh_token") != refreshToken || r.PostFormValue("client_secret") != clientSecret || r.PostFormValue("grant_type") != "refresh_token" {
			answer(w, 200, `{"error":"invalid_code"}`)
			return
		}
		answer(w, 200, fmt.Sprintf(`{"access_token":"T%d","api_domain":"https://www.zohoapis.com","token_type":"Bearer","expires_in":3600,"scope":"ZohoBooks.invoices.READ ZohoBooks.contacts.READ"}`, a.issued.Add(1)))
	})
	a.HandleFunc("GET /books/v3/organizations", func(w http.ResponseWriter, r *http.Request) {
		a.calls.Add(1)
		var n int64
		if _, err := fmt.Sscanf(r.Header.Get("Authorization"), "Zoho-oauthtoken T%d", &n); err != nil || n <= a.dead.Load() {
			answer(w, 401, `{"code":57,"message":"You are not authorized to perform this operation"}`)
			return
		}
		answer(w, 200, `{"code":0,"message":"success","organizations":[]}`)
	})
	return a
}

func TestTokenIsFetchedOnceAndKept(t *testing.T) {
	t.Parallel()
	a := newAccounts(t)
	c := clientOf(t, a.ServeMux, nil)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := c.Organizations(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if a.asked.Load() != 1 || a.calls.Load() != 50 {
		t.Errorf("%d token requests for %d calls", a.asked.Load(), a.calls.Load())
	}
	info, err := c.Token(t.Context())
	if err != nil || len(info.Scopes) != 2 || info.APIDomain != "https://www.zohoapis.com" || info.Expires.Sub(info.Obtained) != time.Hour || c.TokenExpires() != info.Expires {
		t.Errorf("token info %+v, %v", info, err)
	}
}

func TestRefusedTokenIsReplacedOnceUnderManyCallers(t *testing.T) {
	t.Parallel()
	a := newAccounts(t)
	grants := &grantBook{}
	c := clientOf(t, a.ServeMux, nil, zohobooks.WithLimiter(grants))
	if _, err := c.Organizations(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.dead.Store(1)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := c.Organizations(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if a.asked.Load() != 2 {
		t.Errorf("%d token requests, want the first and one more", a.asked.Load())
	}
	if grants.asked.Load() != a.calls.Load() || grants.done.Load() != a.calls.Load() {
		t.Errorf("%d grants asked for, %d done, %d calls", grants.asked.Load(), grants.done.Load(), a.calls.Load())
	}
}

func TestMissingScopeIsNotMistakenForADeadToken(t *testing.T) {
	t.Parallel()
	a := newAccounts(t)
	a.dead.Store(1000)
	c := clientOf(t, a.ServeMux, nil)
	for range 10 {
		_, err := c.Organizations(t.Context())
		var e *zohobooks.Error
		if !errors.As(err, &e) || e.Code != 57 || zohobooks.Verdict(err).Action != zohobooks.ActionStop {
			t.Fatalf("got %v", err)
		}
	}
	if a.asked.Load() != 2 {
		t.Errorf("%d token requests, want 2", a.asked.Load())
	}
}

// sharedStore is a TokenStore of several clients.
type sharedStore struct {
	mu      sync.Mutex
	tokens  map[string][]byte
	leases  map[string]string
	refusal map[string]string
	err     error
}

func newSharedStore() *sharedStore {
	return &sharedStore{tokens: map[string][]byte{}, leases: map[string]string{}, refusal: map[string]string{}}
}

func (s *sharedStore) Get(_ context.Context, org string) ([]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.tokens[org]
	return b, ok, s.err
}

func (s *sharedStore) Put(_ context.Context, org string, b []byte, _ time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[org] = b
	return s.err
}

func (s *sharedStore) Lease(_ context.Context, org, owner string, _ time.Duration) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leases[org] == "" {
		s.leases[org] = owner
	}
	return s.leases[org] == owner, s.err
}

func (s *sharedStore) Unlease(_ context.Context, org, owner string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leases[org] == owner {
		delete(s.leases, org)
	}
	return s.err
}

func (s *sharedStore) Refusal(_ context.Context, org string) (string, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	code, ok := s.refusal[org]
	return code, ok, s.err
}

func (s *sharedStore) SetRefusal(_ context.Context, org, code string, _ time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusal[org] = code
	return s.err
}

func TestReplicasShareOneRefresh(t *testing.T) {
	t.Parallel()
	a := newAccounts(t)
	store := newSharedStore()
	var clients []*zohobooks.Client
	for range 3 {
		clients = append(clients, clientOf(t, a.ServeMux, nil, zohobooks.WithTokenStore(store)))
	}
	all := func() {
		var wg sync.WaitGroup
		for _, c := range clients {
			for range 10 {
				wg.Go(func() {
					if _, err := c.Organizations(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
		}
		wg.Wait()
	}
	all()
	if a.asked.Load() != 1 {
		t.Errorf("%d token requests cold, want 1", a.asked.Load())
	}
	a.dead.Store(1)
	all()
	if a.asked.Load() != 2 {
		t.Errorf("%d token requests after the token died, want 2", a.asked.Load())
	}
	if len(store.leases) != 0 {
		t.Error("the lease was not given back")
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	reply := func(status int, ct, body string) func(w http.ResponseWriter, _ *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", ct)
			w.WriteHeader(status)
			fmt.Fprint(w, body)
			return true
		}
	}
	const js = "application/json;charset=UTF-8"
	for name, tt := range map[string]struct {
		answer    func(http.ResponseWriter, *http.Request) bool
		code      string
		permanent bool
		after     time.Duration
		action    zohobooks.Action
	}{
		"refresh token revoked, with HTTP 200": {reply(200, js, `{"error":"invalid_code"}`), "invalid_code", true, 10 * time.Minute, zohobooks.ActionStop},
		"client unknown, with HTTP 200":        {reply(200, js, `{"error":"invalid_client"}`), "invalid_client", true, 10 * time.Minute, zohobooks.ActionStop},
		"client secret wrong":                  {reply(200, js, `{"error":"invalid_client_secret"}`), "invalid_client_secret", true, 10 * time.Minute, zohobooks.ActionStop},
		"too many requests": {
			reply(400, js, `{"error_description":"You have made too many requests continuously. Please try again after some time.","error":"Access Denied"}`),
			"Access Denied", false, 10 * time.Minute, zohobooks.ActionWaitOrganization,
		},
		"HTTP 500":             {reply(500, "text/html", "<html>"), zohobooks.AuthUnreachable, false, time.Minute, zohobooks.ActionWaitOrganization},
		"HTTP 200 with HTML":   {reply(200, "text/html", "<html>"+refreshToken), zohobooks.AuthUnreadable, false, time.Minute, zohobooks.ActionWaitOrganization},
		"HTTP 200 without any": {reply(200, js, `{}`), zohobooks.AuthUnreadable, false, time.Minute, zohobooks.ActionWaitOrganization},
		"redirect": {func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
			return true
		}, zohobooks.AuthUnreadable, false, time.Minute, zohobooks.ActionWaitOrganization},
		"secret echoed as the code":    {reply(200, js, `{"error":"`+refreshToken+`"}`), "[secret]", false, 10 * time.Minute, zohobooks.ActionWaitOrganization},
		"token that fits in no header": {reply(200, js, `{"access_token":"a\nb","expires_in":3600}`), zohobooks.AuthUnreadable, false, time.Minute, zohobooks.ActionWaitOrganization},
		"another host as API": {
			reply(200, js, `{"access_token":"T9","expires_in":3600,"api_domain":"https://evil.example"}`), zohobooks.AuthWrongAPIDomain, true, 10 * time.Minute, zohobooks.ActionStop,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAccounts(t)
			a.answer = tt.answer
			store := newSharedStore()
			c, other := clientOf(t, a.ServeMux, nil, zohobooks.WithTokenStore(store)), clientOf(t, a.ServeMux, nil, zohobooks.WithTokenStore(store))
			var wg sync.WaitGroup
			for i := range 20 {
				wg.Go(func() {
					_, err := []*zohobooks.Client{c, other}[i%2].Organizations(t.Context())
					var e *zohobooks.AuthError
					if !errors.As(err, &e) || e.Code != tt.code || e.Permanent != tt.permanent || e.RetryAfter != tt.after {
						t.Errorf("got %#v (%v)", e, err)
						return
					}
					if d := zohobooks.Verdict(err); d.Action != tt.action || d.After < tt.after {
						t.Errorf("verdict %+v", d)
					}
					noSecrets(t, err.Error())
				})
			}
			wg.Wait()
			if a.asked.Load() != 1 || a.calls.Load() != 0 {
				t.Errorf("%d token requests and %d calls, want 1 and 0: a refusal is remembered", a.asked.Load(), a.calls.Load())
			}
			for _, code := range store.refusal {
				noSecrets(t, code)
			}
			// Other credentials are not refused for it.
			a.answer = nil
			mended := clientOf(t, a.ServeMux, func(cfg *zohobooks.Config) { cfg.ClientID = "1000.mended" }, zohobooks.WithTokenStore(store))
			if _, err := mended.Organizations(t.Context()); err != nil {
				t.Errorf("mended credentials: %v", err)
			}
		})
	}
}

func TestCallersKeepTheirDeadlinesWhileTheTokenEndpointHangs(t *testing.T) {
	t.Parallel()
	a := newAccounts(t)
	hang := make(chan struct{})
	a.answer = func(_ http.ResponseWriter, r *http.Request) bool {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
		return false
	}
	c := clientOf(t, a.ServeMux, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := c.Organizations(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 5*time.Second {
		t.Errorf("got %v after %v", err, time.Since(began))
	}
	close(hang)
	if _, err := c.Organizations(t.Context()); err != nil { // joins the same refresh
		t.Error(err)
	}
	if a.asked.Load() != 1 {
		t.Errorf("%d token requests, want 1", a.asked.Load())
	}
}

func TestCloseEndsAHangingRefresh(t *testing.T) {
	t.Parallel()
	a := newAccounts(t)
	asked := make(chan struct{})
	a.answer = func(_ http.ResponseWriter, r *http.Request) bool {
		_ = r.ParseForm() // the body is read: now the server notices when the client hangs up
		close(asked)
		<-r.Context().Done()
		return true
	}
	c := clientOf(t, a.ServeMux, nil)
	done := make(chan error, 1)
	go func() {
		_, err := c.Organizations(t.Context())
		done <- err
	}()
	<-asked
	c.Close()
	if err := <-done; err == nil {
		t.Error("want an error")
	}
	if _, err := c.Organizations(t.Context()); err == nil {
		t.Error("a closed client got a token")
	}
}

func TestTokenLife(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]time.Duration{
		`3600`: time.Hour, `"3600"`: time.Hour, `3600000`: time.Hour, `"3600000"`: time.Hour, `600`: 10 * time.Minute, `86400`: 24 * time.Hour,
		`0`: time.Hour, `null`: time.Hour, `99999999999999`: 24 * time.Hour,
	} {
		t.Run(in, func(t *testing.T) {
			t.Parallel()
			a := newAccounts(t)
			a.answer = func(w http.ResponseWriter, _ *http.Request) bool {
				answer(w, 200, `{"access_token":"T1","expires_in":`+in+`}`)
				return true
			}
			info, err := clientOf(t, a.ServeMux, nil).Token(t.Context())
			if err != nil || info.Expires.Sub(info.Obtained) != want {
				t.Errorf("lives %v, want %v (%v)", info.Expires.Sub(info.Obtained), want, err)
			}
		})
	}
}

func TestTokenIsRefreshedEarlyWithoutWaiting(t *testing.T) {
	t.Parallel()
	a := newAccounts(t)
	var now atomic.Int64
	now.Store(time.Date(2026, 6, 9, 12, 0, 0, 0, time.UTC).Unix())
	c := clientOf(t, a.ServeMux, nil, zohobooks.WithClock(func() time.Time { return time.Unix(now.Load(), 0) }))
	first, err := c.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	now.Add(54 * 60)
	if again, err := c.Token(t.Context()); err != nil || again.Expires != first.Expires {
		t.Fatalf("after 54 minutes: %+v, %v", again, err)
	}
	fail := make(chan struct{})
	a.answer = func(http.ResponseWriter, *http.Request) bool { <-fail; return false }
	now.Add(2 * 60)
	if again, err := c.Token(t.Context()); err != nil || again.Expires != first.Expires {
		t.Fatalf("after 56 minutes, while the endpoint hangs: %+v, %v", again, err)
	}
	close(fail)
	for c.TokenExpires() == first.Expires { // the refresh lands by itself
		runtime.Gosched()
	}
	if a.asked.Load() != 2 {
		t.Errorf("%d token requests, want 2", a.asked.Load())
	}
	// Long idle: the token is over and the call waits for another.
	now.Add(3 * 60 * 60)
	if _, err := c.Organizations(t.Context()); err != nil || a.asked.Load() != 3 {
		t.Errorf("%v, %d token requests", err, a.asked.Load())
	}
}

func TestStoreTroubleIsNotTheCredentials(t *testing.T) {
	t.Parallel()
	a := newAccounts(t)
	store := newSharedStore()
	store.err = errors.New("redis is away")
	_, err := clientOf(t, a.ServeMux, nil, zohobooks.WithTokenStore(store)).Organizations(t.Context())
	var e *zohobooks.AuthError
	if !errors.As(err, &e) || e.Code != zohobooks.AuthStore || a.asked.Load() != 0 || zohobooks.Verdict(err).Action != zohobooks.ActionRetry {
		t.Errorf("got %v, %d token requests", err, a.asked.Load())
	}
}

func TestRefreshTokenShowsThatARefreshWorks(t *testing.T) {
	t.Parallel()
	a := newAccounts(t)
	c := clientOf(t, a.ServeMux, nil)
	for want := int64(1); want <= 3; want++ {
		if _, err := c.RefreshToken(t.Context()); err != nil || a.asked.Load() != want {
			t.Errorf("%v, %d token requests, want %d", err, a.asked.Load(), want)
		}
	}
}

func TestLoginAndRevoke(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /oauth/v2/token", func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.PostFormValue("grant_type") != "authorization_code" || r.PostFormValue("client_secret") != clientSecret || r.PostForm.Has("redirect_uri"):
			answer(w, 400, `{"error":"invalid_request"}`)
		case r.PostFormValue("code") == "good":
			answer(w, 200, `{"access_token":"T1","refresh_token":"`+refreshToken+`","expires_in":3600,"scope":"ZohoBooks.fullaccess.all"}`)
		case r.PostFormValue("code") == "online":
			answer(w, 200, `{"access_token":"T1","expires_in":3600}`)
		default:
			answer(w, 200, `{"error":"invalid_code"}`)
		}
	})
	revoked := ""
	mux.HandleFunc("POST /oauth/v2/token/revoke", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("token") != refreshToken {
			answer(w, 400, `{"error":"invalid_token"}`)
			return
		}
		revoked = r.URL.Query().Get("token")
		answer(w, 200, `{"status":"success"}`)
	})
	cfg := config(serverOf(t, mux))
	cfg.OrganizationID, cfg.RefreshToken = "", secret.String{} // not known yet
	login, err := zohobooks.ExchangeCode(t.Context(), cfg, secret.New("good"))
	if err != nil || login.RefreshToken.Reveal() != refreshToken || len(login.Scopes) != 1 {
		t.Fatalf("got %+v, %v", login, err)
	}
	noSecrets(t, fmt.Sprintf("%+v %#v", login, login))
	for _, code := range []string{"stale-beef", "online"} {
		_, err := zohobooks.ExchangeCode(t.Context(), cfg, secret.New(code))
		var e *zohobooks.AuthError
		if !errors.As(err, &e) || !e.Permanent {
			t.Errorf("%s: got %v", code, err)
			continue
		}
		noSecrets(t, err.Error())
	}
	cfg.RefreshToken = secret.New("other-beef")
	if err := zohobooks.Revoke(t.Context(), cfg); err == nil || strings.Contains(err.Error(), "beef") {
		t.Errorf("revoking an unknown token: %v", err)
	}
	cfg.RefreshToken = login.RefreshToken
	if err := zohobooks.Revoke(t.Context(), cfg); err != nil || revoked != refreshToken {
		t.Errorf("revoking: %v", err)
	}
	cfg.AccountsBase = "http://127.0.0.1:1"
	if err := zohobooks.Revoke(t.Context(), cfg); err == nil {
		t.Error("no error from a server that is not there")
	} else {
		noSecrets(t, err.Error())
	}
}

// TestARefusedTokenThatComesBackEndsTheCall: the accounts server gives the refused token again. Asking on would spend Zoho's ten token requests, and never end.
func TestARefusedTokenThatComesBackEndsTheCall(t *testing.T) {
	t.Parallel()
	c, mux, _ := setup(t)
	var calls atomic.Int64
	mux.HandleFunc("GET /books/v3/invoices/1", func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		answer(w, 401, `{"code":57,"message":"You are not authorized to perform this operation"}`)
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err := c.GetInvoice(ctx, "1")
	var e *zohobooks.Error
	if !errors.As(err, &e) || e.Status != 401 || ctx.Err() != nil {
		t.Errorf("%v, want the refusal", err)
	}
	if n := calls.Load(); n != 1 {
		t.Errorf("%d calls with a token that was refused, want 1", n)
	}
	if _, err := c.RefreshToken(ctx); err != nil {
		t.Errorf("a refresh that gives the same token: %v", err)
	}
}
