package schemas

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/avro"
)

// object is a schema or a datum as parsed JSON.
type object = map[string]any

func parse(t testing.TB, text string) object {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	var o object
	if err := d.Decode(&o); err != nil {
		t.Fatal(err)
	}
	return o
}

// fieldOf finds the schema of a field by a path such as lines.unit_price.
func fieldOf(t testing.TB, schema object, path string) object {
	t.Helper()
	name, rest, deeper := strings.Cut(path, ".")
	for _, f := range schema["fields"].([]any) {
		f := f.(object)
		if f["name"] != name {
			continue
		}
		if !deeper {
			return f
		}
		typ := f["type"]
		if union, ok := typ.([]any); ok {
			typ = union[1]
		}
		if array, ok := typ.(object); ok && array["type"] == "array" {
			typ = array["items"]
		}
		return fieldOf(t, typ.(object), rest)
	}
	t.Fatalf("no field %s", path)
	return nil
}

func dropField(t testing.TB, schema object, path string) {
	t.Helper()
	at := schema
	if dot := strings.LastIndexByte(path, '.'); dot >= 0 {
		typ := fieldOf(t, schema, path[:dot])["type"].(object)
		if items, ok := typ["items"]; ok {
			typ = items.(object)
		}
		at, path = typ, path[dot+1:]
	}
	at["fields"] = slices.DeleteFunc(at["fields"].([]any), func(f any) bool { return f.(object)["name"] == path })
}

// setType gives a field another type, and takes its default away.
func setType(t testing.TB, schema object, path string, typ any) {
	t.Helper()
	f := fieldOf(t, schema, path)
	f["type"] = typ
	delete(f, "default")
}

func decimalType(precision, scale int) object {
	return object{"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}
}

// written encodes a datum with a schema by twmb/avro and returns a codec that knows the schema.
func written(t *testing.T, schema, datum object) (*Codec, []byte) {
	t.Helper()
	schema["namespace"] = "com.shop" // fingerprints leave out logical types: tell it from ours
	text, err := json.Marshal(schema)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := avro.Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	value, err := parsed.AppendSingleObject(nil, datum)
	if err != nil {
		t.Fatal(err)
	}
	return mustCodec(t, WithWriterSchemas(string(text))), value
}

func sampleJSON(t testing.TB) object {
	t.Helper()
	text, err := OrderToJSON(sampleOrder())
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(text))
}

func lineOf(datum object, i int) object { return datum["lines"].([]any)[i].(object) }

func wantError(t *testing.T, err error, class, field string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error = %v, want an *Error", err)
	}
	if e.Class != class || e.Field != field {
		t.Errorf("error = %s at %q, want %s at %q: %v", e.Class, e.Field, class, field, err)
	}
	if e.Reason == "" {
		t.Errorf("no reason in %#v", e)
	}
}

