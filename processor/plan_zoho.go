package processor

import (
	"strconv"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/processor/money"
)

// This file is Zoho's arithmetic as far as it's known: the total and tax that Zoho computes from a request. A line's total
// is quantity x rate less discount, rounded; taxes are computed on rounded totals. With entity_level rounding (Zoho's
// default) each tax is summed over the document and rounded once, with item_level it's rounded on each line; of a tax group
// each component by itself. Prices that include tax have it taken out in the same way, and the document's total is the sum
// of its lines whatever the tax. Zoho's answer is compared with all of this.

const itemLevel = "item_level"

// zohoLine is a line as Zoho taxes it.
type zohoLine struct {
	amount decimal.Decimal // the item total
	taxID  string
	rates  []decimal.Decimal // percents, one per component; none: no tax
	// parts name the taxes that rates are of: a tax that stands alone on one line and in a group on another is one tax, and
	// rounded once over the document. Nil where that's not known.
	parts []string
}

// part names the tax of a line's k-th rate.
func (l *zohoLine) part(k int) string {
	if k < len(l.parts) {
		return l.parts[k]
	}
	return l.taxID + "/" + strconv.Itoa(k)
}

// zohoMode is how a document is computed.
type zohoMode struct {
	currency  string
	inclusive bool
	perItem   bool // item_level
}

func (o *Organization) zohoMode(currency string, inclusive bool) zohoMode {
	return zohoMode{currency: currency, inclusive: inclusive, perItem: o.TaxRounding == itemLevel}
}

// zohoSums are a document's sums before adjustment and round-off.
type zohoSums struct {
	net, tax, total decimal.Decimal
	// taxes are each line's part of tax, spread by largest remainder where the tax was rounded over several lines.
	taxes []decimal.Decimal
}

// compute adds a document up.
func (m zohoMode) compute(lines []zohoLine) zohoSums {
	s := zohoSums{taxes: make([]decimal.Decimal, len(lines))}
	cells := m.cells(lines)
	for _, cell := range cells {
		base := decimal.Zero
		weights := make([]decimal.Decimal, len(cell))
		for k, i := range cell {
			base, weights[k] = money.Add(base, lines[i].amount), lines[i].amount
		}
		tax := m.tax(base, lines[cell[0]].rates)
		s.tax = money.Add(s.tax, tax)
		for k, share := range money.Spread(tax, weights, m.currency) {
			s.taxes[cell[k]] = share
		}
		s.total = money.Add(s.total, base)
	}
	m.share(lines, cells, &s)
	s.net = s.total
	if m.inclusive {
		s.net = money.Sub(s.total, s.tax)
	} else {
		s.total = money.Add(s.total, s.tax)
	}
	return s
}

// share rounds a tax that several cells have once over them, and puts what that makes of it on its first line.
func (m zohoMode) share(lines []zohoLine, cells [][]int, s *zohoSums) {
	for _, t := range m.shared(lines, cells) {
		once := taxOf(t.base, t.rate, t.whole, m.inclusive, m.currency)
		s.tax = s.tax.Add(once.Sub(t.apart))
		s.taxes[t.first] = s.taxes[t.first].Add(once.Sub(t.apart))
	}
}

// sharedTax is one tax of several cells.
type sharedTax struct {
	rate, whole, base decimal.Decimal
	apart             decimal.Decimal // the sum of the cells' taxes, each rounded
	first             int             // the first line that has it
	cells             int
}

// shared are the taxes that several cells have, in order of appearance; there are none where each line is rounded by itself.
func (m zohoMode) shared(lines []zohoLine, cells [][]int) []*sharedTax {
	if m.perItem || len(cells) < 2 {
		return nil
	}
	var order []string
	taxes := make(map[string]*sharedTax)
	for _, cell := range cells {
		l := &lines[cell[0]]
		if len(l.parts) != len(l.rates) {
			continue
		}
		base, whole := decimal.Zero, decimal.Zero
		for _, i := range cell {
			base = base.Add(lines[i].amount)
		}
		if m.inclusive {
			whole = sumOf(l.rates)
		}
		for k, rate := range l.rates {
			key := l.part(k) + "|" + rate.String() + "|" + whole.String()
			t := taxes[key]
			if t == nil {
				t = &sharedTax{rate: rate, whole: whole, first: cell[0]}
				taxes[key] = t
				order = append(order, key)
			}
			t.base, t.cells = t.base.Add(base), t.cells+1
			t.apart = t.apart.Add(taxOf(base, rate, whole, m.inclusive, m.currency))
		}
	}
	var out []*sharedTax
	for _, key := range order {
		if t := taxes[key]; t.cells > 1 {
			out = append(out, t)
		}
	}
	return out
}

// taxes are a document's taxes by part.
func (m zohoMode) taxes(lines []zohoLine) map[string]decimal.Decimal {
	type key struct{ part, rate, whole string }
	sums := make(map[string]decimal.Decimal)
	bases := make(map[key]*sharedTax)
	for i := range lines {
		l := &lines[i]
		whole := decimal.Zero
		if m.inclusive {
			whole = sumOf(l.rates)
		}
		for k, rate := range l.rates {
			part := l.part(k)
			if m.perItem {
				sums[part] = sums[part].Add(taxOf(l.amount, rate, whole, m.inclusive, m.currency))
				continue
			}
			at := key{part, rate.String(), whole.String()}
			if bases[at] == nil {
				bases[at] = &sharedTax{rate: rate, whole: whole}
			}
			bases[at].base = bases[at].base.Add(l.amount)
		}
	}
	for at, t := range bases {
		sums[at.part] = sums[at.part].Add(taxOf(t.base, t.rate, t.whole, m.inclusive, m.currency))
	}
	return sums
}

// cells are the sets of lines, by index, whose tax is rounded together, in order of appearance.
func (m zohoMode) cells(lines []zohoLine) [][]int {
	var cells [][]int
	index := make(map[string]int)
	for i := range lines {
		if !m.perItem {
			if c, ok := index[lines[i].taxID]; ok {
				cells[c] = append(cells[c], i)
				continue
			}
			index[lines[i].taxID] = len(cells)
		}
		cells = append(cells, []int{i})
	}
	return cells
}

// tax is the tax of one cell.
func (m zohoMode) tax(base decimal.Decimal, rates []decimal.Decimal) decimal.Decimal {
	if len(rates) == 0 {
		return decimal.Zero
	}
	whole := decimal.Zero
	if m.inclusive {
		for _, r := range rates {
			whole = whole.Add(r)
		}
	}
	tax := decimal.Zero
	for _, r := range rates {
		tax = money.Add(tax, taxOf(base, r, whole, m.inclusive, m.currency))
	}
	return tax
}
