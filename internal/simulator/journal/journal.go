// Package journal is the double-entry book of the simulator: every change of a document posts an entry whose debits
// equal its credits, in the organisation's base currency. It knows accounts by their index only and nothing of
// invoices or payments; what an entry says is its caller's business.
//
// The zero Journal is empty and usable. A Journal is not safe for concurrent use: its owner locks.
package journal

import (
	"fmt"

	"github.com/shopspring/decimal"
)

// Account is an index into the owner's table of accounts.
type Account int

// Line is one leg of an entry: a debit when Amount is positive, a credit when it is negative. Base currency.
type Line struct {
	Account Account
	Amount  decimal.Decimal
}

// Entry is one balanced posting. Date is the accounting day (yyyy-mm-dd), Document the id of what caused it, Event
// what happened to it, such as "invoice.sent" or "payment.applied".
type Entry struct {
	Date     string
	Document uint64
	Event    string
	Lines    []Line
}

// Journal holds the entries in the order they were posted, and each account's balance.
type Journal struct {
	entries  []Entry
	balances []decimal.Decimal
}

// Post appends e. It refuses, changing nothing, an entry whose lines do not sum to zero. An entry without lines is
// dropped.
func (j *Journal) Post(e Entry) error {
	if len(e.Lines) == 0 {
		return nil
	}
	sum := decimal.Zero
	for _, l := range e.Lines {
		sum = sum.Add(l.Amount)
	}
	if !sum.IsZero() {
		return fmt.Errorf("entry %s of document %d does not balance: debits exceed credits by %s", e.Event, e.Document, sum)
	}
	for _, l := range e.Lines {
		for int(l.Account) >= len(j.balances) {
			j.balances = append(j.balances, decimal.Decimal{})
		}
		j.balances[l.Account] = j.balances[l.Account].Add(l.Amount)
	}
	j.entries = append(j.entries, e)
	return nil
}

// Entries is what was posted. The slice is the journal's own: read it while the owner's lock is held.
func (j *Journal) Entries() []Entry { return j.entries }

// Balance is debits minus credits of an account.
func (j *Journal) Balance(a Account) decimal.Decimal {
	if int(a) >= len(j.balances) {
		return decimal.Zero
	}
	return j.balances[a]
}

// Sum adds up the balances of all accounts: zero, or the book is wrong.
func (j *Journal) Sum() decimal.Decimal {
	sum := decimal.Zero
	for _, b := range j.balances {
		sum = sum.Add(b)
	}
	return sum
}

// Lines collects the legs of an entry; amounts of the same account merge.
type Lines []Line

// Debit adds amount (credits when it is negative; zero is nothing) to account a.
func (l *Lines) Debit(a Account, amount decimal.Decimal) {
	if amount.IsZero() {
		return
	}
	for i := range *l {
		if (*l)[i].Account == a {
			(*l)[i].Amount = (*l)[i].Amount.Add(amount)
			return
		}
	}
	*l = append(*l, Line{Account: a, Amount: amount})
}

// Credit is Debit with the sign turned.
func (l *Lines) Credit(a Account, amount decimal.Decimal) { l.Debit(a, amount.Neg()) }

// Balance puts whatever is missing for a zero sum on account a.
func (l *Lines) Balance(a Account) {
	sum := decimal.Zero
	for _, line := range *l {
		sum = sum.Add(line.Amount)
	}
	l.Debit(a, sum.Neg())
}

// Compact drops legs that cancelled out.
func (l Lines) Compact() []Line {
	out := make([]Line, 0, len(l))
	for _, line := range l {
		if !line.Amount.IsZero() {
			out = append(out, line)
		}
	}
	return out
}

// Reverse is the entry's mirror image.
func Reverse(lines []Line) []Line {
	out := make([]Line, len(lines))
	for i, l := range lines {
		out[i] = Line{Account: l.Account, Amount: l.Amount.Neg()}
	}
	return out
}
