package simulator

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/simulator/journal"
)

// noteState is what is stored; closed follows from the balance.
type noteState uint8

const (
	noteOpen noteState = iota
	noteDraft
	noteVoid
)

type creditNote struct {
	sale
	state    noteState
	issued   string
	invoice  uint64 // of ?invoice_id=
	balance  decimal.Decimal
	openBase decimal.Decimal
	applied  []*application
	refunds  []*refund
	posted   []journal.Line
}

func (n *creditNote) status() string {
	switch {
	case n.state == noteDraft:
		return "draft"
	case n.state == noteVoid:
		return "void"
	case n.balance.IsZero():
		return "closed"
	}
	return "open"
}

// usable refuses an application of a note that is not open.
func (n *creditNote) usable() *failure {
	switch n.status() {
	case "closed":
		return refuse(http.StatusBadRequest, codeNoteClosed, "Closed credit notes cannot be applied to invoices.")
	case "void", "draft":
		return refuse(http.StatusBadRequest, codeNoteVoid, "Void credit notes cannot be applied to invoices.")
	}
	return nil
}

func (n *creditNote) used() decimal.Decimal {
	sum := decimal.Zero
	for _, a := range n.applied {
		sum = sum.Add(a.amount)
	}
	return sum
}

func (n *creditNote) refunded() decimal.Decimal {
	sum := decimal.Zero
	for _, r := range n.refunds {
		sum = sum.Add(r.amount)
	}
	return sum
}

func (c *call) note(id uint64) (*creditNote, *failure) {
	if n, ok := c.org.notes.get(id); ok {
		return n, nil
	}
	return nil, refuse(http.StatusNotFound, codeNotFound, "Credit Note does not exists")
}

func createNote(c *call) *failure {
	b := c.org
	if f := creditNoteSchema.check(&c.body, b.org.Edition, b.invalidElement()); f != nil {
		return f
	}
	if c.body.str("date") == "" {
		return missingValue("date")
	}
	n := &creditNote{invoice: parseID(c.query.Get("invoice_id"))}
	n.id, n.created, n.modified, n.skew = b.newID(), c.now, c.now, c.cents
	auto := b.autoNote()
	number, f := c.chooseNumber("creditnote_number", auto, "")
	if f != nil {
		return f
	}
	if f := b.fillNote(c, n); f != nil {
		return f
	}
	if f := b.takeNoteNumber(c, n, number); f != nil {
		return f
	}
	if number == auto {
		b.nextNote++
	}
	b.notes.add(n)
	b.notes.rename(n, "", n.reference)
	n.customer.notesMade++
	n.balance = n.total
	if c.body.isTrue("is_draft") {
		n.state = noteDraft
	} else {
		n.issued = n.date
		b.postNote(n, "creditnote.open")
	}
	b.applyLinked(c, n)
	c.created("creditnotes", n.id)
	return answerNote(c, n, "The credit note has been created.")
}

// applyLinked applies a new note to the invoice it was created for, if Zoho does so.
func (b *books) applyLinked(c *call, n *creditNote) {
	inv, ok := b.invoices.get(n.invoice)
	if !b.sim.cfg.Switches.LinkedCreditApplies || !ok || n.state != noteOpen || applicable(inv) != nil || inv.customer != n.customer {
		return
	}
	b.apply(inv, nil, n, decimal.Min(inv.balance, n.balance), n.date)
}

// autoNote is the next automatic number that is free.
func (b *books) autoNote() string {
	for {
		number := fmt.Sprintf("CN-%05d", b.nextNote)
		if b.notes.byNumber[number] == nil {
			return number
		}
		b.nextNote++
	}
}

func (b *books) takeNoteNumber(c *call, n *creditNote, number string) *failure {
	holder := b.notes.byNumber[number]
	reusable := holder != nil && holder.state == noteVoid && b.sim.cfg.Switches.ReuseVoidNumbers
	if holder != nil && holder != n && !c.twin && !reusable {
		return refuse(http.StatusBadRequest, codeNoteNumber, "The specified Credit Note Number already exists")
	}
	if b.notes.byNumber[n.number] == n {
		delete(b.notes.byNumber, n.number)
	}
	n.number = number
	b.notes.byNumber[number] = n
	return nil
}

