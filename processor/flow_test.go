package processor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/connectors/zohobooks"
)

// handClock is a clock that tests move.
type handClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *handClock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// topics is a Progress of which tests say what has passed.
type topics struct {
	passed map[string]bool
	asked  []string
	err    error
}

func (p *topics) Ends(_ context.Context, topic string) (map[int32]int64, error) {
	p.asked = append(p.asked, topic)
	return map[int32]int64{0: 1}, p.err
}

func (p *topics) Passed(_ context.Context, topic string, _ map[int32]int64) (bool, error) {
	return p.passed[topic], p.err
}

// oneAttempt is an attempt of a job that has nothing but a clock and topics.
func oneAttempt(clock Clock, progress Progress) *attempt {
	p := &Processor{cfg: Config{}.WithDefaults(), clock: clock, progress: progress, log: slog.New(slog.DiscardHandler)}
	tn := newTenant(p, Tenant{Organization: &Organization{Name: "shop", DependencyDeadline: time.Hour}})
	a := &attempt{
		p: p, w: &Work{}, d: &Delivery{Record: &kgo.Record{Topic: "commerce.refunds"}}, ctx: context.Background(), intake: context.Background(),
		event: &event{tenant: tn, workflow: WorkflowRefund, class: zohobooks.ClassOrder, ref: ClaimRef{RoleRefund, "R1"}},
	}
	return a
}

func TestTheClockOfAWait(t *testing.T) {
	t.Parallel()
	orders, payments := []ClaimRef{{RoleOrder, "O1"}}, []ClaimRef{{RolePayment, "P1"}}
	ask := func(t *testing.T, a *attempt, refs []ClaimRef, want bool) {
		t.Helper()
		got, end := a.expired(refs)
		if end != nil || got != want {
			t.Fatalf("expired: %v, ending %+v; want %v", got, end, want)
		}
	}
	// passes lets time pass as a waiting record sees it, which looks again and again.
	passes := func(t *testing.T, c *handClock, a *attempt, refs []ClaimRef, d time.Duration) {
		t.Helper()
		for ; d > a.p.cfg.Recheck; d -= a.p.cfg.Recheck {
			c.move(a.p.cfg.Recheck)
			ask(t, a, refs, false)
		}
		c.move(d)
	}
	setup := func() (*handClock, *topics, *attempt) {
		c, p := &handClock{now: time.Unix(1e9, 0)}, &topics{passed: map[string]bool{}}
		return c, p, oneAttempt(c, p)
	}
	t.Run("does not run while the topic is behind", func(t *testing.T) {
		t.Parallel()
		c, p, a := setup()
		ask(t, a, orders, false)
		c.move(5 * time.Hour)
		ask(t, a, orders, false)
		p.passed["commerce.orders"] = true
		c.move(time.Hour)
		ask(t, a, orders, false) // this hour was still behind
		passes(t, c, a, orders, 59*time.Minute)
		ask(t, a, orders, false)
		passes(t, c, a, orders, time.Minute)
		ask(t, a, orders, true)
	})
	t.Run("does not count a gap between two looks", func(t *testing.T) {
		t.Parallel()
		c, p, a := setup()
		p.passed["commerce.orders"] = true
		ask(t, a, orders, false)
		c.move(5 * time.Hour) // held by a pause of the organisation that was over when it looked again
		ask(t, a, orders, false)
	})
	t.Run("is not over before what came meanwhile is settled", func(t *testing.T) {
		t.Parallel()
		c, p, a := setup()
		p.passed["commerce.orders"] = true
		ask(t, a, orders, false)
		passes(t, c, a, orders, time.Hour)
		p.passed["commerce.orders"] = false
		ask(t, a, orders, false)
		c.move(time.Hour)
		ask(t, a, orders, false)
		p.passed["commerce.orders"] = true
		ask(t, a, orders, true)
	})
	t.Run("does not run while the organisation is paused or its circuit open", func(t *testing.T) {
		t.Parallel()
		c, p, a := setup()
		p.passed["commerce.orders"] = true
		ask(t, a, orders, false)
		a.tenant.gate.pause(c.Now().Add(3*time.Hour), "rate")
		c.move(2 * time.Hour)
		ask(t, a, orders, false)
		c.move(time.Hour - time.Minute)
		ask(t, a, orders, false)
		a.tenant.gate.reserve(zohobooks.ClassOrder, c.Now().Add(3*time.Hour))
		c.move(2 * time.Hour)
		ask(t, a, orders, false)
	})
	t.Run("starts anew when something else is waited for", func(t *testing.T) {
		t.Parallel()
		c, p, a := setup()
		p.passed["commerce.orders"] = true
		ask(t, a, orders, false)
		passes(t, c, a, orders, 50*time.Minute)
		ask(t, a, orders, false)
		ask(t, a, payments, false) // whose topic is behind
		c.move(50 * time.Minute)
		ask(t, a, payments, false)
		p.passed["commerce.payments"] = true
		ask(t, a, payments, false)
		passes(t, c, a, payments, time.Hour)
		ask(t, a, payments, true)
		if diff := cmp.Diff([]string{"commerce.orders", "commerce.payments"}, p.asked[:2]); diff != "" {
			t.Errorf("topics asked for (-want +got):\n%s", diff)
		}
	})
	t.Run("Kafka away parks", func(t *testing.T) {
		t.Parallel()
		_, p, a := setup()
		p.err = io.ErrUnexpectedEOF
		if expired, end := a.expired(orders); expired || end == nil || end.park == nil {
			t.Errorf("expired %v, ending %+v; want a park", expired, end)
		}
	})
}

