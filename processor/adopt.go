package processor

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/schemas"
)

// What is found in the books under an event's key was written by somebody: this very record, another one with the same
// content, or nobody that booksync knows. The origin in the document tells, also after Redis has lost its memory.

// inBooks is what a claim keeps whose document was found in the books, written by another record: should that record come
// once more, it's the one that posted.
type inBooks struct {
	Origin    string             `json:"origin"`
	Documents []schemas.Document `json:"documents,omitempty"`
	// What the attempt that found them, and ended their steps, came to: the outcome of that record will tell it.
	comparison
}

// tell makes it this record's own result. What its orders owe is asked of their states, which others may have changed since.
func (a *attempt) tell(f *inBooks) {
	r := &a.result
	r.documents, r.comparison = f.Documents, f.comparison
	var states []*OrderState
	for _, id := range a.orders {
		st := a.stateOf(a.known[id])
		if st.Invoice == nil || st.Partial { // nobody knows without asking Zoho Books
			return
		}
		states = append(states, st)
	}
	a.afterwards(states...)
}

// foundIn reads it; nil where the claim holds none.
func foundIn(e ClaimEntry) *inBooks {
	var f inBooks
	if len(e.Data) == 0 || unmarshalKept(e.Data, &f) != nil || f.Origin == "" {
		return nil
	}
	return &f
}

func (f *inBooks) encode() []byte {
	b, err := json.Marshal(f)
	if err != nil {
		panic("found document: " + err.Error()) // plain fields: cannot fail
	}
	return b
}

// sameContent says whether the document with this origin has this event's content.
func (a *attempt) sameContent(originValue string) bool {
	o, ok := parseOrigin(originValue)
	return ok && o.Fingerprint == a.fingerprint
}

// isOurs says whether the document with this origin was written for this very record, or by an attempt whose steps this
// claim holds.
func (a *attempt) isOurs(originValue string) bool {
	o, ok := parseOrigin(originValue)
	switch {
	case !ok:
		return false
	case o.Fingerprint == a.fingerprint:
		return o.Coordinates == a.event.origin || o.Coordinates == a.prog.Origin && a.prog.Inherited
	}
	// Of other content: an earlier revision that was given up in doubt, which this one finishes first.
	return a.prog.Fingerprint != "" && o.Fingerprint == a.prog.Fingerprint && o.Coordinates == a.prog.Origin
}

// inherit says whose steps the claim holds. Those of a record that was given up are gone on with in its place. Those of any
// other are that record's own: it is on its way, or was settled and Redis lost its last writes; so they are ended for it.
func (a *attempt) inherit(e ClaimEntry) {
	if e.State == "rejected" {
		a.prog.Inherited = true
	}
	if f := a.prog.Found; f != nil && a.isOurs(f.Origin) { // another record found what this one had written
		a.prog.Found = nil
		return
	}
	a.found = a.prog.Found
	planned := a.prog.Payment != nil || a.prog.Refund != nil || a.prog.Cancel != nil || // with that record's origin in it
		// An order's change is gone on with by whoever comes; but a record that stood before this one was settled, and Redis forgot.
		a.prog.Correction != nil && a.prog.Fingerprint == a.fingerprint && cameBefore(a.prog.Origin, a.event.origin)
	if planned && a.found == nil && !a.prog.Inherited && a.prog.Origin != "" && a.prog.Origin != a.event.origin {
		o := origin{Coordinates: a.prog.Origin, Revision: a.revision, Fingerprint: a.fingerprint, Order: orderMark(a.orderID)}
		a.found = &inBooks{Origin: o.String(), Documents: a.prog.Documents}
	}
}

// cameBefore says whether a record stood before another one in the same partition: with one order's records it was settled first.
func cameBefore(one, other string) bool {
	i, j := strings.LastIndexByte(one, '/'), strings.LastIndexByte(other, '/')
	if i < 0 || j < 0 || one[:i] != other[:j] {
		return false
	}
	m, err1 := strconv.ParseInt(one[i+1:], 10, 64)
	n, err2 := strconv.ParseInt(other[j+1:], 10, 64)
	return err1 == nil && err2 == nil && m < n
}

// wroteInvoice says whether the order's state was rebuilt from an invoice that this record wrote.
func (a *attempt) wroteInvoice(st *OrderState) bool { return st.Invoice != nil && a.isOurs(st.Origin) }

// postedAs is the ending of an order whose invoice was found before its own record came to know of it. What payments and
// refunds have added to the state stays.
func (a *attempt) postedAs(st *OrderState) *ending {
	inv, outlived := st.Invoice, a.outlived(st)
	if a.takesBack() {
		return &ending{reject: reject(classConflict, "invoice %s of order %s is in the books, but nobody remembers whether the credit note of what "+
			"the order takes back is, too: look for %s, and make or apply it by hand", inv.Number, a.orderID, returnedKey(a.orderID))}
	}
	a.result.orders = map[string]*OrderState{a.orderID: st}
	a.document(schemas.Document{
		Type: "invoice", ID: inv.ID, Number: inv.Number, URL: a.documentURL("invoices", inv.ID), Status: inv.Status, Date: inv.Date,
		Total: inv.Total, Tax: inv.Tax, Balance: st.Balance(),
	})
	a.compared(a.order.Totals.Gross, inv.Total, decimal.Zero)
	if !outlived { // else nobody knows without asking Zoho Books
		a.afterwards(st)
	}
	return &ending{posted: true}
}

// adoptable compares a document that was found under this event's key with what this event would write: nil to adopt
// it as our own, else the ending.
func (a *attempt) adoptable(originValue string, doc schemas.Document) *ending {
	switch {
	case a.isOurs(originValue):
		return nil
	case a.sameContent(originValue):
		a.found = &inBooks{Origin: originValue, Documents: []schemas.Document{doc}}
		return &ending{duplicate: duplicateSame}
	}
	a.taken = true
	return &ending{reject: reject(classConflict,
		"%s %s is in the books under the key %s with other content (origin %q): compare them and discard one",
		doc.Type, doc.Number, a.ref.key(), originValue)}
}
