package schemas

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/linkedin/goavro/v2"
)

// refusal is what is wrong with the bytes.
func refusal(root *node, payload []byte) *Error {
	return values(root, payload, func(fields) *Error { return nil })
}

// asGoavro reads bytes and compares what they hold with goavro's reading of the whole.
func asGoavro(t *testing.T, codec *goavro.Codec, root *node, payload []byte) {
	t.Helper()
	var problem string
	refused := values(root, payload, func(got fields) *Error {
		want, rest, err := codec.NativeFromBinary(payload)
		if err != nil || len(rest) > 0 {
			problem = fmt.Sprintf("goavro: %v, %d bytes remain", err, len(rest))
		} else {
			problem = differs(root, got, want)
		}
		return nil
	})
	if refused != nil {
		typed(t, refused)
	}
	if problem != "" {
		t.Fatal(problem)
	}
}

// differs compares a value with goavro's, and says where they differ.
func differs(n *node, got, want any) string {
	if text, ok := got.(*string); ok {
		got = *text
	}
	switch n.kind {
	case kindRecord:
		record, ok := got.(fields)
		theirs, same := want.(map[string]any)
		if !ok || !same || len(record) != len(theirs) {
			return fmt.Sprintf("%#v, goavro %#v", got, want)
		}
		for i := range n.fields {
			if d := differs(n.fields[i].node, record[i], theirs[n.fields[i].name]); d != "" {
				return n.fields[i].name + ": " + d
			}
		}
		return ""
	case kindArray:
		items, ok := got.([]any)
		theirs, same := want.([]any)
		if !ok || !same || len(items) != len(theirs) {
			return fmt.Sprintf("%#v, goavro %#v", got, want)
		}
		for i := range items {
			if d := differs(n.items, items[i], theirs[i]); d != "" {
				return fmt.Sprintf("[%d]: %s", i, d)
			}
		}
		return ""
	case kindMap:
		entries, ok := got.(map[string]any)
		theirs, same := want.(map[string]any)
		if !ok || !same || len(entries) != len(theirs) {
			return fmt.Sprintf("%#v, goavro %#v", got, want)
		}
		for key := range entries {
			if d := differs(n.items, entries[key], theirs[key]); d != "" {
				return fmt.Sprintf("[%q]: %s", key, d)
			}
		}
		return ""
	case kindUnion:
		if got == nil || want == nil {
			if got != want {
				return fmt.Sprintf("%#v, goavro %#v", got, want)
			}
			return ""
		}
		var branch *node
		for i, b := range n.branches {
			if c, ok := got.(chosen); ok && c.branch == i || !n.ambiguous && b.kind != kindNull {
				branch = b
			}
		}
		if c, ok := got.(chosen); ok {
			got = c.value
		}
		inner, ok := want.(map[string]any)[branch.bareName]
		if !ok {
			return fmt.Sprintf("a %s, goavro %#v", branch.kind, want)
		}
		return differs(branch, got, inner)
	case kindBytes, kindFixed:
		ours, _ := got.([]byte)
		theirs, _ := want.([]byte)
		if !bytes.Equal(ours, theirs) {
			return fmt.Sprintf("%#v, goavro %#v", got, want)
		}
		return ""
	default:
		if fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", want) { // NaN equals itself here
			return fmt.Sprintf("%#v, goavro %#v", got, want)
		}
		return ""
	}
}

func TestValuesAreThoseThatGoavroReads(t *testing.T) {
	t.Parallel()
	const every = `{"type":"record","name":"R","fields":[
		{"name":"null","type":"null"}, {"name":"boolean","type":"boolean"}, {"name":"int","type":"int"}, {"name":"long","type":"long"},
		{"name":"float","type":"float"}, {"name":"double","type":"double"}, {"name":"bytes","type":"bytes"}, {"name":"string","type":"string"},
		{"name":"fixed","type":{"type":"fixed","name":"F","size":2}}, {"name":"enum","type":{"type":"enum","name":"E","symbols":["A","B"]}},
		{"name":"items","type":{"type":"array","items":["null","long","string"]}},
		{"name":"map","type":{"type":"map","values":{"type":"record","name":"I","fields":[{"name":"f","type":"F"},{"name":"maybe","type":["null","E"]}]}}},
		{"name":"again","type":["I","E","null"]}]}`
	w, err := newWriter(every)
	if err != nil {
		t.Fatal(err)
	}
	codec, err := newGoavro(w.root)
	if err != nil {
		t.Fatal(err)
	}
	head := append([]byte{1}, varints(-7, 1<<40)...)
	head = append(head, 0, 0, 0x80, 0x3f, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f) // 1.0 twice
	head = append(head, 4, 0xff, 0, 6, 'a', 'b', 'c', 1, 2, 2)
	// Two blocks of items, the second with its size.
	head = append(head, varints(2)...)
	head = append(append(head, varints(1, 300)...), 4, 2, 'x')
	head = append(append(head, varints(-1, 1)...), 0, 0)
	// One entry, and no other.
	head = append(head, 2, 2, 'k', 8, 9, 2, 0, 0)
	for name, tail := range map[string][]byte{"record": {0, 1, 2, 0}, "enum": {2, 2}, "null": {4}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			payload := append(head[:len(head):len(head)], tail...)
			if refused := refusal(w.root, payload); refused != nil {
				t.Fatal(refused)
			}
			asGoavro(t, codec, w.root, payload)
		})
	}
	for _, kind := range Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			o := ownOf(kind)
			asGoavro(t, o.codec, o.writer.root, readHex(t, "testdata/golden/"+string(kind)+".new.hex")[10:])
		})
	}
}

func TestAKeyThatIsThereTwiceIsRefused(t *testing.T) {
	t.Parallel()
	w, err := newWriter(`{"type":"record","name":"R","fields":[{"name":"f","type":{"type":"map","values":"boolean"}}]}`)
	if err != nil {
		t.Fatal(err)
	}
	refused := refusal(w.root, []byte{4, 2, 'a', 1, 2, 'a', 0, 0})
	if refused == nil {
		t.Fatal("accepted")
	}
	wantError(t, refused, ClassDecode, `f["a"]`)
}
