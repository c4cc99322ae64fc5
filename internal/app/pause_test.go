package app

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/connectors/redis"
	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/operator/control"
	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/internal/testkit"
	"github.com/booksync/booksync/schemas"
)

var anOperator = control.Owner{Name: control.People, Actor: "ann"}

// control is the switches as an operator's machine sees them: on a connection of its own.
func (w *world) control() *redis.Switches {
	w.Helper()
	rc, err := w.cfg.RedisConfig(nil)
	if err != nil {
		w.Fatal(err)
	}
	rc.SkipServerCheck = true
	c, err := redis.Open(context.Background(), rc)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = c.Close() })
	return redis.NewSwitches(c, w.cfg.Kafka.Group)
}

func (w *world) pause(scope control.Scope) {
	w.Helper()
	if _, err := control.Pause(context.Background(), w.control(), scope, "a test", anOperator); err != nil {
		w.Fatal(err)
	}
}

func (w *world) resume(scope control.Scope) {
	w.Helper()
	if _, err := control.Resume(context.Background(), w.control(), scope, anOperator, false); err != nil {
		w.Fatal(err)
	}
}

// slowBooks stands between booksync and the simulator: it delays every call and notes when writes arrive.
type slowBooks struct {
	delay  time.Duration
	mu     sync.Mutex
	writes []time.Time
}

// behind makes the world's API calls go through b.
func behind(t *testing.T, b *slowBooks) option {
	return configured(func(cfg *config.Config) {
		target, err := url.Parse(strings.TrimSuffix(cfg.Zoho.APIBase, "/books/v3"))
		if err != nil {
			t.Fatal(err)
		}
		proxy := httputil.NewSingleHostReverseProxy(target)
		transport := &http.Transport{MaxIdleConnsPerHost: 20}
		proxy.Transport = transport
		server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet {
				b.mu.Lock()
				b.writes = append(b.writes, time.Now())
				b.mu.Unlock()
			}
			select {
			case <-time.After(b.delay):
			case <-r.Context().Done():
			}
			proxy.ServeHTTP(rw, r)
		}))
		t.Cleanup(func() { server.Close(); transport.CloseIdleConnections() })
		cfg.Zoho.APIBase = server.URL + "/books/v3"
	})
}

func (b *slowBooks) since(at time.Time) (n int, last time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range b.writes {
		if w.After(at) {
			n, last = n+1, w.Sub(at)
		}
	}
	return n, last
}

// TestNoWriteLeavesASecondAfterThePause runs two replicas at full speed, pauses everything from a third connection, and counts
// the writes that arrive at Zoho from one second after Pause returned.
func TestNoWriteLeavesASecondAfterThePause(t *testing.T) {
	t.Parallel()
	books := &slowBooks{delay: 100 * time.Millisecond}
	w := newWorld(t, simulator.Switches{}, behind(t, books))
	replicas := []*replica{w.start(), w.start()}
	until(w, "each replica to own a partition", func() bool { // before there is work: one alone would soon have done it
		for _, r := range replicas {
			if e := r.engine.Load(); e == nil || len(e.Status().Partitions) == 0 || len(e.Status().Partitions) > 3 {
				return false
			}
		}
		return true
	})
	var orders []*kgo.Record
	for i := range 150 {
		orders = append(orders, w.one(w.order(fmt.Sprint("O", i))))
	}
	settled := func() (n int) {
		for _, r := range orders {
			if w.outcome(r) != nil {
				n++
			}
		}
		return n
	}
	until(w, "both replicas to work", func() bool {
		for _, r := range replicas {
			if e := r.engine.Load(); e == nil || e.Status().Settled < 3 {
				return false
			}
		}
		return true
	})

	w.pause(control.Scope{})
	paused := time.Now()
	until(w, "the deadline of the pause, and some time", func() bool { return time.Since(paused) > 3*control.TakesEffect })
	for _, r := range replicas {
		r.parked("paused", 1)
	}
	late, _ := books.since(paused.Add(control.TakesEffect))
	_, last := books.since(paused)
	t.Logf("the last write arrived %s after the pause", last.Round(time.Millisecond))
	if late > 0 {
		t.Errorf("%d writes arrived more than %s after the pause, the last %s after it", late, control.TakesEffect, last)
	}
	before := settled()
	if before == len(orders) {
		t.Fatal("everything was settled before the pause: the test shows nothing")
	}

	w.resume(control.Scope{})
	w.posted(orders...)
}

func TestAPauseConcernsItsScopeOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{}, waits(time.Hour))
	w.pause(control.Scope{Workflow: "payment"})
	r := w.start()
	order, pay := w.one(w.order("O1")), w.one(w.payment("P1", "O1", "433"))
	poison := w.one(&kgo.Record{Topic: w.cfg.Topics.Payments[0], Key: []byte("O9"), Value: []byte("no avro")})
	w.posted(order)
	r.parked("paused", 2)
	if w.outcome(pay) != nil || w.outcome(poison) != nil {
		t.Error("a record of the paused workflow was settled")
	}
	w.resume(control.Scope{Workflow: "payment"})
	w.posted(pay)
	w.rejected(poison, "poison.decode")

	// Another organisation's pause is none of this one's.
	w.pause(control.Scope{Organization: "another"})
	w.posted(w.one(w.order("O2")))
	w.pause(control.Scope{Organization: w.name})
	held := w.one(w.order("O3"))
	r.parked("paused", 1)
	w.resume(control.Scope{Organization: w.name})
	w.posted(held)
}

func TestNoDeadlineRunsWhileWhatIsWaitedForIsPaused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	r := w.start()
	w.pause(control.Scope{Workflow: "order"})
	order := w.one(w.order("O1"))
	r.parked("paused", 1)
	pay := w.one(w.payment("P1", "O1", "433"))
	r.parked("dependency", 1)
	begun := time.Now()
	until(w, "several deadlines to pass", func() bool { return time.Since(begun) > 3*deadline })
	if out := w.outcome(pay); out != nil {
		t.Fatalf("the payment was settled: %+v", out.Error)
	}
	w.resume(control.Scope{Workflow: "order"})
	w.posted(order, pay)
}

func TestAPauseOutlivesRedisAndItsMemory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	r := w.start()
	w.posted(w.one(w.order("O1")))
	w.pause(control.Scope{Workflow: "order"})
	held := w.one(w.order("O2"))
	r.parked("paused", 1)

	w.redis.Kill(t)
	until(w, "the state to be old", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		defer cancel()
		return r.switches.Load().Fresh(ctx) != nil
	})
	if !r.switches.Load().Paused(w.name, "order") {
		t.Error("the pause was forgotten while Redis was away")
	}
	w.redis.Start(t) // empty
	store := w.control()
	testkit.Until(t, patience, "the pause to be put back", func() bool {
		all, err := control.List(context.Background(), store)
		return err == nil && len(all) == 1 && all[0].Reason == "a test" && all[0].Actor == "ann"
	})
	if w.outcome(held) != nil {
		t.Error("the record was settled although it's paused")
	}
	w.resume(control.Scope{Workflow: "order"})
	w.posted(held)
}

func TestAPauseInTheMiddleOfARecordKeepsItsLaterWritesBack(t *testing.T) {
	t.Parallel()
	books := &slowBooks{delay: 400 * time.Millisecond} // the contact's call takes that long
	w := newWorld(t, simulator.Switches{}, behind(t, books))
	r := w.start()
	order := w.one(w.order("O1"))
	until(w, "the first write to be under way", func() bool { n, _ := books.since(time.Time{}); return n == 1 })
	w.pause(control.Scope{Organization: w.name, Workflow: "order"})
	r.parked("paused", 1)
	if n, _ := books.since(time.Time{}); n != 1 {
		t.Errorf("%d writes were made, want only the one that was under way", n)
	}
	w.resume(control.Scope{Organization: w.name, Workflow: "order"})
	if out := w.await(order); out.Status != schemas.StatusPosted {
		t.Errorf("%s: %+v", out.Status, out.Error)
	}
}
