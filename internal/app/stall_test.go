package app

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/connectors/kafka"
	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/operator/control"
	"github.com/booksync/booksync/internal/simulator"
)

// stallAfter stands for the 50 seconds of production where something hangs; where nothing must be found, busyAfter does, which a
// busy machine does not reach by itself.
const (
	stallAfter = 3 * time.Second
	busyAfter  = 10 * time.Second
)

// TestTheStallIsKnownWithinAMinute holds the default to what the documents promise.
func TestTheStallIsKnownWithinAMinute(t *testing.T) {
	t.Parallel()
	s := &Service{cfg: config.Default()}
	limit := s.stallAfter()
	if known := limit + limit/looksPerStall; known > time.Minute {
		t.Errorf("a stall is known after %s", known)
	}
	if least := s.cfg.Zoho.Timeout; limit <= least {
		t.Errorf("a call may take %s and counts as hanging after %s", least, limit)
	}
	s.cfg.Zoho.Timeout = 2 * time.Minute
	if limit := s.stallAfter(); limit <= s.cfg.Zoho.Timeout {
		t.Errorf("a call may take %s and counts as hanging after %s", s.cfg.Zoho.Timeout, limit)
	}
}

// watched starts a replica that serves its health and stalls early.
func (w *world) watched(change ...func(*Options)) *replica {
	w.Helper()
	w.cfg.HTTP.Listen = "127.0.0.1:0"
	return w.start(append([]func(*Options){func(o *Options) { o.StallAfter = stallAfter }}, change...)...)
}

// get asks one of the replica's endpoints.
func (r *replica) get(path string) (code int, body string) {
	r.w.Helper()
	until(r.w, "the address", func() bool { return r.Addr() != "" })
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+r.Addr()+path, nil)
	if err != nil {
		r.w.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.w.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.w.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func (r *replica) stalledMetric() string {
	r.w.Helper()
	_, body := r.get("/metrics")
	for line := range strings.Lines(body) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok && strings.HasPrefix(name, "booksync_stalled") {
			return value
		}
	}
	return ""
}

// stalls waits until /healthz and the metric say that work stalled, for a reason with these words.
func (r *replica) stalls(words string) {
	r.w.Helper()
	until(r.w, "/healthz to fail", func() bool { code, _ := r.get("/healthz"); return code == http.StatusServiceUnavailable })
	if _, body := r.get("/healthz"); !strings.Contains(body, words) {
		r.w.Errorf("/healthz does not say %q:\n%s", words, body)
	}
	if got := r.stalledMetric(); got != "1" {
		r.w.Errorf("booksync_stalled is %q, want 1", got)
	}
}

// recovers waits until they say that it moves again.
func (r *replica) recovers() {
	r.w.Helper()
	until(r.w, "/healthz to be well", func() bool { code, _ := r.get("/healthz"); return code == http.StatusOK })
	if got := r.stalledMetric(); got != "0" {
		r.w.Errorf("booksync_stalled is %q, want 0", got)
	}
}

// staysWell asks for a time in which a stall would show several times over.
func (r *replica) staysWell(d time.Duration) {
	r.w.Helper()
	end := time.Now().Add(d)
	until(r.w, "time to pass", func() bool {
		if code, body := r.get("/healthz"); code != http.StatusOK {
			r.w.Fatalf("/healthz: %d %s", code, body)
		}
		return time.Now().After(end)
	})
}

// hang blocks whoever enters, whatever their contexts say, until it is released.
type hang struct {
	once    sync.Once
	release chan struct{}
	entered atomic.Int64
}

func newHang(t *testing.T) *hang {
	h := &hang{release: make(chan struct{})}
	t.Cleanup(h.end)
	return h
}

func (h *hang) enter() {
	h.entered.Add(1)
	<-h.release
}

