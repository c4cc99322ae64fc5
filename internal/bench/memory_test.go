package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/booksync/booksync/internal/app"
)

// mostMemory is what a service may take at most with its default settings.
const mostMemory = 256 << 20

// TestMemoryWithALargeBacklog measures the peak of a service in a process of its own, with default settings but for the
// limits of the books: once held up by Zoho's usual ones, once going as fast as it can.
func TestMemoryWithALargeBacklog(t *testing.T) {
	long(t)
	const backlog = 1_000_000
	w, _ := newFastWorld(t)
	w.produce(w.orders(0, backlog))
	for _, c := range []struct {
		name                   string
		perMinute, concurrency int
		measured               time.Duration
	}{{"100 calls a minute", 100, 10, 45 * time.Second}, {"no limits", 1_000_000, 1000, 90 * time.Second}} {
		t.Run(c.name, func(t *testing.T) {
			at := w.place
			at.PerMinute, at.Concurrency = c.perMinute, c.concurrency
			before, _ := w.calls.all()
			peak := peakOf(t, at, c.measured)
			after, _ := w.calls.all()
			t.Logf("at most %d MiB resident, %d calls in %v", peak>>20, len(after)-len(before), c.measured)
			if peak > mostMemory {
				t.Errorf("the service took %d MiB, want at most %d", peak>>20, mostMemory>>20)
			}
		})
	}
}

// peakOf runs a service in a process of its own for a while and answers the most memory that it had resident, in bytes.
func peakOf(t *testing.T, at place, d time.Duration) int {
	t.Helper()
	where, err := json.Marshal(at)
	if err != nil {
		t.Fatalf("encoding the place: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), d+patience)
	defer cancel()
	self, err := os.Executable()
	if err != nil {
		t.Fatalf("finding the test's binary: %v", err)
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), envChild+"="+string(where))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatalf("making a pipe: %v", err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting the service: %v", err)
	}
	began, peak := time.Now(), 0
	until(t, d+patience, "the end of the measurement", func() bool {
		peak = max(peak, residentPeak(t, cmd.Process.Pid))
		return time.Since(began) >= d
	})
	_ = stdin.Close() // it stops
	if err := cmd.Wait(); err != nil {
		t.Errorf("the service ended: %v", err)
	}
	return peak
}

// residentPeak reads VmHWM of a process, in bytes; Linux only.
func residentPeak(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skipf("needs Linux' /proc: %v", err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatalf("reading %q: %v", line, err)
			}
			return kib << 10
		}
	}
	return 0 // it has ended
}

// serve is a service in a process of its own; it stops when its standard input ends. It answers the exit code.
func serve(where string) int {
	var at place
	err := json.Unmarshal([]byte(where), &at)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var service *app.Service
	if err == nil {
		defer app.TuneMemory()()
		service, err = app.New(ctx, at.config("0"), app.Options{Log: warnings, RedisSkipServerCheck: !at.RealRedis})
	}
	if err == nil {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			cancel()
		}()
		err = service.Run(ctx, nil)
	}
	if err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
