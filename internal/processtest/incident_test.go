package processtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// mostDelayed is how long a call may be held back at most, by a stopped Zoho and what the network adds: shorter than a slot of
// the budget is kept for a call without an answer, and than the write horizon.
const mostDelayed = 8 * time.Second

// incident is something that happens to the run once a part of its work is done.
type incident struct {
	after  float64 // the share of the work
	kind   kind
	victim int           // of a kill
	on     way           // of a toxic network
	toxic  toxic         //
	length time.Duration // until what was killed is started again; how long Zoho is stopped, the network toxic
}

type kind string

const (
	killReplica  kind = "replicas killed"
	restartKafka kind = "restarts of Kafka"
	emptyRedis   kind = "restarts of Redis without data"
	stopZoho     kind = "stops of Zoho"
	spoilNetwork kind = "spells of a toxic network"
)

func (i incident) String() string {
	switch i.kind {
	case killReplica:
		return fmt.Sprintf("process %d killed, started again after %v", i.victim, i.length)
	case restartKafka:
		return "Kafka killed and started again"
	case emptyRedis:
		return fmt.Sprintf("Redis killed, started again, empty, after %v", i.length)
	case stopZoho:
		return fmt.Sprintf("Zoho stopped for %v", i.length)
	default:
		return fmt.Sprintf("%v: %v for %v", i.on, i.toxic, i.length)
	}
}

// draw makes a schedule from a seed: so many incidents of each kind, in any order, spread over most of the work.
func draw(r *rand.Rand, processes int, counts map[kind]int) []incident {
	between := func(low, high time.Duration) time.Duration {
		return (low + time.Duration(r.Int64N(int64(high-low)))).Round(10 * time.Millisecond)
	}
	var all []incident
	for _, kind := range []kind{killReplica, restartKafka, emptyRedis, stopZoho, spoilNetwork} {
		for range counts[kind] {
			i := incident{kind: kind}
			switch kind {
			case killReplica:
				i.victim, i.length = r.IntN(processes), between(0, 6*time.Second)
			case emptyRedis:
				i.length = between(0, 3*time.Second)
			case stopZoho:
				i.length = between(time.Second, mostDelayed-time.Second)
			case spoilNetwork:
				i.on, i.toxic, i.length = drawWay(r, processes), drawToxic(r), between(2*time.Second, 10*time.Second)
			}
			all = append(all, i)
		}
	}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for i := range all {
		all[i].after = 0.9 * (float64(i) + r.Float64()) / float64(len(all))
	}
	return slices.Clip(all)
}
