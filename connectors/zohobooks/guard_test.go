package zohobooks_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/booksync/booksync/connectors/zohobooks"
)

var errGuarded = errors.New("not now")

func TestAGuardKeepsWritesFromLeaving(t *testing.T) {
	t.Parallel()
	c, mux, _ := setup(t)
	var writes, reads atomic.Int64
	mux.HandleFunc("POST /books/v3/invoices/1/status/void", func(w http.ResponseWriter, _ *http.Request) {
		writes.Add(1)
		answer(w, http.StatusOK, `{"code":0,"message":"voided"}`)
	})
	mux.HandleFunc("GET /books/v3/invoices/1", func(w http.ResponseWriter, _ *http.Request) {
		reads.Add(1)
		answer(w, http.StatusOK, `{"code":0,"invoice":{"invoice_id":"1"}}`)
	})
	closed := zohobooks.WithGuard(t.Context(), func(context.Context) error { return errGuarded })
	if err := c.VoidInvoice(closed, "1"); !errors.Is(err, errGuarded) || zohobooks.Verdict(err).Action != zohobooks.ActionRetry {
		t.Errorf("%v: %v", err, zohobooks.Verdict(err))
	}
	if _, err := c.GetInvoice(closed, "1"); err != nil {
		t.Errorf("a read: %v", err)
	}
	open := zohobooks.WithGuard(t.Context(), func(context.Context) error { return nil })
	if err := c.VoidInvoice(open, "1"); err != nil {
		t.Error(err)
	}
	if writes.Load() != 1 || reads.Load() != 1 {
		t.Errorf("%d writes and %d reads, want 1 and 1", writes.Load(), reads.Load())
	}
}

// TestAGuardIsAskedAgainOnceTheConnectionIsThere: dialling took long, and meanwhile the guard closed.
func TestAGuardIsAskedAgainOnceTheConnectionIsThere(t *testing.T) {
	t.Parallel()
	var closed atomic.Bool
	dialled := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		closed.Store(true)
		return conn, err
	}}
	t.Cleanup(dialled.CloseIdleConnections)
	c, mux, _ := setup(t, zohobooks.WithHTTPTransport(dialled))
	var writes atomic.Int64
	mux.HandleFunc("POST /books/v3/invoices/1/status/void", func(w http.ResponseWriter, _ *http.Request) {
		writes.Add(1)
		answer(w, http.StatusOK, `{"code":0,"message":"voided"}`)
	})
	mux.HandleFunc("GET /books/v3/invoices/1", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, `{"code":0,"invoice":{"invoice_id":"1"}}`)
	})
	if _, err := c.GetInvoice(t.Context(), "1"); err != nil { // brings the token
		t.Fatal(err)
	}
	dialled.CloseIdleConnections()
	closed.Store(false)
	asked := 0
	ctx := zohobooks.WithGuard(t.Context(), func(context.Context) error {
		asked++
		if closed.Load() {
			return errGuarded
		}
		return nil
	})
	if err := c.VoidInvoice(ctx, "1"); !errors.Is(err, errGuarded) {
		t.Errorf("%v", err)
	}
	if writes.Load() != 0 || asked < 2 {
		t.Errorf("%d writes arrived, the guard was asked %d times", writes.Load(), asked)
	}
	closed.Store(false)
	if err := c.VoidInvoice(t.Context(), "1"); err != nil || writes.Load() != 1 {
		t.Errorf("without a guard: %v, %d writes", err, writes.Load())
	}
}
