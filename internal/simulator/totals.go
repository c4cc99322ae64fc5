package simulator

import (
	"github.com/shopspring/decimal"
)

// sale is what invoices and credit notes share: lines, taxes and totals. Amounts are in the document's currency.
type sale struct {
	record
	number    string
	reference string
	date      string
	customer  *contact
	currency  *currency
	rate      decimal.Decimal // document currency to base currency
	lines     []line

	inclusive       bool
	discountText    string          // as sent: "5" or "10%"
	discountPercent decimal.Decimal // of "10%"
	discountAmount  decimal.Decimal // of "5"
	discountAfter   bool            // the discount does not lower the taxed amount
	shipping        decimal.Decimal
	adjustment      decimal.Decimal
	adjustmentText  string
	skew            decimal.Decimal // cents that a fault added to the total

	notes, terms string
	extra        []pair // text fields kept for the answers only

	sums
}

type sums struct {
	subTotal      decimal.Decimal // without tax, before a document discount
	subInclusive  decimal.Decimal // with tax, where rates include it
	discount      decimal.Decimal // of the document
	discountTotal decimal.Decimal // of the document and its lines
	taxTotal      decimal.Decimal
	taxable       decimal.Decimal
	roundOff      decimal.Decimal
	total         decimal.Decimal
	taxes         []taxSum
}

type taxSum struct {
	tax    *tax
	amount decimal.Decimal
}

type line struct {
	id           uint64
	item         *item
	account      *account
	name         string
	description  string
	unit         string
	rate         decimal.Decimal
	quantity     decimal.Decimal
	discountText string
	percent      decimal.Decimal // of "10%"
	discount     decimal.Decimal // of the line, an amount
	tax          *tax            // nil: none
	exemption    *exemption
	invoice      uint64 // of a credit note's line: what it takes back
	invoiceLine  uint64
	extra        []pair

	total   decimal.Decimal // item_total
	taxes   []taxSum        // rounded per line
	revenue decimal.Decimal // what the line posts: without tax, before the document's discount
}

var hundred = decimal.NewFromInt(100)

// rules are the parts of an organisation's settings that decide how a document adds up.
type rules struct {
	itemLevel bool
	increment decimal.Decimal // of the total's round-off; zero: none
}

// compute fills in the totals. The order is Zoho's as far as it is known (dossier 8): each line's total is rounded to the
// currency's precision first, tax is computed on the rounded amounts, half up and away from zero, then come shipping,
// adjustment and round-off.
func (s *sale) compute(r rules) {
	places := s.currency.Precision
	s.sums = sums{}
	gross := decimal.Zero
	lineDiscounts := decimal.Zero
	for i := range s.lines {
		l := &s.lines[i]
		amount := l.rate.Mul(l.quantity)
		if !l.percent.IsZero() {
			l.discount = amount.Mul(l.percent).Div(hundred)
		}
		l.total = amount.Sub(l.discount).Round(places)
		gross = gross.Add(l.total)
		lineDiscounts = lineDiscounts.Add(l.discount)
	}
	s.discount = s.discountAmount
	if !s.discountPercent.IsZero() {
		s.discount = gross.Mul(s.discountPercent).Div(hundred)
	}
	s.discount = s.discount.Round(places)
	s.discountTotal = s.discount.Add(lineDiscounts.Round(places))

	bases := s.spreadDiscount(gross, places)
	lineTax := s.taxLines(bases, places)
	if r.itemLevel {
		s.sumLineTaxes()
	} else {
		s.taxPerDocument(bases, places)
	}
	for _, t := range s.taxes {
		s.taxTotal = s.taxTotal.Add(t.amount)
	}
	s.subTotal = gross
	if s.inclusive {
		s.subInclusive = gross
		s.subTotal = gross.Sub(s.taxTotal)
	}
	s.setRevenue(lineTax)
	s.total = s.subTotal.Sub(s.discount).Add(s.taxTotal).Add(s.shipping).Add(s.adjustment)
	if r.increment.IsPositive() {
		rounded := s.total.Div(r.increment).Round(0).Mul(r.increment)
		s.roundOff = rounded.Sub(s.total)
		s.total = rounded
	}
	s.total = s.total.Add(s.skew)
}

