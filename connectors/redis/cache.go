package redis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// CacheGet reads what CacheSet stored; false when there is nothing or it expired. An empty value is a value: use it for "known to be absent".
func (c *Client) CacheGet(ctx context.Context, org, kind, key string) ([]byte, bool, error) {
	cmd := redis.NewStringCmd(ctx, "get", keysOf(org).cache(kind, key))
	err := c.pipes.do(ctx, cmd)
	if errors.Is(err, redis.Nil) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("reading cached %s: %w", kind, err)
	}
	return []byte(cmd.Val()), true, nil
}

// CacheSet stores a value for at least a millisecond; a ttl of 0 or less removes it.
func (c *Client) CacheSet(ctx context.Context, org, kind, key string, value []byte, ttl time.Duration) error {
	if err := checkOrganization(org); err != nil {
		return fmt.Errorf("caching %s: %w", kind, err)
	}
	k := keysOf(org).cache(kind, key)
	cmd := redis.NewCmd(ctx, "del", k)
	if ttl > 0 {
		cmd = redis.NewCmd(ctx, "set", k, value, "px", max(1, millis(ttl)))
	}
	if err := c.pipes.do(ctx, cmd); err != nil {
		return fmt.Errorf("caching %s: %w", kind, err)
	}
	return nil
}
