package simulator

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// Status changes, and what is applied to invoices.

func markSent(c *call) *failure {
	inv, f := c.invoice(c.ids[0])
	if f != nil {
		return f
	}
	if f := c.org.sendInvoice(c, inv); f != nil {
		return f
	}
	return c.say("Invoice status has been changed to Sent.")
}

// sendInvoice may be repeated: recorded, dossier 3.5.
func (b *books) sendInvoice(c *call, inv *invoice) *failure {
	if f := b.canSend(inv); f != nil {
		return f
	}
	b.issueInvoice(inv, c)
	return nil
}

func (b *books) canSend(inv *invoice) *failure {
	if inv.state == invoiceVoid {
		return refuse(http.StatusBadRequest, codeStatus, "Void invoices cannot be marked as sent.")
	}
	if inv.state == invoiceDraft {
		return b.locked(inv.date)
	}
	return nil
}

// errPushed: what the portal has can be credited only. Neither code nor message is known.
var errPushed = refuse(http.StatusBadRequest, codeStatus, "The e-invoice of this invoice has been pushed. It cannot be changed or voided.")

// pushEInvoice registers the invoice at the tax authority's portal, as the organisation's people or its settings do.
func pushEInvoice(c *call) *failure {
	inv, f := c.invoice(c.ids[0])
	if f != nil {
		return f
	}
	if inv.state != invoiceSent {
		return refuse(http.StatusBadRequest, codeStatus, "Only sent invoices can be pushed.")
	}
	inv.pushed, inv.modified = true, c.now
	return c.say("The e-invoice has been pushed.")
}

func voidInvoice(c *call) *failure {
	inv, f := c.invoice(c.ids[0])
	if f != nil {
		return f
	}
	if f := c.org.locked(inv.date); f != nil {
		return f
	}
	if inv.pushed {
		return errPushed
	}
	c.org.cancelInvoice(inv, c.now)
	return c.say("Invoice status has been changed to Void.")
}

// cancelInvoice voids: payments and credits go back to the customer, the balance stays at the total (dossier 4.5).
func (b *books) cancelInvoice(inv *invoice, now time.Time) {
	if inv.state == invoiceVoid {
		return
	}
	b.release(inv)
	b.unpostInvoice(inv, "invoice.void")
	inv.state, inv.issued, inv.modified, inv.balance, inv.writtenOff = invoiceVoid, "", now, inv.total, decimal.Zero
	if b.sim.cfg.Switches.VoidReleasesFields {
		b.invoices.dropFields(inv)
		inv.fields = nil
	}
}

// release undoes everything applied to an invoice.
func (b *books) release(inv *invoice) {
	for len(inv.applied) > 0 {
		b.unapply(inv.applied[len(inv.applied)-1])
	}
}

func markDraft(c *call) *failure {
	inv, f := c.invoice(c.ids[0])
	if f != nil {
		return f
	}
	if inv.state != invoiceVoid {
		return refuse(http.StatusBadRequest, codeStatus, "Only void invoices can be changed to draft.")
	}
	inv.state, inv.modified = invoiceDraft, c.now
	return c.say("Status of invoice changed from void to draft")
}

// bulk changes the invoices of ?invoice_ids=a,b: all of them, or, with one that cannot be changed, none.
func bulk(can func(*books, *invoice) *failure, do func(*call, *invoice), message string) handler {
	return func(c *call) *failure {
		ids := strings.Split(c.query.Get("invoice_ids"), ",")
		var list []*invoice
		for _, text := range ids {
			inv, f := c.invoice(parseID(strings.TrimSpace(text)))
			if f == nil {
				f = can(c.org, inv)
			}
			switch {
			case f == nil:
				list = append(list, inv)
			case !c.s.cfg.Switches.BulkSkipsBadIDs:
				return f
			}
		}
		for _, inv := range list {
			do(c, inv)
		}
		return c.say(message)
	}
}

func emailInvoice(c *call) *failure {
	inv, f := c.invoice(c.ids[0])
	if f != nil {
		return f
	}
	if f := c.org.sendInvoice(c, inv); f != nil {
		return f
	}
	first := !inv.emailed
	inv.emailed = true
	c.ok("Your invoice has been sent.").bool("is_first_email", first)
	return c.done()
}

// applicable refuses an application to an invoice that is not open: dossier 4.7 and 5.
func applicable(inv *invoice) *failure {
	switch {
	case inv.state == invoiceDraft:
		return refuse(http.StatusBadRequest, codeInvoiceDraft, "Credits cannot be applied to a draft invoice.")
	case inv.state == invoiceVoid:
		return refuse(http.StatusBadRequest, codeInvoiceVoid, "Credits cannot be applied to a void invoice.")
	case inv.balance.IsZero():
		return refuse(http.StatusBadRequest, codeInvoiceClosed, "Credits cannot be applied to a closed invoice.")
	}
	return nil
}

var errAboveBalance = refuse(http.StatusBadRequest, codeAboveBalance, "The amount entered is more than the balance due for this invoice")

