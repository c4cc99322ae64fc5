package processtest

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// detours lead each process to Kafka and to Redis through a proxy of its own, and all of them to Zoho through one, which can be
// made toxic. They listen on 127.0.0.2. Zoho's is shared since its address is: an access token counts only for the address it
// was got from.
type detours struct {
	proxies map[way]*toxiproxy.Proxy
	spells  sync.WaitGroup
	mu      sync.Mutex
	busy    map[way]bool // those that are spoilt
}

// way is from a process to a service.
type way struct {
	process int    // 0 on the shared way to Zoho
	service string // kafka, redis, zoho
}

func (w way) String() string {
	if w.service == toZoho {
		return "all processes to zoho"
	}
	return fmt.Sprintf("process %d to %s", w.process, w.service)
}

const (
	toKafka = "kafka"
	toRedis = "redis"
	toZoho  = "zoho"
)

// drawWay draws one.
func drawWay(r *rand.Rand, processes int) way {
	w := way{service: []string{toKafka, toRedis, toZoho}[r.IntN(3)], process: r.IntN(processes)}
	if w.service == toZoho {
		w.process = 0
	}
	return w
}

// detour puts proxies between the processes and the services, and sets the processes' environment accordingly. It
// needs a broker with listeners for it.
func (w *world) detour(t *testing.T, processes int) *detours {
	t.Helper()
	ports := strings.Fields(os.Getenv(envDetours))
	if len(ports) < processes {
		t.Fatalf("%s names %d listeners, want %d (see .ci/services)", envDetours, len(ports), processes)
	}
	d := &detours{proxies: map[way]*toxiproxy.Proxy{}, busy: map[way]bool{}}
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	t.Cleanup(d.close)
	open := func(on way, listen, upstream string) string {
		proxy := toxiproxy.NewProxy(server, on.String(), listen, upstream)
		if err := proxy.Start(); err != nil {
			t.Fatalf("starting a proxy from %v: %v", on, err)
		}
		d.proxies[on] = proxy
		return proxy.Listen
	}
	zoho := "http://" + open(way{0, toZoho}, "127.0.0.2:0", strings.TrimPrefix(w.simulator, "http://"))
	w.own = map[int][]string{}
	for n := range processes {
		w.own[n] = []string{
			"BOOKSYNC_KAFKA_BROKERS=" + open(way{n, toKafka}, "127.0.0.2:"+ports[n], "127.0.0.1:"+ports[n]),
			"BOOKSYNC_REDIS_ADDRESSES=" + open(way{n, toRedis}, "127.0.0.2:0", w.redis.Addr),
			"BOOKSYNC_ZOHO_API_BASE=" + zoho + "/books/v3", "BOOKSYNC_ZOHO_ACCOUNTS_BASE=" + zoho,
		}
	}
	return d
}

// close waits until every spell is over and ends the proxies.
func (d *detours) close() {
	d.spells.Wait()
	for _, proxy := range d.proxies {
		proxy.Stop()
	}
}

// toxic is something that a network does; the first half of the names are toxiproxy's.
type toxic struct {
	Type       string         `json:"type"`
	Stream     string         `json:"stream"`   // upstream: what the process sends; downstream: what it gets
	Toxicity   float64        `json:"toxicity"` // the share of connections that it befalls
	Attributes map[string]int `json:"attributes"`
}

const down = "down" // every connection breaks, and none is accepted: the proxy itself is gone

func (x toxic) String() string {
	if x.Type == down {
		return down
	}
	attributes := strings.TrimPrefix(fmt.Sprint(x.Attributes), "map")
	return fmt.Sprintf("%s %s %s of %.0f %%", x.Stream, x.Type, attributes, 100*x.Toxicity)
}

// drawToxic draws one. Nothing is held back for longer than mostDelayed.
func drawToxic(r *rand.Rand) toxic {
	x := toxic{Stream: []string{"upstream", "downstream"}[r.IntN(2)], Toxicity: []float64{0.3, 0.6, 1}[r.IntN(3)]}
	between := func(low, high int) int { return low + r.IntN(high-low+1) }
	switch r.IntN(7) {
	case 0:
		x.Type, x.Attributes = "latency", map[string]int{"latency": between(50, 800), "jitter": between(0, 50)}
	case 1:
		x.Type, x.Attributes = "latency", map[string]int{"latency": between(100, 300), "jitter": between(50, 100)}
	case 2: // bytes, and microseconds between them
		x.Type, x.Attributes = "slicer", map[string]int{"average_size": between(20, 200), "size_variation": between(0, 10), "delay": between(100, 3000)}
	case 3: // milliseconds until the connection is reset, after its first byte
		x.Type, x.Attributes = "reset_peer", map[string]int{"timeout": between(0, 500)}
	case 4: // nothing comes through, and the connection is closed after so many milliseconds
		x.Type, x.Attributes = "timeout", map[string]int{"timeout": between(500, 4000)}
	case 5: // KB/s
		x.Type, x.Attributes = "bandwidth", map[string]int{"rate": between(10, 60)}
	default:
		x.Type = down
	}
	return x
}

// spoil makes a way toxic for a while, in the background. A way that is spoilt already is left as it is: false.
func (d *detours) spoil(t *testing.T, on way, x toxic, length time.Duration) bool {
	t.Helper()
	if !d.take(on) {
		return false
	}
	proxy := d.proxies[on]
	if x.Type == down {
		proxy.Stop()
	} else {
		text, err := json.Marshal(x)
		if err == nil {
			_, err = proxy.Toxics.AddToxicJson(strings.NewReader(string(text)))
		}
		if err != nil {
			t.Fatalf("spoiling the way of %v by %v: %v", on, x, err)
		}
	}
	d.spells.Go(func() {
		defer d.give(on)
		over := time.NewTimer(length)
		<-over.C
		if x.Type != down {
			proxy.Toxics.ResetToxics(context.Background())
		} else if err := proxy.Start(); err != nil {
			t.Errorf("opening the way of %v again: %v", on, err)
		}
	})
	return true
}

// take says whether a way was not spoilt; now it is.
func (d *detours) take(on way) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.busy[on] {
		return false
	}
	d.busy[on] = true
	return true
}

func (d *detours) give(on way) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.busy[on] = false
}
