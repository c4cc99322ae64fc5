package torture

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// Services of the network.
const (
	kafkaAddr = "127.0.0.1:9092"
	redisAddr = "127.0.0.1:6379"
	booksAddr = "127.0.0.1:8090"
)

// network connects clients with services in memory, so that the time of a bubble can go on while they wait for each other.
type network struct {
	mu       sync.Mutex
	services map[string]*listener
	down     map[string]time.Time // until when a service refuses connections
	cables   []*cable
}

func newNetwork() *network {
	return &network{services: map[string]*listener{}, down: map[string]time.Time{}}
}

type listener struct {
	at     addr
	accept chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// listen makes a service; its connections come through Accept.
func (n *network) listen(at string) *listener {
	l := &listener{at: addr(at), accept: make(chan net.Conn), closed: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.services[at] = l
	return l
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.accept:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return l.at }

// outage cuts the replicas' connections to a service and refuses them new ones for d.
func (n *network) outage(service string, d time.Duration) {
	n.mu.Lock()
	if till := time.Now().Add(d); till.After(n.down[service]) {
		n.down[service] = till
	}
	cables := n.cables
	n.mu.Unlock()
	for _, c := range cables {
		if c.watch != nil {
			c.sever(service)
		}
	}
}

func (n *network) refuses(service string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return time.Now().Before(n.down[service])
}

// watcher sees each operation before it leaves; false: it does not. The function, if any, is called when it has left.
type watcher func(c *conn, op string) (bool, func())

// cable is how one client reaches the services. It sees every request that leaves, and can be frozen and cut.
type cable struct {
	n     *network
	name  string
	watch watcher

	mu     sync.Mutex
	conns  map[*conn]string // to the service's address
	subs   map[*conn]bool   // those of them that subscribe in Redis
	gone   bool
	frozen time.Time
	dials  int
}

func (n *network) cable(name string, watch watcher) *cable {
	c := &cable{n: n, name: name, watch: watch, conns: map[*conn]string{}, subs: map[*conn]bool{}}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cables = append(n.cables, c)
	return c
}

var errRefused = errors.New("connection refused by the simulation")

// dial connects to a service.
func (c *cable) dial(ctx context.Context, _, at string) (net.Conn, error) {
	c.n.mu.Lock()
	l := c.n.services[at]
	c.n.mu.Unlock()
	c.mu.Lock()
	gone, frozen := c.gone, c.frozen
	c.dials++
	mine := addr(fmt.Sprintf("%s:%d", c.name, c.dials))
	c.mu.Unlock()
	// A client of Redis greets it under a lock that others want: were it to wait for the network there, simulated time would stand
	// still for good, as it does while anybody waits for a mutex.
	deaf := at == redisAddr && time.Now().Before(frozen)
	if l == nil || gone || deaf || c.watch != nil && c.n.refuses(at) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errRefused}
	}
	near, far := connect(mine, l.at)
	near.closed = func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.conns, near)
		delete(c.subs, near)
	}
	if c.watch != nil {
		near.sniff = sniffer(at, func(op string) (bool, func()) { return c.watch(near, op) })
	}
	if !frozen.IsZero() {
		near.in.hold(frozen)
		near.out.hold(frozen)
	}
	c.mu.Lock()
	c.conns[near] = at
	c.mu.Unlock()
	select {
	case l.accept <- far:
		return near, nil
	case <-l.closed:
	case <-ctx.Done():
	}
	_ = near.Close()
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errRefused}
}

// to are the connections to a service; "" means all.
func (c *cable) to(service string) []*conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*conn
	for k, at := range c.conns {
		if service == "" || at == service {
			out = append(out, k)
		}
	}
	return out
}

// sever cuts the connections to a service; new ones can be made.
func (c *cable) sever(service string) {
	for _, k := range c.to(service) {
		k.cut()
	}
}

// freeze holds everything under way in both directions for d: a partition of the network that heals.
func (c *cable) freeze(d time.Duration) {
	till := time.Now().Add(d)
	c.mu.Lock()
	c.frozen = till
	c.mu.Unlock()
	for _, k := range c.to("") {
		k.in.hold(till)
		k.out.hold(till)
	}
}

// kill cuts everything for good: nothing that this client still does can be seen by anybody. What was written to last, if
// given, still arrives.
func (c *cable) kill(last *conn) {
	c.mu.Lock()
	c.gone = true
	c.mu.Unlock()
	for _, k := range c.to("") {
		if k == last {
			k.orphan()
			continue
		}
		k.cut()
	}
}

func (c *cable) dead() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.gone
}

// mute holds what comes in from subscriptions.
func (c *cable) mute(d time.Duration) {
	till := time.Now().Add(d)
	c.mu.Lock()
	defer c.mu.Unlock()
	for k := range c.subs {
		k.in.hold(till)
	}
}

func (c *cable) subscribed(k *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.subs[k] = true
}
