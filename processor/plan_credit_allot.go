package processor

import (
	"cmp"
	"slices"
	"sort"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/processor/money"
)

// allot chooses what the credit note takes of each line so that Zoho computes exactly the wanted total.
func (sh *creditSheet) allot() *Rejection {
	for i := range sh.cells {
		sh.allotCell(&sh.cells[i])
	}
	got := sh.composed()
	for tries := 2 + len(sh.cells); tries > 0 && sh.rounding < 0 && !sh.org.NegativeLines && len(sh.cells) > 0; tries-- {
		// Shared taxes that come to more than the cells' by themselves: the largest cell takes less.
		c := sh.largest()
		c.want -= min(-sh.rounding, c.want)
		sh.allotCell(c)
		got = sh.composed()
	}
	if got += sh.rounding; got != sh.total || sh.rounding < 0 && !sh.org.NegativeLines {
		return reject(classTotals, "no credit note of %s can be composed from what is left of invoice %s (%s, rounding %s): credit it by hand",
			sh.text(sh.total), sh.st.living()[0].Number, sh.text(got-sh.rounding), sh.text(sh.rounding))
	}
	return nil
}

func (sh *creditSheet) allotCell(c *creditCell) {
	for _, i := range c.lines {
		sh.lines[i].take, sh.lines[i].untaxed, sh.lines[i].taxShare = 0, 0, 0
	}
	base, untaxed := sh.split(c)
	sh.distribute(c, base, untaxed)
	c.tax = sh.taxOn(base, c.rates)
	sh.shareTax(c)
	c.gross = base + untaxed
	if !sh.mode.inclusive {
		c.gross += c.tax
	}
}

// composed is what Zoho computes of the lines; what the wanted total has more or less is rounding.
func (sh *creditSheet) composed() int64 {
	got := int64(0)
	for i := range sh.cells {
		got += sh.cells[i].gross
	}
	sh.shared = sh.sharedBy(func(i int) decimal.Decimal { return sh.amount(sh.lines[i].take) })
	if !sh.mode.inclusive {
		got += sh.shared
	}
	sh.rounding = sh.total - got
	return got
}

func (sh *creditSheet) largest() *creditCell {
	big := &sh.cells[0]
	for i := range sh.cells {
		if sh.cells[i].want > big.want {
			big = &sh.cells[i]
		}
	}
	return big
}

// split divides what's wanted of a cell into a taxed base and an untaxed rest on the same accounts: the largest base whose
// tax is at most what's left and which, with it, is at most what's wanted. The rest, if the cell has no value left for it,
// is rounding. A credit note that takes all of the cell thus takes exactly its tax, if any base does.
func (sh *creditSheet) split(c *creditCell) (base, untaxed int64) {
	left, taxLeft := max(0, c.left), max(0, c.taxLeft)
	if sh.complete && sh.org.NegativeLines {
		if base, ok := sh.baseOf(c, left, taxLeft); ok {
			return base, left - base
		}
	}
	most := min(left, c.want)
	// The condition is monotone, so the largest base that meets it is one before the first that doesn't.
	base = int64(sort.Search(int(most), func(n int) bool { return !sh.fits(c, int64(n)+1, taxLeft) }))
	gross := base
	if !sh.mode.inclusive {
		gross += sh.taxOn(base, c.rates)
	}
	return base, min(c.want-gross, left-base)
}

func (sh *creditSheet) fits(c *creditCell, base, taxLeft int64) bool {
	tax := sh.taxOn(base, c.rates)
	if tax > taxLeft {
		return false
	}
	return sh.mode.inclusive || base+tax <= c.want
}

// baseOf is the base nearest to left whose tax is exactly taxLeft; with negative lines it may be more than left.
func (sh *creditSheet) baseOf(c *creditCell, left, taxLeft int64) (int64, bool) {
	if sh.taxOn(left, c.rates) == taxLeft {
		return left, true
	}
	if len(c.rates) == 0 {
		return 0, false
	}
	// The first base with at least this tax, and the last with at most it.
	limit := int(2*left + 1000*(taxLeft+1))
	first := int64(sort.Search(limit, func(n int) bool { return sh.taxOn(int64(n), c.rates) >= taxLeft }))
	last := int64(sort.Search(limit, func(n int) bool { return sh.taxOn(int64(n), c.rates) > taxLeft })) - 1
	if first > last {
		return 0, false
	}
	return min(max(left, first), last), true
}

// distribute divides a cell's base and untaxed rest over its lines.
func (sh *creditSheet) distribute(c *creditCell, base, untaxed int64) {
	sh.natural(c, base)
	rest := base
	for _, i := range c.lines {
		rest -= sh.lines[i].take
	}
	order := sh.byRoom(c)
	for _, i := range order { // a unit or a few
		l := &sh.lines[i]
		add := rest
		if rest > 0 && i != order[len(order)-1] {
			add = min(rest, max(0, l.left-l.take))
		} else if rest < 0 {
			add = -min(-rest, l.take)
		}
		l.take += add
		rest -= add
	}
	for _, i := range sh.byRoom(c) {
		if untaxed == 0 {
			break
		}
		l := &sh.lines[i]
		add := min(untaxed, max(0, l.left-l.take))
		if untaxed < 0 { // what a line took beyond what it has left
			add = max(untaxed, min(0, l.left-l.take))
		}
		l.untaxed += add
		untaxed -= add
	}
	if untaxed != 0 && len(c.lines) > 0 {
		sh.lines[c.lines[0]].untaxed += untaxed
	}
}

// natural gives each line what it would take without rounding: all that's left, its own net, or its part of the base.
func (sh *creditSheet) natural(c *creditCell, base int64) {
	switch {
	case sh.complete:
		for _, i := range c.lines {
			sh.lines[i].take = max(0, sh.lines[i].left)
		}
	case len(sh.refundLines) > 0:
		rate := sumOf(c.rates)
		for _, i := range c.lines {
			l := &sh.lines[i]
			l.take = l.want
			if !sh.mode.inclusive {
				l.take = sh.units(money.NetOf(sh.amount(l.want), rate, sh.mode.currency))
			}
			l.take = max(0, min(l.take, l.left))
		}
	default:
		limits := make([]decimal.Decimal, len(c.lines))
		for k, i := range c.lines {
			limits[k] = sh.amount(max(0, sh.lines[i].left))
		}
		shares, ok := money.SpreadCapped(sh.amount(base), limits, sh.mode.currency)
		for k, i := range c.lines {
			if ok {
				sh.lines[i].take = sh.units(shares[k])
			}
		}
	}
}

// byRoom orders a cell's lines for the units that rounding leaves: those that the credit is for first, then by what they
// have left; the earlier of equals first.
func (sh *creditSheet) byRoom(c *creditCell) []int {
	order := slices.Clone(c.lines)
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := &sh.lines[a], &sh.lines[b]
		if (x.take > 0) != (y.take > 0) {
			if x.take > 0 {
				return -1
			}
			return 1
		}
		return cmp.Compare(y.left-y.take, x.left-x.take)
	})
	return order
}

// shareTax gives each line its part of the cell's tax, for the state.
func (sh *creditSheet) shareTax(c *creditCell) {
	if sh.mode.inclusive || c.tax == 0 {
		return
	}
	weights := make([]decimal.Decimal, len(c.lines))
	for k, i := range c.lines {
		weights[k] = sh.amount(max(0, sh.lines[i].take))
	}
	for k, share := range money.Spread(sh.amount(c.tax), weights, sh.mode.currency) {
		sh.lines[c.lines[k]].taxShare = sh.units(share)
	}
}