func (b *books) fillNote(c *call, n *creditNote) *failure {
	if f := b.fillSale(c, &n.sale, EntityCreditNote); f != nil {
		return f
	}
	if !c.twin {
		self, _ := b.notes.get(n.id)
		if f := unique(b, &b.notes, self, n.fields); f != nil {
			return f
		}
	}
	if f := b.addUp(&n.sale); f != nil {
		return f
	}
	return b.checkLinks(n)
}

// checkLinks looks at the invoice lines that a note's lines take back.
func (b *books) checkLinks(n *creditNote) *failure {
	for i := range n.lines {
		l := &n.lines[i]
		if l.invoice == 0 {
			continue
		}
		inv, ok := b.invoices.get(l.invoice)
		if !ok || inv.customer != n.customer {
			return notFound("Invoice")
		}
		if l.invoiceLine == 0 {
			continue
		}
		at := slices.IndexFunc(inv.lines, func(il line) bool { return il.id == l.invoiceLine })
		if at < 0 {
			return invalidValue("invoice_item_id")
		}
		if b.sim.cfg.Switches.CreditAboveLineRefused && l.total.GreaterThan(inv.lines[at].total) {
			return refuse(http.StatusBadRequest, codeInvalidValue, "The credited amount is more than the invoiced amount.")
		}
	}
	return nil
}

func getNote(c *call) *failure {
	n, f := c.note(c.ids[0])
	if f != nil {
		return f
	}
	return answerNote(c, n, "success")
}

func updateNote(c *call) *failure {
	n, f := c.note(c.ids[0])
	if f != nil {
		return f
	}
	return changeNote(c, n)
}

func changeNote(c *call, n *creditNote) *failure {
	b := c.org
	if f := creditNoteSchema.check(&c.body, b.org.Edition, b.invalidElement()); f != nil {
		return f
	}
	money := c.body.touchesMoney()
	if money && (n.state == noteVoid || len(n.applied)+len(n.refunds) > 0) {
		return refuse(http.StatusBadRequest, codeStatus, "Credit notes that are void, applied or refunded cannot be modified.")
	}
	if f := b.locked(n.date); f != nil && money {
		return f
	}
	changed := *n
	changed.lines = append([]line(nil), n.lines...)
	changed.skew = n.skew.Add(c.cents)
	if f := b.fillNote(c, &changed); f != nil {
		return f
	}
	number, f := c.chooseNumber("creditnote_number", "", n.number)
	if f != nil {
		return f
	}
	if f := b.takeNoteNumber(c, n, number); f != nil {
		return f
	}
	changed.number = number
	issued := n.posted != nil && money
	if issued {
		b.unpostNote(n, "creditnote.updated")
		changed.posted, changed.openBase = nil, decimal.Zero
	}
	if money {
		changed.balance = changed.total
	}
	b.notes.dropFields(n)
	b.notes.rename(n, n.reference, changed.reference)
	n.customer.notesMade--
	changed.modified = c.now
	*n = changed
	n.customer.notesMade++
	b.notes.indexFields(n)
	if issued {
		b.postNote(n, "creditnote.updated")
	}
	return answerNote(c, n, "The credit note has been updated.")
}

func deleteNote(c *call) *failure {
	n, f := c.note(c.ids[0])
	if f != nil {
		return f
	}
	if len(n.applied)+len(n.refunds) > 0 {
		return refuse(http.StatusBadRequest, codeInUse, "Credit notes that have been applied or refunded cannot be deleted.")
	}
	if f := c.org.locked(n.date); f != nil {
		return f
	}
	c.org.removeNote(n)
	return c.say("The credit note has been deleted.")
}

func (b *books) removeNote(n *creditNote) {
	b.unpostNote(n, "creditnote.deleted")
	if b.notes.byNumber[n.number] == n {
		delete(b.notes.byNumber, n.number)
	}
	b.notes.rename(n, n.reference, "")
	b.notes.remove(n)
	n.customer.notesMade--
}
