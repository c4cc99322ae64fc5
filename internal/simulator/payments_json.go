package simulator

import "github.com/shopspring/decimal"

func answerPayment(c *call, p *payment, message string) *failure {
	w := c.ok(message)
	w.object("payment")
	c.org.writePayment(w, p)
	w.close()
	return c.done()
}

const paymentFixed = `"sales_channel":"","account_identifier":"","payment_link_id":"","created_by":"Test User",` +
	`"lock_details":{"can_lock":false},"locked_actions":[],"payment_number_prefix":"","documents":[],"beat_id":"","beat_number":"",` +
	`"journey_plan_id":"","sales_person_id":"","sales_person_name":"","card_type":"","offline_created_date_with_time":"",` +
	`"tax_account_id":"","is_client_review_settings_enabled":false,"tax_account_name":"","tax_amount_withheld":0,"discount_amount":0,` +
	`"is_early_payment_discount_applicable":false,"online_transaction_id":"","payment_gateway":"","settlement_status":"",` +
	`"is_ondc_channel":false,"payment_status":"paid","tender_id":"","deposit_details":[],"last_four_digits":"",` +
	`"template_name":"Elite Template","page_width":"8.27in","page_height":"11.69in","orientation":"portrait","template_type":"elite",` +
	`"attachment_name":"","can_send_in_mail":true,"can_send_payment_sms":true,"is_payment_details_required":true,` +
	`"imported_transactions":[],"rounding_mode":"round_half_up","tags":[],`

func (b *books) writePayment(w *writer, p *payment) {
	w.id("payment_id", p.id)
	w.str("payment_number", p.number)
	w.str("payment_number_suffix", p.number)
	w.raw(paymentFixed)
	w.time("created_time", p.created, b.loc)
	w.time("updated_time", p.modified, b.loc)
	w.id("customer_id", p.customer.id)
	w.str("customer_name", p.customer.name)
	w.str("payment_mode", p.mode)
	w.str("date", p.date)
	w.id("account_id", p.account.id)
	w.str("account_name", p.account.Name)
	w.str("account_type", p.account.Type)
	w.id("customer_advance_account_id", b.system.receivable.id)
	w.str("customer_advance_account_name", b.system.receivable.Name)
	w.id("currency_id", p.currency.id)
	w.str("currency_symbol", p.currency.Symbol)
	w.str("currency_code", p.currency.Code)
	w.int("price_precision", int(p.currency.Precision))
	w.dec("exchange_rate", p.rate)
	w.dec("amount", p.amount)
	w.dec("unused_amount", p.unused)
	w.dec("bank_charges", p.charges)
	if p.charges.IsZero() {
		w.empty("bank_charges_account_id", "bank_charges_account_name")
	} else {
		w.id("bank_charges_account_id", p.chargesTo.id)
		w.str("bank_charges_account_name", p.chargesTo.Name)
	}
	w.str("description", p.description)
	w.str("reference_number", p.reference)
	w.list("invoices")
	for _, a := range p.applied {
		inv := a.invoice
		w.open()
		w.str("invoice_number", inv.number)
		w.id("invoice_payment_id", a.id)
		w.id("invoice_id", inv.id)
		w.raw(`"invoice_customer_id":"","invoice_customer_name":"","tax_amount_withheld":0,"discount_amount":0,` +
			`"allow_partial_payments":"","is_early_payment_discount_applicable":false,"invoice_installments":[],"installments":[],`)
		w.dec("amount_applied", a.amount)
		w.dec("total", inv.total)
		w.dec("balance", inv.balance)
		w.str("date", inv.date)
		w.str("due_date", inv.dueDate)
		w.int("price_precision", int(inv.currency.Precision))
		w.str("apply_date", a.date)
		w.close()
	}
	w.endList()
	w.list("payment_refunds")
	for _, r := range p.refunds {
		w.open()
		b.writeRefund(w, r)
		w.close()
	}
	w.endList()
	w.id("template_id", namedID(b.org.ID, "template", "payment"))
	w.writeFields(p.fields)
}

func (p *payment) refunded() decimal.Decimal {
	sum := decimal.Zero
	for _, r := range p.refunds {
		sum = sum.Add(r.amount)
	}
	return sum
}

func (b *books) writePaymentRow(w *writer, p *payment) {
	w.id("payment_id", p.id)
	w.str("payment_number", p.number)
	numbers := ""
	for i, a := range p.applied {
		if i > 0 {
			numbers += ", "
		}
		numbers += a.invoice.number
	}
	w.str("invoice_numbers", numbers)
	w.str("date", p.date)
	w.str("payment_mode", p.mode)
	w.str("payment_mode_formatted", p.mode)
	w.dec("amount", p.amount)
	w.dec("bcy_amount", b.inBase(p.amount, p.rate))
	w.dec("unused_amount", p.unused)
	w.dec("bcy_unused_amount", b.inBase(p.unused, p.rate))
	w.id("account_id", p.account.id)
	w.str("account_name", p.account.Name)
	w.str("description", p.description)
	w.str("reference_number", p.reference)
	w.id("customer_id", p.customer.id)
	w.str("customer_name", p.customer.name)
	w.time("created_time", p.created, b.loc)
	w.time("last_modified_time", p.modified, b.loc)
	w.dec("bcy_refunded_amount", b.inBase(p.refunded(), p.rate))
	w.list("applied_invoices")
	w.endList()
	if b.sim.cfg.Switches.PaymentRowsCarryFields {
		w.writeFields(p.fields)
	}
	w.raw(`"last_four_digits":"","gateway_transaction_id":"","payment_gateway":"","has_attachment":false,"tags":[],"documents":"",` +
		`"custom_fields_list":"","tax_account_id":"","tax_account_name":"","tax_amount_withheld":0,"payment_type":"Invoice Payment",` +
		`"payment_status":"paid","settlement_status":"","sales_channel":"",`)
}
