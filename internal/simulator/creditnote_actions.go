package simulator

import (
	"net/http"
	"slices"
)

// What is applied to invoices, and status changes of credit notes.

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
		items = []member{{value: c.body}}
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
