package schemas

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/shopspring/decimal"
)

// reader turns the values of walk, or parsed JSON, into our types. The first error stays; after it every read
// yields a zero value, so that the code which fills the structs needs no checks.
type reader struct {
	err  *Error
	path []step
}

// step is a field's name, or an item's number where the name is "".
type step struct {
	name  string
	index int
}

func (s step) write(b *strings.Builder) {
	if s.name == "" {
		b.WriteString("[" + strconv.Itoa(s.index) + "]")
		return
	}
	if b.Len() > 0 {
		b.WriteByte('.')
	}
	b.WriteString(s.name)
}

// row reads the fields of one record, in the order of our schema.
type row struct {
	d      *reader
	values fields         // of Avro
	named  map[string]any // of JSON
	record *record
	next   int
}

// fail keeps the error, of class poison.decode, at the field named.
func (d *reader) fail(name, format string, args ...any) {
	if d.err != nil {
		return
	}
	d.err = &Error{Class: ClassDecode, Field: d.at(name), Reason: fmt.Sprintf(format, args...)}
}

func (d *reader) at(name string) string {
	var b strings.Builder
	for _, s := range d.path {
		s.write(&b)
	}
	if name != "" {
		step{name: name}.write(&b)
	}
	return b.String()
}

// slot returns the next field, which must be the one named; nil after an error.
func (r *row) slot(name string) *slot {
	if r.d.err != nil {
		return nil
	}
	s := &r.record.slots[r.next]
	if s.name != name {
		panic("schemas: reading " + name + " where the schema has " + s.name) // caught by any test of the kind
	}
	r.next++
	return s
}

// value returns the value of a slot and the type it has, or nil: absent, null (both allowed here), or an error.
func (r *row) value(s *slot) (any, *source) {
	if s == nil || s.at < 0 {
		return nil, nil
	}
	if r.named == nil {
		return r.d.unwrap(s.name, r.values[s.at], s)
	}
	v, ok := r.named[s.name]
	if !ok && !s.optional {
		r.d.fail(s.name, "is missing and has no default")
		return nil, nil
	}
	return r.d.unwrap(s.name, v, s)
}

// unwrap takes a value out of its union.
func (d *reader) unwrap(name string, v any, s *slot) (any, *source) {
	if v == nil {
		if !s.optional {
			d.fail(name, "is null and has no default")
		}
		return nil, nil
	}
	if s.union == nil {
		return v, s.source
	}
	if c, ok := v.(chosen); ok && s.union[c.branch] != nil {
		return c.value, s.union[c.branch]
	}
	d.fail(name, "a value of a type other than %s", s.reader.describe())
	return nil, nil
}

// wrong keeps the error of a value that is not what its field wants.
func (d *reader) wrong(name string, v any, s *slot) {
	what := "a value"
	switch v.(type) {
	case string, *string:
		what = "a string"
	case json.Number:
		what = "a number"
	case bool:
		what = "a boolean"
	case []any:
		what = "an array"
	case map[string]any:
		what = "an object"
	}
	d.fail(name, "%s where %s is wanted", what, s.reader.describe())
}

// str reads a string; "" where it is null or absent.
func (r *row) str(name string) string {
	s := r.slot(name)
	v, src := r.value(s)
	if src == nil {
		if s == nil {
			return ""
		}
		return s.def.text
	}
	return r.d.text(name, v, s)
}

func (d *reader) text(name string, v any, s *slot) string {
	var text string
	switch v := v.(type) {
	case *string: // of Avro
		text = *v
	case string: // of JSON
		text = v
	case []byte: // bytes promoted to a string
		text = string(v)
	default:
		d.wrong(name, v, s)
		return ""
	}
	if !utf8.ValidString(text) {
		d.fail(name, "not valid UTF-8")
		return ""
	}
	return text
}

// id reads a string that must not be empty.
func (r *row) id(name string) string {
	text := r.str(name)
	if text == "" {
		r.d.fail(name, "is empty")
	}
	return text
}

