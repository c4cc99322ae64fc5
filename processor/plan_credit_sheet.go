package processor

import (
	"maps"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/processor/money"
	"github.com/booksync/booksync/schemas"
)

// creditSheet is an order's invoices laid out for a credit note. All amounts in it are minor units of the invoice's currency.
//
// Zoho computes a credit note's tax from its lines, so the taxes of several partial credit notes need not add up to the
// invoices': each is rounded by itself. The sheet therefore knows, for each set of lines whose tax is rounded together (a
// cell), how much value and how much tax is left, and chooses for a wanted total the taxed base whose tax is at most what's
// left. What the total lacks then is a unit or a few that go onto the line's own account without tax.
type creditSheet struct {
	creditOrder
	org      *Organization
	st       *OrderState
	mode     zohoMode
	lines    []creditLine
	cells    []creditCell
	total    int64 // wanted
	complete bool  // takes all that's left
	rounding int64 // what no invoice line carries: part of the invoice's adjustment, or a residue
	zoho     []zohoLine
	// shared is what taxes that several cells have come to, rounded once, more or less than the cells' by themselves: of what
	// is left, and of this credit note.
	sharedLeft, shared int64
	// taxesLeft are what earlier credit notes have left of the invoices' taxes, each document's rounded by itself.
	taxesLeft map[string]decimal.Decimal
}

// creditLine is an invoice line.
type creditLine struct {
	inv          *InvoiceLine
	of           *InvoiceState
	said         schemas.RefundLine // zero unless the refund names the line
	left         int64              // of its item total
	grossLeft    int64              // with its part of the tax
	quantityLeft decimal.Decimal
	want         int64 // of the total, tax included; zero unless by lines
	// take is the credit line's item total, taxShare its part of the cell's tax (zero with prices that include tax),
	// untaxed what goes onto the same account without tax.
	take, taxShare, untaxed int64
}

// creditCell is a set of lines whose tax is rounded together.
type creditCell struct {
	lines   []int
	rates   []decimal.Decimal
	left    int64 // of the lines' item totals
	taxLeft int64
	want    int64 // of the total, tax included
	tax     int64 // that the credit note takes back
	gross   int64 // with it and what is without tax
}

// grossLeft is what the cell has left, tax included.
func (c *creditCell) grossLeft(inclusive bool) int64 {
	if inclusive {
		return c.left
	}
	return c.left + c.taxLeft
}

func (sh *creditSheet) amount(units int64) decimal.Decimal {
	return money.FromUnits(units, sh.mode.currency)
}

// units counts an amount that comes from Zoho's answers or our own state; it's rounded should it not be exact.
func (sh *creditSheet) units(d decimal.Decimal) int64 {
	n, _ := money.Units(money.Round(d, sh.mode.currency), sh.mode.currency)
	return n
}

func (sh *creditSheet) taxOn(units int64, rates []decimal.Decimal) int64 {
	if len(rates) == 0 || units == 0 {
		return 0
	}
	return sh.units(sh.mode.tax(sh.amount(units), rates))
}

// newCreditSheet lays out what earlier credit notes have left of the order's invoice, and what this one wants of it.
func newCreditSheet(co creditOrder, org *Organization, st *OrderState) (*creditSheet, *Rejection) {
	sh := &creditSheet{creditOrder: co, org: org, st: st, mode: org.zohoMode(st.Currency, st.InclusiveTax), taxesLeft: make(map[string]decimal.Decimal)}
	sh.total = sh.units(co.wanted)
	var zoho []zohoLine
	index := make(map[string]int)
	for _, inv := range st.living() {
		from := len(zoho)
		for i := range inv.Lines {
			l := &inv.Lines[i]
			index[l.InvoiceItemID] = len(sh.lines)
			zoho = append(zoho, l.zoho())
			sh.lines = append(sh.lines, creditLine{inv: l, of: inv, left: sh.units(l.Amount), grossLeft: sh.units(l.Gross), quantityLeft: l.Quantity})
		}
		for part, tax := range sh.mode.taxes(zoho[from:]) {
			sh.taxesLeft[part] = sh.taxesLeft[part].Add(tax)
		}
	}
	for _, cell := range sh.mode.cells(zoho) {
		c := creditCell{lines: cell, rates: zoho[cell[0]].rates}
		of, base := sh.lines[cell[0]].of, int64(0) // each invoice's tax was rounded by itself
		for _, i := range cell {
			l := &sh.lines[i]
			if l.of != of {
				c.taxLeft += sh.taxOn(base, c.rates)
				of, base = l.of, 0
			}
			c.left += l.left
			base += l.left
		}
		c.taxLeft += sh.taxOn(base, c.rates)
		sh.cells = append(sh.cells, c)
	}
	sh.zoho = zoho
	sh.sharedLeft = sh.sharedBy(func(i int) decimal.Decimal { return zoho[i].amount })
	for i := range st.Credits {
		sh.subtract(&st.Credits[i], zoho, index)
	}
	left := sh.units(st.Invoiced()) - sh.units(st.Credited())
	sh.rounding = left
	for i := range sh.cells {
		sh.rounding -= sh.cells[i].grossLeft(sh.mode.inclusive)
	}
	if !sh.mode.inclusive {
		sh.rounding -= sh.sharedLeft
	}
	sh.complete = sh.total == left
	return sh, sh.wish()
}

