package simulator

import (
	"encoding/json"
	"strconv"
	"sync"
	"time"

	"github.com/shopspring/decimal"
)

// writer builds an answer. Every member and element ends with a comma; closing an object or list takes the last one
// back, and so does bytes().
type writer struct{ b []byte }

var writers = sync.Pool{New: func() any { return &writer{b: make([]byte, 0, 16<<10)} }}

func newWriter() *writer {
	w := writers.Get().(*writer)
	w.b = w.b[:0]
	return w
}

func (w *writer) free() {
	if cap(w.b) <= 1<<20 {
		writers.Put(w)
	}
}

func (w *writer) bytes() []byte {
	if n := len(w.b); n > 0 && w.b[n-1] == ',' {
		return w.b[:n-1]
	}
	return w.b
}

func (w *writer) key(name string) {
	w.b = append(w.b, '"')
	w.b = append(w.b, name...)
	w.b = append(w.b, '"', ':')
}

func (w *writer) open()              { w.b = append(w.b, '{') }
func (w *writer) close()             { w.shut('}') }
func (w *writer) object(name string) { w.key(name); w.b = append(w.b, '{') }
func (w *writer) list(name string)   { w.key(name); w.b = append(w.b, '[') }
func (w *writer) endList()           { w.shut(']') }
func (w *writer) raw(members string) { w.b = append(w.b, members...) }
func (w *writer) empty(names ...string) {
	for _, n := range names {
		w.key(n)
		w.b = append(w.b, '"', '"', ',')
	}
}

func (w *writer) shut(c byte) {
	if n := len(w.b); w.b[n-1] == ',' {
		w.b[n-1] = c
	} else {
		w.b = append(w.b, c)
	}
	w.b = append(w.b, ',')
}

func (w *writer) str(name, s string) {
	w.key(name)
	w.quote(s)
	w.b = append(w.b, ',')
}

func (w *writer) quote(s string) {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= 0x7f {
			text, err := json.Marshal(s)
			if err != nil {
				text = []byte(`""`)
			}
			w.b = append(w.b, text...)
			return
		}
	}
	w.b = append(w.b, '"')
	w.b = append(w.b, s...)
	w.b = append(w.b, '"')
}

// id writes a document's id, "" for none.
func (w *writer) id(name string, id uint64) {
	w.key(name)
	w.b = append(w.b, '"')
	if id != 0 {
		w.b = strconv.AppendUint(w.b, id, 10)
	}
	w.b = append(w.b, '"', ',')
}

func (w *writer) int(name string, n int) {
	w.key(name)
	w.b = strconv.AppendInt(w.b, int64(n), 10)
	w.b = append(w.b, ',')
}

func (w *writer) bool(name string, v bool) {
	w.key(name)
	w.b = strconv.AppendBool(w.b, v)
	w.b = append(w.b, ',')
}

func (w *writer) dec(name string, d decimal.Decimal) {
	w.key(name)
	w.b = appendDecimal(w.b, d)
	w.b = append(w.b, ',')
}

// Times in Zoho's answers carry the organisation's offset without a colon (dossier 7).
const timeLayout = "2006-01-02T15:04:05-0700"

func (w *writer) time(name string, t time.Time, loc *time.Location) {
	w.key(name)
	w.b = append(w.b, '"')
	w.b = t.In(loc).AppendFormat(w.b, timeLayout)
	w.b = append(w.b, '"', ',')
}

// appendDecimal writes d as a JSON number without trailing zeros, as live answers do: 199.99, 100, 0.
func appendDecimal(b []byte, d decimal.Decimal) []byte {
	exp := int(d.Exponent())
	if exp > 0 || exp < -12 || d.NumDigits() > 17 {
		return append(b, d.String()...)
	}
	n := d.CoefficientInt64()
	if n == 0 {
		return append(b, '0')
	}
	for exp < 0 && n%10 == 0 {
		n /= 10
		exp++
	}
	if n < 0 {
		b = append(b, '-')
		n = -n
	}
	if exp == 0 {
		return strconv.AppendInt(b, n, 10)
	}
	var digits [20]byte
	s := strconv.AppendInt(digits[:0], n, 10)
	point := len(s) + exp
	if point <= 0 {
		b = append(b, '0', '.')
		for ; point < 0; point++ {
			b = append(b, '0')
		}
		return append(b, s...)
	}
	b = append(b, s[:point]...)
	b = append(b, '.')
	return append(b, s[point:]...)
}
