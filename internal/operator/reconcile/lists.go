package reconcile

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/connectors/zohobooks"
)

// list reads the lists of the window's documents. Rows come sorted so that documents made meanwhile come last; one that is
// listed twice is taken once, and what a deletion lets slip is asked for by its id afterwards.
func (r *run) list(ctx context.Context) error {
	w := r.opts.Window
	byDate := zohobooks.ListOptions{DateStart: w.Since, DateEnd: w.Until, SortColumn: "created_time", Ascending: true}
	total := int64(r.pages.in(invoiceDoc, w) + r.pages.in(paymentDoc, w) + r.pages.in(creditDoc, w))
	n := int64(0)
	took := func() {
		n++
		r.opts.Progress("books", n, total)
	}
	if err := r.room("invoices", 0); err != nil {
		return err
	}
	rows := 0
	for row, err := range r.deps.Books.ListInvoices(ctx, &byDate) {
		if err != nil {
			return fmt.Errorf("listing invoices: %w", err)
		}
		if w.contains(row.Date) {
			r.invoice(&row, listed)
			took()
		}
		if rows++; rows%perPage == 0 {
			if err := r.room("invoices", rows); err != nil {
				return err
			}
		}
	}
	if err := r.room("credit notes", 0); err != nil {
		return err
	}
	rows = 0
	for row, err := range r.deps.Books.ListCreditNotes(ctx, &byDate) {
		if err != nil {
			return fmt.Errorf("listing credit notes: %w", err)
		}
		if w.contains(row.Date) {
			r.creditNote(&row, listed)
			took()
		}
		if rows++; rows%perPage == 0 {
			if err := r.room("credit notes", rows); err != nil {
				return err
			}
		}
	}
	return r.listPayments(ctx, took)
}

// room says whether another page may be asked for and held.
func (r *run) room(what string, rows int) error {
	if !r.may() {
		return fmt.Errorf("%w: %d were made, and there are more %s than events and outcomes know", ErrTooExpensive, r.calls.Calls(), what)
	}
	if rows == 0 {
		return nil
	}
	return r.bounded()
}

// listPayments lists payments, which Zoho filters by one exact day only: newest first down to the window's begin, or day by
// day, whichever takes fewer calls.
func (r *run) listPayments(ctx context.Context, took func()) error {
	w := r.opts.Window
	if newest, daily := r.paymentPages(); daily <= newest {
		ignored, err := r.paymentsByDay(ctx, took)
		if err != nil || !ignored {
			return err
		}
	}
	if err := r.room("payments", 0); err != nil {
		return err
	}
	rows := 0
	for row, err := range r.deps.Books.ListPayments(ctx, &zohobooks.ListOptions{SortColumn: "date"}) {
		if err != nil {
			return fmt.Errorf("listing payments: %w", err)
		}
		if row.Date < w.Since {
			return nil
		}
		if w.contains(row.Date) {
			r.payment(&row, listed)
			took()
		}
		if rows++; rows%perPage == 0 {
			if err := r.room("payments", rows); err != nil {
				return err
			}
		}
	}
	return nil
}

// paymentPages are the calls for the window's payments: newest first, with those behind the window before them, and day by day.
func (r *run) paymentPages() (newest, daily int) {
	for _, day := range r.opts.Window.days() {
		daily += pagesOf(r.pages[paymentDoc][day])
	}
	return pagesOf(r.pages.in(paymentDoc, r.opts.Window) + r.later), daily
}

// paymentsByDay says that the filter was ignored, when rows of other days come.
func (r *run) paymentsByDay(ctx context.Context, took func()) (ignored bool, err error) {
	for _, day := range r.opts.Window.days() {
		if err := r.room("payments", 0); err != nil {
			return false, err
		}
		rows := 0
		for row, err := range r.deps.Books.ListPayments(ctx, &zohobooks.ListOptions{Date: day}) {
			if err != nil {
				return false, fmt.Errorf("listing payments of %s: %w", day, err)
			}
			if row.Date != day {
				return true, nil
			}
			r.payment(&row, listed)
			took()
			if rows++; rows%perPage == 0 {
				if err := r.room("payments", rows); err != nil {
					return false, err
				}
			}
		}
	}
	return false, nil
}

