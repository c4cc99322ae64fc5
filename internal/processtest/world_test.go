package processtest

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/internal/testkit"
)

// Times and limits of the runs. What waits is short, together with what it waits for, so that five kills fit in a minute.
const (
	sessionTimeout = 3 * time.Second
	lease          = 5 * time.Second // longer than callTimeout
	callTimeout    = 2 * time.Second
	settleDelay    = 500 * time.Millisecond
	writeHorizon   = 3 * time.Second // longer than a call and lateLanding
	lateLanding    = time.Second
	searchLag      = 300 * time.Millisecond // shorter than settleDelay
	faultDelay     = 7 * time.Second        // what a start, which asks Zoho first, and a look-up may lose to faults
	deadline       = 5 * time.Second        // of a payment whose order never comes
	// abandoned is how long the partitions of a transaction that a killed process left open keep their next owner waiting: its
	// timeout, and the time after which the broker looks for such ones, 10 s each.
	abandoned    = 20 * time.Second
	budgetWindow = 61 * time.Second // zoho.window: what was not counted may have left in that time
	partitions   = 4
)

// terms are what the simulated Zoho grants, and settings of booksync that differ from those of [world.configure].
type terms struct {
	perMinute, perDay, concurrency int // calls; perDay negative: no limit
	granted                        int // calls a minute, if Zoho grants fewer than booksync is told
	latency, jitter                time.Duration
	settings                       map[string]string // by the name of the variable, without BOOKSYNC_
	system                         []string          // further variables of `run`, not booksync's own
	config                         *config.Config    // what the file holds; nil: what the simulator prints
	// complaints says that setup finds something wrong with the company, and that this does not matter here.
	complaints bool
	// restart starts a process again that ended by itself, as a service manager does.
	restart bool
}

// usual are the terms of the runs with kills.
func usual() terms {
	return terms{perMinute: 1500, perDay: -1, concurrency: 10, latency: 150 * time.Millisecond, jitter: 250 * time.Millisecond}
}

// build makes the binary, once for all tests.
func build(t *testing.T) string {
	t.Helper()
	binary, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "booksync-processtest")
	if err != nil {
		return "", err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	binary := filepath.Join(dir, "booksync")
	if out, err := exec.Command("go", "build", "-o", binary, "github.com/booksync/booksync/processor/cmd/booksync").CombinedOutput(); err != nil {
		return "", fmt.Errorf("building booksync: %w\n%s", err, out)
	}
	return binary, nil
})

// remove takes away what was built.
var remove = func() {}

// world is one run's services, topics and processes.
type world struct {
	terms
	tools           tools
	binary, schemas string
	dir             string // logs and configuration
	broker          string
	admin           *kadm.Client
	redis           *testkit.RedisServer
	simulator       string      // base URL
	zoho            *os.Process // the simulator's
	environ         []string
	own             map[int][]string // of one process, over environ

	orders, payments, refunds, outcomes string
	group                               string

	processes map[int]*process
	exits     []string // why processes ended by themselves
}

// process is one life of a `run`.
type process struct {
	cmd   *exec.Cmd
	log   string
	began int64 // where this life begins in the log
	done  chan struct{}
	err   error // valid when done is closed
}

func newWorld(t *testing.T, tools tools, binary string, seed int64, terms terms) *world {
	t.Helper()
	w := &world{
		terms: terms, tools: tools, binary: binary, schemas: filepath.Join(testkit.Root(t), "schemas"), dir: t.TempDir(),
		broker: testkit.RealKafka(t).Addrs[0], redis: testkit.OwnRedis(t), processes: map[int]*process{},
		orders: testkit.Name(t, "pt.orders"), payments: testkit.Name(t, "pt.payments"), refunds: testkit.Name(t, "pt.refunds"),
		outcomes: testkit.Name(t, "pt.outcomes"), group: testkit.Name(t, "pt"),
	}
	w.admin = kadm.NewClient(testkit.Client(t, []string{w.broker}))
	testkit.CreateTopics(t, []string{w.broker}, partitions, nil, w.orders, w.payments, w.refunds)
	w.startSimulator(t, seed)
	w.configure(t)
	t.Cleanup(func() { w.deleteTopics() })
	w.setUp(t)
	return w
}

// setUp creates the topics.
func (w *world) setUp(t *testing.T) {
	t.Helper()
	if !w.complaints {
		commandIn(t, w.environ, w.binary, "setup", "--apply")
		return
	}
	cmd := exec.CommandContext(t.Context(), w.binary, "setup", "--apply")
	cmd.Env = w.environ
	var exit *exec.ExitError
	if out, err := cmd.CombinedOutput(); err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		t.Fatalf("booksync setup: %v\n%s", err, out)
	}
}

