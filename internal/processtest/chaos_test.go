package processtest

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/internal/testkit"
	"github.com/booksync/booksync/internal/torture/judge"
	"github.com/booksync/booksync/internal/torture/tale"
	"github.com/booksync/booksync/schemas"
)

// chaos is the run of processes in which everything breaks.
type chaos struct {
	*world
	detours *detours
	reader  *judge.Collector
	sender  *tale.Sender
	watch   *watcher
	topics  config.Topics
	records int // that count
	counts  map[kind]int
}

// TestChaos runs three processes on services and ways that break again and again, by a schedule that a seed fixes, while the
// producers of a tale go on. The checker of the simulation (internal/torture/judge) judges what is left, and the judge from
// outside what other people's tools see of it.
func TestChaos(t *testing.T) {
	orders, hurry := 150, 25.0
	counts := map[kind]int{killReplica: 6, restartKafka: 1, emptyRedis: 1, stopZoho: 1, spoilNetwork: 6}
	switch {
	case os.Getenv(envLong) == "1":
		orders = 350
		counts = map[kind]int{killReplica: 32, restartKafka: 5, emptyRedis: 5, stopZoho: 4, spoilNetwork: 20}
	case os.Getenv(envChaos) == "":
		t.Skipf("takes five minutes: %s is not set", envChaos)
	}
	tools := findTools(t)
	if os.Getenv(envDetours) == "" || os.Getenv(testkit.EnvServices) == "" {
		t.Skipf("needs a Kafka with listeners for proxies that may be killed: %s and %s are not both set (see .ci/services)", envDetours, testkit.EnvServices)
	}
	const processes = 3
	seed := seed(t)
	t.Logf("the same again: %s=%d go test -run TestChaos ./internal/processtest", envSeed, seed)
	begin := time.Now()
	c := newChaos(t, newWorld(t, tools, build(t), seed, chaosTerms()), tale.Tell(seed, tale.Options{Orders: orders, Begin: taleBegin, Forgetful: true}), processes, hurry)
	incidents := draw(rand.New(rand.NewPCG(uint64(seed), 0x6368616f73)), processes, counts)
	for n := range processes {
		c.start(t, n)
	}
	stop := c.send(t)
	for n, i := range incidents {
		c.until(t, "the next share of the work", func() bool { return float64(c.watch.distinct()) >= i.after*float64(c.records) }, c.watch)
		t.Logf("%6s, %d of %d outcomes, incident %d of %d: %v", time.Since(begin).Round(time.Second), c.watch.distinct(), c.records, n+1, len(incidents), i)
		c.befall(t, i)
	}
	c.detours.spells.Wait()
	c.settleAll(t, c.watch, c.records)
	c.until(t, "a verdict for every record", c.sender.Done, c.watch)
	finished := time.Since(begin)
	stop()
	c.stopAll(t)
	c.judge(t)
	t.Logf("%d records in %v; %v; processes that gave up and were started again: %q", c.records, finished.Round(time.Second), c.counts, c.exits)
}

// taleBegin is about when the tale's events happened; it does not move, so that a seed always tells the same.
var taleBegin = time.Date(2026, 3, 9, 13, 0, 0, 0, time.UTC)

// chaosTerms lets a call take longer than anything holds it back.
func chaosTerms() terms {
	cfg := config.Default()
	company := tale.Mapping()
	company.DependencyDeadline = 40 * time.Second // a producer that Kafka keeps waiting is not a missing order
	cfg.Organizations = map[string]config.Organization{tale.Organization: company}
	terms := usual()
	terms.config, terms.restart = cfg, true
	terms.complaints = true // euros go over accounts in dollars, too
	creds := simulator.DefaultCredentials()
	terms.settings = map[string]string{
		"ORGANIZATIONS_SHOP_CLIENT_SECRET": creds.ClientSecret, "ORGANIZATIONS_SHOP_REFRESH_TOKEN": creds.RefreshToken,
		"ZOHO_TIMEOUT": "6s", "CLAIMS_LEASE": "8s", "ZOHO_SETTLE_DELAY": "1s", "ZOHO_WRITE_HORIZON": (2 * mostDelayed).String(),
		// As many calls as ever within a minute, in three windows: a Redis that comes back empty lets none leave for one of them.
		"ZOHO_WINDOW": "20500ms", "ZOHO_CALLS_PER_MINUTE": strconv.Itoa(terms.perMinute / 3),
	}
	return terms
}

