package schemas

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"sync"
)

// maxNodes bounds the records, items, fields without bytes and non-null union values in a record of so many bytes, each
// of which takes memory for as little as one byte of input or none. Ordinary orders have one in ten bytes.
func maxNodes(size int) int { return 10_000 + size/4 }

// walk goes through bytes by their writer's schema and yields their values. What has a length is read here: a record is
// a [fields], an array a []any, a map a map[string]any, text a *string, bytes a part of what is walked; a union's value is
// the value itself where it can be of one type only, else a chosen. The rest is read by goavro, once it was checked:
// lengths and counts must fit into the bytes that follow, indexes into their ranges, numbers into their types, and
// nothing may remain. goavro checks none of these soon enough, and some not at all: it cuts a wide int to 32 bits. It
// reads records, too, but into maps of maps, which takes several times as long; tests compare the two.
type walk struct {
	buf   []byte
	whole string // buf as the texts are cut from it: one copy instead of one for each
	pos   int
	nodes int // that may still come
	room
}

// room is what values are kept in.
type room struct {
	values []any // fields and items
	texts  []string
}

// fields are the values of a record, in the order of the writer's schema.
type fields []any

// chosen is the value of a union that has several types beside null.
type chosen struct {
	branch int
	value  any
}

// values decodes a record; use must not keep what it's given. The errors are *Error of class poison.decode and name the field.
func values(root *node, payload []byte, use func(fields) *Error) *Error {
	r := rooms.Get().(*room)
	defer func() {
		clear(r.values)
		clear(r.texts)
		rooms.Put(r)
	}()
	w := walk{buf: payload, whole: string(payload), nodes: maxNodes(len(payload)), room: *r}
	record, err := w.all(root)
	if err != nil {
		return err
	}
	return use(record)
}

// all is the record that all the bytes are. It runs behind a recover: goavro is a large library, and the bytes are anybody's.
func (w *walk) all(root *node) (record fields, err *Error) {
	defer func() {
		if r := recover(); r != nil {
			record, err = nil, &Error{Class: ClassDecode, Reason: "decoding the record", Err: fmt.Errorf("panic: %v", r)}
		}
	}()
	if record, err = w.record(root); err != nil {
		return nil, err
	}
	if rest := w.rest(); rest > 0 {
		return nil, bad("%d bytes remain after the record", rest)
	}
	return record, nil
}

// roomy is how many fields and items, and texts, ordinary events have at most. Room for them is used again; more is made when needed.
const roomy = 512

var rooms = sync.Pool{New: func() any { return &room{values: make([]any, roomy), texts: make([]string, roomy)} }}

// take makes room for n values.
func (w *walk) take(n int) []any {
	if n > len(w.values) {
		w.values = make([]any, max(n, roomy))
	}
	taken := w.values[:n:n]
	w.values = w.values[n:]
	return taken
}

// text is the next text. It stays whole after the walk, what points to it does not.
func (w *walk) text() (*string, *Error) {
	b, err := w.bytes()
	if err != nil {
		return nil, err
	}
	if len(w.texts) == 0 {
		w.texts = make([]string, roomy)
	}
	text := &w.texts[0]
	w.texts = w.texts[1:]
	*text = w.whole[w.pos-len(b) : w.pos]
	return text, nil
}

func bad(format string, args ...any) *Error {
	return &Error{Class: ClassDecode, Reason: fmt.Sprintf(format, args...)}
}

func (w *walk) rest() int { return len(w.buf) - w.pos }

// value yields the next value.
func (w *walk) value(n *node) (any, *Error) {
	switch n.kind {
	case kindNull:
		return nil, nil
	case kindUnion:
		return w.union(n)
	case kindRecord:
		record, err := w.record(n)
		return record, err
	case kindArray:
		return w.array(n)
	case kindMap:
		return w.entries(n)
	case kindString:
		return w.text()
	case kindBytes:
		return w.bytes()
	default:
		start := w.pos
		if err := w.leaf(n); err != nil {
			return nil, err
		}
		v, _, err := n.leaf.NativeFromBinary(w.buf[start:w.pos])
		if err != nil {
			return nil, &Error{Class: ClassDecode, Reason: "decoding " + n.kind.String(), Err: err}
		}
		return v, nil
	}
}

// leaf checks the next value, which holds no others.
func (w *walk) leaf(n *node) *Error {
	switch n.kind {
	case kindBoolean:
		if w.rest() < 1 {
			return bad("the bytes end before the boolean")
		}
		if w.buf[w.pos] > 1 {
			return bad("a boolean is 0 or 1, not %d", w.buf[w.pos])
		}
		w.pos++
		return nil
	case kindLong:
		_, err := w.long()
		return err
	case kindInt:
		v, err := w.long()
		if err == nil && int64(int32(v)) != v { //nolint:gosec // the comparison is the check
			return bad("%d does not fit into an int", v)
		}
		return err
	case kindFloat:
		return w.skip(4)
	case kindDouble:
		return w.skip(8)
	case kindFixed:
		return w.skip(n.size)
	default: // an enum
		v, err := w.long()
		if err == nil && (v < 0 || v >= int64(len(n.symbols))) {
			return bad("enum index %d is not below %d", v, len(n.symbols))
		}
		return err
	}
}

