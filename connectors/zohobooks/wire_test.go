package zohobooks_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/booksync/booksync/connectors/zohobooks"
)

// rawServer answers each connection's first API request with handle; token requests are answered properly. It counts API requests.
func rawServer(t *testing.T, handle func(conn net.Conn, req *http.Request, body func() []byte)) (url string, calls *atomic.Int64) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	calls = new(atomic.Int64)
	serve := func(conn net.Conn) {
		defer conn.Close()
		r := bufio.NewReader(conn)
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			body := func() []byte { b, _ := io.ReadAll(req.Body); return b }
			if strings.HasPrefix(req.URL.Path, "/oauth/") {
				body()
				reply(conn, "200 OK", "application/json", `{"access_token":"`+accessToken+`","expires_in":3600}`)
				continue
			}
			calls.Add(1)
			handle(conn, req, body)
			return
		}
	}
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { serve(conn) })
		}
	})
	t.Cleanup(func() { ln.Close(); wg.Wait() })
	return "http://" + ln.Addr().String(), calls
}

func reply(w io.Writer, status, contentType, body string, headers ...string) {
	fmt.Fprintf(w, "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n", status, contentType, len(body))
	for _, h := range headers {
		fmt.Fprintf(w, "%s\r\n", h)
	}
	fmt.Fprintf(w, "\r\n%s", body)
}

// reset closes with RST rather than FIN.
func reset(conn net.Conn) {
	_ = conn.(*net.TCPConn).SetLinger(0)
	conn.Close()
}