func TestWritersThatCannotBeMappedAreNamedByField(t *testing.T) {
	t.Parallel()
	type change func(t *testing.T, schema, datum object)
	retype := func(path string, typ any) change {
		return func(t *testing.T, schema, _ object) { setType(t, schema, path, typ) }
	}
	money := decimalType(18, 4)
	set := func(name string, v any) change {
		return func(_ *testing.T, _, datum object) { datum[name] = v }
	}
	tests := []struct {
		name         string
		class, field string
		changes      []change
	}{
		{"required field missing", ClassSchema, "order_id", []change{func(t *testing.T, s, _ object) { dropField(t, s, "order_id") }}},
		{"required field missing in a line", ClassSchema, "lines[].unit_price", []change{func(t *testing.T, s, _ object) { dropField(t, s, "lines.unit_price") }}},
		{"required record missing", ClassSchema, "customer.billing_address", []change{
			func(t *testing.T, s, d object) {
				setType(t, s, "customer.shipping_address", []any{"null", fieldOf(t, s, "customer.billing_address")["type"]})
				dropField(t, s, "customer.billing_address")
			},
		}},
		{"required field null", ClassDecode, "order_id", []change{retype("order_id", []any{"null", "string"}), set("order_id", nil)}},
		{"required field null in a line", ClassDecode, "lines[3].unit_price", []change{retype("lines.unit_price", []any{"null", decimalType(18, 6)}),
			func(_ *testing.T, _, d object) { lineOf(d, 3)["unit_price"] = nil }}},
		{"required field always null", ClassSchema, "currency", []change{retype("currency", "null"), set("currency", nil)}},
		{"line null", ClassDecode, "lines[2]", []change{
			func(t *testing.T, s, d object) {
				f := fieldOf(t, s, "lines")["type"].(object)
				f["items"] = []any{"null", f["items"]}
				d["lines"].([]any)[2] = nil
			},
		}},
		{"string where a double is written", ClassSchema, "order_id", []change{retype("order_id", "double"), set("order_id", 1.5)}},
		{"record where a string is written", ClassSchema, "totals", []change{retype("totals", "string"), set("totals", "1")}},
		{"map where an array is written", ClassSchema, "attributes", []change{retype("attributes", object{"type": "array", "items": "string"}), set("attributes", []any{})}},
		{"map of other values", ClassSchema, "attributes[]", []change{retype("attributes", object{"type": "map", "values": "long"}), set("attributes", object{})}},
		{"union with a value of another type", ClassDecode, "order_number", []change{retype("order_number", []any{"string", "long"}), set("order_number", json.Number("7"))}},
		{"union without a usable type", ClassSchema, "order_number", []change{retype("order_number", []any{"long", "double"}), set("order_number", json.Number("7"))}},
		{"money as double", ClassSchema, "totals.gross", []change{retype("totals.gross", "double"), func(_ *testing.T, _, d object) { d["totals"].(object)["gross"] = 1.5 }}},
		{"money as string", ClassSchema, "totals.gross", []change{retype("totals.gross", "string")}},
		{"money as plain bytes", ClassSchema, "totals.gross", []change{retype("totals.gross", "bytes")}},
		{"more decimals than ours", ClassDecode, "totals.net", []change{retype("totals.net", decimalType(18, 5)), func(_ *testing.T, _, d object) { d["totals"].(object)["net"] = "1.00001" }}},
		{"more digits than ours", ClassDecode, "lines[1].discount", []change{retype("lines.discount", decimalType(30, 4)), func(_ *testing.T, _, d object) { lineOf(d, 1)["discount"] = "100000000000000" }}},
		{"instant as local time", ClassSchema, "placed_at", []change{retype("placed_at", object{"type": "long", "logicalType": "local-timestamp-millis"})}},
		{"instant as date", ClassSchema, "placed_at", []change{retype("placed_at", object{"type": "int", "logicalType": "date"})}},
		{"instant before 1970", ClassDecode, "placed_at", []change{retype("placed_at", "long"), set("placed_at", json.Number("-1"))}},
		{"instant after 9999", ClassDecode, "placed_at", []change{retype("placed_at", "long"), set("placed_at", json.Number("253402300800000"))}},
		{"unknown symbol", ClassDecode, "kind", []change{retype("kind", object{"type": "enum", "name": "K", "symbols": []any{"ARCHIVED"}}), set("kind", "ARCHIVED")}},
		{"unknown symbol in a line", ClassDecode, "lines[0].kind", []change{retype("lines.kind", object{"type": "enum", "name": "K", "symbols": []any{"GOODS", "SERVICE", "SHIPPING", "BUNDLE"}}),
			func(_ *testing.T, _, d object) { lineOf(d, 0)["kind"] = "BUNDLE" }}},
		{"symbol as string", ClassSchema, "kind", []change{retype("kind", "string")}},
		{"empty order id", ClassDecode, "order_id", []change{set("order_id", "")}},
		{"empty event id", ClassDecode, "event_id", []change{set("event_id", "")}},
		{"empty organisation", ClassDecode, "organization", []change{set("organization", "")}},
		{"empty currency", ClassDecode, "currency", []change{set("currency", "")}},
		{"empty customer id", ClassDecode, "customer.id", []change{func(_ *testing.T, _, d object) { d["customer"].(object)["id"] = "" }}},
		{"empty line id", ClassDecode, "lines[4].line_id", []change{func(_ *testing.T, _, d object) { lineOf(d, 4)["line_id"] = "" }}},
		{"invalid UTF-8", ClassDecode, "notes", []change{retype("notes", "bytes"), set("notes", []byte{0xff})}},
		{"invalid UTF-8 in a map", ClassDecode, `attributes["k"]`, []change{retype("attributes", object{"type": "map", "values": "bytes"}), set("attributes", object{"k": []byte{0xff}})}},
		{"nothing wrong", "", "", []change{retype("totals.net", money)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			schema, datum := parse(t, Schema(KindOrder)), sampleJSON(t)
			for _, change := range tt.changes {
				change(t, schema, datum)
			}
			c, value := written(t, schema, datum)
			order, _, err := c.DecodeOrder(t.Context(), value, nil)
			if tt.class == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if order != nil {
				t.Errorf("an order came with the error")
			}
			wantError(t, err, tt.class, tt.field)
		})
	}
}

