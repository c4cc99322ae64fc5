package bench

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// Environment of this package's tests.
const (
	envLong  = "BOOKSYNC_TEST_BENCH"       // not empty: the long measurements run too
	envChild = "BOOKSYNC_TEST_BENCH_CHILD" // set by a test for a process of its own: where the service finds its world
)

func TestMain(m *testing.M) {
	if where := os.Getenv(envChild); where != "" {
		os.Exit(serve(where))
	}
	goleak.VerifyTestMain(m)
}

// longRun says whether long measurements were asked for.
func longRun() bool { return os.Getenv(envLong) != "" }

// long skips the test unless long measurements were asked for.
func long(t testing.TB) {
	t.Helper()
	if !longRun() {
		t.Skipf("takes minutes and idle cores: set %s=1", envLong)
	}
}
