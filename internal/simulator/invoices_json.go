package simulator

import (
	"time"

	"github.com/shopspring/decimal"
)

func answerInvoice(c *call, inv *invoice, message string) *failure {
	w := c.ok(message)
	w.object("invoice")
	c.org.writeInvoice(w, inv, c.org.today(c.now))
	w.close()
	return c.done()
}

// Parts of answers that never change here: what booksync does not use, and what only other editions, add-ons or
// integrations fill.
const (
	invoiceFixed = `"channel_invoice_id":"","account_identifier":"","offline_created_date_with_time":"","customer_custom_fields":[],` +
		`"customer_custom_field_hash":{},"invoice_source":"Api","unprocessed_payment_amount":0,"recurring_invoice_id":"",` +
		`"is_last_child_invoice":false,"payment_terms_id":"","invoice_installments":[],"early_payment_discount_percentage":0,` +
		`"early_payment_discount_due_days":"","early_payment_discount_amount":0,"payment_reminder_enabled":true,"zcrm_potential_id":"",` +
		`"zcrm_potential_name":"","is_early_payment_discount_applicable":false,"is_progress_invoice":false,"can_show_kit_return":false,` +
		`"is_kit_partial_return":false,"total_retention_amount":0,"retention_items":[],"retention_override_preference":"no_override",` +
		`"is_autobill_enabled":false,"inprocess_transaction_present":false,"allow_partial_payments":false,"can_send_invoice_sms":true,` +
		`"payment_expected_date":"","payment_discount":0,"stop_reminder_until_payment_expected_date":false,"ach_supported":false,` +
		`"ach_payment_initiated":false,"payment_options":{"payment_gateways":[]},"reader_offline_payment_initiated":false,` +
		`"attachment_name":"","in_process_payments":[],"deliverychallans":[],"merchant_id":"","merchant_name":"","ecomm_operator_id":"",` +
		`"ecomm_operator_name":"","salesorder_id":"","salesorder_number":"","salesorders":[],"shipping_bills":[],` +
		`"contact_persons_details":[],"reminders_sent":0,"last_reminder_sent_date":"","next_reminder_date_formatted":"",` +
		`"can_send_in_mail":false,"is_backorder":"","sales_channel":"direct_sales","estimate_id":"",` +
		`"is_client_review_settings_enabled":false,"unused_retainer_payments":0,"tax_amount_withheld":0,"schedule_time":"",` +
		`"includes_package_tracking_info":false,"qr_code":{"qr_source":"invoice_url","is_qr_enabled":false,"qr_value":"",` +
		`"qr_description":"Scan the QR code to view the configured information."},"exchange_invoices":[],`

	// saleFixed stands in invoices and credit notes.
	saleFixed = `"lock_details":{"can_lock":false},"locked_actions":[],"lock_detail":{"can_lock":true,"custom_locks":[],"system_locks":[]},` +
		`"discount_account_id":"","discount_account_name":"","adjustment_account_id":"","adjustment_account_name":"",` +
		`"tax_override_preference":"no_override","shipping_charge_tax_id":"","shipping_charge_tax_name":"","shipping_charge_tax_type":"",` +
		`"shipping_charge_tax_percentage":"","shipping_charge_tax_exemption_id":"","shipping_charge_tax_exemption_code":"",` +
		`"shipping_charge_tax":"","bcy_shipping_charge_tax":"","shipping_charge_tax_formatted":"","shipping_charge_account_id":"",` +
		`"shipping_charge_account_name":"","contact_category":"","shipping_charge_taxes":[],"exceptions":[],` +
		`"tds_calculation_type":"tds_item_level","contact_persons":[],"contact_persons_associated":[],"documents":[],` +
		`"computation_type":"basic","salesperson_id":"","salesperson_name":"","is_viewed_by_client":false,"client_viewed_time":"",` +
		`"submitter_id":"","approver_id":"","submitted_date":"","submitted_by":"","submitted_by_name":"","submitted_by_email":"",` +
		`"submitted_by_photo_url":"","template_name":"Standard Template","template_type":"standard","subject_content":"",` +
		`"page_width":"8.27in","page_height":"11.69in","orientation":"portrait","color_code":"","current_sub_status_id":"",` +
		`"sub_statuses":[],"approvers_list":[],"tags":[],"rounding_mode":"round_half_up","bcy_rounding_mode":"round_half_up",`

	invoiceLineFixed = `"header_id":"","header_name":"","documents":[],"bill_id":"","bill_item_id":"","stock_on_hand":"",` +
		`"available_stock":"","committed_stock":"","available_for_sale_stock":"","time_entry_ids":[],"expense_id":"",` +
		`"expense_receipt_name":"","purchase_rate":"","salesorder_item_id":"","cost_amount":0,"markup_percent":0,`

	// lineFixed stands in the lines of both.
	lineFixed = `"internal_name":"","discount_account_id":"","discount_account_name":"","discounts":[],"pricebook_id":"",` +
		`"item_custom_fields":[],"pricing_scheme":"unit","tags":[],"project_id":"","item_code":{},"mapped_items":[],` +
		`"is_modifier_item":false,"line_item_category":"line_item",`
)

