package redis

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Stamped is a cached value with a tag, which says what the value agrees with, and a stamp, which never falls: the time of the newest thing that was
// compared with it, say. The zero value is none.
type Stamped struct {
	Tag   string // "" while the value is held
	Stamp int64
	Value []byte // nil: nothing is cached
	// Revision counts what was stored: a value that comes late is not stored over a later one. Raise and Hold do not answer it.
	Revision int64
}

// Raise answers the entry, and raises its stamp in the same step where it has the tag: what came agrees with the value, so nobody can have changed it in
// between.
func (c *Client) Raise(ctx context.Context, org, kind, key, tag string, stamp int64, ttl time.Duration) (Stamped, error) {
	return c.stamp(ctx, org, kind, key, "raise", tag, stamp, "", max(1, millis(ttl)), 0)
}

// Hold takes the tag off the entry, so that nothing that comes agrees with it until it is stored again, and answers it as it was.
func (c *Client) Hold(ctx context.Context, org, kind, key string) (Stamped, error) {
	return c.stamp(ctx, org, kind, key, "hold", "", 0, "", 0, 0)
}

// Store writes the entry, unless it holds a later revision; its stamp stays where it is higher. An entry without a value is removed.
func (c *Client) Store(ctx context.Context, org, kind, key string, s Stamped, ttl time.Duration) error {
	if s.Value == nil {
		if err := c.pipes.do(ctx, redis.NewIntCmd(ctx, "del", keysOf(org).stamped(kind, key))); err != nil {
			return fmt.Errorf("removing cached %s: %w", kind, err)
		}
		return nil
	}
	_, err := c.stamp(ctx, org, kind, key, "store", s.Tag, s.Stamp, s.Value, max(1, millis(ttl)), s.Revision)
	return err
}

func (c *Client) stamp(ctx context.Context, org, kind, key string, args ...any) (Stamped, error) {
	if err := checkOrganization(org); err != nil {
		return Stamped{}, fmt.Errorf("caching %s: %w", kind, err)
	}
	v, err := c.run(ctx, stampScript, []string{keysOf(org).stamped(kind, key)}, args...)
	if err != nil {
		return Stamped{}, fmt.Errorf("cached %s: %w", kind, err)
	}
	if len(v) != 3 || v[2] == nil { //nolint:mnd // the script's three
		return Stamped{}, nil
	}
	return Stamped{Tag: textOf(v[0]), Stamp: numberOf(v[1]), Value: []byte(textOf(v[2]))}, nil
}
