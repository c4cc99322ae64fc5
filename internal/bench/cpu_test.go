package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/booksync/booksync/internal/testkit"
)

// usage is CPU time, user and system: of this process, in which the server and (embedded) Kafka and Redis run too, and of
// Redis and Kafka where they are processes that can be asked.
type usage struct{ own, redis, kafka time.Duration }

func (u usage) minus(v usage) usage {
	return usage{u.own - v.own, u.redis - v.redis, u.kafka - v.kafka}
}

func (u usage) plus(v usage) usage { return usage{u.own + v.own, u.redis + v.redis, u.kafka + v.kafka} }

func (u usage) sum() time.Duration { return u.own + u.redis + u.kafka }

// perRecord tells the parts in microseconds.
func (u usage) perRecord(n int) string {
	return fmt.Sprintf("%.0f (Redis %.0f, Kafka %.0f, the rest %.0f)", micros(u.sum(), n), micros(u.redis, n), micros(u.kafka, n), micros(u.own, n))
}

func micros(d time.Duration, n int) float64 { return float64(d.Microseconds()) / float64(n) }

// cpuTime is what was used so far.
func (w *world) cpuTime(t testing.TB) usage {
	t.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		t.Fatalf("reading the CPU time: %v", err)
	}
	u := usage{own: time.Duration(r.Utime.Nano() + r.Stime.Nano())}
	if w.RealRedis {
		u.redis = redisTime(t, w.Redis)
	}
	// .ci/services notes the pids of what it started.
	if dir := os.Getenv("BOOKSYNC_TEST_SERVICES_DIR"); dir != "" && os.Getenv(testkit.EnvKafka) != "" {
		u.kafka = processTime(t, filepath.Join(dir, "kafka.pid"))
	}
	return u
}

// redisTime asks a server for its own CPU time.
func redisTime(t testing.TB, addr string) time.Duration {
	t.Helper()
	rdb := redis.NewClient(&redis.Options{Addr: addr})
	defer rdb.Close()
	text, err := rdb.Info(context.Background(), "cpu").Result()
	if err != nil {
		t.Fatalf("asking Redis for its CPU time: %v", err)
	}
	var sum float64
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name != "used_cpu_sys" && name != "used_cpu_user" {
			continue
		}
		s, err := strconv.ParseFloat(value, 64)
		if err != nil {
			t.Fatalf("reading Redis' CPU time: %v", err)
		}
		sum += s
	}
	return time.Duration(sum * float64(time.Second))
}

// processTime reads a process's CPU time from /proc; zero where that is not there. The file begins with the pid.
func processTime(t testing.TB, file string) time.Duration {
	t.Helper()
	noted, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	pid, _, _ := strings.Cut(strings.TrimSpace(string(noted)), " ")
	stat, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	if err != nil {
		return 0
	}
	const ticks = 100 // a second: USER_HZ on Linux
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	var sum int64
	for _, f := range fields[11:13] { // utime and stime
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			t.Fatalf("reading %s: %v", file, err)
		}
		sum += n
	}
	return time.Duration(sum) * time.Second / ticks
}
