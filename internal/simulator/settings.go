package simulator

import (
	"net/http"
	"slices"
	"strings"
)

// Organisations, taxes, currencies, accounts, transaction locks and custom fields: what booksync reads to set itself up.

func listOrganizations(c *call) *failure {
	w := c.ok("success")
	w.list("organizations")
	for i, id := range c.s.orgIDs {
		if b := c.s.orgs[id]; c.token.opens(b) {
			w.open()
			b.writeOrganization(w, i == 0)
			w.close()
		}
	}
	w.endList()
	return c.done()
}

func getOrganization(c *call) *failure {
	b := c.s.orgs[utoa(c.ids[0])]
	if b == nil || !c.token.opens(b) {
		return refuse(http.StatusNotFound, codeNotFound, "Organization does not exist.")
	}
	w := c.ok("success")
	w.object("organization")
	b.writeOrganization(w, true)
	w.raw(`"tax_basis":"accrual","is_registered_for_tax":true,`)
	w.bool("is_registered_for_gst", b.org.Edition == "in")
	w.close()
	return c.done()
}

func (b *books) writeOrganization(w *writer, first bool) {
	w.str("organization_id", b.org.ID)
	w.str("name", b.org.Name)
	w.raw(`"contact_name":"Test User","email":"user@example.com","language_code":"en","fiscal_year_start_month":"1",` +
		`"account_created_date":"2026-01-01","is_dst_active":true,"date_format":"MM/dd/yyyy","field_separator":",",` +
		`"industry_type":"Technology","industry_size":"1-10","company_id_label":"","company_id_value":"","tax_id_label":"",` +
		`"tax_id_value":"","plan_type":3,"plan_period":"Month","portal_name":"simulator","org_settings":{"is_org_active":true},`)
	w.bool("is_default_org", first)
	w.str("time_zone", b.org.TimeZone)
	w.id("currency_id", b.base.id)
	w.str("currency_code", b.base.Code)
	w.str("currency_symbol", b.base.Symbol)
	w.str("currency_format", currencyFormat(b.base.Precision))
	w.int("price_precision", int(b.base.Precision))
	w.str("plan_name", b.org.Plan)
	w.str("country_code", b.org.Country)
	w.str("country_name", b.org.Country)
}

func currencyFormat(places int32) string {
	return strings.TrimSuffix("###,##0."+strings.Repeat("0", int(places)), ".")
}

func getUser(c *call) *failure {
	w := c.ok("success")
	w.object("user")
	w.str("user_id", utoa(hash64("user")%recordDigits))
	w.raw(`"name":"Test User","email":"user@example.com","email_ids":[{"is_selected":true,"email":"user@example.com"}],` +
		`"status":"active","user_role":"admin","role_id":"1",`)
	w.close()
	return c.done()
}

func listTaxes(c *call) *failure {
	taxes := slices.DeleteFunc(slices.Clone(c.org.taxOrder), func(t *tax) bool { return t.Inactive })
	slices.SortFunc(taxes, func(a, b *tax) int { return strings.Compare(a.Name, b.Name) })
	p := c.page()
	p.more = p.to < len(taxes)
	w := c.ok("success")
	w.list("taxes")
	for _, t := range cut(taxes, p) {
		w.open()
		c.org.writeTax(w, t)
		w.close()
	}
	w.endList()
	c.writePage(p, "Taxes", "Taxes.Active", "tax_name", "A")
	return c.done()
}

func (b *books) writeTax(w *writer, t *tax) {
	w.id("tax_id", t.id)
	w.str("tax_name", t.Name)
	w.dec("tax_percentage", t.rate)
	w.str("tax_type", t.kind())
	w.str("tax_specific_type", t.Specific)
	w.raw(`"tax_factor":"rate","tax_authority_id":"","tax_authority_name":"","is_value_added":false,"is_default_tax":false,` +
		`"is_editable":true,"is_inactive":false,`)
	if t.account != nil {
		w.id("tax_account_id", t.account.id)
		w.str("output_tax_account_name", t.account.Name)
	}
}

