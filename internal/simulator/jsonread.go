package simulator

import (
	"encoding/json"
	"strings"

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

type value struct {
	kind    kind
	text    string // string contents, number literal, or true/false
	members []member
	items   []value
}

type member struct {
	name  string
	value value
}

// parseJSON reads one JSON value; false when the text is not well formed.
func parseJSON(body []byte) (value, bool) {
	if !json.Valid(body) {
		return value{}, false
	}
	p := parser{s: string(body)}
	return p.value(), true
}

// parser walks text that json.Valid has accepted: it never runs past the end.
type parser struct {
	s string
	i int
}

func (p *parser) space() {
	for p.i < len(p.s) {
		switch p.s[p.i] {
		case ' ', '\t', '\n', '\r', ',', ':':
			p.i++
		default:
			return
		}
	}
}

func (p *parser) value() value {
	p.space()
	switch c := p.s[p.i]; c {
	case '{':
		v := value{kind: kindObject, members: make([]member, 0, 6)}
		p.i++
		for p.space(); p.s[p.i] != '}'; p.space() {
			name := p.text()
			v.members = append(v.members, member{name, p.value()})
		}
		p.i++
		return v
	case '[':
		v := value{kind: kindArray, items: make([]value, 0, 2)}
		p.i++
		for p.space(); p.s[p.i] != ']'; p.space() {
			v.items = append(v.items, p.value())
		}
		p.i++
		return v
	case '"':
		return value{kind: kindString, text: p.text()}
	default:
		start := p.i
		for p.i < len(p.s) && strings.IndexByte(" \t\n\r,:]}", p.s[p.i]) < 0 {
			p.i++
		}
		word := p.s[start:p.i]
		switch word {
		case "null":
			return value{}
		case "true", "false":
			return value{kind: kindBool, text: word}
		}
		return value{kind: kindNumber, text: word}
	}
}

func (p *parser) text() string {
	start := p.i
	escaped := false
	for p.i++; p.s[p.i] != '"'; p.i++ {
		if p.s[p.i] == '\\' {
			escaped = true
			p.i++
		}
	}
	p.i++
	if !escaped {
		return p.s[start+1 : p.i-1]
	}
	var out string
	if err := json.Unmarshal([]byte(p.s[start:p.i]), &out); err != nil {
		return ""
	}
	return out
}

// get finds a member by its exact name; the last one wins, and null counts as absent.
func (v *value) get(name string) (*value, bool) {
	for i := len(v.members) - 1; i >= 0; i-- {
		if m := &v.members[i]; m.name == name {
			return &m.value, m.value.kind != kindNull
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
	if d, err := decimal.NewFromString(v.text); err == nil {
		return d
	}
	return decimal.Zero
}

func (v *value) isTrue(name string) bool { return v.str(name) == "true" }

func (v *value) list(name string) []value {
	if m, ok := v.get(name); ok {
		return m.items
	}
	return nil
}

func (v *value) id(name string) uint64 { return parseID(v.str(name)) }
