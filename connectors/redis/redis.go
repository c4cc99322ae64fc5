// Package redis keeps what the replicas of booksync must agree on, in Redis: who works on a business id and how far they got (Claims), how many calls
// may leave for an organisation (Budget), the access token they share (TokenStore) and ids looked up before (the cache methods of Client).
//
// Every decision is one Lua script on Redis's own time, so that replicas need neither locks nor equal clocks. A lease is a field compared with that
// time, never a key's expiry: what a dead holder left behind is still there for the next one. Every change of a claim compares the attempt's random
// token, so that a command repeated after a lost answer, by the client library or by a caller, is recognised; and the id of the epoch, so that nothing
// is decided on a Redis that was emptied in between (see Epoch).
//
// Keys are booksync:{organisation}:...; the braces make them one hash slot of a cluster.
package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// ErrNotNoEviction is wrapped by the error of Open when the server may throw keys away under memory pressure: claims would be forgotten.
var ErrNotNoEviction = errors.New("redis may evict keys: set maxmemory-policy to noeviction")

// minVersion is the oldest Redis whose SET takes NX and GET together, and whose scripts replicate their effects so that they may read the time.
const minVersion = 7

// Client is a connection pool shared by everything in this package. It is safe for concurrent use.
type Client struct {
	rdb    redis.UniversalClient
	pipes  *pipeliner
	logger *slog.Logger

	marks   atomic.Int64 // the last mark given out, see nextMark
	counter string       // names the fields that count this client's changes, one in each epoch; a new one for each client

	mu     sync.Mutex
	epochs map[string]*seenEpoch // by organisation

	closing context.Context
	close   context.CancelFunc
	running sync.WaitGroup
}

// ErrClosed says that the client was closed.
var ErrClosed = errors.New("redis client is closed")

// libraryLog hands what the client library has to say to slog; the library has one logger for all clients.
type libraryLog struct{ logger *slog.Logger }

// Printf logs one line of the library.
func (l libraryLog) Printf(ctx context.Context, format string, v ...any) {
	l.logger.DebugContext(ctx, "redis client library", slog.String("message", fmt.Sprintf(format, v...)))
}

var setLibraryLog sync.Once

// Open connects, checks the server and loads the scripts. It blocks until the server answered or ctx ends.
//
// A server that evicts keys is refused with ErrNotNoEviction. One that tells neither its policy nor its version is refused too, unless
// cfg.SkipServerCheck is set; then a warning is logged.
func Open(ctx context.Context, cfg Config) (*Client, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("checking redis configuration: %w", err)
	}
	setLibraryLog.Do(func() { redis.SetLogger(libraryLog{cfg.Logger}) })
	c := &Client{
		rdb: redis.NewUniversalClient(&redis.UniversalOptions{
			Addrs:         cfg.Addresses,
			MasterName:    cfg.MasterName,
			IsClusterMode: cfg.Cluster,
			Username:      cfg.Username,
			Password:      cfg.Password,
			DB:            cfg.DB,
			TLSConfig:     cfg.TLS,
			Dialer:        cfg.Dial,
			PoolSize:      cfg.PoolSize,
			DialTimeout:   cfg.DialTimeout,
			ReadTimeout:   cfg.Timeout,
			WriteTimeout:  cfg.Timeout,
			MaxRetries:    cfg.Retries,
			// Commands are tried again, by MaxRetries. A dial that is tried again sleeps under the lock of a subscription, which its health check waits for.
			DialerRetries:   1,
			DisableIdentity: true,
			// Announcements of maintenance by rented servers; asking for them costs every connection a round trip.
			MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		}),
		logger:  cfg.Logger,
		epochs:  make(map[string]*seenEpoch),
		counter: "n:" + rand.Text()[:8],
	}
	c.pipes = newPipeliner(c.rdb, cfg.Batch)
	c.closing, c.close = context.WithCancel(context.Background())
	if err := c.prepare(ctx, cfg); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// Close ends subscriptions and background work and closes the connections. Calls in flight fail.
func (c *Client) Close() error {
	c.mu.Lock()
	c.close()
	c.mu.Unlock()
	err := c.rdb.Close()
	c.running.Wait()
	if err != nil {
		return fmt.Errorf("closing redis: %w", err)
	}
	return nil
}

// background runs f in a goroutine that Close waits for; false when the client is closed.
func (c *Client) background(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing.Err() != nil {
		return false
	}
	c.running.Go(f)
	return true
}

// Ping asks the server for a sign of life; for readiness checks.
func (c *Client) Ping(ctx context.Context) error {
	if err := c.rdb.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("pinging redis: %w", err)
	}
	return nil
}

func (c *Client) prepare(ctx context.Context, cfg Config) error {
	if err := c.Ping(ctx); err != nil {
		return err
	}
	if err := c.checkServer(ctx, cfg); err != nil {
		return fmt.Errorf("checking the redis server: %w", err)
	}
	for _, s := range scripts {
		// An ACL user without SCRIPT gets along: the first call of each script brings its source.
		if err := c.rdb.ScriptLoad(ctx, s.source).Err(); err != nil && !redis.HasErrorPrefix(err, "NOPERM") {
			return fmt.Errorf("loading script %s: %w", s.name, err)
		}
	}
	return nil
}

// checkServer looks at the eviction policy and the version. CONFIG is often forbidden where Redis is rented; INFO tells the same.
func (c *Client) checkServer(ctx context.Context, cfg Config) error {
	policy := ""
	if got, err := c.rdb.ConfigGet(ctx, "maxmemory-policy").Result(); err == nil {
		policy = got["maxmemory-policy"]
	}
	if policy == "" {
		policy = c.info(ctx, "memory", "maxmemory_policy")
	}
	if policy != "" && policy != "noeviction" {
		return fmt.Errorf("%w (it is %s)", ErrNotNoEviction, policy)
	}
	version := c.info(ctx, "server", "redis_version")
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err == nil && n < minVersion {
		return fmt.Errorf("redis %s is too old: %d or newer is needed", version, minVersion)
	}
	if policy != "" && version != "" {
		return nil
	}
	if !cfg.SkipServerCheck {
		return errors.New("the server tells neither with CONFIG GET nor with INFO what maxmemory-policy and version it has: allow one of them, " +
			"or skip the check if you know that it is noeviction")
	}
	cfg.Logger.WarnContext(ctx, "redis server not checked: keys must never be evicted", "policy", policy, "version", version)
	return nil
}

// info reads one line of INFO; empty when the server refuses or lacks it.
func (c *Client) info(ctx context.Context, section, name string) string {
	text, err := c.rdb.Info(ctx, section).Result()
	if err != nil {
		return ""
	}
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// nextMark gives numbers that only grow, over all clients of a process and, clocks willing, over restarts.
func (c *Client) nextMark() string {
	for {
		last := c.marks.Load()
		next := max(last+1, time.Now().UnixNano())
		if c.marks.CompareAndSwap(last, next) {
			return fmt.Sprintf("%019d", next)
		}
	}
}
