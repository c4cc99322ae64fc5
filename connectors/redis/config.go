package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"
)

// Config says where Redis is and how to talk to it.
type Config struct {
	// Addresses are host:port of the server, of the sentinels (with MasterName) or of several cluster nodes. Default 127.0.0.1:6379.
	Addresses []string
	// MasterName is the name of the master that the sentinels watch. Default empty: no sentinels.
	MasterName string
	// Cluster treats a single address as a cluster's entry point; several addresses without MasterName are a cluster anyway. Default false.
	Cluster bool
	// Username is the ACL user; it needs the keys and channels booksync:* and the commands the scripts use. Default empty: the default user.
	Username string
	// Password is the ACL user's. It is never printed. Default empty.
	Password string
	// DB is the database number; a cluster has only 0. Default 0.
	DB int
	// Dial replaces the dialer of every connection. Default: TCP.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// TLS turns encryption on. Default nil: plain TCP.
	TLS *tls.Config
	// PoolSize is the number of connections kept per node. Default 16 connections.
	PoolSize int
	// DialTimeout bounds connecting. Default 5 s.
	DialTimeout time.Duration
	// Timeout bounds a write to the socket and the wait for an answer. Default 3 s.
	Timeout time.Duration
	// Retries is how often a call is repeated after a lost connection or answer; every call of this package that may be repeated is safe to
	// repeat, those of the budget never are. Negative: none. Default 3 times.
	Retries int
	// Batch is the largest number of calls of concurrent goroutines that share a pipeline; 1 turns sharing off. Default 128 calls.
	Batch int
	// SkipServerCheck leaves out the check of maxmemory-policy and version when the server tells neither, as miniredis does. Default false.
	SkipServerCheck bool
	// Logger gets warnings. Default slog.Default().
	Logger *slog.Logger
}

// WithDefaults gives a copy with every zero field set to its default.
func (c Config) WithDefaults() Config {
	if len(c.Addresses) == 0 {
		c.Addresses = []string{"127.0.0.1:6379"}
	}
	setDefault(&c.PoolSize, 16)
	setDefault(&c.DialTimeout, 5*time.Second)
	setDefault(&c.Timeout, 3*time.Second)
	setDefault(&c.Retries, 3)
	setDefault(&c.Batch, 128)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

// Validate names every field that cannot be used.
func (c Config) Validate() error {
	var errs []error
	for _, a := range c.Addresses {
		if a == "" {
			errs = append(errs, errors.New("redis address is empty"))
		}
	}
	if c.DB < 0 {
		errs = append(errs, fmt.Errorf("redis db %d is negative", c.DB))
	}
	if c.DB != 0 && (c.Cluster || len(c.Addresses) > 1 && c.MasterName == "") {
		errs = append(errs, fmt.Errorf("redis db %d: a cluster has only db 0", c.DB))
	}
	if c.Username != "" && c.Password == "" {
		errs = append(errs, fmt.Errorf("redis user %q has no password", c.Username))
	}
	errs = append(errs,
		notNegative("redis pool size", c.PoolSize),
		notNegative("redis dial timeout", c.DialTimeout),
		notNegative("redis timeout", c.Timeout),
		notNegative("redis batch", c.Batch))
	return errors.Join(errs...)
}

// LogValue leaves the password out.
func (c Config) LogValue() slog.Value {
	return slog.GroupValue(slog.Any("addresses", c.Addresses), slog.String("master_name", c.MasterName), slog.String("username", c.Username),
		slog.Int("db", c.DB), slog.Bool("tls", c.TLS != nil))
}

// String leaves the password out.
func (c Config) String() string { return c.LogValue().String() }

// GoString leaves the password out.
func (c Config) GoString() string { return c.String() }

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func notNegative[T int | int64 | float64 | time.Duration](name string, v T) error {
	if v < 0 {
		return fmt.Errorf("%s %v is negative", name, v)
	}
	return nil
}
