package simulator

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzHTTP asks the whole server, its control endpoints included, for anything: every question has an answer that is the server's own and no crash.
func FuzzHTTP(f *testing.F) {
	for _, seed := range [][3]string{
		{"POST", "/_simulator/faults", `{"kind":"latency","delay":"1ms"}`}, {"POST", "/_simulator/faults", `[{"kind":"quota","day_limit":-1},null]`},
		{"GET", "/_simulator/ledger?organization_id=10234695", ""}, {"GET", "/_simulator/calls", ""}, {"POST", "/oauth/v2/token", "grant_type=refresh_token"},
		{"GET", "/books/v3/invoices?organization_id=10234695&page=99999999999999999999&per_page=-1&sort_column=%00", ""},
		{"POST", "/books/v3/invoices?organization_id=10234695", `{"customer_id":"1","line_items":[{"rate":1e999999999,"quantity":"NaN"}]}`},
		{"POST", "/books/v3/invoices?organization_id=10234695", strings.Repeat("[", 100000)}, {"PUT", "/books/v3/invoices/1/../../_simulator", "{"},
		{"POST", "/books/v3/customerpayments?organization_id=10234695", `{"amount":"1e400","invoices":[{"invoice_id":null}]}`}, {"DELETE", "/books/v3/contacts/0?organization_id=10234695", ""},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, method, target, body string) {
		if strings.Contains(body, "hang") || strings.Contains(body, "latency") || strings.Contains(body, "late") || strings.Contains(body, "down") {
			return // faults that wait on purpose
		}
		sim := New(Config{Organizations: []Org{DefaultOrg("10234695").WithFields()}, TokenRequests: -1, Seed: 1})
		defer sim.Close()
		req, err := http.NewRequestWithContext(t.Context(), method, "http://127.0.0.1"+target, strings.NewReader(body))
		if err != nil {
			return
		}
		req.RequestURI = target
		req.Header.Set("Authorization", "Zoho-oauthtoken x")
		rec := httptest.NewRecorder()
		func() {
			defer func() {
				if r := recover(); r != nil && r != http.ErrAbortHandler { //nolint:errorlint // as net/http compares it
					t.Fatalf("%s %q %q: %v", method, target, body, r)
				}
			}()
			sim.Handler().ServeHTTP(rec, req)
		}()
		if rec.Code >= 500 && rec.Code != http.StatusNotImplemented {
			t.Fatalf("%s %q %q: %d %s", method, target, body, rec.Code, rec.Body)
		}
	})
}
