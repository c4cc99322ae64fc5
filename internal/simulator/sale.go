package simulator

import (
	"net/http"
	"strings"

	"github.com/shopspring/decimal"
)

// saleExtras are text fields of invoices and credit notes that are kept and shown again, nothing more.
var saleExtras = []string{
	"place_of_supply", "gst_treatment", "gst_no", "vat_treatment", "tax_treatment", "location_id", "tax_exemption_id", "tax_authority_id",
}

// fillSale reads what invoices and credit notes share. New documents have no customer yet.
func (b *books) fillSale(c *call, s *sale, entity string) *failure {
	v := &c.body
	isNew := s.customer == nil
	if id, ok := v.get("customer_id"); ok || isNew {
		var text string
		if ok {
			text = id.text
		}
		customer, f := c.customer(parseID(text))
		if f != nil {
			return f
		}
		s.customer = customer
	}
	if date := v.str("date"); date != "" {
		s.date = date
	} else if s.date == "" {
		s.date = b.today(c.now)
	}
	if f := b.locked(s.date); f != nil && (isNew || v.touchesMoney()) {
		return f
	}
	if f := b.fillCurrency(c, s, isNew); f != nil {
		return f
	}
	v.into("reference_number", &s.reference)
	v.into("notes", &s.notes)
	v.into("terms", &s.terms)
	if m, ok := v.get("is_inclusive_tax"); ok {
		s.inclusive = m.text == "true"
	}
	s.extra = v.extras(s.extra, saleExtras)
	if items, ok := v.get("line_items"); ok || isNew {
		if !ok || len(items.nodes) == 0 {
			return missingValue("line_items")
		}
		lines := make([]line, len(items.nodes))
		for i := range lines {
			if f := b.readLine(&items.nodes[i].value, &lines[i], s); f != nil {
				return f
			}
		}
		s.lines = lines
	}
	if f := b.checkSaleEdition(c, s, entity); f != nil {
		return f
	}
	fields, f := b.mergeFields(entity, s.fields, v.list("custom_fields"))
	if f != nil {
		return f
	}
	s.fields = c.headerField(entity, fields)
	return nil
}

// fillCurrency settles currency and rate. A foreign document without a rate gets 1: EUR 100 become USD 100.
func (b *books) fillCurrency(c *call, s *sale, isNew bool) *failure {
	v, switches := &c.body, &b.sim.cfg.Switches
	if isNew {
		s.currency = s.customer.currency
	}
	if id := v.id("currency_id"); id != 0 {
		cur := b.currencies[id]
		if cur == nil {
			return invalidValue("currency_id")
		}
		if cur != s.customer.currency && switches.ForeignCurrencyRefused {
			return refuse(http.StatusBadRequest, codeInvalidValue, "The currency differs from the currency of the customer.")
		}
		s.currency = cur
	}
	rate, f := b.readRate(v, s.currency, s.rate)
	if f != nil {
		return f
	}
	s.rate = rate
	return nil
}

func (b *books) readRate(v *value, cur *currency, old decimal.Decimal) (decimal.Decimal, *failure) {
	one := decimal.NewFromInt(1)
	if cur == b.base {
		return one, nil
	}
	rate := v.dec("exchange_rate")
	switch {
	case rate.IsNegative():
		return one, invalidValue("exchange_rate")
	case rate.IsPositive():
		return rate, nil
	case old.IsPositive():
		return old, nil
	case b.sim.cfg.Switches.RateRequired:
		return one, missingValue("exchange_rate")
	}
	return one, nil
}

// readLine reads one line; what it does not say comes from its item. A line that names an id the document has keeps it.
func (b *books) readLine(v *value, l *line, s *sale) *failure {
	l.id = b.newID()
	if id := v.id("line_item_id"); id != 0 {
		for i := range s.lines {
			if s.lines[i].id == id {
				l.id = id
			}
		}
	}
	l.account, l.quantity = b.system.sales, decimal.NewFromInt(1)
	if id := v.id("item_id"); id != 0 {
		item, ok := b.items.get(id)
		if !ok {
			return refuse(http.StatusNotFound, codeNotFound, "Item does not exist.")
		}
		if item.inactive {
			return refuse(http.StatusBadRequest, codeInUse, "The item "+item.name+" is inactive.")
		}
		l.item, l.account, l.name, l.description = item, item.account, item.name, item.description
		l.unit, l.rate, l.tax = item.unit, item.rate, item.tax
	} else if _, rated := v.get("rate"); !rated {
		return missingValue("rate")
	}
	if id := v.id("account_id"); id != 0 {
		if l.account = b.accountIDs[id]; l.account == nil {
			return invalidValue("account_id")
		}
	}
	v.into("name", &l.name)
	v.into("description", &l.description)
	v.into("unit", &l.unit)
	if l.item == nil && l.name == "" && l.description == "" && l.account == b.system.sales {
		return missingValue("name")
	}
	if m, ok := v.get("rate"); ok {
		l.rate = m.number()
	}
	if m, ok := v.get("quantity"); ok {
		l.quantity = m.number()
	}
	if !l.quantity.IsPositive() {
		return invalidValue("quantity")
	}
	if l.rate.IsNegative() && !b.sim.cfg.Switches.AcceptNegativeRates {
		return invalidValue("rate")
	}
	if f := l.readDiscount(v); f != nil {
		return f
	}
	if f := b.readLineTax(v, l); f != nil {
		return f
	}
	l.invoice, l.invoiceLine = v.id("invoice_id"), v.id("invoice_item_id")
	l.extra = v.extras(nil, []string{"hsn_or_sac", "location_id", "product_type", "tax_treatment_code"})
	return nil
}

func (l *line) readDiscount(v *value) *failure {
	l.discountText = v.str("discount")
	if percent, is := strings.CutSuffix(l.discountText, "%"); is {
		l.percent = mustDecimal(percent)
	} else if l.discountText != "" {
		l.discount = mustDecimal(l.discountText)
	} else if amount := v.dec("discount_amount"); !amount.IsZero() {
		l.discount, l.discountText = amount, amount.String()
	}
	whole := l.rate.Mul(l.quantity)
	if l.percent.IsNegative() || l.percent.GreaterThan(hundred) || l.discount.IsNegative() || l.discount.IsPositive() && l.discount.GreaterThan(whole) {
		return invalidValue("discount")
	}
	return nil
}

func (b *books) readLineTax(v *value, l *line) *failure {
	if m, ok := v.get("tax_id"); ok {
		l.tax = nil
		if m.text != "" {
			if l.tax = b.taxes[parseID(m.text)]; l.tax == nil || l.tax.Inactive {
				return refuse(http.StatusBadRequest, codeInvalidValue, "Invalid value passed for tax_id")
			}
		}
	}
	if id := v.id("tax_exemption_id"); id != 0 {
		for _, e := range b.exemptions {
			if e.id == id {
				l.exemption = e
			}
		}
		if l.exemption == nil {
			return invalidValue("tax_exemption_id")
		}
		l.tax = nil
	}
	return nil
}

// addUp computes the totals and refuses what cannot be.
func (b *books) addUp(s *sale) *failure {
	s.compute(rules{itemLevel: b.sim.cfg.Switches.ItemLevelTax, increment: b.org.RoundOff.increment()})
	if s.total.IsNegative() {
		return refuse(http.StatusBadRequest, codeInvalidValue, "The total amount cannot be negative.")
	}
	return nil
}
