package redis

import (
	"encoding/json"
	"testing"
)

// FuzzStored reads what Redis may hold in the place of a switch, an epoch or an entry.
func FuzzStored(f *testing.F) {
	for _, seed := range [][2]string{
		{`["shop","order","people"]`, `1700000000000 ["ann","why"]`}, {`[]`, ``}, {`null`, `x ["a","b"]`}, {`["a","b","c"]`, `99999999999999999999 [null,null]`},
		{`{"t":{"0":5}}`, `{"t":{"x":-1}}`}, {`{"t":{"99999999999":5}}`, `{"t":null}`},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if w, err := readSwitch(a, b); err == nil {
			var names []string
			if json.Unmarshal([]byte(w.field()), &names) != nil || len(names) != 3 {
				t.Fatalf("%q %q is read as %+v", a, b, w)
			}
		}
		_, _ = readEpoch([]any{a, b, b, a, a})
		fields := make([]any, entryFields+3)
		for i := range fields {
			fields[i] = [...]any{a, b, nil, int64(7), []any{a}}[(i+len(a)+len(b))%5]
		}
		e := readEntry(fields)
		if e.State == StateNone && e.Settled != StateNone {
			t.Fatalf("nothing, yet settled: %+v", e)
		}
		readEntry(fields[:len(a)%len(fields)])
	})
}
