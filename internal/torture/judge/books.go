package judge

import (
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/internal/torture/tale"
	"github.com/booksync/booksync/schemas"
)

// want compares one figure.
func (c *checker) want(promise, what string, got, want decimal.Decimal) {
	if !got.Equal(want) {
		c.Problem(promise, "%s: the books say %s, the events %s", what, got, want)
	}
}

// one is the only document of a key.
func (c *checker) one(key string) simulator.LedgerDocument {
	docs := c.byKey[key]
	if len(docs) == 0 {
		c.Problem(oneDocument, "no document carries the key %q", key)
		return simulator.LedgerDocument{}
	}
	return docs[0]
}

// none: a key that nothing may carry.
func (c *checker) none(key, why string) {
	if n := len(c.byKey[key]); n > 0 {
		c.Problem(oneDocument, "%d documents carry the key %q: %s", n, key, why)
	}
}

func (c *checker) day(what, got string, at time.Time) {
	if want := at.In(c.zone).Format(time.DateOnly); got != want && got != "" {
		c.Problem(money, "%s is dated %s, the event says %s", what, got, want)
	}
}

// story holds one order's documents against its events.
func (c *checker) story(st *tale.Story) {
	for _, e := range c.Tale.Emissions {
		if e.Story == st && e.Aborted && e.Workflow != "order" {
			c.none(e.Effect(), "its transaction was aborted")
		}
	}
	if st.Victim {
		c.edited(st)
		return
	}
	if st.Order == nil {
		c.none("order:"+st.ID, "it was refused, or cancelled before it came")
		return
	}
	o := st.Order
	inv := c.one("order:" + st.ID)
	if len(st.Revisions) > 0 {
		c.invoice(st.Revisions[0], inv)
		c.changed(st)
	} else {
		c.invoice(o, inv)
	}
	paid, credited, returned := decimal.Zero, decimal.Zero, decimal.Zero
	for _, p := range st.Payments {
		c.payment(p)
		paid = paid.Add(p.Amount)
	}
	for _, r := range st.Refunds {
		c.refund(r, credit(r))
		credited, returned = credited.Add(credit(r)), returned.Add(r.Amount)
	}
	for _, r := range st.Drawn {
		c.refund(r, decimal.Zero)
		returned = returned.Add(r.Amount)
	}
	// What the customer owes: what was let off without money, and what was paid, is taken from it, never more than is there.
	letOff := decimal.Max(credited.Sub(returned), decimal.Zero)
	owed := decimal.Max(o.Totals.Gross.Sub(paid).Sub(letOff), decimal.Zero)
	inHand := decimal.Max(paid.Sub(o.Totals.Gross), decimal.Zero).Sub(decimal.Max(returned.Sub(credited), decimal.Zero))
	sold := o.Totals.Gross.Sub(credited)
	if st.Cancelled {
		owed, inHand, sold = decimal.Zero, paid.Sub(returned), decimal.Zero
		c.cancelled(st, inv, paid, returned)
	} else {
		c.none("cancel:"+st.ID, "it was not cancelled")
		if inv.Status == "void" || inv.Status == "draft" {
			c.Problem(money, "the invoice of %s is %s", st.ID, inv.Status)
		}
	}
	if inv.Status != "void" {
		c.want(money, "balance of "+st.ID, c.balance(st), owed)
	}
	c.expect(o, st, owed, inHand, sold)
}

func credit(r *schemas.Refund) decimal.Decimal {
	if r.CreditTotal.Valid {
		return r.CreditTotal.Decimal
	}
	return r.Amount
}

// edited: what a person wrote into an invoice stays there.
func (c *checker) edited(st *tale.Story) {
	want, ok := c.Edited[st.ID]
	if docs := c.byKey["order:"+st.ID]; ok && len(docs) == 1 && docs[0].Notes != want {
		c.Problem(noLies, "a person wrote %q into the invoice of %s, which says %q", want, st.ID, docs[0].Notes)
	}
}

