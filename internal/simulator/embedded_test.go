package simulator

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestEmbeddedRedisExpiresKeys(t *testing.T) {
	t.Parallel()
	addr, stop, err := StartRedis()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	c := redis.NewClient(&redis.Options{Addr: addr})
	defer c.Close()
	ctx := context.Background()
	if err := c.Set(ctx, "k", "v", 60*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	await(t, "the key to expire", func() bool { return c.Exists(ctx, "k").Val() == 0 })
}

func TestEmbeddedKafkaTakesRecords(t *testing.T) {
	t.Parallel()
	addr, stop, err := StartKafka("commerce.orders")
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	c, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ConsumeTopics("commerce.orders"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := c.ProduceSync(ctx, &kgo.Record{Topic: "commerce.orders", Value: []byte("x")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if fetches := c.PollFetches(ctx); fetches.Err() != nil || fetches.NumRecords() != 1 {
		t.Fatalf("%d records, %v", fetches.NumRecords(), fetches.Err())
	}
}
