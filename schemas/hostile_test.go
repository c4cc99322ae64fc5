package schemas

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

func varints(vs ...int64) []byte {
	var b []byte
	for _, v := range vs {
		b = binary.AppendVarint(b, v)
	}
	return b
}

// The bytes of this table kill a process that gives them to goavro as it comes, take gigabytes, or decode to a wrong
// value.
func TestHostileBytesAreRefusedAtTheirField(t *testing.T) {
	t.Parallel()
	record := func(typ string) string {
		return `{"type":"record","name":"R","fields":[{"name":"f","type":` + typ + `}]}`
	}
	array, longs := record(`{"type":"array","items":"string"}`), record(`{"type":"map","values":"long"}`)
	nested := record(`{"type":"array","items":{"type":"record","name":"I","fields":[{"name":"a","type":{"type":"array","items":"int"}},{"name":"b","type":"int"}]}}`)
	fixed := func(name, size string) string {
		return `{"name":"` + name + `","type":{"type":"fixed","name":"` + name + `","size":` + size + `}}`
	}
	// Together their sizes are -1 in 64 bits.
	huge := record(`{"type":"map","values":{"type":"record","name":"I","fields":[` + fixed("A", "9223372036854775807") + `,` + fixed("B", "9223372036854775807") + `,` +
		fixed("C", "9223372036853727232") + `]}}`)
	tests := []struct {
		name, schema, field string
		payload             []byte
	}{
		{"fixed values of sizes that overflow", huge, "f", []byte{2, 2, 'a', 0, 0}},
		{"array count 2^60", array, "f", varints(1 << 60)},
		{"array count 2^31-1 in five bytes", array, "f", varints(1<<31 - 1)},
		{"array count 2^28", array, "f", append(varints(1<<28), make([]byte, 100)...)},
		{"array count above goavro's limit", array, "f", append(varints(10_001), make([]byte, 10_002)...)},
		{"array count just above the bytes", array, "f", append(varints(11), make([]byte, 10)...)},
		{"array count of the least number", array, "f", varints(-1<<63, 1)},
		{"array block larger than the bytes", array, "f", varints(-1, 100, 0, 0)},
		{"array block of negative size", array, "f", varints(-1, -1, 0, 0)},
		{"array without end", array, "f", varints(1, 0)},
		{"map count 2^31-1", longs, "f", varints(1<<31 - 1)},
		{"map count 2^26", longs, "f", varints(1 << 26)},
		{"map without its value", longs, `f["k"]`, append(varints(1, 1), 'k', 0x80)},
		{"count in an item", nested, "f[1].a", append(varints(2, 0, 7), varints(1<<31-1, 0)...)},
		{"string of 2^30", record(`"string"`), "f", varints(1 << 30)},
		{"string of 2^60", record(`"string"`), "f", varints(1 << 60)},
		{"string of negative length", record(`"string"`), "f", varints(-1)},
		{"bytes of the least length", record(`"bytes"`), "f", varints(-1 << 63)},
		{"int of 39 bits", record(`"int"`), "f", varints(1 << 38)},
		{"int just too large", record(`"int"`), "f", varints(1 << 31)},
		{"varint of 11 bytes", record(`"long"`), "f", []byte{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01}},
		{"varint without end", record(`"long"`), "f", []byte{0x80, 0x80}},
		{"boolean of 2", record(`"boolean"`), "f", []byte{2}},
		{"enum index too large", record(`{"type":"enum","name":"E","symbols":["A"]}`), "f", varints(1)},
		{"enum index negative", record(`{"type":"enum","name":"E","symbols":["A"]}`), "f", varints(-1)},
		{"union index too large", record(`["null","string"]`), "f", varints(2)},
		{"union index negative", record(`["null","string"]`), "f", varints(-1)},
		{"fixed cut short", record(`{"type":"fixed","name":"F","size":8}`), "f", make([]byte, 7)},
		{"double cut short", record(`"double"`), "f", make([]byte, 7)},
		{"float cut short", record(`"float"`), "f", make([]byte, 3)},
		{"no bytes", record(`"boolean"`), "f", nil},
		{"bytes after the record", record(`"boolean"`), "", []byte{1, 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, err := newWriter(tt.schema)
			if err != nil {
				t.Fatal(err)
			}
			refused := refusal(w.root, tt.payload)
			if refused == nil {
				t.Fatal("accepted")
			}
			wantError(t, refused, ClassDecode, tt.field)
		})
	}
}