// invoice: totals, taxes, day, rate, and the accounts of its lines.
func (c *checker) invoice(o *schemas.Order, inv simulator.LedgerDocument) {
	if inv.ID == "" {
		return
	}
	c.want(money, "invoice of "+o.OrderID, inv.Total, o.Totals.Gross)
	c.want(money, "tax of "+o.OrderID, inv.Tax, o.Totals.Tax)
	c.day("the invoice of "+o.OrderID, inv.Date, o.PlacedAt)
	if inv.Currency != o.Currency {
		c.Problem(money, "the invoice of %s is in %s, the event in %s", o.OrderID, inv.Currency, o.Currency)
	}
	if o.ExchangeRate.Valid {
		c.want(money, "exchange rate of "+o.OrderID, inv.ExchangeRate, o.ExchangeRate.Decimal)
	}
	got, want := map[string]decimal.Decimal{}, revenue(o)
	for _, l := range inv.Lines {
		got[l.Account] = got[l.Account].Add(l.Revenue)
	}
	for _, account := range []string{simulator.AccountSales, simulator.AccountShipping} {
		c.want(accounts, account+" of "+o.OrderID, got[account], want[account])
	}
}

// revenue is what an order earns, by account.
func revenue(o *schemas.Order) map[string]decimal.Decimal {
	out := map[string]decimal.Decimal{}
	for i := range o.Lines {
		account := simulator.AccountSales
		if o.Lines[i].Kind == schemas.LineShipping {
			account = simulator.AccountShipping
		}
		out[account] = out[account].Add(tale.Net(&o.Lines[i]))
	}
	return out
}

func (c *checker) payment(p *schemas.Payment) {
	doc := c.one("payment:" + p.PaymentID)
	if doc.ID == "" {
		return
	}
	c.want(money, "payment "+p.PaymentID, doc.Total, p.Amount)
	c.want(money, "fee of "+p.PaymentID, doc.BankCharges, fee(p))
	c.day("payment "+p.PaymentID, doc.Date, p.ReceivedAt)
	if doc.Account != tale.Clearing[p.Gateway] {
		c.Problem(accounts, "payment %s is deposited to %s, it came through %s", p.PaymentID, doc.Account, p.Gateway)
	}
	if p.ExchangeRate.Valid {
		c.want(money, "exchange rate of "+p.PaymentID, doc.ExchangeRate, p.ExchangeRate.Decimal)
	}
	rate := rateOf(p.ExchangeRate)
	c.add(tale.Clearing[p.Gateway], p.Amount.Mul(rate).Round(2).Sub(fee(p).Mul(rate).Round(2)))
	c.add(simulator.AccountFees, fee(p).Mul(rate).Round(2))
}

func fee(p *schemas.Payment) decimal.Decimal {
	if p.Fee == nil {
		return decimal.Zero
	}
	return p.Fee.Amount
}

func rateOf(r decimal.NullDecimal) decimal.Decimal {
	if r.Valid {
		return r.Decimal
	}
	return decimal.NewFromInt(1)
}

// refund: its credit note over this total, or none of its own; and the money that went back, once.
func (c *checker) refund(r *schemas.Refund, total decimal.Decimal) {
	key := "refund:" + r.RefundID
	var entries []simulator.LedgerDocument
	reference := r.GatewayReference
	if total.IsPositive() {
		note := c.one(key)
		if note.ID == "" {
			return
		}
		c.want(money, "credit note of "+r.RefundID, note.Total, total)
		c.want(money, "rest of the credit note of "+r.RefundID, note.Balance, decimal.Zero)
		c.day("the credit note of "+r.RefundID, note.Date, r.RefundedAt)
		for _, d := range c.Ledger.Refunds {
			if d.ParentID == note.ID {
				entries = append(entries, d)
			}
		}
	} else {
		c.none(key, "its refund credits nothing")
		for _, d := range c.Ledger.Refunds {
			if slices.Contains([]string{reference, r.RefundID}, d.Reference) {
				entries = append(entries, d)
			}
		}
	}
	sum := decimal.Zero
	for _, d := range entries {
		sum = sum.Add(d.Total)
		c.day("the refund entry of "+r.RefundID, d.Date, r.RefundedAt)
		if d.Account != tale.Clearing[r.Gateway] {
			c.Problem(accounts, "refund %s is taken from %s, it went through %s", r.RefundID, d.Account, r.Gateway)
		}
	}
	c.want(money, "money returned of "+r.RefundID, sum, r.Amount)
	if len(entries) > 1 {
		c.Duplicates += len(entries) - 1
		c.Problem(oneDocument, "refund %s has %d refund entries", r.RefundID, len(entries))
	}
	c.add(tale.Clearing[r.Gateway], r.Amount.Mul(rateOf(r.ExchangeRate)).Round(2).Neg())
}

