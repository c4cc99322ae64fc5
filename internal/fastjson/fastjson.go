// Package fastjson writes JSON for what is written with every event: bodies of requests, what claims hold, what fingerprints are
// made of. It writes what json.Marshal writes, in a third of the time for structs of text, numbers and decimals; all else
// it leaves to json.Marshal. It imports nothing from the module.
package fastjson

import (
	"bytes"
	"cmp"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/shopspring/decimal"
)

// Appender is a type that writes itself: AppendJSON appends what its MarshalJSON returns, and is called instead.
type Appender interface {
	json.Marshaler
	AppendJSON(b []byte) []byte
}

// Marshal is json.Marshal.
func Marshal(v any) (out []byte, err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case failure:
			out, err = nil, r.err
		default:
			panic(r)
		}
	}()
	return Must(v), nil
}

// Follows reports whether values of a type are written here, member by member. One member that has a rule of its own makes
// json.Marshal write the whole.
func Follows(t reflect.Type) bool {
	_, ok := fieldsOf(t, nil)
	return ok
}

// failure is what json.Marshal says of a value.
type failure struct{ err error }

func (f failure) Error() string { return f.err.Error() }

// Must is Marshal of what can always be written; it panics on anything else: a programming error.
func Must(v any) []byte {
	var out []byte
	Use(v, func(b []byte) { out = bytes.Clone(b) })
	return out
}

// Use gives use the JSON of v, which is not to be kept. It panics as Must does.
func Use(v any, use func([]byte)) {
	value := reflect.ValueOf(v)
	if !value.IsValid() {
		use([]byte("null"))
		return
	}
	scratch := scratches.Get().(*[]byte)
	b := writerOf(value.Type())((*scratch)[:0], value)
	use(b)
	if *scratch = b; cap(b) <= maxScratch {
		scratches.Put(scratch)
	}
}

var scratches = sync.Pool{New: func() any { return new([]byte) }}

// maxScratch bounds the memory that is kept for the next value, in bytes.
const maxScratch = 64 << 10

// writer appends a value's JSON.
type writer func(b []byte, v reflect.Value) []byte

var writers sync.Map // reflect.Type: writer

func writerOf(t reflect.Type) writer {
	if w, ok := writers.Load(t); ok {
		return w.(writer)
	}
	w := newWriter(t)
	writers.Store(t, w)
	return w
}

var (
	decimalType     = reflect.TypeFor[decimal.Decimal]()
	nullDecimalType = reflect.TypeFor[decimal.NullDecimal]()
	timeType        = reflect.TypeFor[time.Time]()
	numberType      = reflect.TypeFor[json.Number]()
	marshalerType   = reflect.TypeFor[json.Marshaler]()
	texterType      = reflect.TypeFor[encoding.TextMarshaler]()
	appenderType    = reflect.TypeFor[Appender]()
)

func newWriter(t reflect.Type) writer {
	switch {
	case t == decimalType:
		return func(b []byte, v reflect.Value) []byte { return appendQuoted(b, *pointer[decimal.Decimal](v)) }
	case t == nullDecimalType:
		return func(b []byte, v reflect.Value) []byte {
			if d := pointer[decimal.NullDecimal](v); d.Valid {
				return appendQuoted(b, d.Decimal)
			}
			return append(b, "null"...)
		}
	case t == timeType:
		return func(b []byte, v reflect.Value) []byte {
			at := pointer[time.Time](v)
			if _, east := at.Zone(); at.Year() < 0 || at.Year() > 9999 || max(east, -east) >= 24*60*60 { // RFC 3339 has no way to write it
				return appendOther(b, v)
			}
			return append(at.AppendFormat(append(b, '"'), time.RFC3339Nano), '"')
		}
	case t.Kind() == reflect.Struct && t.Implements(appenderType) && !embeds(t, appenderType):
		return func(b []byte, v reflect.Value) []byte { return behind(v).(Appender).AppendJSON(b) }
	case t == numberType, implements(t, marshalerType), implements(t, texterType):
		return appendOther
	}
	switch t.Kind() {
	case reflect.String:
		return func(b []byte, v reflect.Value) []byte { return appendText(b, v.String()) }
	case reflect.Bool:
		return func(b []byte, v reflect.Value) []byte { return strconv.AppendBool(b, v.Bool()) }
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return func(b []byte, v reflect.Value) []byte { return strconv.AppendInt(b, v.Int(), 10) }
	case reflect.Pointer:
		return func(b []byte, v reflect.Value) []byte {
			if v.IsNil() {
				return append(b, "null"...)
			}
			return writerOf(t.Elem())(b, v.Elem()) // not made before it's needed: a type may hold itself
		}
	case reflect.Slice:
		if t.Elem().Kind() != reflect.Uint8 {
			return appendSlice
		}
	case reflect.Struct:
		if fields, ok := fieldsOf(t, nil); ok {
			return structWriter(fields)
		}
	}
	return appendOther
}

// implements says whether the type or its pointer has the methods: json.Marshal calls those of a pointer where the value stands in memory of its own.
func implements(t, methods reflect.Type) bool {
	return t.Implements(methods) || reflect.PointerTo(t).Implements(methods)
}

// embeds says whether a struct may have the methods from a field.
func embeds(t, methods reflect.Type) bool {
	for i := range t.NumField() {
		if sf := t.Field(i); sf.Anonymous && implements(sf.Type, methods) {
			return true
		}
	}
	return false
}

