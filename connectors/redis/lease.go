package redis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Lease lets one owner at a time do a piece of an organisation's work that has no claim, such as a scheduled one. It does
// not wait: false means that another has it. The owner, random for each attempt, is compared, so a call repeated after a
// lost answer still answers true. The lease lapses by itself after ttl; Extend prolongs it.
func (c *Client) Lease(ctx context.Context, org, name, owner string, ttl time.Duration) (bool, error) {
	if err := checkOrganization(org); err != nil {
		return false, fmt.Errorf("leasing %s: %w", name, err)
	}
	ok, err := c.lease(ctx, keysOf(org).lease(name), owner, ttl)
	if err != nil {
		return false, fmt.Errorf("leasing %s of %s: %w", name, org, err)
	}
	return ok, nil
}

func (c *Client) lease(ctx context.Context, key, owner string, ttl time.Duration) (bool, error) {
	// SET NX alone would answer "taken" to a repetition of itself; with GET it says by whom.
	holder, err := c.rdb.SetArgs(ctx, key, owner, redis.SetArgs{Mode: "NX", Get: true, TTL: max(time.Millisecond, ttl)}).Result()
	if errors.Is(err, redis.Nil) {
		return true, nil
	}
	return holder == owner, err
}

// Extend makes the lease last ttl from now; false when it is not the owner's any more.
func (c *Client) Extend(ctx context.Context, org, name, owner string, ttl time.Duration) (bool, error) {
	v, err := c.run(ctx, extendScript, []string{keysOf(org).lease(name)}, owner, max(1, millis(ttl)))
	if err != nil {
		return false, fmt.Errorf("prolonging %s of %s: %w", name, org, err)
	}
	n, _ := v[0].(int64)
	return n == 1, nil
}

// Unlease gives the lease back; nothing happens if it is somebody else's by now.
func (c *Client) Unlease(ctx context.Context, org, name, owner string) error {
	if _, err := c.run(ctx, unleaseScript, []string{keysOf(org).lease(name)}, owner); err != nil {
		return fmt.Errorf("giving back %s of %s: %w", name, org, err)
	}
	return nil
}
