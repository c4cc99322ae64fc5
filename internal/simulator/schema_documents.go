package simulator

// Lines of invoices and credit notes differ, and so do the documents: a credit note has no shipping charge, discount or
// adjustment of its own. What the documents leave out but recordings or production code show is listed too;
// batch_payments (dossier 4.5: "semantics otherwise undocumented") is refused.
var (
	invoiceLineSchema = newSchema(`
		line_item_id id
		item_id id
		account_id id
		project_id id
		time_entry_ids any
		product_type text
		hsn_or_sac text @in,ke,za
		sat_item_key_code text @mx
		unitkey_code text @mx
		location_id id
		expense_id id
		bill_id id
		bill_item_id id
		expense_receipt_name text
		name text 100
		description text 2000
		item_order int
		bcy_rate number
		rate number
		quantity number
		unit text 100
		discount_amount number
		discount share
		tags any
		tax_id id
		tds_tax_id id @mx
		tax_name text
		tax_type text
		tax_percentage number
		tax_treatment_code text @gcc
		tax_exemption_id id @in,us,au,ca
		tax_exemption_code text @in,us,au,ca,mx
		salesorder_item_id id
		line_item_category text`, nil)

	creditLineSchema = newSchema(`
		line_item_id id
		item_id id
		invoice_id id
		invoice_item_id id
		description text 2000
		code text
		name text 100
		type text
		account_id id
		account_name text
		item_order int
		rate number
		quantity number
		unit text 100
		discount share
		discount_amount number
		tax_id id
		tds_tax_id id @mx
		tax_exemption_id id @in,us,au,ca
		tax_exemption_code text @in,us,au,ca,mx
		tax_treatment_code text @gcc
		product_type text
		hsn_or_sac text @in,ke,za
		sat_item_key_code text @mx
		unitkey_code text @mx
		item_custom_fields any
		serial_numbers any
		location_id id
		location_name text
		project_id id
		tags any
		line_item_category text`, nil)

	invoiceSchema = newSchema(`
		customer_id id
		currency_id id
		contact_persons any
		contact_persons_associated any
		invoice_number text 100
		place_of_supply text @in,gcc
		vat_treatment text @uk
		tax_treatment text @gcc,mx,ke,za
		is_reverse_charge_applied bool @za
		gst_treatment text @in
		gst_no text 15 @in
		cfdi_usage text @mx
		cfdi_reference_type text @mx
		reference_invoice_id id @mx
		reference_number text 100
		template_id id
		date date
		payment_terms int
		payment_terms_label text 100
		due_date date
		discount share
		is_discount_before_tax bool
		discount_type text
		is_inclusive_tax bool
		exchange_rate number
		location_id id
		recurring_invoice_id id
		invoiced_estimate_id id
		salesperson_name text 200
		custom_fields list =customfield
		tags any
		send bool
		line_items list =line
		payment_options any
		allow_partial_payments bool
		custom_body text
		custom_subject text
		notes text
		terms text
		shipping_charge number
		adjustment number
		adjustment_description text
		reason text
		tax_authority_id id @us
		tax_exemption_id id @in,us
		billing_address_id id
		shipping_address_id id
		tax_id id
		expense_id id
		salesorder_item_id id
		time_entry_ids any`, map[string]schema{"customfield": customFieldSchema, "line": invoiceLineSchema})

	creditNoteSchema = newSchema(`
		customer_id id
		currency_id id
		contact_persons any
		contact_persons_associated any
		date date
		is_draft bool
		exchange_rate number
		line_items list =line
		location_id id
		creditnote_number text 100
		gst_treatment text @in
		tax_treatment text @gcc,mx,ke,za
		is_reverse_charge_applied bool @za
		gst_no text 15 @in
		cfdi_usage text @mx
		cfdi_reference_type text @mx
		place_of_supply text @in,gcc
		ignore_auto_number_generation bool
		reference_number text 100
		custom_fields list =customfield
		tags any
		notes text
		terms text
		template_id id
		tax_id id
		tax_authority_id id @us
		tax_exemption_id id @in,us,au,ca
		vat_treatment text @uk
		is_inclusive_tax bool !us,ca`, map[string]schema{"customfield": customFieldSchema, "line": creditLineSchema})
)