// enum reads a symbol our schema knows.
func (r *row) enum(name string) string {
	s := r.slot(name)
	v, src := r.value(s)
	if src == nil {
		if s == nil {
			return ""
		}
		return s.def.text
	}
	text, ok := v.(string)
	if !ok {
		r.d.wrong(name, v, s)
		return ""
	}
	for _, symbol := range s.reader.symbols {
		if symbol == text {
			return symbol
		}
	}
	r.d.fail(name, "unknown symbol %s", quote(text))
	return ""
}

func (r *row) boolean(name string) bool {
	s := r.slot(name)
	v, src := r.value(s)
	if src == nil {
		return s != nil && s.def.boolean
	}
	b, ok := v.(bool)
	if !ok {
		r.d.wrong(name, v, s)
	}
	return b
}

func (r *row) long(name string) int64 {
	s := r.slot(name)
	v, src := r.value(s)
	if src == nil {
		if s == nil {
			return 0
		}
		return s.def.long
	}
	return r.d.whole(name, v, s)
}

func (d *reader) whole(name string, v any, s *slot) int64 {
	switch v := v.(type) {
	case int64:
		return v
	case int32:
		return int64(v)
	case json.Number:
		n, err := strconv.ParseInt(v.String(), 10, 64)
		if err == nil && (s.reader.kind == kindLong || int64(int32(n)) == n) { //nolint:gosec // the comparison is the check
			return n
		}
		d.fail(name, "%s is not a whole number that fits into %s", quote(v.String()), s.reader.describe())
		return 0
	default:
		d.wrong(name, v, s)
		return 0
	}
}

func (r *row) decimal(name string) decimal.Decimal {
	d := r.nullDecimal(name)
	return d.Decimal
}

func (r *row) nullDecimal(name string) decimal.NullDecimal {
	s := r.slot(name)
	v, src := r.value(s)
	if src == nil {
		if s == nil {
			return decimal.NullDecimal{}
		}
		return decimal.NullDecimal{Decimal: s.def.decimal}
	}
	var (
		d       decimal.Decimal
		problem string
	)
	switch v := v.(type) {
	case []byte:
		d, problem = decimalFromBytes(v, src.node.scale, src.node.precision)
	case json.Number:
		d, problem = decimalFromText(v.String())
	case string:
		d, problem = decimalFromText(v)
	default:
		r.d.wrong(name, v, s)
		return decimal.NullDecimal{}
	}
	// Whatever the writer's schema allows, a value must fit ours as it is: else it could not be told on, in outcomes.
	if problem == "" && (src.node.scale > s.reader.scale || src.node.precision-int(src.node.scale) > s.reader.precision-int(s.reader.scale) || s.json) {
		_, problem = unscaled(d, s.reader.scale, s.reader.precision)
	}
	if problem != "" {
		r.d.fail(name, "%s (at most %d digits, %d of them decimals)", problem, s.reader.precision, s.reader.scale)
		return decimal.NullDecimal{}
	}
	return decimal.NullDecimal{Decimal: d, Valid: true}
}

// Instants are accepted from 1970 up to and including the year 9999: more is an error of units, and RFC 3339 ends there.
const maxMillis = 253402300799999

// instant reads an instant in UTC to the millisecond; the zero time where it is null or absent.
func (r *row) instant(name string) time.Time {
	s := r.slot(name)
	v, src := r.value(s)
	if src == nil {
		return time.Time{}
	}
	var millis int64
	switch v := v.(type) {
	case int64:
		millis = v
	case int32:
		millis = int64(v)
	case string:
		t, err := time.Parse(time.RFC3339Nano, v)
		if err != nil {
			r.d.fail(name, "%s is not an instant in RFC 3339", quote(v))
			return time.Time{}
		}
		millis = t.UnixMilli()
	default:
		r.d.wrong(name, v, s)
		return time.Time{}
	}
	if millis < 0 {
		r.d.fail(name, "an instant before 1970")
		return time.Time{}
	}
	switch src.node.logical {
	case "timestamp-micros":
		millis /= 1000
	case "timestamp-nanos":
		millis /= 1_000_000
	}
	if millis > maxMillis {
		r.d.fail(name, "an instant after the year 9999")
		return time.Time{}
	}
	return time.UnixMilli(millis).UTC()
}
