package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"go.uber.org/goleak"
)

// realRedis names the variable with host:port of a Redis that the tests may use beside miniredis.
const realRedis = "BOOKSYNC_TEST_REDIS"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bundle is a server, an organisation of the test's own and ways to reach them.
type bundle struct {
	t    *testing.T
	ctx  context.Context
	addr string
	mini *miniredis.Miniredis // nil on a real Redis
	org  string
}

// onServers runs a test on miniredis and, where the environment names one, on a real Redis.
func onServers(t *testing.T, test func(t *testing.T, s *bundle)) {
	t.Helper()
	t.Run("miniredis", func(t *testing.T) {
		t.Parallel()
		test(t, setupMini(t))
	})
	if addr := os.Getenv(realRedis); addr != "" {
		t.Run("redis", func(t *testing.T) {
			t.Parallel()
			s := &bundle{t: t, ctx: testContext(t), addr: addr, org: organization(t)}
			t.Cleanup(func() { s.empty() })
			test(t, s)
		})
	}
}

// onServersAlone is onServers without anything else at the same time, for tests that measure.
func onServersAlone(t *testing.T, test func(t *testing.T, s *bundle)) {
	t.Helper()
	t.Run("miniredis", func(t *testing.T) { test(t, setupMini(t)) })
	if addr := os.Getenv(realRedis); addr != "" {
		t.Run("redis", func(t *testing.T) {
			s := &bundle{t: t, ctx: testContext(t), addr: addr, org: organization(t)}
			t.Cleanup(func() { s.empty() })
			test(t, s)
		})
	}
}

func setupMini(t *testing.T) *bundle {
	t.Helper()
	mini := miniredis.RunT(t)
	return &bundle{t: t, ctx: testContext(t), addr: mini.Addr(), mini: mini, org: organization(t)}
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

var organizations atomic.Int64

func organization(t *testing.T) string {
	return fmt.Sprintf("test-%d-%d-%d", os.Getpid(), time.Now().UnixNano(), organizations.Add(1))
}

// open gives a client of its own, as a replica would have.
func (s *bundle) open() *Client { return s.openAt(s.addr) }

func (s *bundle) openAt(addr string) *Client {
	s.t.Helper()
	c, err := Open(s.ctx, Config{Addresses: []string{addr}, SkipServerCheck: true, Timeout: 2 * time.Second, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		s.t.Fatalf("Open: %v", err)
	}
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

// claims gives claims on a client of their own and the id of the organisation's epoch.
func (s *bundle) claims() (*Claims, string) {
	s.t.Helper()
	return s.claimsOn(s.open())
}

func (s *bundle) claimsOn(c *Client) (*Claims, string) {
	s.t.Helper()
	claims, err := NewClaims(c, ClaimsConfig{})
	if err != nil {
		s.t.Fatal(err)
	}
	e, err := c.Epoch(s.ctx, s.org, EpochFacts{})
	if err != nil {
		s.t.Fatalf("Epoch: %v", err)
	}
	return claims, e.ID
}

// empty removes everything of the test's organisation.
func (s *bundle) empty() {
	s.t.Helper()
	ctx := context.Background()
	c := s.plain()
	keys, err := c.rdb.Keys(ctx, keysOf(s.org).prefix+"*").Result()
	if err != nil {
		s.t.Fatalf("listing keys: %v", err)
	}
	if len(keys) > 0 {
		if err := c.rdb.Del(ctx, keys...).Err(); err != nil {
			s.t.Fatalf("removing keys: %v", err)
		}
	}
	_ = c.Close()
}

func (s *bundle) plain() *Client {
	s.t.Helper()
	c, err := Open(context.Background(), Config{Addresses: []string{s.addr}, SkipServerCheck: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		s.t.Fatalf("Open: %v", err)
	}
	return c
}

// lapse makes the leases of claims and orders end now, without waiting.
func (s *bundle) lapse(c *Client, refs ...Ref) {
	s.t.Helper()
	for _, r := range refs {
		key := keysOf(s.org).claim(r)
		for _, field := range []string{"until", "luntil"} {
			if ok, err := c.rdb.HExists(s.ctx, key, field).Result(); err == nil && ok {
				if err := c.rdb.HSet(s.ctx, key, field, 1).Err(); err != nil {
					s.t.Fatal(err)
				}
			}
		}
	}
}

// seed gives the randomness of a test, and prints it when the test fails.
func seed(t *testing.T) *rand.Rand {
	t.Helper()
	n := uint64(time.Now().UnixNano())
	if v := os.Getenv("BOOKSYNC_TEST_SEED"); v != "" {
		if _, err := fmt.Sscan(v, &n); err != nil {
			t.Fatalf("reading BOOKSYNC_TEST_SEED: %v", err)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("BOOKSYNC_TEST_SEED=%d", n)
		}
	})
	return rand.New(rand.NewPCG(n, n))
}

// proxy stands between client and server and can lose answers: the command is executed, the connection breaks before its answer arrives.
type proxy struct {
	listener net.Listener
	server   string
	lose     atomic.Int64 // how many answers are still to be lost
	lost     atomic.Int64
	match    atomic.Pointer[string] // only of commands that hold this text
	down     atomic.Bool
	wg       sync.WaitGroup
	mu       sync.Mutex
	conns    map[net.Conn]struct{}
}

func (s *bundle) proxy() *proxy {
	s.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	p := &proxy{listener: l, server: s.addr, conns: make(map[net.Conn]struct{})}
	p.wg.Go(p.accept)
	s.t.Cleanup(func() {
		_ = l.Close()
		p.cut()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

// loseNext loses the next n answers to commands that hold the text.
func (p *proxy) loseNext(n int, text string) {
	p.match.Store(&text)
	p.lose.Store(int64(n))
}

// cut breaks all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil || p.down.Load() {
			if client != nil {
				_ = client.Close()
			}
			continue
		}
		server, err := net.Dial("tcp", p.server)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.conns[client], p.conns[server] = struct{}{}, struct{}{}
		p.mu.Unlock()
		var dropping atomic.Bool
		p.wg.Go(func() {
			p.copy(server, client, func(b []byte) bool {
				if m := p.match.Load(); m != nil && strings.Contains(string(b), *m) && p.lose.Load() > 0 && p.lose.Add(-1) >= 0 {
					dropping.Store(true)
				}
				return true
			})
		})
		p.wg.Go(func() {
			p.copy(client, server, func([]byte) bool {
				if dropping.Load() {
					p.lost.Add(1)
					return false
				}
				return true
			})
		})
	}
}

func (p *proxy) copy(dst, src net.Conn, pass func([]byte) bool) {
	defer func() {
		_ = dst.Close()
		_ = src.Close()
		p.mu.Lock()
		delete(p.conns, dst)
		delete(p.conns, src)
		p.mu.Unlock()
	}()
	buf := make([]byte, 1<<16)
	for {
		n, err := src.Read(buf)
		if n > 0 {
			if !pass(buf[:n]) {
				return
			}
			if _, err := dst.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
