package simulator

import (
	"encoding/json"
	"strings"
	"sync"

	"github.com/shopspring/decimal"
)

// Requests are read into a small tree of our own instead of structs: the simulator must see which names were sent,
// exactly as they were spelled, and refuse those Zoho does not know.

type kind uint8

const (
	kindNull kind = iota
	kindBool
	kindNumber
	kindString
	kindObject
	kindArray
)

// value is a JSON value; the texts are parts of the request.
type value struct {
	kind  kind
	text  string   // string contents, number literal, or true/false
	nodes []member // of an object, or, without names, of an array
}

type member struct {
	name string
	value
}

// maxDepth bounds how deep a request may nest.
const maxDepth = 64

// parser reads text from i on. The children of a value are collected on a stack shared by all levels, then copied in
// their exact number.
type parser struct {
	s     string
	i     int
	depth int
	stack []member
	bad   bool
}

var parsers = sync.Pool{New: func() any { return &parser{stack: make([]member, 0, 64)} }}

// parseJSON reads one JSON value; false when the text is not well formed.
func parseJSON(text string) (value, bool) {
	p := parsers.Get().(*parser)
	p.s, p.i, p.depth, p.bad = text, 0, 0, false
	v := p.value()
	p.space()
	ok := !p.bad && p.i == len(p.s)
	clear(p.stack[:cap(p.stack)])
	p.s, p.stack = "", p.stack[:0]
	parsers.Put(p)
	return v, ok
}

func (p *parser) fail() value {
	p.bad = true
	p.i = len(p.s)
	return value{}
}

func (p *parser) space() {
	for p.i < len(p.s) && (p.s[p.i] == ' ' || p.s[p.i] == '\n' || p.s[p.i] == '\t' || p.s[p.i] == '\r') {
		p.i++
	}
}

// eat takes the next character if it is c.
func (p *parser) eat(c byte) bool {
	p.space()
	if p.i < len(p.s) && p.s[p.i] == c {
		p.i++
		return true
	}
	return false
}

func (p *parser) value() value {
	p.space()
	if p.i >= len(p.s) {
		return p.fail()
	}
	switch c := p.s[p.i]; {
	case c == '{':
		return p.nested(kindObject, '}')
	case c == '[':
		return p.nested(kindArray, ']')
	case c == '"':
		return value{kind: kindString, text: p.text()}
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if strings.HasPrefix(p.s[p.i:], word) {
			p.i += len(word)
			if word == "null" {
				return value{}
			}
			return value{kind: kindBool, text: word}
		}
	}
	return p.fail()
}

func (p *parser) nested(k kind, end byte) value {
	p.i++
	if p.depth++; p.depth > maxDepth {
		return p.fail()
	}
	first := len(p.stack)
	if !p.eat(end) {
		for {
			m := member{}
			if k == kindObject {
				if p.space(); p.i >= len(p.s) || p.s[p.i] != '"' {
					return p.fail()
				}
				m.name = p.text()
				if !p.eat(':') {
					return p.fail()
				}
			}
			m.value = p.value()
			p.stack = append(p.stack, m)
			if p.bad {
				return value{}
			}
			if p.eat(end) {
				break
			}
			if !p.eat(',') {
				return p.fail()
			}
		}
	}
	p.depth--
	v := value{kind: k, nodes: append(make([]member, 0, len(p.stack)-first), p.stack[first:]...)}
	p.stack = p.stack[:first]
	return v
}

func (p *parser) text() string {
	start := p.i
	escaped := false
	for p.i++; p.i < len(p.s); p.i++ {
		switch c := p.s[p.i]; {
		case c == '"':
			p.i++
			if !escaped {
				return p.s[start+1 : p.i-1]
			}
			var out string
			if err := json.Unmarshal([]byte(p.s[start:p.i]), &out); err != nil {
				p.fail()
			}
			return out
		case c == '\\':
			escaped = true
			p.i++
		case c < ' ':
			p.fail()
			return ""
		}
	}
	p.fail()
	return ""
}

func (p *parser) digits() bool {
	start := p.i
	for p.i < len(p.s) && p.s[p.i] >= '0' && p.s[p.i] <= '9' {
		p.i++
	}
	return p.i > start
}

func (p *parser) number() value {
	start := p.i
	if p.s[p.i] == '-' {
		p.i++
	}
	zero := p.i < len(p.s) && p.s[p.i] == '0'
	whole := p.i
	if !p.digits() || zero && p.i > whole+1 {
		return p.fail()
	}
	if p.i < len(p.s) && p.s[p.i] == '.' {
		p.i++
		if !p.digits() {
			return p.fail()
		}
	}
	if p.i < len(p.s) && (p.s[p.i] == 'e' || p.s[p.i] == 'E') {
		if p.i++; p.i < len(p.s) && (p.s[p.i] == '+' || p.s[p.i] == '-') {
			p.i++
		}
		if !p.digits() {
			return p.fail()
		}
	}
	return value{kind: kindNumber, text: p.s[start:p.i]}
}

// get finds a member by its exact name; the last one wins, and null counts as absent.
func (v *value) get(name string) (*value, bool) {
	for i := len(v.nodes) - 1; i >= 0; i-- {
		if m := &v.nodes[i]; m.name == name {
			return &m.value, m.kind != kindNull
		}
	}
	return nil, false
}

// str is the text of a string or number member, "" when absent.
func (v *value) str(name string) string {
	if m, ok := v.get(name); ok {
		return m.text
	}
	return ""
}

// dec is a number member, zero when absent. Checked before by the schema.
func (v *value) dec(name string) decimal.Decimal {
	if m, ok := v.get(name); ok {
		return m.number()
	}
	return decimal.Zero
}

func (v *value) number() decimal.Decimal {
	if v.text == "" {
		return decimal.Zero
	}
	if d, err := decimal.NewFromString(v.text); err == nil {
		return d
	}
	return decimal.Zero
}

func (v *value) isTrue(name string) bool { return v.str(name) == "true" }

// list are the elements of an array member.
func (v *value) list(name string) []member {
	if m, ok := v.get(name); ok {
		return m.nodes
	}
	return nil
}

func (v *value) id(name string) uint64 { return parseID(v.str(name)) }
