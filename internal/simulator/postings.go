package simulator

import (
	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/simulator/journal"
)

// Postings. All amounts are in base currency. What a document is worth there is rounded once (total x rate); the cents
// that its parts then miss go to Exchange Gain or Loss. Money a customer has in hand, an unused payment or an open
// credit note, stands in Unearned Revenue: taking a payment and applying it to an invoice are two entries.

// issue are the lines that put a sale into the ledger: an invoice against receivables, a credit note, its signs turned,
// against what the customer has in hand.
func (b *books) issue(s *sale, against *account, credit bool) []journal.Line {
	var lines journal.Lines
	total := b.inBase(s.total, s.rate)
	lines.Debit(against.index, total)
	var revenue journal.Lines // one rounding per account
	for i := range s.lines {
		revenue.Credit(s.lines[i].account.index, s.lines[i].revenue)
	}
	for _, r := range revenue {
		lines.Debit(r.Account, b.inBase(r.Amount, s.rate))
	}
	for _, t := range s.taxes {
		lines.Credit(t.tax.account.index, b.inBase(t.amount, s.rate))
	}
	lines.Debit(b.system.discount.index, b.inBase(s.discount, s.rate))
	lines.Credit(b.system.shipping.index, b.inBase(s.shipping, s.rate))
	lines.Credit(b.system.rounding.index, b.inBase(s.adjustment.Add(s.roundOff).Add(s.skew), s.rate))
	lines.Balance(b.system.exchange.index)
	out := lines.Compact()
	if credit {
		return journal.Reverse(out)
	}
	return out
}

// portion is an amount of a document in base currency. The last portion takes all that is open, so that rounding
// leaves nothing behind.
func (b *books) portion(amount, left, openBase, rate decimal.Decimal) decimal.Decimal {
	if amount.Equal(left) {
		return openBase
	}
	return b.inBase(amount, rate)
}

// application is an amount of a payment or a credit note applied to an invoice.
type application struct {
	id      uint64
	invoice *invoice
	payment *payment    // this or
	note    *creditNote // this
	amount  decimal.Decimal
	date    string

	fromBase decimal.Decimal // what it took of the payment or credit note, base currency
	toBase   decimal.Decimal // what it took of the invoice's receivable
	lines    []journal.Line
}

func (a *application) event(what string) string {
	if a.payment != nil {
		return "payment." + what
	}
	return "creditnote." + what
}

func (a *application) source() uint64 {
	if a.payment != nil {
		return a.payment.id
	}
	return a.note.id
}

// apply moves amount from a payment or credit note to an issued invoice. The caller has checked that both have it.
func (b *books) apply(inv *invoice, p *payment, n *creditNote, amount decimal.Decimal, date string) *application {
	a := &application{id: b.newID(), invoice: inv, payment: p, note: n, amount: amount, date: date}
	a.toBase = b.portion(amount, inv.balance, inv.openBase, inv.rate)
	if p != nil {
		a.fromBase = b.portion(amount, p.unused, p.openBase, p.rate)
		p.unused, p.openBase = p.unused.Sub(amount), p.openBase.Sub(a.fromBase)
		p.customer.credits = p.customer.credits.Sub(amount)
		p.applied = append(p.applied, a)
	} else {
		a.fromBase = b.portion(amount, n.balance, n.openBase, n.rate)
		n.balance, n.openBase = n.balance.Sub(amount), n.openBase.Sub(a.fromBase)
		n.customer.credits = n.customer.credits.Sub(amount)
		n.applied = append(n.applied, a)
	}
	inv.balance, inv.openBase = inv.balance.Sub(amount), inv.openBase.Sub(a.toBase)
	inv.customer.receivable = inv.customer.receivable.Sub(amount)
	inv.applied = append(inv.applied, a)

	var lines journal.Lines
	lines.Debit(b.system.unearned.index, a.fromBase)
	lines.Credit(b.system.receivable.index, a.toBase)
	lines.Balance(b.system.exchange.index)
	a.lines = lines.Compact()
	b.post(date, a.source(), a.event("applied"), a.lines)
	return a
}

