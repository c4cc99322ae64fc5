package zohobooks

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/booksync/booksync/internal/fastjson"
)

const (
	dialTimeout     = 10 * time.Second
	idleConnTimeout = 55 * time.Second // below the minute after which common load balancers drop idle connections
	maxHeaders      = 64 << 10         // bytes of an answer's headers
	connBufferSize  = 16 << 10         // an invoice's answer (7 KiB recorded) fits in one read
)

// Client speaks to one organisation. It is safe for concurrent use; Close it when done.
type Client struct {
	cfg     Config
	base    url.URL
	orgPart string // organization_id=...
	rt      http.RoundTripper
	own     *http.Transport // nil when the transport was given
	dial    func(ctx context.Context, network, addr string) (net.Conn, error)
	limiter Limiter
	observe func(CallInfo)
	now     func() time.Time
	tokens  *tokenSource
	store   TokenStore
}

// Option changes a Client.
type Option func(*Client)

// WithTokenStore shares tokens and refusals between replicas. Default: in memory, for this client alone.
func WithTokenStore(store TokenStore) Option { return func(c *Client) { c.store = store } }

// WithLimiter asks limiter before every attempt. Default: no limit.
func WithLimiter(limiter Limiter) Option { return func(c *Client) { c.limiter = limiter } }

// WithObserver calls observe after every attempt, in the calling goroutine.
func WithObserver(observe func(CallInfo)) Option { return func(c *Client) { c.observe = observe } }

// WithClock replaces time.Now for the life of tokens and the reading of Retry-After dates.
func WithClock(now func() time.Time) Option { return func(c *Client) { c.now = now } }

// WithHTTPTransport replaces the HTTP transport, for tracing. It must not follow redirects, must not retry, and must hand the request's context on
// (httptrace tells whether bytes left).
func WithHTTPTransport(rt http.RoundTripper) Option { return func(c *Client) { c.rt = rt } }

// WithDialer replaces the dialer of the client's own transport, such as by one of a network in memory.
func WithDialer(dial func(ctx context.Context, network, addr string) (net.Conn, error)) Option {
	return func(c *Client) { c.dial = dial }
}

// New makes a client; it makes no call.
func New(cfg Config, opts ...Option) (*Client, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configuring the Zoho Books client: %w", err)
	}
	return newClient(cfg, opts)
}

func newClient(cfg Config, opts []Option) (*Client, error) {
	base, err := url.Parse(cfg.APIBase)
	if err != nil {
		return nil, fmt.Errorf("configuring the Zoho Books client: %w", err)
	}
	c := &Client{cfg: cfg, base: *base, orgPart: "organization_id=" + cfg.OrganizationID, limiter: unlimited{}, now: time.Now}
	for _, opt := range opts {
		opt(c)
	}
	if c.rt == nil {
		c.own = newTransport(cfg.Concurrency)
		if c.dial != nil {
			c.own.DialContext = c.dial
		}
		c.rt = c.own
	}
	if c.store == nil {
		c.store = &memoryStore{now: c.now}
	}
	c.tokens = newTokenSource(cfg, c.store, c.rt, c.now)
	return c, nil
}

// newTransport speaks HTTP/1.1 only: one call per connection, so that a broken connection concerns one call and "the request was written"
// means what it says.
func newTransport(concurrency int) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout: dialTimeout,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
		MaxIdleConnsPerHost: concurrency + 2, // and the accounts server
		IdleConnTimeout:     idleConnTimeout,
		ReadBufferSize:      connBufferSize,
		WriteBufferSize:     connBufferSize,
		Protocols:           protocols,
		// Recorded answers have less than 2 KiB of headers; the default limit is 10 MiB.
		MaxResponseHeaderBytes: maxHeaders,
	}
}

// OrganizationID is the organisation the client speaks to.
func (c *Client) OrganizationID() string { return c.cfg.OrganizationID }

// Close ends a running token refresh and closes idle connections. Calls made afterwards fail once they need a new token.
func (c *Client) Close() {
	c.tokens.close()
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
}

// call is one operation of the API.
type call struct {
	method   string
	resource string // the path with placeholders
	path     string // below the base; starts with a slash
	query    string // encoded, without organization_id
	body     any    // marshalled when not nil
	keyed    bool   // a create that carries a key of ours
	noOrg    bool   // the operation takes no organization_id
}

func (cl *call) write() bool { return cl.method != http.MethodGet }

// do makes the call and fills out. It blocks for the grant, the token and the exchange; each listens to ctx. A call refused for its token is
// repeated once with another.
func (c *Client) do(ctx context.Context, cl *call, out answer) error {
	var body []byte
	if cl.body != nil {
		var err error
		if body, err = fastjson.Marshal(cl.body); err != nil {
			return fmt.Errorf("%w: encoding %s %s: %w", ErrInvalidRequest, cl.method, cl.resource, err)
		}
	}
	// Before the grant: a refresh can take long and a grant is not to be kept waiting, nor spent when the credentials are refused.
	if _, err := c.tokens.token(ctx); err != nil {
		return err
	}
	used, err := c.attempt(ctx, cl, body, false, out)
	if used == nil || !tokenRefused(err) {
		return err
	}
	fresh, authErr := c.tokens.replace(ctx, used)
	if authErr != nil {
		return authErr
	}
	if fresh == nil { // the token is as fresh as can be: the scope is missing
		return err
	}
	_, err = c.attempt(ctx, cl, body, true, out)
	return err
}