func (b *books) writeInvoice(w *writer, inv *invoice, today string) {
	w.id("invoice_id", inv.id)
	w.str("invoice_number", inv.number)
	w.str("due_date", inv.dueDate)
	w.str("email", inv.customer.primary().email)
	w.raw(invoiceFixed)
	if inv.pushed {
		w.object("einvoice_details")
		w.str("status", "pushed")
		w.str("status_formatted", "Pushed")
		w.close()
	}
	status := inv.status(today)
	w.str("status", status)
	w.str("current_sub_status", status)
	w.int("payment_terms", inv.terms)
	w.str("payment_terms_label", inv.termsLabel)
	w.dec("payment_made", inv.appliedSum(true))
	w.dec("credits_applied", inv.appliedSum(false))
	w.str("last_payment_date", inv.lastPaid)
	w.dec("balance", inv.balance)
	w.dec("write_off_amount", inv.writtenOff)
	w.str("issued_date", inv.issued)
	w.bool("is_emailed", inv.emailed)
	b.writeSale(w, &inv.sale)
	w.list("line_items")
	for i := range inv.lines {
		l := &inv.lines[i]
		w.open()
		w.raw(invoiceLineFixed)
		b.writeLine(w, l, &inv.sale, i)
		w.dec("sales_rate", l.rate)
		w.close()
	}
	w.endList()
	w.dec("total_taxable_amount", inv.taxable)
	w.dec("discount_total", inv.discountTotal)
	w.dec("discount_percent", inv.discountPercent)
	w.dec("bcy_shipping_charge", b.inBase(inv.shipping, inv.rate))
	w.dec("bcy_adjustment", b.inBase(inv.adjustment, inv.rate))
	w.dec("bcy_sub_total", b.inBase(inv.subTotal, inv.rate))
	w.dec("bcy_discount_total", b.inBase(inv.discountTotal, inv.rate))
	w.dec("bcy_tax_total", b.inBase(inv.taxTotal, inv.rate))
	w.dec("bcy_total", b.inBase(inv.total, inv.rate))
	w.object("contact")
	w.dec("customer_balance", inv.customer.receivable)
	w.raw(`"credit_limit":0,"is_credit_limit_migration_completed":true,`)
	w.dec("unused_customer_credits", inv.customer.credits)
	w.close()
	w.id("template_id", namedID(b.org.ID, "template", "invoice"))
	w.str("invoice_url", "https://zohosecurepay.com/books/simulator/secure?CInvoiceID="+utoa(inv.id))
	w.str("created_date", b.today(inv.created))
	a := &inv.customer.billing
	w.object("billing_address")
	w.saleAddress(a, "zip")
	w.str("street", a.address)
	w.str("country_code", "")
	w.close()
	w.object("shipping_address")
	w.saleAddress(&inv.customer.shipping, "zip")
	w.str("street", inv.customer.shipping.address)
	w.str("country_code", "")
	w.close()
	w.object("customer_default_billing_address")
	w.str("zip", a.zip)
	w.str("country", a.country)
	w.str("address", a.address)
	w.str("city", a.city)
	w.str("phone", a.phone)
	w.str("street2", a.street2)
	w.str("state", a.state)
	w.str("fax", a.fax)
	w.str("state_code", a.stateCode)
	w.raw(`"city_code":"",`)
	w.close()
}

