package reconcile

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/connectors/zohobooks"
)

// suspect is a document to look at more closely.
type suspect struct {
	kind docKind
	id   string
	key  string // of an invoice that is looked for by its key, when id is ""
}

// open looks at what lists leave in doubt, the gravest doubts first, as far as the calls go.
func (r *run) open(ctx context.Context) error {
	r.suspect()
	made, total := 0, len(r.suspects)
	for _, s := range r.suspects {
		if !r.may() {
			r.result.NotOpened = total - made
			break
		}
		if err := r.look(ctx, s); err != nil {
			return err
		}
		made++
		r.opts.Progress("doubts", int64(made), int64(total))
	}
	return r.contacts(ctx)
}

// suspect collects the doubts.
func (r *run) suspect() {
	asked := map[string]bool{}
	add := func(kind docKind, id, key string) {
		if name := id + key; !asked[name] {
			asked[name] = true
			r.suspects = append(r.suspects, suspect{kind, id, key})
		}
	}
	w := r.opts.Window
	all := r.sorted()
	for _, t := range all { // said to be there, and not in the lists
		for _, d := range t.docs {
			if d.said && d.seen == unseen && !d.past() && d.kind != entryDoc && w.contains(d.oDay) {
				add(d.kind, d.id, "")
			}
		}
	}
	references := map[string]bool{}
	for _, t := range all {
		if t.event != nil && t.workflow != orderFlow {
			references[t.event.reference] = true
		}
		if t.workflow == orderFlow && t.posted == nil && t.event != nil && t.event.refused == nil && r.old(t.event.recorded) && len(t.docs) == 0 && t.in(w) {
			add(invoiceDoc, "", t.key())
		}
	}
	for id, n := range r.notOurs { // may carry a key that list rows do not show
		if !n.Opened && n.kind != invoiceDoc && (r.opts.Deep || n.hint || references[n.Reference]) {
			add(n.kind, id, "")
		}
	}
	for _, t := range all {
		if t.event != nil && t.posted != nil && t.workflow == orderFlow && t.said(invoiceDoc) != t.event.total {
			t.each(func(d *document) { add(d.kind, d.id, "") })
		}
	}
	for _, t := range all {
		since := r.lastOutcome(t) + r.opts.ModifiedSlack.Milliseconds()
		t.each(func(d *document) {
			if r.opts.Deep || t.posted != nil && d.modified > since || r.opts.Each != nil && d.refunded {
				add(d.kind, d.id, "")
			}
		})
	}
}

// each calls f with the documents that the lists showed.
func (t *transaction) each(f func(*document)) {
	for _, d := range t.docs {
		if d.seen == listed {
			f(d)
		}
	}
}

// lastOutcome is when booksync last wrote to the transaction's order.
func (r *run) lastOutcome(t *transaction) int64 {
	last := int64(0)
	for _, o := range append([]*transaction{t}, r.index.orders[t.order]...) {
		if o.posted != nil {
			last = max(last, o.posted.settled)
		}
	}
	return last
}

// look opens one document.
func (r *run) look(ctx context.Context, s suspect) error {
	var d *document
	var err error
	switch {
	case s.id == "":
		return r.lookFor(ctx, s.key)
	case s.kind == invoiceDoc:
		var inv *zohobooks.Invoice
		if inv, err = r.deps.Books.GetInvoice(ctx, s.id); err == nil {
			d = r.invoiceOpened(inv)
		}
	case s.kind == paymentDoc:
		var p *zohobooks.Payment
		if p, err = r.deps.Books.GetPayment(ctx, s.id); err == nil {
			if d = r.payment(p, opened); d != nil {
				d.refunded = len(p.Refunds) > 0
				d.detail = &detail{whole: true, fee: unitsOf(p.BankCharges.Decimal)}
				for i := range p.Refunds {
					e := &p.Refunds[i]
					d.detail.entries = append(d.detail.entries, entry{e.ID(), e.Date, e.FromAccountID, unitsOf(e.Value().Decimal)})
				}
			}
		}
	case s.kind == creditDoc:
		var n *zohobooks.CreditNote
		if n, err = r.deps.Books.GetCreditNote(ctx, s.id); err == nil {
			if d = r.creditNote(n, opened); d != nil {
				d.detail = detailOf(n.TaxTotal.Decimal, n.LineItems)
			}
		}
	}
	switch {
	case isGone(err):
		if d := r.index.documents[s.id]; d != nil {
			d.seen = gone
		}
		return nil
	case err != nil:
		return fmt.Errorf("opening %s %s: %w", s.kind, s.id, err)
	}
	if d != nil {
		delete(r.notOurs, s.id)
	}
	return nil
}

