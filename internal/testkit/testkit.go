// Package testkit is what tests of several packages share: a Kafka, a Redis, the reference material beside the project,
// and ways to wait without sleeping.
//
// The services are embedded fakes (kfake, miniredis) unless the environment names real ones: BOOKSYNC_TEST_KAFKA and
// BOOKSYNC_TEST_REDIS, host:port each, as .ci/services prints them. A test asks for a service and takes what it gets; it
// asks whether it is real only where the fake is known to differ. Real services are shared by all tests of a run, so
// every topic, group, transactional id and organisation gets a name of its own from [Name].
//
// The package imports nothing else of the module: the packages it helps to test may all import it.
package testkit

import (
	"crypto/rand"
	"encoding/hex"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Environment of the tests.
const (
	EnvKafka    = "BOOKSYNC_TEST_KAFKA"    // host:port of a real broker; empty: kfake
	EnvRedis    = "BOOKSYNC_TEST_REDIS"    // host:port of a real Redis; empty: miniredis
	EnvServices = "BOOKSYNC_TEST_SERVICES" // path of .ci/services, for tests that kill the broker
	EnvVectors  = "BOOKSYNC_VECTORS"       // folder used instead of ../shared/vectors
)

// run tells this test process from others that use the same services.
var run = sync.OnceValue(func() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	return hex.EncodeToString(b[:])
})

var names atomic.Uint64

// Name returns prefix with a suffix no other call of any process gets. It is a valid topic, group, transactional id,
// client id and Redis key part as long as prefix is.
func Name(t testing.TB, prefix string) string {
	t.Helper()
	return prefix + "-" + run() + "-" + strconv.FormatUint(names.Add(1), 10)
}

// Root returns the absolute path of the project: the nearest folder upwards from the test's own with a go.mod.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatalf("reading the working directory: %v", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test's folder")
		}
		dir = parent
	}
}

// Shared returns the path of a folder or file of the reference material that lies in the folder `shared` beside the
// project. It skips the test when that is absent.
func Shared(t testing.TB, elem ...string) string {
	t.Helper()
	return need(t, filepath.Join(append([]string{filepath.Dir(Root(t)), "shared"}, elem...)...))
}

// Vectors returns the path of a folder or file of the test vectors: below BOOKSYNC_VECTORS if that is set (from the
// project's folder, if it isn't absolute), else below the folder shared/vectors beside the project. It skips the test when
// that is absent, but not for a BOOKSYNC_VECTORS that names no folder.
func Vectors(t testing.TB, elem ...string) string {
	t.Helper()
	if dir := os.Getenv(EnvVectors); dir != "" {
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(Root(t), dir)
		}
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			t.Fatalf("%s names no folder: %s", EnvVectors, dir)
		}
		return need(t, filepath.Join(append([]string{dir}, elem...)...))
	}
	return Shared(t, append([]string{"vectors"}, elem...)...)
}

func need(t testing.TB, path string) string {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Skipf("reference material is not here: %v", err)
	}
	return path
}

// Until waits, at most d, until cond holds, and fails the test naming what did not come about. It calls cond every 5 ms
// from the test's goroutine.
func Until(t testing.TB, d time.Duration, what string, cond func() bool) {
	t.Helper()
	deadline := time.NewTimer(d)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-deadline.C:
			if cond() { // a starved process gets one last look
				return
			}
			t.Fatalf("after %v still waiting for: %s", d, what)
		case <-tick.C:
		}
	}
}
