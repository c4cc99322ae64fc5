package judge

import (
	"fmt"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/torture/tale"
)

// changed: each revision that raised an order has one further invoice over the difference, each that lowered it one credit
// note, of the day of the change; nothing else corrects it.
func (c *checker) changed(st *tale.Story) {
	for i, now := range st.Revisions[1:] {
		more := now.Totals.Gross.Sub(st.Revisions[i].Totals.Gross)
		tax := now.Totals.Tax.Sub(st.Revisions[i].Totals.Tax)
		raised, lowered := fmt.Sprintf("order:%s:%d", st.ID, now.Revision), fmt.Sprintf("correction:%s:%d", st.ID, now.Revision)
		key, none := raised, lowered
		switch more.Sign() {
		case 0:
			c.none(raised, "the revision changes no amount")
			c.none(lowered, "the revision changes no amount")
			continue
		case -1:
			key, none = lowered, raised
		}
		c.none(none, "the revision did the contrary")
		doc := c.one(key)
		c.want(money, "document "+key, doc.Total, more.Abs())
		if off := doc.Tax.Sub(tax.Abs()).Abs(); off.GreaterThan(cent) {
			c.Problem(money, "tax of %s: the books say %s, the events %s", key, doc.Tax, tax.Abs())
		}
		c.day("document "+key, doc.Date, now.OccurredAt)
		if doc.Status == "draft" || doc.Status == "void" {
			c.Problem(money, "document %s is %s", key, doc.Status)
		}
		if key == lowered {
			c.want(money, "rest of "+key, doc.Balance, decimal.Zero)
		}
	}
}

// cent is by how much the tax of a further document may differ from the difference of the taxes: it is rounded once more, and
// what that makes is an adjustment, which the outcome names.
var cent = decimal.New(1, -2)

// balance is what is owed on all invoices of an order.
func (c *checker) balance(st *tale.Story) decimal.Decimal {
	sum := decimal.Zero
	for _, d := range c.byKey["order:"+st.ID] {
		sum = sum.Add(d.Balance)
	}
	for _, o := range st.Revisions {
		for _, d := range c.byKey[fmt.Sprintf("order:%s:%d", st.ID, o.Revision)] {
			sum = sum.Add(d.Balance)
		}
	}
	return sum
}
