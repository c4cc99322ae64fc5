package processor

import (
	"fmt"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/processor/money"
	"github.com/booksync/booksync/schemas"
)

// checkOrder checks an order's own arithmetic and whether everything it needs is mapped. It's pure. A cancellation is
// checked for what it needs only: its lines are the invoice's.
func checkOrder(o *schemas.Order, org *Organization) (*arithmetic, *Rejection) {
	a := new(arithmetic)
	if r := checkEvent(&o.Event, org, "order "+o.OrderID); r != nil {
		return a, r
	}
	if o.OrderID == "" {
		return a, reject(classUnsupported, "order_id is empty")
	}
	switch o.Kind {
	case schemas.OrderCancelled:
		return a, checkOpen("occurred_at", o.OccurredAt, org)
	case schemas.OrderCreated, schemas.OrderUpdated:
	default:
		return a, reject(classUnsupported, "an order of kind %s is not supported", o.Kind)
	}
	if r := checkCurrency(o.Currency, o.ExchangeRate, true, org); r != nil {
		return a, r
	}
	// An update may correct an invoice that was issued long ago: its documents are of the day it happened.
	name, day := "placed_at", o.PlacedAt
	if o.Kind == schemas.OrderUpdated {
		name, day = "occurred_at", o.OccurredAt
	}
	if r := checkOpen(name, day, org); r != nil {
		return a, r
	}
	if o.Customer.ID == "" && emailOf(o.Customer.Email) == "" {
		return a, reject(classUnsupported, "the customer has neither an id nor an e-mail address: booksync could not tell it from others")
	}
	if r := checkBuyer(&o.Customer, org); r != nil {
		return a, r
	}
	if o.PricesIncludeTax && !org.hasInclusiveCredits() {
		return a, reject(classUnsupported, "prices include tax, and in Zoho's %s edition credit notes can't: a refund could not equal its invoice; "+
			"send net prices", org.Edition)
	}
	s, r := newSheet(o, org)
	if r != nil {
		return a, r
	}
	a.sheet = s
	if r := a.checkTotals(s); r != nil {
		return a, r
	}
	if o.Totals.Gross.Sign() < 0 {
		return a, reject(classUnsupported, "the order comes to %s: it gives back more than it sells; send a refund of the order that was returned",
			amountText(o.Totals.Gross, o.Currency))
	}
	return a, nil
}

// checkTotals compares the sheet with the event's own sums: lines, taxes, totals, and the totals among themselves.
func (a *arithmetic) checkTotals(s *sheet) *Rejection {
	o, cur := s.order, s.currency
	for _, t := range []struct {
		name   string
		amount decimal.Decimal
	}{{"totals.net", o.Totals.Net}, {"totals.tax", o.Totals.Tax}, {"totals.gross", o.Totals.Gross}} {
		check := checkAmount
		if s.returns {
			check = checkExact
		}
		if r := check(t.name, t.amount, cur); r != nil {
			return r
		}
	}
	bases := make([]decimal.Decimal, len(s.lines))
	total := s.afterTax.Neg()
	for i := range s.lines {
		bases[i], total = s.lines[i].base, money.Add(total, s.lines[i].base)
	}
	name, found := "totals.net", o.Totals.Net
	if o.PricesIncludeTax {
		name, found = "totals.gross", o.Totals.Gross
	}
	how := func() string {
		if s.afterTax.Sign() > 0 {
			return "lines " + terms(bases, cur) + " - discounts after tax " + amountText(s.afterTax, cur)
		}
		return "lines " + terms(bases, cur)
	}
	if r := a.same(name, how, total, found); r != nil {
		return r
	}
	if r := a.checkTaxes(s); r != nil {
		return r
	}
	return a.same("totals.gross", func() string {
		return fmt.Sprintf("totals.net %s + totals.tax %s", amountText(o.Totals.Net, cur), amountText(o.Totals.Tax, cur))
	}, money.Add(o.Totals.Net, o.Totals.Tax), o.Totals.Gross)
}

// taxGroup is one tax over the whole order: the lines that carry the same code at the same rate beside the same others.
type taxGroup struct {
	code        string
	rate, whole decimal.Decimal // whole: of all taxes on these lines together
	bases       []decimal.Decimal
	base        decimal.Decimal
	byLine      decimal.Decimal // sum of the lines' taxes, each rounded
	said        decimal.Decimal // sum of the event's amounts
	exactLines  bool            // every line's amount is its rounded tax
	worst       decimal.Decimal // the largest distance of a line's amount from its tax
	worstLine   string
}

func (g *taxGroup) how(currency string) string {
	text := fmt.Sprintf("%s %% of %s", g.rate, terms(g.bases, currency))
	if g.exactLines {
		text += " rounded per line"
	}
	return text
}

