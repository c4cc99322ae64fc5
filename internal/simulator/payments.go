package simulator

import (
	"net/http"
	"slices"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/simulator/journal"
)

type payment struct {
	record
	number      string
	reference   string
	date        string
	mode        string
	description string
	customer    *contact
	currency    *currency
	rate        decimal.Decimal
	amount      decimal.Decimal
	charges     decimal.Decimal
	chargesTo   *account
	account     *account // where it is deposited

	unused   decimal.Decimal
	openBase decimal.Decimal // unused, in base currency
	applied  []*application
	refunds  []*refund
	posted   []journal.Line
}

// refund is money that went back, of a payment's unused part or of a credit note.
type refund struct {
	id          uint64
	payment     *payment    // this or
	note        *creditNote // this
	date        string
	mode        string
	reference   string
	description string
	amount      decimal.Decimal
	rate        decimal.Decimal
	account     *account // where it is taken from
	fromBase    decimal.Decimal
	posted      []journal.Line
}

func (r *refund) customer() *contact {
	if r.payment != nil {
		return r.payment.customer
	}
	return r.note.customer
}

func (c *call) payment(id uint64) (*payment, *failure) {
	if p, ok := c.org.payments.get(id); ok {
		return p, nil
	}
	return nil, notFound("Payment")
}

// wanted is one invoice a payment asks to be applied to.
type wanted struct {
	invoice *invoice
	amount  decimal.Decimal
}

func createPayment(c *call) *failure {
	b := c.org
	if f := b.checkPayment(c); f != nil {
		return f
	}
	v := &c.body
	for _, name := range []string{"customer_id", "payment_mode", "amount", "date"} {
		if v.str(name) == "" {
			if name == "customer_id" {
				_, f := c.customer(0)
				return f
			}
			return missingValue(name)
		}
	}
	p := &payment{account: b.system.undeposited, chargesTo: b.system.fees}
	p.id, p.created, p.modified = b.newID(), c.now, c.now
	list, f := b.fillPayment(c, p)
	if f != nil {
		return f
	}
	p.number = itoa(b.nextPayment)
	b.nextPayment++
	b.payments.add(p)
	b.payments.rename(p, "", p.reference)
	p.customer.payments++
	b.postPayment(p, "payment.created")
	b.applyWanted(c, p, list)
	c.created("customerpayments", p.id)
	return answerPayment(c, p, "The payment from the customer has been recorded")
}

func (b *books) checkPayment(c *call) *failure {
	if f := paymentSchema.check(&c.body, b.org.Edition, b.invalidElement()); f != nil {
		return f
	}
	if _, ok := c.body.get("bank_charges_account_id"); ok && b.sim.cfg.Switches.RefuseBankChargesAccount {
		return refuse(http.StatusBadRequest, b.invalidElement(), "Invalid Element bank_charges_account_id")
	}
	return nil
}