func TestManyTinyItemsAreRefused(t *testing.T) {
	t.Parallel()
	w, err := newWriter(`{"type":"record","name":"R","fields":[{"name":"f","type":{"type":"array","items":["null","string"]}}]}`)
	if err != nil {
		t.Fatal(err)
	}
	var payload []byte
	for range 3 {
		payload = append(append(payload, varints(maxBlockCount)...), make([]byte, maxBlockCount)...)
	}
	refused := refusal(w.root, append(payload, 0))
	if refused == nil {
		t.Fatal("accepted")
	}
	wantError(t, refused, ClassDecode, "f")
}

func TestHostileSchemasAreRefused(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"type":"array","items":`, 100) + `"int"` + strings.Repeat("}", 100)
	doubling := `{"type":"record","name":"R0","fields":[{"name":"x","type":"int"}]}`
	for i := 1; i <= 30; i++ {
		doubling = fmt.Sprintf(`{"type":"record","name":"R%d","fields":[{"name":"a","type":%s},{"name":"b","type":"R%d"}]}`, i, doubling, i-1)
	}
	tests := map[string]string{
		"record containing itself":     `{"type":"record","name":"R","fields":[{"name":"r","type":"R"}]}`,
		"list of itself":               `{"type":"record","name":"R","fields":[{"name":"next","type":["null","R"]}]}`,
		"tree of itself":               `{"type":"record","name":"R","fields":[{"name":"kids","type":{"type":"array","items":"R"}}]}`,
		"two containing each other":    `{"type":"record","name":"A","fields":[{"name":"b","type":{"type":"record","name":"B","fields":[{"name":"a","type":["null","A"]}]}}]}`,
		"array of nulls":               `{"type":"record","name":"R","fields":[{"name":"n","type":{"type":"array","items":"null"}}]}`,
		"array of empty records":       `{"type":"record","name":"R","fields":[{"name":"n","type":{"type":"array","items":{"type":"record","name":"E","fields":[]}}}]}`,
		"nested too deep":              `{"type":"record","name":"R","fields":[{"name":"f","type":` + deep + `}]}`,
		"doubling at each level":       doubling,
		"not a record":                 `"string"`,
		"not a schema":                 `{"type":"recordd"}`,
		"not JSON":                     `{`,
		"name of nothing":              `{"type":"record","name":"R","fields":[{"name":"f","type":"Nothing"}]}`,
		"validated string, no pattern": `{"type":"record","name":"R","fields":[{"name":"f","type":{"type":"string","logicalType":"validated-string","pattern":1}}]} x`,
		"too long":                     `{"type":"record","name":"R","doc":"` + strings.Repeat("x", maxSchemaText) + `","fields":[]}`,
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := newWriter(text)
			if err == nil {
				t.Fatal("accepted")
			}
			var e *Error
			if !asError(err, &e) || e.Class != ClassSchema {
				t.Errorf("error = %v", err)
			}
		})
	}
}

func TestSchemasThatTripGoavroAreRead(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"two decimals, the second without scale": `{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},{"name":"b","type":{"type":"bytes","logicalType":"decimal","precision":9}}]}`,
		"validated string without a pattern":     `{"type":"record","name":"R","fields":[{"name":"f","type":{"type":"string","logicalType":"validated-string","pattern":1}}]}`,
		"one type used twice":                    `{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"record","name":"T","fields":[{"name":"x","type":"int"}]}},{"name":"b","type":["null","T"]}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := newWriter(text); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestBytesThatNameNoSchemaAreRefused(t *testing.T) {
	t.Parallel()
	c := mustCodec(t, WithMaxBytes(1000))
	good, err := c.EncodePayment(t.Context(), "", samplePayment())
	if err != nil {
		t.Fatal(err)
	}
	header := func(v ...byte) []kgo.RecordHeader {
		return []kgo.RecordHeader{{Key: "other"}, {Key: HeaderValueSchemaID, Value: v}}
	}
	tests := []struct {
		name    string
		class   string
		value   []byte
		headers []kgo.RecordHeader
	}{
		{"nil", ClassDecode, nil, nil},
		{"empty", ClassDecode, []byte{}, nil},
		{"unknown magic", ClassDecode, []byte(`{"json":true}`), nil},
		{"second magic byte wrong", ClassDecode, []byte{0xC3, 0x02, 0, 0, 0, 0, 0, 0, 0, 0}, nil},
		{"Confluent framing cut short", ClassDecode, []byte{0, 0, 0, 1}, nil},
		{"single-object framing cut short", ClassDecode, good[:9], nil},
		{"single-object first byte alone", ClassDecode, good[:1], nil},
		{"no record after the fingerprint", ClassDecode, good[:10], nil},
		{"too large", ClassDecode, make([]byte, 1001), nil},
		{"unknown fingerprint", ClassSchema, []byte{0xC3, 0x01, 1, 2, 3, 4, 5, 6, 7, 8, 0}, nil},
		{"schema id without a registry", ClassSchema, []byte{0, 0, 0, 0, 1, 0}, nil},
		{"schema id 0", ClassSchema, []byte{0, 0, 0, 0, 0, 0}, nil},
		{"schema id of 32 bits", ClassSchema, []byte{0, 0xff, 0, 0, 0, 0}, nil},
		{"GUID without a registry", ClassSchema, good, header(append([]byte{1}, make([]byte, 16)...)...)},
		{"header empty", ClassDecode, good, header()},
		{"header of unknown magic", ClassDecode, good, header(append([]byte{2}, make([]byte, 16)...)...)},
		{"header cut short", ClassDecode, good, header(1, 2, 3)},
		{"bytes after the record", ClassDecode, append(good[:len(good):len(good)], 0), nil},
		{"another kind's record", ClassSchema, mustEncodeRefund(t, c), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, _, err := c.DecodePayment(t.Context(), tt.value, tt.headers)
			var e *Error
			if !asError(err, &e) || e.Class != tt.class {
				t.Errorf("error = %v, want class %s", err, tt.class)
			}
		})
	}
}