func fixed(s string) func() string { return func() string { return s } }

// document is the group's tax rounded once.
func (g *taxGroup) document(inclusive bool, currency string) decimal.Decimal {
	return taxOf(g.base, g.rate, g.whole, inclusive, currency)
}

// taxOf is the tax at rate on base, of lines whose taxes are whole together; rounded half away from zero.
func taxOf(base, rate, whole decimal.Decimal, inclusive bool, currency string) decimal.Decimal {
	if inclusive {
		return money.DivRound(base.Mul(rate), money.Add(whole, hundred), currency)
	}
	return money.Percent(base, rate, currency)
}

// checkTaxes recomputes each tax from its base, rounded per line and per document; the event must match one of the two,
// the latter within a minor unit or the organisation's tolerance, and totals.tax one of their sums.
func (a *arithmetic) checkTaxes(s *sheet) *Rejection {
	inclusive := s.order.PricesIncludeTax
	byLines, byDocument := decimal.Zero, decimal.Zero
	for _, g := range s.taxGroups() {
		doc := g.document(inclusive, s.currency)
		byLines, byDocument = money.Add(byLines, g.said), money.Add(byDocument, doc)
		slack := s.units(s.org.Tolerance)
		ok := g.exactLines || g.said.Sub(doc).Abs().Cmp(slack) <= 0 && g.worst.Cmp(slack.Add(s.units(int64(len(g.bases))))) <= 0
		expected := doc
		if g.exactLines {
			expected = g.byLine
		}
		how := func() string { return g.how(s.currency) }
		a.Sums = append(a.Sums, sum{Name: "tax " + g.code, Expected: expected, Found: g.said, How: how, OK: ok})
		if !ok {
			return reject(classTotals, "tax %s: %s is %s (rounded per line %s), but the lines say %s; line %s is off by %s: correct the event at its "+
				"producer, then replay", g.code, how(), amountText(doc, s.currency), amountText(g.byLine, s.currency),
				amountText(g.said, s.currency), g.worstLine, g.worst)
		}
	}
	found := s.order.Totals.Tax
	if money.Equal(found, byDocument) && !money.Equal(found, byLines) {
		return a.same("totals.tax", fixed("taxes rounded per document"), byDocument, found)
	}
	return a.same("totals.tax", fixed("taxes of the lines"), byLines, found)
}

// taxGroups collects the taxes of the lines, in order of appearance.
func (s *sheet) taxGroups() []*taxGroup {
	var groups []*taxGroup
	index := make(map[string]*taxGroup)
	var last *taxGroup // most lines have the tax of the one before
	for i := range s.lines {
		l := &s.lines[i]
		whole := decimal.Zero
		for _, t := range l.taxes {
			whole = money.Add(whole, t.rate)
		}
		for _, t := range l.taxes {
			if last == nil || !last.of(t, whole) {
				key := t.code + "|" + t.rate.String() + "|" + whole.String()
				last = index[key]
				if last == nil {
					last = &taxGroup{code: t.code, rate: t.rate, whole: whole, exactLines: true}
					index[key] = last
					groups = append(groups, last)
				}
			}
			last.add(l, t, s.order.PricesIncludeTax, s.currency)
		}
	}
	return groups
}

// of reports whether a line's tax is the group's.
func (g *taxGroup) of(t sheetTax, whole decimal.Decimal) bool {
	return g.code == t.code && money.Equal(g.rate, t.rate) && money.Equal(g.whole, whole)
}

func (g *taxGroup) add(l *sheetLine, t sheetTax, inclusive bool, currency string) {
	tax := taxOf(l.base, t.rate, g.whole, inclusive, currency)
	off := money.Sub(t.amount, tax)
	if inclusive && off.Sign() != 0 && g.whole.Equal(t.rate) {
		// Some round the net and take the rest as tax: the same, but for ties.
		if byNet := l.base.Sub(money.NetOf(l.base, g.whole, currency)); byNet.Equal(t.amount) {
			tax, off = byNet, decimal.Zero
		}
	}
	g.bases, g.base = append(g.bases, l.base), money.Add(g.base, l.base)
	g.byLine, g.said = money.Add(g.byLine, tax), money.Add(g.said, t.amount)
	g.exactLines = g.exactLines && off.Sign() == 0
	if g.worstLine == "" || off.Sign() != 0 && off.Abs().Cmp(g.worst) > 0 {
		g.worst, g.worstLine = off.Abs(), l.LineID
	}
}

// units is n minor units of the order's currency.
func (s *sheet) units(n int64) decimal.Decimal {
	return money.FromUnits(n, s.currency)
}
