package simulator

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// schema lists the fields of a request. A field that is not listed, or is listed for other editions, is refused with
// `Invalid Element <field>`: dossier 4, "Sending a field of another edition is an error, not ignored".
type schema map[string]rule

type rule struct {
	kind     string // text, id, number, bool, date, int, share (number or "10%"), object, list, ids, any
	max      int    // characters of a text, 0: any
	of       schema // members of an object, or of a list's elements
	editions []string
	missing  []string // editions that do not have it
}

// newSchema reads one field a line: name, kind, then any of: a maximum length, @editions, !editions without it, and
// =name of the schema of its members.
func newSchema(text string, parts map[string]schema) schema {
	s := schema{}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		r := rule{kind: words[1]}
		for _, w := range words[2:] {
			switch w[0] {
			case '@':
				r.editions = strings.Split(w[1:], ",")
			case '!':
				r.missing = strings.Split(w[1:], ",")
			case '=':
				r.of = parts[w[1:]]
			default:
				r.max, _ = strconv.Atoi(w)
			}
		}
		s[words[0]] = r
	}
	return s
}

// check refuses what the schema does not allow in v, an object.
func (s schema) check(v *value, edition string, invalidElement int) *failure {
	if v.kind != kindObject {
		return errBadJSON
	}
	for i := range v.nodes {
		m := &v.nodes[i]
		r, ok := s[m.name]
		if !ok || !r.in(edition) {
			return refuse(400, invalidElement, "Invalid Element "+m.name)
		}
		if f := r.check(m.name, &m.value, edition, invalidElement); f != nil {
			return f
		}
	}
	return nil
}

func (r rule) in(edition string) bool {
	if len(r.editions) > 0 && !slices.Contains(r.editions, edition) {
		return false
	}
	return !slices.Contains(r.missing, edition)
}

func (r rule) check(name string, v *value, edition string, invalidElement int) *failure {
	if v.kind == kindNull || r.kind == "any" {
		return nil
	}
	scalar := v.kind == kindString || v.kind == kindNumber
	ok := true
	switch r.kind {
	case "text":
		ok = scalar
		if r.max > 0 && len(v.text) > r.max && len([]rune(v.text)) > r.max {
			return tooLong(name, r.max)
		}
	case "id":
		ok = scalar && (v.text == "" || isDigits(v.text) && len(v.text) <= 19)
	case "number":
		ok = scalar && (v.text == "" || isNumber(v.text))
	case "share":
		ok = scalar && (v.text == "" || isNumber(strings.TrimSuffix(v.text, "%")))
	case "int":
		ok = scalar && isDigits(v.text)
	case "bool":
		ok = v.kind == kindBool || v.kind == kindString && (v.text == "true" || v.text == "false" || v.text == "")
	case "date":
		ok = v.kind == kindString && (v.text == "" || isDate(v.text))
	case "object":
		if ok = v.kind == kindObject; ok {
			return r.of.check(v, edition, invalidElement)
		}
	case "list":
		if ok = v.kind == kindArray; ok {
			for i := range v.nodes {
				if f := r.of.check(&v.nodes[i].value, edition, invalidElement); f != nil {
					return f
				}
			}
		}
	case "ids":
		ok = v.kind == kindArray
	}
	if !ok {
		return invalidValue(name)
	}
	return nil
}

func isDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

func isNumber(s string) bool {
	if len(s) > 40 || strings.ContainsAny(s, "eEnNiIxXpP_") {
		return false
	}
	_, err := decimal.NewFromString(s)
	return err == nil
}

func isDate(s string) bool {
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}

// editionOf is Zoho's name of the edition sold in a country. The tables name us, uk, in, gcc, au, ca, mx, ke and za.
func editionOf(country string) string {
	switch country {
	case "GB":
		return "uk"
	case "AE", "SA", "BH", "OM", "QA", "KW":
		return "gcc"
	case "US", "IN", "AU", "CA", "MX", "KE", "ZA":
		return strings.ToLower(country)
	}
	return "global"
}