func (h *hang) end() { h.once.Do(func() { close(h.release) }) }

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestACallThatNeverAnswersFailsHealth: the transport ignores its context, so no timeout helps. Other orders go on.
func TestACallThatNeverAnswersFailsHealth(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.unsettled = true
	h, transport := newHang(t), &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	r := w.watched(func(o *Options) {
		o.books = append(o.books, zohobooks.WithHTTPTransport(roundTripper(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, "/invoices") && h.entered.Load() == 0 {
				h.enter()
			}
			return transport.RoundTrip(req)
		})))
	})
	w.one(w.order("O1"))
	until(w, "the call", func() bool { return h.entered.Load() > 0 })
	for i := range 5 { // the silent part: all others are posted
		w.posted(w.one(w.order(fmt.Sprint("X", i))))
	}
	r.stalls("1 records are worked on without a sign of life, the longest for ")
	if _, body := r.get("/healthz"); !strings.Contains(body, w.cfg.Topics.Orders[0]+"/") {
		t.Errorf("the record is not named:\n%s", body)
	}
	h.end()
	r.recovers()
}

// TestADeadlockFailsHealth: an attempt waits for a lock that nobody gives back.
func TestADeadlockFailsHealth(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	h := newHang(t)
	r := w.watched(func(o *Options) {
		o.wrap = func(next kafka.Handler) kafka.Handler {
			return kafka.HandlerFunc(func(ctx context.Context, d *kafka.Delivery) kafka.Result {
				if string(d.Record.Key) == "O1" {
					h.enter()
				}
				return next.Handle(ctx, d)
			})
		}
	})
	stuck := w.one(w.order("O1"))
	w.posted(w.one(w.order("O2")))
	r.stalls("without a sign of life")
	h.end()
	w.posted(stuck)
	r.recovers()
}

// TestAHangingLoopFailsHealth: the engine's own goroutine does not come back.
func TestAHangingLoopFailsHealth(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	h := newHang(t)
	r := w.watched(func(o *Options) {
		o.wrap = func(next kafka.Handler) kafka.Handler {
			return kafka.HandlerFunc(func(ctx context.Context, d *kafka.Delivery) kafka.Result {
				result := next.Handle(ctx, d)
				if result.Publish != nil {
					result.Published = h.enter
				}
				return result
			})
		}
	})
	w.one(w.order("O1"))
	until(w, "the loop to hang", func() bool { return h.entered.Load() > 0 })
	r.stalls("the engine's loop has not turned for ")
	h.end()
	r.recovers()
}

// deafConn stands between the client and a broker: once silenced, what is asked by Fetch requests is never answered on it.
type deafConn struct {
	net.Conn
	silent  *atomic.Bool
	fetches atomic.Bool
}

func (c *deafConn) Write(b []byte) (int, error) {
	const fetch = 1 // Kafka's key of the request, behind the frame's length
	if len(b) >= 6 && binary.BigEndian.Uint16(b[4:]) == fetch {
		c.fetches.Store(true)
	}
	return c.Conn.Write(b)
}

func (c *deafConn) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		if err != nil || !c.fetches.Load() || !c.silent.Load() {
			return n, err
		}
	}
}

// TestAPartitionThatIsNeverFetchedFailsHealth: brokers answer everything but fetches. Nothing is open, nothing fails.
func TestAPartitionThatIsNeverFetchedFailsHealth(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	var silent atomic.Bool
	r := w.watched(func(o *Options) {
		o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, addr)
			if err != nil || !slices.Contains(w.addrs, addr) {
				return c, err
			}
			return &deafConn{Conn: c, silent: &silent}, nil
		}
	})
	w.posted(w.one(w.order("O1")))
	silent.Store(true)
	var late []*kgo.Record
	var last time.Time
	until(w, "/healthz to fail", func() bool {
		if time.Since(last) > time.Second { // a fetch under way may still bring the first
			last = time.Now()
			late = append(late, w.one(w.order(fmt.Sprint("O", 2+len(late)))))
		}
		code, _ := r.get("/healthz")
		return code == http.StatusServiceUnavailable
	})
	r.stalls("nothing was fetched for ")
	silent.Store(false)
	w.posted(late...)
	r.recovers()
}

