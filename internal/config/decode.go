package config

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

const (
	maxFile   = 4 << 20  // bytes of a configuration file; mappings of tens of thousands of SKUs fit
	maxNodes  = 1 << 20  // values visited; aliases that multiply end here
	maxDepth  = 32       // the deepest setting is 6 levels down
	maxSecret = 64 << 10 // bytes of a secret's file
)

// decoder reads YAML nodes and texts into the configuration and collects what is wrong with them.
type decoder struct {
	problems problems
	readFile func(name string) ([]byte, error)
	name     string // of the file or variable that is being read
	lines    bool   // whether origins name a line
	anchors  map[string]ast.Node
	visited  int
}

// document decodes a whole YAML text into v.
func (d *decoder) document(path, name string, text []byte, lines bool, v reflect.Value) {
	d.name, d.lines, d.anchors = name, lines, map[string]ast.Node{}
	if len(text) > maxFile {
		d.problems.add(path, name, "", "larger than %d bytes", maxFile)
		return
	}
	file, err := parseYAML(text)
	if err != nil {
		origin, what := name, "not valid YAML"
		if syntax := (*yaml.SyntaxError)(nil); errors.As(err, &syntax) {
			what += ": " + clip(syntax.Message)
			if syntax.Token != nil && syntax.Token.Position != nil && lines {
				origin = fmt.Sprintf("%s:%d", name, syntax.Token.Position.Line)
			}
		}
		d.problems.add(path, origin, "", "%s", what)
		return
	}
	read := false
	for _, doc := range file.Docs {
		if doc == nil || doc.Body == nil {
			continue
		}
		if _, comment := doc.Body.(*ast.CommentGroupNode); comment {
			continue
		}
		if read {
			d.problems.add(path, d.origin(doc.Body), "keep one document", "a second YAML document")
			return
		}
		read = true
		d.value(path, doc.Body, v, 0)
	}
}

// parseYAML turns a panic of the parser into an error: what it is given is somebody's file.
func parseYAML(text []byte) (file *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			file, err = nil, errors.New("the parser gave up")
		}
	}()
	return parser.ParseBytes(text, 0)
}

// value decodes n into v, which is settable.
func (d *decoder) value(path string, n ast.Node, v reflect.Value, depth int) {
	d.visited++
	if d.visited > maxNodes || depth > maxDepth {
		if d.visited <= maxNodes+1 || depth == maxDepth+1 {
			d.problems.add(path, d.origin(n), "", "nested too deep, or too large")
		}
		d.visited = maxNodes + 1
		return
	}
	switch x := n.(type) {
	case nil, *ast.NullNode: // `key:` without a value leaves the default
		return
	case *ast.AnchorNode:
		if x.Name != nil {
			d.anchors[x.Name.String()] = x.Value
		}
		d.value(path, x.Value, v, depth+1)
		return
	case *ast.AliasNode:
		target, ok := d.anchors[x.Value.String()]
		if !ok {
			d.problems.add(path, d.origin(n), "define it with & above", "alias of an unknown anchor %q", clip(x.Value.String()))
			return
		}
		d.value(path, target, v, depth+1)
		return
	case *ast.TagNode:
		d.value(path, x.Value, v, depth+1)
		return
	}
	switch {
	case isScalar(v.Type()):
		text, ok := scalarText(n)
		if !ok {
			d.problems.add(path, d.origin(n), "", "want one value, not a list or a mapping")
			return
		}
		d.text(path, d.origin(n), text, v)
	case v.Kind() == reflect.Slice:
		d.list(path, n, v, depth)
	case v.Kind() == reflect.Map:
		d.mapping(path, n, v, depth)
	default:
		d.fields(path, n, v, depth)
	}
}

// text sets a scalar.
func (d *decoder) text(path, origin, text string, v reflect.Value) {
	if err := setText(v, text); err != nil {
		shown := ""
		if v.Type() != typeSecret {
			shown = fmt.Sprintf(" instead of %q", clip(text))
		}
		d.problems.add(path, origin, "", "%s%s", err, shown)
	}
}

// list decodes a sequence, or one text with commas.
func (d *decoder) list(path string, n ast.Node, v reflect.Value, depth int) {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		text, scalar := scalarText(n)
		if !scalar || !isScalar(v.Type().Elem()) {
			d.problems.add(path, d.origin(n), "", "want a list")
			return
		}
		d.commas(path, d.origin(n), text, v)
		return
	}
	out := reflect.MakeSlice(v.Type(), 0, len(seq.Values))
	for i, item := range seq.Values {
		e := reflect.New(v.Type().Elem()).Elem()
		d.value(fmt.Sprintf("%s[%d]", path, i), item, e, depth+1)
		out = reflect.Append(out, e)
	}
	v.Set(out)
}

// commas sets a list from `a,b,c`.
func (d *decoder) commas(path, origin, text string, v reflect.Value) {
	out := reflect.MakeSlice(v.Type(), 0, 1)
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		e := reflect.New(v.Type().Elem()).Elem()
		d.text(path, origin, item, e)
		out = reflect.Append(out, e)
	}
	v.Set(out)
}