func getTax(c *call) *failure {
	t := c.org.taxes[c.ids[0]]
	if t == nil || t.group != nil {
		return notFound("Tax")
	}
	w := c.ok("success")
	w.object("tax")
	c.org.writeTax(w, t)
	w.close()
	return c.done()
}

func createTax(c *call) *failure {
	b := c.org
	if f := taxSchema.check(&c.body, b.org.Edition, b.invalidElement()); f != nil {
		return f
	}
	name := c.body.str("tax_name")
	if name == "" || c.body.str("tax_percentage") == "" {
		return missingValue("tax_name")
	}
	if b.taxes[namedID(b.org.ID, KindTax, name)] != nil {
		return refuse(http.StatusBadRequest, codeExists, "Tax already exists")
	}
	t := b.addTax(Tax{Name: name, Percentage: c.body.str("tax_percentage"), Compound: c.body.str("tax_type") == "compound_tax",
		Specific: c.body.str("tax_specific_type")}, c.body.dec("tax_percentage"))
	c.created("settings/taxes", t.id)
	w := c.ok("The tax has been added.")
	w.object("tax")
	b.writeTax(w, t)
	w.close()
	return c.done()
}

func getTaxGroup(c *call) *failure {
	t := c.org.taxes[c.ids[0]]
	if t == nil || t.group == nil {
		return notFound("Tax Group")
	}
	w := c.ok("success")
	w.object("tax_group")
	w.id("tax_group_id", t.id)
	w.str("tax_group_name", t.Name)
	w.dec("tax_group_percentage", t.rate)
	w.list("taxes")
	for _, m := range t.group {
		w.open()
		c.org.writeTax(w, m)
		w.close()
	}
	w.endList()
	w.close()
	return c.done()
}

func listExemptions(c *call) *failure {
	w := c.ok("success")
	w.list("tax_exemptions")
	for _, e := range c.org.exemptions {
		w.open()
		w.id("tax_exemption_id", e.id)
		w.str("tax_exemption_code", e.Code)
		w.str("type", e.Type)
		w.raw(`"description":"",`)
		w.close()
	}
	w.endList()
	return c.done()
}

func listCurrencies(c *call) *failure {
	list := slices.Clone(c.org.curOrder)
	slices.SortFunc(list, func(a, b *currency) int { return strings.Compare(a.Code, b.Code) })
	p := c.page()
	p.more = p.to < len(list)
	w := c.ok("success")
	w.list("currencies")
	for _, cur := range cut(list, p) {
		w.open()
		c.org.writeCurrency(w, cur)
		w.close()
	}
	w.endList()
	w.object("page_context")
	w.int("page", p.number)
	w.int("per_page", p.per)
	w.bool("has_more_page", p.more)
	w.str("report_name", "Currencies")
	w.close()
	return c.done()
}

func (b *books) writeCurrency(w *writer, cur *currency) {
	w.currency(cur)
	w.str("currency_name", cur.Name)
	w.int("price_precision", int(cur.Precision))
	w.str("currency_format", strings.TrimSuffix("1,234,567."+"890"[:cur.Precision], "."))
	w.bool("is_base_currency", cur == b.base)
	w.dec("exchange_rate", cur.rate)
	w.raw(`"effective_date":"","auto_exchange_rate_enabled":true,`)
}

func listRates(c *call) *failure {
	cur := c.org.currencies[c.ids[0]]
	if cur == nil {
		return notFound("Currency")
	}
	w := c.ok("success")
	w.list("exchange_rates")
	from := c.query.Get("from_date")
	for i, r := range slices.Backward(cur.set) { // the newest first
		w.open()
		w.id("exchange_rate_id", cur.id+uint64(i)+1)
		w.id("currency_id", cur.id)
		w.str("currency_code", cur.Code)
		w.str("effective_date", r.day)
		w.dec("rate", r.rate)
		w.close()
		if from != "" && r.day <= from { // the one of that day, or the closest before
			break
		}
	}
	w.endList()
	return c.done()
}