// codeGone is Zoho's "does not exist".
const codeGone = 1002

func isGone(err error) bool {
	var e *zohobooks.Error
	return errors.As(err, &e) && (e.Status == http.StatusNotFound || e.Code == codeGone)
}

// lookFor searches for an invoice by its key: its outcome is missing, and it may be dated otherwise.
func (r *run) lookFor(ctx context.Context, key string) error {
	found, err := r.deps.Books.FindInvoicesByCustomField(ctx, r.org.Fields.Invoice.Key, key)
	if err != nil && !errors.Is(err, zohobooks.ErrSearchIncomplete) {
		return fmt.Errorf("looking for the invoice %s: %w", key, err)
	}
	for i := range found {
		r.invoice(&found[i], listed)
	}
	return nil
}

func (r *run) invoiceOpened(inv *zohobooks.Invoice) *document {
	d := r.invoice(inv, opened)
	if d != nil {
		d.detail = detailOf(inv.TaxTotal.Decimal, inv.LineItems)
	}
	return d
}

func detailOf(tax decimal.Decimal, lines []zohobooks.LineItem) *detail {
	d := &detail{whole: true, tax: unitsOf(tax)}
	sums := map[string]decimal.Decimal{}
	for i := range lines {
		l := &lines[i]
		if l.TaxID != "" && !slices.Contains(d.taxIDs, l.TaxID) {
			d.taxIDs = append(d.taxIDs, strings.Clone(l.TaxID))
		}
		for _, t := range l.LineItemTaxes {
			percent := t.Percentage.Decimal
			if percent.IsZero() && len(l.LineItemTaxes) == 1 {
				percent = l.TaxPercentage.Decimal
			}
			sums[percent.String()] = sums[percent.String()].Add(t.Amount.Decimal)
		}
	}
	slices.Sort(d.taxIDs)
	for percent, sum := range sums {
		if !sum.IsZero() {
			d.taxes = append(d.taxes, rateSum{percent, unitsOf(sum)})
		}
	}
	sortRates(d.taxes)
	return d
}

// contacts reads the contacts of invoices: all of them with Deep, else those of customers whose invoices of this window are
// on different contacts.
func (r *run) contacts(ctx context.Context) error {
	of, invoices := map[string][]string{}, map[string][]*document{}
	for _, t := range r.sorted() {
		if t.workflow != orderFlow || t.event == nil || t.event.customer == "" {
			continue
		}
		for _, d := range t.docs {
			if d.kind == invoiceDoc && d.inBooks() && d.customer != "" {
				invoices[d.customer] = append(invoices[d.customer], d)
				if ids := of[t.event.customer]; !slices.Contains(ids, d.customer) {
					of[t.event.customer] = append(ids, d.customer)
				}
			}
		}
	}
	wanted := map[string]bool{}
	for _, ids := range of {
		if r.opts.Deep || len(ids) > 1 {
			for _, id := range ids {
				wanted[id] = true
			}
		}
	}
	done := 0
	for id := range wanted {
		if !r.may() {
			r.result.NotOpened += len(wanted) - done
			return nil
		}
		contact, err := r.deps.Books.GetContact(ctx, id)
		if err != nil && !isGone(err) {
			return fmt.Errorf("opening the contact %s: %w", id, err)
		}
		done++
		if contact == nil {
			continue
		}
		key, _ := contact.Field(r.org.Fields.Contact.Key)
		for _, d := range invoices[id] {
			if d.detail == nil {
				d.detail = &detail{}
			}
			d.detail.customer, d.detail.number = key, contact.TaxNumber
		}
	}
	return nil
}
