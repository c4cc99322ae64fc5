package torture

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// errReset is what both ends of a connection see once it was cut.
var errReset = errors.New("connection reset by the simulation")

// pipe is one direction of a connection: bytes in memory, without a bound, so that writing never blocks. A reader that
// waits waits on a condition, which lets the time of a synctest bubble go on.
type pipe struct {
	mu       sync.Mutex
	cond     *sync.Cond
	buf      []byte
	ended    bool      // the writer closed: EOF once buf is empty
	broken   bool      // cut: nothing can be read or written any more
	heldTill time.Time // nothing is handed out before; a slow or frozen line
	deadline time.Time // the reader's
	arrived  func()    // if set, it is called once when the reader has got something, or cannot any more
	poisoned func()    // if set, the next write is lost and the connection is cut by this
}

func newPipe() *pipe {
	p := &pipe{}
	p.cond = sync.NewCond(&p.mu)
	return p
}

// wakeAt makes waiting readers look again then.
func (p *pipe) wakeAt(t time.Time) {
	if d := time.Until(t); d > 0 {
		time.AfterFunc(d, p.wake)
		return
	}
	p.cond.Broadcast()
}

func (p *pipe) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cond.Broadcast()
}

func (p *pipe) read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		now := time.Now()
		switch {
		case p.broken:
			p.tell()
			return 0, errReset
		case !p.deadline.IsZero() && !now.Before(p.deadline):
			return 0, os.ErrDeadlineExceeded
		case now.Before(p.heldTill):
		case len(p.buf) > 0:
			p.tell()
			n := copy(b, p.buf)
			if p.buf = p.buf[n:]; len(p.buf) == 0 {
				p.buf = nil
			}
			return n, nil
		case p.ended:
			p.tell()
			return 0, io.EOF
		}
		p.cond.Wait()
	}
}

// tell says that something has come. The lock is held.
func (p *pipe) tell() {
	if p.arrived != nil {
		p.arrived()
		p.arrived = nil
	}
}

func (p *pipe) write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.poisoned != nil:
		cut := p.poisoned
		p.poisoned = nil
		go cut()
		return len(b), nil
	case p.broken:
		return 0, errReset
	case p.ended:
		return 0, io.ErrClosedPipe
	}
	p.buf = append(p.buf, b...)
	p.cond.Broadcast()
	return len(b), nil
}

// hold keeps what is and comes into the pipe until then.
func (p *pipe) hold(till time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if till.After(p.heldTill) {
		p.heldTill = till
		p.wakeAt(till)
	}
}

func (p *pipe) poison(cut func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.poisoned = cut
}

func (p *pipe) end(broken bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	if broken { // what is in it is lost, too
		p.tell()
		p.broken, p.buf = true, nil
	}
	p.cond.Broadcast()
}

// conn is one end of a connection.
type conn struct {
	in, out *pipe
	local   addr
	remote  addr
	once    sync.Once
	closed  func()
	sniff   func(b []byte) (bool, func()) // sees what is written, before it is; false: it is not. The function comes after it
}

var _ net.Conn = (*conn)(nil)

// await calls done as soon as something comes in or nothing can any more.
func (c *conn) await(done func()) {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	c.in.arrived = done
	if c.in.broken {
		c.in.tell()
	}
}

// writable says whether what is written goes anywhere. A connection that was cut while it lay idle is found out by its next write.
func (c *conn) writable() bool {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return !c.out.broken && !c.out.ended
}

// connect makes both ends of a connection.
func connect(client, server addr) (*conn, *conn) {
	up, down := newPipe(), newPipe()
	return &conn{in: down, out: up, local: client, remote: server}, &conn{in: up, out: down, local: server, remote: client}
}

func (c *conn) Read(b []byte) (int, error) { return c.in.read(b) }

func (c *conn) Write(b []byte) (int, error) {
	if c.sniff == nil {
		return c.out.write(b)
	}
	ok, then := c.sniff(b)
	if !ok {
		return 0, errReset
	}
	n, err := c.out.write(b)
	if then != nil {
		then()
	}
	return n, err
}

// Close closes this end: the other one reads what was written, then EOF.
func (c *conn) Close() error {
	c.once.Do(func() {
		c.out.end(false)
		c.in.end(true)
		if c.closed != nil {
			c.closed()
		}
	})
	return nil
}

// orphan lets the other end read what was written, and nothing else pass: this end's process is dead.
func (c *conn) orphan() {
	c.in.end(true)
	c.out.end(false)
}

// cut breaks both directions at once.
func (c *conn) cut() {
	c.in.end(true)
	c.out.end(true)
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	c.in.deadline = t
	if !t.IsZero() {
		c.in.wakeAt(t)
	}
	return nil
}

// SetWriteDeadline implements net.Conn; writes never wait.
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

// addr is an address on the network in memory.
type addr string

func (addr) Network() string  { return "memory" }
func (a addr) String() string { return string(a) }
