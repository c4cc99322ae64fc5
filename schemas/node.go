package schemas

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/linkedin/goavro/v2"
	"github.com/twmb/avro"
)

// Block limits of goavro, which are variables of its package and unlimited by default: five bytes naming 2^31-1 items
// make it ask for 32 GiB, which no recover survives. They are set here once, before any codec exists. No counts of
// others reach goavro, though: they are read by walk.
const (
	maxBlockCount = 10_000
	maxBlockSize  = 16 << 20
)

func init() {
	goavro.MaxBlockCount = maxBlockCount
	goavro.MaxBlockSize = maxBlockSize
}

// Limits of schemas. Ours has 8 levels and 200 nodes.
const (
	maxSchemaDepth = 64
	// maxSchemaCost bounds the nodes of a schema written out in full, every name replaced by its definition: thirty
	// records that hold the one before twice are small as text and 2^30 steps per record.
	maxSchemaCost = 20_000
	maxSchemaText = 1 << 20
	// maxDigits is what a decimal may hold at most (16 bytes), whatever its schema says.
	maxDigits = 38
)

// kind is an Avro type.
type kind uint8

const (
	kindNull kind = iota + 1
	kindBoolean
	kindInt
	kindLong
	kindFloat
	kindDouble
	kindBytes
	kindString
	kindRecord
	kindEnum
	kindArray
	kindMap
	kindUnion
	kindFixed
)

var kinds = map[string]kind{
	"null": kindNull, "boolean": kindBoolean, "int": kindInt, "long": kindLong, "float": kindFloat, "double": kindDouble,
	"bytes": kindBytes, "string": kindString, "record": kindRecord, "error": kindRecord, "enum": kindEnum,
	"array": kindArray, "map": kindMap, "union": kindUnion, "fixed": kindFixed,
}

func (k kind) String() string {
	for name, other := range kinds {
		if other == k && name != "error" {
			return name
		}
	}
	return "unknown"
}

// node is one type in a schema. Named types are shared, so nodes form a directed graph; it has no cycles.
type node struct {
	kind      kind
	logical   string
	precision int // of decimals
	scale     int32
	full      string // full name of a named type, for messages
	bareName  string // the key of the type in goavro's unions
	fields    []field
	items     *node // of arrays and maps
	branches  []*node
	ambiguous bool // a union of several types beside null
	symbols   []string
	size      int           // of fixed
	leaf      *goavro.Codec // reads what has no length: numbers, enums and the like
	min       int           // least bytes a value takes
	empty     int           // fields of a record that may take no bytes
	cost      int           // nodes of the type written out in full
}

type field struct {
	name       string
	aliases    []string
	node       *node
	def        any
	hasDefault bool
}

// writer is a schema some records were written with.
type writer struct {
	root        *node
	schema      *avro.Schema
	fingerprint uint64 // CRC-64-AVRO of the canonical form
	name        string // the fingerprint, as people see it
	plans       plans
}

// newWriter reads a schema. Types of other schemas it refers to must come in references, in dependency order. The
// errors are *Error of class poison.schema.
func newWriter(text string, references ...string) (*writer, error) {
	size := len(text)
	for _, reference := range references {
		size += len(reference)
	}
	if size > maxSchemaText {
		return nil, &Error{Class: ClassSchema, Reason: fmt.Sprintf("schema has %d bytes, at most %d are read", size, maxSchemaText)}
	}
	// twmb/avro checks the schema; goavro accepts, or panics on, many that are not valid.
	var cache avro.SchemaCache
	b := builder{named: make(map[string]*node), building: make(map[string]bool)}
	for _, reference := range references {
		schema, err := cache.Parse(reference)
		if err != nil {
			return nil, &Error{Class: ClassSchema, Reason: "reading a referenced schema", Err: err}
		}
		if _, err := b.build(schema.Root(), 0); err != nil {
			return nil, err
		}
	}
	schema, err := cache.Parse(text)
	if err != nil {
		return nil, &Error{Class: ClassSchema, Reason: "reading the schema", Err: err}
	}
	root, refused := b.build(schema.Root(), 0)
	if refused != nil {
		return nil, refused
	}
	if root.kind != kindRecord {
		return nil, &Error{Class: ClassSchema, Reason: "the schema is not a record but " + root.kind.String()}
	}
	rabin := avro.NewRabin()
	rabin.Write(schema.Canonical())
	sum := rabin.Sum64()
	return &writer{root: root, schema: schema, fingerprint: sum, name: formatFingerprint(sum)}, nil
}

