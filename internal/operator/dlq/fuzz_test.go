package dlq

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/internal/config"
)

// FuzzLetter reads records that anybody put into a dead-letter topic: headers are lines "name: value".
func FuzzLetter(f *testing.F) {
	for _, seed := range []string{
		"dlq.class: rejected.tax\ndlq.attempts: 3\ndlq.failed-at: 2026-03-01T10:00:00Z\ndlq.source.topic: commerce.orders\ndlq.source.partition: 1\ndlq.source.offset: 7",
		"dlq.attempts: 99999999999999999999\ndlq.source.partition: -1\ndlq.source.offset: 9223372036854775807\ndlq.replay.count: 1e9",
		"traceparent: 00-\ndlq.failed-at: 0000-13-40T99:99:99Z\ndlq.class:", "\xff\xfe: \x00",
		"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	} {
		f.Add(seed, []byte("O1"))
	}
	d := &Desk{cfg: config.Default()}
	f.Fuzz(func(t *testing.T, headers string, key []byte) {
		rec := &kgo.Record{Topic: "commerce.orders.dlq", Offset: 5, Key: key, Timestamp: time.Unix(1, 0)}
		for line := range strings.SplitSeq(headers, "\n") {
			name, value, _ := strings.Cut(line, ": ")
			rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
		}
		l := d.letter(rec)
		l.TraceID()
		if l.Attempts < 0 || l.Replays < 0 || l.Source.Offset < 0 {
			t.Fatalf("negative numbers: %+v", l)
		}
		if _, err := json.Marshal(l); err != nil {
			t.Fatalf("%+v is not printable: %v", l, err)
		}
		for _, filter := range []Filter{{Classes: []string{"rejected.*"}}, {Keys: []string{"O1"}}, {BusinessIDs: []string{"x"}}} {
			filter.meets(&l, StateOpen)
		}
	})
}

// FuzzIDs reads files of ids: what is read names the same when it is written.
func FuzzIDs(f *testing.F) {
	for _, seed := range []string{"commerce.orders.dlq/0/1\n# a comment\n\norders/1/2 and more\n", "orders/-1/2", "orders/0/99999999999999999999", "/0/1", "orders//", strings.Repeat("x", 1<<17), "\x00/\x00/\x00"} {
		f.Add(seed)
	}
	d := &Desk{cfg: config.Default()}
	f.Fuzz(func(t *testing.T, text string) {
		ids, err := d.ReadIDs(strings.NewReader(text))
		if err != nil {
			return
		}
		for id := range ids {
			if again, err := d.ParseID(id.String()); err != nil || again != id || id.Partition < 0 || id.Offset < 0 {
				t.Fatalf("%q is read as %v, then %v: %v", text, id, again, err)
			}
		}
		_, _ = d.ParseOffsets(text)
	})
}

// FuzzWhere parses conditions; FuzzPatch mends events: both are typed by people.
func FuzzWhere(f *testing.F) {
	for _, seed := range []string{`event.currency == "EUR"`, `has(event.notes) && event.notes.contains("gift")`, strings.Repeat("(", 10000), `event.lines.all(x, event.lines.all(y, event.lines.all(z, true)))`, "\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(_ *testing.T, text string) { _, _ = ParseWhere(text) })
}

func FuzzPatch(f *testing.F) {
	doc := `{"a":{"b":[1,2,{"c":null}]},"amount":"1.00"}`
	for _, seed := range []string{
		`[{"op":"replace","path":"/amount","value":"2.00"}]`, `[{"op":"copy","from":"/a","path":"/a/b/0"}]`, `[{"op":"add","path":"/a/b/99999999999","value":1}]`,
		`[{"op":"remove","path":""}]`, `[{"op":"move","from":"/a","path":"/a/b"}]`, `[{"op":"test","path":"/a/b/-1","value":1}]`, `[null]`, `[{}]`, `[{"op":"add","path":null}]`,
	} {
		f.Add([]byte(doc), []byte(seed))
	}
	f.Fuzz(func(t *testing.T, doc, text []byte) {
		out, err := patch(doc, text)
		if err == nil && !json.Valid(out) {
			t.Fatalf("%q by %q becomes %q", doc, text, out)
		}
	})
}
