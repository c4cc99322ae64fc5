package processtest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
)

// tools are the programs of other people.
type tools struct{ python, kcat string }

// findTools skips the test where they are missing; in CI it fails it.
func findTools(t *testing.T) tools {
	t.Helper()
	needServices(t)
	missing := t.Skipf
	if os.Getenv(envCI) != "" {
		missing = t.Fatalf
	}
	found := tools{python: os.Getenv(envPython)}
	if found.python == "" {
		found.python = "python3"
	}
	var err error
	if found.kcat, err = exec.LookPath("kcat"); err != nil {
		missing("needs kcat (see .ci/services): %v", err)
	}
	if out, err := exec.CommandContext(t.Context(), found.python, "-c", "import confluent_kafka, fastavro").CombinedOutput(); err != nil {
		missing("needs a Python with confluent-kafka and fastavro in %s (see .ci/services): %v\n%s", envPython, err, out)
	}
	return found
}

// What stands between key, value and the next record in kcat's input; shop.py refuses records that hold them.
const (
	keyEnd   = "<~key~>"
	valueEnd = "<~value~>"
)

// expected is what shop.py says must become of its events.
type expected struct {
	Records []struct {
		Topic, Key, SHA256, Status, Class string
	}
	Books struct {
		Orders map[string]struct {
			Total, Tax, Balance decimal.Decimal
			Void                bool
		}
		Payments map[string]struct {
			Total, Fee decimal.Decimal
			Gateway    string
		}
		Refunds map[string]struct {
			Total   decimal.Decimal
			Gateway string
		}
	}
	Accounts map[string]decimal.Decimal
}

// shop is what shop.py made up: files for kcat, in their order, and what must become of their events.
type shop struct {
	want  *expected
	files []string
}

// invent has shop.py make up events, in so many parts. It produces nothing yet.
func (w *world) invent(t *testing.T, seed int64, orders, customers, parts int, more ...string) shop {
	t.Helper()
	dir := t.TempDir()
	command(t, w.tools.python, append([]string{"testdata/shop.py", "--seed", strconv.FormatInt(seed, 10), "--orders", strconv.Itoa(orders),
		"--customers", strconv.Itoa(customers), "--chunks", strconv.Itoa(parts), "--schemas", w.schemas, "--out", dir,
		"--key-end", keyEnd, "--value-end", valueEnd}, more...)...)
	s := shop{want: &expected{}}
	text, err := os.ReadFile(filepath.Join(dir, "expected.json"))
	if err == nil {
		err = json.Unmarshal(text, s.want)
	}
	if err != nil {
		t.Fatalf("reading what is expected: %v", err)
	}
	for i, r := range s.want.Records {
		s.want.Records[i].Topic = w.topic(r.Topic)
	}
	s.files, err = filepath.Glob(filepath.Join(dir, "*.*s")) // NNNNN.orders and so on
	if err != nil || len(s.files) == 0 {
		t.Fatalf("nothing to produce: %v", err)
	}
	slices.Sort(s.files)
	return s
}

// topic is the topic of this run that takes orders, payments or refunds.
func (w *world) topic(events string) string {
	return map[string]string{"orders": w.orders, "payments": w.payments, "refunds": w.refunds}[events]
}

// part is the number of a file's part.
func part(file string) string { return filepath.Base(file)[:4] }

// produce makes up the events and has kcat write all of them.
func (w *world) produce(t *testing.T, seed int64, orders int, more ...string) *expected {
	t.Helper()
	s := w.invent(t, seed, orders, 60, 8, more...)
	for _, file := range s.files {
		w.send(t, file)
	}
	return s.want
}

// send has kcat write one file.
func (w *world) send(t *testing.T, file string) {
	t.Helper()
	command(t, w.tools.kcat, "-P", "-b", w.broker, "-t", w.topic(strings.TrimPrefix(filepath.Ext(file), ".")), "-X", "enable.idempotence=true",
		"-K", keyEnd, "-D", valueEnd, "-l", file)
}

