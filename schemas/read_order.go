package schemas

// The functions in the read files take fields in the order of the .avsc: the struct literals are evaluated in the
// order they are written, and row.slot panics at the first field out of order.

func (r *row) event() Event {
	return Event{
		EventID:      r.id("event_id"),
		OccurredAt:   r.instant("occurred_at"),
		Source:       r.str("source"),
		Organization: r.id("organization"),
		Location:     r.str("location"),
		Test:         r.boolean("test"),
		Attributes:   r.texts("attributes"),
	}
}

func readOrder(r *row) *Order {
	return &Order{
		Event:            r.event(),
		Kind:             OrderKind(r.enum("kind")),
		Revision:         r.long("revision"),
		OrderID:          r.id("order_id"),
		OrderNumber:      r.str("order_number"),
		Currency:         r.id("currency"),
		ExchangeRate:     r.nullDecimal("exchange_rate"),
		PricesIncludeTax: r.boolean("prices_include_tax"),
		Customer:         r.party("customer"),
		Lines:            r.lines("lines"),
		Discounts:        r.discounts("discounts"),
		Totals:           r.totals("totals"),
		PlaceOfSupply:    r.str("place_of_supply"),
		PlacedAt:         r.instant("placed_at"),
		DueAt:            r.instant("due_at"),
		Notes:            r.str("notes"),
	}
}

func (r *row) party(name string) Party {
	p, ok := r.object(name)
	if !ok {
		return Party{}
	}
	defer p.done()
	return Party{
		ID:              p.id("id"),
		Name:            p.str("name"),
		Email:           p.str("email"),
		Phone:           p.str("phone"),
		Company:         p.str("company"),
		TaxNumber:       p.str("tax_number"),
		TaxTreatment:    p.str("tax_treatment"),
		BillingAddress:  p.address("billing_address"),
		ShippingAddress: p.address("shipping_address"),
	}
}

func (r *row) address(name string) *Address {
	a, ok := r.object(name)
	if !ok {
		return nil
	}
	defer a.done()
	return &Address{
		Attention:  a.str("attention"),
		Line1:      a.str("line1"),
		Line2:      a.str("line2"),
		City:       a.str("city"),
		State:      a.str("state"),
		PostalCode: a.str("postal_code"),
		Country:    a.str("country"),
		Phone:      a.str("phone"),
	}
}

func (r *row) lines(name string) []Line {
	items, s := r.array(name)
	if len(items) == 0 {
		return nil
	}
	defer r.d.pop()
	lines := make([]Line, len(items))
	for i := range items {
		l, ok := r.d.item(items, i, s)
		if !ok {
			return nil
		}
		lines[i] = Line{
			LineID:      l.id("line_id"),
			Kind:        LineKind(l.enum("kind")),
			SKU:         l.str("sku"),
			Name:        l.str("name"),
			Description: l.str("description"),
			Quantity:    l.decimal("quantity"),
			UnitPrice:   l.decimal("unit_price"),
			Discount:    l.decimal("discount"),
			Net:         l.nullDecimal("net"),
			Taxes:       l.taxes("taxes"),
			HSNOrSAC:    l.str("hsn_or_sac"),
		}
		l.done()
	}
	return lines
}

func (r *row) taxes(name string) []Tax {
	items, s := r.array(name)
	if len(items) == 0 {
		return nil
	}
	defer r.d.pop()
	taxes := make([]Tax, len(items))
	for i := range items {
		t, ok := r.d.item(items, i, s)
		if !ok {
			return nil
		}
		taxes[i] = Tax{
			Code:        t.str("code"),
			Rate:        t.nullDecimal("rate"),
			Amount:      t.decimal("amount"),
			CollectedBy: TaxCollector(t.enum("collected_by")),
		}
		t.done()
	}
	return taxes
}

func (r *row) discounts(name string) []Discount {
	items, s := r.array(name)
	if len(items) == 0 {
		return nil
	}
	defer r.d.pop()
	discounts := make([]Discount, len(items))
	for i := range items {
		c, ok := r.d.item(items, i, s)
		if !ok {
			return nil
		}
		discounts[i] = Discount{
			Amount:    c.decimal("amount"),
			BeforeTax: c.boolean("before_tax"),
			Code:      c.str("code"),
			Taxes:     c.taxes("taxes"),
		}
		c.done()
	}
	return discounts
}

func (r *row) totals(name string) Totals {
	t, ok := r.object(name)
	if !ok {
		return Totals{}
	}
	defer t.done()
	return Totals{Net: t.decimal("net"), Tax: t.decimal("tax"), Gross: t.decimal("gross")}
}
