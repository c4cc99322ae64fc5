package simulator

func (n *contact) status() string {
	if n.inactive {
		return "inactive"
	}
	return "active"
}

func answerContact(c *call, n *contact, message string) *failure {
	w := c.ok(message)
	w.object("contact")
	c.org.writeContact(w, n)
	w.close()
	return c.done()
}

// termsID stands for the payment terms "Due on Receipt" of every organisation.
func (b *books) termsID() uint64 { return namedID(b.org.ID, "terms", "Due on Receipt") }

func (b *books) userID() uint64 { return namedID(b.org.ID, "user", "Test User") }

func (b *books) writeContact(w *writer, n *contact) {
	p := n.primary()
	w.id("contact_id", n.id)
	w.str("contact_name", n.name)
	w.str("company_name", n.company)
	w.str("first_name", p.first)
	w.str("last_name", p.last)
	w.str("contact_salutation", p.salutation)
	w.str("email", p.email)
	w.str("phone", p.phone)
	w.str("mobile", p.mobile)
	w.str("designation", p.job)
	w.str("website", n.website)
	w.str("language_code", n.language)
	w.bool("has_transaction", n.used())
	w.str("contact_type", n.kind)
	w.str("customer_sub_type", n.subType)
	w.bool("is_bcy_only_contact", n.currency == b.base)
	w.raw(`"contact_tax_information":"","department":"","is_credit_limit_migration_completed":true,"language_code_formatted":"",` +
		`"photo_url":"","invited_by":"","portal_status":"disabled","is_client_review_asked":false,"contact_relation_type":"",` +
		`"owner_id":"","owner_name":"","source":"api","documents":[],"twitter":"","facebook":"","is_crm_customer":false,` +
		`"is_linked_with_zohocrm":false,"zcrm_account_id":"","zcrm_contact_id":"","crm_owner_id":"",`)
	w.id("primary_contact_id", p.id)
	w.int("payment_terms", n.terms)
	w.str("payment_terms_label", n.termsLabel)
	w.id("payment_terms_id", b.termsID())
	w.id("currency_id", n.currency.id)
	w.str("currency_code", n.currency.Code)
	w.str("currency_symbol", n.currency.Symbol)
	w.int("price_precision", int(n.currency.Precision))
	w.raw(`"credit_limit_exceeded_amount":0,"lock_details":{"can_lock":false},"locked_actions":[],` +
		`"lock_detail":{"can_lock":true,"custom_locks":[],"system_locks":[]},"exchange_rate":"","can_show_customer_ob":true,` +
		`"can_show_vendor_ob":true,"opening_balance_amount":0,"opening_balance_amount_bcy":"","outstanding_ob_receivable_amount":0,` +
		`"outstanding_ob_payable_amount":0,`)
	w.dec("outstanding_receivable_amount", n.receivable)
	w.dec("outstanding_receivable_amount_bcy", n.receivable)
	w.raw(`"outstanding_payable_amount":0,"outstanding_payable_amount_bcy":0,`)
	w.dec("unused_credits_receivable_amount", n.credits)
	w.dec("unused_credits_receivable_amount_bcy", n.credits)
	w.raw(`"unused_credits_payable_amount":0,"unused_credits_payable_amount_bcy":0,"unused_retainer_payments":0,`)
	w.str("status", n.status())
	w.raw(`"payment_reminder_enabled":true,"is_sms_enabled":true,"is_consent_agreed":false,"consent_date":"",` +
		`"is_client_review_settings_enabled":false,`)
	w.writeFields(n.fields)
	w.writeExtras(n.extra)
	w.raw(`"track_1099":false,"tax_id_type":"","tax_id_value":"","tax_reg_label":"","account_id":"","account_name":"",` +
		`"contact_category":"","sales_channel":"direct_sales","ach_supported":false,"portal_receipt_count":0,"opening_balances":[],`)
	w.id("entity_address_id", n.addressIDs+2)
	w.object("billing_address")
	w.id("address_id", n.addressIDs)
	w.address(&n.billing)
	w.close()
	w.object("shipping_address")
	w.id("address_id", n.addressIDs+1)
	w.address(&n.shipping)
	w.close()
	w.list("contact_persons")
	for _, p := range n.persons {
		w.open()
		w.id("contact_person_id", p.id)
		w.str("salutation", p.salutation)
		w.str("first_name", p.first)
		w.str("last_name", p.last)
		w.str("email", p.email)
		w.str("phone", p.phone)
		w.str("mobile", p.mobile)
		w.str("designation", p.job)
		w.bool("is_primary_contact", p.primary)
		w.close()
	}
	w.endList()
	w.raw(`"addresses":[],"pricebook_id":"","pricebook_name":"",`)
	w.object("default_templates")
	for _, t := range []string{"statement", "invoice", "bill", "estimate", "creditnote", "paymentthankyou", "invoice_email",
		"estimate_email", "creditnote_email", "paymentthankyou_email", "payment_remittance_email"} {
		w.empty(t+"_template_id", t+"_template_name")
	}
	w.close()
	w.raw(`"associated_with_square":false,"cards":[],"checks":[],"upi_mandates":[],"bank_accounts":[],"vpa_list":[],`)
	w.str("notes", n.notes)
	w.time("created_time", n.created, b.loc)
	w.str("created_date", n.created.In(b.loc).Format("02 Jan 2006"))
	w.str("created_by_name", "Test User")
	w.id("created_by_id", b.userID())
	w.id("last_modified_by_id", b.userID())
	w.time("last_modified_time", n.modified, b.loc)
	w.raw(`"tags":[],"zohopeople_client_id":"",`)
	w.list("customer_currency_summaries")
	w.open()
	w.currency(n.currency)
	w.int("price_precision", int(n.currency.Precision))
	w.bool("is_base_currency", n.currency == b.base)
	w.dec("outstanding_receivable_amount", n.receivable)
	w.dec("unused_credits_receivable_amount", n.credits)
	w.close()
	w.endList()
	w.raw(`"approvers_list":[],"submitted_date":"","submitted_by":"","submitted_by_name":"","submitted_by_email":"",` +
		`"submitted_by_photo_url":"","submitter_id":"","approver_id":"","integration_references":[],`)
}