// ratesBegin is from when on the rates of the configuration are in force.
const ratesBegin = "2000-01-01"

func createRate(c *call) *failure {
	cur := c.org.currencies[c.ids[0]]
	if cur == nil {
		return notFound("Currency")
	}
	rate := c.body.dec("rate")
	if !rate.IsPositive() {
		return invalidValue("rate")
	}
	day := text(c.body.str("effective_date"), c.org.today(c.now))
	cur.set = slices.DeleteFunc(cur.set, func(r rateFrom) bool { return r.day == day })
	cur.set = append(cur.set, rateFrom{day, rate})
	slices.SortFunc(cur.set, func(a, b rateFrom) int { return strings.Compare(a.day, b.day) })
	cur.rate = cur.set[len(cur.set)-1].rate
	c.status = http.StatusCreated
	return c.say("The exchange rate has been added.")
}

func listLocks(c *call) *failure {
	w := c.ok("success")
	w.list("transaction_locks")
	for _, l := range c.org.locks {
		w.open()
		w.id("transaction_lock_id", l.id)
		w.str("transaction_lock_date", l.Date)
		w.int("lock_scope", l.Scope)
		w.str("reason", l.Reason)
		w.raw(`"accounting_period_id":"","transaction_lock_status":"enabled","lock_status":"locked","lock_scope_formatted":"All",` +
			`"lock_status_formatted":"Locked","partial_lock_number":0,"accounting_period_name":"","fiscal_year_name":"","start_date":"",` +
			`"end_date":"","status":"active","is_adjustment_period":false,"locked_by":"Test User","user_exceptions":[],` +
			`"user_exceptions_count":0,"account_exceptions":[],"account_exceptions_count":0,"active_lock_summary":{},`)
		w.close()
	}
	w.endList()
	c.writePage(page{number: 1, per: defaultPerPage}, "Transaction Locks", "Status.All", "start_date", "D")
	return c.done()
}

func listFields(c *call) *failure {
	w := c.ok("success")
	w.list("fields")
	for _, entity := range []string{EntityContact, EntityItem, EntityInvoice, EntityCreditNote, EntityPayment} {
		if want := c.query.Get("entity"); want != "" && want != entity {
			continue
		}
		for _, f := range c.org.fields[entity] {
			w.open()
			w.writeField(f)
			w.close()
		}
	}
	w.endList()
	return c.done()
}

func createField(c *call) *failure {
	b, v := c.org, &c.body
	if f := fieldSchema.check(v, b.org.Edition, b.invalidElement()); f != nil {
		return f
	}
	for _, name := range []string{"label", "data_type", "entity"} {
		if v.str(name) == "" {
			return missingValue(name)
		}
	}
	entity := v.str("entity")
	if !slices.Contains([]string{EntityContact, EntityItem, EntityInvoice, EntityCreditNote, EntityPayment}, entity) {
		return invalidValue("entity")
	}
	for _, f := range b.fields[entity] {
		if strings.EqualFold(f.Label, v.str("label")) {
			return refuse(http.StatusBadRequest, codeExists, "Field label already exists")
		}
	}
	def := b.addField(Field{Entity: entity, Label: v.str("label"), DataType: v.str("data_type"), Unique: v.isTrue("is_unique")})
	c.created("settings/fields", def.id)
	w := c.ok("The custom field has been created.")
	w.object("field")
	w.writeField(def)
	w.close()
	return c.done()
}

func (w *writer) writeField(f *fieldDef) {
	w.id("field_id", f.id)
	w.str("label", f.Label)
	w.str("api_name", f.APIName)
	w.str("data_type", f.DataType)
	w.str("entity", f.Entity)
	w.bool("is_unique", f.Unique)
	w.int("index", f.index)
	w.raw(`"is_active":true,"is_mandatory":false,"show_on_pdf":false,"max_length":255,"is_custom_field":true,"values":[],`)
}