func TestMaybeWrittenTellsWhatBecameOfTheRequest(t *testing.T) {
	t.Parallel()
	const js = "application/json;charset=UTF-8"
	const invoice = `{"code":0,"message":"ok","invoice":{"invoice_id":"1"}}`
	type handler = func(conn net.Conn, req *http.Request, body func() []byte)
	say := func(status, ct, text string, headers ...string) handler {
		return func(conn net.Conn, _ *http.Request, body func() []byte) {
			body()
			// Closed, as it will be: else the next call might take the connection.
			reply(conn, status, ct, text, append([]string{"Connection: close"}, headers...)...)
		}
	}
	for name, tt := range map[string]struct {
		handle handler
		maybe  bool // for the write; a read never
		status int
		code   int
		is     error
	}{
		"closed before the body was read": {func(conn net.Conn, _ *http.Request, _ func() []byte) { reset(conn) }, true, 0, 0, zohobooks.ErrLost},
		"closed after the body was read":  {func(_ net.Conn, _ *http.Request, body func() []byte) { body() }, true, 0, 0, zohobooks.ErrLost},
		"reset after the body was read":   {func(conn net.Conn, _ *http.Request, body func() []byte) { body(); reset(conn) }, true, 0, 0, zohobooks.ErrLost},
		"half a status line": {func(conn net.Conn, _ *http.Request, body func() []byte) {
			body()
			fmt.Fprint(conn, "HTTP/1.1 20")
		}, true, 0, 0, zohobooks.ErrLost},
		"half an answer": {func(conn net.Conn, _ *http.Request, body func() []byte) {
			body()
			fmt.Fprintf(conn, "HTTP/1.1 201 Created\r\nContent-Type: %s\r\nContent-Length: 500\r\n\r\n%s", js, invoice[:20])
		}, true, 201, 0, zohobooks.ErrUnreadable},
		"half a refusal": {func(conn net.Conn, _ *http.Request, body func() []byte) {
			body()
			fmt.Fprintf(conn, "HTTP/1.1 400 Bad Request\r\nContent-Type: %s\r\nContent-Length: 500\r\n\r\n{\"code\":10", js)
		}, true, 400, 0, zohobooks.ErrUnreadable},
		"not HTTP": {func(conn net.Conn, req *http.Request, body func() []byte) {
			body()
			fmt.Fprintf(conn, "%s %s\r\n\r\n", req.Header.Get("Authorization"), "hello")
		}, true, 0, 0, zohobooks.ErrLost},
		"truncated gzip": {func(conn net.Conn, _ *http.Request, body func() []byte) {
			body()
			reply(conn, "200 OK", js, "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\xaaV", "Content-Encoding: gzip", "Connection: close")
		}, true, 200, 0, zohobooks.ErrUnreadable},
		"empty success":                           {say("200 OK", js, ""), true, 200, 0, zohobooks.ErrUnreadable},
		"success without a code":                  {say("200 OK", js, `{"invoice":{"invoice_id":"1"}}`), true, 200, 0, zohobooks.ErrUnreadable},
		"success with a code that is a text":      {say("200 OK", js, `{"code":"x","invoice":{"invoice_id":"1"}}`), true, 200, 0, zohobooks.ErrUnreadable},
		"success without its document":            {say("201 Created", js, `{"code":0,"message":"ok"}`), true, 201, 0, zohobooks.ErrUnreadable},
		"success without its document's id":       {say("201 Created", js, `{"code":0,"invoice":{"invoice_id":""}}`), true, 201, 0, zohobooks.ErrUnreadable},
		"success that is a list":                  {say("200 OK", js, `[]`), true, 200, 0, zohobooks.ErrUnreadable},
		"success with more behind it":             {say("200 OK", js, invoice+"x"), true, 200, 0, zohobooks.ErrUnreadable},
		"HTML success":                            {say("200 OK", "text/html", "<html>maintenance</html>"), true, 200, 0, zohobooks.ErrUnreadable},
		"another charset":                         {say("200 OK", "application/json;charset=UTF-16", invoice), true, 200, 0, zohobooks.ErrUnreadable},
		"huge":                                    {say("200 OK", js, `{"code":0,"x":"`+strings.Repeat("x", 17<<20)+`"}`), true, 200, 0, zohobooks.ErrUnreadable},
		"nested deeply":                           {say("200 OK", js, `{"code":0,"x":`+strings.Repeat("[", 1<<20)), true, 200, 0, zohobooks.ErrUnreadable},
		"HTML 502":                                {say("502 Bad Gateway", "text/html", "<html>"), true, 502, 0, zohobooks.ErrUnreadable},
		"500 of Zoho":                             {say("500 Internal Server Error", js, `{"code":1000,"message":"Internal error"}`), true, 500, 1000, nil},
		"1000 in the clothes of a success":        {say("200 OK", js, `{"code":1000,"message":"Internal error"}`), true, 200, 1000, nil},
		"HTML 403 of something in between":        {say("403 Forbidden", "text/html", "<html>"), true, 403, 0, zohobooks.ErrUnreadable},
		"refusal":                                 {say("400 Bad Request", js, `{"code":1001,"message":"exists"}`), false, 400, 1001, nil},
		"refusal in the clothes of a success":     {say("200 OK", js, `{"code":1001,"message":"exists"}`), false, 200, 1001, nil},
		"refusal with a payload of another shape": {say("200 OK", js, `{"code":1001,"message":"exists","invoice":"none"}`), false, 200, 1001, nil},
		"429":                       {say("429 Too Many Requests", js, `{"code":44,"message":"blocked"}`), false, 429, 44, nil},
		"429 without a body":        {say("429 Too Many Requests", "text/plain", ""), false, 429, 0, zohobooks.ErrUnreadable},
		"302 to another host":       {say("302 Found", "text/html", "", "Location: http://127.0.0.1:1/books/v3/invoices"), true, 302, 0, zohobooks.ErrRedirect},
		"307 that keeps the method": {say("307 Temporary Redirect", "text/html", "", "Location: /books/v3/other"), true, 307, 0, zohobooks.ErrRedirect},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, calls := rawServer(t, tt.handle)
			grants := &grantBook{}
			c, err := zohobooks.New(config(url), zohobooks.WithLimiter(grants))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			check := func(err error, maybe bool) {
				t.Helper()
				var e *zohobooks.Error
				if !errors.As(err, &e) {
					t.Fatalf("got %v, want *Error", err)
				}
				if e.MaybeWritten != maybe || e.Status != tt.status || e.Code != tt.code {
					t.Errorf("got status %d, code %d, maybe written %v; want %d, %d, %v (%v)", e.Status, e.Code, e.MaybeWritten, tt.status, tt.code, maybe, err)
				}
				if tt.is != nil && !errors.Is(err, tt.is) {
					t.Errorf("%v is not %v", err, tt.is)
				}
				noSecrets(t, err.Error())
			}
			_, err = c.CreateInvoice(t.Context(), &zohobooks.InvoiceRequest{CustomerID: "1"})
			check(err, tt.maybe)
			_, err = c.GetInvoice(t.Context(), "260815000000104012")
			check(err, false)
			if calls.Load() != 2 || grants.asked.Load() != 2 || grants.done.Load() != 2 {
				t.Errorf("%d requests, %d grants asked for, %d done; want 2 each", calls.Load(), grants.asked.Load(), grants.done.Load())
			}
			if got := grants.last().Answered; got != (tt.status != 0) {
				t.Errorf("grant was told answered %v", got)
			}
		})
	}
}