// currency writes the members that name a document's currency.
func (w *writer) currency(c *currency) {
	w.id("currency_id", c.id)
	w.str("currency_code", c.Code)
	w.str("currency_symbol", c.Symbol)
	w.str("currency_name_formatted", c.Code+"- "+c.Name)
}

func (w *writer) writeExtras(extra []pair) {
	for _, e := range extra {
		w.str(e.name, e.value)
	}
}

func (w *writer) address(a *address) {
	w.str("attention", a.attention)
	w.str("address", a.address)
	w.str("street2", a.street2)
	w.str("city", a.city)
	w.str("state_code", a.stateCode)
	w.str("state", a.state)
	w.str("zip", a.zip)
	w.str("country", a.country)
	w.str("phone", a.phone)
	w.str("fax", a.fax)
	w.raw(`"county":"","latitude":"","longitude":"","country_code":"",`)
}

func (b *books) writeContactRow(w *writer, n *contact) {
	p := n.primary()
	w.id("contact_id", n.id)
	w.str("contact_name", n.name)
	w.str("customer_name", n.name)
	w.str("vendor_name", n.name)
	w.str("company_name", n.company)
	w.str("website", n.website)
	w.str("language_code", n.language)
	w.str("contact_type", n.kind)
	w.str("contact_type_formatted", map[string]string{"customer": "Customer", "vendor": "Vendors"}[n.kind])
	w.str("status", n.status())
	w.str("customer_sub_type", n.subType)
	w.raw(`"language_code_formatted":"","source":"api","is_linked_with_zohocrm":false,`)
	w.int("payment_terms", n.terms)
	w.id("payment_terms_id", b.termsID())
	w.str("payment_terms_label", n.termsLabel)
	w.id("currency_id", n.currency.id)
	w.str("currency_code", n.currency.Code)
	w.raw(`"twitter":"","facebook":"",`)
	w.dec("outstanding_receivable_amount", n.receivable)
	w.dec("outstanding_receivable_amount_bcy", n.receivable)
	w.raw(`"outstanding_payable_amount":0,"outstanding_payable_amount_bcy":0,`)
	w.dec("unused_credits_receivable_amount", n.credits)
	w.dec("unused_credits_receivable_amount_bcy", n.credits)
	w.raw(`"unused_credits_payable_amount":0,"unused_credits_payable_amount_bcy":0,`)
	w.str("first_name", p.first)
	w.str("last_name", p.last)
	w.str("email", p.email)
	w.str("phone", p.phone)
	w.str("mobile", p.mobile)
	w.raw(`"portal_status":"disabled","portal_status_formatted":"Disabled","track_1099":false,`)
	w.time("created_time", n.created, b.loc)
	w.str("created_time_formatted", n.created.In(b.loc).Format("02 Jan 2006"))
	w.time("last_modified_time", n.modified, b.loc)
	w.str("last_modified_time_formatted", n.modified.In(b.loc).Format("02 Jan 2006"))
	w.writeFields(n.fields)
	w.raw(`"contactperson_custom_fields":[],"tags":[],"ach_supported":false,"has_attachment":false,`)
}