// cancelled: an invoice of the same month that nobody paid is void; of any other what was left is credited.
func (c *checker) cancelled(st *tale.Story, inv simulator.LedgerDocument, paid, returned decimal.Decimal) {
	if zone, sameMonth := c.zone, "2006-01"; paid.IsZero() &&
		st.Order.PlacedAt.In(zone).Format(sameMonth) == st.Order.PlacedAt.Add(tale.CancelledAfter).In(zone).Format(sameMonth) {
		if inv.Status != "void" {
			c.Problem(money, "the invoice of %s is %s, its order was cancelled unpaid", st.ID, inv.Status)
		}
		c.none("cancel:"+st.ID, "its invoice is void")
		return
	}
	note := c.one("cancel:" + st.ID)
	c.want(money, "credit note of the cancellation of "+st.ID, note.Total, st.Order.Totals.Gross)
	c.want(money, "rest of the credit note of the cancellation of "+st.ID, note.Balance, decimal.Min(paid, note.Total).Sub(returned))
}

func (c *checker) add(account string, amount decimal.Decimal) {
	c.base[account] = c.base[account].Add(amount)
}

const soldAndTaxed = "revenue and taxes"

// expect adds what an order leaves in the accounts, in the company's currency. Foreign orders are paid in full or not at all.
func (c *checker) expect(o *schemas.Order, st *tale.Story, owed, inHand, sold decimal.Decimal) {
	rate := rateOf(o.ExchangeRate)
	c.add(simulator.AccountReceivable, owed.Mul(rate).Round(2))
	c.add(simulator.AccountUnearned, inHand.Neg())
	if !o.ExchangeRate.Valid {
		c.add(soldAndTaxed, sold.Neg())
		return
	}
	for _, amount := range revenue(o) {
		c.add(soldAndTaxed, amount.Mul(rate).Round(2).Neg())
	}
	taxes := map[string]decimal.Decimal{}
	for _, l := range o.Lines {
		for _, t := range l.Taxes {
			taxes[t.Code] = taxes[t.Code].Add(t.Amount)
		}
	}
	for _, amount := range taxes {
		c.add(soldAndTaxed, amount.Mul(rate).Round(2).Neg())
	}
}

// accounts: the journal, account by account, without what people did to their victims.
func (c *checker) accounts() {
	if !c.Ledger.Zero {
		c.Problem(accounts, "the trial balance is not zero: %s %s", c.Ledger.Sum, c.Ledger.Error)
	}
	victims := map[string]bool{}
	mine := map[string]bool{}
	for _, st := range c.Tale.Victims {
		mine["order:"+st.ID] = true
	}
	for _, inv := range c.Ledger.Invoices {
		victims[inv.ID] = mine[inv.BusinessID]
	}
	for _, e := range c.Tale.Emissions {
		if e.Story.Victim {
			for _, d := range c.byKey[e.Effect()] {
				victims[d.ID] = true
			}
		}
	}
	for _, d := range c.Ledger.Refunds {
		if victims[d.ParentID] {
			victims[d.ID] = true
		}
	}
	got := map[string]decimal.Decimal{}
	parent := map[string]string{}
	for _, a := range c.Ledger.TrialBalance {
		parent[a.Name] = a.Parent
	}
	for _, e := range c.Ledger.Journal {
		if victims[e.DocumentID] {
			continue
		}
		for _, l := range e.Lines {
			name := l.Account
			switch {
			case name == simulator.AccountSales, name == simulator.AccountShipping, name == simulator.AccountRounding,
				name == simulator.AccountTaxPayable, parent[name] == simulator.AccountTaxPayable:
				name = soldAndTaxed
			}
			got[name] = got[name].Add(l.Amount)
		}
	}
	for _, account := range []string{
		simulator.AccountReceivable, simulator.AccountUnearned, simulator.AccountFees, simulator.AccountStripe, simulator.AccountPayPal, soldAndTaxed,
	} {
		c.want(accounts, account, got[account], c.base[account])
	}
	for account, amount := range got {
		switch account {
		case simulator.AccountReceivable, simulator.AccountUnearned, simulator.AccountFees, simulator.AccountStripe, simulator.AccountPayPal, soldAndTaxed,
			simulator.AccountExchange: // what is left; the journal's entries are balanced
		default:
			if !amount.IsZero() {
				c.Problem(accounts, "%s holds %s, no event speaks of it", account, amount)
			}
		}
	}
}
