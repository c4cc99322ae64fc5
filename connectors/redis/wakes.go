package redis

import (
	"context"
	"fmt"
)

// wakeBuffer is how many wake-ups may lie unread; beyond it they are dropped, as they are hints and the re-check is the rule.
const wakeBuffer = 1024

// Wakes subscribes to the wake-ups of all organisations: "org/role/id" of claims that were settled or given back while somebody waited for them. It blocks
// until the server confirmed the subscription. The subscription renews itself after a lost connection; what was published meanwhile is lost. The
// channel is closed when ctx ends, when the function is called or when the client is closed.
func (s *Claims) Wakes(ctx context.Context) (<-chan string, func(), error) {
	out := make(chan string, wakeBuffer)
	stop, err := s.c.subscribe(ctx, wakePattern, func(_, message string) {
		select {
		case out <- message:
		default:
		}
	}, func() { close(out) })
	if err != nil {
		return nil, nil, fmt.Errorf("subscribing to wake-ups: %w", err)
	}
	return out, stop, nil
}

// subscribe calls got for every message of a channel that matches the pattern, from one goroutine, and ended when it is over. It blocks until the
// subscription is confirmed. The returned function ends it and waits until ended was called.
func (c *Client) subscribe(ctx context.Context, pattern string, got func(channel, message string), ended func()) (func(), error) {
	ctx, cancel := context.WithCancel(ctx)
	sub := c.rdb.PSubscribe(ctx, pattern)
	if _, err := sub.Receive(ctx); err != nil {
		cancel()
		_ = sub.Close()
		return nil, err
	}
	messages := sub.Channel()
	done := make(chan struct{})
	started := c.background(func() {
		defer close(done)
		defer ended()
		defer func() { _ = sub.Close() }()
		for {
			select {
			case m, ok := <-messages:
				if !ok {
					return
				}
				got(m.Channel, m.Payload)
			case <-ctx.Done():
				return
			case <-c.closing.Done():
				return
			}
		}
	})
	if !started {
		cancel()
		_ = sub.Close()
		return nil, ErrClosed
	}
	return func() { cancel(); <-done }, nil
}
