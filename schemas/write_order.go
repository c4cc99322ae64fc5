package schemas

// event returns the map of an event, with its own fields set and the kind's still to be. Every key of a map is set each
// time: it may have been used before.
func (e *encoder) event(v *Event, s shape) map[string]any {
	m := e.lend(s)
	m["event_id"] = e.id("event_id", v.EventID)
	m["occurred_at"] = e.instant("occurred_at", v.OccurredAt)
	m["source"] = e.str("source", v.Source)
	m["organization"] = e.id("organization", v.Organization)
	m["location"] = e.opt("location", v.Location)
	m["test"] = v.Test
	m["attributes"] = e.texts("attributes", v.Attributes)
	return m
}

func (e *encoder) order(v *Order) map[string]any {
	m := e.event(&v.Event, shapeOrder)
	m["kind"] = e.enum("kind", string(v.Kind), string(OrderCreated), string(OrderUpdated), string(OrderCancelled))
	m["revision"] = v.Revision
	m["order_id"] = e.id("order_id", v.OrderID)
	m["order_number"] = e.str("order_number", v.OrderNumber)
	m["currency"] = e.id("currency", v.Currency)
	m["exchange_rate"] = e.nullDecimal("exchange_rate", v.ExchangeRate, scaleRate)
	m["prices_include_tax"] = v.PricesIncludeTax
	m["customer"] = e.party("customer", &v.Customer)
	m["lines"] = e.lines("lines", v.Lines)
	m["discounts"] = e.discounts("discounts", v.Discounts)
	m["totals"] = e.totals("totals", &v.Totals)
	m["place_of_supply"] = e.opt("place_of_supply", v.PlaceOfSupply)
	m["placed_at"] = e.instant("placed_at", v.PlacedAt)
	m["due_at"] = e.nullInstant("due_at", v.DueAt)
	m["notes"] = e.opt("notes", v.Notes)
	return m
}

func (e *encoder) party(name string, v *Party) any {
	e.push(name)
	defer e.pop()
	m := e.lend(shapeParty)
	m["id"] = e.id("id", v.ID)
	m["name"] = e.str("name", v.Name)
	m["email"] = e.str("email", v.Email)
	m["phone"] = e.opt("phone", v.Phone)
	m["company"] = e.opt("company", v.Company)
	m["tax_number"] = e.opt("tax_number", v.TaxNumber)
	m["tax_treatment"] = e.opt("tax_treatment", v.TaxTreatment)
	m["billing_address"] = nil
	m["shipping_address"] = nil
	if v.BillingAddress == nil {
		e.fail("billing_address", "is nil")
		return nil
	}
	m["billing_address"] = e.address("billing_address", v.BillingAddress)
	if v.ShippingAddress != nil {
		m["shipping_address"] = e.wrap(shapeBranch, e.branch("Address"), e.address("shipping_address", v.ShippingAddress))
	}
	return m
}

func (e *encoder) address(name string, v *Address) any {
	e.push(name)
	defer e.pop()
	m := e.lend(shapeAddress)
	m["attention"] = e.str("attention", v.Attention)
	m["line1"] = e.str("line1", v.Line1)
	m["line2"] = e.str("line2", v.Line2)
	m["city"] = e.str("city", v.City)
	m["state"] = e.str("state", v.State)
	m["postal_code"] = e.str("postal_code", v.PostalCode)
	m["country"] = e.str("country", v.Country)
	m["phone"] = e.str("phone", v.Phone)
	return m
}

func (e *encoder) lines(name string, lines []Line) any {
	e.push(name)
	defer e.pop()
	items := make([]any, len(lines))
	for i := range lines {
		v := &lines[i]
		e.pushItem(i)
		m := e.lend(shapeLine)
		m["line_id"] = e.id("line_id", v.LineID)
		m["kind"] = e.enum("kind", string(v.Kind), string(LineGoods), string(LineService), string(LineShipping), string(LineFee),
			string(LineTip), string(LineGiftCard), string(LineRounding))
		m["sku"] = e.opt("sku", v.SKU)
		m["name"] = e.str("name", v.Name)
		m["description"] = e.opt("description", v.Description)
		m["quantity"] = e.decimal("quantity", v.Quantity, scaleSix)
		m["unit_price"] = e.decimal("unit_price", v.UnitPrice, scaleSix)
		m["discount"] = e.money("discount", v.Discount)
		m["net"] = e.nullMoney("net", v.Net)
		m["taxes"] = e.taxes("taxes", v.Taxes)
		m["hsn_or_sac"] = e.opt("hsn_or_sac", v.HSNOrSAC)
		items[i] = m
		e.pop()
	}
	return items
}

func (e *encoder) taxes(name string, taxes []Tax) []any {
	e.push(name)
	defer e.pop()
	items := make([]any, len(taxes))
	for i := range taxes {
		v := &taxes[i]
		e.pushItem(i)
		m := e.lend(shapeTax)
		m["code"] = e.opt("code", v.Code)
		m["rate"] = e.nullDecimal("rate", v.Rate, scaleSix)
		m["amount"] = e.money("amount", v.Amount)
		m["collected_by"] = e.enum("collected_by", string(v.CollectedBy), string(CollectedBySeller), string(CollectedByMarketplace))
		items[i] = m
		e.pop()
	}
	return items
}

func (e *encoder) discounts(name string, discounts []Discount) any {
	e.push(name)
	defer e.pop()
	items := make([]any, len(discounts))
	for i := range discounts {
		v := &discounts[i]
		e.pushItem(i)
		m := e.lend(shapeDiscount)
		m["amount"] = e.money("amount", v.Amount)
		m["before_tax"] = v.BeforeTax
		m["code"] = e.opt("code", v.Code)
		m["taxes"] = nil
		if len(v.Taxes) > 0 {
			m["taxes"] = e.wrap(shapeArray, "array", e.taxes("taxes", v.Taxes))
		}
		items[i] = m
		e.pop()
	}
	return items
}

func (e *encoder) totals(name string, v *Totals) any {
	e.push(name)
	defer e.pop()
	m := e.lend(shapeTotals)
	m["net"] = e.money("net", v.Net)
	m["tax"] = e.money("tax", v.Tax)
	m["gross"] = e.money("gross", v.Gross)
	return m
}
