// Package vectors turns public test documents, whose sums nobody on this project wrote, into events: EN 16931 invoices and
// credit notes in UBL, and GOBL documents before and after their calculation. It's for tests only.
//
// A document becomes what a shop would send:
//
//   - An invoice is an order. What it says was prepaid is a payment.
//   - A credit note, and an invoice whose total is negative, is an order of the opposite that was taken back whole: the
//     refund's credit note is the document. What is payable was paid before and is returned; what was settled before
//     (prepaid) was never paid and is applied to the invoice.
//   - A combination of taxes that a credit note charges, all in all, is an order by itself.
//   - Charges are lines. Allowances are discounts on the lines with their tax; one that is more than those lines is a
//     negative line.
//   - A line's own amount is authoritative: where quantity x price less allowance doesn't make it, the line is sent once, at its amount.
//   - The documents say a tax per category only. It's divided over the category's lines, each rounded by itself; what
//     rounding leaves is divided in proportion.
package vectors

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/processor/money"
	"github.com/booksync/booksync/schemas"
)

// Document is a test document: what's in it as an order, and the sums that the books must show. The sums of a credit note
// are positive.
type Document struct {
	Name string // of its file
	// Order has lines, discounts, currency and totals; ids, customer and dates are the test's business.
	Order *schemas.Order
	// Credit: the document gives value back.
	Credit bool
	// Charged is what a document that gives back charges with other taxes, as an order; nil where there's none.
	Charged *schemas.Order
	// Total is with tax and rounding; Payable is what's left of it after Prepaid.
	Net, Tax, Total, Rounding, Prepaid, Payable decimal.Decimal
	Taxes                                       []Category
	// Broken are the rules of EN 16931 that the document's own sums don't keep, with the sums. Nobody can post such a
	// document exactly.
	Broken []string
}

// Refused says why a file isn't a document of the kind that was asked for.
type Refused struct {
	Name string
	Err  error
}

// Category is one tax of a document. Code is what the order's lines carry, Rate a percentage.
type Category struct {
	Code               string
	Rate, Base, Amount decimal.Decimal
}

// bill is a document as its format's reader found it; amounts have the document's own signs.
type bill struct {
	name, currency string
	inclusive      bool // of line amounts and allowances
	credit         bool // its amounts are given back
	lines          []item
	allowances     []item
	taxes          []Category
	// net and gross are without rounding.
	net, tax, gross, rounding, prepaid, payable decimal.Decimal
}

// item is a line, a charge or an allowance. Allowances have an amount and taxes only.
type item struct {
	name             string
	kind             schemas.LineKind
	quantity, price  decimal.Decimal
	discount, amount decimal.Decimal
	codes            []Category      // amounts unset
	base             decimal.Decimal // after the allowances
}

// key tells which items are taxed alike.
func (it *item) key() string {
	codes := make([]string, len(it.codes))
	for i, c := range it.codes {
		codes[i] = c.Code
	}
	slices.Sort(codes)
	return strings.Join(codes, "+")
}

// addTax adds a tax of the document. A category that's there for several reasons is one tax.
func (b *bill) addTax(c Category) {
	i := slices.IndexFunc(b.taxes, func(o Category) bool { return o.Code == c.Code })
	if i < 0 {
		b.taxes = append(b.taxes, c)
		return
	}
	b.taxes[i].Base, b.taxes[i].Amount = b.taxes[i].Base.Add(c.Base), b.taxes[i].Amount.Add(c.Amount)
}

// turn gives every amount the other sign.
func (b *bill) turn() {
	for i := range b.lines {
		it := &b.lines[i]
		it.quantity, it.discount, it.amount = it.quantity.Neg(), it.discount.Neg(), it.amount.Neg()
	}
	for i := range b.allowances {
		b.allowances[i].amount = b.allowances[i].amount.Neg()
	}
	for i := range b.taxes {
		b.taxes[i].Base, b.taxes[i].Amount = b.taxes[i].Base.Neg(), b.taxes[i].Amount.Neg()
	}
	for _, d := range []*decimal.Decimal{&b.net, &b.tax, &b.gross, &b.rounding, &b.prepaid, &b.payable} {
		*d = d.Neg()
	}
	b.credit = !b.credit
}

// document makes the events' parts.
func (b *bill) document() (*Document, error) {
	if b.gross.IsNegative() {
		b.turn()
	}
	if _, ok := money.MinorUnit(b.currency); !ok {
		return nil, fmt.Errorf("currency %q", b.currency)
	}
	d := &Document{
		Name: b.name, Credit: b.credit && !b.gross.IsZero(), Net: b.net, Tax: b.tax, Total: b.gross.Add(b.rounding), Rounding: b.rounding,
		Prepaid: b.prepaid, Payable: b.payable, Taxes: slices.Clone(b.taxes), Broken: b.broken(),
	}
	var err error
	if d.Credit {
		if charged := b.charged(); charged != nil {
			if d.Charged, err = charged.order(); err != nil {
				return nil, err
			}
		}
	}
	d.Order, err = b.order()
	return d, err
}

