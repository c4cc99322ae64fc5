package processtest

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/booksync/booksync/internal/testkit"
)

func TestMain(m *testing.M) {
	// A toxic that is added to a connection which ends at that moment leaves its goroutine behind.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).read"), // of a link whose toxic is gone: nothing ends it
		goleak.Cleanup(func(code int) {
			remove()
			os.Exit(code)
		}))
}

// Environment of this test, beside that of testkit.
const (
	envDetours = "BOOKSYNC_TEST_KAFKA_DETOURS" // ports of the broker's listeners for proxies
	envLong    = "BOOKSYNC_TEST_LONG"          // 1: the long variants
	envChaos   = "BOOKSYNC_TEST_CHAOS"         // 1: the short form of the chaos
	envSoak    = "BOOKSYNC_TEST_SOAK"          // how long the soak lasts, such as 1h; default a minute and a half
	envSeed    = "BOOKSYNC_TEST_SEED"          // a number; default 7
	envPython  = "BOOKSYNC_TEST_PYTHON"        // a Python with confluent-kafka and fastavro; default python3
	envCI      = "CI"                          // set: missing tools are a failure
)

// trial is one variant of the test.
type trial struct {
	name      string
	processes int
	orders    int
	kills     int
	// faults lets Zoho lose answers and lag meanwhile.
	faults bool
	// emptyRedisAfter is the number of kills after which Redis is killed and comes back empty; 0: never.
	emptyRedisAfter int
}

// TestKilledUnderLoad is the promise of the design's first section, for processes.
func TestKilledUnderLoad(t *testing.T) {
	trials := []trial{
		{name: "one process, started again at once", processes: 1, orders: 300, kills: 5},
		{name: "three processes, another takes over", processes: 3, orders: 300, kills: 5},
	}
	if os.Getenv(envLong) == "1" {
		trials = []trial{
			{name: "one process, started again at once", processes: 1, orders: 3000, kills: 50, faults: true, emptyRedisAfter: 20},
			{name: "three processes, another takes over", processes: 3, orders: 3000, kills: 50, faults: true, emptyRedisAfter: 30},
		}
	}
	tools := findTools(t)
	binary := build(t)
	for _, tr := range trials {
		t.Run(tr.name, func(t *testing.T) {
			t.Parallel()
			tr.run(t, tools, binary, seed(t))
		})
	}
}

func seed(t *testing.T) int64 {
	t.Helper()
	text := os.Getenv(envSeed)
	if text == "" {
		return 7
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", envSeed, err)
	}
	return n
}

// patience bounds every single wait; a Redis that came back empty lets no call leave for a window, which is a minute, and a
// process that was started meanwhile asks Zoho again after up to another.
const patience = 4 * time.Minute

func (tr trial) run(t *testing.T, tools tools, binary string, seed int64) {
	begin := time.Now()
	w := newWorld(t, tools, binary, seed, usual())
	if tr.faults {
		w.injectFaults(t)
	}
	want := w.produce(t, seed, tr.orders)
	produced := time.Now()
	watch := w.watch(t)
	for n := range tr.processes {
		w.start(t, n)
	}
	k := killer{trial: tr, w: w, watch: watch, r: rand.New(rand.NewPCG(uint64(seed), 0x6b696c6c)), records: len(want.Records)}
	for n := range tr.kills {
		k.kill(t, n)
		if n+1 == tr.emptyRedisAfter {
			w.redis.Kill(t)
			w.redis.Start(t)
			k.emptied = time.Now()
			t.Log("Redis was killed and is back, empty")
		}
	}
	w.until(t, "a verdict for every record", func() bool { return watch.distinct() >= len(want.Records) }, watch)
	finished := time.Now()
	w.stopAll(t) // drains, and commits everything
	j := judgement{t: t, want: want, seen: w.read(t), ledger: w.ledger(t), calls: w.calls(t), terms: w.terms}
	j.records()
	j.books()
	j.limits()
	k.report(t)
	j.report(finished.Sub(produced), time.Since(begin), len(k.kills))
	if t.Failed() {
		t.Logf("the same again: %s=%d go test ./internal/processtest", envSeed, seed)
	}
}

// needServices skips the test where no real services are named.
func needServices(t *testing.T) {
	t.Helper()
	testkit.RealKafka(t)
	if os.Getenv(testkit.EnvRedis) == "" {
		t.Skipf("needs a real Redis: %s is not set (see .ci/services)", testkit.EnvRedis)
	}
}
