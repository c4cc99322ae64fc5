package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"
)

// TokenStoreConfig holds the keys that access tokens are encrypted with. It never prints them.
type TokenStoreConfig struct {
	// CurrentKey encrypts, and decrypts what it encrypted. 32 bytes; no default.
	CurrentKey []byte
	// PreviousKey still decrypts while keys are rotated. 32 bytes; default empty: none.
	PreviousKey []byte
}

// WithDefaults gives a copy; there is nothing to default.
func (c TokenStoreConfig) WithDefaults() TokenStoreConfig { return c }

// Validate says what is wrong with the keys.
func (c TokenStoreConfig) Validate() error {
	_, err := newKeyRing(c.CurrentKey, c.PreviousKey)
	return err
}

// String leaves the keys out.
func (c TokenStoreConfig) String() string {
	return fmt.Sprintf("keys(current=%t previous=%t)", len(c.CurrentKey) > 0, len(c.PreviousKey) > 0)
}

// GoString leaves the keys out.
func (c TokenStoreConfig) GoString() string { return c.String() }

// LogValue leaves the keys out.
func (c TokenStoreConfig) LogValue() slog.Value { return slog.StringValue(c.String()) }

// TokenStore shares access tokens between replicas, encrypted, and sees to it that one of them asks for a new one at a time. It is safe for concurrent use.
type TokenStore struct {
	c    *Client
	ring *keyRing
}

// NewTokenStore gives the tokens kept in the client's Redis.
func NewTokenStore(c *Client, cfg TokenStoreConfig) (*TokenStore, error) {
	ring, err := newKeyRing(cfg.CurrentKey, cfg.PreviousKey)
	if err != nil {
		return nil, fmt.Errorf("checking token store keys: %w", err)
	}
	return &TokenStore{c: c, ring: ring}, nil
}

// Get reads what Put stored; false when there is nothing or it expired. Errors: ErrUnknownKey and ErrTampered (wrapped), trouble with Redis.
func (s *TokenStore) Get(ctx context.Context, org string) ([]byte, bool, error) {
	stored, err := s.c.rdb.Get(ctx, keysOf(org).token()).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("reading the token of %s: %w", org, err)
	}
	plaintext, err := s.ring.open(org, stored)
	if err != nil {
		return nil, false, fmt.Errorf("decrypting the token of %s: %w", org, err)
	}
	return plaintext, true, nil
}

// Put stores a secret for a time; a ttl of 0 or less removes it.
func (s *TokenStore) Put(ctx context.Context, org string, plaintext []byte, ttl time.Duration) error {
	if err := s.set(ctx, org, keysOf(org).token(), s.ring.seal(org, plaintext), ttl); err != nil {
		return fmt.Errorf("storing the token of %s: %w", org, err)
	}
	return nil
}

// Lease lets one owner at a time ask for a new token. It does not wait: false means that another has it. The owner, random for each attempt, is compared, so a
// call repeated after a lost answer still answers true. The lease lapses by itself.
func (s *TokenStore) Lease(ctx context.Context, org, owner string, ttl time.Duration) (bool, error) {
	if err := checkOrganization(org); err != nil {
		return false, fmt.Errorf("leasing the token refresh: %w", err)
	}
	ok, err := s.c.lease(ctx, keysOf(org).tokenLease(), owner, ttl)
	if err != nil {
		return false, fmt.Errorf("leasing the token refresh of %s: %w", org, err)
	}
	return ok, nil
}

// Unlease gives the lease back; nothing happens if it is somebody else's by now.
func (s *TokenStore) Unlease(ctx context.Context, org, owner string) error {
	if _, err := s.c.run(ctx, unleaseScript, []string{keysOf(org).tokenLease()}, owner); err != nil {
		return fmt.Errorf("giving back the token refresh of %s: %w", org, err)
	}
	return nil
}

// Refusal reads the code with which the accounts server refused last; false when there is none or it expired.
func (s *TokenStore) Refusal(ctx context.Context, org string) (string, bool, error) {
	code, err := s.c.rdb.Get(ctx, keysOf(org).tokenRefusal()).Result()
	if errors.Is(err, redis.Nil) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("reading the token refusal of %s: %w", org, err)
	}
	return code, true, nil
}

// SetRefusal tells all replicas for a time that asking for a token is of no use; a ttl of 0 or less takes it back.
func (s *TokenStore) SetRefusal(ctx context.Context, org, code string, ttl time.Duration) error {
	if err := s.set(ctx, org, keysOf(org).tokenRefusal(), code, ttl); err != nil {
		return fmt.Errorf("storing the token refusal of %s: %w", org, err)
	}
	return nil
}

func (s *TokenStore) set(ctx context.Context, org, key string, value any, ttl time.Duration) error {
	if err := checkOrganization(org); err != nil {
		return err
	}
	if ttl <= 0 {
		return s.c.rdb.Del(ctx, key).Err()
	}
	return s.c.rdb.Set(ctx, key, value, max(time.Millisecond, ttl)).Err()
}