// mapping decodes into a map with text keys; what the map holds already is added to.
func (d *decoder) mapping(path string, n ast.Node, v reflect.Value, depth int) {
	entries, ok := d.entries(path, n)
	if !ok {
		return
	}
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	for _, e := range entries {
		if e.merge {
			d.value(path, e.value, v, depth+1)
			continue
		}
		elem := newElem(v, e.key)
		d.value(path+"."+e.key, e.value, elem, depth+1)
		v.SetMapIndex(reflect.ValueOf(e.key), elem)
	}
}

// newElem is a settable copy of the map's element, or of the default for a new one.
func newElem(m reflect.Value, key string) reflect.Value {
	elem := reflect.New(m.Type().Elem()).Elem()
	if old := m.MapIndex(reflect.ValueOf(key)); old.IsValid() {
		elem.Set(old)
	} else if elem.Type() == typeOrganization {
		elem.Set(reflect.ValueOf(DefaultOrganization()))
	}
	return elem
}

// fields decodes a mapping into a struct.
func (d *decoder) fields(path string, n ast.Node, v reflect.Value, depth int) {
	entries, ok := d.entries(path, n)
	if !ok {
		return
	}
	known := fieldIndex(v.Type())
	for _, e := range entries {
		if e.merge {
			d.value(path, e.value, v, depth+1)
			continue
		}
		at := join(path, e.key)
		if i, ok := known[e.key]; ok {
			d.value(at, e.value, v.Field(i), depth+1)
			continue
		}
		if i, ok := known[strings.TrimSuffix(e.key, fileSuffix)]; ok && strings.HasSuffix(e.key, fileSuffix) && v.Field(i).Type() == typeSecret {
			if name, ok := scalarText(e.value); ok {
				d.secretFile(at, d.origin(e.value), name, v.Field(i))
				continue
			}
		}
		d.problems.add(at, d.origin(e.node), unknownHint(e.key, path, v.Type()), "unknown key")
	}
}

// fileSuffix makes a secret's key name the file that holds it.
const fileSuffix = "_file"

// secretFile reads a secret from a file; one line end after it is not part of it.
func (d *decoder) secretFile(path, origin, name string, v reflect.Value) {
	text, err := d.readFile(name)
	if err != nil {
		reason := err
		if pathErr := (*os.PathError)(nil); errors.As(err, &pathErr) {
			reason = pathErr.Err
		}
		d.problems.add(path, origin, "", "reading the secret from %q: %v", clip(name), reason)
		return
	}
	if len(text) > maxSecret {
		d.problems.add(path, origin, "", "the file %q is larger than %d bytes", clip(name), maxSecret)
		return
	}
	s := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	if s == "" {
		d.problems.add(path, origin, "", "the file %q is empty", clip(name))
		return
	}
	d.text(path, origin, s, v)
}

// entry is one key of a mapping; merge entries (<<) come first and are overridden by the others.
type entry struct {
	key   string
	value ast.Node
	node  ast.Node
	merge bool
}

// entries lists the keys of a mapping, or says that n is none.
func (d *decoder) entries(path string, n ast.Node) ([]entry, bool) {
	var values []*ast.MappingValueNode
	switch x := n.(type) {
	case *ast.MappingNode:
		values = x.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{x}
	default:
		d.problems.add(path, d.origin(n), "", "want a mapping")
		return nil, false
	}
	var merges, own []entry
	for _, mv := range values {
		if mv == nil || mv.Key == nil {
			continue
		}
		if mv.Key.IsMergeKey() {
			merges = append(merges, entry{value: mv.Value, node: mv, merge: true})
			continue
		}
		key, ok := scalarText(mv.Key)
		if !ok || key == "" {
			d.problems.add(path, d.origin(mv), "", "want a plain text as key")
			continue
		}
		own = append(own, entry{key: key, value: mv.Value, node: mv.Key})
	}
	return append(merges, own...), true
}

// scalarText is a scalar as it was written: an id such as 0012 stays a text.
func scalarText(n ast.Node) (string, bool) {
	switch x := n.(type) {
	case *ast.StringNode:
		return x.Value, true
	case *ast.LiteralNode:
		if x.Value == nil {
			return "", true
		}
		return x.Value.Value, true
	case *ast.NullNode:
		return "", true
	case *ast.MappingKeyNode:
		return scalarText(x.Value)
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		if t := n.GetToken(); t != nil {
			return t.Value, true
		}
	}
	return "", false
}

// origin is where n stands.
func (d *decoder) origin(n ast.Node) string {
	if !d.lines || n == nil {
		return d.name
	}
	var t *token.Token
	func() {
		defer func() { _ = recover() }() // GetToken of a half-parsed node
		t = n.GetToken()
	}()
	if t == nil || t.Position == nil {
		return d.name
	}
	return fmt.Sprintf("%s:%d", d.name, t.Position.Line)
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
