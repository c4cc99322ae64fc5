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

// applyNote answers POST /creditnotes/{id}/invoices, all or none.
func applyNote(c *call) *failure {
	b := c.org
	n, f := c.note(c.ids[0])
	if f != nil {
		return f
	}
	if f := applySchema.check(&c.body, b.org.Edition, b.invalidElement()); f != nil {
		return f
	}
	if f := n.usable(); f != nil {
		return f
	}
	items := c.body.list("invoices")
	if len(items) == 0 && c.body.id("invoice_id") != 0 {
		items = []value{c.body}
	}
	if len(items) == 0 {
		return missingValue("invoices")
	}
	left := n.balance
	list := make([]wanted, 0, len(items))
	for i := range items {
		inv, f := c.invoice(items[i].id("invoice_id"))
		if f == nil {
			f = applicable(inv)
		}
		if f != nil {
			return f
		}
		w := wanted{inv, items[i].dec("amount_applied")}
		free := inv.balance
		for _, earlier := range list {
			if earlier.invoice == inv {
				free = free.Sub(earlier.amount)
			}
		}
		left = left.Sub(w.amount)
		switch {
		case !w.amount.IsPositive():
			return invalidValue("amount_applied")
		case inv.customer != n.customer || inv.currency != n.currency:
			return refuse(http.StatusBadRequest, codeInvalidValue, "The invoice "+inv.number+" does not belong to the customer.")
		case w.amount.GreaterThan(free):
			return errAboveBalance
		case left.IsNegative():
			return refuse(http.StatusBadRequest, codeAboveCredit, "The amount applied is more than the balance of the credit note.")
		}
		list = append(list, w)
	}
	today := b.today(c.now)
	if f := b.locked(today); f != nil {
		return f
	}
	applied := make([]*application, 0, len(list))
	for _, w := range list {
		applied = append(applied, b.apply(w.invoice, nil, n, w.amount, today))
		w.invoice.modified = c.now
	}
	n.modified = c.now
	w := c.ok("Credits have been applied to the invoice(s).")
	w.object("apply_to_invoices")
	w.list("invoices")
	for _, a := range applied {
		w.open()
		w.id("creditnote_invoice_id", a.id)
		w.id("invoice_id", a.invoice.id)
		w.dec("amount_applied", a.amount)
		w.close()
	}
	w.endList()
	w.close()
	return c.done()
}

func unapplyNote(c *call) *failure {
	n, f := c.note(c.ids[0])
	if f != nil {
		return f
	}
	for _, a := range n.applied {
		if a.id == c.ids[1] {
			c.org.unapply(a)
			n.modified = c.now
			return c.say("Credits applied to an invoice have been deleted.")
		}
	}
	return notFound("Credit")
}

func voidNote(c *call) *failure {
	b := c.org
	n, f := c.note(c.ids[0])
	if f != nil {
		return f
	}
	if f := b.locked(n.date); f != nil {
		return f
	}
	if len(n.refunds) > 0 || len(n.applied) > 0 && !b.sim.cfg.Switches.VoidSpentCredits {
		return refuse(http.StatusBadRequest, codeStatus, "Credit notes that have been applied or refunded cannot be marked as void.")
	}
	b.cancelNote(c, n)
	return c.say("The credit note has been marked as void.")
}

func (b *books) cancelNote(c *call, n *creditNote) {
	for len(n.applied) > 0 {
		b.unapply(n.applied[len(n.applied)-1])
	}
	b.unpostNote(n, "creditnote.void")
	n.state, n.issued, n.modified, n.balance = noteVoid, "", c.now, n.total
}

func openNote(c *call) *failure {
	n, f := c.note(c.ids[0])
	if f != nil {
		return f
	}
	if n.state != noteOpen {
		if f := c.org.locked(n.date); f != nil {
			return f
		}
		n.state, n.issued, n.modified = noteOpen, n.date, c.now
		c.org.postNote(n, "creditnote.open")
	}
	return c.say("The status of the credit note has been changed to open.")
}

func draftNote(c *call) *failure {
	n, f := c.note(c.ids[0])
	if f != nil {
		return f
	}
	if n.state != noteVoid {
		return refuse(http.StatusBadRequest, codeStatus, "Only void credit notes can be changed to draft.")
	}
	n.state, n.modified = noteDraft, c.now
	return c.say("The credit note has been converted to draft.")
}

// personNote is what someone at the keyboard does to a credit note.
func (b *books) personNote(f *Fault, n *creditNote) error {
	if f.Kind == FaultEdit {
		n.notes = text(f.Notes, "edited by a person")
		return nil
	}
	for len(n.applied) > 0 {
		b.unapply(n.applied[len(n.applied)-1])
	}
	for _, r := range slices.Clone(n.refunds) {
		b.removeRefund(r)
	}
	if f.Kind == FaultDelete {
		b.removeNote(n)
		return nil
	}
	b.cancelNote(&call{org: b, now: b.sim.cfg.Now()}, n)
	return nil
}
