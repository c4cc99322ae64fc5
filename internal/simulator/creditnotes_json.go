package simulator

func answerNote(c *call, n *creditNote, message string) *failure {
	w := c.ok(message)
	w.object("creditnote")
	c.org.writeNote(w, n)
	w.close()
	return c.done()
}

func (b *books) writeNote(w *writer, n *creditNote) {
	w.id("creditnote_id", n.id)
	w.str("creditnote_number", n.number)
	w.str("status", n.status())
	w.str("current_sub_status", n.status())
	w.str("issued_date", n.issued)
	w.raw(`"is_emailed":false,"offline_created_date_with_time":"","sales_channel":"",`)
	b.writeSale(w, &n.sale)
	w.id("invoice_id", n.invoice)
	w.writeCredited(n)
	w.list("line_items")
	for i := range n.lines {
		l := &n.lines[i]
		w.open()
		b.writeLine(w, l, &n.sale, i)
		w.id("invoice_id", l.invoice)
		w.id("invoice_item_id", l.invoiceLine)
		w.raw(`"can_skip_stock_tracking":false,"is_credit_only_item":false,`)
		w.close()
	}
	w.endList()
	w.dec("total_credits_used", n.used())
	w.dec("total_refunded_amount", n.refunded())
	w.dec("balance", n.balance)
	w.list("creditnote_refunds")
	for _, r := range n.refunds {
		w.open()
		b.writeRefund(w, r)
		w.close()
	}
	w.endList()
	w.id("template_id", namedID(b.org.ID, "template", "creditnote"))
	w.object("billing_address")
	w.saleAddress(&n.customer.billing, "zip")
	w.close()
	w.object("shipping_address")
	w.saleAddress(&n.customer.shipping, "zip")
	w.close()
}

func (w *writer) writeCredited(n *creditNote) {
	w.list("invoices_credited")
	for _, a := range n.applied {
		w.open()
		w.id("creditnote_id", n.id)
		w.id("invoice_id", a.invoice.id)
		w.id("creditnote_invoice_id", a.id)
		w.str("date", a.date)
		w.str("invoice_number", a.invoice.number)
		w.str("creditnote_number", n.number)
		w.dec("credited_amount", a.amount)
		w.close()
	}
	w.endList()
}

func listNoteInvoices(c *call) *failure {
	n, f := c.note(c.ids[0])
	if f != nil {
		return f
	}
	c.ok("success").writeCredited(n)
	return c.done()
}

func (b *books) writeNoteRow(w *writer, n *creditNote) {
	w.id("creditnote_id", n.id)
	w.str("creditnote_number", n.number)
	w.str("status", n.status())
	w.str("current_sub_status", n.status())
	w.str("reference_number", n.reference)
	w.str("date", n.date)
	w.str("issued_date", n.issued)
	w.dec("total", n.total)
	w.dec("balance", n.balance)
	w.id("customer_id", n.customer.id)
	w.str("customer_name", n.customer.name)
	w.id("currency_id", n.currency.id)
	w.str("currency_code", n.currency.Code)
	w.time("created_time", n.created, b.loc)
	w.time("last_modified_time", n.modified, b.loc)
	w.dec("exchange_rate", n.rate)
	w.id("template_id", namedID(b.org.ID, "template", "creditnote"))
	w.int("price_precision", int(n.currency.Precision))
	if b.sim.cfg.Switches.PaymentRowsCarryFields {
		w.writeFields(n.fields)
	}
	w.raw(`"applied_invoices":"","is_emailed":false,"has_attachment":false,"salesperson_name":"Others","salesperson_id":"-1",` +
		`"is_viewed_by_client":false,"client_viewed_time":"","color_code":"","current_sub_status_id":"","template_type":"standard",` +
		`"rounding_mode":"round_half_up","tags":[],`)
}
