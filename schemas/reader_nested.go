package schemas

import "unicode/utf8"

// object reads a record; the caller calls done on it when ok.
func (r *row) object(name string) (row, bool) {
	v, src := r.value(r.slot(name))
	if src == nil {
		return row{}, false
	}
	return r.d.row(step{name: name}, v, src)
}

// row goes into a record.
func (d *reader) row(at step, v any, src *source) (row, bool) {
	d.path = append(d.path, at)
	r := row{d: d, record: src.record}
	switch v := v.(type) {
	case fields:
		r.values = v
	case map[string]any:
		r.named = v
	default:
		d.fail("", "not an object")
		return row{}, false
	}
	return r, true
}

// done leaves the record.
func (r *row) done() { r.d.path = r.d.path[:len(r.d.path)-1] }

// array goes into an array of records; its items are taken by item. Null and absent arrays are empty.
func (r *row) array(name string) ([]any, *slot) {
	s := r.slot(name)
	v, src := r.value(s)
	if src == nil {
		return nil, nil
	}
	items, ok := v.([]any)
	if !ok {
		r.d.wrong(name, v, s)
		return nil, nil
	}
	if len(items) > 0 {
		r.d.path = append(r.d.path, step{name: name})
	}
	return items, src.items
}

// item goes into the item of an array; the caller calls done on it when ok.
func (d *reader) item(items []any, index int, s *slot) (row, bool) {
	at := step{index: index}
	if d.err != nil {
		return row{}, false
	}
	v, src := items[index], s.source
	if s.union != nil || v == nil {
		d.path = append(d.path, at)
		v, src = d.unwrap("", v, s)
		d.path = d.path[:len(d.path)-1]
		if src == nil {
			return row{}, false
		}
	}
	return d.row(at, v, src)
}

// pop leaves an array that was not empty.
func (d *reader) pop() { d.path = d.path[:len(d.path)-1] }

// texts reads a map of strings; nil where it is empty.
func (r *row) texts(name string) map[string]string {
	values, s := r.entries(name)
	if len(values) == 0 {
		return nil
	}
	m := make(map[string]string, len(values))
	for key, v := range values {
		v, src := r.d.entry(name, key, v, s)
		if src == nil {
			return nil
		}
		m[key] = r.d.text(name+"["+quote(key)+"]", v, s)
	}
	return m
}

// longs reads a map of whole numbers; nil where it is empty.
func (r *row) longs(name string) map[string]int64 {
	values, s := r.entries(name)
	if len(values) == 0 {
		return nil
	}
	m := make(map[string]int64, len(values))
	for key, v := range values {
		v, src := r.d.entry(name, key, v, s)
		if src == nil {
			return nil
		}
		m[key] = r.d.whole(name+"["+quote(key)+"]", v, s)
	}
	return m
}

func (r *row) entries(name string) (map[string]any, *slot) {
	s := r.slot(name)
	v, src := r.value(s)
	if src == nil {
		return nil, nil
	}
	values, ok := v.(map[string]any)
	if !ok {
		r.d.wrong(name, v, s)
		return nil, nil
	}
	return values, src.items
}

func (d *reader) entry(name, key string, v any, s *slot) (any, *source) {
	if !utf8.ValidString(key) {
		d.fail(name, "a key that is not valid UTF-8")
		return nil, nil
	}
	if s.union == nil && v != nil {
		return v, s.source
	}
	return d.unwrap(name+"["+quote(key)+"]", v, s)
}
