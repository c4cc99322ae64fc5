package tale

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/schemas"
)

// further tells stories beside the others, with a rand of its own, so that a seed's other stories stay what they are: orders
// that change after they were posted, and events that broke on their way.
func (t *teller) further(seed int64, orders int) {
	span := t.at
	t.r = rand.New(rand.NewPCG(uint64(seed), 0x6368_616e_6765))
	for i := range (orders + 9) / 10 {
		t.at = time.Duration(t.r.Int64N(int64(span) + 1))
		st := &Story{ID: fmt.Sprintf("o-%03d", orders+i+1)}
		t.Stories = append(t.Stories, st)
		t.changed(st, orders+i)
	}
	for range 1 + t.r.IntN(2) {
		t.at = time.Duration(t.r.Int64N(int64(span) + 1))
		t.broken()
	}
}

// ChangedAfter is how long after it was placed an order is changed.
const ChangedAfter = 50 * time.Hour

// changed is an order of which more or less is ordered after it was posted, once or twice, and which is paid then.
func (t *teller) changed(st *Story, i int) {
	before := t.order(st.ID, i)
	before.Currency, before.ExchangeRate = "USD", decimal.NullDecimal{}
	last := t.emit(st, &Emission{Order: before}, t.later(1), Posted)
	st.Revisions = append(st.Revisions, before)
	for n := 1 + t.r.IntN(2); n > 0; n-- {
		o := *before
		o.Event, o.Kind, o.Revision = t.event(before.PlacedAt.Add(ChangedAfter)), schemas.OrderUpdated, before.Revision+1
		o.Lines = append([]schemas.Line{}, before.Lines...)
		for j := range o.Lines {
			o.Lines[j].Taxes = append([]schemas.Tax{}, o.Lines[j].Taxes...)
		}
		l := &o.Lines[0]
		if t.percent(50) {
			l.Quantity = l.Quantity.Add(decimal.NewFromInt(int64(1 + t.r.IntN(2))))
		} else {
			l.UnitPrice = l.UnitPrice.Mul(decimal.New(int64(50+t.r.IntN(45)), -2)).Round(2)
		}
		l.Discount = decimal.Zero
		t.sum(&o)
		stale := last
		last = t.emit(st, &Emission{Order: &o, After: []*Emission{last}}, t.later(2), Posted)
		if t.percent(50) {
			again := o
			again.Event = t.event(o.OccurredAt)
			t.emit(st, &Emission{Order: &again, After: []*Emission{last}}, last.At, Duplicate)
		}
		if t.percent(30) {
			old := *stale.Order
			old.Event = t.event(old.OccurredAt)
			t.emit(st, &Emission{Order: &old, After: []*Emission{last}}, last.At, Duplicate)
		}
		st.Revisions = append(st.Revisions, &o)
		before = &o
	}
	st.Order = before
	if t.percent(80) {
		p := t.payment(st.ID, before, "1", before.Totals.Gross)
		st.Payments = append(st.Payments, p)
		t.emit(st, &Emission{Payment: p, After: []*Emission{last}}, last.At, Posted)
	}
}

// The sizes of broken events, in bytes.
const (
	megabyte = 990_000 // with what surrounds it, it fits into a batch of a producer that has the usual limits
	scrap    = 40
)

// broken is an event that broke on its way: cut off, or grown to a megabyte of nested nonsense.
func (t *teller) broken() {
	st := &Story{ID: fmt.Sprintf("broken-%d", t.at)}
	t.Stories = append(t.Stories, st)
	e := &Emission{Order: t.order(st.ID, 0), Size: scrap}
	if t.percent(50) {
		e.Size = megabyte
	}
	t.emit(st, e, t.later(1), Rejected("poison.decode"))
}

// breakTo gives an event's bytes another length: less of them, or nested nonsense in front of their end.
func breakTo(b []byte, size int) []byte {
	if size <= len(b) {
		return b[:size]
	}
	const head = 12 // beginnings of arrays and maps, 127 at a time, behind the fingerprint and the first field
	out := append(make([]byte, 0, size), b[:head]...)
	for len(out) < size {
		out = append(out, 0xfe, 0x01)
	}
	return out[:size]
}
