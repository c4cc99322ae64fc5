package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/internal/testkit"
)

const (
	// envLong asks for the long variants, as elsewhere.
	envLong = "BOOKSYNC_TEST_LONG"
	// envLetters is how many dead letters there are instead.
	envLetters = "BOOKSYNC_TEST_LETTERS"
)

// Bounds of the process: counting a hundred thousand dead letters. More may take in proportion longer, and no more memory.
const (
	lsTime   = 10 * time.Second
	lsMemory = 200 << 20 // bytes, resident
)

// TestManyDeadLettersAsAProcess runs the binary on a real Kafka: it counts many dead letters in bounded time and memory, and
// a replay that is killed (SIGKILL) goes on with the rest when it is run again. With BOOKSYNC_TEST_LONG=1 there are 100,000
// dead letters, or as many as BOOKSYNC_TEST_LETTERS says; a replay takes 10,000 of them and is killed three times.
func TestManyDeadLettersAsAProcess(t *testing.T) {
	testkit.RealKafka(t)
	all, chosen, kills := 5_000, 3_000, 1
	if os.Getenv(envLong) == "1" {
		all, chosen, kills = 100_000, 10_000, 3
		if n := os.Getenv(envLetters); n != "" {
			var err error
			if all, err = strconv.Atoi(n); err != nil || all < chosen {
				t.Fatalf("%s=%s: want a number of at least %d", envLetters, n, chosen)
			}
		}
	}
	l := startLetters(t)
	binary := filepath.Join(t.TempDir(), "booksync")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building booksync: %v\n%s", err, out)
	}
	for made := 0; made < all; made += 5000 { // a transaction of `run` writes no more at once either
		l.putMany(made, min(5000, all-made), chosen)
	}
	environ := append(os.Environ(), l.environ...)

	stdout, took, cpu, memory := l.process(binary, environ, "dlq", "ls", "--json")
	var sum struct{ Count int }
	if err := json.Unmarshal([]byte(stdout), &sum); err != nil || sum.Count != all {
		t.Fatalf("%s: %v", stdout, err)
	}
	t.Logf("ls of %d dead letters: %v (CPU time %v), %d MiB resident", all, took.Round(time.Millisecond), cpu.Round(time.Millisecond), memory>>20)
	if limit := lsTime * time.Duration(max(1, all/100_000)); took > limit || memory > lsMemory {
		t.Errorf("ls took %v and %d MiB, want at most %v and %d MiB", took, memory>>20, limit, lsMemory>>20)
	}

	args := []string{"dlq", "replay", "--class", "rejected.tax", "--apply", "--reason", "mapped", "--set", "redis.addresses=127.0.0.1:1"}
	watch := testkit.Client(t, l.kafka.Addrs, kgo.ConsumeTopics(l.orders), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	seen := 0
	for n := range kills {
		cmd := exec.Command(binary, args...)
		cmd.Env = environ
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = cmd.Wait()
		}()
		// Transactions are committed while the next one is under way.
		for aim := chosen * (n + 1) / (kills + 2); seen < aim; {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			seen += watch.PollFetches(ctx).NumRecords()
			err := ctx.Err()
			cancel()
			if err != nil {
				_ = cmd.Process.Kill()
				<-ended
				t.Fatalf("%d were replayed: %v\n%s", seen, err, stderr.String())
			}
		}
		_ = cmd.Process.Kill() // SIGKILL
		<-ended
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
			t.Fatalf("the replay had ended before it was killed: %v\n%s", cmd.ProcessState, stderr.String())
		}
		t.Logf("killed when %d of %d were seen", seen, chosen)
	}
	stdout, took, cpu, memory = l.process(binary, environ, args...)
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	t.Logf("the rest: %v (CPU time %v), %d MiB resident: %s", took.Round(time.Millisecond), cpu.Round(time.Millisecond), memory>>20, lines[len(lines)-2])
	if memory > lsMemory {
		t.Errorf("replay took %d MiB, want at most %d MiB", memory>>20, lsMemory>>20)
	}
	l.replayedOnce(chosen)
	if rest := l.ok("", "dlq", "ls", "--class", "rejected.tax"); !strings.HasPrefix(rest, "no dead letters (done with: ") {
		t.Errorf("afterwards: %s", rest)
	}
}

// putMany writes dead letters of which only the first so many, over all calls, are of class rejected.tax; the others share one event.
func (l *letters) putMany(from, n, taxes int) {
	l.t.Helper()
	records := make([]*kgo.Record, n)
	shared := l.encoded("shared")
	for i := range records {
		id, value := "O"+strconv.Itoa(from+i), shared
		if from+i < taxes {
			value = l.encoded(id)
		}
		records[i] = deadLetter(l.orders, id, value, int64(from+i))
		if from+i >= taxes {
			records[i].Headers[0].Value = []byte("rejected.books")
		}
	}
	testkit.Produce(l.t, l.kafka.Addrs, records...)
}

// process runs the binary to its end and answers what it printed, how long it took, by the clock and of the CPU, and the most memory it held.
func (l *letters) process(binary string, environ []string, args ...string) (stdout string, took, cpu time.Duration, memory int64) {
	l.t.Helper()
	cmd := exec.CommandContext(l.t.Context(), binary, args...)
	cmd.Env = environ
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	began := time.Now()
	if err := cmd.Run(); err != nil {
		l.t.Fatalf("%v: %v\n%s\n%s", args, err, tailOf(out.String()), tailOf(stderr.String()))
	}
	took = time.Since(began)
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		l.t.Fatal("the system does not tell how much memory a process held")
	}
	return out.String(), took, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), usage.Maxrss << 10 // KiB on Linux
}

func tailOf(s string) string { return s[max(0, len(s)-2000):] }
