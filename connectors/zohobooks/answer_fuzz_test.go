package zohobooks

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/booksync/booksync/internal/secret"
)

// canned answers every call in the same way, without a network.
type canned struct {
	status int
	header http.Header
	body   []byte
}

func (c canned) RoundTrip(req *http.Request) (*http.Response, error) {
	if strings.HasSuffix(req.URL.Path, tokenPath) {
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Request: req,
			Body: io.NopCloser(strings.NewReader(`{"access_token":"1000.token","expires_in":3600}`))}, nil
	}
	return &http.Response{StatusCode: c.status, Header: c.header, Body: io.NopCloser(bytes.NewReader(c.body)), ContentLength: -1, Request: req}, nil
}

// FuzzAnswer gives a client anything for an answer: it is a document, or an error that says whether the write may have happened and prints cleanly.
func FuzzAnswer(f *testing.F) {
	const kind = "application/json;charset=UTF-8"
	for _, s := range []struct {
		status             int
		contentType, extra string
		body               string
	}{
		{201, kind, "X-Rate-Limit-Remaining: 5", `{"code":0,"message":"ok","invoice":{"invoice_id":"1","total":1.5}}`}, {200, "text/html", "", "<html>502</html>"},
		{200, kind, "", `{"code":0,"invoice":{"invoice_id":"1","line_items":[` + strings.Repeat("{},", 30000) + `{}]}}`}, {200, kind, "", `{"code":0,"code":5,"invoice":null}`},
		{200, "application/json;charset=utf-16", "", "\xff\xfe{\x00"}, {429, kind, "Retry-After: 99999999999999999999", `{"code":44}`}, {302, "", "Location: http://127.0.0.1:1", ""},
		{500, kind, "", `{"code":1000,"message":"` + strings.Repeat("x", 5000) + `"}`}, {400, kind, "", `{"code":"1e9","message":"\u0000\ud800"}`},
		{200, kind, "", strings.Repeat(`{"invoice":`, 100)}, {200, kind, "", `{"code":0,"invoice":{"total":1e999999999}}`}, {200, kind, "", `{"code":0,"invoice":{"invoice_id"`},
		{401, kind, "", `{"code":57,"message":"1000.token client-secret refresh-token"}`}, {0, "", "", ""}, {204, kind, "", ""},
	} {
		f.Add(s.status, s.contentType, s.extra, []byte(s.body))
	}
	f.Fuzz(func(t *testing.T, status int, contentType, extra string, body []byte) {
		header := http.Header{"Content-Type": {contentType}}
		if name, value, ok := strings.Cut(extra, ": "); ok {
			header.Set(name, value)
		}
		c, err := New(Config{OrganizationID: "1", ClientID: "c", ClientSecret: secret.New("client-secret"), RefreshToken: secret.New("refresh-token")},
			WithHTTPTransport(canned{status, header, body}))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		inv, err := c.CreateInvoice(context.Background(), &InvoiceRequest{CustomerID: "1"})
		for _, listed := range c.ListInvoices(context.Background(), &ListOptions{}) {
			_ = listed // may be either
			break      // some say for ever that there is more
		}
		if err == nil {
			if inv.InvoiceID == "" || status < 200 || status > 299 {
				t.Fatalf("%d %q is a success: %+v", status, body, inv)
			}
			return
		}
		var e *Error
		var auth *AuthError
		if !errors.As(err, &e) && !errors.As(err, &auth) {
			t.Fatalf("%v is %T", err, err)
		}
		text := err.Error()
		for _, hidden := range []string{"1000.token", "client-secret", "refresh-token"} {
			if strings.Contains(text, hidden) {
				t.Fatalf("a secret in %q", text)
			}
		}
		if len(text) > 3*maxMessage || strings.ContainsAny(text, "\n\r\x00") || utf8.ValidString(string(body)) && !utf8.ValidString(text) {
			t.Fatalf("not fit for a log line: %q", text)
		}
		if e != nil && status >= 500 && !e.MaybeWritten {
			t.Fatalf("%d: the write may have happened", status)
		}
		Verdict(err)
	})
}