// tokenRefused: HTTP 401, which comes before any effect, with the codes of a dead token or a missing one (or none).
func tokenRefused(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == http.StatusUnauthorized && (e.Code == codeNotAuthorized || e.Code == codeNotAuthenticated || e.Code == 0)
}

// attempt spends one grant. The token used is nil when nothing was sent.
func (c *Client) attempt(ctx context.Context, cl *call, body []byte, repeated bool, out answer) (*token, error) {
	info := CallInfo{Method: cl.method, Resource: cl.resource, Class: ClassOf(ctx), Repeated: repeated}
	counts := countersOf(ctx)
	asked := time.Now()
	grant, err := c.acquire(ctx, info.Class)
	info.Waited = time.Since(asked)
	counts.waitedFor(info.Waited)
	if err != nil {
		info.Err = "budget"
		c.report(info)
		return nil, &BudgetError{Err: err}
	}
	result := CallAnswer{DayLimit: -1, DayRemaining: -1, DayReset: -1, Answered: true}
	done := false
	defer func() {
		if !done { // a panic in between must not keep the slot
			grant.Done(result)
		}
	}()
	tok, err := c.tokens.token(ctx)
	if err != nil {
		done = true
		grant.Done(result)
		info.Err = "auth"
		c.report(info)
		return nil, err
	}
	started := time.Now()
	info.Waited = started.Sub(asked)
	err = c.exchange(ctx, cl, body, tok, out, &result, &info)
	info.Duration = time.Since(started)
	activityOf(ctx).moved()
	counts.calledFor(info.Duration)
	done = true
	grant.Done(result)
	info.Status, info.Code = result.Status, result.Code
	c.report(info)
	return tok, err
}

func (c *Client) report(info CallInfo) {
	if c.observe != nil {
		c.observe(info)
	}
}

// exchange sends the request and reads the answer.
func (c *Client) exchange(ctx context.Context, cl *call, body []byte, tok *token, out answer, result *CallAnswer, info *CallInfo) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	w := &wire{cancel: cancel}
	if guard := guardOf(ctx, cl); guard != nil {
		w.guard = func() error { return guard(ctx) }
		if err := w.guard(); err != nil { // before a connection is taken for nothing
			info.Err = "held"
			return err
		}
	}
	req := c.request(httptrace.WithClientTrace(ctx, w.trace()), cl, body, tok)
	resp, err := c.rt.RoundTrip(req)
	if held := w.held.Load(); held != nil {
		if err == nil {
			_ = resp.Body.Close()
		}
		info.Err = "held"
		return *held
	}
	if err != nil {
		left := w.left.Load()
		result.Answered = !left
		e := &Error{Method: cl.method, Path: cl.path, Keyed: cl.keyed, MaybeWritten: left && cl.write()}
		cause := ErrNotSent
		info.Err = "not_sent"
		if left {
			cause = ErrLost
			info.Err = "lost"
		}
		if w.repeat.Load() { // the cancellation was ours
			err = errRepeat
		}
		e.Err = fmt.Errorf("%w: %w", cause, c.clean(err, tok))
		return e
	}
	defer resp.Body.Close()
	result.Status = resp.StatusCode
	c.readLimits(resp.Header, result)
	info.RequestID = requestID(resp.Header)
	return c.readAnswer(cl, resp, tok, out, result, info)
}

func (c *Client) request(ctx context.Context, cl *call, body []byte, tok *token) *http.Request {
	u := c.base
	u.Path += cl.path
	switch {
	case cl.noOrg:
		u.RawQuery = cl.query
	case cl.query == "":
		u.RawQuery = c.orgPart
	default:
		u.RawQuery = c.orgPart + "&" + cl.query
	}
	req := &http.Request{Method: cl.method, URL: &u, Host: u.Host, Header: tok.readHeader, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	if body != nil {
		req.Header = tok.writeHeader
		req.ContentLength = int64(len(body))
		req.Body = io.NopCloser(bytes.NewReader(body))
		// Lets the transport take another connection when the idle one it took turns out to be closed before a byte was written.
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	}
	return req.WithContext(ctx)
}

var errRepeat = errors.New("connection was closed before an answer came")

// wire watches what becomes of one request. Its hooks run in the transport's goroutines, possibly after RoundTrip returned.
type wire struct {
	cancel context.CancelFunc
	left   atomic.Bool           // a connection was taken: from now on bytes may have left
	sent   atomic.Bool           // the request was written completely
	repeat atomic.Bool           // the transport wanted to send it again
	guard  func() error          // nil: none
	held   atomic.Pointer[error] // the guard's refusal
}

// took notes that a connection was taken, unless the guard refuses: dialling may have taken long. A connection closed here carries nothing any more.
func (w *wire) took(info httptrace.GotConnInfo) {
	if w.guard != nil {
		if err := w.guard(); err != nil {
			w.held.Store(&err)
			w.cancel()
			_ = info.Conn.Close()
			return
		}
	}
	w.left.Store(true)
}

func (w *wire) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		// Called again when the transport takes another connection for the same request. It does so when nothing was written on a
		// connection that had been closed meanwhile, which is welcome, and for reads also when the answer was lost, which would be a call
		// without a grant.
		GetConn: func(string) {
			if w.sent.Load() {
				w.repeat.Store(true)
				w.cancel()
				return
			}
			w.left.Store(false)
		},
		GotConn: w.took,
		WroteRequest: func(info httptrace.WroteRequestInfo) {
			if info.Err == nil {
				w.sent.Store(true)
			}
		},
	}
}
