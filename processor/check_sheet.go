package processor

import (
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/processor/money"
	"github.com/booksync/booksync/schemas"
)

// sheet is an order laid out for arithmetic: what each line comes to, which discounts and taxes apply to it, and what it's
// booked on. The check compares it with the event's totals, the plan turns it into a request; both see the same numbers.
type sheet struct {
	order    *schemas.Order
	org      *Organization
	currency string
	supply   supply
	lines    []sheetLine
	// rounding is what the seller rounded the total by: the sum of the ROUNDING lines, of either sign.
	rounding decimal.Decimal
	// afterTax is the sum of the discounts that lower what's owed and no tax.
	afterTax decimal.Decimal
	// returns says that some lines take something back.
	returns bool
}

// sheetLine is a line of the order; ROUNDING lines have no tax and no target.
type sheetLine struct {
	*schemas.Line
	// rate is the price to send: the event's unit price, or one that gives the event's own net amount.
	rate decimal.Decimal
	// amount is quantity x rate less the line's discount; share is its part of the order's discounts; base is amount less
	// share: what's taxed, or, with prices that include tax, what includes it. A line that takes something back has a
	// negative amount and base.
	amount, share, base decimal.Decimal
	// post is what goes onto a document, never negative: base less what lines that take back take off it. back: onto the
	// credit note instead of the invoice.
	post  decimal.Decimal
	back  bool
	code  string // the tax codes, sorted and joined by "+"; "" without tax
	tax   TaxTarget
	taxes []sheetTax
	// rates and parts are the tax's: the percents that Zoho computes with and the taxes they are of.
	rates  []decimal.Decimal
	parts  []string
	target LineTarget
}

// sheetTax is one tax as the event says it, its rate filled from the mapping where the event has none; of a compound tax
// it's what it comes to of the line's untaxed amount.
type sheetTax struct {
	code         string
	rate, amount decimal.Decimal
}

// newSheet lays out an order. It rejects what can't be laid out: lines that make no sense, taxes and items that aren't
// mapped. It doesn't compare sums.
func newSheet(o *schemas.Order, org *Organization) (*sheet, *Rejection) {
	s := &sheet{order: o, org: org, currency: o.Currency, supply: supplyOf(o, org), lines: make([]sheetLine, len(o.Lines))}
	if len(o.Lines) == 0 {
		return s, reject(classUnsupported, "the order has no lines")
	}
	seen := make(map[string]bool, len(o.Lines))
	for i := range o.Lines {
		l := &o.Lines[i]
		if l.LineID == "" {
			return s, reject(classUnsupported, "line %d has no line_id", i+1)
		}
		if seen[l.LineID] {
			return s, reject(classUnsupported, "line_id %s is there twice: refunds could not tell the lines apart", l.LineID)
		}
		seen[l.LineID] = true
		if r := s.layOut(&s.lines[i], l); r != nil {
			return s, r
		}
		if l.Kind == schemas.LineRounding {
			s.rounding = s.rounding.Add(s.lines[i].base)
		} else if s.lines[i].negative() {
			s.returns = true
		}
	}
	if r := s.discount(o.Discounts); r != nil {
		return s, r
	}
	s.takeBack()
	return s, nil
}

func (s *sheet) layOut(l *sheetLine, ev *schemas.Line) *Rejection {
	l.Line = ev
	if r := l.price(s.order); r != nil {
		return r
	}
	if ev.Kind == schemas.LineRounding {
		if len(ev.Taxes) > 0 {
			return reject(classTax, "line %s is cash rounding and has a tax: rounding isn't taxed", ev.LineID)
		}
		return nil
	}
	if r := s.mapTax(l); r != nil {
		return r
	}
	return l.mapTarget(s.org)
}

