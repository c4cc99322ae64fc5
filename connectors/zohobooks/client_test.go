package zohobooks_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/connectors/zohobooks"
)

func TestCallsCarryWhatZohoWants(t *testing.T) {
	t.Parallel()
	c, mux, _ := setup(t)
	var got *http.Request
	var body []byte
	mux.HandleFunc("POST /books/v3/invoices", func(w http.ResponseWriter, r *http.Request) {
		got = r.Clone(context.Background())
		body, _ = io.ReadAll(r.Body)
		answer(w, 201, `{"code":0,"invoice":{"invoice_id":"7","total":"10.50","balance":""}}`)
	})
	inv, err := c.CreateInvoice(t.Context(), &zohobooks.InvoiceRequest{
		CustomerID: "1", InvoiceNumber: "O-1", IgnoreAutoNumber: true, Notes: "ü <&>",
		LineItems: []zohobooks.LineItem{{Rate: zohobooks.NewAmount(decimal.RequireFromString("1e2")), Quantity: zohobooks.NewAmount(decimal.RequireFromString("0.10"))}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if inv.InvoiceID != "7" || inv.Total.String() != "10.5" || !inv.Balance.IsZero() {
		t.Errorf("decoded %+v", inv)
	}
	if h := got.Header.Get("Authorization"); h != "Zoho-oauthtoken "+accessToken {
		t.Errorf("Authorization is %q", h)
	}
	if got.Header.Get("Content-Type") != "application/json" || got.ContentLength != int64(len(body)) {
		t.Errorf("headers %v, length %d", got.Header, got.ContentLength)
	}
	if q := got.URL.RawQuery; q != "organization_id="+org+"&ignore_auto_number_generation=true" {
		t.Errorf("query %q", q)
	}
	var sent map[string]any
	if err := json.Unmarshal(body, &sent); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"customer_id": "1", "invoice_number": "O-1", "is_inclusive_tax": false, "notes": "ü <&>",
		"line_items": []any{map[string]any{"rate": 100.0, "quantity": 0.1}},
	}
	if diff := cmp.Diff(want, sent); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(string(body), `"rate":100,`) {
		t.Errorf("amount is no bare number in %s", body)
	}
}

func TestPartialUpdatesSayNothingAboutTheRest(t *testing.T) {
	t.Parallel()
	c, mux, _ := setup(t)
	var bodies []string
	mux.HandleFunc("PUT /books/v3/", func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		bodies = append(bodies, string(b))
		answer(w, 200, `{"code":0,"invoice":{"invoice_id":"7"},"payment":{"payment_id":"7"},"creditnote":{"creditnote_id":"7"}}`)
	})
	field := []zohobooks.CustomField{{APIName: "cf_key", Value: "void:O1"}}
	_, err1 := c.UpdateInvoice(t.Context(), "7", &zohobooks.InvoiceRequest{CustomFields: field})
	_, err2 := c.UpdatePayment(t.Context(), "7", &zohobooks.PaymentRequest{CustomFields: field})
	_, err3 := c.UpdateCreditNote(t.Context(), "7", &zohobooks.CreditNoteRequest{CustomFields: field})
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	for _, b := range bodies {
		if b != `{"custom_fields":[{"api_name":"cf_key","value":"void:O1"}]}` {
			t.Errorf("sent %s", b)
		}
	}
}

func TestLimitsReachTheGrantAndTheError(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		headers map[string]string
		status  int
		body    string
		want    zohobooks.CallAnswer
	}{
		"recorded headers": {
			map[string]string{"x-rate-limit-limit": "1000", "x-rate-limit-remaining": "837", "x-rate-limit-reset": "38665"}, 200, `{"code":0,"organizations":[]}`,
			zohobooks.CallAnswer{Status: 200, DayLimit: 1000, DayRemaining: 837, DayReset: 38665 * time.Second, Answered: true},
		},
		"none": {nil, 200, `{"code":0,"organizations":[]}`, zohobooks.CallAnswer{Status: 200, DayLimit: -1, DayRemaining: -1, DayReset: -1, Answered: true}},
		"nonsense": {
			map[string]string{"x-rate-limit-limit": "-5", "x-rate-limit-remaining": "many", "x-rate-limit-reset": "", "retry-after": "soon"}, 429, `{"code":44}`,
			zohobooks.CallAnswer{Status: 429, Code: 44, DayLimit: -1, DayRemaining: -1, DayReset: -1, Answered: true},
		},
		"retry after seconds": {
			map[string]string{"retry-after": "120"}, 429, `{"code":44,"message":"blocked"}`,
			zohobooks.CallAnswer{Status: 429, Code: 44, DayLimit: -1, DayRemaining: -1, DayReset: -1, RetryAfter: 2 * time.Minute, Answered: true},
		},
		"retry after a date": {
			map[string]string{"retry-after": "Tue, 09 Jun 2026 12:03:00 GMT"}, 429, `{"code":1070}`,
			zohobooks.CallAnswer{Status: 429, Code: 1070, DayLimit: -1, DayRemaining: -1, DayReset: -1, RetryAfter: 3 * time.Minute, Answered: true},
		},
		"retry after for ever": {
			map[string]string{"retry-after": "99999999"}, 429, `{"code":44}`,
			zohobooks.CallAnswer{Status: 429, Code: 44, DayLimit: -1, DayRemaining: -1, DayReset: -1, RetryAfter: 24 * time.Hour, Answered: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			grants := &grantBook{}
			now := time.Date(2026, 6, 9, 12, 0, 0, 0, time.UTC)
			c, mux, _ := setup(t, zohobooks.WithLimiter(grants), zohobooks.WithClock(func() time.Time { return now }))
			mux.HandleFunc("GET /books/v3/organizations", func(w http.ResponseWriter, _ *http.Request) {
				for k, v := range tt.headers {
					w.Header().Set(k, v)
				}
				w.Header().Set("X-Request-Id", "req-7")
				answer(w, tt.status, tt.body)
			})
			_, err := c.Organizations(zohobooks.WithClass(t.Context(), zohobooks.ClassProbe))
			if diff := cmp.Diff(tt.want, grants.last()); diff != "" {
				t.Error(diff)
			}
			if grants.classes[0] != zohobooks.ClassProbe {
				t.Errorf("asked for class %v", grants.classes[0])
			}
			var e *zohobooks.Error
			if errors.As(err, &e) && e.RetryAfter != tt.want.RetryAfter {
				t.Errorf("error says retry after %v", e.RetryAfter)
			}
		})
	}
}

