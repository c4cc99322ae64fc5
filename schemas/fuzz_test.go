package schemas

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Run with -fuzzminimizetime 1x: reading the memory statistics makes coverage vary, and minimising takes all the time.

// fuzzDecode feeds single-object values with the newest and the older writer's schema. What decodes must encode, and
// come back the same.
func fuzzDecode[T any](f *testing.F, kind Kind,
	decode func(*Codec, context.Context, []byte, []kgo.RecordHeader) (*T, Meta, error),
	encode func(*Codec, context.Context, string, *T) ([]byte, error),
) {
	c, ctx := mustCodec(f, WithWriterSchemas(oldSchemas(f)...)), context.Background()
	golden, err := filepath.Glob(filepath.Join("testdata", "golden", string(kind)+".*.hex"))
	if err != nil || len(golden) < 2 {
		f.Fatalf("golden files: %v %v", golden, err)
	}
	for _, path := range golden {
		f.Add(readHex(f, path))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		v, _, err := decode(c, ctx, value, nil)
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > allocationBound(len(value)) {
			t.Fatalf("%d bytes allocated for a value of %d", took, len(value))
		}
		if err != nil {
			typed(t, err)
			return
		}
		again, err := encode(c, ctx, "", v)
		if err != nil {
			t.Fatalf("encoding what was decoded: %v", err)
		}
		back, _, err := decode(c, ctx, again, nil)
		if err != nil {
			t.Fatalf("decoding what was encoded: %v", err)
		}
		if diff := cmp.Diff(v, back, sameDecimals); diff != "" {
			t.Fatal(diff)
		}
	})
}

func typed(t *testing.T, err error) {
	t.Helper()
	var e *Error
	if !asError(err, &e) || e.Class != ClassDecode && e.Class != ClassSchema || e.Reason == "" {
		t.Fatalf("error = %#v", err)
	}
}

func FuzzDecodeOrder(f *testing.F) {
	fuzzDecode(f, KindOrder, (*Codec).DecodeOrder, (*Codec).EncodeOrder)
}

func FuzzDecodePayment(f *testing.F) {
	fuzzDecode(f, KindPayment, (*Codec).DecodePayment, (*Codec).EncodePayment)
}

func FuzzDecodeRefund(f *testing.F) {
	fuzzDecode(f, KindRefund, (*Codec).DecodeRefund, (*Codec).EncodeRefund)
}

func FuzzOrderFromJSON(f *testing.F) {
	text, err := OrderToJSON(sampleOrder())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := OrderFromJSON(text)
		if err != nil {
			typed(t, err)
			return
		}
		again, err := OrderToJSON(v)
		if err != nil {
			t.Fatalf("writing what was read: %v", err)
		}
		back, err := OrderFromJSON(again)
		if err != nil {
			t.Fatalf("reading what was written: %v\n%s", err, again)
		}
		if diff := cmp.Diff(v, back, sameDecimals); diff != "" {
			t.Fatal(diff)
		}
	})
}

// FuzzWriterSchema feeds anybody's schemas: they are read or refused, and what they say of any bytes is too.
func FuzzWriterSchema(f *testing.F) {
	for _, kind := range Kinds() {
		path := filepath.Join("testdata", "writers", string(kind)+".avsc")
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text), []byte{0, 1, 2, 3, 4, 5, 6, 7, 8})
	}
	f.Add(`{"type":"record","name":"R","fields":[{"name":"f","type":{"type":"array","items":["null","R"]}}]}`, []byte{2, 2})
	f.Fuzz(func(t *testing.T, text string, payload []byte) {
		w, err := newWriter(text)
		if err != nil {
			typed(t, err)
			return
		}
		for _, kind := range Kinds() {
			if _, refused := w.plan(kind); refused != nil {
				typed(t, refused)
			}
		}
		if codec, err := newGoavro(w.root); err == nil { // it refuses, or panics on, some that are valid
			asGoavro(t, codec, w.root, payload)
		}
	})
}