func mustEncodeRefund(t *testing.T, c *Codec) []byte {
	t.Helper()
	value, err := c.EncodeRefund(t.Context(), "", sampleRefund())
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestNoPrefixOfARecordIsAccepted(t *testing.T) {
	t.Parallel()
	c := mustCodec(t)
	value, err := c.EncodeOrder(t.Context(), "", sampleOrder())
	if err != nil {
		t.Fatal(err)
	}
	for n := range value {
		if _, _, err := c.DecodeOrder(t.Context(), value[:n], nil); err == nil {
			t.Fatalf("%d of %d bytes accepted", n, len(value))
		}
	}
}

func TestFlippedBitsNeverPanicNorTakeMuchMemory(t *testing.T) { //nolint:paralleltest // measures the process's allocations
	c := mustCodec(t)
	value, err := c.EncodeOrder(t.Context(), "", sampleOrder())
	if err != nil {
		t.Fatal(err)
	}
	for i := 10; i < len(value); i++ {
		for bit := range 8 {
			flipped := append([]byte(nil), value...)
			flipped[i] ^= 1 << bit
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, _, err := c.DecodeOrder(t.Context(), flipped, nil)
			runtime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; took > allocationBound(len(flipped)) {
				t.Fatalf("byte %d bit %d: %d bytes allocated", i, bit, took)
			}
			var e *Error
			if err != nil && !asError(err, &e) {
				t.Fatalf("byte %d bit %d: %v is no *Error", i, bit, err)
			}
		}
	}
}
