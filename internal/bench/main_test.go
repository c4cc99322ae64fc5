package bench

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// Environment of this package's tests.
const (
	envLong = "BOOKSYNC_TEST_BENCH" // not empty: the long measurements run too
)

func TestMain(m *testing.M) {
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
