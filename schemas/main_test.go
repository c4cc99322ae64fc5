package schemas

import (
	"encoding/json"
	"errors"
	"flag"
	"testing"

	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func mustCodec(t testing.TB, opts ...Option) *Codec {
	t.Helper()
	c, err := NewCodec(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func asError(err error, e **Error) bool { return errors.As(err, e) }

// allocationBound is what decoding n bytes may allocate in all. A line of an order takes some 30 bytes for one byte of
// the record; the constant covers what other goroutines of the test do meanwhile.
func allocationBound(n int) uint64 { return uint64(n)*100 + 256<<10 }

func mustJSON(t testing.TB, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