type failingLimiter struct{ err error }

func (f failingLimiter) Acquire(context.Context, zohobooks.Class) (zohobooks.Grant, error) {
	return nil, f.err
}

func TestWithoutAGrantNothingLeaves(t *testing.T) {
	t.Parallel()
	until := time.Now().Add(time.Hour)
	for name, tt := range map[string]struct {
		err    error
		action zohobooks.Action
	}{
		"paused":       {&zohobooks.PausedError{Until: until, Reason: "day limit"}, zohobooks.ActionWaitOrganization},
		"budget away":  {errors.New("redis is away"), zohobooks.ActionRetry},
		"caller ended": {context.Canceled, zohobooks.ActionRetry},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var infos []zohobooks.CallInfo
			c, mux, _ := setup(t, zohobooks.WithLimiter(failingLimiter{tt.err}), zohobooks.WithObserver(func(i zohobooks.CallInfo) { infos = append(infos, i) }))
			all, n := fixed(200, `{"code":0}`)
			mux.HandleFunc("/books/v3/", all)
			ctx, counter := zohobooks.CountCalls(t.Context())
			err := c.VoidInvoice(ctx, "7")
			if !errors.Is(err, tt.err) || zohobooks.Verdict(err).Action != tt.action || n.Load() != 0 {
				t.Errorf("got %v (%v), %d calls", err, zohobooks.Verdict(err), n.Load())
			}
			if len(infos) != 1 || infos[0].Err != "budget" || counter.Calls() != 0 {
				t.Errorf("observed %+v, counted %d", infos, counter.Calls())
			}
		})
	}
}