// pointer is the value without a copy of it where it stands in memory of its own, as the fields behind a pointer do.
func pointer[T any](v reflect.Value) *T {
	if v.CanAddr() {
		return v.Addr().Interface().(*T)
	}
	t := v.Interface().(T)
	return &t
}

// behind is a pointer to the value where it stands in memory of its own, else the value: either has its methods.
func behind(v reflect.Value) any {
	if v.CanAddr() {
		return v.Addr().Interface()
	}
	return v.Interface()
}

func appendOther(b []byte, v reflect.Value) []byte {
	text, err := json.Marshal(behind(v))
	if err != nil {
		panic(failure{fmt.Errorf("writing %s: %w", v.Type(), err)})
	}
	return append(b, text...)
}

func appendSlice(b []byte, v reflect.Value) []byte {
	if v.IsNil() {
		return append(b, "null"...)
	}
	element := writerOf(v.Type().Elem())
	b = append(b, '[')
	for i := range v.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		b = element(b, v.Index(i))
	}
	return append(b, ']')
}

// plain are the bytes that stand for themselves in what json.Marshal writes.
var plain = func() (is [256]bool) {
	for c := ' '; c <= '~'; c++ {
		is[c] = !strings.ContainsRune(`"\<>&`, c)
	}
	return is
}()

// appendText writes text; what json.Marshal would escape is left to it.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if !plain[s[i]] {
			return appendOther(b, reflect.ValueOf(s))
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

func appendQuoted(b []byte, d decimal.Decimal) []byte {
	return append(AppendDecimal(append(b, '"'), d), '"')
}

// AppendDecimal appends a decimal without an exponent or trailing zeros, as Decimal.String.
func AppendDecimal(b []byte, d decimal.Decimal) []byte {
	exp := int(d.Exponent())
	if exp > 0 || exp < -15 || d.NumDigits() > 15 {
		return append(b, d.String()...)
	}
	n := d.CoefficientInt64()
	for exp < 0 && n%10 == 0 {
		n /= 10
		exp++
	}
	if n < 0 {
		b, n = append(b, '-'), -n
	}
	var room [20]byte
	text := strconv.AppendInt(room[:0], n, 10)
	whole := len(text) + exp // digits before the point
	switch {
	case exp == 0:
		return append(b, text...)
	case whole > 0:
		return append(append(append(b, text[:whole]...), '.'), text[whole:]...)
	default:
		return append(append(b, "0.000000000000000"[:2-whole]...), text...)
	}
}

// field is one member of a struct's JSON.
type field struct {
	index     []int
	name      string // with quotes and colon
	omitEmpty bool
	omitZero  bool
	isZero    func(reflect.Value) bool
	write     writer
}

// fieldsOf lists the members as json.Marshal orders them; false where it has rules that are not followed here.
func fieldsOf(t reflect.Type, at []int) ([]field, bool) {
	var fields []field
	names := make(map[string]bool)
	add := func(f field) bool {
		fields = append(fields, f)
		known := names[f.name]
		names[f.name] = true
		return !known
	}
	for i := range t.NumField() {
		sf := t.Field(i)
		tag := sf.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		index := append(at[:len(at):len(at)], i)
		switch {
		case sf.Anonymous && name == "" && sf.Type.Kind() == reflect.Struct:
			inner, ok := fieldsOf(sf.Type, index)
			for _, f := range inner {
				ok = add(f) && ok
			}
			if !ok {
				return nil, false
			}
			continue
		case sf.Anonymous:
			return nil, false
		case !sf.IsExported() || tag == "-":
			continue
		case strings.ContainsFunc(name, odd):
			return nil, false
		}
		f := field{index: index, name: string(appendText(nil, cmp.Or(name, sf.Name))) + ":"}
		for option := range strings.SplitSeq(options, ",") {
			switch option {
			case "":
			case "omitempty":
				f.omitEmpty = true
			case "omitzero":
				f.omitZero = true
			default:
				return nil, false
			}
		}
		f.isZero = reflect.Value.IsZero
		switch {
		case sf.Type.Kind() == reflect.Struct && sf.Type.Implements(zeroerType):
			f.isZero = func(v reflect.Value) bool { return behind(v).(zeroer).IsZero() }
		case implements(sf.Type, zeroerType) && f.omitZero:
			return nil, false
		}
		f.write = func(b []byte, v reflect.Value) []byte { return writerOf(v.Type())(b, v) }
		if sf.Type.Kind() != reflect.Pointer && sf.Type.Kind() != reflect.Slice {
			f.write = writerOf(sf.Type)
		}
		if !add(f) {
			return nil, false
		}
	}
	return fields, true
}

// odd says of a name's character that json.Marshal may not take the name for one.
func odd(c rune) bool {
	return c != '_' && (c < '0' || c > '9' && c < 'A' || c > 'Z' && c < 'a' || c > 'z')
}

type zeroer interface{ IsZero() bool }

var zeroerType = reflect.TypeFor[zeroer]()

func structWriter(fields []field) writer {
	return func(b []byte, v reflect.Value) []byte {
		b = append(b, '{')
		start := len(b)
		for i := range fields {
			f := &fields[i]
			value := v.Field(f.index[0])
			for _, n := range f.index[1:] {
				value = value.Field(n)
			}
			if f.omitEmpty && empty(value) || f.omitZero && f.isZero(value) {
				continue
			}
			if len(b) > start {
				b = append(b, ',')
			}
			b = f.write(append(b, f.name...), value)
		}
		return append(b, '}')
	}
}

// empty is what omitempty means.
func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}