// fillPayment reads a request into p, new or a copy of the one to change, and checks what it is to be applied to. When
// p was applied before, its applications count as undone.
func (b *books) fillPayment(c *call, p *payment) ([]wanted, *failure) {
	v := &c.body
	isNew := p.customer == nil
	if id := v.id("customer_id"); id != 0 {
		customer, f := c.customer(id)
		if f != nil {
			return nil, f
		}
		p.customer = customer
	} else if isNew {
		_, f := c.customer(0)
		return nil, f
	}
	v.into("date", &p.date)
	v.into("payment_mode", &p.mode)
	v.into("reference_number", &p.reference)
	v.into("description", &p.description)
	if f := b.locked(p.date); f != nil {
		return nil, f
	}
	for _, a := range []struct {
		name string
		to   **account
	}{{"account_id", &p.account}, {"bank_charges_account_id", &p.chargesTo}} {
		if id := v.id(a.name); id != 0 {
			if *a.to = b.accountIDs[id]; *a.to == nil {
				return nil, invalidValue(a.name)
			}
		}
	}
	list, f := b.wantedInvoices(c, p, isNew)
	if f != nil {
		return nil, f
	}
	if isNew {
		p.currency = p.customer.currency
	}
	if len(list) > 0 {
		p.currency = list[0].invoice.currency
	}
	if _, ok := v.get("amount"); ok {
		p.amount = v.dec("amount")
	}
	if _, ok := v.get("bank_charges"); ok {
		p.charges = v.dec("bank_charges")
	}
	if !p.amount.IsPositive() || !p.amount.Equal(p.amount.Round(p.currency.Precision)) {
		return nil, invalidValue("amount")
	}
	if p.charges.IsNegative() || p.charges.GreaterThan(p.amount) || !p.charges.Equal(p.charges.Round(p.currency.Precision)) {
		return nil, invalidValue("bank_charges")
	}
	if p.rate, f = b.readRate(v, p.currency, p.rate); f != nil {
		return nil, f
	}
	if f := b.checkWanted(p, list); f != nil {
		return nil, f
	}
	fields, f := b.mergeFields(EntityPayment, p.fields, v.list("custom_fields"))
	if f != nil {
		return nil, f
	}
	fields = c.headerField(EntityPayment, fields)
	if !c.twin {
		self, _ := b.payments.get(p.id)
		if f := unique(b, &b.payments, self, fields); f != nil {
			return nil, f
		}
	}
	p.fields = fields
	return list, nil
}

func (b *books) wantedInvoices(c *call, p *payment, isNew bool) ([]wanted, *failure) {
	v := &c.body
	items := v.list("invoices")
	if id := v.id("invoice_id"); id != 0 && len(items) == 0 {
		items = []member{{value: value{kind: kindObject, nodes: []member{
			{"invoice_id", value{kind: kindString, text: v.str("invoice_id")}},
			{"amount_applied", value{kind: kindNumber, text: v.str("amount_applied")}},
		}}}}
	}
	if len(items) == 0 && isNew && !b.sim.cfg.Switches.AcceptPaymentWithoutInvoices {
		return nil, missingValue("invoices")
	}
	list := make([]wanted, 0, len(items))
	for i := range items {
		inv, f := c.invoice(items[i].id("invoice_id"))
		if f != nil {
			return nil, f
		}
		amount := items[i].dec("amount_applied")
		if inv.customer != p.customer {
			return nil, refuse(http.StatusBadRequest, codeInvalidValue, "The invoice "+inv.number+" does not belong to the customer.")
		}
		if amount.IsNegative() {
			return nil, invalidValue("amount_applied")
		}
		if amount.IsPositive() {
			list = append(list, wanted{inv, amount})
		}
	}
	return list, nil
}

// checkWanted refuses what the invoices cannot take. What p itself has applied to them counts as free.
func (b *books) checkWanted(p *payment, list []wanted) *failure {
	sum := decimal.Zero
	for i, w := range list {
		inv := w.invoice
		switch {
		case inv.currency != p.currency:
			return refuse(http.StatusBadRequest, codeInvalidValue, "A payment cannot be applied to invoices of different currencies.")
		case inv.state == invoiceVoid:
			return refuse(http.StatusBadRequest, codeInvoiceVoid, "Payments cannot be recorded for a void invoice.")
		case inv.state == invoiceDraft && b.sim.cfg.Switches.RefusePaymentOnDraft:
			return b.sim.cfg.Switches.DraftPayment.or(400, codeDraftPayment, "Payments cannot be recorded for a draft invoice.")
		}
		free := inv.balance
		for _, a := range p.applied {
			if a.invoice == inv {
				free = free.Add(a.amount)
			}
		}
		for _, earlier := range list[:i] {
			if earlier.invoice == inv {
				free = free.Sub(earlier.amount)
			}
		}
		if w.amount.GreaterThan(free) {
			return errAboveBalance
		}
		sum = sum.Add(w.amount)
	}
	if sum.GreaterThan(p.amount) {
		return refuse(http.StatusBadRequest, codeInvalidValue, "The amount applied to the invoices is more than the payment's amount.")
	}
	return nil
}

