package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// What operators ask and the service never does.

// TokenState is what Redis knows of an organisation's shared access token.
type TokenState struct {
	// Left is the rest of its life; 0: there is none.
	Left time.Duration
	// Refusal is the code with which the accounts server has refused lately; "" where it has not.
	Refusal string
}

// TokenState reads it without the key that decrypts tokens.
func (c *Client) TokenState(ctx context.Context, org string) (TokenState, error) {
	k := keysOf(org)
	left, err := c.rdb.PTTL(ctx, k.token()).Result()
	if err != nil {
		return TokenState{}, fmt.Errorf("asking for the token of %s: %w", org, err)
	}
	refusal, err := c.rdb.Get(ctx, k.tokenRefusal()).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return TokenState{}, fmt.Errorf("reading the token refusal of %s: %w", org, err)
	}
	return TokenState{Left: max(left, 0), Refusal: refusal}, nil
}

// Doubtful is a claim whose write was marked as sending and whose holder is gone: whether the write took effect is not known.
type Doubtful struct {
	Ref
	Step  string
	Since time.Time // Redis's time
	// Coordinates are the record's that was being worked.
	Coordinates string
}

// scanCount is how many keys one step of a scan looks at.
const scanCount = 1000

// InDoubt goes through all claims of an organisation and calls each for those in doubt; it ends at the first error. It takes time in proportion to all keys in
// Redis (about a second per 100,000) and keeps one step's in memory. seen, if not nil, is told how many claims were looked at.
func (s *Claims) InDoubt(ctx context.Context, org string, seen func(n int), each func(Doubtful) error) error {
	if err := checkOrganization(org); err != nil {
		return fmt.Errorf("scanning claims: %w", err)
	}
	prefix := keysOf(org).prefix + "claim:"
	scan := func(ctx context.Context, rdb redis.Cmdable) error {
		for cursor := uint64(0); ; {
			keys, next, err := rdb.Scan(ctx, cursor, exactly.Replace(prefix)+"*", scanCount).Result()
			if err != nil {
				return fmt.Errorf("scanning claims: %w", err)
			}
			if err := inDoubtOf(ctx, rdb, prefix, keys, each); err != nil {
				return err
			}
			if seen != nil && len(keys) > 0 {
				seen(len(keys))
			}
			if cursor = next; cursor == 0 {
				return nil
			}
		}
	}
	if cluster, ok := s.c.rdb.(*redis.ClusterClient); ok {
		node, err := cluster.MasterForKey(ctx, prefix) // an organisation's keys are in one slot
		if err != nil {
			return fmt.Errorf("scanning claims: %w", err)
		}
		return scan(ctx, node)
	}
	return scan(ctx, s.c.rdb)
}

// inDoubtOf reads the keys' claims in one round trip.
func inDoubtOf(ctx context.Context, rdb redis.Cmdable, prefix string, keys []string, each func(Doubtful) error) error {
	if len(keys) == 0 {
		return nil
	}
	pipe := rdb.Pipeline()
	clock := pipe.Time(ctx)
	reads := make([]*redis.SliceCmd, len(keys))
	for i, key := range keys {
		reads[i] = pipe.HMGet(ctx, key, "state", "until", "step", "since", "scoordinates")
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("reading claims: %w", err)
	}
	for i, read := range reads {
		v := read.Val()
		if textOf(v[0]) != StateSending || timeOf(v[1]).After(clock.Val()) {
			continue
		}
		role, id, _ := strings.Cut(strings.TrimPrefix(keys[i], prefix), ":")
		if err := each(Doubtful{Ref: Ref{role, id}, Step: textOf(v[2]), Since: timeOf(v[3]), Coordinates: textOf(v[4])}); err != nil {
			return err
		}
	}
	return nil
}
