package processor

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/shopspring/decimal"
)

// An order has one invoice, and a further one for each revision that raised it. Payments and credits are applied to the
// oldest that owes.

// application is an amount applied to one invoice.
type application struct {
	InvoiceID string
	Amount    decimal.Decimal
}

// living are the order's invoices that are not void, oldest first.
func (s *OrderState) living() []*InvoiceState {
	var all []*InvoiceState
	if s.Invoice != nil && s.Invoice.Status != invoiceVoid {
		all = append(all, s.Invoice)
	}
	for _, inv := range s.Further {
		if inv.Status != invoiceVoid {
			all = append(all, inv)
		}
	}
	return all
}

// Invoiced is the value of the order's living invoices.
func (s *OrderState) Invoiced() decimal.Decimal {
	sum := decimal.Zero
	for _, inv := range s.living() {
		sum = sum.Add(inv.Total)
	}
	return sum
}

// Balance is what the invoices still owe: totals less payments and credits applied; zero without an invoice, or void.
func (s *OrderState) Balance() decimal.Decimal {
	sum := decimal.Zero
	for _, inv := range s.living() {
		sum = sum.Add(s.owes(inv))
	}
	return sum
}

// owes is one living invoice's balance.
func (s *OrderState) owes(inv *InvoiceState) decimal.Decimal {
	left := inv.Total
	for i := range s.Payments {
		left = left.Sub(s.part(inv, s.Payments[i].Applied, s.Payments[i].Further))
	}
	for i := range s.Credits {
		left = left.Sub(s.part(inv, s.Credits[i].Applied, s.Credits[i].Further))
	}
	return left
}

// part is what one invoice took of what was applied: what no further invoice took is the first one's.
func (s *OrderState) part(inv *InvoiceState, applied decimal.Decimal, further map[string]decimal.Decimal) decimal.Decimal {
	if s.Invoice == nil || inv.ID != s.Invoice.ID {
		return further[inv.ID]
	}
	for _, d := range further {
		applied = applied.Sub(d)
	}
	return applied
}

// owing divides an amount over the invoices that owe, oldest first, as far as they owe.
func (s *OrderState) owing(amount decimal.Decimal) []application {
	var parts []application
	for _, inv := range s.living() {
		if take := decimal.Min(amount, s.owes(inv)); take.Sign() > 0 {
			parts = append(parts, application{inv.ID, take})
			amount = amount.Sub(take)
		}
	}
	return parts
}

// further are the parts that further invoices took, by their id; nil where there are none.
func (s *OrderState) further(parts []application) map[string]decimal.Decimal {
	var m map[string]decimal.Decimal
	for _, p := range parts {
		if s.Invoice != nil && p.InvoiceID == s.Invoice.ID || p.Amount.IsZero() {
			continue
		}
		if m == nil {
			m = make(map[string]decimal.Decimal, 1)
		}
		m[p.InvoiceID] = m[p.InvoiceID].Add(p.Amount)
	}
	return m
}

// sumOfParts is what was applied in all.
func sumOfParts(parts []application) decimal.Decimal {
	sum := decimal.Zero
	for _, p := range parts {
		sum = sum.Add(p.Amount)
	}
	return sum
}

// open is what of a credit note was neither applied nor returned.
func (c *CreditState) open() decimal.Decimal {
	return decimal.Max(c.Total.Sub(c.Applied).Sub(c.Refunded), decimal.Zero)
}

// drawable says whether refunds take their money from this credit note instead of crediting the value a second time
// (accounting rule 3): a cancellation's, or that of a revision that lowered the order.
func drawable(key string) bool {
	return strings.HasPrefix(key, cancelKeyPrefix) || strings.HasPrefix(key, correctionKeyPrefix)
}

const (
	cancelKeyPrefix     = "cancel:"
	correctionKeyPrefix = "correction:"
)

// creditedByRefunds is the value that refunds' own credit notes took back.
func (s *OrderState) creditedByRefunds() decimal.Decimal {
	sum := decimal.Zero
	for i := range s.Credits {
		if !drawable(s.Credits[i].Key) {
			sum = sum.Add(s.Credits[i].Total)
		}
	}
	return sum
}

// ordered is the order as the last revision has it.
func (s *OrderState) ordered() *OrderedState {
	if s.Ordered != nil || s.Invoice == nil {
		return s.Ordered
	}
	return &OrderedState{Total: s.Invoice.Total, Adjustment: s.Invoice.Adjustment, Lines: s.Invoice.Lines}
}

// withInvoice is a copy with a further invoice, in place of an earlier one of the same key.
func (s *OrderState) withInvoice(inv *InvoiceState) *OrderState {
	c := *s
	c.Further = nil
	for _, have := range s.Further {
		if have.Key != inv.Key {
			c.Further = append(c.Further, have)
		}
	}
	c.Further = append(c.Further, inv)
	return &c
}

// withVoid is a copy in which the invoice with this id is void: what payments paid of it is theirs again.
func (s *OrderState) withVoid(id string) *OrderState {
	c := s.changed(id, func(inv *InvoiceState) { inv.Status = invoiceVoid })
	living := s.living()
	at := slices.IndexFunc(living, func(inv *InvoiceState) bool { return inv.ID == id })
	if at < 0 {
		return c
	}
	c.Payments = slices.Clone(s.Payments)
	for i := range c.Payments {
		p := &c.Payments[i]
		freed := s.part(living[at], p.Applied, p.Further)
		p.Applied, p.Excess, p.Further = p.Applied.Sub(freed), p.Excess.Add(freed), maps.Clone(p.Further)
		delete(p.Further, id)
	}
	return c
}

