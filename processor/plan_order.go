package processor

import (
	"slices"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/processor/money"
	"github.com/booksync/booksync/schemas"
)

// planInvoice plans the invoice of an order that passed checkOrder: the request whose total Zoho computes to the event's
// total. Where the seller rounds taxes differently than Zoho does, the difference goes into the adjustment and into the
// plan's Difference; more than the tolerance is rejected. origin is the text of the origin field.
func planInvoice(o *schemas.Order, org *Organization, contactID, origin string) (*invoicePlan, *Rejection) {
	s, r := newSheet(o, org)
	if r != nil {
		return nil, r
	}
	return planSheet(s, contactID, origin)
}

// planSheet is planInvoice of an order that is laid out already.
func planSheet(s *sheet, contactID, origin string) (*invoicePlan, *Rejection) {
	o, org := s.order, s.org
	day, trueDate := org.posting(o.PlacedAt)
	t := treatmentOf(&o.Customer, org)
	req := &zohobooks.InvoiceRequest{
		CustomerID:     contactID,
		Reference:      orderReference(o),
		Date:           day,
		DueDate:        org.dueDay(o, day),
		CurrencyID:     org.CurrencyIDs[o.Currency],
		IsInclusiveTax: o.PricesIncludeTax,
		PlaceOfSupply:  s.supply.code(org.Edition),
		GSTTreatment:   t.gst,
		GSTNo:          t.gstNo,
		VATTreatment:   t.vat,
		TaxTreatment:   t.tax,
		LocationID:     org.Locations[o.Location],
		Notes:          cleanLines(withTrueDate(s.less()+o.Notes, trueDate), maxNotes),
	}
	s.editionFields(req, t)
	if o.Currency != org.BaseCurrency && o.ExchangeRate.Valid {
		req.ExchangeRate = zohobooks.NewAmount(o.ExchangeRate.Decimal)
	}
	plan := &invoicePlan{Request: req, TrueDate: trueDate, Skip: o.Totals.Gross.Sign() == 0 && org.ZeroTotal == "skip"}
	if r := plan.addLines(s); r != nil {
		return nil, r
	}
	req.CustomFields = customFields(org.Fields.Invoice, "order:"+o.OrderID, withLineMarks(origin, plan.Lines))
	plan.Returned = planReturned(s, req, origin)
	if r := plan.balance(s); r != nil {
		return nil, r
	}
	return plan, nil
}

// addLines turns the sheet's lines into the request's. Cash rounding is no line: Zoho takes no negative ones. A document has
// discounts on its lines or one of its own: where the latter comes after tax, the lines' go into their rates.
func (p *invoicePlan) addLines(s *sheet) *Rejection {
	req, org := p.Request, s.org
	req.LineItems = make([]zohobooks.LineItem, 0, len(s.lines))
	p.Lines = make([]InvoiceLine, 0, len(s.lines))
	if s.afterTax.Sign() > 0 {
		req.Discount, req.DiscountType, req.DiscountBeforeTax = zohobooks.NewAmount(s.afterTax), "entity_level", new(bool)
	}
	for i := range s.lines {
		l := &s.lines[i]
		if !l.invoiced() {
			continue
		}
		rate, discount := l.discounted(s.currency)
		if discount.Sign() > 0 && s.afterTax.Sign() > 0 {
			rate, discount = l.post.DivRound(l.Quantity, maxRateScale), decimal.Zero
			if !money.Round(rate.Mul(l.Quantity), s.currency).Equal(l.post) {
				return reject(classUnsupported, "line %s has a discount, the order another after tax, and no price with %d decimals gives %s for the "+
					"quantity %s: send the line with the quantity 1", l.LineID, maxRateScale, amountText(l.post, s.currency), l.Quantity)
			}
		}
		item := zohobooks.LineItem{
			ItemID: l.target.ItemID, AccountID: l.target.AccountID,
			Name: lineName(l.Line), Description: cleanLines(l.Description, maxDescription),
			Rate: zohobooks.NewAmount(rate), Quantity: zohobooks.NewAmount(l.Quantity), Discount: zohobooks.NewAmount(discount),
			TaxID: l.tax.TaxID,
		}
		if discount.Sign() > 0 {
			before := true
			req.DiscountType, req.DiscountBeforeTax = "item_level", &before
		}
		if inLineExemption[org.Edition] {
			item.TaxExemptionID = l.tax.ExemptionID
		}
		if inHSN[org.Edition] {
			item.HSNOrSAC = clean(l.HSNOrSAC, maxName)
		}
		if inTreatmentCode[org.Edition] {
			item.TreatmentCode = l.tax.TreatmentCode
		}
		req.LineItems = append(req.LineItems, item)
		line := InvoiceLine{
			LineID: l.LineID, Kind: string(l.Kind), ItemID: item.ItemID, AccountID: item.AccountID, Name: item.Name,
			TaxID: item.TaxID, TaxExemptionID: l.tax.ExemptionID, TreatmentCode: item.TreatmentCode, HSNOrSAC: item.HSNOrSAC,
			Quantity: l.Quantity, Rate: rate, Amount: l.post,
		}
		for _, rate := range l.rates {
			line.TaxRates = append(line.TaxRates, rate.String())
		}
		if len(line.TaxRates) > 1 {
			line.TaxParts = l.parts
		}
		p.Lines = append(p.Lines, line)
	}
	return nil
}

