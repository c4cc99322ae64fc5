package simulator

import (
	"sort"
	"time"
)

// index holds the documents of one kind: by id, in order of creation, by number, by reference and by the values of
// custom fields, so that neither creating nor finding one walks over all of them.
type index[T document] struct {
	byID        map[uint64]T
	order       []T // ascending by id and creation; deleted ones stay until there are many
	deleted     int
	byNumber    map[string]T
	byReference map[string][]T
	byField     map[fieldKey][]T
}

type document interface {
	comparable
	rec() *record
}

type fieldKey struct {
	field *fieldDef
	value string
}

func newIndex[T document]() index[T] {
	return index[T]{byID: map[uint64]T{}, byNumber: map[string]T{}, byReference: map[string][]T{}, byField: map[fieldKey][]T{}}
}

func (x *index[T]) add(t T) {
	x.byID[t.rec().id] = t
	x.order = append(x.order, t)
	x.indexFields(t)
}

func (x *index[T]) get(id uint64) (T, bool) {
	t, ok := x.byID[id]
	return t, ok
}

// remove forgets t; the caller has taken it out of byNumber and byReference.
func (x *index[T]) remove(t T) {
	x.dropFields(t)
	delete(x.byID, t.rec().id)
	t.rec().deleted = true
	if x.deleted++; x.deleted > 64 && x.deleted*2 > len(x.order) {
		kept := x.order[:0]
		for _, o := range x.order {
			if !o.rec().deleted {
				kept = append(kept, o)
			}
		}
		clear(x.order[len(kept):])
		x.order, x.deleted = kept, 0
	}
}

func (x *index[T]) indexFields(t T) {
	for _, f := range t.rec().fields {
		k := fieldKey(f)
		x.byField[k] = append(x.byField[k], t)
	}
}

func (x *index[T]) dropFields(t T) {
	for _, f := range t.rec().fields {
		k := fieldKey(f)
		if rest := without(x.byField[k], t); len(rest) > 0 {
			x.byField[k] = rest
		} else {
			delete(x.byField, k)
		}
	}
}

// rename moves t from one reference to another; "" is no reference.
func (x *index[T]) rename(t T, from, to string) {
	if from != "" {
		if rest := without(x.byReference[from], t); len(rest) > 0 {
			x.byReference[from] = rest
		} else {
			delete(x.byReference, from)
		}
	}
	if to != "" {
		x.byReference[to] = append(x.byReference[to], t)
	}
}

// live are the documents not deleted, oldest first.
func (x *index[T]) live() []T {
	if x.deleted == 0 {
		return x.order
	}
	out := make([]T, 0, len(x.order)-x.deleted)
	for _, t := range x.order {
		if !t.rec().deleted {
			out = append(out, t)
		}
	}
	return out
}

// until cuts off documents younger than a moment: what a lagging search does not show.
func until[T document](docs []T, moment time.Time) []T {
	n := sort.Search(len(docs), func(i int) bool { return docs[i].rec().created.After(moment) })
	return docs[:n]
}

func without[T comparable](list []T, t T) []T {
	for i, o := range list {
		if o == t {
			return append(append(make([]T, 0, len(list)-1), list[:i]...), list[i+1:]...)
		}
	}
	return list
}