// writeSale writes what invoices and credit notes share.
func (b *books) writeSale(w *writer, s *sale) {
	w.str("date", s.date)
	w.id("customer_id", s.customer.id)
	w.str("customer_name", s.customer.name)
	w.currency(s.currency)
	w.dec("exchange_rate", s.rate)
	w.int("price_precision", int(s.currency.Precision))
	w.writeFields(s.fields)
	w.writeExtras(s.extra)
	w.str("reference_number", s.reference)
	w.raw(saleFixed)
	w.bool("is_inclusive_tax", s.inclusive)
	w.dec("sub_total", s.subTotal)
	w.dec("sub_total_inclusive_of_tax", s.subInclusive)
	w.dec("tax_total", s.taxTotal)
	w.dec("total", s.total)
	w.dec("discount", s.discount)
	applied := decimal.Zero
	kind := "item_level"
	if s.discountText != "" && !s.discount.IsZero() {
		kind = "entity_level"
		for i := range s.lines {
			applied = applied.Add(s.lines[i].total)
		}
	}
	w.dec("discount_applied_on_amount", applied)
	w.str("discount_type", kind)
	w.bool("is_discount_before_tax", !s.discountAfter)
	w.id("account_id", b.system.receivable.id)
	w.str("account_name", b.system.receivable.Name)
	w.dec("adjustment", s.adjustment)
	w.str("adjustment_description", s.adjustmentText)
	w.dec("shipping_charge", s.shipping)
	w.dec("shipping_charge_exclusive_of_tax", s.shipping)
	w.dec("shipping_charge_inclusive_of_tax", s.shipping)
	w.str("shipping_charge_exclusive_of_tax_formatted", s.currency.Symbol+s.shipping.StringFixed(s.currency.Precision))
	w.str("shipping_charge_inclusive_of_tax_formatted", s.currency.Symbol+s.shipping.StringFixed(s.currency.Precision))
	w.dec("roundoff_value", s.roundOff)
	w.str("transaction_rounding_type", b.org.RoundOff.name())
	if b.sim.cfg.Switches.ItemLevelTax {
		w.str("tax_rounding", "item_level")
	} else {
		w.str("tax_rounding", "entity_level")
	}
	w.writeTaxes("taxes", s.taxes)
	w.str("notes", s.notes)
	w.str("terms", s.terms)
	w.time("created_time", s.created, b.loc)
	w.time("last_modified_time", s.modified, b.loc)
	w.id("created_by_id", b.userID())
	w.id("last_modified_by_id", b.userID())
	w.str("created_by_name", "Test User")
}

func (w *writer) writeTaxes(name string, taxes []taxSum) {
	w.list(name)
	for _, t := range taxes {
		w.open()
		w.id("tax_id", t.tax.id)
		w.str("tax_name", t.tax.Name+" ("+t.tax.rate.String()+"%)")
		w.dec("tax_amount", t.amount)
		w.dec("tax_percentage", t.tax.rate)
		w.str("tax_specific_type", t.tax.Specific)
		w.close()
	}
	w.endList()
}

// writeLine writes what the lines of both share.
func (b *books) writeLine(w *writer, l *line, s *sale, at int) {
	w.id("line_item_id", l.id)
	w.raw(lineFixed)
	itemType := ""
	if l.item != nil {
		w.id("item_id", l.item.id)
		itemType = l.item.itemType
	} else {
		w.id("item_id", 0)
	}
	w.str("item_type", itemType)
	w.int("item_order", at+1)
	w.str("name", l.name)
	w.str("description", l.description)
	w.str("unit", l.unit)
	w.dec("quantity", l.quantity)
	w.dec("rate", l.rate)
	w.dec("bcy_rate", b.inBase(l.rate, s.rate))
	w.dec("discount_amount", l.discount)
	if l.percent.IsZero() {
		w.dec("discount", l.discount)
	} else {
		w.str("discount", l.discountText)
	}
	w.id("account_id", l.account.id)
	w.str("account_name", l.account.Name)
	w.dec("item_total", l.total)
	if l.tax == nil {
		w.raw(`"tax_id":"","tax_name":"","tax_type":"tax","tax_percentage":0,`)
	} else {
		w.id("tax_id", l.tax.id)
		w.str("tax_name", l.tax.Name)
		w.str("tax_type", l.tax.kind())
		w.dec("tax_percentage", l.tax.rate)
	}
	if l.exemption != nil {
		w.id("tax_exemption_id", l.exemption.id)
		w.str("tax_exemption_code", l.exemption.Code)
	}
	w.writeTaxes("line_item_taxes", l.taxes)
	w.writeExtras(l.extra)
}

