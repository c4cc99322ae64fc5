package redis

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"
)

// benchClient opens a client on the real Redis that the environment names.
func benchClient(b *testing.B, batch int) *Client {
	b.Helper()
	addr := os.Getenv(realRedis)
	if addr == "" {
		b.Skip("set " + realRedis + " to host:port of a Redis")
	}
	c, err := Open(context.Background(), Config{Addresses: []string{addr}, Batch: batch, PoolSize: 64, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Close() })
	return c
}

// spread runs f b.N times on so many goroutines and reports how often a second.
func spread(b *testing.B, goroutines int, f func(n int64) error) {
	b.Helper()
	var n atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for range goroutines {
		wg.Go(func() {
			for {
				i := n.Add(1)
				if i > int64(b.N) {
					return
				}
				if err := f(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}

// BenchmarkClaims claims, marks and finishes orders: three script calls each, or two where the claim marks.
func BenchmarkClaims(b *testing.B) {
	for _, marks := range []bool{false, true} {
		b.Run(fmt.Sprintf("claim marks=%v", marks), func(b *testing.B) { benchmarkClaims(b, marks) })
	}
}

func benchmarkClaims(b *testing.B, marks bool) {
	for _, batch := range []int{1, 128} {
		for _, goroutines := range []int{1, 16, 64, 256} {
			b.Run(fmt.Sprintf("batch=%d/goroutines=%d", batch, goroutines), func(b *testing.B) {
				ctx := context.Background()
				c := benchClient(b, batch)
				org := fmt.Sprintf("bench-%d-%d", os.Getpid(), organizations.Add(1))
				claims, err := NewClaims(c, ClaimsConfig{})
				if err != nil {
					b.Fatal(err)
				}
				e, err := c.Epoch(ctx, org, EpochFacts{})
				if err != nil {
					b.Fatal(err)
				}
				outcome := make([]byte, 600)
				spread(b, goroutines, func(n int64) error {
					id := fmt.Sprint(n)
					req := ClaimRequest{Organization: org, Ref: Ref{RoleOrder, id}, Token: id, Coordinates: id, Orders: []string{id}, EpochID: e.ID}
					if marks {
						req.Step, req.Steps = "post", []byte("{}")
					}
					a, err := claims.Claim(ctx, req)
					if err != nil {
						return err
					}
					if !a.Marked {
						if _, err := claims.Sending(ctx, handle(req), "post", []byte("{}")); err != nil {
							return err
						}
					}
					return claims.Finish(ctx, handle(req), FinishRequest{State: StateDone, Outcome: outcome, Data: outcome})
				})
				b.StopTimer()
				clear(ctx, c, org)
			})
		}
	}
}

// BenchmarkPipeline compares ways to send many small commands: one by one, shared pipelines of this package, the client library's own.
func BenchmarkPipeline(b *testing.B) {
	ctx := context.Background()
	for _, goroutines := range []int{1, 16, 64, 256} {
		for _, way := range []string{"plain", "shared", "library"} {
			b.Run(fmt.Sprintf("%s/goroutines=%d", way, goroutines), func(b *testing.B) {
				batch := 128
				if way == "plain" {
					batch = 1
				}
				c := benchClient(b, batch)
				do := func(cmd redis.Cmder) error { return c.pipes.do(ctx, cmd) }
				if way == "library" {
					auto, err := c.rdb.(*redis.Client).AutoPipeline()
					if err != nil {
						b.Fatal(err)
					}
					defer func() { _ = auto.Close() }()
					do = func(cmd redis.Cmder) error {
						if err := auto.Process(ctx, cmd); err != nil {
							return err
						}
						return cmd.Err()
					}
				}
				k := keysOf(fmt.Sprintf("bench-%d", os.Getpid())).cache("bench", "x")
				spread(b, goroutines, func(int64) error { return do(redis.NewCmd(ctx, "set", k, "v", "px", 60000)) })
			})
		}
	}
}

// BenchmarkBudget acquires and answers; the answer's news go out with later questions.
func BenchmarkBudget(b *testing.B) {
	for name, limits := range map[string]Limits{
		"unlimited": {PerWindow: -1, Concurrency: -1},
		"huge":      {PerWindow: 1 << 30, Concurrency: 256},
	} {
		for _, goroutines := range []int{1, 16, 64, 256} {
			b.Run(fmt.Sprintf("%s/goroutines=%d", name, goroutines), func(b *testing.B) {
				ctx := context.Background()
				c := benchClient(b, 128)
				org := fmt.Sprintf("bench-%d-%d", os.Getpid(), organizations.Add(1))
				budget, err := NewBudget(c, BudgetConfig{Default: limits})
				if err != nil {
					b.Fatal(err)
				}
				spread(b, goroutines, func(int64) error {
					g, err := budget.Acquire(ctx, org, Order)
					if err != nil {
						return err
					}
					g.Done(good)
					return nil
				})
				b.StopTimer()
				clear(ctx, c, org)
			})
		}
	}
}

func clear(ctx context.Context, c *Client, org string) {
	it := c.rdb.Scan(ctx, 0, keysOf(org).prefix+"*", 1000).Iterator()
	for it.Next(ctx) {
		c.rdb.Unlink(ctx, it.Val())
	}
}