// command runs a program to its end and returns what it printed.
func command(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	return commandIn(t, os.Environ(), name, args...)
}

// commandIn is command with an environment of its own.
func commandIn(t *testing.T, environ []string, name string, args ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = environ, &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s\n%s", filepath.Base(name), strings.Join(args, " "), err, stderr.Bytes(), stdout.Bytes())
	}
	return stdout.Bytes()
}

// seen is what reader.py finds in the topics.
type seen struct {
	Outcomes    []outcome
	DeadLetters []struct {
		place
		Key      string
		SHA256   string
		Class    string
		StoredIn string `json:"stored_in"`
	} `json:"dead_letters"`
	Sources []struct {
		place
		Key, SHA256 string
	}
	Lag int64
}

// place is where a record lies.
type place struct {
	Topic     string
	Partition int32
	Offset    int64
}

func (p place) String() string { return fmt.Sprintf("%s/%d/%d", p.Topic, p.Partition, p.Offset) }

// outcome is one as reader.py prints it; Topic, Partition and Offset are the source's.
type outcome struct {
	place
	OutcomeID  string `json:"outcome_id"`
	Status     string
	Class      string
	Message    string
	BusinessID string `json:"business_id"`
	Calls      int
	SettledAt  int64 `json:"settled_at"` // milliseconds since 1970
	Documents  []string
}

// reader is the command line of reader.py.
func (w *world) reader(mode, group string, more ...string) []string {
	return append([]string{"testdata/reader.py", mode, "--brokers", w.broker, "--schema", filepath.Join(w.schemas, "outcome.avsc"), "--outcomes", w.outcomes,
		"--group", group}, more...)
}

// read reads all topics to their ends.
func (w *world) read(t *testing.T) *seen {
	t.Helper()
	var found seen
	text := command(t, w.tools.python, w.reader("read", w.group, "--sources", strings.Join([]string{w.orders, w.payments, w.refunds}, ","))...)
	if err := json.Unmarshal(text, &found); err != nil {
		t.Fatalf("reading what reader.py found: %v", err)
	}
	return &found
}

// watcher knows the outcomes as they become visible.
type watcher struct {
	mu     sync.Mutex
	ids    map[string]bool
	events []sighting
	err    error
}

// sighting is an outcome and when it was seen.
type sighting struct {
	outcome
	at time.Time
}

// watch starts reading outcomes as they come, until the test ends.
func (w *world) watch(t *testing.T) *watcher {
	t.Helper()
	cmd := exec.Command(w.tools.python, w.reader("watch", w.group+"-watch")...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe() // it ends with us, however we end
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting reader.py: %v", err)
	}
	seen := &watcher{ids: map[string]bool{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := seen.take(stdout)
		if waited := cmd.Wait(); err == nil && waited != nil {
			err = fmt.Errorf("reader.py ended: %w\n%s", waited, stderr.Bytes())
		}
		seen.mu.Lock()
		defer seen.mu.Unlock()
		seen.err = errors.Join(errors.New("reader.py reads no more"), err)
	}()
	t.Cleanup(func() {
		_ = stdin.Close()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
			<-done
		}
	})
	return seen
}

func (s *watcher) take(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var o outcome
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			return fmt.Errorf("%q: %w", lines.Text(), err)
		}
		s.mu.Lock()
		s.ids[o.OutcomeID] = true
		s.events = append(s.events, sighting{o, time.Now()})
		s.mu.Unlock()
	}
	return lines.Err()
}

func (s *watcher) distinct() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.ids)
}

func (s *watcher) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// after are the outcomes settled after a moment, in the order they were seen.
func (s *watcher) after(moment time.Time) []sighting {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []sighting
	for _, e := range s.events {
		if e.SettledAt > moment.UnixMilli() {
			out = append(out, e)
		}
	}
	return out
}
