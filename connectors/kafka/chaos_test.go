package kafka

import (
	"context"
	"flag"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var (
	chaosSeed = flag.Uint64("chaos.seed", 1, "seed of the chaos test")
	chaosTime = flag.Duration("chaos.time", 8*time.Second, "how long the chaos test breaks things")
)

// chaosHandler settles records after random delays and parks, with a few dead letters.
type chaosHandler struct {
	k   *kit
	mu  sync.Mutex
	rng *rand.Rand
}

func (h *chaosHandler) roll(n int) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rng.IntN(n)
}

func (h *chaosHandler) Handle(ctx context.Context, d *Delivery) Result {
	timer := time.NewTimer(time.Duration(h.roll(20)) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return Result{Released: true}
	}
	select {
	case <-d.Leaving():
		if h.roll(2) == 0 {
			return Result{Released: true}
		}
	default:
	}
	if d.Attempt < 4 && h.roll(10) == 0 {
		return Result{Park: &Park{Until: time.Now().Add(time.Duration(h.roll(300)) * time.Millisecond), Keys: []string{"wake"}, Reason: "chaos"}}
	}
	r := Result{Publish: []Message{h.k.outcome(d)}}
	if h.roll(20) == 0 {
		r.Publish = append(r.Publish, Message{Record: &kgo.Record{Topic: h.k.dead, Key: d.Record.Key, Value: d.Record.Value}})
	}
	return r
}

// Members come and go, are killed, lose answers, and are disturbed at every step of their transactions, over a source that is partly aborted.
func TestChaos(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes about 20 s")
	}
	for _, protocol := range []Protocol{ProtocolClassic, ProtocolConsumer} {
		t.Run(string(protocol), func(t *testing.T) {
			t.Parallel()
			t.Logf("seed %d", *chaosSeed)
			chaos(t, protocol, *chaosSeed)
		})
	}
}

func chaos(t *testing.T, protocol Protocol, seed uint64) {
	k := setup(t, func(o *kitOptions) { o.partitions = 6 })
	rng := rand.New(rand.NewPCG(seed, seed))
	h := &chaosHandler{k: k, rng: rand.New(rand.NewPCG(seed, 2))}
	slots := make([]*member, 4)
	configs := make([]Config, len(slots))
	for i := range slots {
		cfg := k.config(string(rune('a' + i)))
		cfg.Protocol, cfg.TransactionTimeout, cfg.DrainTimeout = protocol, 4*time.Second, 300*time.Millisecond
		configs[i] = cfg
	}
	slots[0] = k.startConfig(configs[0], h)
	ctx, cancel := context.WithTimeout(t.Context(), *chaosTime)
	defer cancel()
	breakable := []kmsg.Key{kmsg.EndTxn, kmsg.EndTxn, kmsg.EndTxn, kmsg.TxnOffsetCommit, kmsg.Produce, kmsg.OffsetCommit, kmsg.Heartbeat, kmsg.JoinGroup, kmsg.SyncGroup, kmsg.InitProducerID}
	var releases []func()
	kills, lost, produced := 0, 0, 0
	for ctx.Err() == nil {
		i := rng.IntN(len(slots))
		m := slots[i]
		switch roll := rng.IntN(12); {
		case m == nil:
			slots[i] = k.startConfig(configs[i], h)
		case roll < 2 && i > 0:
			m.kill()
			kills++
			slots[i] = nil
		case roll < 3 && i > 0:
			m.cancel()
			slots[i] = nil
		case roll < 6:
			m.wire.loseAnswers(breakable[rng.IntN(len(breakable))].Int16(), 1+rng.IntN(2))
			lost++
		case roll < 7:
			releases = append(releases, m.wire.delay(breakable[rng.IntN(len(breakable))].Int16()))
		case roll < 9:
			for _, release := range releases {
				release()
			}
			releases = nil
		default:
			m.Wake("wake")
		}
		var records []*kgo.Record
		for range 20 {
			key := rng.IntN(200)
			records = append(records, &kgo.Record{Topic: k.source, Partition: int32(key % 6), Key: []byte{byte('A' + key%50), byte('a' + key/50)}, Value: []byte("v")})
		}
		if rng.IntN(4) == 0 {
			k.produceTxn(rng.IntN(3) > 0, records...)
		} else {
			k.send(records...)
		}
		produced += len(records)
		if rng.IntN(8) == 0 {
			k.checkCommits()
		}
		_ = sleep(ctx, time.Duration(20+rng.IntN(100))*time.Millisecond)
	}
	for _, release := range releases {
		release()
	}
	t.Logf("%d kills, %d rounds of lost answers, %d records", kills, lost, produced)
	k.checkAll()
}