// discounted are the price and all discounts of an invoiced line. Zoho refuses a discount above quantity x price, and what is
// free may have a discount above it by less than half a minor unit: then the price is the one that comes to the discount, or none.
func (l *sheetLine) discounted(currency string) (rate, discount decimal.Decimal) {
	rate, discount = l.rate, money.Add(money.Add(l.Discount, l.share), money.Sub(l.base, l.post))
	if discount.Sign() == 0 && rate.Sign() >= 0 && l.Quantity.Sign() >= 0 || discount.Cmp(rate.Mul(l.Quantity)) <= 0 {
		return rate, discount
	}
	rate = discount.DivRound(l.Quantity, maxRateScale)
	if whole := rate.Mul(l.Quantity); whole.Cmp(discount) < 0 || !money.Round(whole, currency).Equal(discount) {
		return decimal.Zero, decimal.Zero
	}
	return rate, discount
}

// zohoLines are the lines of the invoice, or of the credit note of what the order takes back, as Zoho taxes them.
func (s *sheet) zohoLines(of func(*sheetLine) bool) []zohoLine {
	lines := make([]zohoLine, 0, len(s.lines))
	for i := range s.lines {
		if l := &s.lines[i]; of(l) {
			lines = append(lines, zohoLine{amount: l.post, taxID: l.tax.TaxID, rates: l.rates, parts: l.parts})
		}
	}
	return lines
}

// tolerance is the largest difference that's posted: the configured minor units per tax rate, at least for one rate.
func (s *sheet) tolerance() decimal.Decimal {
	rates := make(map[string]bool)
	for i := range s.lines {
		l := &s.lines[i]
		if i > 0 && l.tax.TaxID == s.lines[i-1].tax.TaxID && slices.EqualFunc(l.rates, s.lines[i-1].rates, money.Equal) {
			continue // most lines have the tax of the one before
		}
		for _, rate := range l.rates {
			rates[l.tax.TaxID+"/"+rate.String()] = true
		}
	}
	return s.units(s.org.Tolerance * int64(max(1, len(rates))))
}