// bulkBooks takes invoices that are marked sent.
type bulkBooks struct {
	Books
	mu    sync.Mutex
	calls [][]string
	err   func(ids []string) error
}

func (b *bulkBooks) MarkInvoicesSent(_ context.Context, ids []string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls = append(b.calls, ids)
	if b.err == nil {
		return nil
	}
	return b.err(ids)
}

func (b *bulkBooks) MarkInvoiceSent(ctx context.Context, id string) error {
	return b.MarkInvoicesSent(ctx, []string{id})
}

func TestInvoicesAreMarkedSentTogether(t *testing.T) {
	t.Parallel()
	refuse := &zohobooks.Error{Method: "POST", Status: 400, Code: 1002}
	down := &zohobooks.Error{Method: "POST", Status: 503, MaybeWritten: true}
	for name, tt := range map[string]struct {
		most, invoices int
		err            func(ids []string) error
		sizes          map[int]int // calls by size
		failed, shared int
	}{
		"fewer than a batch, after the wait":           {most: 25, invoices: 3, sizes: map[int]int{3: 1}},
		"full batches at once":                         {most: 2, invoices: 4, sizes: map[int]int{2: 2}},
		"batches of one":                               {most: 1, invoices: 3, sizes: map[int]int{1: 3}},
		"one refused: found out one by one":            {most: 3, invoices: 3, sizes: map[int]int{3: 1, 1: 3}, failed: 1, err: func(ids []string) error { return refusal1(ids, refuse) }},
		"one call that fails is one failure of Zoho's": {most: 5, invoices: 5, sizes: map[int]int{5: 1}, failed: 5, shared: 4, err: func([]string) error { return down }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				books := &bulkBooks{err: tt.err}
				b := &sentBatcher{books: books, answered: func() {}, most: tt.most, wait: time.Second, background: func(f func(context.Context)) { go f(t.Context()) }}
				errs := make([]error, tt.invoices)
				var wg sync.WaitGroup
				for i := range errs {
					wg.Go(func() { errs[i] = b.mark(t.Context(), fmt.Sprint(i)) })
				}
				wg.Wait()
				sizes, failed, shared := map[int]int{}, 0, 0
				for _, ids := range books.calls {
					sizes[len(ids)]++
				}
				for _, err := range errs {
					var s *sharedFailure
					if err != nil {
						failed++
					}
					if errors.As(err, &s) {
						shared++
					}
				}
				if diff := cmp.Diff(tt.sizes, sizes); diff != "" || failed != tt.failed || shared != tt.shared {
					t.Errorf("%d failed, %d of them shared, want %d, %d; calls by size (-want +got):\n%s", failed, shared, tt.failed, tt.shared, diff)
				}
			})
		})
	}
}