// saleAddress writes an address as documents show it; lists spell zip as zipcode.
func (w *writer) saleAddress(a *address, zip string) {
	w.str("address", a.address)
	w.str("street2", a.street2)
	w.str("city", a.city)
	w.str("state", a.state)
	w.str(zip, a.zip)
	w.str("country", a.country)
	w.str("fax", a.fax)
	w.str("phone", a.phone)
	w.str("attention", a.attention)
}

func (b *books) writeInvoiceRow(w *writer, inv *invoice, today string) {
	w.id("invoice_id", inv.id)
	w.id("customer_id", inv.customer.id)
	w.str("customer_name", inv.customer.name)
	w.str("company_name", inv.customer.company)
	status := inv.status(today)
	w.str("status", status)
	w.str("current_sub_status", status)
	w.str("invoice_number", inv.number)
	w.str("reference_number", inv.reference)
	w.str("date", inv.date)
	w.str("due_date", inv.dueDate)
	w.str("issued_date", inv.issued)
	w.str("due_days", b.dueDays(inv, status, today))
	w.str("email", inv.customer.primary().email)
	w.object("billing_address")
	w.saleAddress(&inv.customer.billing, "zipcode")
	w.close()
	w.object("shipping_address")
	w.saleAddress(&inv.customer.shipping, "zipcode")
	w.close()
	w.str("country", inv.customer.billing.country)
	w.str("phone", inv.customer.primary().phone)
	w.dec("total", inv.total)
	w.dec("balance", inv.balance)
	w.writeFields(inv.fields)
	w.dec("shipping_charge", inv.shipping)
	w.dec("adjustment", inv.adjustment)
	w.time("created_time", inv.created, b.loc)
	w.time("last_modified_time", inv.modified, b.loc)
	w.time("updated_time", inv.modified, b.loc)
	w.bool("is_emailed", inv.emailed)
	w.id("currency_id", inv.currency.id)
	w.str("currency_code", inv.currency.Code)
	w.str("currency_symbol", inv.currency.Symbol)
	w.str("last_payment_date", inv.lastPaid)
	w.id("template_id", namedID(b.org.ID, "template", "invoice"))
	w.dec("write_off_amount", inv.writtenOff)
	w.dec("exchange_rate", inv.rate)
	if inv.state == invoiceSent {
		w.str("invoice_url", "https://zohosecurepay.com/books/simulator/secure?CInvoiceID="+utoa(inv.id))
	}
	w.raw(`"ach_payment_initiated":false,"zcrm_potential_id":"","zcrm_potential_name":"","project_name":"","created_by":"Test User",` +
		`"payment_expected_date":"","tags":[],"salesperson_name":"","is_viewed_by_client":false,"has_attachment":false,` +
		`"client_viewed_time":"","color_code":"","current_sub_status_id":"","schedule_time":"","template_type":"standard",` +
		`"invoice_source":"Api","sales_channel":"direct_sales","transaction_type":"renewal","reminders_sent":0,` +
		`"last_reminder_sent_date":"","documents":"","salesperson_id":"","unprocessed_payment_amount":0,`)
}

// dueDays is the text of list rows: recorded "Due in 30 days" of a sent invoice, "" of drafts, void and paid ones.
func (b *books) dueDays(inv *invoice, status, today string) string {
	if status == "draft" || status == "void" || status == "paid" {
		return ""
	}
	due, err1 := time.Parse(time.DateOnly, inv.dueDate)
	now, err2 := time.Parse(time.DateOnly, today)
	if err1 != nil || err2 != nil {
		return ""
	}
	switch days := int(due.Sub(now).Hours() / 24); {
	case days == 0:
		return "Due Today"
	case days < 0:
		return "Overdue by " + itoa(-days) + " days"
	default:
		return "Due in " + itoa(days) + " days"
	}
}
