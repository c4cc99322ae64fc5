package simulator

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// call is one request on its way through the server.
type call struct {
	s      *Simulator
	org    *books // nil only where the resource needs none
	token  *token
	route  *route
	method string
	query  url.Values
	header http.Header
	ids    [2]uint64 // of the path
	text   string    // the path's last variable when it is no number
	body   value
	now    time.Time
	effects

	upsertKey, upsertValue string

	w        *writer
	status   int
	location string
}

// route is a path of the API: who may call it and what answers.
type route struct {
	template string // "/invoices/{id}/status/sent"
	scope    string // "invoices": the method decides the rest
	noOrg    bool   // may be called without organization_id
	methods  map[string]handler
	allow    string
}

type handler func(*call) *failure

// maxBody bounds what a request may hold.
const maxBody = 4 << 20

const apiRoot = "/books/v3"

func (s *Simulator) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/oauth/v2/token", s.serveToken)
	mux.HandleFunc("/oauth/v2/token/revoke", s.serveRevoke)
	for _, r := range apiRoutes() {
		mux.HandleFunc(apiRoot+r.template, func(w http.ResponseWriter, req *http.Request) { s.serveAPI(w, req, r) })
	}
	unknown := &route{template: "unknown"}
	mux.HandleFunc("/books/", func(w http.ResponseWriter, req *http.Request) { s.serveAPI(w, req, unknown) })
	s.control(mux)
	return mux
}

// serveAPI is the way of every API request: count and limit, authenticate, read, do, answer. Faults come in between.
func (s *Simulator) serveAPI(w http.ResponseWriter, r *http.Request, rt *route) {
	s.working.Add(1)
	defer s.working.Done()
	c := &call{s: s, route: rt, method: r.Method, query: r.URL.Query(), header: r.Header, now: s.cfg.Now(), status: http.StatusOK}
	c.org = s.orgs[c.query.Get("organization_id")]
	if s.faults.isDown(c.org, c.now) {
		panic(http.ErrAbortHandler)
	}
	var q quota
	var f *failure
	end := func() {}
	if c.org != nil {
		c.now, q, f = c.org.limiter.begin(s.cfg.Now)
		end = sync.OnceFunc(func() {
			status, code := c.status, 0
			if f != nil {
				status, code = f.status, f.code
			}
			c.org.limiter.end(r.Method+" "+rt.template, status, code)
		})
		defer end()
	}
	c.w = newWriter()
	defer c.w.free()
	if f == nil {
		f = s.admit(c, r)
	}
	if f == nil {
		f = s.work(c, r)
	}
	end() // before the answer leaves: its reader may make the next call before this one returns
	s.answer(w, c, q, f)
}

// admit reads the request and refuses what may not go on.
func (s *Simulator) admit(c *call, r *http.Request) *failure {
	t, f := s.accounts.check(r.Header.Get("Authorization"), c.now)
	if f != nil {
		return f
	}
	c.token = t
	if c.route.methods == nil {
		return refuse(http.StatusNotFound, codeInvalidURL, "Invalid URL Passed")
	}
	if c.org == nil && !c.route.noOrg || c.org != nil && !t.opens(c.org) {
		return refuse(http.StatusUnauthorized, codeNotInOrg, "This user is not associated with the CompanyID/CompanyName given.")
	}
	if c.route.methods[c.method] == nil {
		return refuse(http.StatusMethodNotAllowed, codeMethod, "HTTP method "+c.method+" is not allowed")
	}
	if scope := c.scope(); !t.allows(scope) || s.faults.scopeRevoked(c.org, scope, c.now) {
		return errUnauthorized
	}
	for i, name := range []string{"id", "sub"} {
		if text := r.PathValue(name); text != "" {
			c.ids[i], c.text = parseID(text), text
		}
	}
	return c.read(r)
}

var scopeVerbs = map[string]string{get: "READ", post: "CREATE", put: "UPDATE", remove: "DELETE"}

// scope is what the method needs: dossier 1.6, "The verb rule is by HTTP method".
func (c *call) scope() string {
	if c.route.scope == "" {
		return ""
	}
	return c.route.scope + "." + scopeVerbs[c.method]
}

func (c *call) read(r *http.Request) *failure {
	if c.method == http.MethodGet || c.method == http.MethodDelete {
		return nil
	}
	text, err := readText(r)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		form, err := url.ParseQuery(text)
		if err != nil || form.Get("JSONString") == "" && len(text) > 0 {
			return errBadJSON
		}
		text = form.Get("JSONString")
	}
	if len(text) == 0 {
		c.body = value{kind: kindObject}
		return nil
	}
	var ok bool
	if c.body, ok = parseJSON(text); !ok {
		return errBadJSON
	}
	return nil
}