// price computes what the line comes to before the order's discounts.
func (l *sheetLine) price(o *schemas.Order) *Rejection {
	id := l.LineID
	if !money.Sane(l.Quantity) || !money.Sane(l.UnitPrice) {
		return reject(classTotals, "line %s: quantity or unit_price has more digits than it can have", id)
	}
	switch {
	case l.Quantity.Sign() == 0:
		return reject(classUnsupported, "line %s has the quantity 0: leave it out", id)
	case l.Quantity.Sign() < 0 && l.Kind == schemas.LineRounding:
		return reject(classUnsupported, "line %s is cash rounding with the quantity %s: give the price its sign", id, l.Quantity)
	case l.Quantity.Sign() < 0 && l.UnitPrice.Sign() < 0:
		return reject(classUnsupported, "line %s has the quantity %s and the price %s: one of them may be negative, where the line takes "+
			"something back", id, l.Quantity, l.UnitPrice)
	}
	if !isAmount(l.Discount, o.Currency) {
		return checkAmount("the discount of line "+id, l.Discount, o.Currency)
	}
	full := money.Round(l.Quantity.Mul(l.UnitPrice), o.Currency)
	if l.Discount.Sign() > 0 && full.Sign() < 0 {
		return reject(classUnsupported, "line %s takes back %s and has a discount of %s: send what is taken back, after its discount", id,
			amountText(full, o.Currency), amountText(l.Discount, o.Currency))
	}
	if l.Discount.Sign() > 0 && l.Discount.Cmp(full) > 0 {
		return reject(classTotals, "line %s: the discount %s is more than %s x %s = %s", id, amountText(l.Discount, o.Currency),
			l.Quantity, l.UnitPrice, amountText(full, o.Currency))
	}
	l.rate, l.amount = l.UnitPrice, money.Sub(full, l.Discount)
	if l.Net.Valid {
		if r := checkExact("the net of line "+id, l.Net.Decimal, o.Currency); r != nil {
			return r
		}
		if !o.PricesIncludeTax && !money.Equal(l.Net.Decimal, l.amount) {
			if r := l.believeNet(o.Currency); r != nil {
				return r
			}
		}
	}
	if !isExact(l.amount, o.Currency) {
		return checkExact("line "+id, l.amount, o.Currency)
	}
	l.base = l.amount
	return nil
}

// maxRateScale is how many decimals of a rate Zoho keeps.
const maxRateScale = 6

// believeNet takes the event's own net amount where quantity x price misses it by no more than the price's rounding
// explains: 9 pieces for 88.91 have a unit price of 9.88, and 9 x 9.88 is 88.92. The rate sent is the one that gives the net.
func (l *sheetLine) believeNet(currency string) *Rejection {
	net := l.Net.Decimal
	scale := max(-money.Unit(currency).Exponent(), significantScale(l.UnitPrice))
	slack := l.Quantity.Abs().Mul(decimal.New(5, -scale-1)).Add(money.Unit(currency).Mul(half))
	if l.amount.Sub(net).Abs().Cmp(slack) > 0 || net.Sign()*l.amount.Sign() < 0 {
		return reject(classTotals, "line %s: %s x %s - %s = %s, but its net says %s: correct the event at its producer, then replay", l.LineID,
			l.Quantity, l.UnitPrice, amountText(l.Discount, currency), amountText(l.amount, currency), amountText(net, currency))
	}
	rate := net.Add(l.Discount).DivRound(l.Quantity, maxRateScale)
	if !money.Round(rate.Mul(l.Quantity), currency).Sub(l.Discount).Equal(net) {
		return reject(classTotals, "line %s: no price with %d decimals gives its net %s for the quantity %s: send the line with the quantity 1",
			l.LineID, maxRateScale, amountText(net, currency), l.Quantity)
	}
	l.rate, l.amount = rate, net
	return nil
}

var half = decimal.New(5, -1)

// significantScale is the number of decimals of d without trailing zeros.
func significantScale(d decimal.Decimal) int32 {
	_, frac, ok := strings.Cut(d.String(), ".")
	if !ok {
		return 0
	}
	return int32(len(frac))
}

// discount spreads the order's discounts over the lines by largest remainder, in proportion to what the lines come to.
func (s *sheet) discount(discounts []schemas.Discount) *Rejection {
	for i := range discounts {
		d := &discounts[i]
		name := "discount " + d.Code
		if d.Code == "" {
			name = "the order's discount"
		}
		if r := checkAmount(name, d.Amount, s.currency); r != nil {
			return r
		}
		if d.Amount.Sign() == 0 {
			continue
		}
		if !d.BeforeTax {
			s.afterTax = s.afterTax.Add(d.Amount)
			continue
		}
		code := joinCodes(d.Taxes)
		var on []int
		var limits []decimal.Decimal
		for j := range s.lines {
			if s.lines[j].Kind == schemas.LineRounding || s.lines[j].negative() || len(d.Taxes) > 0 && s.lines[j].code != code {
				continue
			}
			on, limits = append(on, j), append(limits, s.lines[j].base)
		}
		shares, ok := money.SpreadCapped(d.Amount, limits, s.currency)
		if !ok {
			return reject(classTotals, "%s is %s, more than the lines it applies to: %s", name, amountText(d.Amount, s.currency),
				terms(limits, s.currency))
		}
		for k, j := range on {
			s.lines[j].share = s.lines[j].share.Add(shares[k])
			s.lines[j].base = s.lines[j].base.Sub(shares[k])
		}
	}
	return nil
}

// joinCodes is the key of a combination of taxes: the codes, sorted and joined by "+".
func joinCodes(taxes []schemas.Tax) string {
	if len(taxes) == 1 {
		return taxes[0].Code
	}
	codes := make([]string, len(taxes))
	for i, t := range taxes {
		codes[i] = t.Code
	}
	slices.Sort(codes)
	return strings.Join(codes, "+")
}