// spreadDiscount takes a discount before tax off the lines in proportion to their totals; the last line takes what
// rounding leaves. The result are the amounts that taxes are computed on.
func (s *sale) spreadDiscount(gross decimal.Decimal, places int32) []decimal.Decimal {
	bases := make([]decimal.Decimal, len(s.lines))
	left := s.discount
	spread := !s.discountAfter && !s.discount.IsZero() && !gross.IsZero()
	for i := range s.lines {
		bases[i] = s.lines[i].total
		if !spread {
			continue
		}
		share := left
		if i < len(s.lines)-1 {
			share = s.discount.Mul(bases[i]).Div(gross).Round(places)
			left = left.Sub(share)
		}
		bases[i] = bases[i].Sub(share)
	}
	return bases
}

// taxOf is the part of amount that is tax at a part's rate; all is the sum of the rates of the line's taxes.
func (s *sale) taxOf(amount decimal.Decimal, part taxPart, all decimal.Decimal, places int32) decimal.Decimal {
	if s.inclusive {
		return amount.Mul(part.rate).Div(hundred.Add(all)).Round(places)
	}
	return amount.Mul(part.rate).Div(hundred).Round(places)
}

// taxLines computes the taxes that answers show per line, and returns each line's sum.
func (s *sale) taxLines(bases []decimal.Decimal, places int32) []decimal.Decimal {
	sum := make([]decimal.Decimal, len(s.lines))
	for i := range s.lines {
		l := &s.lines[i]
		l.taxes = nil
		if l.tax == nil {
			continue
		}
		s.taxable = s.taxable.Add(bases[i])
		parts := l.tax.parts()
		l.taxes = make([]taxSum, 0, len(parts))
		for _, p := range parts {
			amount := s.taxOf(bases[i], p, l.tax.rate, places)
			l.taxes = append(l.taxes, taxSum{p.tax, amount})
			sum[i] = sum[i].Add(amount)
		}
	}
	return sum
}

func (s *sale) sumLineTaxes() {
	for i := range s.lines {
		for _, t := range s.lines[i].taxes {
			s.addTax(t.tax, t.amount)
		}
	}
}

// taxPerDocument adds up the rounded line amounts per tax, multiplies, and rounds once. A group is taken apart: each
// component is a tax of its own, and a component that also stands alone is rounded together with its group's.
func (s *sale) taxPerDocument(bases []decimal.Decimal, places int32) {
	type sum struct {
		part taxPart
		all  decimal.Decimal
		base decimal.Decimal
	}
	var collected []sum
	for i := range s.lines {
		t := s.lines[i].tax
		if t == nil {
			continue
		}
	parts:
		for _, p := range t.parts() {
			for j := range collected {
				c := &collected[j]
				if c.part.tax == p.tax && c.part.rate.Equal(p.rate) && (!s.inclusive || c.all.Equal(t.rate)) {
					c.base = c.base.Add(bases[i])
					continue parts
				}
			}
			collected = append(collected, sum{p, t.rate, bases[i]})
		}
	}
	for _, c := range collected {
		s.addTax(c.part.tax, s.taxOf(c.base, c.part, c.all, places))
	}
}

func (s *sale) addTax(t *tax, amount decimal.Decimal) {
	for i := range s.taxes {
		if s.taxes[i].tax == t {
			s.taxes[i].amount = s.taxes[i].amount.Add(amount)
			return
		}
	}
	s.taxes = append(s.taxes, taxSum{t, amount})
}

// setRevenue divides the sub total among the lines: exactly their totals, or without the tax they include; the last
// taxed line takes what one rounding over the document leaves.
func (s *sale) setRevenue(lineTax []decimal.Decimal) {
	last, sum := -1, decimal.Zero
	for i := range s.lines {
		l := &s.lines[i]
		l.revenue = l.total
		if s.inclusive {
			l.revenue = l.total.Sub(lineTax[i])
			if l.tax != nil {
				last = i
			}
		}
		sum = sum.Add(l.revenue)
	}
	if last >= 0 {
		s.lines[last].revenue = s.lines[last].revenue.Add(s.subTotal.Sub(sum))
	}
}
