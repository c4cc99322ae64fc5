package schemas

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// jsonWriter writes goavro's native form of one of our schemas as JSON, in the schema's order.
type jsonWriter struct {
	buf bytes.Buffer
}

func (w *jsonWriter) write(n *node, v any) error {
	if n.kind == kindUnion {
		wrapped, ok := v.(map[string]any)
		if !ok {
			w.buf.WriteString("null")
			return nil
		}
		n = newNullable(n)
		v = wrapped[n.bareName]
	}
	switch v := v.(type) {
	case map[string]any:
		if n.kind == kindRecord {
			return w.record(n, v)
		}
		return w.object(n, v)
	case []any:
		w.buf.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				w.buf.WriteByte(',')
			}
			if err := w.write(n.items, item); err != nil {
				return err
			}
		}
		w.buf.WriteByte(']')
	case []byte:
		d, problem := decimalFromBytes(v, n.scale, n.precision)
		if problem != "" {
			return fmt.Errorf("writing a decimal: %s", problem)
		}
		w.buf.WriteString(strconv.Quote(d.String()))
	case int64:
		if n.logical == "timestamp-millis" {
			w.buf.WriteString(time.UnixMilli(v).UTC().Format(`"2006-01-02T15:04:05.999Z07:00"`))
			return nil
		}
		w.buf.WriteString(strconv.FormatInt(v, 10))
	default:
		return w.scalar(v)
	}
	return nil
}

// newNullable returns the type of a union of null and one other.
func newNullable(n *node) *node {
	s := newSlot("", n)
	return s.reader
}

func (w *jsonWriter) scalar(v any) error {
	e := json.NewEncoder(&w.buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	w.buf.Truncate(w.buf.Len() - 1) // the newline Encode adds
	return nil
}

func (w *jsonWriter) record(n *node, values map[string]any) error {
	w.buf.WriteByte('{')
	for i := range n.fields {
		if i > 0 {
			w.buf.WriteByte(',')
		}
		w.buf.WriteString(strconv.Quote(n.fields[i].name) + ":")
		if err := w.write(n.fields[i].node, values[n.fields[i].name]); err != nil {
			return err
		}
	}
	w.buf.WriteByte('}')
	return nil
}

func (w *jsonWriter) object(n *node, values map[string]any) error {
	w.buf.WriteByte('{')
	for i, key := range slices.Sorted(maps.Keys(values)) {
		if i > 0 {
			w.buf.WriteByte(',')
		}
		if err := w.scalar(key); err != nil {
			return err
		}
		w.buf.WriteByte(':')
		if err := w.write(n.items, values[key]); err != nil {
			return err
		}
	}
	w.buf.WriteByte('}')
	return nil
}
