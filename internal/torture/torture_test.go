package torture

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// seeds are those of BOOKSYNC_TEST_SEED (one, or A..B), else the first ones.
func seeds(t *testing.T, otherwise int64) (int64, int64) {
	t.Helper()
	text := os.Getenv("BOOKSYNC_TEST_SEED")
	if text == "" {
		return 1, otherwise
	}
	a, b, ok := strings.Cut(text, "..")
	if !ok {
		b = a
	}
	first, err1 := strconv.ParseInt(a, 10, 64)
	last, err2 := strconv.ParseInt(b, 10, 64)
	if err1 != nil || err2 != nil {
		t.Fatalf("BOOKSYNC_TEST_SEED=%s: want a number, or A..B", text)
	}
	return first, last
}

func TestSeedsKeepThePromises(t *testing.T) {
	first, last := seeds(t, 4)
	sum := Run(t.Context(), Options{First: first, Last: last, Verbose: os.Getenv("BOOKSYNC_TEST_LOG") != "", Done: func(r *Result) {
		t.Log(r)
		if os.Getenv("BOOKSYNC_TEST_LOG") != "" {
			t.Log(r.Ops)
		}
		if r.OK() {
			return
		}
		t.Fail()
		for _, p := range r.Problems {
			t.Logf("%s: %s", p.Promise, p.What)
		}
		t.Log("\n" + r.Plan + strings.Join(r.History, "\n"))
	}})
	t.Logf("%+v", *sum)
}
