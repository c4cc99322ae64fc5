package testkit

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/booksync/booksync/internal/expiry"
)

// Redis returns the address of the real Redis that BOOKSYNC_TEST_REDIS names, or of a fresh miniredis that ends with the
// test and whose keys expire with the clock. A real one is shared: use an organisation of your own (see [Name]), and
// [OwnRedis] where a test empties or kills it.
func Redis(t testing.TB) (addr string, real bool) {
	t.Helper()
	if addr := os.Getenv(EnvRedis); addr != "" {
		return addr, true
	}
	return mini(t).Addr(), false
}

// mini starts a miniredis whose keys expire with the clock.
func mini(t testing.TB) *miniredis.Miniredis {
	t.Helper()
	m := miniredis.NewMiniRedis()
	if err := m.Start(); err != nil {
		t.Fatalf("starting miniredis: %v", err)
	}
	stop := expiry.Run(m)
	t.Cleanup(func() {
		stop()
		m.Close()
	})
	return m
}

// RedisServer is a Redis of one test, on one address for its whole life, which may be killed, started again and emptied.
type RedisServer struct {
	Addr string
	Real bool

	fake  *miniredis.Miniredis
	port  string
	dir   string
	cmd   *exec.Cmd
	ended chan struct{} // closed when cmd has ended
}

// OwnRedis returns a server that only this test uses: a redis-server process when the environment names a real Redis,
// else miniredis. It ends with the test.
func OwnRedis(t testing.TB) *RedisServer {
	t.Helper()
	if os.Getenv(EnvRedis) == "" {
		m := mini(t)
		return &RedisServer{Addr: m.Addr(), fake: m}
	}
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skipf("needs a Redis of its own: %v", err)
	}
	s := &RedisServer{Real: true, dir: t.TempDir()}
	t.Cleanup(func() { s.Kill(t) })
	for try := 0; ; try++ {
		s.port = freePort(t)
		s.Addr = net.JoinHostPort("127.0.0.1", s.port)
		if s.launch(t) {
			return s
		}
		if try == 9 { // somebody else was quicker, each time?
			t.Fatal("redis-server ends by itself at its start")
		}
	}
}

// freePort is a port that was free a moment ago, below those that the system gives to clients: the many connections of other tests
// never take it.
func freePort(t testing.TB) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(20_000+rand.IntN(9_000))))
		if err != nil {
			continue
		}
		_, port, _ := net.SplitHostPort(l.Addr().String())
		if err := l.Close(); err != nil {
			t.Fatalf("giving the port back: %v", err)
		}
		return port
	}
	t.Fatal("no free port")
	return ""
}

// Start starts the server again, empty, after Kill. It returns when the server answers.
func (s *RedisServer) Start(t testing.TB) {
	t.Helper()
	if s.fake != nil {
		s.fake.FlushAll()
		if err := s.fake.Restart(); err != nil {
			t.Fatalf("starting miniredis again: %v", err)
		}
		return
	}
	if !s.launch(t) {
		t.Fatal("redis-server ended by itself")
	}
}

// launch starts the process and waits until it answers; false when it ended by itself before, as where its port is taken.
func (s *RedisServer) launch(t testing.TB) bool {
	t.Helper()
	cmd := exec.Command("redis-server", "--bind", "127.0.0.1", "--port", s.port, "--dir", s.dir,
		"--maxmemory-policy", "noeviction", "--save", "", "--appendonly", "no")
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting redis-server: %v", err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // "signal: killed" is what is asked for
		close(ended)
	}()
	s.cmd, s.ended = cmd, ended
	alive := true
	Until(t, patience, "redis-server to answer", func() bool {
		select {
		case <-ended:
			alive = false
			return true
		default:
		}
		answer, err := s.command("PING")
		return err == nil && strings.HasPrefix(answer, "+PONG")
	})
	return alive
}

// Kill ends the server at once, as SIGKILL does: connections break, everything in it is lost. A server that does not run
// is left as it is.
func (s *RedisServer) Kill(t testing.TB) {
	t.Helper()
	if s.fake != nil {
		s.fake.Close()
		return
	}
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	<-s.ended
	s.cmd = nil
}

// Empty removes every key while clients stay connected.
func (s *RedisServer) Empty(t testing.TB) {
	t.Helper()
	if s.fake != nil {
		s.fake.FlushAll()
		return
	}
	if answer, err := s.command("FLUSHALL"); err != nil || !strings.HasPrefix(answer, "+OK") {
		t.Fatalf("emptying Redis: %q, %v", answer, err)
	}
}

// command sends one inline command on a connection of its own and returns the first line of the answer.
func (s *RedisServer) command(line string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.Addr)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintf(conn, "%s\r\n", line); err != nil {
		return "", err
	}
	return bufio.NewReader(conn).ReadString('\n')
}