// unapply takes an application back: the money or credit is the customer's again.
func (b *books) unapply(a *application) {
	inv := a.invoice
	inv.balance, inv.openBase = inv.balance.Add(a.amount), inv.openBase.Add(a.toBase)
	inv.customer.receivable = inv.customer.receivable.Add(a.amount)
	inv.applied = without(inv.applied, a)
	if p := a.payment; p != nil {
		p.unused, p.openBase = p.unused.Add(a.amount), p.openBase.Add(a.fromBase)
		p.customer.credits = p.customer.credits.Add(a.amount)
		p.applied = without(p.applied, a)
	} else {
		n := a.note
		n.balance, n.openBase = n.balance.Add(a.amount), n.openBase.Add(a.fromBase)
		n.customer.credits = n.customer.credits.Add(a.amount)
		n.applied = without(n.applied, a)
	}
	b.post(a.date, a.source(), a.event("unapplied"), journal.Reverse(a.lines))
}

// postInvoice puts an invoice into the ledger, unpostInvoice takes it out again. Applications are undone before.
func (b *books) postInvoice(inv *invoice, event string) {
	inv.posted = b.issue(&inv.sale, b.system.receivable, false)
	inv.openBase = b.inBase(inv.total, inv.rate)
	inv.balance = inv.total
	inv.customer.receivable = inv.customer.receivable.Add(inv.balance)
	b.post(inv.date, inv.id, event, inv.posted)
}

func (b *books) unpostInvoice(inv *invoice, event string) {
	if inv.posted == nil {
		return
	}
	inv.customer.receivable = inv.customer.receivable.Sub(inv.balance)
	b.post(inv.date, inv.id, event, journal.Reverse(inv.posted))
	inv.posted, inv.openBase = nil, decimal.Zero
}

func (b *books) postNote(n *creditNote, event string) {
	n.posted = b.issue(&n.sale, b.system.unearned, true)
	n.openBase = b.inBase(n.total, n.rate)
	n.balance = n.total
	n.customer.credits = n.customer.credits.Add(n.balance)
	b.post(n.date, n.id, event, n.posted)
}

func (b *books) unpostNote(n *creditNote, event string) {
	if n.posted == nil {
		return
	}
	n.customer.credits = n.customer.credits.Sub(n.balance)
	b.post(n.date, n.id, event, journal.Reverse(n.posted))
	n.posted, n.openBase = nil, decimal.Zero
}

// postPayment books the money: the deposit account gets it less the bank's charges, the customer has it in hand.
func (b *books) postPayment(p *payment, event string) {
	p.unused = p.amount
	p.openBase = b.inBase(p.amount, p.rate)
	p.customer.credits = p.customer.credits.Add(p.unused)
	charges := b.inBase(p.charges, p.rate)
	var lines journal.Lines
	lines.Debit(p.account.index, p.openBase.Sub(charges))
	lines.Debit(p.chargesTo.index, charges)
	lines.Credit(b.system.unearned.index, p.openBase)
	p.posted = lines.Compact()
	b.post(p.date, p.id, event, p.posted)
}

// unpostPayment takes a payment out of the ledger; nothing of it is applied or refunded any more.
func (b *books) unpostPayment(p *payment, event string) {
	p.customer.credits = p.customer.credits.Sub(p.unused)
	b.post(p.date, p.id, event, journal.Reverse(p.posted))
	p.posted, p.openBase, p.unused = nil, decimal.Zero, decimal.Zero
}

// postRefund books money that went back out of what the customer had in hand.
func (b *books) postRefund(r *refund) {
	var rate, left, open *decimal.Decimal
	if r.payment != nil {
		rate, left, open = &r.payment.rate, &r.payment.unused, &r.payment.openBase
	} else {
		rate, left, open = &r.note.rate, &r.note.balance, &r.note.openBase
	}
	r.fromBase = b.portion(r.amount, *left, *open, *rate)
	*left, *open = left.Sub(r.amount), open.Sub(r.fromBase)
	r.customer().credits = r.customer().credits.Sub(r.amount)
	var lines journal.Lines
	lines.Debit(b.system.unearned.index, r.fromBase)
	lines.Credit(r.account.index, b.inBase(r.amount, r.rate))
	lines.Balance(b.system.exchange.index)
	r.posted = lines.Compact()
	b.post(r.date, r.id, "refund.created", r.posted)
}

func (b *books) unpostRefund(r *refund) {
	if p := r.payment; p != nil {
		p.unused, p.openBase = p.unused.Add(r.amount), p.openBase.Add(r.fromBase)
	} else {
		r.note.balance, r.note.openBase = r.note.balance.Add(r.amount), r.note.openBase.Add(r.fromBase)
	}
	r.customer().credits = r.customer().credits.Add(r.amount)
	b.post(r.date, r.id, "refund.deleted", journal.Reverse(r.posted))
}
