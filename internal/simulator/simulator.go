package simulator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Simulator is one simulated Zoho: accounts server and Books API for any number of organisations. Safe for concurrent use.
type Simulator struct {
	cfg      Config
	accounts *accounts
	orgs     map[string]*books
	orgIDs   []string
	faults   *faults
	handler  http.Handler

	closed  chan struct{} // closed by Close: latency and hanging answers end
	once    sync.Once
	working sync.WaitGroup // requests being answered and writes landing late
	timers  sync.Map       // cancel functions of writes that have not landed
}

// New builds a simulator. It panics on a configuration that cannot be: an unknown time zone, a number that is none, a
// tax group or item that names something absent.
func New(cfg Config) *Simulator {
	cfg = cfg.WithDefaults()
	s := &Simulator{cfg: cfg, orgs: map[string]*books{}, closed: make(chan struct{})}
	s.accounts = newAccounts(&s.cfg)
	s.faults = newFaults(s)
	for _, o := range cfg.Organizations {
		b, err := newBooks(s, o)
		if err != nil {
			panic(fmt.Sprintf("simulator: %v", err))
		}
		s.orgs[b.org.ID] = b
		s.orgIDs = append(s.orgIDs, b.org.ID)
	}
	s.handler = s.routes()
	return s
}

// Handler serves everything: /oauth/v2/..., /books/v3/... and /_simulator/...
func (s *Simulator) Handler() http.Handler { return s.handler }

// Start listens on addr ("127.0.0.1:0" for any port) and serves until stop is called. stop closes all connections, drops
// writes that have not landed, and returns when nothing runs any more.
func (s *Simulator) Start(addr string) (baseURL string, stop func(), err error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", addr)
	if err != nil {
		return "", nil, fmt.Errorf("starting the simulator: %w", err)
	}
	return "http://" + l.Addr().String(), s.Serve(l), nil
}

// Serve serves on a listener until stop is called, which does what Start says.
func (s *Simulator) Serve(l net.Listener) (stop func()) {
	srv := &http.Server{Handler: s.handler, ReadHeaderTimeout: 30 * time.Second}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	var once sync.Once
	return func() {
		once.Do(func() {
			s.Close()
			_ = srv.Close()
			if err := <-done; err != nil && !errors.Is(err, http.ErrServerClosed) {
				panic(fmt.Sprintf("simulator: serving: %v", err))
			}
			s.working.Wait()
		})
	}
}

// Close ends answers that wait and cancels writes that have not landed. The handler goes on answering.
func (s *Simulator) Close() {
	s.once.Do(func() {
		close(s.closed)
		s.timers.Range(func(k, cancel any) bool {
			if _, mine := s.timers.LoadAndDelete(k); mine {
				cancel.(func() bool)()
				s.working.Done()
			}
			return true
		})
	})
}

// AddField makes a custom field, as an operator would in Zoho's settings or booksync setup through the API.
func (s *Simulator) AddField(org string, fields ...Field) {
	b := s.org(org)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range fields {
		b.addField(f)
	}
}

// AddFields makes the two fields booksync lives on, for every kind of document: one unique for the key and a plain one
// for the origin. The names are api names, such as cf_booksync_key.
func (s *Simulator) AddFields(org, keyField, originField string) {
	s.AddField(org, BooksyncFields(keyField, originField)...)
}

// BooksyncFields are the fields AddFields makes, for Org.Fields.
func BooksyncFields(keyField, originField string) []Field {
	var out []Field
	for _, entity := range []string{EntityContact, EntityInvoice, EntityPayment, EntityCreditNote} {
		out = append(out,
			Field{Entity: entity, Label: title(keyField[len("cf_"):]), APIName: keyField, Unique: true},
			Field{Entity: entity, Label: title(originField[len("cf_"):]), APIName: originField})
	}
	return out
}

// SetLimits changes an organisation's limits while it runs: calls a day, in 60 s, and in flight. 0 leaves one as it is,
// a negative number lifts it.
func (s *Simulator) SetLimits(org string, day, minute, concurrency int) {
	given := func(n int) *int {
		if n == 0 {
			return nil
		}
		return &n
	}
	s.org(org).limiter.change(given(day), given(minute), given(concurrency))
}

// SetLock closes an organisation's books up to and including date (yyyy-mm-dd); "" opens them.
func (s *Simulator) SetLock(org, date string) {
	b := s.org(org)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.locks = nil
	if date != "" {
		b.locks = []lock{{Lock: Lock{Date: date}, id: b.newID()}}
	}
}

// Calls is what arrived for an organisation since the start or the last ResetCalls.
func (s *Simulator) Calls(org string) Calls { return s.org(org).limiter.snapshot() }

// ResetCalls starts the counts of Calls anew; limits go on.
func (s *Simulator) ResetCalls(org string) {
	l := &s.org(org).limiter
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls.reset()
}

// org finds an organisation; it panics for one that is not configured, which is a caller's bug.
func (s *Simulator) org(id string) *books {
	b := s.orgs[id]
	if b == nil {
		panic(fmt.Sprintf("simulator: no organisation %q", id))
	}
	return b
}

// wait lets d pass, or less when the simulator is closed. It goes on although the client has left: the work of a request
// is done all the same.
func (s *Simulator) wait(d time.Duration) {
	if d <= 0 {
		return
	}
	fired := make(chan struct{})
	cancel := s.cfg.AfterFunc(d, func() { close(fired) })
	select {
	case <-fired:
	case <-s.closed:
		cancel()
	}
}

// later runs f after d, unless the simulator is closed before.
func (s *Simulator) later(d time.Duration, f func()) {
	key := new(int)
	ready := make(chan struct{})
	s.working.Add(1)
	cancel := s.cfg.AfterFunc(d, func() {
		<-ready
		if _, mine := s.timers.LoadAndDelete(key); mine {
			defer s.working.Done()
			f()
		}
	})
	s.timers.Store(key, cancel)
	close(ready)
}

func itoa(n int) string { return strconv.Itoa(n) }

func utoa(n uint64) string { return strconv.FormatUint(n, 10) }