// balance computes what Zoho will make of the lines and sets the adjustment that brings it to the event's total.
func (p *invoicePlan) balance(s *sheet) *Rejection {
	cur, o := s.currency, s.order
	zoho := s.org.zohoMode(cur, o.PricesIncludeTax)
	sums := zoho.compute(s.zohoLines((*sheetLine).invoiced))
	for i := range p.Lines {
		p.Lines[i].Gross = p.Lines[i].Amount
		if !o.PricesIncludeTax {
			p.Lines[i].Gross = money.Add(p.Lines[i].Amount, sums.taxes[i])
		}
	}
	p.Tax = sums.tax
	gross, tax := o.Totals.Gross, o.Totals.Tax
	if p.Returned != nil {
		gross, tax = gross.Add(p.Returned.Total), tax.Add(p.Returned.Tax)
	}
	p.TaxDifference = money.Sub(sums.tax, tax)
	tolerance := s.tolerance()
	if p.TaxDifference.Abs().Cmp(tolerance) > 0 {
		return reject(classTotals, "Zoho (%s) computes the tax %s on %s, but totals.tax says %s: more than the tolerance of %s; let Zoho round "+
			"taxes as the shop does, or raise the tolerance, then replay", taxRounding(s.org), amountText(sums.tax, cur),
			amountText(sums.net, cur), amountText(tax, cur), amountText(tolerance, cur))
	}
	adjustment := p.roundOff(s, money.Sub(sums.total, s.afterTax), gross)
	if p.Difference.Abs().Cmp(tolerance) > 0 {
		return reject(classTotals, "Zoho computes the total %s (net %s + tax %s), but totals.gross says %s: more than the tolerance of %s",
			amountText(sums.total, cur), amountText(sums.net, cur), amountText(sums.tax, cur), amountText(gross, cur),
			amountText(tolerance, cur))
	}
	if p.RoundOff.Sign() != 0 && s.org.MismatchPolicy == "void" && !p.Total.Equal(gross) {
		return reject(classTotals, "Zoho's round-off preference (%s) makes %s of the total %s: turn it off in Zoho, or let the shop round and "+
			"send a ROUNDING line", s.org.RoundOff, amountText(p.Total, cur), amountText(gross, cur))
	}
	if adjustment.Sign() != 0 {
		p.Request.Adjustment = zohobooks.NewAmount(adjustment)
		p.Request.AdjustmentDescription = "Rounding"
	}
	return nil
}

// roundOff sets Total, Difference and RoundOff from what the lines come to and the total wanted, and returns the
// adjustment. Zoho rounds the total including the adjustment, so a total that isn't a multiple of the increment can't be had: then Total says what
// comes out, and the policy decides (accounting rule 15).
func (p *invoicePlan) roundOff(s *sheet, lines, gross decimal.Decimal) decimal.Decimal {
	p.Total = gross
	adjustment := money.Sub(gross, lines)
	p.Difference = money.Sub(adjustment, s.rounding)
	increment := s.org.roundOffIncrement()
	if increment.Sign() == 0 {
		return adjustment
	}
	if money.ToIncrement(lines, increment).Equal(gross) {
		p.RoundOff = adjustment
		return decimal.Zero
	}
	p.Total = money.ToIncrement(gross, increment)
	p.RoundOff = p.Total.Sub(gross)
	return adjustment
}

// roundOffIncrement is the round-off preference, zero where there's none.
func (o *Organization) roundOffIncrement() decimal.Decimal {
	if o.RoundOff == "" || o.RoundOff == "none" {
		return decimal.Zero
	}
	d, err := decimal.NewFromString(o.RoundOff)
	if err != nil || d.Sign() <= 0 {
		return decimal.Zero
	}
	return d
}

func taxRounding(org *Organization) string {
	if org.TaxRounding == "" {
		return "entity_level"
	}
	return org.TaxRounding
}

// dueDay is due_at's day, else the invoice's day and the terms; never before the invoice's.
func (o *Organization) dueDay(ord *schemas.Order, day string) string {
	due := addDays(day, o.PaymentTerms)
	if !ord.DueAt.IsZero() {
		due = o.day(ord.DueAt)
	}
	return max(due, day)
}

// orderReference is the invoice's reference_number: the order's number, else its id.
func orderReference(o *schemas.Order) string {
	if clean(o.OrderNumber, maxReference) != "" {
		return reference(o.OrderNumber)
	}
	return reference(o.OrderID)
}

// lineName is what the customer reads; a line without a name is called by what it is.
func lineName(l *schemas.Line) string {
	for _, s := range []string{l.Name, l.SKU, l.LineID} {
		if s = clean(s, maxName); s != "" {
			return s
		}
	}
	return string(l.Kind)
}

// customFields are the two fields that every document carries: its key, unique in Zoho, and where it came from.
func customFields(f EntityFields, key, origin string) []zohobooks.CustomField {
	fields := []zohobooks.CustomField{{APIName: f.Key, Value: key}}
	if f.Origin != "" && origin != "" {
		fields = append(fields, zohobooks.CustomField{APIName: f.Origin, Value: origin})
	}
	return fields
}
