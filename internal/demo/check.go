package demo

import (
	"fmt"
	"sort"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/schemas"
)

// maxProblems bounds the problems that a report names.
const maxProblems = 20

// checker compares the simulated books with the events, by arithmetic of its own: what the job planned is not looked at.
type checker struct {
	ledger   simulator.Ledger
	byKey    map[string][]simulator.LedgerDocument
	market   *market
	problems []string
	twice    int
}

func (c *checker) wrong(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

// want compares one figure.
func (c *checker) want(what string, got, want decimal.Decimal) {
	if !got.Equal(want) {
		c.wrong("%s: the books say %s, the events %s", what, got, want)
	}
}

// story is what the events say of one order.
type story struct {
	order     *schemas.Order
	cancelled bool
	payments  []*schemas.Payment
	refunds   []*schemas.Refund
}

// checkBooks compares the whole: each document with its event, each order's invoice with what was paid and given back,
// and the accounts one by one.
func checkBooks(l simulator.Ledger, s *sample) *checker {
	c := &checker{ledger: l, market: s.market, byKey: map[string][]simulator.LedgerDocument{}}
	keyed := 0
	for _, docs := range [][]simulator.LedgerDocument{l.Invoices, l.Payments, l.CreditNotes} {
		for _, d := range docs {
			c.byKey[d.BusinessID] = append(c.byKey[d.BusinessID], d)
			keyed++
		}
	}
	for key, docs := range c.byKey {
		if key == "" || len(docs) > 1 {
			c.twice += len(docs) - 1
			c.wrong("%d documents carry the key %q", len(docs), key)
		}
	}
	stories := storiesOf(s)
	totals := &accounts{clearing: map[string]decimal.Decimal{}}
	expected := 0
	for _, id := range sorted(stories) {
		expected += c.story(id, stories[id], totals)
	}
	if keyed != expected {
		c.wrong("the books hold %d invoices, payments and credit notes, the events ask for %d", keyed, expected)
	}
	c.accounts(totals)
	if !l.Zero {
		c.wrong("the trial balance is not zero: %s %s", l.Sum, l.Error)
	}
	sort.Strings(c.problems)
	return c
}

// storiesOf collects the events that take effect, by order.
func storiesOf(s *sample) map[string]*story {
	out := map[string]*story{}
	at := func(id string) *story {
		if out[id] == nil {
			out[id] = &story{}
		}
		return out[id]
	}
	for _, e := range s.emissions {
		switch {
		case !e.effect:
		case e.order != nil && e.order.Kind == schemas.OrderCancelled:
			at(e.order.OrderID).cancelled = true
		case e.order != nil:
			at(e.order.OrderID).order = e.order
		case e.payment != nil:
			at(e.payment.OrderID).payments = append(at(e.payment.OrderID).payments, e.payment)
		case e.refund != nil:
			at(e.refund.OrderID).refunds = append(at(e.refund.OrderID).refunds, e.refund)
		}
	}
	return out
}

// accounts are sums over all stories, in the base currency, debits positive.
type accounts struct {
	receivable, fees, sold decimal.Decimal
	clearing               map[string]decimal.Decimal // by gateway
}

// one is the document of a key; the zero document when there's none, which is noted.
func (c *checker) one(key string) simulator.LedgerDocument {
	docs := c.byKey[key]
	if len(docs) == 0 {
		c.wrong("no document carries the key %q", key)
		return simulator.LedgerDocument{}
	}
	return docs[0]
}

// story checks one order and answers the number of documents that it asks for.
func (c *checker) story(id string, st *story, sum *accounts) int {
	docs := 1
	inv := c.one("order:" + id)
	gross := st.order.Totals.Gross
	c.want("invoice of "+id, inv.Total, gross)
	c.want("tax of "+id, inv.Tax, st.order.Totals.Tax)
	if c.market != nil {
		c.checkEdition(c.market, st.order, inv)
	}
	if st.cancelled {
		if inv.Status != "void" {
			c.wrong("invoice of %s is %s, its order was cancelled", id, inv.Status)
		}
		return docs
	}
	owed := gross
	for _, p := range st.payments {
		docs++
		c.payment(p, sum)
		owed = decimal.Max(owed.Sub(p.Amount), decimal.Zero)
	}
	sold := gross
	for _, r := range st.refunds {
		docs++
		note := c.one("refund:" + r.RefundID)
		c.want("credit note of "+r.RefundID, note.Total, r.Amount)
		c.refundEntry(r, note, sum)
		sold = sold.Sub(r.Amount)
	}
	c.want("balance of "+id, inv.Balance, owed)
	sum.receivable = sum.receivable.Add(owed)
	sum.sold = sum.sold.Sub(sold)
	return docs
}

func (c *checker) payment(p *schemas.Payment, sum *accounts) {
	doc := c.one("payment:" + p.PaymentID)
	c.want("payment "+p.PaymentID, doc.Total, p.Amount)
	fee := decimal.Zero
	if p.Fee != nil {
		fee = p.Fee.Amount
	}
	c.want("fee of "+p.PaymentID, doc.BankCharges, fee)
	sum.fees = sum.fees.Add(fee)
	sum.clearing[p.Gateway] = sum.clearing[p.Gateway].Add(p.Amount).Sub(fee)
}

// refundEntry finds the money that a refund returned: one entry of its amount, from its gateway's account.
func (c *checker) refundEntry(r *schemas.Refund, note simulator.LedgerDocument, sum *accounts) {
	n := 0
	for _, d := range c.ledger.Refunds {
		if d.ParentID == note.ID {
			n++
			c.want("refund entry of "+r.RefundID, d.Total, r.Amount)
		}
	}
	if n != 1 {
		c.wrong("refund %s has %d refund entries", r.RefundID, n)
	}
	sum.clearing[r.Gateway] = sum.clearing[r.Gateway].Sub(r.Amount)
}

var clearingAccounts = map[string]string{"stripe": simulator.AccountStripe, "paypal": simulator.AccountPayPal, "razorpay": simulator.AccountRazorpay}

// accounts checks the trial balance account by account.
func (c *checker) accounts(sum *accounts) {
	c.want(simulator.AccountReceivable, c.ledger.Balance(simulator.AccountReceivable), sum.receivable)
	c.want(simulator.AccountFees, c.ledger.Balance(simulator.AccountFees), sum.fees)
	for gateway, account := range clearingAccounts {
		c.want(account, c.ledger.Balance(account), sum.clearing[gateway])
	}
	sold := decimal.Zero
	for _, account := range []string{simulator.AccountSales, simulator.AccountShipping, simulator.AccountRounding, simulator.AccountTaxPayable} {
		sold = sold.Add(c.ledger.Balance(account))
	}
	c.want("revenue and taxes", sold, sum.sold)
}

func sorted(m map[string]*story) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