// subtract takes an earlier credit note off what's left.
func (sh *creditSheet) subtract(cr *CreditState, zoho []zohoLine, index map[string]int) {
	taxed := make([]int64, len(sh.lines))
	for k := range cr.Lines {
		cl := &cr.Lines[k]
		i, ok := index[cl.InvoiceItemID]
		if !ok {
			continue // the adjustment's part
		}
		l := &sh.lines[i]
		amount, untaxed := sh.units(cl.Amount), sh.units(cl.Untaxed)
		if amount == 0 && untaxed == 0 { // a state that knows only the gross
			amount = sh.units(cl.Gross)
			if !sh.mode.inclusive {
				amount = sh.units(money.NetOf(cl.Gross, sumOf(zoho[i].rates), sh.mode.currency))
			}
		}
		taxed[i] += amount
		l.left -= amount + untaxed
		l.grossLeft -= sh.units(cl.Gross)
		l.quantityLeft = l.quantityLeft.Sub(cl.Quantity)
	}
	sh.sharedLeft -= sh.sharedBy(func(i int) decimal.Decimal { return sh.amount(taxed[i]) })
	sh.taken(func(i int) decimal.Decimal { return sh.amount(taxed[i]) })
	for i := range sh.cells {
		c := &sh.cells[i]
		var base int64
		for _, j := range c.lines {
			base += taxed[j]
		}
		c.taxLeft -= sh.taxOn(base, c.rates)
		c.left = 0
		for _, j := range c.lines {
			c.left += sh.lines[j].left
		}
	}
}

// wish divides the wanted total over the cells: by the refund's lines, or over the tax rates by largest remainder.
func (sh *creditSheet) wish() *Rejection {
	if r := sh.wishLines(); r != nil {
		return r
	}
	switch {
	case sh.complete:
		for i := range sh.cells {
			sh.cells[i].want = sh.cells[i].grossLeft(sh.mode.inclusive)
		}
	case len(sh.refundLines) > 0:
		sh.rounding = 0
		for i := range sh.cells {
			for _, j := range sh.cells[i].lines {
				sh.cells[i].want += sh.lines[j].want
			}
		}
	default:
		weights := make([]decimal.Decimal, len(sh.cells)+1)
		for i := range sh.cells {
			weights[i] = decimal.NewFromInt(max(0, sh.cells[i].grossLeft(sh.mode.inclusive)))
		}
		weights[len(sh.cells)] = decimal.NewFromInt(max(0, sh.rounding))
		shares := money.Spread(sh.wanted, weights, sh.mode.currency)
		for i := range sh.cells {
			sh.cells[i].want = sh.units(shares[i])
		}
		sh.rounding = sh.units(shares[len(sh.cells)])
	}
	if sh.rounding < 0 && !sh.org.NegativeLines {
		sh.absorb()
	}
	return nil
}

// absorb takes a negative rounding off the largest cells: without negative lines there's no other place for it.
func (sh *creditSheet) absorb() {
	for sh.rounding < 0 && len(sh.cells) > 0 {
		big := sh.largest()
		if big.want <= 0 {
			return
		}
		take := min(-sh.rounding, big.want)
		big.want -= take
		sh.rounding += take
	}
}

// wishLines notes what the refund's lines want of the invoice's, and refuses more than they have left.
func (sh *creditSheet) wishLines() *Rejection {
	for _, said := range sh.refundLines {
		lines := sh.named(said.LineID)
		if len(lines) == 0 {
			return reject(classTotals, "refund line %s is not on invoice %s of the order: name the order's lines, or send the refund without lines",
				said.LineID, sh.st.living()[0].Number)
		}
		sold, slack, gross, left := decimal.Zero, int64(0), int64(0), int64(0)
		for _, l := range lines {
			sold = sold.Add(l.inv.Quantity)
			gross += sh.units(l.inv.Gross)
			left += l.grossLeft
			// A line's part of a tax that's rounded over several lines is known to a unit per tax only.
			slack += max(1, sh.org.Tolerance) * int64(1+len(l.inv.TaxRates))
		}
		if said.Quantity.Cmp(sold) > 0 {
			return reject(classTotals, "line %s was sold %s times, but the refund takes back %s", said.LineID, sold, said.Quantity)
		}
		want := sh.units(said.Amount)
		if want > left+slack {
			return reject(classTotals, "line %s: invoiced %s - already credited %s = %s, but the refund says %s: more than is left to credit", said.LineID,
				sh.text(gross), sh.text(gross-left), sh.text(left), sh.text(want))
		}
		sh.share(lines, said, want)
	}
	return nil
}

