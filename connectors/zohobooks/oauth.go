package zohobooks

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	refreshEarly = 5 * time.Minute // before the token's end
	leasePoll    = 100 * time.Millisecond
	// A token that was got because the one before was refused, and is refused itself, is not replaced again before this age: then the scope
	// is missing, not the token dead, and Zoho allows 10 token requests in 10 minutes.
	replaceAge = 2 * time.Minute
)

// token is an access token ready for use.
type token struct {
	storedToken
	refreshAt   time.Time
	readHeader  http.Header // shared by all requests: never changed
	writeHeader http.Header
}

func newToken(s storedToken) *token {
	t := &token{storedToken: s}
	t.refreshAt = s.Expires.Add(-min(refreshEarly, s.Expires.Sub(s.Obtained)/2))
	t.readHeader = http.Header{
		"Authorization": {"Zoho-oauthtoken " + s.Value},
		"Accept":        {"application/json"},
		"User-Agent":    {"booksync"},
	}
	t.writeHeader = t.readHeader.Clone()
	t.writeHeader["Content-Type"] = []string{"application/json"}
	return t
}

// tokenSource hands out the organisation's access token. One refresh runs at a time in the process and, through the store's lease, in the fleet;
// everybody who waits for it keeps his own deadline.
type tokenSource struct {
	cfg   Config
	owner string // of leases
	print string // of the credentials
	store TokenStore
	http  *http.Client
	now   func() time.Time

	cur atomic.Pointer[token]

	ctx    context.Context // of refreshes
	cancel context.CancelFunc
	flying sync.WaitGroup

	mu     sync.Mutex
	flight *flight
	nextBy time.Time // no early refresh before, after one failed
	closed bool
}

type flight struct {
	done chan struct{}
	bad  string // the refused token that it is to replace; "": none
	tok  *token
	err  error
}

func newTokenSource(cfg Config, store TokenStore, rt http.RoundTripper, now func() time.Time) *tokenSource {
	s := &tokenSource{cfg: cfg, owner: randomID(), print: cfg.fingerprint(), store: store, http: accountsClient(cfg, rt), now: now}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

func randomID() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// close ends a running refresh and waits for it.
func (s *tokenSource) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.flying.Wait()
}

// token gives a token that is valid now. It blocks only when there is none.
func (s *tokenSource) token(ctx context.Context) (*token, error) {
	if t := s.cur.Load(); t != nil {
		switch now := s.now(); {
		case now.Before(t.refreshAt):
			return t, nil
		case now.Before(t.Expires):
			s.early(now)
			return t, nil
		}
	}
	return s.wait(ctx, "")
}

// replace gives another token than the refused one. Nil without an error: the refused one replaced a refused one itself a moment ago, so that a
// third would not help, or the accounts server gives the refused one again.
func (s *tokenSource) replace(ctx context.Context, refused *token) (*token, error) {
	if t := s.cur.Load(); t != nil && t.Value != refused.Value && s.now().Before(t.Expires) {
		return t, nil
	}
	if refused.Replaces && s.now().Sub(refused.Obtained) < replaceAge {
		return nil, nil
	}
	return s.wait(ctx, refused.Value)
}

// early starts a refresh without waiting for it.
func (s *tokenSource) early(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flight == nil && !s.closed && now.After(s.nextBy) {
		s.start("")
	}
}

// wait joins the running refresh or starts one. Nil without an error: there is no token but the bad one.
func (s *tokenSource) wait(ctx context.Context, bad string) (*token, error) {
	for {
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			return nil, &AuthError{Code: AuthClosed, Err: errors.New("client is closed")}
		}
		// A flight may have landed since the caller looked.
		if t := s.cur.Load(); t != nil && t.Value != bad && s.now().Before(t.Expires) {
			s.mu.Unlock()
			return t, nil
		}
		f := s.flight
		if f == nil {
			f = s.start(bad)
		}
		s.mu.Unlock()
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, &AuthError{Code: AuthInterrupted, Err: ctx.Err()}
		}
		if f.err != nil {
			return nil, f.err
		}
		switch {
		case bad == "" || f.tok.Value != bad:
		case f.bad == bad: // the accounts server gives the refused one again: asking on would not help
			return nil, nil
		default: // it had begun before the token was refused
			continue
		}
		return f.tok, nil
	}
}

// start begins a refresh; s.mu is held and there is none.
func (s *tokenSource) start(bad string) *flight {
	f := &flight{done: make(chan struct{}), bad: bad}
	s.flight = f
	s.flying.Add(1)
	go func() {
		defer s.flying.Done()
		f.tok, f.err = s.refresh(s.ctx, bad)
		s.mu.Lock()
		if f.err == nil {
			s.cur.Store(f.tok)
		} else {
			s.nextBy = s.now().Add(s.cfg.OutageWait)
		}
		s.flight = nil
		s.mu.Unlock()
		close(f.done)
	}()
	return f
}

// refresh finds a good token in the store, or takes the lease and asks the accounts server. At any moment one process of the fleet asks.
func (s *tokenSource) refresh(ctx context.Context, bad string) (*token, error) {
	org := s.cfg.OrganizationID
	// Long enough for another holder's lease to lapse and for our own question.
	ctx, cancel := context.WithTimeout(ctx, 3*s.cfg.TokenTimeout)
	defer cancel()
	leaseTTL := s.cfg.TokenTimeout + 2*time.Second
	for {
		// Twice the same look: before the lease, since mostly somebody else was faster, and after it, since he may have been meanwhile.
		if t, err := s.known(ctx, bad); t != nil || err != nil {
			return t, err
		}
		leased, err := s.store.Lease(ctx, org, s.owner, leaseTTL)
		if err != nil {
			return nil, storeError("leasing the refresh", err)
		}
		if leased {
			return s.ask(ctx, bad)
		}
		timer := time.NewTimer(leasePoll)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, &AuthError{Code: AuthUnreachable, RetryAfter: s.cfg.OutageWait, Err: fmt.Errorf("waiting for another replica's refresh: %w", ctx.Err())}
		}
	}
}

