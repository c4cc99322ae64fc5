package zohobooks

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
)

// Answers are decoded here, in one pass over the bytes, rather than by encoding/json: an invoice is answered with some 185 fields of which
// two dozen matter, Zoho's types wander (a number may come as a number, a quoted number, "" or null; a list as "" ; one object instead
// of a list), and encoding/json would read every answer twice and refuse the wanderers. What the decoder accepts is always valid JSON.

// decode fills the struct that out points to. Unknown fields are skipped, bytes after the value are an error.
func decode(b []byte, out any) error {
	v := reflect.ValueOf(out).Elem()
	d := decoder{b: b}
	d.space()
	if d.peek() != '{' {
		return d.fail("want an object")
	}
	if err := d.value(v, planOf(v.Type())); err != nil {
		return err
	}
	d.space()
	if d.i != len(d.b) {
		return d.fail("bytes after the end")
	}
	return nil
}

type kind uint8

const (
	kindString kind = iota
	kindText        // a string that keeps the JSON of anything else it meets
	kindBool
	kindInt
	kindAmount
	kindStruct
	kindPointer
	kindSlice
	kindStringMap
	kindCustom // json.Unmarshaler
)

type field struct {
	index []int
	one   int // index[0] when the path has one step, else -1
	plan  *plan
}

type plan struct {
	kind   kind
	fields map[string]field
	elem   *plan
}

var (
	plans         sync.Map // reflect.Type -> *plan
	amountType    = reflect.TypeFor[Amount]()
	unmarshalType = reflect.TypeFor[json.Unmarshaler]()
)

// planOf panics on a type it cannot fill: a programming error that the first test meets.
func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	p := newPlan(t)
	plans.Store(t, p)
	return p
}

func newPlan(t reflect.Type) *plan {
	switch {
	case t == amountType:
		return &plan{kind: kindAmount}
	case reflect.PointerTo(t).Implements(unmarshalType):
		return &plan{kind: kindCustom}
	}
	switch t.Kind() {
	case reflect.String:
		return &plan{kind: kindString}
	case reflect.Bool:
		return &plan{kind: kindBool}
	case reflect.Int, reflect.Int64:
		return &plan{kind: kindInt}
	case reflect.Pointer:
		return &plan{kind: kindPointer, elem: planOf(t.Elem())}
	case reflect.Slice:
		return &plan{kind: kindSlice, elem: planOf(t.Elem())}
	case reflect.Map:
		if t.Key().Kind() == reflect.String && t.Elem().Kind() == reflect.String {
			return &plan{kind: kindStringMap}
		}
	case reflect.Struct:
		p := &plan{kind: kindStruct, fields: make(map[string]field)}
		addFields(p.fields, t, nil)
		return p
	}
	panic("zohobooks: no way to decode " + t.String())
}

func addFields(into map[string]field, t reflect.Type, path []int) {
	for i := range t.NumField() {
		f := t.Field(i)
		index := append(append([]int(nil), path...), i)
		if f.Anonymous && f.Type.Kind() == reflect.Struct && f.Tag.Get("json") == "" {
			addFields(into, f.Type, index)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" || !f.IsExported() {
			continue
		}
		one := -1
		if len(index) == 1 {
			one = i
		}
		p := planOf(f.Type)
		if f.Tag.Get("decode") == "any" && p.kind == kindString {
			p = &plan{kind: kindText}
		}
		into[name] = field{index: index, one: one, plan: p}
	}
}

// value decodes the next value into v as p says.
func (d *decoder) value(v reflect.Value, p *plan) error {
	d.space()
	c := d.peek()
	switch p.kind {
	case kindPointer:
		if c == 'n' {
			v.SetZero()
			return d.skip()
		}
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		return d.value(v.Elem(), p.elem)
	case kindStruct:
		switch c {
		case '{':
			return d.object(v, p)
		case 'n':
			return d.skip()
		}
		return d.emptyInstead("an object")
	case kindSlice:
		switch c {
		case '[':
			return d.array(v, p)
		case '{': // one object where a list was announced
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			return d.value(v.Index(0), p.elem)
		case 'n':
			v.SetZero()
			return d.skip()
		}
		return d.emptyInstead("a list")
	case kindStringMap:
		if c != '{' {
			return d.emptyInstead("an object")
		}
		return d.stringMap(v)
	case kindCustom:
		start := d.i
		if err := d.skip(); err != nil {
			return err
		}
		if err := v.Addr().Interface().(json.Unmarshaler).UnmarshalJSON(d.b[start:d.i]); err != nil {
			d.i = start
			return d.fail(err.Error())
		}
		return nil
	}
	return d.scalar(v, p.kind, c)
}