var (
	customFieldSchema = newSchema(`
		customfield_id id
		field_id id
		index int
		label text
		api_name text
		value any`, nil)

	addressSchema = newSchema(`
		attention text 100
		address text 500
		street2 text 255
		city text 100
		state text 100
		state_code text
		zip text 50
		country text 100
		phone text 50
		fax text 50`, nil)

	personSchema = newSchema(`
		contact_person_id id
		salutation text 25
		first_name text 100
		last_name text 100
		email text 100
		phone text 50
		mobile text 50
		designation text
		department text
		skype text
		is_primary_contact bool
		communication_preference any
		enable_portal bool`, nil)

	parts = map[string]schema{"customfield": customFieldSchema, "address": addressSchema, "person": personSchema}

	contactSchema = newSchema(`
		contact_name text 200
		company_name text 200
		website text
		language_code text
		contact_type text
		customer_sub_type text
		credit_limit number
		pricebook_id id
		contact_number text 200
		ignore_auto_number_generation bool
		tags any
		is_portal_enabled bool
		currency_id id
		payment_terms int
		payment_terms_label text 100
		notes text
		billing_address object =address
		shipping_address object =address
		contact_persons list =person
		default_templates any
		custom_fields list =customfield
		opening_balances any
		owner_id id
		facebook text
		twitter text
		tax_authority_name text
		vat_reg_no text 12 @uk
		tax_reg_no text 15 @gcc,mx,ke,za
		tax_exemption_certificate_number text @ke
		country_code text @uk,gcc
		vat_treatment text @uk
		tax_treatment text @gcc,mx,ke,za
		tax_regime text @mx
		legal_name text @mx
		is_tds_registered bool @mx
		place_of_contact text @in
		gst_no text 15 @in
		gst_treatment text @in
		tax_exemption_id id @us,ca,au,in
		tax_exemption_code text @us,ca,au,in
		tax_authority_id id @us
		tax_id id @in,us
		tds_tax_id id @mx
		is_taxable bool @us,ca,au,in,mx,ke,za
		track_1099 bool @us
		tax_id_type text @us
		tax_id_value text @us`, parts)

	itemSchema = newSchema(`
		name text 100
		rate number
		description text 2000
		sku text 100
		unit text 100
		tax_id id !us,in
		tax_percentage number
		product_type text
		item_type text
		hsn_or_sac text @in,ke,za
		is_taxable bool @in,us,mx,ke,za
		tax_exemption_id id @in,us,mx,ke,za
		account_id id
		purchase_description text
		purchase_rate number
		purchase_account_id id
		inventory_account_id id
		vendor_id id
		reorder_level number
		locations any
		item_tax_preferences any @in
		custom_fields list =customfield`, parts)

	paymentSchema = newSchema(`
		customer_id id
		payment_mode text 100
		amount number
		date date
		reference_number text 50
		description text
		invoices list =applied
		exchange_rate number
		payment_form text @mx
		bank_charges number
		bank_charges_account_id id
		custom_fields list =customfield
		location_id id
		invoice_id id
		amount_applied number
		account_id id
		contact_persons any
		retainerinvoice_id id
		tags any`, map[string]schema{"customfield": customFieldSchema, "applied": newSchema(`
			invoice_id id
			invoice_payment_id id
			amount_applied number
			tax_amount_withheld number`, nil)})

	refundSchema = newSchema(`
		date date
		refund_mode text 50
		payment_form text @mx
		reference_number text 50
		amount number
		exchange_rate number
		from_account_id id
		description text`, nil)

	journalSchema = newSchema(`
		journal_date date
		reference_number text
		notes text
		journal_type text
		vat_treatment text @uk,eu
		include_in_vat_return bool @uk,eu
		is_bas_adjustment bool @au
		exchange_rate number
		tax_exemption_code text @in,us,au,ca
		tax_exemption_type text @in,us,au,ca
		status text
		currency_id id
		location_id id
		product_type text @uk
		custom_fields any
		tags any
		line_items list =leg`, map[string]schema{"leg": newSchema(`
			account_id id
			customer_id id
			line_id id
			description text
			tax_exemption_id id @in,us,au,ca,mx
			tax_authority_id id @us,au,ca,mx
			tax_id id
			amount number
			debit_or_credit text
			acquisition_vat_id id @uk
			reverse_charge_vat_id id @uk
			location_id id
			tags any
			project_id id`, nil)})

	applySchema = newSchema(`
		invoices list =applied
		invoice_id id
		amount_applied number`, map[string]schema{"applied": newSchema(`
			invoice_id id
			amount_applied number`, nil)})

	creditsSchema = newSchema(`
		invoice_payments list =payment
		apply_creditnotes list =note`, map[string]schema{
		"payment": newSchema(`
			payment_id id
			amount_applied number`, nil),
		"note": newSchema(`
			creditnote_id id
			amount_applied number`, nil)})

	fieldSchema = newSchema(`
		label text 100
		data_type text
		entity text
		show_on_pdf bool
		is_mandatory bool
		placeholder text
		default_value any
		value_length int
		decimal_precision int
		values any
		is_basecurrency_amount bool
		related_entity text
		related_list_name text
		formula text
		return_data_type text
		pii_type text
		is_unique bool
		help_text text
		edit_on_portal bool
		show_on_portal bool
		visibility any`, nil)

	taxSchema = newSchema(`
		tax_name text 100
		tax_percentage number
		tax_type text
		tax_factor text
		tax_specific_type text
		tax_authority_name text
		tax_authority_id id
		country_code text
		purchase_tax_expense_account_id id
		is_value_added bool
		update_recurring_invoice bool
		update_recurring_expense bool
		is_editable bool`, nil)
)
