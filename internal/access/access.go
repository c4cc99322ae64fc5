// Package access opens what the service and the operators' commands work with: Kafka, the schema registry, Redis, and the
// organisations' books through one budget and shared tokens, so that a command can never break a limit that the service
// keeps. Commands mark their contexts with [Operator]: such calls are of the lowest class and wait until the service's own
// leave room.
package access

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/connectors/kafka"
	"github.com/booksync/booksync/connectors/redis"
	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/schemas"
)

// Store is Redis with what Zoho Books calls need of it. Close it.
type Store struct {
	cfg    *config.Config
	Client *redis.Client
	Budget *redis.Budget
	tokens *redis.TokenStore // nil: no key configured
}

// Options are what tests change.
type Options struct {
	Log *slog.Logger
	// SkipServerCheck is for servers that cannot tell their eviction policy, as miniredis.
	SkipServerCheck bool
	// Dial replaces the dialer of every connection to Redis. Default: TCP.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// OpenStore connects to Redis.
func OpenStore(ctx context.Context, cfg *config.Config, opts Options) (*Store, error) {
	rc, err := cfg.RedisConfig(opts.Log)
	if err != nil {
		return nil, fmt.Errorf("configuring Redis: %w", err)
	}
	rc.SkipServerCheck, rc.Dial = opts.SkipServerCheck, opts.Dial
	client, err := redis.Open(ctx, rc)
	if err != nil {
		return nil, fmt.Errorf("connecting to Redis: %w", err)
	}
	s := &Store{cfg: cfg, Client: client}
	if s.Budget, err = redis.NewBudget(client, cfg.BudgetConfig()); err != nil {
		s.Close()
		return nil, fmt.Errorf("building the budget: %w", err)
	}
	keys, err := cfg.Redis.TokenKeys()
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("redis.token_key: %w", err)
	}
	if len(keys) > 0 {
		tc := redis.TokenStoreConfig{CurrentKey: keys[0]}
		if len(keys) > 1 {
			tc.PreviousKey = keys[1]
		}
		if s.tokens, err = redis.NewTokenStore(client, tc); err != nil {
			s.Close()
			return nil, fmt.Errorf("redis.token_key: %w", err)
		}
	}
	return s, nil
}

// flushPatience bounds how long Close waits for Redis to hear of the last calls.
const flushPatience = 2 * time.Second

// Close gives the slots of the last calls back, then ends the connections and what runs beside them.
func (s *Store) Close() {
	if s.Budget != nil {
		ctx, cancel := context.WithTimeout(context.Background(), flushPatience)
		defer cancel()
		s.Budget.Flush(ctx)
	}
	_ = s.Client.Close()
}

// SharesTokens says whether access tokens are shared between replicas, which needs a key to encrypt them with.
func (s *Store) SharesTokens() bool { return s.tokens != nil }

// Books is the client of one organisation; close it before the store. Its calls wait for the budget, each as its class.
func (s *Store) Books(name string, extra ...zohobooks.Option) (*zohobooks.Client, error) {
	opts := append([]zohobooks.Option{zohobooks.WithLimiter(limiter{s.Budget, name})}, extra...)
	if s.tokens != nil {
		opts = append(opts, zohobooks.WithTokenStore(s.tokens))
	}
	c, err := zohobooks.New(s.cfg.BooksConfig(name), opts...)
	if err != nil {
		return nil, fmt.Errorf("organisation %s: %w", name, err)
	}
	return c, nil
}

// Operator marks a context's calls as operators' work.
func Operator(ctx context.Context) context.Context {
	return zohobooks.WithClass(ctx, zohobooks.ClassOperator)
}

// limiter asks the budget in Redis.
type limiter struct {
	budget       *redis.Budget
	organization string
}

var classes = map[zohobooks.Class]redis.Class{
	zohobooks.ClassLookUp: redis.LookUp, zohobooks.ClassOrder: redis.Order, zohobooks.ClassPayment: redis.Payment,
	zohobooks.ClassRefund: redis.Refund, zohobooks.ClassOperator: redis.Operator, zohobooks.ClassProbe: redis.Probe,
}

// Acquire implements zohobooks.Limiter.
func (l limiter) Acquire(ctx context.Context, class zohobooks.Class) (zohobooks.Grant, error) {
	g, err := l.budget.Acquire(ctx, l.organization, classes[class])
	var paused *redis.PausedError
	switch {
	case errors.As(err, &paused):
		return nil, &zohobooks.PausedError{Until: paused.Until, Reason: paused.Reason}
	case err != nil:
		return nil, fmt.Errorf("asking the budget: %w", err)
	}
	return grant{g}, nil
}

// TryAcquire implements zohobooks.TryLimiter.
func (l limiter) TryAcquire(ctx context.Context, class zohobooks.Class) zohobooks.Grant {
	if g := l.budget.TryAcquire(ctx, l.organization, classes[class]); g != nil {
		return grant{g}
	}
	return nil
}

type grant struct{ *redis.Grant }

// Done implements zohobooks.Grant. What never left is given back.
func (g grant) Done(a zohobooks.CallAnswer) {
	if a.Answered && a.Status == 0 {
		g.Return()
		return
	}
	g.Grant.Done(redis.Answer{
		Status: a.Status, Code: a.Code, DayLimit: a.DayLimit, DayRemaining: a.DayRemaining, DayReset: a.DayReset,
		RetryAfter: a.RetryAfter, Answered: a.Answered,
	})
}

// Admin is a client for topics and offsets. It touches no network.
func Admin(cfg *config.Config, extra ...kgo.Opt) (*kafka.Admin, error) {
	kc, err := cfg.KafkaConfig()
	if err != nil {
		return nil, fmt.Errorf("configuring Kafka: %w", err)
	}
	a, err := kafka.NewAdmin(kc, extra...)
	if err != nil {
		return nil, fmt.Errorf("configuring Kafka: %w", err)
	}
	return a, nil
}

// Producer is a client that writes records and waits for all replicas. It touches no network.
func Producer(cfg *config.Config, extra ...kgo.Opt) (*kgo.Client, error) {
	kc, err := cfg.KafkaConfig()
	if err != nil {
		return nil, fmt.Errorf("configuring Kafka: %w", err)
	}
	opts, err := kc.ClientOpts()
	if err != nil {
		return nil, fmt.Errorf("configuring Kafka: %w", err)
	}
	c, err := kgo.NewClient(append(opts, extra...)...)
	if err != nil {
		return nil, fmt.Errorf("configuring Kafka: %w", err)
	}
	return c, nil
}

// Codec is the codec that the configuration asks for. It touches no network.
func Codec(cfg *config.Config) (*schemas.Codec, error) {
	var opts []schemas.Option
	rc, ok, err := cfg.RegistryConfig()
	if err != nil {
		return nil, fmt.Errorf("configuring the schema registry: %w", err)
	}
	if ok {
		opts = append(opts, schemas.WithRegistry(rc))
	}
	c, err := schemas.NewCodec(opts...)
	if err != nil {
		return nil, fmt.Errorf("building the codec: %w", err)
	}
	return c, nil
}