func refusal1(ids []string, err error) error {
	for _, id := range ids {
		if id == "1" {
			return err
		}
	}
	return nil
}

func TestABatchThatIsNotAnsweredEndsWithItsContext(t *testing.T) {
	t.Parallel()
	b := &sentBatcher{books: &bulkBooks{}, answered: func() {}, most: 25, wait: time.Hour, background: func(func(context.Context)) {}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.mark(ctx, "1"); !errors.Is(err, context.Canceled) {
		t.Errorf("mark: %v", err)
	}
	b.timer.Stop()
}

// probedBooks answers the probe.
type probedBooks struct {
	Books
	mu      sync.Mutex
	answers []error
	asked   int
}

func (b *probedBooks) Organization(context.Context) (*zohobooks.Organization, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	err := b.answers[min(b.asked, len(b.answers)-1)]
	b.asked++
	return nil, err
}

func TestTheCircuitOpensAndIsProbed(t *testing.T) {
	t.Parallel()
	down := &zohobooks.Error{Method: "GET", Status: 503}
	for name, tt := range map[string]struct {
		answers []error
		probes  int
	}{
		"closed by an answer":                    {[]error{down, down, nil}, 3},
		"closed by a refusal: Zoho is there":     {[]error{down, &zohobooks.Error{Method: "GET", Status: 401, Code: 57}}, 2},
		"not closed by a probe that wasn't made": {[]error{&zohobooks.BudgetError{Err: io.EOF}, nil}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				books := &probedBooks{answers: tt.answers}
				woken := 0
				g := &gate{
					books: books, clock: wall{}, key: "shop/circuit", wake: func(...string) { woken++ }, delay: time.Second, recheck: time.Minute,
					background: func(f func(context.Context)) { go f(t.Context()) },
				}
				for range outagesToOpen - 1 {
					g.outage()
				}
				g.answered(false)
				for range outagesToOpen - 1 {
					g.outage()
				}
				if !g.open() {
					t.Fatal("open although one answer came between")
				}
				g.outage()
				g.outage()
				if p := g.park(zohobooks.ClassPayment); p == nil || p.Reason != parkCircuit || len(p.Keys) != 1 {
					t.Fatalf("parked: %+v", p)
				}
				time.Sleep(10 * time.Minute) // of the bubble's clock
				synctest.Wait()
				if !g.open() || books.asked != tt.probes || woken != 1 {
					t.Errorf("open %v after %d probes, woken %d times; want true, %d, 1", g.open(), books.asked, woken, tt.probes)
				}
			})
		})
	}
}

type wall struct{}

func (wall) Now() time.Time { return time.Now() }