// readText reads a body, at most maxBody of it.
func readText(r *http.Request) (string, error) {
	if r.ContentLength < 0 || r.ContentLength > maxBody {
		text, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
		return string(text), err
	}
	buf := bodies.Get().(*bytes.Buffer)
	defer bodies.Put(buf)
	buf.Reset()
	_, err := buf.ReadFrom(r.Body)
	return buf.String(), err
}

var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// work does what the request asks, with the faults that match it. It panics with http.ErrAbortHandler where the
// connection is to be closed without an answer.
func (s *Simulator) work(c *call, r *http.Request) *failure {
	s.faults.match(c)
	s.wait(s.latency(c) + c.delay)
	if c.before != nil {
		return c.before
	}
	if c.landAfter > 0 {
		s.land(c, c.landAfter)
		c.abort()
	}
	if c.hang && !c.commit {
		c.holdOn(r)
	}
	f := c.do()
	switch {
	case f != nil:
		return f
	case c.hang:
		c.holdOn(r)
	case c.lose:
		c.abort()
	case c.after != nil:
		return c.after
	}
	return nil
}

// do runs the handler under the organisation's lock.
func (c *call) do() *failure {
	h := c.route.methods[c.method]
	switch {
	case c.org == nil:
	case c.method == http.MethodGet:
		c.org.mu.RLock()
		defer c.org.mu.RUnlock()
	default:
		c.org.mu.Lock()
		defer c.org.mu.Unlock()
	}
	return h(c)
}

// land applies a write whose connection is already gone.
func (s *Simulator) land(c *call, after time.Duration) {
	late := *c
	late.header = c.header.Clone()
	late.effects = effects{cents: c.cents, twin: c.twin}
	s.later(after, func() {
		late.w = newWriter()
		defer late.w.free()
		late.now = s.cfg.Now()
		late.do()
	})
}

// abort closes the connection without an answer.
func (c *call) abort() {
	c.status = 0
	panic(http.ErrAbortHandler)
}

// holdOn keeps the connection until the client gives up or the simulator is closed.
func (c *call) holdOn(r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-c.s.closed:
	}
	c.abort()
}

func (s *Simulator) latency(c *call) time.Duration {
	d := s.cfg.Latency
	if s.cfg.Jitter > 0 {
		d += time.Duration(draw(s.cfg.Seed, uint64(c.now.UnixNano())) * float64(s.cfg.Jitter))
	}
	return d
}

func (s *Simulator) answer(w http.ResponseWriter, c *call, q quota, f *failure) {
	h := w.Header()
	h["Content-Type"] = []string{"application/json;charset=UTF-8"}
	if c.org != nil && (f == nil || !f.bare) {
		h["X-Rate-Limit-Limit"] = []string{itoa(q.limit)}
		h["X-Rate-Limit-Remaining"] = []string{itoa(q.remaining)}
		h["X-Rate-Limit-Reset"] = []string{itoa(q.reset)}
	}
	if c.route.allow != "" {
		h["Allow"] = []string{c.route.allow}
	}
	if f == nil {
		if c.location != "" {
			h["Location"] = []string{c.location}
		}
		body := c.w.bytes()
		h["Content-Length"] = []string{itoa(len(body))}
		w.WriteHeader(c.status)
		_, _ = w.Write(body)
		return
	}
	c.status = f.status
	if f.retry > 0 {
		h["Retry-After"] = []string{itoa(f.retry)}
	}
	if f.html {
		h["Content-Type"] = []string{"text/html;charset=UTF-8"}
		w.WriteHeader(f.status)
		_, _ = io.WriteString(w, f.message)
		return
	}
	c.w.b = c.w.b[:0]
	c.w.open()
	c.w.int("code", f.code)
	c.w.str("message", f.message)
	c.w.close()
	w.WriteHeader(f.status)
	_, _ = w.Write(c.w.bytes())
}

// ok begins an answer; the handler writes its members and calls done.
func (c *call) ok(message string) *writer {
	c.w.open()
	c.w.raw(`"code":0,`)
	c.w.str("message", message)
	return c.w
}

func (c *call) done() *failure {
	c.w.close()
	return nil
}

// created makes the answer a 201 that names the new record.
func (c *call) created(resource string, id uint64) {
	c.status = http.StatusCreated
	c.location = "/api/v3/" + resource + "/" + utoa(id)
}

// say answers with a message alone.
func (c *call) say(message string) *failure {
	c.ok(message)
	return c.done()
}