func TestNothingLeftMeansNotWritten(t *testing.T) {
	t.Parallel()
	url, _ := rawServer(t, func(net.Conn, *http.Request, func() []byte) {})
	over := make(chan struct{}) // dials outlive the calls they were begun for
	t.Cleanup(func() { close(over) })
	for name, dial := range map[string]func(context.Context, string, string) (net.Conn, error){
		"refused": func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("connection refused") },
		"hangs until the caller's deadline": func(context.Context, string, string) (net.Conn, error) {
			<-over
			return nil, errors.New("over")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var ready atomic.Bool // the token comes by a good connection
			plain := net.Dialer{}
			rt := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				if ready.Load() {
					return dial(ctx, network, addr)
				}
				return plain.DialContext(ctx, network, addr)
			}}
			c, err := zohobooks.New(config(url), zohobooks.WithHTTPTransport(rt))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := c.Token(t.Context()); err != nil {
				t.Fatal(err)
			}
			ready.Store(true)
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			_, err = c.CreateInvoice(ctx, &zohobooks.InvoiceRequest{CustomerID: "1"})
			var e *zohobooks.Error
			if !errors.As(err, &e) || e.MaybeWritten || !errors.Is(err, zohobooks.ErrNotSent) {
				t.Errorf("got %v, want an Error that nothing was sent", err)
			}
			if d := zohobooks.Verdict(err); d.Action != zohobooks.ActionRetry {
				t.Errorf("verdict %v", d)
			}
		})
	}
}

// A server that takes a request and stays silent until the caller gives up: the write is in doubt.
func TestTimeoutAfterTheRequestLeft(t *testing.T) {
	t.Parallel()
	url, _ := rawServer(t, func(conn net.Conn, _ *http.Request, body func() []byte) {
		body()
		_, _ = conn.Read(make([]byte, 1)) // until the client hangs up
	})
	cfg := config(url)
	cfg.Timeout = 60 * time.Millisecond
	c, err := zohobooks.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = c.CreatePayment(t.Context(), &zohobooks.PaymentRequest{CustomerID: "1"})
	var e *zohobooks.Error
	if !errors.As(err, &e) || !e.MaybeWritten || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	if d := zohobooks.Verdict(err); d.Action != zohobooks.ActionInDoubt || !d.Outage {
		t.Errorf("verdict %+v", d)
	}
}

// The transport repeats reads by itself when a kept connection breaks; each would be a call that nobody granted.
func TestNoCallLeavesTwiceForOneGrant(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var calls atomic.Int64
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				r := bufio.NewReader(conn)
				for n := 0; ; n++ {
					req, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, req.Body)
					if strings.HasPrefix(req.URL.Path, "/oauth/") {
						reply(conn, "200 OK", "application/json", `{"access_token":"`+accessToken+`","expires_in":3600}`)
						continue
					}
					if calls.Add(1) > 1 {
						return // on a connection that served before
					}
					reply(conn, "200 OK", "application/json", `{"code":0,"organizations":[]}`)
				}
			})
		}
	})
	defer wg.Wait()
	defer ln.Close()
	grants := &grantBook{}
	c, err := zohobooks.New(config("http://"+ln.Addr().String()), zohobooks.WithLimiter(grants))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Organizations(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = c.Organizations(t.Context())
	if !errors.Is(err, zohobooks.ErrLost) {
		t.Errorf("got %v, want ErrLost", err)
	}
	if calls.Load() != 2 || grants.asked.Load() != 2 {
		t.Errorf("%d calls for %d grants", calls.Load(), grants.asked.Load())
	}
}

// grantBook grants everything and notes it.
type grantBook struct {
	asked, done atomic.Int64
	mu          sync.Mutex
	answers     []zohobooks.CallAnswer
	classes     []zohobooks.Class
}

func (g *grantBook) Acquire(_ context.Context, class zohobooks.Class) (zohobooks.Grant, error) {
	g.asked.Add(1)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.classes = append(g.classes, class)
	return g, nil
}

func (g *grantBook) Done(a zohobooks.CallAnswer) {
	g.done.Add(1)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.answers = append(g.answers, a)
}

func (g *grantBook) last() zohobooks.CallAnswer {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.answers[len(g.answers)-1]
}

func noSecrets(t *testing.T, text string) {
	t.Helper()
	for _, s := range []string{accessToken, refreshToken, clientSecret, "beef", "cafe", "f00d"} {
		if strings.Contains(text, s) {
			t.Errorf("a secret is in %q", text)
		}
	}
}