// emptyInstead accepts "", null and [] where something else was expected: Zoho's ways of saying nothing.
func (d *decoder) emptyInstead(want string) error {
	start := d.i
	if err := d.skip(); err != nil {
		return err
	}
	switch got := string(d.b[start:d.i]); got {
	case `""`, "null", "[]":
		return nil
	}
	d.i = start
	return d.fail("want " + want)
}

// scalar reads a text, number or truth value; each accepts the others' spelling of the same thing.
func (d *decoder) scalar(v reflect.Value, k kind, c byte) error {
	start := d.i
	var text []byte
	switch {
	case c == '"':
		raw, plain, err := d.stringToken()
		if err != nil {
			return err
		}
		if k == kindString || k == kindText {
			v.SetString(unquote(raw, plain))
			return nil
		}
		text = raw[1 : len(raw)-1]
	case k != kindText && (c == '{' || c == '['):
		return d.fail("want a plain value")
	default:
		if err := d.skip(); err != nil {
			return err
		}
		text = d.b[start:d.i]
		if string(text) == "null" {
			text = nil
		}
	}
	switch k {
	case kindString, kindText:
		v.SetString(string(text))
		return nil
	case kindAmount:
		if err := v.Addr().Interface().(*Amount).parse(text); err != nil {
			d.i = start
			return d.fail(err.Error())
		}
		return nil
	case kindBool:
		switch string(text) {
		case "true", "1":
			v.SetBool(true)
		case "false", "0", "":
			v.SetBool(false)
		default:
			d.i = start
			return d.fail("want true or false")
		}
		return nil
	default: // kindInt
		if len(text) == 0 {
			v.SetInt(0)
			return nil
		}
		n, err := strconv.ParseInt(string(text), 10, 64)
		if err != nil {
			d.i = start
			return d.fail("want a whole number")
		}
		v.SetInt(n)
		return nil
	}
}

func unquote(raw []byte, plain bool) string {
	if plain {
		return string(raw[1 : len(raw)-1])
	}
	var s string
	if json.Unmarshal(raw, &s) != nil { // the token was checked: cannot happen
		return strings.ToValidUTF8(string(raw[1:len(raw)-1]), "\uFFFD")
	}
	return s
}

func (d *decoder) object(v reflect.Value, p *plan) error {
	return d.members(func(key []byte) error {
		f, ok := p.fields[string(key)]
		if !ok {
			return d.skip()
		}
		var fv reflect.Value
		if f.one >= 0 {
			fv = v.Field(f.one)
		} else {
			fv = v.FieldByIndex(f.index)
		}
		if err := d.value(fv, f.plan); err != nil {
			if errors.Is(err, errSyntax) {
				return err
			}
			return fmt.Errorf("%s: %w", key, err)
		}
		return nil
	})
}

func (d *decoder) stringMap(v reflect.Value) error {
	m := reflect.MakeMap(v.Type())
	err := d.members(func(key []byte) error {
		name := string(key)
		d.space()
		if c := d.peek(); c == '{' || c == '[' {
			return d.skip()
		}
		item := reflect.New(v.Type().Elem()).Elem()
		if err := d.scalar(item, kindString, d.peek()); err != nil {
			return err
		}
		m.SetMapIndex(reflect.ValueOf(name).Convert(v.Type().Key()), item)
		return nil
	})
	v.Set(m)
	return err
}

// firstElements is how many elements a list has room for at first: most lists of lines fit, and growing copies them.
const firstElements = 6

func (d *decoder) array(v reflect.Value, p *plan) error {
	n := 0
	if v.Len() > 0 {
		v.SetZero() // a repeated key starts anew
	}
	err := d.elements(func() error {
		if d.elems++; d.elems > maxElements {
			return d.fail("too many elements")
		}
		if n == v.Cap() {
			v.Grow(max(n, firstElements))
		}
		v.SetLen(n + 1)
		n++
		v.Index(n - 1).SetZero()
		return d.value(v.Index(n-1), p.elem)
	})
	if err == nil && n == 0 {
		v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	}
	return err
}
