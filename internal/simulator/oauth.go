package simulator

import (
	"crypto/subtle"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// OAuth as Zoho Accounts does it, odd answers included: dossier 1. A wrong refresh token is HTTP 200 with an error, too
// many requests are HTTP 400 "Access Denied".

const scopeEverything = "ZohoBooks.fullaccess.all"

// Zoho keeps at most 20 refresh tokens of a user and client; the oldest dies silently (dossier 1.4).
const maxRefreshTokens = 20

type accounts struct {
	cfg *Config

	mu       sync.RWMutex
	grants   map[string]*grant // by refresh token
	order    []*grant          // oldest first
	codes    map[string]*grant // by grant code: what it may be exchanged for, once
	tokens   map[string]*token
	requests map[string]*asked // by client and refresh token
	seq      int
}

// grant is a refresh token and what it opens.
type grant struct {
	Credentials
	org    string // "": every organisation without credentials of its own
	tokens []*token
}

type token struct {
	value   string
	grant   *grant
	scopes  []string
	expires time.Time
}

func newAccounts(cfg *Config) *accounts {
	a := &accounts{cfg: cfg, grants: map[string]*grant{}, codes: map[string]*grant{}, tokens: map[string]*token{}, requests: map[string]*asked{}}
	a.admit(cfg.Credentials, "")
	for _, o := range cfg.Organizations {
		if o.Credentials != nil {
			a.admit(*o.Credentials, o.ID)
		}
	}
	return a
}

func (a *accounts) admit(c Credentials, org string) {
	if len(c.Scopes) == 0 {
		c.Scopes = []string{scopeEverything}
	}
	g := &grant{Credentials: c, org: org}
	a.grants[c.RefreshToken] = g
	a.order = append(a.order, g)
	if c.Code != "" {
		a.codes[c.Code] = g
	}
}

// check finds the token of an Authorization header. Answers 14 without one and 57 when it is dead.
func (a *accounts) check(header string, now time.Time) (*token, *failure) {
	scheme, value, _ := strings.Cut(header, " ")
	known := scheme == "Zoho-oauthtoken" || scheme == "Bearer" && !a.cfg.Switches.BearerRefused
	if !known || value == "" {
		return nil, refuse(http.StatusUnauthorized, codeUnauthenticated,
			"The request could not be authenticated as the authentication value you entered is invalid. Enter a valid authentication value and try again.")
	}
	a.mu.RLock()
	t := a.tokens[value]
	a.mu.RUnlock()
	if t == nil || !now.Before(t.expires) {
		return nil, errUnauthorized
	}
	return t, nil
}

var errUnauthorized = refuse(http.StatusUnauthorized, codeUnauthorized, "You are not authorized to perform this operation")

// allows says whether the token may do what a scope such as "invoices.CREATE" names.
func (t *token) allows(scope string) bool {
	if slices.Contains(t.scopes, scopeEverything) || scope == "" {
		return true
	}
	resource, _, _ := strings.Cut(scope, ".")
	return slices.Contains(t.scopes, "ZohoBooks."+scope) || slices.Contains(t.scopes, "ZohoBooks."+resource+".ALL")
}

// opens says whether the token reaches an organisation.
func (t *token) opens(org *books) bool {
	if org.org.Credentials != nil {
		return t.grant.org == org.org.ID
	}
	return t.grant.org == "" || t.grant.org == org.org.ID
}

func (s *Simulator) serveToken(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		writePlain(w, http.StatusBadRequest, `{"error":"invalid_request"}`)
		return
	}
	if err := r.ParseForm(); err != nil {
		writePlain(w, http.StatusBadRequest, `{"error":"invalid_request"}`)
		return
	}
	form := r.Form
	if id, secret, ok := r.BasicAuth(); ok {
		form.Set("client_id", id)
		form.Set("client_secret", secret)
	}
	if form.Get("grant_type") == "" {
		writePlain(w, http.StatusBadRequest, `{"error":"invalid_request"}`)
		return
	}
	if s.faults.tokenFault(w, r, s.cfg.Now()) {
		return
	}
	domain := s.cfg.APIDomain
	if domain == "" {
		domain = "http://" + r.Host
	}
	status, body := s.accounts.issue(form.Get, domain)
	writePlain(w, status, body)
}

