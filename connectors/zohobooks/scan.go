package zohobooks

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// maxDepth of nesting in an answer; recorded ones reach 6.
const maxDepth = 64

// maxElements of all lists of an answer: a page has 200 rows, and an element takes up to two kilobytes although it may have been
// written in three bytes.
const maxElements = 20_000

var errSyntax = errors.New("not valid JSON")

// decoder walks over JSON text. This file knows the syntax (RFC 8259), decode.go the values.
type decoder struct {
	b     []byte
	i     int
	depth int
	elems int // of the lists decoded so far
}

func (d *decoder) fail(what string) error { return fmt.Errorf("at byte %d: %s", d.i, what) }

func (d *decoder) syntax() error { return fmt.Errorf("at byte %d: %w", d.i, errSyntax) }

// peek gives the next byte, 0 at the end.
func (d *decoder) peek() byte {
	if d.i < len(d.b) {
		return d.b[d.i]
	}
	return 0
}

func (d *decoder) space() {
	for d.i < len(d.b) {
		switch d.b[d.i] {
		case ' ', '\t', '\n', '\r':
			d.i++
		default:
			return
		}
	}
}

// members calls each with every key of the object that starts here; each must consume the value.
func (d *decoder) members(each func(key []byte) error) error {
	if d.depth++; d.depth > maxDepth {
		return d.fail("nested too deeply")
	}
	d.i++
	d.space()
	if d.peek() == '}' {
		d.i++
		d.depth--
		return nil
	}
	for {
		d.space()
		if d.peek() != '"' {
			return d.syntax()
		}
		raw, plain, err := d.stringToken()
		if err != nil {
			return err
		}
		key := raw[1 : len(raw)-1]
		if !plain {
			key = []byte(unquote(raw, false))
		}
		d.space()
		if d.peek() != ':' {
			return d.syntax()
		}
		d.i++
		if err := each(key); err != nil {
			return err
		}
		d.space()
		switch d.peek() {
		case ',':
			d.i++
		case '}':
			d.i++
			d.depth--
			return nil
		default:
			return d.syntax()
		}
	}
}

func (d *decoder) elements(each func() error) error {
	if d.depth++; d.depth > maxDepth {
		return d.fail("nested too deeply")
	}
	d.i++
	d.space()
	if d.peek() == ']' {
		d.i++
		d.depth--
		return nil
	}
	for {
		if err := each(); err != nil {
			return err
		}
		d.space()
		switch d.peek() {
		case ',':
			d.i++
		case ']':
			d.i++
			d.depth--
			return nil
		default:
			return d.syntax()
		}
	}
}

// skip passes over one value, checking its syntax.
func (d *decoder) skip() error {
	d.space()
	switch c := d.peek(); c {
	case '"':
		_, _, err := d.stringToken()
		return err
	case '{':
		return d.members(func([]byte) error { return d.skip() })
	case '[':
		return d.elements(d.skip)
	case 't':
		return d.word("true")
	case 'f':
		return d.word("false")
	case 'n':
		return d.word("null")
	default:
		return d.number()
	}
}

func (d *decoder) word(w string) error {
	if len(d.b)-d.i < len(w) || string(d.b[d.i:d.i+len(w)]) != w {
		return d.syntax()
	}
	d.i += len(w)
	return nil
}

// number passes over a number as RFC 8259 spells it.
func (d *decoder) number() error {
	if d.peek() == '-' {
		d.i++
	}
	switch c := d.peek(); {
	case c == '0':
		d.i++
	case c >= '1' && c <= '9':
		d.digits()
	default:
		return d.syntax()
	}
	if d.peek() == '.' {
		d.i++
		if !d.digits() {
			return d.syntax()
		}
	}
	if c := d.peek(); c == 'e' || c == 'E' {
		d.i++
		if c := d.peek(); c == '+' || c == '-' {
			d.i++
		}
		if !d.digits() {
			return d.syntax()
		}
	}
	return nil
}

func (d *decoder) digits() bool {
	start := d.i
	for c := d.peek(); c >= '0' && c <= '9'; c = d.peek() {
		d.i++
	}
	return d.i > start
}

// stringToken passes over a string and gives it with its quotes; plain means that what is between them is the text itself.
func (d *decoder) stringToken() (raw []byte, plain bool, err error) {
	start := d.i
	plain = true
	ascii := true
	for i := start + 1; i < len(d.b); i++ {
		switch c := d.b[i]; {
		case c == '"':
			raw = d.b[start : i+1]
			d.i = i + 1
			if !ascii && plain && !utf8.Valid(raw) {
				plain = false
			}
			return raw, plain, nil
		case c == '\\':
			plain = false
			n := escapeLength(d.b[i:])
			if n == 0 {
				d.i = i
				return nil, false, d.syntax()
			}
			i += n - 1
		case c < 0x20:
			d.i = i
			return nil, false, d.syntax()
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	d.i = len(d.b)
	return nil, false, d.syntax()
}

// escapeLength is the length of the escape that b starts with, 0 when it is none.
func escapeLength(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(b) < 6 {
			return 0
		}
		for _, c := range b[2:6] {
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
				return 0
			}
		}
		return 6
	}
	return 0
}
