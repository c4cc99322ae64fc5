package torture

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/secret"
	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/internal/torture/tale"
	"github.com/booksync/booksync/schemas"
)

// Limits and times. They are those of a real installation, for time costs nothing here; what a record without its order
// waits for is shorter.
const (
	perMinute    = 100
	smallPlan    = 20 // calls per minute of a company with a small plan
	usualQuota   = 10_000
	concurrency  = 10
	partitions   = 3
	latency      = 120 * time.Millisecond
	jitter       = 300 * time.Millisecond
	settleEvery  = 250 * time.Millisecond
	deadline     = 7 * time.Minute
	writeHorizon = 5 * time.Minute
	lease        = time.Minute
	idle         = 30 * time.Second // between two looks at what did not change
)

// begin is when every simulation begins.
var begin = time.Date(2026, 3, 9, 13, 0, 0, 0, time.UTC)

// world is Kafka, Redis and Zoho Books in memory.
type world struct {
	net   *network
	org   simulator.Org
	sim   *simulator.Simulator
	kafka *kfake.Cluster
	redis *redisServer
	cfg   *config.Config
	codec *schemas.Codec
	stops []func()

	commits chan struct{} // gets something when the group may have committed; holds one
}

func newWorld(seed int64, p *plan) (*world, error) {
	w := &world{net: newNetwork(), org: tale.Company()}
	w.org.MinuteLimit, w.org.PlanQuota, w.org.Concurrency = p.perMinute, p.perDay, concurrency
	w.sim = simulator.New(simulator.Config{
		Organizations: []simulator.Org{w.org}, Latency: latency, Jitter: jitter, Seed: seed, APIDomain: "http://" + booksAddr, Switches: p.switches,
	})
	w.stops = append(w.stops, w.sim.Serve(w.net.listen(booksAddr)))
	w.cfg = w.config(p)
	var err error
	if w.kafka, err = w.startKafka(); err != nil {
		w.close()
		return nil, err
	}
	w.stops = append(w.stops, w.kafka.Close)
	w.redis = startRedis(w.net.listen(redisAddr), p.ageEvery)
	w.stops = append(w.stops, w.redis.close)
	if w.codec, err = schemas.NewCodec(); err != nil {
		w.close()
		return nil, err
	}
	w.stops = append(w.stops, w.codec.Close)
	return w, nil
}

// close ends the services, the last started first.
func (w *world) close() {
	for i := len(w.stops) - 1; i >= 0; i-- {
		w.stops[i]()
	}
}

func (w *world) startKafka() (*kfake.Cluster, error) {
	topics := append(w.cfg.Topics.Sources(), w.cfg.Topics.Produced()...)
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(9092), kfake.SeedTopics(partitions, topics...),
		kfake.ListenFn(func(_, at string) (net.Listener, error) { return w.net.listen(at), nil }))
	if err != nil {
		return nil, fmt.Errorf("starting Kafka: %w", err)
	}
	w.commits = make(chan struct{}, 1)
	for _, key := range []kmsg.Key{kmsg.EndTxn, kmsg.OffsetCommit} {
		c.ControlKey(key.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
			c.KeepControl()
			select {
			case w.commits <- struct{}{}:
			default:
			}
			return nil, nil, false
		})
	}
	return c, nil
}

// client is a Kafka client of the simulation itself, which meets no faults.
func (w *world) client(opts ...kgo.Opt) (*kgo.Client, error) {
	c := w.net.cable("simulation", nil)
	return kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(kafkaAddr), kgo.Dialer(c.dial)}, opts...)...)
}

// config is what every replica is given.
func (w *world) config(p *plan) *config.Config {
	cfg := config.Default()
	cfg.Kafka.Brokers, cfg.Kafka.Group = []string{kafkaAddr}, "booksync"
	cfg.Engine.SettleEvery, cfg.Engine.DrainTimeout = settleEvery, 20*time.Second
	cfg.Redis.Addresses = []string{redisAddr}
	cfg.Redis.TokenKey = secret.New(base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32))))
	cfg.Zoho.APIBase, cfg.Zoho.AccountsBase, cfg.Zoho.AllowLoopback = "http://"+booksAddr+"/books/v3", "http://"+booksAddr, true
	cfg.Zoho.CallsPerMinute, cfg.Zoho.Concurrency, cfg.Zoho.WriteHorizon = p.perMinute, concurrency, writeHorizon
	cfg.Claims.Lease = lease
	cfg.HTTP.Listen = ""
	mapping := tale.Mapping()
	mapping.DependencyDeadline = deadline
	cfg.Organizations = map[string]config.Organization{tale.Organization: mapping}
	return cfg
}

// until waits for a condition, asking every now and then; false when it does not come about within limit.
func until(ctx context.Context, limit time.Duration, cond func() bool) bool {
	for end := time.Now().Add(limit); time.Now().Before(end); {
		if cond() {
			return true
		}
		if !pause(ctx, time.Second) {
			return false
		}
	}
	return cond()
}

// pause waits; false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