func newChaos(t *testing.T, w *world, told *tale.Tale, processes int, hurry float64) *chaos {
	t.Helper()
	c := &chaos{world: w, detours: w.detour(t, processes), watch: w.watch(t), counts: map[kind]int{}}
	for _, e := range told.Emissions {
		if !e.Aborted {
			c.records++
		}
	}
	codec, err := schemas.NewCodec()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(codec.Close)
	c.topics = config.Default().Topics
	c.topics.Orders, c.topics.Payments, c.topics.Refunds, c.topics.Outcomes = []string{w.orders}, []string{w.payments}, []string{w.refunds}, w.outcomes
	connect := func(opts ...kgo.Opt) (*kgo.Client, error) {
		return kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(w.broker), kgo.MetadataMinAge(100 * time.Millisecond)}, opts...)...)
	}
	c.reader = &judge.Collector{Connect: connect, Topics: c.topics, Group: w.group, Codec: codec}
	if err := c.reader.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.reader.Stop)
	c.sender = &tale.Sender{Tale: told, Connect: connect, Topics: c.topics, Codec: codec, Begin: time.Now(), Hurry: hurry, Settled: c.reader.Settled}
	return c
}

// send tells the tale in the background, and looks at the group's commits. The returned function ends both.
func (c *chaos) send(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	sent, looked := make(chan error, 1), make(chan struct{})
	c.sender.Begin = time.Now()
	go func() { sent <- c.sender.Run(ctx) }()
	go func() {
		defer close(looked)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_ = c.reader.Look(ctx) // Kafka is down now and then
			case <-ctx.Done():
				return
			}
		}
	}()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		<-looked
		if err := <-sent; err != nil {
			t.Errorf("sending: %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// befall makes an incident happen.
func (c *chaos) befall(t *testing.T, i incident) {
	t.Helper()
	pause := func() {
		over := time.NewTimer(i.length)
		<-over.C
	}
	switch i.kind {
	case killReplica:
		c.processes[i.victim].kill()
		delete(c.processes, i.victim)
		pause()
		c.start(t, i.victim)
	case restartKafka:
		testkit.RealKafka(t).Restart(t, nil)
	case emptyRedis:
		c.redis.Kill(t)
		pause()
		c.redis.Start(t)
	case stopZoho:
		c.signalZoho(t, syscall.SIGSTOP)
		pause()
		c.signalZoho(t, syscall.SIGCONT)
	case spoilNetwork:
		if !c.detours.spoil(t, i.on, i.toxic, i.length) {
			t.Logf("%v is spoilt already", i.on)
			return
		}
	}
	c.counts[i.kind]++
}

func (c *chaos) signalZoho(t *testing.T, s os.Signal) {
	t.Helper()
	if err := c.zoho.Signal(s); err != nil {
		t.Fatalf("sending the simulator %v: %v", s, err)
	}
}

// judge lets both judges have their say.
func (c *chaos) judge(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	e, err := c.reader.Evidence(ctx)
	if err != nil {
		t.Fatalf("collecting the evidence: %v", err)
	}
	e.Tale, e.TimeZone = c.sender.Tale, tale.Company().TimeZone
	e.Ledger, e.Calls = c.ledger(t), c.calls(t)
	e.Limits = judge.Limits{InFlight: c.concurrency}
	// A transaction that a killed process left open keeps later ones from read_committed readers until it times out.
	e.Delay = 30 * time.Second
	found := judge.Check(*e)
	for _, p := range found.Problems {
		t.Errorf("%s: %s", p.Promise, p.What)
	}
	// Calls that left in time and were held back arrive together with later ones: as many as may be in flight.
	if e.Calls.LargestMinute > c.perMinute+c.concurrency {
		t.Errorf("%d calls arrived within 60 s, %d are allowed to leave", e.Calls.LargestMinute, c.perMinute)
	}
	outside := judgement{t: t, seen: c.read(t)}
	outside.verdicts(c.records)
	found.Problems = nil
	text, err := json.Marshal(found)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s; %d calls, at most %d arrived in 60 s of %d, at most %d in flight of %d, refused %d", text, e.Calls.Total, e.Calls.LargestMinute, c.perMinute,
		e.Calls.LargestInFlight, c.concurrency, e.Calls.Refused)
	if t.Failed() {
		t.Logf("emissions:\n%s", c.told())
	}
}

// told are the emissions, for who looks for a failure.
func (c *chaos) told() string {
	text := ""
	for _, e := range c.sender.Tale.Emissions {
		text += fmt.Sprintf("%v %s key %s effect %s aborted %v\n", e.Where, e.Workflow, e.Key, e.Effect(), e.Aborted)
	}
	return text
}