// TestWhatWaitsForAReasonIsWell: busy, paused, parked, out of quota, short of budget, without Redis, without Kafka, Zoho down.
func TestWhatWaitsForAReasonIsWell(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("watches real time")
	}
	const well = 2 * busyAfter
	slow := func(o *Options) { o.StallAfter = busyAfter }
	t.Run("paused by an operator", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, simulator.Switches{})
		r := w.watched(slow)
		w.pause(control.Scope{})
		rec := w.one(w.order("O1"))
		r.parked("paused", 1)
		r.staysWell(well)
		w.resume(control.Scope{})
		w.posted(rec)
	})
	t.Run("out of quota", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, simulator.Switches{}, company(func(o *simulator.Org) { o.PlanQuota = 15 }))
		w.unsettled = true
		r := w.watched(slow)
		for i := range 20 {
			w.one(w.order(fmt.Sprint("O", i)))
		}
		until(w, "records that wait for the quota", func() bool {
			e := r.engine.Load()
			return e != nil && e.Status().Parked["paused"]+e.Status().Parked["day_reserve"] > 0
		})
		r.staysWell(well)
	})
	t.Run("parked", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, simulator.Switches{}, waits(time.Hour))
		r := w.watched(slow)
		payment := w.one(w.payment("P1", "O1", "433"))
		r.parked("dependency", 1)
		r.staysWell(well)
		w.posted(w.one(w.order("O1")), payment)
	})
	t.Run("backlog at the limit", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, simulator.Switches{}, configured(func(c *config.Config) { c.Zoho.CallsPerMinute, c.Zoho.Window = 2, 2*time.Second }))
		w.unsettled = true
		r := w.watched(slow)
		for i := range 60 { // a minute's work; the last attempts wait nearly as long for their grants
			w.one(w.order(fmt.Sprint("O", i)))
		}
		until(w, "work", func() bool { e := r.engine.Load(); return e != nil && e.Status().Running > 20 })
		r.staysWell(well)
	})
	t.Run("slow answers", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, simulator.Switches{}, configured(func(c *config.Config) { c.Zoho.Timeout = busyAfter * 9 / 10 }))
		r := w.watched(slow)
		w.inject(simulator.Fault{Kind: simulator.FaultLatency, Method: http.MethodPost, Path: "/invoices", Delay: busyAfter * 7 / 10})
		rec := w.one(w.order("O1"))
		r.staysWell(well)
		w.posted(rec)
	})
	t.Run("Zoho is down", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, simulator.Switches{})
		r := w.watched(slow)
		w.posted(w.one(w.order("O0")))
		w.inject(simulator.Fault{Kind: simulator.FaultHang, Path: "*", For: well})
		var late []*kgo.Record
		for i := range 10 {
			late = append(late, w.one(w.order(fmt.Sprint("X", i))))
		}
		r.staysWell(well)
		w.posted(late...)
	})
	t.Run("Redis is away", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, simulator.Switches{})
		r := w.watched(slow)
		w.posted(w.one(w.order("O0")))
		w.redis.Kill(t)
		late := w.one(w.order("O1"))
		r.staysWell(well)
		w.redis.Start(t)
		w.posted(late)
	})
	t.Run("Kafka is away", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, simulator.Switches{})
		var away atomic.Bool
		var mu sync.Mutex
		var conns []net.Conn
		const limit = 15 * time.Second // beginning anew may take ten
		r := w.watched(func(o *Options) {
			o.StallAfter = limit
			o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
				kafkas := slices.Contains(w.addrs, addr)
				if kafkas && away.Load() {
					return nil, errors.New("no route to the broker")
				}
				c, err := new(net.Dialer).DialContext(ctx, network, addr)
				if err == nil && kafkas {
					mu.Lock()
					conns = append(conns, c)
					mu.Unlock()
				}
				return c, err
			}
		})
		w.posted(w.one(w.order("O0")))
		w.inject(simulator.Fault{Kind: simulator.FaultLatency, Method: http.MethodPost, Delay: 300 * time.Millisecond})
		late := w.one(w.order("O1"))
		w.hit(simulator.FaultLatency) // its result will find no broker
		away.Store(true)
		mu.Lock()
		for _, c := range conns {
			_ = c.Close()
		}
		mu.Unlock()
		r.staysWell(limit * 5 / 3)
		if code, _ := r.get("/readyz"); code != http.StatusServiceUnavailable {
			t.Errorf("/readyz: %d without a broker", code)
		}
		away.Store(false)
		w.posted(late)
	})
}