// startSimulator starts `booksync simulator` on a port of the system's choice.
func (w *world) startSimulator(t *testing.T, seed int64) {
	t.Helper()
	cmd := exec.Command(w.binary, "simulator", "--listen", "127.0.0.1:0", "--latency", w.latency.String(), "--jitter", w.jitter.String(),
		"--per-minute", strconv.Itoa(cmp.Or(w.granted, w.perMinute)), "--per-day", strconv.Itoa(w.perDay), "--concurrency", strconv.Itoa(w.concurrency), "--seed", strconv.FormatInt(seed, 10))
	cmd.Env = systemEnviron()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting the simulator: %v", err)
	}
	said := bufio.NewReader(stderr)
	line, readErr := said.ReadString('\n')
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		_, _ = io.Copy(io.Discard, said)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-drained
		_ = cmd.Wait() // "signal: killed" is what was asked for
	})
	_, url, ok := strings.Cut(strings.TrimSpace(line), " at ")
	if readErr != nil || !ok {
		t.Fatalf("the simulator said %q, %v", line, readErr)
	}
	w.simulator, w.zoho = url, cmd.Process
}

// systemEnviron is our environment without what is meant for booksync.
func systemEnviron() []string {
	var out []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "BOOKSYNC_") {
			out = append(out, kv)
		}
	}
	return out
}

// configure makes the environment of setup and of every run.
func (w *world) configure(t *testing.T) {
	t.Helper()
	file := filepath.Join(w.dir, "booksync.yaml")
	var text bytes.Buffer
	if w.config == nil {
		text.Write(commandIn(t, systemEnviron(), w.binary, "simulator", "--listen", strings.TrimPrefix(w.simulator, "http://"), "--print-config"))
	} else if err := w.config.Print(&text); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	settings := map[string]string{
		"CONFIG":        file,
		"KAFKA_BROKERS": w.broker, "KAFKA_GROUP": w.group, "KAFKA_SESSION_TIMEOUT": sessionTimeout.String(),
		"TOPICS_ORDERS": w.orders, "TOPICS_PAYMENTS": w.payments, "TOPICS_REFUNDS": w.refunds, "TOPICS_OUTCOMES": w.outcomes,
		"TOPICS_AUDIT": w.audit(), "TOPICS_PARTITIONS": strconv.Itoa(partitions),
		"REDIS_ADDRESSES": w.redis.Addr, "REDIS_TOKEN_KEY": base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32)),
		"CLAIMS_LEASE": lease.String(), "CLAIMS_RECHECK": "1s",
		"ZOHO_TIMEOUT": callTimeout.String(), "ZOHO_SETTLE_DELAY": settleDelay.String(), "ZOHO_WRITE_HORIZON": writeHorizon.String(),
		"ZOHO_CALLS_PER_MINUTE": strconv.Itoa(w.perMinute), "ZOHO_CONCURRENCY": strconv.Itoa(w.concurrency),
		"ZOHO_PAUSE": "1s", "ZOHO_BACK_OFF": "200ms", "ZOHO_BACK_OFF_LIMIT": "2s", "ZOHO_MARK_SENT_EVERY": "500ms",
		"HTTP_LISTEN":   "127.0.0.1:0",
		"ZOHO_API_BASE": w.simulator + "/books/v3", "ZOHO_ACCOUNTS_BASE": w.simulator, "ZOHO_ALLOW_LOOPBACK": "true",
	}
	if w.config == nil {
		settings["ORGANIZATIONS_DEMO_DEPENDENCY_DEADLINE"] = deadline.String()
	}
	maps.Copy(settings, w.settings)
	w.environ = append(systemEnviron(), w.system...)
	for name, value := range settings {
		w.environ = append(w.environ, "BOOKSYNC_"+name+"="+value)
	}
}

func (w *world) audit() string { return w.outcomes + ".audit" }

// deleteTopics removes what setup made; testkit removes the sources.
func (w *world) deleteTopics() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	names := []string{w.outcomes, w.audit()}
	for _, source := range []string{w.orders, w.payments, w.refunds} {
		names = append(names, source+".dlq")
	}
	_, _ = w.admin.DeleteTopics(ctx, names...) // the broker is thrown away after all
}

// injectFaults makes Zoho lose answers, let writes land late, and lag in its searches.
func (w *world) injectFaults(t *testing.T) {
	t.Helper()
	w.inject(t,
		simulator.Fault{Kind: simulator.FaultLostAnswer, Method: "POST", Probability: 0.01},
		simulator.Fault{Kind: simulator.FaultErrorBefore, Probability: 0.005, Status: 502, HTML: true},
		simulator.Fault{Kind: simulator.FaultErrorAfter, Method: "POST", Probability: 0.005},
		simulator.Fault{Kind: simulator.FaultLateLanding, Method: "POST", Path: "/invoices", Probability: 0.005, Delay: lateLanding},
		simulator.Fault{Kind: simulator.FaultLateLanding, Method: "POST", Path: "/creditnotes/*/refunds", Probability: 0.02, Delay: lateLanding},
		simulator.Fault{Kind: simulator.FaultSearchLag, Delay: searchLag},
	)
}