// issue answers a token request: a status and a body.
func (a *accounts) issue(form func(string) string, domain string) (int, string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.cfg.Now()
	refresh, code := form("refresh_token"), form("code")
	if a.throttled(form("client_id")+"\x00"+refresh, now) {
		return http.StatusBadRequest, `{"error_description":"You have made too many requests continuously. Please try again after some time.",` +
			`"error":"Access Denied","status":"failure"}`
	}
	var g *grant
	known, other := "invalid_code", ""
	switch form("grant_type") {
	case "refresh_token":
		g = a.grants[refresh]
	case "authorization_code":
		g = a.codes[code]
	case "client_credentials":
		if form("soid") == "" {
			return http.StatusOK, `{"error":"missing_org_info"}`
		}
		g = a.grantOf(form("client_id"), strings.TrimPrefix(form("soid"), "ZohoBooks."))
		known = "invalid_client"
	default:
		other = "invalid_client"
	}
	switch {
	case other != "" || !a.knowsClient(form("client_id")):
		return http.StatusOK, `{"error":"invalid_client"}`
	case g == nil || g.ClientID != form("client_id"):
		return http.StatusOK, `{"error":"` + known + `"}`
	case subtle.ConstantTimeCompare([]byte(g.ClientSecret), []byte(form("client_secret"))) != 1:
		return http.StatusOK, `{"error":"invalid_client_secret"}`
	}
	extra := ""
	if form("grant_type") == "authorization_code" {
		delete(a.codes, code)
		g = a.newGrant(g)
		extra = fmt.Sprintf(`"refresh_token":%q,`, g.RefreshToken)
	}
	t := a.newToken(g, now)
	return http.StatusOK, fmt.Sprintf(`{"access_token":%q,%s"scope":%q,"api_domain":%q,"token_type":"Bearer","expires_in":%d}`,
		t.value, extra, strings.Join(g.Scopes, " "), domain, int(a.cfg.TokenLife/time.Second))
}

func (a *accounts) knowsClient(id string) bool {
	return slices.ContainsFunc(a.order, func(g *grant) bool { return g.ClientID == id })
}

func (a *accounts) grantOf(client, org string) *grant {
	for _, g := range a.order {
		if g.ClientID == client && (g.org == "" || g.org == org) {
			return g
		}
	}
	return nil
}

// asked is what was asked with one refresh token.
type asked struct {
	admitted []time.Time // in the last window
	refused  time.Time   // until when everything is refused
}

// throttled counts a token request. More than the allowed number in a window is refused, for a window from the last
// request on; with the switch only until the first of the window is over.
func (a *accounts) throttled(key string, now time.Time) bool {
	if a.cfg.TokenRequests < 0 {
		return false
	}
	r := a.requests[key]
	if r == nil {
		r = &asked{}
		a.requests[key] = r
	}
	r.admitted = slices.DeleteFunc(r.admitted, func(at time.Time) bool { return !at.After(now.Add(-a.cfg.TokenWindow)) })
	if now.Before(r.refused) || len(r.admitted) >= a.cfg.TokenRequests {
		if !a.cfg.Switches.TokenRefusalEnds {
			r.refused = now.Add(a.cfg.TokenWindow)
		}
		return true
	}
	r.admitted = append(r.admitted, now)
	return false
}

func (a *accounts) newGrant(of *grant) *grant {
	a.seq++
	g := &grant{Credentials: of.Credentials, org: of.org}
	g.RefreshToken = fmt.Sprintf("1000.%016x.refresh%d", hash64(of.RefreshToken), a.seq)
	a.grants[g.RefreshToken] = g
	a.order = append(a.order, g)
	if len(a.order) > maxRefreshTokens {
		a.forget(a.order[0])
	}
	return g
}

func (a *accounts) newToken(g *grant, now time.Time) *token {
	a.seq++
	t := &token{value: fmt.Sprintf("1000.%016x.%d", hash64(g.RefreshToken+itoa(a.seq)), a.seq), grant: g, scopes: g.Scopes, expires: now.Add(a.cfg.TokenLife)}
	g.tokens = append(g.tokens, t)
	for len(g.tokens) > a.cfg.ActiveTokens {
		delete(a.tokens, g.tokens[0].value)
		g.tokens = g.tokens[1:]
	}
	a.tokens[t.value] = t
	return t
}

func (a *accounts) forget(g *grant) {
	for _, t := range g.tokens {
		delete(a.tokens, t.value)
	}
	g.tokens = nil
	delete(a.grants, g.RefreshToken)
	a.order = without(a.order, g)
}

// serveRevoke ends a refresh token and all its access tokens.
func (s *Simulator) serveRevoke(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil || r.Method != http.MethodPost {
		writePlain(w, http.StatusBadRequest, `{"error":"invalid_request"}`)
		return
	}
	a := s.accounts
	a.mu.Lock()
	defer a.mu.Unlock()
	value := r.Form.Get("token")
	if g := a.grants[value]; g != nil {
		a.forget(g)
	} else if a.tokens[value] != nil {
		delete(a.tokens, value)
	} else {
		writePlain(w, http.StatusBadRequest, `{"error":"invalid_token"}`)
		return
	}
	writePlain(w, http.StatusOK, `{"status":"success"}`)
}

// revokeTokens kills every access token; refresh tokens stay. For the fault of that name.
func (a *accounts) revokeTokens() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.tokens)
	for _, g := range a.order {
		g.tokens = nil
	}
}

func writePlain(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}
