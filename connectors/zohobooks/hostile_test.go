package zohobooks_test

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/internal/secret"
)

// elsewhere is a server that nobody must talk to.
func elsewhere(t *testing.T) (url string, asked *atomic.Int64) {
	t.Helper()
	asked = new(atomic.Int64)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		answer(w, 200, `{"code":0}`)
	}))
	t.Cleanup(srv.Close)
	return srv.URL, asked
}

// TestNothingLeadsElsewhere: redirects of every kind, from the API and the accounts server, and links in answers. The token goes nowhere but to the
// configured hosts.
func TestNothingLeadsElsewhere(t *testing.T) {
	t.Parallel()
	other, asked := elsewhere(t)
	for _, status := range []int{301, 302, 303, 307, 308} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			redirect := func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other+r.URL.Path, status) }
			c, mux, _ := setup(t)
			mux.HandleFunc("/books/v3/", redirect)
			if _, err := c.GetInvoice(t.Context(), "1"); !errors.Is(err, zohobooks.ErrRedirect) {
				t.Errorf("reading: %v, want a refused redirect", err)
			}
			if _, err := c.CreateInvoice(t.Context(), &zohobooks.InvoiceRequest{CustomerID: "1"}); !errors.Is(err, zohobooks.ErrRedirect) {
				t.Errorf("writing: %v, want a refused redirect", err)
			}
			accounts := http.NewServeMux()
			accounts.HandleFunc("/", redirect)
			lost := clientOf(t, accounts, nil)
			var auth *zohobooks.AuthError
			if _, err := lost.GetInvoice(t.Context(), "1"); !errors.As(err, &auth) {
				t.Errorf("asking for a token: %v, want an AuthError", err)
			}
			cfg := config(serverOf(t, accounts))
			if _, err := zohobooks.ExchangeCode(t.Context(), cfg, secret.New("1000.code")); !errors.As(err, &auth) {
				t.Errorf("logging in: %v, want an AuthError", err)
			}
			if err := zohobooks.Revoke(t.Context(), cfg); !errors.As(err, &auth) {
				t.Errorf("revoking: %v, want an AuthError", err)
			}
		})
	}
	t.Run("links", func(t *testing.T) {
		t.Parallel()
		c, mux, _ := setup(t)
		pages := 0
		mux.HandleFunc("GET /books/v3/invoices", func(w http.ResponseWriter, r *http.Request) {
			pages++
			w.Header().Set("Link", "<"+other+`/next>; rel="next"`)
			w.Header().Set("Content-Location", other)
			more := r.URL.Query().Get("page") == "1"
			answer(w, 200, fmt.Sprintf(`{"code":0,"invoices":[{"invoice_id":"1","invoice_url":%q}],"page_context":{"page":1,"has_more_page":%t,"next_page":%q},"next":%q,"api_domain":%q}`,
				other, more, other+"/2", other, other))
		})
		for _, err := range c.ListInvoices(t.Context(), nil) {
			if err != nil {
				t.Error(err)
			}
		}
		if pages != 2 {
			t.Errorf("%d pages were asked for, want 2 of the configured host", pages)
		}
	})
	t.Cleanup(func() {
		if n := asked.Load(); n != 0 {
			t.Errorf("%d requests went elsewhere", n)
		}
	})
}

type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// TestHostileAnswersCostLittleAndSayNothingFalse: whatever comes, it is an error that keeps the write in doubt, at a bounded cost.
func TestHostileAnswersCostLittleAndSayNothingFalse(t *testing.T) { //nolint:paralleltest // measures the process's allocations
	const huge, bound = 1 << 30, 100 << 20 // an answer may have 16 MiB, read into a buffer that doubles
	json := func(body string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { answer(w, 201, body) }
	}
	document := func(fields string) string {
		return `{"code":0,"message":"ok","invoice":{"invoice_id":"1",` + fields + `}}`
	}
	for name, hostile := range map[string]func(http.ResponseWriter){
		"endless": func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.Copy(w, io.LimitReader(spaces{}, huge))
		},
		"packed": func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = io.Copy(z, io.LimitReader(spaces{}, huge))
			_ = z.Close()
		},
		"broken packing": func(w http.ResponseWriter) {
			w.Header().Set("Content-Encoding", "gzip")
			answer(w, 200, document(`"total":1`))
		},
		"many headers": func(w http.ResponseWriter) {
			for i := range 2000 {
				w.Header().Set(fmt.Sprint("X-Header-", i), strings.Repeat("x", 1000))
			}
			answer(w, 200, document(`"total":1`))
		},
		"truncated": json(`{"code":0,"invoice":{"invoice_id":"1","total":`),
		"HTML": func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<html>")
		},
		"HTML called JSON": json("<html><body>Bad gateway"),
		"another charset": func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json; charset=utf-16")
			_, _ = io.WriteString(w, document(`"total":1`))
		},
		"nested too deep":     json(document(`"x":` + strings.Repeat("[", 1<<20) + strings.Repeat("]", 1<<20))),
		"nested objects":      json(document(`"x":` + strings.Repeat(`{"a":`, 1<<20) + "1" + strings.Repeat("}", 1<<20))),
		"tiny elements":       json(document(`"line_items":[` + strings.Repeat("{},", 4<<20) + `{}]`)),
		"a number, no bounds": json(document(`"total":1e999999999`)),
		"a long number":       json(document(`"total":` + strings.Repeat("9", 1<<20))),
		"wrong types":         json(document(`"total":{"a":1},"line_items":7`)),
		"a list for all":      json(`[{"code":0}]`),
		"two values":          json(document(`"total":1`) + document(`"total":2`)),
		"a code beyond ints":  json(`{"code":99999999999999999999,"invoice":{"invoice_id":"1"}}`),
		"no document":         json(`{"code":0,"message":"ok"}`),
		"repeated code":       json(`{"code":0,"invoice":{"invoice_id":"1"},"code":1001}`),
	} {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // as above
			c, mux, _ := setup(t)
			mux.HandleFunc("POST /books/v3/invoices", func(w http.ResponseWriter, _ *http.Request) { hostile(w) })
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			inv, err := c.CreateInvoice(t.Context(), &zohobooks.InvoiceRequest{CustomerID: "1"})
			runtime.ReadMemStats(&after)
			var e *zohobooks.Error
			if !errors.As(err, &e) {
				t.Fatalf("%+v, %v: want an *Error", inv, err)
			}
			if len(err.Error()) > 4096 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			if !e.MaybeWritten && e.Code == 0 {
				t.Errorf("the write is taken for one that did not happen: %v", err)
			}
			// The server's part, in this process too, is counted; bodies made beforehand are not.
			if took := after.TotalAlloc - before.TotalAlloc; took > bound && !testing.Short() { // the race detector, which has the short form, allocates, too
				t.Errorf("%d MiB were allocated, want at most %d", took>>20, bound>>20)
			}
		})
	}
}

// TestAListWithoutAnEndEnds: page after page says that there is more.
func TestAListWithoutAnEndEnds(t *testing.T) {
	t.Parallel()
	c, mux, _ := setup(t)
	asked := 0
	mux.HandleFunc("GET /books/v3/invoices", func(w http.ResponseWriter, _ *http.Request) {
		asked++
		answer(w, 200, `{"code":0,"invoices":[{"invoice_id":"1"}],"page_context":{"has_more_page":true}}`)
	})
	var last error
	for _, err := range c.ListInvoices(t.Context(), nil) {
		last = err
	}
	if last == nil || asked != 5000 {
		t.Errorf("after %d pages: %v, want an error after 5000", asked, last)
	}
}