// newGoavro compiles the bare form. NewCodec has panicked on valid schemas, so it runs behind a recover.
func newGoavro(root *node) (codec *goavro.Codec, err error) {
	defer func() {
		if r := recover(); r != nil {
			codec, err = nil, fmt.Errorf("goavro panicked: %v", r)
		}
	}()
	text, err := json.Marshal(root.bare(make(map[*node]bool)))
	if err != nil {
		return nil, fmt.Errorf("writing the bare schema: %w", err)
	}
	return goavro.NewCodec(string(text))
}

// leaves are goavro's codecs of the types of fixed width or a varint, but for those with a name.
var leaves = func() map[kind]*goavro.Codec {
	m := make(map[kind]*goavro.Codec)
	for _, k := range []kind{kindBoolean, kindInt, kindLong, kindFloat, kindDouble} {
		codec, err := newGoavro(&node{kind: k, bareName: k.String()})
		if err != nil {
			panic(fmt.Sprintf("schemas: %s: %v", k, err)) // caught by any test
		}
		m[k] = codec
	}
	return m
}()

func (n *node) setLeaf() *Error {
	if n.leaf = leaves[n.kind]; n.kind != kindEnum && n.kind != kindFixed {
		return nil
	}
	var err error
	if n.leaf, err = newGoavro(n); err != nil {
		return &Error{Class: ClassSchema, Reason: "compiling " + n.describe(), Err: err}
	}
	return nil
}

// bare is the schema reduced to what decides the bytes: no logical types, docs, aliases or defaults, and names of our
// own. goavro then yields raw values ([]byte for decimals, int64 for instants) and cannot lose digits, nor stumble over
// what it does not support.
func (n *node) bare(defined map[*node]bool) any {
	switch n.kind {
	case kindArray:
		return map[string]any{"type": "array", "items": n.items.bare(defined)}
	case kindMap:
		return map[string]any{"type": "map", "values": n.items.bare(defined)}
	case kindUnion:
		branches := make([]any, len(n.branches))
		for i, branch := range n.branches {
			branches[i] = branch.bare(defined)
		}
		return branches
	case kindRecord, kindEnum, kindFixed:
		if defined[n] {
			return n.bareName
		}
		defined[n] = true
		switch n.kind {
		case kindEnum:
			return map[string]any{"type": "enum", "name": n.bareName, "symbols": n.symbols}
		case kindFixed:
			return map[string]any{"type": "fixed", "name": n.bareName, "size": n.size}
		}
		fields := make([]any, len(n.fields))
		for i, f := range n.fields {
			fields[i] = map[string]any{"name": f.name, "type": f.node.bare(defined)}
		}
		return map[string]any{"type": "record", "name": n.bareName, "fields": fields}
	default:
		return n.bareName
	}
}

// builder turns a parsed schema into nodes.
type builder struct {
	named    map[string]*node
	building map[string]bool
}

func (b *builder) build(s *avro.SchemaNode, depth int) (*node, *Error) {
	if depth > maxSchemaDepth {
		return nil, &Error{Class: ClassSchema, Reason: fmt.Sprintf("the schema is nested more than %d levels deep", maxSchemaDepth)}
	}
	k, ok := kinds[s.Type]
	if !ok {
		return b.reference(s, depth)
	}
	n := &node{kind: k, logical: s.LogicalType, bareName: s.Type, cost: 1}
	switch k {
	case kindRecord, kindEnum, kindFixed:
		n.full = s.Name
		if s.Namespace != "" {
			n.full = s.Namespace + "." + s.Name
		}
		if known, ok := b.named[n.full]; ok {
			return known, nil // a reference written out again
		}
		n.bareName = "t" + strconv.Itoa(len(b.named)+len(b.building))
		b.building[n.full] = true
		defer delete(b.building, n.full)
	}
	if err := b.fill(n, s, depth); err != nil {
		return nil, err
	}
	if n.cost > maxSchemaCost {
		return nil, &Error{Class: ClassSchema, Reason: fmt.Sprintf("the schema has more than %d types when written out", maxSchemaCost)}
	}
	if n.full != "" {
		b.named[n.full] = n
	}
	return n, nil
}