func TestWritersThatDifferLawfullyAreRead(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(t *testing.T, schema, datum object)
		same   func(*Order) bool
	}{
		{"finer decimals that fit", func(t *testing.T, s, d object) {
			setType(t, s, "totals.net", decimalType(30, 12))
			d["totals"].(object)["net"] = "12345678901234.5678"
		}, func(o *Order) bool { return o.Totals.Net.Equal(dec("12345678901234.5678")) }},
		{"decimals in fixed", func(t *testing.T, s, d object) {
			setType(t, s, "totals.net", object{"type": "fixed", "name": "M", "size": 16, "logicalType": "decimal", "precision": 38, "scale": 2})
			d["totals"].(object)["net"] = "-0.01"
		}, func(o *Order) bool { return o.Totals.Net.Equal(dec("-0.01")) }},
		{"null where there is a default", func(t *testing.T, s, d object) {
			setType(t, s, "test", []any{"boolean", "null"})
			d["test"] = nil
		}, func(o *Order) bool { return !o.Test }},
		{"nanoseconds", func(t *testing.T, s, d object) {
			setType(t, s, "placed_at", object{"type": "long", "logicalType": "timestamp-nanos"})
			d["placed_at"] = "2025-03-14T12:00:00.159Z"
		}, func(o *Order) bool { return o.PlacedAt.Equal(noon) }},
		{"nullable items", func(t *testing.T, s, _ object) {
			f := fieldOf(t, s, "lines")["type"].(object)
			f["items"] = []any{f["items"], "null"}
		}, func(o *Order) bool { return len(o.Lines) == 5 }},
		{"our name and an alias at once", func(t *testing.T, s, d object) {
			s["fields"] = append(s["fields"].([]any), object{"name": "number", "type": "string"})
			delete(fieldOf(t, s, "order_number"), "aliases")
			d["number"] = "other"
		}, func(o *Order) bool { return o.OrderNumber == "1001" }},
		{"optional field that is always null", func(t *testing.T, s, d object) {
			setType(t, s, "notes", "null")
			d["notes"] = nil
		}, func(o *Order) bool { return o.Notes == "" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			schema, datum := parse(t, Schema(KindOrder)), sampleJSON(t)
			tt.change(t, schema, datum)
			c, value := written(t, schema, datum)
			order, _, err := c.DecodeOrder(t.Context(), value, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !tt.same(order) {
				t.Errorf("got %+v", order)
			}
		})
	}
}

func TestSchemasThatDifferInLogicalTypesOnlyAreNotKnownTogether(t *testing.T) {
	t.Parallel()
	schema := parse(t, Schema(KindOrder))
	same, err := json.Marshal(schema)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewCodec(WithWriterSchemas(string(same))); err != nil {
		t.Errorf("our own schema once more: %v", err)
	}
	setType(t, schema, "totals.net", decimalType(18, 2))
	other, err := json.Marshal(schema)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewCodec(WithWriterSchemas(string(other))); err == nil {
		t.Error("a schema with our fingerprint and another scale was accepted")
	}
}
