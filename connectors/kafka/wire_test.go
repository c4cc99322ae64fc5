package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// wire is the network of one member. It can be cut, as by a hard kill, and it can lose the answers to requests after the broker has acted on them.
type wire struct {
	mu    sync.Mutex
	conns map[*wireConn]struct{}
	dead  bool
	lose  map[int16]int           // requests by key whose answers are lost
	stall map[int16]chan struct{} // requests by key that leave only once the channel is closed
	late  map[int16]chan struct{} // requests by key whose answers are read only once the channel is closed
	sent  map[int16]int           // requests by key
	lost  chan int16              // keys of lost answers
}

func newWire() *wire {
	return &wire{
		conns: make(map[*wireConn]struct{}), lose: make(map[int16]int), stall: make(map[int16]chan struct{}), late: make(map[int16]chan struct{}),
		sent: make(map[int16]int), lost: make(chan int16, 100),
	}
}

func (w *wire) opt() kgo.Opt { return kgo.Dialer(w.dial) }

func (w *wire) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if w.isDead() {
		return nil, errors.New("wire is cut")
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c := &wireConn{Conn: conn, w: w}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead {
		conn.Close()
		return nil, errors.New("wire is cut")
	}
	w.conns[c] = struct{}{}
	return c, nil
}

func (w *wire) isDead() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dead
}

// cut breaks every connection and refuses new ones.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dead = true
	for _, held := range []map[int16]chan struct{}{w.stall, w.late} {
		for key, ch := range held {
			delete(held, key)
			close(ch)
		}
	}
	for c := range w.conns {
		c.Conn.Close()
	}
}

// loseAnswers makes the next n answers to requests with that key get lost: the broker acts, the connection breaks.
func (w *wire) loseAnswers(key int16, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lose[key] = n
}

// hold keeps requests with that key from leaving until release is called. Everything the client sends to the same broker later waits, too.
func (w *wire) hold(key int16) (release func()) { return w.until(w.stall, key) }

// delay keeps the answers to requests with that key from arriving until release is called, and other answers on the same connection.
func (w *wire) delay(key int16) (release func()) { return w.until(w.late, key) }

func (w *wire) until(held map[int16]chan struct{}, key int16) (release func()) {
	ch := make(chan struct{})
	w.mu.Lock()
	defer w.mu.Unlock()
	held[key] = ch
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if held[key] == ch {
			delete(held, key)
			close(ch)
		}
	}
}

// requests is the number of requests sent with that key.
func (w *wire) requests(key int16) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sent[key]
}

type wireConn struct {
	net.Conn
	w    *wire
	mu   sync.Mutex
	lose int16 // key+1 of the request whose answer is lost
	late chan struct{}
}

// Write sees whole requests: kgo writes each with one call. A request begins with its size (4 bytes) and its key (2 bytes).
func (c *wireConn) Write(b []byte) (int, error) {
	if len(b) >= 6 {
		key := int16(binary.BigEndian.Uint16(b[4:]))
		c.w.mu.Lock()
		c.w.sent[key]++
		stall := c.w.stall[key]
		if late := c.w.late[key]; late != nil {
			c.mu.Lock()
			c.late = late
			c.mu.Unlock()
		}
		if c.w.lose[key] > 0 {
			c.w.lose[key]--
			c.mu.Lock()
			c.lose = key + 1
			c.mu.Unlock()
		}
		c.w.mu.Unlock()
		if stall != nil {
			<-stall
		}
	}
	return c.Conn.Write(b)
}

func (c *wireConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	lose, late := c.lose, c.late
	c.mu.Unlock()
	if late != nil {
		<-late
	}
	if lose > 0 && n > 0 {
		c.Conn.Close()
		select {
		case c.w.lost <- lose - 1:
		default:
		}
		return 0, io.EOF
	}
	return n, err
}

func (c *wireConn) Close() error {
	c.w.mu.Lock()
	delete(c.w.conns, c)
	c.w.mu.Unlock()
	return c.Conn.Close()
}
