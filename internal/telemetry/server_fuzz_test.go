package telemetry

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzHTTP asks the service's own endpoints for anything: they read and answer, never more than they have, and nothing by another method.
func FuzzHTTP(f *testing.F) {
	for _, seed := range [][2]string{
		{"GET", "/healthz"}, {"GET", "/readyz?x=%00"}, {"GET", "/metrics"}, {"POST", "/healthz"}, {"GET", "//healthz"}, {"GET", "/../healthz"}, {"CONNECT", "/metrics"}, {"GET", "/debug/pprof/"},
	} {
		f.Add(seed[0], seed[1], "body", "Accept: text/plain")
	}
	tel, err := Setup(f.Context(), Config{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = tel.Shutdown(context.Background()) })
	handler := Handler(ServerConfig{
		Metrics: tel.Handler(), Health: []Check{{Name: "a", Func: func(context.Context) error { return nil }}},
		Ready: []Check{{Name: "b", Func: func(context.Context) error { return errors.New("away") }}},
	})
	f.Fuzz(func(t *testing.T, method, target, body, header string) {
		req, err := http.NewRequestWithContext(t.Context(), method, "http://127.0.0.1"+target, strings.NewReader(body))
		if err != nil {
			return
		}
		if name, value, ok := strings.Cut(header, ": "); ok {
			req.Header.Set(name, value)
		}
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, req)
		switch rec.Code {
		case http.StatusOK, http.StatusServiceUnavailable:
			if req.Method != http.MethodGet && req.Method != http.MethodHead {
				t.Fatalf("%s %q is answered: %d", method, target, rec.Code)
			}
		case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusMovedPermanently, http.StatusTemporaryRedirect, http.StatusPermanentRedirect, http.StatusBadRequest, http.StatusUnsupportedMediaType:
		default:
			t.Fatalf("%s %q: %d", method, target, rec.Code)
		}
	})
}