func TestWhatHappensWhenACallFails(t *testing.T) {
	t.Parallel()
	const success = 1
	for name, tt := range map[string]struct {
		err              error
		leaving          bool
		others           int // writes of others that succeeded since the last failure
		park             string
		class            string
		released, lost   bool
		counted          bool
		paused, reserved bool
	}{
		"Zoho down":                          {err: &zohobooks.Error{Method: "POST", Status: 503}, park: parkBackOff},
		"Zoho down while others succeed":     {err: &zohobooks.Error{Method: "POST", Status: 503}, others: success, park: parkBackOff, counted: true},
		"answer lost":                        {err: &zohobooks.Error{Method: "POST", MaybeWritten: true, Err: zohobooks.ErrLost}, park: parkInDoubt},
		"429":                                {err: &zohobooks.Error{Method: "POST", Status: 429, Code: 44}, others: success, park: parkPaused},
		"budget paused":                      {err: &zohobooks.BudgetError{Err: &zohobooks.PausedError{Until: time.Now().Add(time.Hour), Reason: "rate"}}, park: parkPaused, paused: true},
		"kept for payments and refunds":      {err: &zohobooks.BudgetError{Err: &zohobooks.PausedError{Until: time.Now().Add(time.Hour), Reason: PauseReserve}}, park: parkReserve, reserved: true},
		"Redis away: says nothing of Zoho":   {err: &zohobooks.BudgetError{Err: io.ErrUnexpectedEOF}, others: success, park: parkBackOff},
		"the token's store away":             {err: &zohobooks.AuthError{Code: zohobooks.AuthStore}, others: success, park: parkBackOff},
		"credentials refused":                {err: &zohobooks.AuthError{Code: "invalid_code", Permanent: true}, park: parkPaused, paused: true},
		"the scope is missing":               {err: &zohobooks.Error{Method: "POST", Status: 401, Code: 57}, park: parkPaused, paused: true},
		"refused for good":                   {err: &zohobooks.Error{Method: "POST", Status: 400, Code: 2}, class: "rejected.books"},
		"claim store away":                   {err: &storeError{io.ErrUnexpectedEOF}, park: parkRedis},
		"claim lost":                         {err: &storeError{ErrLost}, lost: true},
		"another epoch":                      {err: &storeError{ErrEpochChanged}, park: parkEpoch},
		"claim store away while leaving":     {err: &storeError{io.ErrUnexpectedEOF}, leaving: true, released: true},
		"not called because leaving":         {err: errLeaving, leaving: true, released: true},
		"interrupted while leaving":          {err: &zohobooks.BudgetError{Err: context.Canceled}, leaving: true, released: true},
		"circuit opened meanwhile":           {err: &heldError{&Park{Reason: parkCircuit}}, park: parkCircuit},
		"a plan that can't be made":          {err: reject("rejected.tax", "no"), class: "rejected.tax"},
		"search that says nothing":           {err: zohobooks.ErrSearchIncomplete, others: success, park: parkBackOff, counted: true},
		"24016 that nobody planned around":   {err: &zohobooks.Error{Method: "POST", Status: 400, Code: 24016}, class: "rejected.books"},
		"the document that was read is gone": {err: &zohobooks.Error{Method: "GET", Status: 404, Code: 1002}, class: "rejected.books"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := oneAttempt(wall{}, &topics{})
			if tt.leaving {
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				a.intake = ctx
			}
			a.w.failedAt = time.Now()
			for range tt.others {
				a.tenant.gate.answered(true)
			}
			end := a.failed("paying", tt.err)
			if got := a.w.attempts > 0; got != tt.counted {
				t.Errorf("counted: %v, want %v", got, tt.counted)
			}
			st := a.tenant.gate.state()
			if paused := !st.PausedUntil.IsZero(); paused != tt.paused {
				t.Errorf("paused: %v, want %v", paused, tt.paused)
			}
			if tt.reserved && (a.tenant.gate.park(zohobooks.ClassPayment) != nil || a.tenant.gate.open()) {
				t.Error("the reserve must hold orders, and nobody else")
			}
			var park, class string
			if end.park != nil {
				park = end.park.Reason
			}
			if end.reject != nil {
				class = end.reject.Class
			}
			if park != tt.park || class != tt.class || end.released != tt.released || end.lost != tt.lost {
				t.Errorf("ending %+v: park %q, class %q", end, park, class)
			}
		})
	}
}

func TestEightCountedFailuresExhaustARecord(t *testing.T) {
	t.Parallel()
	a := oneAttempt(wall{}, &topics{})
	down := &zohobooks.Error{Method: "POST", Status: 500, Code: 1000, MaybeWritten: true}
	a.inDoubt = doubt{step: stepPayment, since: time.Now()}
	a.failed("paying", down) // what came before the first failure says nothing
	for n := range 8 {
		for range 3 { // while nobody's writes succeed it's Zoho that is down
			if end := a.failed("paying", down); end.park == nil {
				t.Fatalf("after %d counted failures: %+v", n, end)
			}
		}
		a.tenant.gate.answered(true)
		end := a.failed("paying", down)
		if done := end.reject != nil; done != (n == 7) {
			t.Fatalf("after %d counted failures: %+v", n+1, end)
		}
		if end.reject != nil && (end.reject.Class != "exhausted" || end.reject.Status != 500) {
			t.Errorf("rejected as %+v", end.reject)
		}
	}
}