// order lays the bill out as an order.
func (b *bill) order() (*schemas.Order, error) {
	o := &schemas.Order{Kind: schemas.OrderCreated, Revision: 1, Currency: b.currency, PricesIncludeTax: b.inclusive}
	o.Totals = schemas.Totals{Net: b.net.Add(b.rounding), Tax: b.tax, Gross: b.gross.Add(b.rounding)}
	b.allow(o)
	if err := b.share(); err != nil {
		return nil, err
	}
	for i := range b.lines {
		o.Lines = append(o.Lines, b.lines[i].line(fmt.Sprint(i+1), b.currency, b.inclusive))
	}
	if !b.rounding.IsZero() {
		o.Lines = append(o.Lines, schemas.Line{
			LineID: "rounding", Kind: schemas.LineRounding, Name: "Rounding", Quantity: decimal.NewFromInt(1), UnitPrice: b.rounding,
		})
	}
	return o, nil
}

// charged takes out of the bill the combinations of taxes that come to less than nothing, as a bill of the opposite; nil
// where there are none.
func (b *bill) charged() *bill {
	sums := make(map[string]decimal.Decimal)
	for i := range b.lines {
		sums[b.lines[i].key()] = sums[b.lines[i].key()].Add(b.lines[i].amount)
	}
	for i := range b.allowances {
		sums[b.allowances[i].key()] = sums[b.allowances[i].key()].Sub(b.allowances[i].amount)
	}
	moved := func(it item) bool { return sums[it.key()].IsNegative() }
	out := &bill{name: b.name, currency: b.currency, inclusive: b.inclusive, lines: slices.Collect(filter(b.lines, moved)), allowances: slices.Collect(filter(b.allowances, moved))}
	if len(out.lines)+len(out.allowances) == 0 {
		return nil
	}
	for _, c := range b.taxes {
		if slices.ContainsFunc(append(slices.Clone(out.lines), out.allowances...), func(it item) bool { return it.key() == c.Code }) {
			out.taxes, out.net, out.tax = append(out.taxes, c), out.net.Add(c.Base), out.tax.Add(c.Amount)
		}
	}
	out.gross = out.net.Add(out.tax)
	b.lines, b.allowances = slices.DeleteFunc(b.lines, moved), slices.DeleteFunc(b.allowances, moved)
	b.taxes = slices.DeleteFunc(b.taxes, func(c Category) bool { return sums[c.Code].IsNegative() })
	b.net, b.tax, b.gross = b.net.Sub(out.net), b.tax.Sub(out.tax), b.gross.Sub(out.gross)
	out.turn()
	return out
}

func filter(items []item, keep func(item) bool) func(func(item) bool) {
	return func(yield func(item) bool) {
		for _, it := range items {
			if keep(it) && !yield(it) {
				return
			}
		}
	}
}

// broken are the sums of the document that contradict each other.
func (b *bill) broken() []string {
	var out []string
	same := func(rule string, found, expected decimal.Decimal) {
		if !found.Equal(expected) {
			out = append(out, fmt.Sprintf("%s: %s, the document says %s", rule, expected, found))
		}
	}
	lines, taxes := decimal.Zero, decimal.Zero
	bases := make(map[string]decimal.Decimal) // by code
	for i := range b.lines {
		lines = lines.Add(b.lines[i].amount)
		for _, c := range b.lines[i].codes {
			bases[c.Code] = bases[c.Code].Add(b.lines[i].amount)
		}
	}
	for i := range b.allowances {
		lines = lines.Sub(b.allowances[i].amount)
		for _, c := range b.allowances[i].codes {
			bases[c.Code] = bases[c.Code].Sub(b.allowances[i].amount)
		}
	}
	said := b.net
	if b.inclusive {
		said = b.gross
	}
	same("BR-CO-13, lines less allowances", said, lines)
	for _, c := range b.taxes {
		taxes = taxes.Add(c.Amount)
		if !b.inclusive {
			same("BR-S-08, what is taxed with "+c.Code, c.Base, bases[c.Code])
			same("BR-S-09, the tax "+c.Code, c.Amount, money.Percent(c.Base, c.Rate, b.currency))
		}
	}
	same("BR-CO-14, taxes of the categories", b.tax, taxes)
	same("BR-CO-15, net and tax", b.gross, b.net.Add(b.tax))
	same("BR-CO-16, what is payable", b.payable, b.gross.Add(b.rounding).Sub(b.prepaid))
	return out
}