// zoho is the line as Zoho taxes it.
func (l *InvoiceLine) zoho() zohoLine {
	z := zohoLine{amount: l.Amount, taxID: l.TaxID, rates: parseRates(l.TaxRates), parts: l.TaxParts}
	if len(z.rates) == 1 {
		z.parts = []string{l.TaxID}
	}
	return z
}

// sharedBy is what the shared taxes of these amounts, by line, come to more or less than the cells' by themselves.
func (sh *creditSheet) sharedBy(amount func(i int) decimal.Decimal) int64 {
	off := decimal.Zero
	lines := sh.taxed(amount)
	for _, t := range sh.mode.shared(lines, sh.mode.cells(lines)) {
		off = off.Add(taxOf(t.base, t.rate, t.whole, sh.mode.inclusive, sh.mode.currency)).Sub(t.apart)
	}
	return sh.units(off)
}

// taxed are the lines with other amounts.
func (sh *creditSheet) taxed(amount func(i int) decimal.Decimal) []zohoLine {
	lines := slices.Clone(sh.zoho)
	for i := range lines {
		lines[i].amount = amount(i)
	}
	return lines
}

// taken takes the taxes of a credit note of these amounts off what's left of the invoices'.
func (sh *creditSheet) taken(amount func(i int) decimal.Decimal) {
	for part, tax := range sh.mode.taxes(sh.taxed(amount)) {
		sh.taxesLeft[part] = sh.taxesLeft[part].Sub(tax)
	}
}

// stays says in the plan what the credit note that completes the invoices leaves of their taxes.
func (sh *creditSheet) stays(plan *creditPlan) {
	sh.taken(func(i int) decimal.Decimal { return sh.amount(sh.lines[i].take) })
	var names []string
	for part, left := range sh.taxesLeft {
		plan.Difference = plan.Difference.Add(left)
		if !left.IsZero() {
			names = append(names, sh.org.partName(part)+" "+amountText(left, sh.mode.currency))
		}
	}
	slices.Sort(names)
	plan.Stays = strings.Join(names, ", ")
}

// partName is what people call a tax that zohoLine.part names: the code that's mapped to it.
func (o *Organization) partName(part string) string {
	if name, ok := strings.CutPrefix(part, "name "); ok {
		return name
	}
	for _, code := range slices.Sorted(maps.Keys(o.Taxes)) {
		if o.Taxes[code].TaxID == part {
			return code
		}
	}
	return part
}

// share divides what's wanted of one line of the order over the invoice lines that it was booked by, oldest first.
func (sh *creditSheet) share(lines []*creditLine, said schemas.RefundLine, want int64) {
	for k, l := range lines {
		part, take := said, want
		if k < len(lines)-1 {
			take = min(want, max(0, l.grossLeft))
			part.Quantity = decimal.Min(said.Quantity, decimal.Max(l.quantityLeft, decimal.Zero))
			if take == 0 {
				continue
			}
		}
		l.said, l.want = part, take
		want -= take
		said.Quantity = said.Quantity.Sub(part.Quantity)
	}
}

func (sh *creditSheet) text(units int64) string {
	return amountText(sh.amount(units), sh.mode.currency)
}

// named are the invoice lines that a line of the order was booked by.
func (sh *creditSheet) named(id string) []*creditLine {
	var lines []*creditLine
	for i := range sh.lines {
		if sh.lines[i].inv.is(id) {
			lines = append(lines, &sh.lines[i])
		}
	}
	return lines
}

// parseRates reads the percents that a state keeps as text; what isn't a number is no tax.
func parseRates(texts []string) []decimal.Decimal {
	var rates []decimal.Decimal
	for _, s := range texts {
		if r, err := decimal.NewFromString(s); err == nil {
			rates = append(rates, r)
		}
	}
	return rates
}

func sumOf(ds []decimal.Decimal) decimal.Decimal {
	sum := decimal.Zero
	for _, d := range ds {
		sum = sum.Add(d)
	}
	return sum
}
