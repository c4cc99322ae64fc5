package reconcile

// balance checks that an order adds up: what it sold, less what was paid, plus what was returned, is what the books say is
// open of it. What is open is the invoice's balance less what its payments and credit notes hold unused. It looks at orders
// whose documents are all known and agree by themselves; what differs there was said already.
func (r *run) balance(t *transaction) {
	parts := r.index.orders[t.order]
	if t.posted == nil || t.event == nil || t.status.Exception() || t.status == Ignored || t.status == Expected {
		return
	}
	inv := r.invoiceOf(t.order)
	if inv == nil {
		return
	}
	sold, paid, returned := t.event.total, units(0), units(0)
	owed, unused := units(0), units(0)
	var loose []*transaction // payments with money that is not applied
	for _, p := range parts {
		if p.status.Exception() || p.status == Expected || p.event == nil && p != t || p.event != nil && len(p.event.parts) > 1 {
			return
		}
		if p.status == Ignored {
			continue
		}
		switch p.workflow {
		case paymentFlow:
			paid += p.event.total
		case refundFlow:
			returned += p.event.total
		}
		for _, d := range p.docs {
			if d.void() || d.kind == entryDoc || d.past() {
				continue
			}
			if d.seen != listed && d.seen != opened { // dated outside of the window
				if d.kind != paymentDoc {
					return
				}
				unused += d.oBalance
				continue
			}
			switch d.kind {
			case invoiceDoc:
				owed += d.balance
			case paymentDoc:
				unused += d.balance
				if d.balance > 0 {
					loose = append(loose, p)
				}
			case creditDoc:
				unused += d.balance
				if p.workflow == refundFlow || t.cancelled && t.ofCancel(d) {
					sold -= d.total
				}
			}
		}
	}
	cur := t.currency()
	want, have := sold-paid+returned, owed-unused
	if diff := (want - have).abs(); diff > r.tolerance(t.event) {
		remark := "order - payments - refunds is not the balance: money was recorded, applied elsewhere or returned by hand"
		if inv.writtenOff != 0 {
			remark = inv.writtenOff.text(cur) + " was written off"
		}
		t.document = inv.id
		t.note(StatusMismatch, "balance", want.text(cur), "", have.text(cur), remark)
		return
	}
	if owed <= 0 {
		return
	}
	for _, p := range loose {
		d := p.docs[0]
		p.document = d.id
		p.note(UnappliedPayment, "unused", "", "", d.balance.text(cur), "the invoice "+inv.number+" still owes "+inv.balance.text(cur))
		p.repairs = append(p.repairs, r.proposeApply(p, d, inv))
	}
}