func (w *world) inject(t *testing.T, faults ...simulator.Fault) {
	t.Helper()
	body, err := json.Marshal(faults)
	if err != nil {
		t.Fatal(err)
	}
	w.ask(t, http.MethodPost, "/_simulator/faults", body, nil)
}

// ledger and calls are what the simulator says over HTTP.
func (w *world) ledger(t *testing.T) (l simulator.Ledger) {
	t.Helper()
	w.ask(t, http.MethodGet, "/_simulator/ledger", nil, &l)
	return l
}

func (w *world) calls(t *testing.T) (c simulator.Calls) {
	t.Helper()
	w.ask(t, http.MethodGet, "/_simulator/calls", nil, &c)
	return c
}

// inFlight are the calls at the simulator right now.
func (w *world) inFlight(t *testing.T) int {
	c := w.calls(t)
	n := c.Total
	for _, answered := range c.ByStatus {
		n -= answered
	}
	return n
}

func (w *world) ask(t *testing.T, method, path string, body []byte, into any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, w.simulator+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true // no connection is left behind
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("asking the simulator: %v", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode/100 != 2 {
		err = errors.New(resp.Status)
	}
	if err == nil && into != nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", method, path, err, text)
	}
}

// member is the client id of the n-th process, in all its lives.
func member(n int) string { return fmt.Sprintf("booksync-%d", n) }

// start starts the n-th `run`, with the transactional id it has in every life.
func (w *world) start(t *testing.T, n int) {
	t.Helper()
	p := &process{log: filepath.Join(w.dir, fmt.Sprintf("run-%d.log", n)), done: make(chan struct{})}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if p.began, err = out.Seek(0, io.SeekEnd); err != nil {
		t.Fatal(err)
	}
	p.cmd = exec.Command(w.binary, "run")
	p.cmd.Stderr, p.cmd.Stdout = out, out
	p.cmd.Env = slices.Concat(w.environ, w.own[n],
		[]string{"BOOKSYNC_KAFKA_CLIENT_ID=" + member(n), "BOOKSYNC_KAFKA_TRANSACTIONAL_ID=" + w.group + "-" + strconv.Itoa(n)})
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("starting booksync run: %v", err)
	}
	w.processes[n] = p
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() && w.processes[n] == p { // its last life; the log has all of them
			t.Logf("the end of %s:\n%s", filepath.Base(p.log), tail(p.log))
		}
	})
}

// kill ends the process at once and returns when it is gone. One that has ended is left as it is.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // SIGKILL
	<-p.done
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// crashed says whether an ended process did not end as a program does that gives up.
func (p *process) crashed() bool {
	var exit *exec.ExitError
	return !errors.As(p.err, &exit) || !exit.Exited() || exit.ExitCode() == 2 // of a panic, and of a configuration that cannot work
}

// last is the last line of a process's log.
func (p *process) last() string {
	lines := strings.Split(strings.TrimSpace(tail(p.log)), "\n")
	return lines[len(lines)-1]
}

// tail is the last part of a log.
func tail(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	const most = 4000
	if len(text) > most {
		text = text[len(text)-most:]
	}
	return string(text)
}

// stopAll asks every process to stop and checks that it drained.
func (w *world) stopAll(t *testing.T) {
	t.Helper()
	for n, p := range w.processes {
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Errorf("process %d: %v", n, err)
		}
	}
	for n, p := range w.processes {
		select {
		case <-p.done:
			if p.err != nil {
				t.Errorf("process %d ended with %v", n, p.err)
			}
		case <-time.After(patience):
			t.Errorf("process %d does not stop", n)
		}
	}
}

// until waits for cond. It fails the test when a process ended that should run, or outcomes are read no more.
func (w *world) until(t *testing.T, what string, cond func() bool, seen *watcher) {
	t.Helper()
	came := false
	defer func() {
		if !came {
			w.describe(t, seen)
		}
	}()
	testkit.Until(t, patience, what, func() bool {
		w.check(t, seen)
		came = cond()
		return came
	})
}

// settleAll waits for an outcome of every record, however long it takes, as long as more come within the patience.
func (w *world) settleAll(t *testing.T, watch *watcher, records int) {
	t.Helper()
	for watch.distinct() < records {
		before := watch.distinct()
		w.until(t, "more outcomes", func() bool { return watch.distinct() > before }, watch)
	}
}

// check fails the test when a process ended that should run, or outcomes are read no more.
func (w *world) check(t *testing.T, seen *watcher) {
	t.Helper()
	for n, p := range w.processes {
		switch {
		case !p.ended():
		case w.restart && !p.crashed():
			w.exits = append(w.exits, fmt.Sprintf("process %d: %s", n, p.last()))
			w.start(t, n)
		default:
			t.Fatalf("process %d ended by itself: %v\n%s", n, p.err, tail(p.log))
		}
	}
	if err := seen.failed(); err != nil {
		t.Fatal(err)
	}
}