func TestObserverAndCounters(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var infos []zohobooks.CallInfo
	c, mux, _ := setup(t, zohobooks.WithObserver(func(i zohobooks.CallInfo) {
		mu.Lock()
		defer mu.Unlock()
		infos = append(infos, i)
	}))
	mux.HandleFunc("POST /books/v3/invoices/{id}/status/sent", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Request-Id", "r7")
		answer(w, 400, `{"code":1002,"message":"Invoice does not exist."}`)
	})
	mux.HandleFunc("GET /books/v3/organizations", func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, `{"code":0,"organizations":[]}`) })
	outer, all := zohobooks.CountCalls(zohobooks.WithClass(t.Context(), zohobooks.ClassOrder))
	inner, one := zohobooks.CountCalls(outer)
	err := c.MarkInvoiceSent(inner, "260815000000104012")
	var e *zohobooks.Error
	if !errors.As(err, &e) || e.RequestID != "r7" || e.Message != "Invoice does not exist." || e.Path != "/invoices/260815000000104012/status/sent" {
		t.Fatalf("got %#v", err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { _, _ = c.Organizations(outer) })
	}
	wg.Wait()
	if one.Calls() != 1 || all.Calls() != 5 || all.Called() <= 0 || one.WaitedForBudget() < 0 {
		t.Errorf("counted %d inside, %d outside, %v", one.Calls(), all.Calls(), all.Called())
	}
	first := infos[0]
	if first.Duration <= 0 {
		t.Error("no duration")
	}
	first.Duration, first.Waited = 0, 0
	want := zohobooks.CallInfo{Method: "POST", Resource: "/invoices/{id}/status/sent", Class: zohobooks.ClassOrder, Status: 400, Code: 1002, Err: "api", RequestID: "r7"}
	if diff := cmp.Diff(want, first); diff != "" {
		t.Error(diff)
	}
}

func TestReservationIsSpentByOneCall(t *testing.T) {
	t.Parallel()
	grants := &grantBook{}
	c, mux, _ := setup(t, zohobooks.WithLimiter(grants))
	ok, _ := fixed(200, `{"code":0,"organizations":[]}`)
	mux.HandleFunc("GET /books/v3/organizations", ok)
	r, err := c.Reserve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx := r.Attach(t.Context())
	for range 2 {
		if _, err := c.Organizations(ctx); err != nil {
			t.Fatal(err)
		}
	}
	r.Release()
	if grants.asked.Load() != 2 || grants.done.Load() != 2 {
		t.Errorf("%d grants asked for, %d done; want 2 each", grants.asked.Load(), grants.done.Load())
	}
	unused, err := c.Reserve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	unused.Release()
	unused.Release()
	if grants.asked.Load() != 3 || grants.done.Load() != 3 {
		t.Errorf("unused: %d asked for, %d done", grants.asked.Load(), grants.done.Load())
	}
}

// shortGrants are good until a time, and say which of them came back unused.
type shortGrants struct {
	grantBook
	good  time.Duration // of the first one; the others are good for an hour
	short bool          // TryAcquire has none
}

type shortGrant struct {
	*grantBook
	until time.Time
}

func (g shortGrant) UseBy() time.Time { return g.until }

func (g *shortGrants) Acquire(ctx context.Context, class zohobooks.Class) (zohobooks.Grant, error) {
	good := time.Hour
	if g.asked.Load() == 0 {
		good = g.good
	}
	_, err := g.grantBook.Acquire(ctx, class)
	return shortGrant{&g.grantBook, time.Now().Add(good)}, err
}

func (g *shortGrants) TryAcquire(ctx context.Context, class zohobooks.Class) zohobooks.Grant {
	if g.short {
		return nil
	}
	grant, _ := g.Acquire(ctx, class)
	return grant
}