// row is what lists of the three kinds have in common.
type row struct {
	kind                                                   docKind
	id, number, day, status, currency, reference, customer string
	account, name, modified, description                   string
	total, balance, writtenOff, rate, base, baseRefunded   decimal.Decimal
	key                                                    string
	hasKey                                                 bool
}

func (r *run) invoice(inv *zohobooks.Invoice, how seen) *document {
	key, has := inv.Field(r.org.Fields.Invoice.Key)
	return r.take(&row{
		kind: invoiceDoc, id: inv.InvoiceID, number: inv.InvoiceNumber, day: inv.Date, status: inv.Status, currency: inv.CurrencyCode,
		reference: inv.Reference, customer: inv.CustomerID, modified: inv.LastModified, name: inv.CustomerName,
		total: inv.Total.Decimal, balance: inv.Balance.Decimal, writtenOff: inv.WriteOff.Decimal, rate: inv.ExchangeRate.Decimal, base: inv.BaseTotal.Decimal,
		key: key, hasKey: has,
	}, how)
}

func (r *run) payment(p *zohobooks.Payment, how seen) *document {
	key, has := p.Field(r.org.Fields.Payment.Key)
	return r.take(&row{
		kind: paymentDoc, id: p.PaymentID, number: p.PaymentNumber, day: p.Date, status: p.Status, currency: p.CurrencyCode,
		reference: p.Reference, customer: p.CustomerID, account: p.AccountID, modified: p.LastModified, name: p.CustomerName, description: p.Description,
		total: p.Amount.Decimal, balance: p.UnusedAmount.Decimal, rate: p.ExchangeRate.Decimal, base: p.BaseAmount.Decimal, baseRefunded: p.BaseRefunded.Decimal,
		key: key, hasKey: has,
	}, how)
}

func (r *run) creditNote(n *zohobooks.CreditNote, how seen) *document {
	key, has := n.Field(r.org.Fields.CreditNote.Key)
	return r.take(&row{
		kind: creditDoc, id: n.CreditNoteID, number: n.CreditNoteNumber, day: n.Date, status: n.Status, currency: n.CurrencyCode,
		reference: n.Reference, customer: n.CustomerID, modified: n.LastModified, name: n.CustomerName,
		total: n.Total.Decimal, balance: n.Balance.Decimal, rate: n.ExchangeRate.Decimal, base: n.BaseTotal.Decimal, key: key, hasKey: has,
	}, how)
}

// take files a row under its transaction. Rows without a key that no outcome names wait until the others are known.
func (r *run) take(w *row, how seen) *document {
	d := r.index.documents[w.id]
	superseded := false
	if w.key != "" {
		workflow, id, old, ok := parseKey(w.key, func(order string) bool { return r.index.find(orderFlow, order) != nil })
		superseded = ok && old
		if ok && d == nil {
			order := ""
			if workflow == orderFlow {
				order = id
			}
			d = r.index.document(r.index.at(workflow, id, order), w.kind, w.id)
		}
	}
	if d == nil {
		r.notOurs[w.id] = NotOurs{
			Kind: w.kind.String(), ID: strings.Clone(w.id), Number: strings.Clone(w.number), Day: r.index.word(w.day), Currency: r.index.word(w.currency),
			Total: w.total, Reference: strings.Clone(w.reference), Customer: strings.Clone(w.name), Opened: w.hasKey || how == opened,
			hint: strings.Contains(w.description, "payment "), kind: w.kind,
		}
		return nil
	}
	if d.seen == opened && how == listed {
		return d
	}
	if w.hasKey && (w.key != "" || how == opened) {
		d.key = strings.Clone(w.key)
	}
	d.seen, d.superseded = how, d.superseded || superseded
	d.number, d.day, d.status, d.reference = strings.Clone(w.number), r.index.word(w.day), r.index.word(w.status), strings.Clone(w.reference)
	if w.currency != "" {
		d.currency = r.index.word(w.currency)
	}
	d.customer, d.account = r.index.word(w.customer), r.index.word(w.account)
	d.total, d.balance, d.writtenOff = unitsOf(w.total), unitsOf(w.balance), unitsOf(w.writtenOff)
	d.rate = w.rate
	if how == listed {
		d.base, d.refunded = w.base, !w.baseRefunded.IsZero()
	}
	if at, err := time.Parse("2006-01-02T15:04:05-0700", w.modified); err == nil {
		d.modified = at.UnixMilli()
	}
	return d
}