// reference finds the type a name stands for.
func (b *builder) reference(s *avro.SchemaNode, depth int) (*node, *Error) {
	if b.building[s.Type] {
		return nil, &Error{Class: ClassSchema, Reason: fmt.Sprintf("the schema is recursive: %s contains itself", s.Type)}
	}
	if known, ok := b.named[s.Type]; ok {
		return known, nil
	}
	expanded := s.ExpandReferences()
	if _, ok := kinds[expanded.Type]; !ok {
		return nil, &Error{Class: ClassSchema, Reason: fmt.Sprintf("the schema names an unknown type %s", quote(s.Type))}
	}
	return b.build(expanded, depth+1)
}

func (b *builder) fill(n *node, s *avro.SchemaNode, depth int) *Error {
	add := func(child *node) { n.cost = min(n.cost+child.cost, maxSchemaCost+1) }
	var err *Error
	switch n.kind {
	case kindBoolean, kindInt, kindLong, kindBytes, kindString:
		n.min = 1
	case kindFloat:
		n.min = 4
	case kindDouble:
		n.min = 8
	case kindEnum:
		n.min, n.symbols = 1, slices.Clone(s.Symbols)
	case kindFixed:
		n.min, n.size = min(s.Size, maxSchemaText), s.Size
	case kindRecord:
		n.fields = make([]field, len(s.Fields))
		for i := range s.Fields {
			sf := &s.Fields[i]
			f := field{name: sf.Name, aliases: sf.Aliases, def: sf.Default, hasDefault: sf.HasDefault}
			if f.node, err = b.build(&sf.Type, depth+1); err != nil {
				return err.within(sf.Name)
			}
			n.fields[i] = f
			n.min = min(n.min+f.node.min, maxSchemaText)
			if f.node.min == 0 {
				n.empty++
			}
			add(f.node)
		}
	case kindArray, kindMap:
		item := s.Items
		if n.kind == kindMap {
			item = s.Values
		}
		if n.items, err = b.build(item, depth+1); err != nil {
			return err.within("[]")
		}
		if n.kind == kindArray && n.items.min == 0 {
			// any number of them takes no bytes, so nothing but a limit of ours would bound what a record asks for
			return &Error{Class: ClassSchema, Field: "[]", Reason: "the array's items take no bytes"}
		}
		n.min = 1
		add(n.items)
	case kindUnion:
		n.branches = make([]*node, len(s.Branches))
		least, types := maxSchemaText, 0
		for i := range s.Branches {
			if n.branches[i], err = b.build(&s.Branches[i], depth+1); err != nil {
				return err
			}
			least = min(least, n.branches[i].min)
			if n.branches[i].kind != kindNull {
				types++
			}
			add(n.branches[i])
		}
		n.min, n.ambiguous = 1+least, types > 1
	}
	if err := n.setLeaf(); err != nil {
		return err
	}
	if n.logical == "decimal" && (n.kind == kindBytes || n.kind == kindFixed) {
		n.precision, n.scale = s.Precision, int32(min(max(s.Scale, -1), maxDigits+1)) //nolint:gosec // bounded on this line
	}
	return nil
}

// isDecimal says whether values are decimals; a decimal type without a usable precision is plain bytes by the standard.
func (n *node) isDecimal() bool { return n.precision > 0 }

// sameLogic says whether two schemas of the same canonical form also mean the same by it.
func (n *node) sameLogic(other *node) bool {
	if n.logical != other.logical || n.precision != other.precision || n.scale != other.scale {
		return false
	}
	for i := range n.fields {
		if !n.fields[i].node.sameLogic(other.fields[i].node) {
			return false
		}
	}
	for i := range n.branches {
		if !n.branches[i].sameLogic(other.branches[i]) {
			return false
		}
	}
	return n.items == nil || n.items.sameLogic(other.items)
}