func TestAGrantThatExpiredIsGivenBackAndAnotherAskedFor(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		good    time.Duration
		answers []int // the status of each grant's end; 0: no call left with it
	}{
		"still good": {time.Hour, []int{200}},
		"expired":    {-time.Millisecond, []int{0, 200}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			grants := &shortGrants{good: tt.good}
			c, mux, _ := setup(t, zohobooks.WithLimiter(grants))
			ok, _ := fixed(200, `{"code":0,"organizations":[]}`)
			mux.HandleFunc("GET /books/v3/organizations", ok)
			r, err := c.Reserve(zohobooks.WithClass(t.Context(), zohobooks.ClassRefund))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Organizations(r.Attach(t.Context())); err != nil {
				t.Fatal(err)
			}
			r.Release()
			var got []int
			for i, a := range grants.answers {
				if got = append(got, a.Status); !a.Answered {
					t.Errorf("grant %d keeps its slot: %+v", i, a)
				}
				if grants.classes[i] != zohobooks.ClassRefund {
					t.Errorf("grant %d is of class %s", i, grants.classes[i])
				}
			}
			if diff := cmp.Diff(tt.answers, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTryReserveDoesNotQueue(t *testing.T) {
	t.Parallel()
	grants := &shortGrants{good: time.Hour}
	c, _, _ := setup(t, zohobooks.WithLimiter(grants))
	r := c.TryReserve(t.Context())
	if r == nil {
		t.Fatal("no reservation though a call may leave")
	}
	r.Release()
	grants.short = true
	if r := c.TryReserve(t.Context()); r != nil {
		t.Error("a reservation although calls have to wait")
	}
	plain, _, _ := setup(t, zohobooks.WithLimiter(&grantBook{}))
	if r := plain.TryReserve(t.Context()); r != nil {
		t.Error("a reservation of a limiter that cannot say whether a call has to wait")
	}
	if grants.asked.Load() != 1 || grants.done.Load() != 1 {
		t.Errorf("%d asked for, %d done", grants.asked.Load(), grants.done.Load())
	}
}

func TestSecretsAreTakenOutOfWhatServersEcho(t *testing.T) {
	t.Parallel()
	c, mux, _ := setup(t)
	mux.HandleFunc("/books/v3/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request-Id", "r7")
		answer(w, 400, `{"code":2,"message":"bad header `+r.Header.Get("Authorization")+` for `+refreshToken+` and `+clientSecret+`"}`)
	})
	for name, do := range everyCall() {
		err := do(t.Context(), c)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		noSecrets(t, err.Error())
	}
	long, mux2, _ := setup(t)
	big, _ := fixed(400, `{"code":2,"message":"`+strings.Repeat("ü", 5000)+`\n\u0000x"}`)
	mux2.HandleFunc("/books/v3/", big)
	var e *zohobooks.Error
	if err := long.VoidInvoice(t.Context(), "7"); !errors.As(err, &e) || len(e.Message) > 1024 || strings.ContainsAny(e.Message, "\n\x00\uFFFD") {
		t.Errorf("message of %d bytes", len(e.Message))
	}
}

func TestOrganizationIsTheClientsOwn(t *testing.T) {
	t.Parallel()
	c, mux, _ := setup(t)
	list, _ := fixed(200, `{"code":0,"organizations":[{"organization_id":"1","time_zone":"Europe/Berlin"},{"organization_id":"`+org+`","time_zone":"Asia/Kolkata"}]}`)
	mux.HandleFunc("GET /books/v3/organizations", list)
	if o, err := c.Organization(t.Context()); err != nil || o.TimeZone != "Asia/Kolkata" {
		t.Errorf("got %+v, %v", o, err)
	}
	c2, mux2, _ := setup(t)
	none, _ := fixed(200, `{"code":0,"organizations":[]}`)
	mux2.HandleFunc("GET /books/v3/organizations", none)
	if _, err := c2.Organization(t.Context()); zohobooks.Verdict(err).Action != zohobooks.ActionMissing {
		t.Errorf("got %v", err)
	}
}
