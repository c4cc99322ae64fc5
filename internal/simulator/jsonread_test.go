package simulator

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
)

// plain turns a parsed value into what encoding/json makes of it.
func (v *value) plain() any {
	switch v.kind {
	case kindBool:
		return v.text == "true"
	case kindNumber:
		return json.Number(v.text)
	case kindString:
		return v.text
	case kindArray:
		out := []any{}
		for i := range v.nodes {
			out = append(out, v.nodes[i].plain())
		}
		return out
	case kindObject:
		out := map[string]any{}
		for i := range v.nodes {
			out[v.nodes[i].name] = v.nodes[i].plain()
		}
		return out
	}
	return nil
}

func FuzzParseJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,-0.5e+3,"x\u00e9\n",true,false,null,{}],"a":2}`, ` [ ] `, `{"a":}`, `{"a" 1}`, `[1,]`, `01`, `-`, `1.`, `"\x"`, `"a`, `{"a":1}x`, `tru`,
		"\"\x01\"", `"\ud800"`, `{,}`, `[[[[]]]]`, ``} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, ok := parseJSON(s)
		var want any
		dec := json.NewDecoder(bytes.NewReader([]byte(s)))
		dec.UseNumber()
		valid := json.Valid([]byte(s))
		if ok && !valid {
			t.Fatalf("%q is accepted", s)
		}
		if !ok {
			if valid && bytes.Count([]byte(s), []byte("["))+bytes.Count([]byte(s), []byte("{")) <= maxDepth {
				t.Fatalf("%q is refused", s)
			}
			return
		}
		if err := dec.Decode(&want); err != nil {
			t.Fatal(err)
		}
		if got := v.plain(); !reflect.DeepEqual(got, want) && bytes.IndexByte([]byte(s), '\\') < 0 && json.Valid([]byte(s)) && isUTF8(s) {
			t.Fatalf("%q is %v, want %v", s, got, want)
		}
	})
}

func isUTF8(s string) bool { return string([]rune(s)) == s }
