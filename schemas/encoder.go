package schemas

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/shopspring/decimal"
)

// encoder turns our types into goavro's native form of the bare schema, checking each value first: goavro floors
// decimals silently, ignores their precision, and takes invalid UTF-8. The first error stays.
//
// Decimals become their unscaled bytes (in one buffer), instants milliseconds, values of unions maps of the branch's
// name to the value.
type encoder struct {
	own  *own
	err  *Error
	path []step
	buf  []byte // the decimals' bytes; what was handed out stays valid when it grows
	shelves
}

// branch is goavro's name of a named type in a union.
func (e *encoder) branch(name string) string { return e.own.branches[name] }

func (e *encoder) fail(name, format string, args ...any) {
	if e.err != nil {
		return
	}
	d := reader{path: e.path}
	e.err = &Error{Class: ClassEncode, Field: d.at(name), Reason: fmt.Sprintf(format, args...)}
}

func (e *encoder) push(name string) { e.path = append(e.path, step{name: name}) }
func (e *encoder) pushItem(i int)   { e.path = append(e.path, step{index: i}) }
func (e *encoder) pop()             { e.path = e.path[:len(e.path)-1] }

func (e *encoder) str(name, v string) any {
	if !utf8.ValidString(v) {
		e.fail(name, "not valid UTF-8")
	}
	return v
}

// id is a string that must not be empty.
func (e *encoder) id(name, v string) any {
	if v == "" {
		e.fail(name, "is empty")
	}
	return e.str(name, v)
}

// opt is a nullable string; "" is null.
func (e *encoder) opt(name, v string) any {
	if v == "" {
		return nil
	}
	return e.wrap(shapeString, "string", e.str(name, v))
}

// text is str for remarks that came from elsewhere: what is not UTF-8 in them is replaced, so that it cannot keep an
// outcome from being told.
func (e *encoder) text(v string) string {
	return strings.ToValidUTF8(v, "\uFFFD")
}

// scales of the decimals in our schemas; their precision is 18.
const (
	precision  = 18
	scaleMoney = 4
	scaleSix   = 6
	scaleRate  = 10
)

func (e *encoder) decimal(name string, v decimal.Decimal, scale int32) any {
	n, problem := unscaled(v, scale, precision)
	if problem != "" {
		e.fail(name, "%s (at most %d digits, %d of them decimals)", problem, precision, scale)
		return nil
	}
	start := len(e.buf)
	e.buf = appendUnscaled(e.buf, n)
	return e.buf[start:len(e.buf):len(e.buf)]
}

func (e *encoder) money(name string, v decimal.Decimal) any { return e.decimal(name, v, scaleMoney) }

func (e *encoder) nullDecimal(name string, v decimal.NullDecimal, scale int32) any {
	if !v.Valid {
		return nil
	}
	return e.wrap(shapeBytes, "bytes", e.decimal(name, v.Decimal, scale))
}

func (e *encoder) nullMoney(name string, v decimal.NullDecimal) any {
	return e.nullDecimal(name, v, scaleMoney)
}

// instant is cut to milliseconds.
func (e *encoder) instant(name string, v time.Time) any {
	if !sane(v) {
		e.fail(name, "an instant before 1970 or after the year 9999")
		return nil
	}
	return v.UnixMilli()
}

// nullInstant is null where the time is zero.
func (e *encoder) nullInstant(name string, v time.Time) any {
	if v.IsZero() {
		return nil
	}
	return e.wrap(shapeLong, "long", e.instant(name, v))
}

func sane(v time.Time) bool {
	// by seconds first: UnixMilli overflows for the largest times
	s := v.Unix()
	return s >= 0 && s <= maxMillis/1000
}

func (e *encoder) enum(name, v string, symbols ...string) any {
	for _, symbol := range symbols {
		if v == symbol {
			return v
		}
	}
	e.fail(name, "unknown symbol %s", quote(v))
	return nil
}

func (e *encoder) texts(name string, v map[string]string) any {
	m := make(map[string]any, len(v))
	for key, value := range v {
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			e.fail(name, "a key or value that is not valid UTF-8")
		}
		m[key] = value
	}
	return m
}