func (b *books) applyWanted(c *call, p *payment, list []wanted) {
	for _, w := range list {
		b.issueInvoice(w.invoice, c)
		b.apply(w.invoice, p, nil, w.amount, p.date)
		w.invoice.lastPaid = p.date
		w.invoice.modified = c.now
	}
}

func getPayment(c *call) *failure {
	p, f := c.payment(c.ids[0])
	if f != nil {
		return f
	}
	return answerPayment(c, p, "success")
}

func updatePayment(c *call) *failure {
	p, f := c.payment(c.ids[0])
	if f != nil {
		return f
	}
	return changePayment(c, p)
}

func changePayment(c *call, p *payment) *failure {
	b := c.org
	if f := b.checkPayment(c); f != nil {
		return f
	}
	changed := *p
	list, f := b.fillPayment(c, &changed)
	if f != nil {
		return f
	}
	_, reapply := c.body.get("invoices")
	used := decimal.Zero
	for _, r := range p.refunds {
		used = used.Add(r.amount)
	}
	if len(p.refunds) > 0 && c.body.touchesMoney() {
		return refuse(http.StatusBadRequest, codeInUse, "Payments that have been refunded cannot be changed.")
	}
	if !reapply {
		for _, a := range p.applied {
			list = append(list, wanted{a.invoice, a.amount})
			used = used.Add(a.amount)
		}
	}
	if changed.amount.LessThan(used) {
		return invalidValue("amount")
	}
	b.payments.dropFields(p)
	b.payments.rename(p, p.reference, changed.reference)
	if c.body.touchesMoney() {
		for len(p.applied) > 0 {
			b.unapply(p.applied[len(p.applied)-1])
		}
		b.unpostPayment(p, "payment.updated")
		changed.applied, changed.posted = nil, nil
		p.customer.payments--
		*p = changed
		p.customer.payments++
		b.postPayment(p, "payment.updated")
		b.applyWanted(c, p, list)
	} else {
		*p = changed
	}
	p.modified = c.now
	b.payments.indexFields(p)
	return answerPayment(c, p, "The details of the payment received from the customer have been updated")
}

func paymentFields(c *call) *failure {
	p, f := c.payment(c.ids[0])
	if f != nil {
		return f
	}
	fields, f := customFieldsOnly(c, &c.org.payments, p, EntityPayment)
	if f != nil {
		return f
	}
	c.org.payments.dropFields(p)
	p.fields, p.modified = fields, c.now
	c.org.payments.indexFields(p)
	return c.say("Custom Fields Updated Successfully")
}

func deletePayment(c *call) *failure {
	p, f := c.payment(c.ids[0])
	if f != nil {
		return f
	}
	if len(p.refunds) > 0 {
		return refuse(http.StatusBadRequest, codeInUse, "Payments that have been refunded cannot be deleted.")
	}
	if f := c.org.locked(p.date); f != nil {
		return f
	}
	c.org.removePayment(p)
	return c.say("The payment has been deleted.")
}

func (b *books) removePayment(p *payment) {
	for len(p.applied) > 0 {
		b.unapply(p.applied[len(p.applied)-1])
	}
	for _, r := range slices.Clone(p.refunds) {
		b.removeRefund(r)
	}
	b.unpostPayment(p, "payment.deleted")
	b.payments.rename(p, p.reference, "")
	b.payments.remove(p)
	p.customer.payments--
}

// personPayment is what someone at the keyboard does to a payment.
func (b *books) personPayment(f *Fault, p *payment) error {
	if f.Kind == FaultEdit {
		p.description = text(f.Notes, "edited by a person")
		return nil
	}
	b.removePayment(p) // a payment cannot be voided: it goes
	return nil
}
