package processor

import (
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
	t := treatmentOf(&o.Customer, o.PlaceOfSupply, org)
	req := &zohobooks.InvoiceRequest{
		CustomerID:     contactID,
		Reference:      orderReference(o),
		Date:           day,
		DueDate:        org.dueDay(o, day),
		CurrencyID:     org.CurrencyIDs[o.Currency],
		IsInclusiveTax: o.PricesIncludeTax,
		PlaceOfSupply:  t.placeOfSupply,
		GSTTreatment:   t.gst,
		GSTNo:          t.gstNo,
		VATTreatment:   t.vat,
		TaxTreatment:   t.tax,
		LocationID:     org.Locations[o.Location],
		Notes:          cleanLines(withTrueDate(o.Notes, trueDate), maxNotes),
	}
	if o.Currency != org.BaseCurrency {
		req.ExchangeRate = zohobooks.NewAmount(o.ExchangeRate.Decimal)
	}
	plan := &invoicePlan{Request: req, TrueDate: trueDate, Skip: o.Totals.Gross.Sign() == 0 && org.ZeroTotal == "skip"}
	plan.addLines(s)
	req.CustomFields = customFields(org.Fields.Invoice, "order:"+o.OrderID, withLineMarks(origin, plan.Lines))
	if r := plan.balance(s); r != nil {
		return nil, r
	}
	return plan, nil
}

// addLines turns the sheet's lines into the request's. Cash rounding is no line: Zoho takes no negative ones.
func (p *invoicePlan) addLines(s *sheet) {
	req, org := p.Request, s.org
	req.LineItems = make([]zohobooks.LineItem, 0, len(s.lines))
	p.Lines = make([]InvoiceLine, 0, len(s.lines))
	for i := range s.lines {
		l := &s.lines[i]
		if l.Kind == schemas.LineRounding {
			continue
		}
		discount := l.Discount.Add(l.share)
		item := zohobooks.LineItem{
			ItemID: l.target.ItemID, AccountID: l.target.AccountID,
			Name: lineName(l.Line), Description: cleanLines(l.Description, maxDescription),
			Rate: zohobooks.NewAmount(l.rate), Quantity: zohobooks.NewAmount(l.Quantity), Discount: zohobooks.NewAmount(discount),
			TaxID: l.tax.TaxID,
		}
		if discount.Sign() > 0 {
			req.DiscountType, req.DiscountBeforeTax = "item_level", true
		}
		if inLineExemption[org.Edition] {
			item.TaxExemptionID = l.tax.ExemptionID
		}
		if inHSN[org.Edition] {
			item.HSNOrSAC = clean(l.HSNOrSAC, maxName)
		}
		req.LineItems = append(req.LineItems, item)
		line := InvoiceLine{
			LineID: l.LineID, Kind: string(l.Kind), ItemID: item.ItemID, AccountID: item.AccountID, Name: item.Name,
			TaxID: item.TaxID, TaxExemptionID: l.tax.ExemptionID, HSNOrSAC: item.HSNOrSAC,
			Quantity: l.Quantity, Rate: l.rate, Amount: l.base,
		}
		for _, rate := range l.rates() {
			line.TaxRates = append(line.TaxRates, rate.String())
		}
		p.Lines = append(p.Lines, line)
	}
}

// balance computes what Zoho will make of the lines and sets the adjustment that brings it to the event's total.
func (p *invoicePlan) balance(s *sheet) *Rejection {
	cur, o := s.currency, s.order
	zoho := s.org.zohoMode(cur, o.PricesIncludeTax)
	lines := make([]zohoLine, 0, len(p.Lines))
	rates := make(map[string]bool)
	for i := range s.lines {
		l := &s.lines[i]
		if l.Kind == schemas.LineRounding {
			continue
		}
		lines = append(lines, zohoLine{amount: l.base, taxID: l.tax.TaxID, rates: l.rates()})
		for _, rate := range l.rates() {
			rates[l.tax.TaxID+"/"+rate.String()] = true
		}
	}
	sums := zoho.compute(lines)
	for i := range p.Lines {
		p.Lines[i].Gross = p.Lines[i].Amount
		if !o.PricesIncludeTax {
			p.Lines[i].Gross = p.Lines[i].Amount.Add(sums.taxes[i])
		}
	}
	p.Tax = sums.tax
	p.TaxDifference = sums.tax.Sub(o.Totals.Tax)
	tolerance := s.units(s.org.Tolerance * int64(max(1, len(rates))))
	if p.TaxDifference.Abs().Cmp(tolerance) > 0 {
		return reject(classTotals, "Zoho (%s) computes the tax %s on %s, but totals.tax says %s: more than the tolerance of %s; let Zoho round "+
			"taxes as the shop does, or raise the tolerance, then replay", taxRounding(s.org), amountText(sums.tax, cur),
			amountText(sums.net, cur), amountText(o.Totals.Tax, cur), amountText(tolerance, cur))
	}
	adjustment := p.roundOff(s, sums.total)
	if p.Difference.Abs().Cmp(tolerance) > 0 {
		return reject(classTotals, "Zoho computes the total %s (net %s + tax %s), but totals.gross says %s: more than the tolerance of %s",
			amountText(sums.total, cur), amountText(sums.net, cur), amountText(sums.tax, cur), amountText(o.Totals.Gross, cur),
			amountText(tolerance, cur))
	}
	if p.RoundOff.Sign() != 0 && s.org.MismatchPolicy == "void" && !p.Total.Equal(o.Totals.Gross) {
		return reject(classTotals, "Zoho's round-off preference (%s) makes %s of the total %s: turn it off in Zoho, or let the shop round and "+
			"send a ROUNDING line", s.org.RoundOff, amountText(p.Total, cur), amountText(o.Totals.Gross, cur))
	}
	if adjustment.Sign() != 0 {
		p.Request.Adjustment = zohobooks.NewAmount(adjustment)
		p.Request.AdjustmentDescription = "Rounding"
	}
	return nil
}

// roundOff sets Total, Difference and RoundOff from what the lines come to, and returns the adjustment. Zoho rounds the
// total including the adjustment, so a total that isn't a multiple of the increment can't be had: then Total says what
// comes out, and the policy decides (accounting rule 15).
func (p *invoicePlan) roundOff(s *sheet, lines decimal.Decimal) decimal.Decimal {
	gross := s.order.Totals.Gross
	p.Total = gross
	p.Difference = gross.Sub(lines).Sub(s.rounding)
	adjustment := gross.Sub(lines)
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
