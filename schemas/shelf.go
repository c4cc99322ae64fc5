package schemas

import "sync"

// shape is one of the maps goavro wants: a record with its fields, or a union's wrapper with its one branch.
type shape int

const (
	shapeString shape = iota
	shapeBytes
	shapeLong
	shapeArray
	shapeBranch // a named type's wrapper; the key differs, so these are emptied first
	shapeOrder
	shapePayment
	shapeRefund
	shapeCustomer
	shapeOutcome
	shapeAudit
	shapeParty
	shapeAddress
	shapeLine
	shapeTax
	shapeDiscount
	shapeTotals
	shapeFee
	shapeAllocation
	shapeRefundLine
	shapeSource
	shapeDocument
	shapeInvoiceAfter
	shapeFailure
	shapeTimings
	shapeShadow
	shapeShadowDifference
	shapeReconciliation
	shapeDaySum
	shapeDiscrepancy
	shapes // how many
)

// shelves lend maps for one encoding and get them back all at once. The same shape has the same keys each time, so
// nothing is allocated or cleared: who borrows a map sets every key. Half the time of encoding went into new maps.
type shelves [shapes]struct {
	maps []map[string]any
	lent int
}

// lend returns a map of the shape; one that was lent before still has its keys and old values.
func (e *encoder) lend(s shape) map[string]any {
	shelf := &e.shelves[s]
	if shelf.lent == len(shelf.maps) {
		shelf.maps = append(shelf.maps, make(map[string]any))
	}
	m := shelf.maps[shelf.lent]
	shelf.lent++
	return m
}

// wrap is a union's value.
func (e *encoder) wrap(s shape, branch string, v any) map[string]any {
	m := e.lend(s)
	if s == shapeBranch {
		clear(m)
	}
	m[branch] = v
	return m
}

// maxShelf is how many maps of a shape an encoder may keep: enough for an order of 100 lines.
const maxShelf = 1000

var encoders = sync.Pool{New: func() any { return &encoder{path: make([]step, 0, maxPath), buf: make([]byte, 0, 512)} }}

func borrowEncoder(o *own) *encoder {
	e := encoders.Get().(*encoder) //nolint:forcetypeassert // nothing else is put there
	e.own, e.err, e.path, e.buf = o, nil, e.path[:0], e.buf[:0]
	return e
}

// giveBack ends the use of every map the encoder lent.
func (e *encoder) giveBack() {
	for i := range e.shelves {
		shelf := &e.shelves[i]
		if shelf.lent > maxShelf {
			return // not kept: one huge order would hold its memory for good
		}
		shelf.lent = 0
	}
	encoders.Put(e)
}