// known gives what the store has: a token, a refusal as an error, or neither.
func (s *tokenSource) known(ctx context.Context, bad string) (*token, error) {
	org := s.cfg.OrganizationID
	b, ok, err := s.store.Get(ctx, org)
	if err != nil {
		return nil, storeError("reading the token", err)
	}
	var old *token // valid, but due for a refresh
	if ok {
		if st, ok := decodeToken(b); ok && st.Owner == s.print && st.Value != bad {
			t := newToken(st)
			switch now := s.now(); {
			case now.Before(t.refreshAt):
				return t, nil
			case now.Before(t.Expires):
				old = t
			}
		}
	}
	code, ok, err := s.store.Refusal(ctx, org)
	if err != nil {
		return nil, storeError("reading refusals", err)
	}
	if owner, code, found := strings.Cut(code, " "); ok && found && owner == s.print {
		if old != nil {
			return old, nil
		}
		return nil, s.refused(code, errors.New("refused a moment ago, not asked again yet"))
	}
	return nil, nil
}

func storeError(doing string, err error) error {
	return &AuthError{Code: AuthStore, Err: fmt.Errorf("%s: %w", doing, err)}
}

// ask has the lease.
func (s *tokenSource) ask(ctx context.Context, bad string) (*token, error) {
	org := s.cfg.OrganizationID
	defer func() {
		// With a context of its own: the lease must go back although the client is being closed.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		_ = s.store.Unlease(ctx, org, s.owner) // it lapses by itself
	}()
	if t, err := s.known(ctx, bad); t != nil || err != nil {
		return t, err
	}
	askCtx, cancel := context.WithTimeout(ctx, s.cfg.TokenTimeout)
	defer cancel()
	granted, err := requestToken(askCtx, s.http, s.cfg, s.now)
	if err != nil {
		var refusal *AuthError
		if errors.As(err, &refusal) && ctx.Err() == nil {
			refusal = s.refused(refusal.Code, refusal.Err)
			err = refusal
			if serr := s.store.SetRefusal(ctx, org, s.print+" "+refusal.Code, refusal.RetryAfter); serr != nil {
				return nil, storeError("storing a refusal", serr)
			}
		}
		return nil, err
	}
	granted.Owner, granted.Replaces = s.print, bad != ""
	t := newToken(granted)
	if err := s.store.Put(ctx, org, granted.encode(), granted.Expires.Sub(s.now())); err != nil {
		return nil, storeError("storing the token", err)
	}
	return t, nil
}

// refused makes the error for a code of the accounts server or one of ours.
func (s *tokenSource) refused(code string, err error) *AuthError {
	e := &AuthError{Code: code, Err: err, RetryAfter: s.cfg.RefusalWait, Permanent: permanentRefusals[code]}
	if code == AuthUnreachable || code == AuthUnreadable {
		e.RetryAfter = s.cfg.OutageWait
	}
	return e
}

// permanentRefusals need a person. The names are documented; every other code is asked again after RefusalWait.
var permanentRefusals = map[string]bool{
	"invalid_code":           true,
	"invalid_client":         true,
	"invalid_client_secret":  true,
	"invalid_grant":          true,
	"invalid_scope":          true,
	"unauthorized_client":    true,
	"unsupported_grant_type": true,
	"missing_org_info":       true,
	AuthWrongAPIDomain:       true,
}

// TokenInfo describes the access token in use, without the token.
type TokenInfo struct {
	Obtained  time.Time
	Expires   time.Time
	Scopes    []string // as answered; empty when the accounts server names none
	APIDomain string   // as answered
}

// Token makes sure that there is a valid access token and describes it. It blocks like a call does.
func (c *Client) Token(ctx context.Context) (TokenInfo, error) {
	t, err := c.tokens.token(ctx)
	if err != nil {
		return TokenInfo{}, err
	}
	return t.info(), nil
}

// RefreshToken asks the accounts server for a new access token although the present one may be good: for showing that it works.
func (c *Client) RefreshToken(ctx context.Context) (TokenInfo, error) {
	bad := ""
	if t := c.tokens.cur.Load(); t != nil {
		bad = t.Value
	} else if b, ok, err := c.store.Get(ctx, c.cfg.OrganizationID); err == nil && ok {
		if st, ok := decodeToken(b); ok {
			bad = st.Value
		}
	}
	t, err := c.tokens.wait(ctx, bad)
	if err != nil {
		return TokenInfo{}, err
	}
	if t == nil { // the present one was given again
		t = c.tokens.cur.Load()
	}
	return t.info(), nil
}

// TokenExpires is the end of the access token in use; zero when there is none yet.
func (c *Client) TokenExpires() time.Time {
	if t := c.tokens.cur.Load(); t != nil {
		return t.Expires
	}
	return time.Time{}
}

func (t *token) info() TokenInfo {
	return TokenInfo{Obtained: t.Obtained, Expires: t.Expires, Scopes: t.Scopes, APIDomain: t.APIDomain}
}