// applyCredits answers POST /invoices/{id}/credits: unused payments and open credit notes, all or none.
func applyCredits(c *call) *failure {
	b := c.org
	inv, f := c.invoice(c.ids[0])
	if f != nil {
		return f
	}
	if f := creditsSchema.check(&c.body, b.org.Edition, b.invalidElement()); f != nil {
		return f
	}
	if f := applicable(inv); f != nil {
		return f
	}
	type part struct {
		p      *payment
		n      *creditNote
		amount decimal.Decimal
	}
	var list []part
	left := inv.balance
	for i, sent := 0, c.body.list("invoice_payments"); i < len(sent); i++ {
		p, f := c.payment(sent[i].id("payment_id"))
		if f != nil {
			return f
		}
		amount := sent[i].dec("amount_applied")
		if !amount.IsPositive() || amount.GreaterThan(p.unused) || p.customer != inv.customer {
			return refuse(http.StatusBadRequest, codeAboveCredit, "The amount applied is more than the unused amount of the payment.")
		}
		list, left = append(list, part{p: p, amount: amount}), left.Sub(amount)
	}
	for i, sent := 0, c.body.list("apply_creditnotes"); i < len(sent); i++ {
		n, f := c.note(sent[i].id("creditnote_id"))
		if f == nil {
			f = n.usable()
		}
		if f != nil {
			return f
		}
		amount := sent[i].dec("amount_applied")
		if !amount.IsPositive() || amount.GreaterThan(n.balance) || n.customer != inv.customer {
			return refuse(http.StatusBadRequest, codeAboveCredit, "The amount applied is more than the balance of the credit note.")
		}
		list, left = append(list, part{n: n, amount: amount}), left.Sub(amount)
	}
	if len(list) == 0 {
		return missingValue("apply_creditnotes")
	}
	if left.IsNegative() {
		return errAboveBalance
	}
	today := b.today(c.now)
	for _, p := range list {
		b.apply(inv, p.p, p.n, p.amount, today)
	}
	inv.modified = c.now
	return c.say("Credits have been applied to the invoice(s).")
}

func unapplyPayment(c *call) *failure {
	return c.takeBack(true, "The payment has been deleted.")
}

func unapplyCredit(c *call) *failure {
	return c.takeBack(false, "Credits applied to an invoice have been deleted.")
}

// takeBack undoes one application of an invoice by its id.
func (c *call) takeBack(payment bool, message string) *failure {
	inv, f := c.invoice(c.ids[0])
	if f != nil {
		return f
	}
	for _, a := range inv.applied {
		if a.id == c.ids[1] && (a.payment != nil) == payment {
			if f := c.org.locked(a.date); f != nil {
				return f
			}
			c.org.unapply(a)
			inv.modified = c.now
			return c.say(message)
		}
	}
	return notFound("Payment")
}

func listInvoicePayments(c *call) *failure {
	inv, f := c.invoice(c.ids[0])
	if f != nil {
		return f
	}
	w := c.ok("success")
	w.list("payments")
	for _, a := range inv.applied {
		if a.payment == nil {
			continue
		}
		w.open()
		w.id("payment_id", a.payment.id)
		w.str("payment_number", a.payment.number)
		w.id("invoice_id", inv.id)
		w.id("invoice_payment_id", a.id)
		w.str("payment_mode", a.payment.mode)
		w.str("description", a.payment.description)
		w.str("date", a.payment.date)
		w.str("reference_number", a.payment.reference)
		w.dec("exchange_rate", a.payment.rate)
		w.dec("amount", a.amount)
		w.raw(`"tax_amount_withheld":0,"online_transaction_id":"",`)
		w.bool("is_single_invoice_payment", len(a.payment.applied) == 1)
		w.close()
	}
	w.endList()
	return c.done()
}

func listCreditsApplied(c *call) *failure {
	inv, f := c.invoice(c.ids[0])
	if f != nil {
		return f
	}
	w := c.ok("success")
	w.list("credits")
	for _, a := range inv.applied {
		if a.note == nil {
			continue
		}
		w.open()
		w.id("creditnote_id", a.note.id)
		w.id("creditnotes_invoice_id", a.id)
		w.str("creditnotes_number", a.note.number)
		w.str("credited_date", a.date)
		w.dec("amount_applied", a.amount)
		w.close()
	}
	w.endList()
	return c.done()
}

func invoiceFields(c *call) *failure {
	inv, f := c.invoice(c.ids[0])
	if f != nil {
		return f
	}
	fields, f := customFieldsOnly(c, &c.org.invoices, inv, EntityInvoice)
	if f != nil {
		return f
	}
	c.org.invoices.dropFields(inv)
	inv.fields, inv.modified = fields, c.now
	c.org.invoices.indexFields(inv)
	return c.say("Custom Fields Updated Successfully")
}

// customFieldsOnly reads a body that is a list of custom fields, or an object with one.
func customFieldsOnly[T document](c *call, x *index[T], self T, entity string) ([]fieldValue, *failure) {
	sent := c.body.nodes
	if c.body.kind == kindObject {
		sent = c.body.list("custom_fields")
	}
	for i := range sent {
		if f := customFieldSchema.check(&sent[i].value, c.org.org.Edition, c.org.invalidElement()); f != nil {
			return nil, f
		}
	}
	fields, f := c.org.mergeFields(entity, self.rec().fields, sent)
	if f == nil && !c.twin {
		f = unique(c.org, x, self, fields)
	}
	return fields, f
}

// personInvoice is what someone at the keyboard does to an invoice.
func (b *books) personInvoice(f *Fault, inv *invoice) error {
	now := b.sim.cfg.Now()
	switch f.Kind {
	case FaultVoid:
		b.cancelInvoice(inv, now)
	case FaultPush:
		inv.pushed = true
	case FaultDelete:
		b.release(inv)
		b.removeInvoice(inv)
	default:
		changed := *inv
		changed.notes = text(f.Notes, inv.notes)
		changed.adjustment = inv.adjustment.Add(f.Amount)
		changed.adjustmentText = "edited by a person"
		if bad := b.addUp(&changed.sale); bad != nil {
			return fmt.Errorf("editing invoice %s: %s", inv.number, bad.message)
		}
		b.replaceInvoice(inv, &changed, now)
	}
	return nil
}
