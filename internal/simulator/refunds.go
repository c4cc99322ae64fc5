package simulator

import (
	"net/http"

	"github.com/shopspring/decimal"
)

// Refunds have no number and no custom field: nothing refuses a second one but the amount.

// createRefund reads a refund of a payment's unused part or of a credit note; left is what there is to refund.
func (c *call) createRefund(r *refund, cur *currency, left decimal.Decimal) *failure {
	b, v := c.org, &c.body
	if f := refundSchema.check(v, b.org.Edition, b.invalidElement()); f != nil {
		return f
	}
	for _, name := range []string{"date", "amount", "from_account_id"} {
		if v.str(name) == "" {
			return missingValue(name)
		}
	}
	r.date, r.mode, r.reference, r.description = v.str("date"), text(v.str("refund_mode"), "cash"), v.str("reference_number"), v.str("description")
	r.amount = v.dec("amount")
	if r.account = b.accountIDs[v.id("from_account_id")]; r.account == nil {
		return invalidValue("from_account_id")
	}
	if f := b.locked(r.date); f != nil {
		return f
	}
	if !r.amount.IsPositive() || !r.amount.Equal(r.amount.Round(cur.Precision)) {
		return invalidValue("amount")
	}
	if r.amount.GreaterThan(left) {
		return b.sim.cfg.Switches.RefundAboveBalance.or(http.StatusBadRequest, codeAboveCredit,
			"The refund amount is more than the balance amount.")
	}
	rate, f := b.readRate(v, cur, decimal.Zero)
	if f != nil {
		return f
	}
	r.rate = rate
	r.id = b.newID()
	b.refunds[r.id] = r
	b.postRefund(r)
	return nil
}

func refundPayment(c *call) *failure {
	p, f := c.payment(c.ids[0])
	if f != nil {
		return f
	}
	r := &refund{payment: p}
	if f := c.createRefund(r, p.currency, p.unused); f != nil {
		return f
	}
	p.refunds = append(p.refunds, r)
	p.modified = c.now
	w := c.ok("The refund information for this payment has been saved.")
	if c.s.cfg.Switches.PaymentRefundAsArray {
		w.list("payment_refunds")
		w.open()
		c.org.writeRefund(w, r)
		w.close()
		w.endList()
	} else {
		w.object("payment_refund")
		c.org.writeRefund(w, r)
		w.close()
	}
	return c.done()
}

func refundNote(c *call) *failure {
	n, f := c.note(c.ids[0])
	if f != nil {
		return f
	}
	if n.state == noteDraft || n.state == noteVoid {
		return refuse(http.StatusBadRequest, codeNoteVoid, "Only open credit notes can be refunded.")
	}
	r := &refund{note: n}
	if f := c.createRefund(r, n.currency, n.balance); f != nil {
		return f
	}
	n.refunds = append(n.refunds, r)
	n.modified = c.now
	w := c.ok("The credit note amount is refunded successfully.")
	w.object("creditnote_refund")
	c.org.writeRefund(w, r)
	w.close()
	return c.done()
}

func (b *books) removeRefund(r *refund) {
	b.unpostRefund(r)
	delete(b.refunds, r.id)
	if r.payment != nil {
		r.payment.refunds = without(r.payment.refunds, r)
	} else {
		r.note.refunds = without(r.note.refunds, r)
	}
}

// theRefund finds the refund a path names under its payment or credit note.
func (c *call) theRefund() (*refund, *failure) {
	r := c.org.refunds[c.ids[1]]
	if r == nil || (r.payment == nil || r.payment.id != c.ids[0]) && (r.note == nil || r.note.id != c.ids[0]) {
		return nil, notFound("Refund")
	}
	return r, nil
}

func getRefund(c *call) *failure {
	r, f := c.theRefund()
	if f != nil {
		return f
	}
	w := c.ok("success")
	w.object(map[bool]string{true: "payment_refund", false: "creditnote_refund"}[r.payment != nil])
	c.org.writeRefund(w, r)
	w.close()
	return c.done()
}

func deleteRefund(c *call) *failure {
	r, f := c.theRefund()
	if f != nil {
		return f
	}
	if f := c.org.locked(r.date); f != nil {
		return f
	}
	c.org.removeRefund(r)
	return c.say("The refund has been deleted.")
}

func listPaymentRefunds(c *call) *failure {
	p, f := c.payment(c.ids[0])
	if f != nil {
		return f
	}
	return c.listRefunds("payment_refunds", "Customer Payments Refund", p.refunds)
}

func listNoteRefunds(c *call) *failure {
	n, f := c.note(c.ids[0])
	if f != nil {
		return f
	}
	return c.listRefunds("creditnote_refunds", "Credit Notes Refund", n.refunds)
}

func listAllNoteRefunds(c *call) *failure {
	var all []*refund
	customer := parseID(c.query.Get("customer_id"))
	for _, n := range c.org.notes.live() {
		if customer == 0 || n.customer.id == customer {
			all = append(all, n.refunds...)
		}
	}
	return c.listRefunds("creditnote_refunds", "Credit Notes Refund", all)
}

func (c *call) listRefunds(key, report string, all []*refund) *failure {
	w := c.ok("success")
	p := c.page()
	w.list(key)
	for _, r := range cut(all, p) {
		w.open()
		c.org.writeRefund(w, r)
		w.close()
	}
	w.endList()
	p.more = p.to < len(all)
	c.writePage(p, report, "", "created_time", "D")
	return c.done()
}

func (b *books) writeRefund(w *writer, r *refund) {
	if r.payment != nil {
		w.id("payment_refund_id", r.id)
		w.id("payment_id", r.payment.id)
		w.str("payment_number", r.payment.number)
	} else {
		w.id("creditnote_refund_id", r.id)
		w.id("creditnote_id", r.note.id)
		w.str("creditnote_number", r.note.number)
	}
	w.str("date", r.date)
	w.str("refund_mode", r.mode)
	w.str("payment_form", "")
	w.str("reference_number", r.reference)
	w.str("customer_name", r.customer().name)
	w.dec("amount", r.amount)
	w.dec("amount_bcy", b.inBase(r.amount, r.rate))
	w.dec("amount_fcy", r.amount)
	w.dec("exchange_rate", r.rate)
	w.id("from_account_id", r.account.id)
	w.str("from_account_name", r.account.Name)
	w.str("description", r.description)
}
