package simulator

import (
	"fmt"
	"sync"

	"github.com/alicebob/miniredis/v2"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/booksync/booksync/internal/expiry"
)

// StartKafka runs a Kafka broker in this process, for demo and tests: a fake, in memory, one node. The topics are
// created with three partitions each; others are created when they are first named. stop ends it.
func StartKafka(topics ...string) (addr string, stop func(), err error) {
	opts := []kfake.Opt{
		kfake.NumBrokers(1), kfake.AllowAutoTopicCreation(), kfake.DefaultNumPartitions(embeddedPartitions),
		// Members of the newer group protocol get their first assignment with a heartbeat: 5 s by default.
		kfake.BrokerConfigs(map[string]string{"group.consumer.heartbeat.interval.ms": "100"}),
	}
	if len(topics) > 0 {
		opts = append(opts, kfake.SeedTopics(embeddedPartitions, topics...))
	}
	c, err := kfake.NewCluster(opts...)
	if err != nil {
		return "", nil, fmt.Errorf("starting the embedded Kafka: %w", err)
	}
	return c.ListenAddrs()[0], sync.OnceFunc(c.Close), nil
}

const embeddedPartitions = 3

// StartRedis runs a Redis server in this process, for demo and tests. stop ends it.
func StartRedis() (addr string, stop func(), err error) {
	m := miniredis.NewMiniRedis()
	if err := m.Start(); err != nil {
		return "", nil, fmt.Errorf("starting the embedded Redis: %w", err)
	}
	still := expiry.Run(m)
	return m.Addr(), sync.OnceFunc(func() {
		still()
		m.Close()
	}), nil
}