// changed is a copy in which the invoice with this id is another.
func (s *OrderState) changed(id string, change func(*InvoiceState)) *OrderState {
	c := *s
	other := func(inv *InvoiceState) *InvoiceState {
		if inv == nil || inv.ID != id {
			return inv
		}
		v := *inv
		change(&v)
		return &v
	}
	c.Invoice, c.Further = other(s.Invoice), nil
	for _, inv := range s.Further {
		c.Further = append(c.Further, other(inv))
	}
	return &c
}

// hasInvoice says whether a living invoice of the order has this id.
func (s *OrderState) hasInvoice(id string) bool {
	return slices.ContainsFunc(s.living(), func(inv *InvoiceState) bool { return inv.ID == id })
}

// reordered is the order as its documents make it, where Redis forgot the last revision: the lines of all invoices, less what
// corrections took off. Nil where the first invoice is all there is.
func (s *OrderState) reordered() *OrderedState {
	of := make(map[string]int) // an invoice line's place, by its id
	o := &OrderedState{Total: s.Invoiced()}
	for _, inv := range s.living() {
		o.Adjustment = o.Adjustment.Add(inv.Adjustment)
		for i := range inv.Lines {
			l := inv.Lines[i]
			j := slices.IndexFunc(o.Lines, func(have InvoiceLine) bool {
				return l.same(&have) && have.bookedAs(&l)
			})
			if j < 0 {
				j = len(o.Lines)
				o.Lines = append(o.Lines, l)
			} else {
				have := &o.Lines[j]
				have.Quantity, have.Amount, have.Gross = have.Quantity.Add(l.Quantity), have.Amount.Add(l.Amount), have.Gross.Add(l.Gross)
			}
			of[l.InvoiceItemID] = j
		}
	}
	corrected := false
	for i := range s.Credits {
		c := &s.Credits[i]
		if !strings.HasPrefix(c.Key, correctionKeyPrefix) {
			continue
		}
		corrected, o.Total = true, o.Total.Sub(c.Total)
		for _, cl := range c.Lines {
			j, ok := of[cl.InvoiceItemID]
			if !ok {
				o.Adjustment = o.Adjustment.Sub(cl.Gross)
				continue
			}
			l := &o.Lines[j]
			l.Quantity, l.Amount, l.Gross = l.Quantity.Sub(cl.Quantity), l.Amount.Sub(cl.Amount).Sub(cl.Untaxed), l.Gross.Sub(cl.Gross)
		}
	}
	if len(s.Further) == 0 && !corrected {
		return nil
	}
	return o
}

// same says whether two lines are of the same line of the order, as far as their ids or the marks of them tell.
func (l *InvoiceLine) same(o *InvoiceLine) bool {
	switch {
	case l.Mark == "" && o.Mark == "":
		return l.LineID == o.LineID
	case l.Mark == "":
		return o.is(l.LineID)
	case o.Mark == "":
		return l.is(o.LineID)
	}
	return l.Mark == o.Mark
}

// ofRevision is what the books have of one revision; the fields are nil where they have nothing.
type ofRevision struct {
	Invoice *InvoiceState
	Credit  *CreditState
}

func (w ofRevision) any() bool { return w.Invoice != nil || w.Credit != nil }

// beforeRevision is the state without the documents of this revision, and these documents, where the state was derived from
// the books: what a plan of that very revision starts from.
func (s *OrderState) beforeRevision(orderID string, revision int64) (*OrderState, ofRevision) {
	var written ofRevision
	if !s.Derived {
		return s, written
	}
	c := *s
	c.Further, c.Credits = nil, nil
	for _, inv := range s.Further {
		if inv.Key == furtherKey(orderID, revision) {
			written.Invoice = inv
			continue
		}
		c.Further = append(c.Further, inv)
	}
	for i := range s.Credits {
		if s.Credits[i].Key == correctionKey(orderID, revision) {
			written.Credit = &s.Credits[i]
			continue
		}
		c.Credits = append(c.Credits, s.Credits[i])
	}
	if !written.any() {
		return s, written
	}
	c.Ordered = c.reordered()
	return &c, written
}

// furtherKey is the key of the invoice of what a revision adds.
func furtherKey(orderID string, revision int64) string {
	return fmt.Sprintf("%s:%d", ClaimRef{RoleOrder, orderID}.key(), revision)
}

// correctionKey is the key of the credit note of what a revision takes off.
func correctionKey(orderID string, revision int64) string {
	return fmt.Sprintf("%s%s:%d", correctionKeyPrefix, orderID, revision)
}

// invoiceRevision is the revision of the order's first invoice, of a state that was rebuilt from it. Of later revisions that the
// books have documents of it isn't known whether all was written: their own records find out.
func (s *OrderState) invoiceRevision() int64 {
	o, _ := parseOrigin(s.Origin)
	return o.Revision
}

// sameRevisions says whether both states have the same documents of later revisions.
func (s *OrderState) sameRevisions(o *OrderState) bool {
	return slices.Equal(s.revisionKeys(), o.revisionKeys())
}

func (s *OrderState) revisionKeys() []string {
	var keys []string
	for _, inv := range s.Further {
		keys = append(keys, inv.Key)
	}
	for i := range s.Credits {
		if strings.HasPrefix(s.Credits[i].Key, correctionKeyPrefix) {
			keys = append(keys, s.Credits[i].Key)
		}
	}
	slices.Sort(keys)
	return keys
}
