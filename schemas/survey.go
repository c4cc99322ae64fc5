package schemas

import (
	"encoding/binary"
	"fmt"
	"strconv"
)

// maxNodes bounds the records, items and non-null union values in a record of so many bytes. goavro makes a map or an
// interface of each, some hundred bytes for as little as one byte of input. Ordinary orders have one in ten bytes.
func maxNodes(size int) int { return 10_000 + size/4 }

// survey walks bytes by their schema without keeping anything, before goavro may allocate for them: lengths and counts
// must fit into the bytes that follow, indexes into their ranges, numbers into their types, and nothing may remain.
// goavro checks none of these soon enough, and some not at all: it cuts a wide int to 32 bits.
type survey struct {
	buf   []byte
	pos   int
	nodes int // that may still come
}

// check returns an *Error of class poison.decode that names the field, or nil.
func check(root *node, payload []byte) *Error {
	s := survey{buf: payload, nodes: maxNodes(len(payload))}
	if err := s.walk(root); err != nil {
		return err
	}
	if rest := len(s.buf) - s.pos; rest > 0 {
		return &Error{Class: ClassDecode, Reason: fmt.Sprintf("%d bytes remain after the record", rest)}
	}
	return nil
}

func bad(format string, args ...any) *Error {
	return &Error{Class: ClassDecode, Reason: fmt.Sprintf(format, args...)}
}

func (s *survey) rest() int { return len(s.buf) - s.pos }

func (s *survey) walk(n *node) *Error {
	switch n.kind {
	case kindNull:
		return nil
	case kindBoolean:
		if s.rest() < 1 {
			return bad("the bytes end before the boolean")
		}
		if s.buf[s.pos] > 1 {
			return bad("a boolean is 0 or 1, not %d", s.buf[s.pos])
		}
		s.pos++
		return nil
	case kindLong:
		_, err := s.long()
		return err
	case kindInt:
		v, err := s.long()
		if err == nil && int64(int32(v)) != v { //nolint:gosec // the comparison is the check
			return bad("%d does not fit into an int", v)
		}
		return err
	case kindFloat:
		return s.skip(4)
	case kindDouble:
		return s.skip(8)
	case kindFixed:
		return s.skip(n.size)
	case kindBytes, kindString:
		return s.bytes()
	case kindEnum:
		v, err := s.long()
		if err == nil && (v < 0 || v >= int64(len(n.symbols))) {
			return bad("enum index %d is not below %d", v, len(n.symbols))
		}
		return err
	case kindUnion:
		return s.union(n)
	case kindRecord:
		return s.record(n)
	default: // arrays and maps
		return s.blocks(n)
	}
}

func (s *survey) record(n *node) *Error {
	if err := s.count(1); err != nil {
		return err
	}
	for i := range n.fields {
		if err := s.walk(n.fields[i].node); err != nil {
			return err.within(n.fields[i].name)
		}
	}
	return nil
}

func (s *survey) union(n *node) *Error {
	v, err := s.long()
	if err != nil {
		return err
	}
	if v < 0 || v >= int64(len(n.branches)) {
		return bad("union index %d is not below %d", v, len(n.branches))
	}
	branch := n.branches[v]
	if branch.kind == kindNull {
		return nil
	}
	if err := s.count(1); err != nil {
		return err
	}
	return s.walk(branch)
}

// blocks walks an array or a map: blocks of items, each with its count (negative: a size in bytes follows), then 0.
func (s *survey) blocks(n *node) *Error {
	least := max(1, n.items.min)
	if n.kind == kindMap {
		least = 1 + n.items.min
	}
	for index := 0; ; {
		items, err := s.long()
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
			size, err := s.long()
			if err != nil {
				return err
			}
			if size < 0 || size > int64(s.rest()) {
				return bad("a block of %d bytes where %d remain", size, s.rest())
			}
		}
		if items > maxBlockCount {
			return bad("a block of %d items, at most %d are read", items, maxBlockCount)
		}
		if items > int64(s.rest()/least) {
			return bad("a block of %d items where %d bytes remain", items, s.rest())
		}
		if err := s.count(int(items)); err != nil {
			return err
		}
		for range items {
			if n.kind == kindMap {
				if err := s.bytes(); err != nil {
					return err.within("[]")
				}
			}
			if err := s.walk(n.items); err != nil {
				return err.within("[" + strconv.Itoa(index) + "]")
			}
			index++
		}
	}
}

func (s *survey) count(items int) *Error {
	if s.nodes -= items; s.nodes < 0 {
		return bad("more than %d records and items in %d bytes", maxNodes(len(s.buf)), len(s.buf))
	}
	return nil
}

func (s *survey) skip(size int) *Error {
	if s.rest() < size {
		return bad("%d bytes wanted where %d remain", size, s.rest())
	}
	s.pos += size
	return nil
}

func (s *survey) bytes() *Error {
	size, err := s.long()
	if err != nil {
		return err
	}
	if size < 0 || size > int64(s.rest()) {
		return bad("a length of %d where %d bytes remain", size, s.rest())
	}
	s.pos += int(size)
	return nil
}

// long reads a zig-zag varint of at most 10 bytes.
func (s *survey) long() (int64, *Error) {
	if s.pos < len(s.buf) && s.buf[s.pos] < 0x80 { // most are one byte
		v := s.buf[s.pos]
		s.pos++
		return int64(v>>1) ^ -int64(v&1), nil
	}
	v, size := binary.Varint(s.buf[s.pos:])
	switch {
	case size == 0:
		return 0, bad("the bytes end within a number")
	case size < 0:
		return 0, bad("a number of more than 64 bits")
	}
	s.pos += size
	return v, nil
}