// allow makes discounts of the allowances, or negative lines where the lines can't bear them. It leaves the lines' bases
// after the discounts.
func (b *bill) allow(o *schemas.Order) {
	for i := range b.lines {
		b.lines[i].base = b.lines[i].amount
	}
	for _, a := range b.allowances {
		if a.amount.IsZero() {
			continue
		}
		var on []int
		var limits []decimal.Decimal
		for i := range b.lines {
			if it := &b.lines[i]; it.key() == a.key() {
				on, limits = append(on, i), append(limits, decimal.Max(it.base, decimal.Zero))
			}
		}
		shares, fits := money.SpreadCapped(a.amount, limits, b.currency)
		if !fits {
			a.kind, a.quantity, a.price, a.amount = schemas.LineFee, decimal.NewFromInt(-1), a.amount, a.amount.Neg()
			a.base = a.amount
			b.lines = append(b.lines, a)
			continue
		}
		for k, i := range on {
			b.lines[i].base = b.lines[i].base.Sub(shares[k])
		}
		d := schemas.Discount{Amount: a.amount, BeforeTax: true, Code: a.name}
		for _, c := range a.codes {
			d.Taxes = append(d.Taxes, c.tax(decimal.Zero))
		}
		o.Discounts = append(o.Discounts, d)
	}
}

// share divides each category's tax over its lines: each line's own tax, rounded by itself, and what that leaves of the
// category's in proportion to what they come to.
func (b *bill) share() error {
	for _, c := range b.taxes {
		left := c.Amount
		var on []*item
		var parts []*Category
		for i := range b.lines {
			it := &b.lines[i]
			k := slices.IndexFunc(it.codes, func(o Category) bool { return o.Code == c.Code })
			if k < 0 {
				continue
			}
			it.codes[k].Amount = it.tax(c.Rate, b.inclusive, b.currency)
			left = left.Sub(it.codes[k].Amount)
			on, parts = append(on, it), append(parts, &it.codes[k])
		}
		if len(on) == 0 {
			if !c.Amount.IsZero() {
				return fmt.Errorf("tax %s is on no line", c.Code)
			}
			continue
		}
		weights := make([]decimal.Decimal, len(on))
		for i, it := range on {
			weights[i] = it.base.Abs()
		}
		for i, more := range money.Spread(left, weights, b.currency) {
			parts[i].Amount = parts[i].Amount.Add(more)
		}
	}
	return nil
}

// tax is the line's own tax at a rate.
func (it *item) tax(rate decimal.Decimal, inclusive bool, currency string) decimal.Decimal {
	if !inclusive {
		return money.Percent(it.base, rate, currency)
	}
	whole := decimal.NewFromInt(100)
	for _, c := range it.codes {
		whole = whole.Add(c.Rate)
	}
	return money.DivRound(it.base.Mul(rate), whole, currency)
}

// scale is how many decimals quantities and prices of an event have.
const scale = 6

// line is the item as a line of an order.
func (it *item) line(id, currency string, inclusive bool) schemas.Line {
	l := schemas.Line{
		LineID: id, Kind: cmp.Or(it.kind, schemas.LineGoods), Name: it.name, Quantity: it.quantity, UnitPrice: it.price, Discount: it.discount,
	}
	if l.Quantity.IsZero() { // at its amount, below
		l.Quantity, l.UnitPrice = decimal.NewFromInt(1), decimal.Zero
	}
	if it.amount.IsNegative() && it.quantity.IsPositive() {
		l.Quantity = l.Quantity.Neg()
	}
	if l.UnitPrice.IsNegative() {
		l.Quantity, l.UnitPrice = l.Quantity.Neg(), l.UnitPrice.Neg()
	}
	makes := money.Round(l.Quantity.Mul(l.UnitPrice), currency).Sub(l.Discount).Equal(it.amount)
	if !makes || l.Discount.IsNegative() || l.Discount.IsPositive() && l.Quantity.IsNegative() ||
		!l.Quantity.Equal(l.Quantity.Round(scale)) || !l.UnitPrice.Equal(l.UnitPrice.Round(scale)) {
		l.Quantity, l.UnitPrice, l.Discount = decimal.NewFromInt(int64(cmp.Or(it.amount.Sign(), 1))), it.amount.Abs(), decimal.Zero
	}
	if !inclusive {
		l.Net = decimal.NewNullDecimal(it.amount)
	}
	for _, c := range it.codes {
		l.Taxes = append(l.Taxes, c.tax(c.Amount))
	}
	return l
}

func (c *Category) tax(amount decimal.Decimal) schemas.Tax {
	return schemas.Tax{Code: c.Code, Rate: decimal.NewNullDecimal(c.Rate), Amount: amount, CollectedBy: schemas.CollectedBySeller}
}
