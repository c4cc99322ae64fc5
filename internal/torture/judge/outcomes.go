package judge

import (
	"fmt"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/internal/torture/tale"
	"github.com/booksync/booksync/schemas"
)

// together is how close outcomes of one order may have been settled so that nobody knows which of them was the last.
const together = 5 * time.Second

// outcomes: what a POSTED says it wrote is what the books hold under that id; what the event asked for and what was posted are
// the event's amount; the last one that speaks of an order's balance speaks of the one that it has.
func (c *checker) outcomes() {
	docs := map[string]simulator.LedgerDocument{}
	for _, list := range [][]simulator.LedgerDocument{c.Ledger.Invoices, c.Ledger.Payments, c.Ledger.CreditNotes, c.Ledger.Refunds} {
		for _, d := range list {
			docs[d.ID] = d
		}
	}
	after, silent := map[*tale.Story][]Outcome{}, map[*tale.Story]bool{}
	for _, e := range c.Tale.Emissions {
		outs := c.Outcomes[e.Where]
		if e.Aborted || !e.Sent || e.Story.Victim || len(outs) == 0 || outs[0].Status != schemas.StatusPosted {
			continue
		}
		out := outs[0]
		for _, d := range out.Documents {
			have, ok := docs[d.ID]
			if !ok {
				c.Problem(noLies, "%s names the %s %s, which is not in the books", e.Where, d.Type, d.ID)
				continue
			}
			what := "outcome of " + e.Effect() + " about " + d.Type + " " + d.ID + ", "
			c.says(what+"total", d.Total, have.Total)
			c.says(what+"tax", d.Tax, have.Tax)
			if d.BaseTotal.Valid {
				c.says(what+"total in the company's currency", d.BaseTotal.Decimal, have.BaseTotal)
			}
			if d.Date != "" && have.Date != "" && d.Date != have.Date {
				c.Problem(noLies, "%sdate: it says %s, the books %s", what, d.Date, have.Date)
			}
		}
		if amount := asked(e); amount.Valid {
			for _, said := range []decimal.NullDecimal{out.Expected, out.Posted} {
				if said.Valid {
					c.says("amount in the outcome of "+e.Effect(), said.Decimal, amount.Decimal)
				}
			}
		}
		may := decimal.Zero
		if len(e.Story.Revisions) > 0 {
			may = cent
		}
		if strings.Contains(out.Reason, "tax that no credit note took back") { // partial credits may leave a unit or a few of a tax, which the last one names
			may = decimal.New(9, -2)
		}
		if out.Difference.Valid && out.Difference.Decimal.Abs().GreaterThan(may) {
			c.Problem(money, "%s was posted with a difference of %s", e.Where, out.Difference.Decimal)
		}
		if out.InvoiceAfter != nil {
			after[e.Story] = append(after[e.Story], out)
		} else if c.Tale.Forgetful { // adopted as the books hold it: it tells the document, not what the invoice owes
			silent[e.Story] = true
		}
	}
	for st, outs := range after {
		if !silent[st] {
			c.lastBalance(st, outs)
		}
	}
}

// says compares a figure of an outcome with the one of the books.
func (c *checker) says(what string, said, is decimal.Decimal) {
	if !said.Equal(is) {
		c.Problem(noLies, "%s: it says %s, right is %s", what, said, is)
	}
}

// asked is the amount of an event whose document has just this amount.
func asked(e *tale.Emission) decimal.NullDecimal {
	switch {
	case e.Order != nil && e.Order.Kind != schemas.OrderCancelled:
		return decimal.NewNullDecimal(e.Order.Totals.Gross)
	case e.Payment != nil:
		return decimal.NewNullDecimal(e.Payment.Amount)
	}
	return decimal.NullDecimal{}
}

// lastBalance: where Redis forgot who works on an order, its payment may go by the invoice in the books before the order's own attempt,
// which made it, is settled; any of the outcomes may then be the last that knew.
func (c *checker) lastBalance(st *tale.Story, outs []Outcome) {
	if docs := c.byKey["order:"+st.ID]; st.Order == nil || len(docs) != 1 || docs[0].Status == "void" {
		return
	}
	last := outs[0].SettledAt
	for _, o := range outs {
		if o.SettledAt.After(last) {
			last = o.SettledAt
		}
	}
	is := c.balance(st)
	for _, o := range outs {
		if (c.Tale.Forgetful || last.Sub(o.SettledAt) <= together) && o.InvoiceAfter.Balance.Equal(is) {
			return
		}
	}
	var said []string
	for _, o := range outs {
		said = append(said, fmt.Sprintf("%s after %s %s at %s", o.InvoiceAfter.Balance, o.Workflow, o.BusinessID, o.SettledAt.Format("15:04:05.000")))
	}
	c.Problem(noLies, "the last outcomes about %s say a balance that is not the books' %s: %s", st.ID, is, strings.Join(said, ", "))
}