func (w *walk) record(n *node) (fields, *Error) {
	if err := w.count(1 + n.empty); err != nil {
		return nil, err
	}
	record := w.take(len(n.fields))
	for i := range n.fields {
		var err *Error
		if record[i], err = w.value(n.fields[i].node); err != nil {
			return nil, err.within(n.fields[i].name)
		}
	}
	return record, nil
}

func (w *walk) union(n *node) (any, *Error) {
	i, err := w.long()
	if err != nil {
		return nil, err
	}
	if i < 0 || i >= int64(len(n.branches)) {
		return nil, bad("union index %d is not below %d", i, len(n.branches))
	}
	branch := n.branches[i]
	if branch.kind == kindNull {
		return nil, nil
	}
	if err := w.count(1); err != nil {
		return nil, err
	}
	v, err := w.value(branch)
	if err == nil && n.ambiguous {
		v = chosen{int(i), v}
	}
	return v, err
}

func (w *walk) array(n *node) (any, *Error) {
	items := []any{}
	err := w.blocks(max(1, n.items.min), func(count int) *Error {
		start := len(items)
		if start == 0 {
			items = w.take(count)
		} else {
			items = append(items, make([]any, count)...)
		}
		for i := start; i < len(items); i++ {
			var err *Error
			if items[i], err = w.value(n.items); err != nil {
				return err.within("[" + strconv.Itoa(i) + "]")
			}
		}
		return nil
	})
	return items, err
}

func (w *walk) entries(n *node) (any, *Error) {
	var entries map[string]any
	err := w.blocks(1+n.items.min, func(count int) *Error {
		if entries == nil {
			entries = make(map[string]any, min(count, roomy))
		}
		for range count {
			text, err := w.text()
			if err != nil {
				return err.within("[]")
			}
			key := *text
			if _, ok := entries[key]; ok {
				return bad("a key is there twice").within("[" + quote(key) + "]")
			}
			if entries[key], err = w.value(n.items); err != nil {
				return err.within("[" + quote(key) + "]")
			}
		}
		return nil
	})
	return entries, err
}

// blocks goes through an array or a map: blocks of items, each with its count (negative: a size in bytes follows), then 0.
// An item takes at least so many bytes.
func (w *walk) blocks(least int, block func(count int) *Error) *Error {
	for {
		items, err := w.long()
		if err != nil {
			return err
		}
		if items == 0 {
			return nil
		}
		if items < 0 {
			if items = -items; items < 0 {
				return bad("impossible block count")
			}
			size, err := w.long()
			if err != nil {
				return err
			}
			if size < 0 || size > int64(w.rest()) {
				return bad("a block of %d bytes where %d remain", size, w.rest())
			}
		}
		if items > maxBlockCount {
			return bad("a block of %d items, at most %d are read", items, maxBlockCount)
		}
		if items > int64(w.rest()/least) {
			return bad("a block of %d items where %d bytes remain", items, w.rest())
		}
		if err := w.count(int(items)); err != nil {
			return err
		}
		if err := block(int(items)); err != nil {
			return err
		}
	}
}

func (w *walk) count(items int) *Error {
	if w.nodes -= items; w.nodes < 0 {
		return bad("more than %d records and items in %d bytes", maxNodes(len(w.buf)), len(w.buf))
	}
	return nil
}

func (w *walk) skip(size int) *Error {
	if w.rest() < size {
		return bad("%d bytes wanted where %d remain", size, w.rest())
	}
	w.pos += size
	return nil
}

// bytes are the next bytes that have their length before them.
func (w *walk) bytes() ([]byte, *Error) {
	size, err := w.long()
	if err != nil {
		return nil, err
	}
	if size < 0 || size > int64(w.rest()) {
		return nil, bad("a length of %d where %d bytes remain", size, w.rest())
	}
	w.pos += int(size)
	return w.buf[w.pos-int(size) : w.pos], nil
}

// long reads a zig-zag varint of at most 10 bytes.
func (w *walk) long() (int64, *Error) {
	if w.pos < len(w.buf) && w.buf[w.pos] < 0x80 { // most are one byte
		v := w.buf[w.pos]
		w.pos++
		return int64(v>>1) ^ -int64(v&1), nil
	}
	v, size := binary.Varint(w.buf[w.pos:])
	switch {
	case size == 0:
		return 0, bad("the bytes end within a number")
	case size < 0:
		return 0, bad("a number of more than 64 bits")
	}
	w.pos += size
	return v, nil
}
