package schemas

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/shopspring/decimal"
)

// record is how a writer's record becomes one of ours: a slot for each field of ours, in the order of our schema.
type record struct {
	slots []slot
}

// slot says where a field of ours is found and how it is read. It also stands for the items of an array or a map.
type slot struct {
	name string // ours, for messages
	// at is where the writer's record has the field; negative when it has none: then the default holds.
	at int
	// source reads values; where they may be of several types, union says how, by the branch; nil for one that cannot be read.
	source *source
	union  []*source
	// optional slots take null, absence, or both: the result is the default, or the zero value.
	optional bool
	json     bool // fields may be absent
	def      defaults
	reader   *node // ours, without null
}

// source is a type of the writer, resolved against ours.
type source struct {
	node   *node
	record *record // of records
	items  *slot   // of arrays and maps
}

// defaults holds a slot's default; all zero where there is none or it is null.
type defaults struct {
	text    string
	long    int64
	boolean bool
	decimal decimal.Decimal
}

// plans caches a writer's mapping for each kind.
type plans struct {
	mu   sync.Mutex
	made atomic.Pointer[map[Kind]plan]
}

type plan struct {
	record *record
	err    *Error
}

// plan returns how records of w become records of the kind. The error is of class poison.schema; it is shared.
func (w *writer) plan(kind Kind) (*record, *Error) {
	if made := w.plans.made.Load(); made != nil {
		if p, ok := (*made)[kind]; ok {
			return p.record, p.err
		}
	}
	w.plans.mu.Lock()
	defer w.plans.mu.Unlock()
	made := make(map[Kind]plan)
	if old := w.plans.made.Load(); old != nil {
		for k, p := range *old {
			made[k] = p
		}
	}
	p, ok := made[kind]
	if !ok {
		p.record, p.err = resolveRecord(ownOf(kind).writer.root, w.root)
		made[kind] = p
		w.plans.made.Store(&made)
	}
	return p.record, p.err
}

func mismatch(format string, args ...any) *Error {
	return &Error{Class: ClassSchema, Reason: fmt.Sprintf(format, args...)}
}

// resolveRecord maps by field name: ours, then our aliases of it. The names of the records are not compared.
func resolveRecord(ours, theirs *node) (*record, *Error) {
	r := &record{slots: make([]slot, len(ours.fields))}
	for i := range ours.fields {
		f := &ours.fields[i]
		s := newSlot(f.name, f.node)
		s.setDefault(f)
		if s.at = find(theirs, f); s.at >= 0 {
			if err := s.resolve(theirs.fields[s.at].node); err != nil {
				return nil, err.within(f.name)
			}
		} else if !f.hasDefault {
			return nil, mismatch("the writer's schema lacks this field and it has no default").within(f.name)
		}
		r.slots[i] = s
	}
	return r, nil
}

// find is where the writer's record has a field of ours; -1 when it does not.
func find(theirs *node, f *field) int {
	if i := slices.IndexFunc(theirs.fields, func(their field) bool { return their.name == f.name }); i >= 0 {
		return i
	}
	return slices.IndexFunc(theirs.fields, func(their field) bool { return slices.Contains(f.aliases, their.name) })
}

func newSlot(name string, ours *node) slot {
	s := slot{name: name, reader: ours}
	if ours.kind == kindUnion { // ours are null and one other
		for _, b := range ours.branches {
			if b.kind != kindNull {
				s.reader = b
			}
		}
		s.optional = true
	}
	return s
}

func (s *slot) setDefault(f *field) {
	if !f.hasDefault {
		return
	}
	s.optional = true
	switch v := f.def.(type) {
	case string:
		s.def.text = v
	case int32:
		s.def.long = int64(v)
	case int64:
		s.def.long = v
	case bool:
		s.def.boolean = v
	case []byte:
		s.def.decimal, _ = decimalFromBytes(v, s.reader.scale, s.reader.precision)
	}
}

// resolve sets how values of the writer's type are read.
func (s *slot) resolve(theirs *node) *Error {
	if theirs.kind != kindUnion {
		if theirs.kind == kindNull {
			if !s.optional {
				return mismatch("the writer's type is null")
			}
			s.source = &source{node: theirs}
			return nil
		}
		src, err := resolveSource(s.reader, theirs)
		s.source = src
		return err
	}
	var first *Error
	nullable, readable := false, false
	s.union = make([]*source, len(theirs.branches))
	for i, b := range theirs.branches {
		if b.kind == kindNull {
			nullable = true
			continue
		}
		src, err := resolveSource(s.reader, b)
		if err != nil {
			// only a value of this branch is at fault, when one comes
			if first == nil {
				first = err
			}
			continue
		}
		s.union[i], s.source, readable = src, src, true
	}
	if !readable && first != nil && (!nullable || !s.optional) {
		return first
	}
	if readable && !theirs.ambiguous {
		s.union = nil
	}
	return nil
}

// resolveSource checks one type against ours (never a union) by the rules of Avro, and stricter where a looser
// reading could change a value: nothing but a decimal is read as one, and no local time as an instant.
func resolveSource(ours, theirs *node) (*source, *Error) {
	src := &source{node: theirs}
	switch {
	case ours.isDecimal():
		if !theirs.isDecimal() {
			return nil, mismatch("%s is not a decimal", theirs.describe())
		}
		if theirs.scale < 0 || theirs.scale > maxDigits {
			return nil, mismatch("a decimal of scale %d", theirs.scale)
		}
		return src, nil
	case ours.logical == "timestamp-millis":
		plain := theirs.logical == "" && (theirs.kind == kindLong || theirs.kind == kindInt)
		instant := theirs.kind == kindLong && slices.Contains([]string{"timestamp-millis", "timestamp-micros", "timestamp-nanos"}, theirs.logical)
		if !plain && !instant {
			return nil, mismatch("%s is not an instant", theirs.describe())
		}
		return src, nil
	}
	var err *Error
	legal := ours.kind == theirs.kind
	switch ours.kind {
	case kindLong:
		legal = legal || theirs.kind == kindInt
	case kindString:
		legal = legal || theirs.kind == kindBytes && !theirs.isDecimal()
	case kindRecord:
		if legal {
			src.record, err = resolveRecord(ours, theirs)
		}
	case kindArray, kindMap:
		if legal {
			items := newSlot("", ours.items)
			err = items.resolve(theirs.items)
			if err != nil {
				err = err.within("[]")
			}
			src.items = &items
		}
	}
	if !legal {
		return nil, mismatch("%s where %s is wanted", theirs.describe(), ours.describe())
	}
	return src, err
}

// describe names a type for people.
func (n *node) describe() string {
	switch {
	case n.logical != "":
		return fmt.Sprintf("%s (%s)", n.kind, n.logical)
	case n.full != "":
		return fmt.Sprintf("%s %s", n.kind, n.full)
	default:
		return n.kind.String()
	}
}

// jsonRecord maps the JSON form, whose values come as they are: no unions, and any field may be absent.
func jsonRecord(ours *node) *record {
	r := &record{slots: make([]slot, len(ours.fields))}
	for i := range ours.fields {
		f := &ours.fields[i]
		s := newSlot(f.name, f.node)
		s.setDefault(f)
		s.json = true
		s.source = jsonSource(s.reader)
		r.slots[i] = s
	}
	return r
}

func jsonSource(ours *node) *source {
	src := &source{node: ours}
	switch ours.kind {
	case kindRecord:
		src.record = jsonRecord(ours)
	case kindArray, kindMap:
		items := newSlot("", ours.items)
		items.source, items.json = jsonSource(items.reader), true
		src.items = &items
	}
	return src
}
