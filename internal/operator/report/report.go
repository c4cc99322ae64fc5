// Package report adds up a period: sales, tax per rate, payments, refunds, fees and clearing balances per currency, as the
// events, the outcomes and the books say, side by side. It stands on a reconciliation of the period; documents that are not
// booksync's are left out, and counted.
package report

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/operator/reconcile"
)

// Sections of a report, in their order.
const (
	Sales    = "sales"
	Tax      = "tax"
	Payments = "payments"
	Refunds  = "refunds"
	Fees     = "fees"
	Clearing = "clearing"
)

var sections = []string{Sales, Tax, Payments, Refunds, Fees, Clearing}

// Report is a period's sums.
type Report struct {
	Organization string           `json:"organization"`
	Window       reconcile.Window `json:"window"`
	MadeAt       time.Time        `json:"made_at"`
	Calls        int              `json:"calls"`
	Lines        []Line           `json:"lines"`
	Exceptions   int              `json:"exceptions"` // transactions on which the three do not agree
	NotOurs      int              `json:"not_ours"`   // documents in the books that booksync did not write
	Notes        []string         `json:"notes,omitempty"`
}

// Line is one sum. What one side cannot say is null. Clearing balances are payments less money returned, before fees.
type Line struct {
	Section    string              `json:"section"`
	Name       string              `json:"name"`
	Currency   string              `json:"currency"`
	Events     decimal.NullDecimal `json:"events"`
	Outcomes   decimal.NullDecimal `json:"outcomes"`
	Books      decimal.NullDecimal `json:"books"`
	Difference decimal.NullDecimal `json:"difference"` // books less outcomes; where they agree, or one is not known, less events
}

// Differs says whether some line has a difference.
func (r *Report) Differs() bool {
	return slices.ContainsFunc(r.Lines, func(l Line) bool { return l.Difference.Valid && !l.Difference.Decimal.IsZero() })
}

// RefundLister lists the money returned from credit notes; *zohobooks.Client does.
type RefundLister interface {
	ListRefunds(ctx context.Context, opts *zohobooks.ListOptions) iter.Seq2[zohobooks.Refund, error]
}

// side is one of the three.
type side int

const (
	events side = iota
	outcomes
	books
	sides
)

type lineKey struct{ section, name, currency string }

type sums [sides]decimal.NullDecimal

// adder adds up.
type adder struct {
	window   reconcile.Window
	accounts map[string]string // names of the clearing accounts
	lines    map[lineKey]*sums
	entries  map[string]string // currency of the refund entries that outcomes name, by id
	notes    map[string]string // currency of our credit notes, by id
	partial  map[string]bool   // sections that the books tell only of opened documents
}

// Run makes a report. opts are those of the reconciliation; with Deep every document is opened, and taxes and fees in the
// books are known. It blocks for as long as topics and calls take.
func Run(ctx context.Context, deps reconcile.Deps, refunds RefundLister, opts reconcile.Options) (*Report, error) {
	a := &adder{
		accounts: accountNames(deps.Config.Organizations[opts.Organization]), lines: map[lineKey]*sums{}, entries: map[string]string{},
		notes: map[string]string{}, partial: map[string]bool{},
	}
	opts.Each = func(w reconcile.Window, i *reconcile.Item) {
		a.window = w
		a.item(i)
	}
	ctx = zohobooks.WithClass(ctx, zohobooks.ClassOperator)
	ctx, calls := zohobooks.CountCalls(ctx)
	result, err := reconcile.Run(ctx, deps, opts)
	if err != nil {
		return nil, err
	}
	a.window = result.Window
	if err := a.returned(ctx, refunds); err != nil {
		return nil, err
	}
	out := &Report{
		Organization: result.Organization, Window: result.Window, MadeAt: result.StartedAt, Lines: a.result(), Exceptions: len(result.Exceptions) + result.LeftOut,
		NotOurs: result.NotOursCount, Calls: calls.Calls(), Notes: a.remarks(opts.Deep),
	}
	return out, nil
}

// accountNames calls a clearing account by the gateways that use it.
func accountNames(o config.Organization) map[string]string {
	names := map[string]string{}
	for gateway, id := range o.Clearing {
		gateway, _, _ = strings.Cut(gateway, "/")
		if have := names[id]; have == "" || gateway < have {
			names[id] = gateway
		}
	}
	return names
}

func (a *adder) add(s side, section, name, currency string, amount decimal.Decimal) {
	key := lineKey{section, name, currency}
	line := a.lines[key]
	if line == nil {
		line = &sums{}
		a.lines[key] = line
	}
	line[s] = decimal.NewNullDecimal(line[s].Decimal.Add(amount))
}

// item adds one transaction, each document on its own day.
func (a *adder) item(i *reconcile.Item) {
	if e := i.Event; e != nil && !e.Void && a.in(e.Day) {
		a.event(i.Workflow, i.Currency, e)
	}
	for d := range i.Documents {
		doc := &i.Documents[d]
		if doc.Kind == reconcile.KindCreditNote {
			a.notes[doc.ID] = i.Currency
		}
		if doc.Kind == reconcile.KindRefundEntry {
			a.entries[doc.ID] = i.Currency
		}
		for s, view := range map[side]*reconcile.ItemSide{outcomes: doc.Said, books: doc.Held} {
			if view != nil && !view.Void && a.in(view.Day) {
				a.document(s, doc.Kind, i.Currency, view)
			}
		}
	}
}

func (a *adder) in(day string) bool { return day >= a.window.Since && day <= a.window.Until }

func (a *adder) event(workflow, cur string, e *reconcile.ItemEvent) {
	switch workflow {
	case "order":
		a.add(events, Sales, "invoices", cur, e.Total)
		a.add(events, Tax, "invoices", cur, e.Tax)
		for _, t := range e.Taxes {
			a.add(events, Tax, "at "+t.Percent+" %", cur, t.Amount)
		}
	case "payment":
		a.add(events, Payments, "received", cur, e.Total)
		a.add(events, Fees, "gateways", cur, e.Fee)
		a.add(events, Clearing, a.account(e.Account), cur, e.Total)
	default:
		a.add(events, Refunds, "returned", cur, e.Total)
		a.add(events, Clearing, a.account(e.Account), cur, e.Total.Neg())
	}
}

func (a *adder) document(s side, kind, cur string, v *reconcile.ItemSide) {
	switch kind {
	case reconcile.KindInvoice:
		a.add(s, Sales, "invoices", cur, v.Total)
		a.add(s, Sales, "net of credit notes", cur, v.Total)
		a.taxes(s, "invoices", cur, v)
	case reconcile.KindCreditNote:
		a.add(s, Sales, "credit notes", cur, v.Total)
		a.add(s, Sales, "net of credit notes", cur, v.Total.Neg())
		a.taxes(s, "credit notes", cur, v)
	case reconcile.KindPayment:
		a.add(s, Payments, "received", cur, v.Total)
		a.add(s, Clearing, a.account(v.Account), cur, v.Total)
		switch {
		case s == books && v.Whole:
			a.add(s, Fees, "gateways", cur, v.Fee)
		case s == books:
			a.partial[Fees] = true
		}
		for _, r := range v.Returned {
			if a.in(r.Day) {
				a.money(s, cur, r.Account, r.Amount)
			}
		}
	case reconcile.KindRefundEntry: // of the books they are listed apart
		if s == outcomes {
			a.money(s, cur, v.Account, v.Total)
		}
	}
}

func (a *adder) taxes(s side, name, cur string, v *reconcile.ItemSide) {
	if s == books && !v.Whole {
		a.partial[Tax] = true
		return
	}
	a.add(s, Tax, name, cur, v.Tax)
	if name != "invoices" {
		return
	}
	for _, t := range v.Taxes {
		a.add(s, Tax, "at "+t.Percent+" %", cur, t.Amount)
	}
}

// money is money returned to a customer.
func (a *adder) money(s side, cur, account string, amount decimal.Decimal) {
	a.add(s, Refunds, "returned", cur, amount)
	a.add(s, Clearing, a.account(account), cur, amount.Neg())
}

func (a *adder) account(id string) string {
	if id == "" {
		return "unknown account"
	}
	if name := a.accounts[id]; name != "" {
		return name + " (" + id + ")"
	}
	return id
}

// returned reads the money returned from credit notes: Zoho lists all of them, without a filter.
func (a *adder) returned(ctx context.Context, lister RefundLister) error {
	accounts := 0
	for r, err := range lister.ListRefunds(ctx, nil) {
		if err != nil {
			return fmt.Errorf("listing refunds: %w", err)
		}
		cur, ours := a.entries[r.ID()]
		if !ours {
			cur, ours = a.notes[r.CreditNoteID]
		}
		if !ours || !a.in(r.Date) {
			continue
		}
		if r.FromAccountID == "" {
			accounts++
		}
		a.money(books, cur, r.FromAccountID, r.Value().Decimal)
	}
	if accounts > 0 {
		a.partial[Clearing] = true
	}
	return nil
}

// result sorts the lines and fills the differences. A side that is known only in part says nothing.
func (a *adder) result() []Line {
	var out []Line
	for key, s := range a.lines {
		if a.partial[key.section] && key.section != Clearing {
			s[books] = decimal.NullDecimal{}
		}
		l := Line{Section: key.section, Name: key.name, Currency: key.currency, Events: s[events], Outcomes: s[outcomes], Books: s[books]}
		known := func(n decimal.NullDecimal, silent bool) decimal.NullDecimal {
			if !n.Valid && !silent {
				return decimal.NewNullDecimal(decimal.Zero)
			}
			return n
		}
		perRate := key.section == Tax && strings.HasPrefix(key.name, "at ")
		l.Events = known(l.Events, key.section == Sales && key.name != "invoices" || key.section == Tax && key.name == "credit notes")
		l.Outcomes = known(l.Outcomes, perRate || key.section == Fees)
		l.Books = known(l.Books, a.partial[key.section] && key.section != Clearing)
		l.Difference = differs(l)
		out = append(out, l)
	}
	slices.SortFunc(out, func(x, y Line) int {
		return cmp.Or(strings.Compare(x.Currency, y.Currency), cmp.Compare(slices.Index(sections, x.Section), slices.Index(sections, y.Section)),
			strings.Compare(x.Name, y.Name))
	})
	return out
}

// differs is the first difference that is not zero: books less outcomes, books less events, outcomes less events.
func differs(l Line) decimal.NullDecimal {
	out := decimal.NullDecimal{}
	for _, pair := range [][2]decimal.NullDecimal{{l.Books, l.Outcomes}, {l.Books, l.Events}, {l.Outcomes, l.Events}} {
		if pair[0].Valid && pair[1].Valid {
			if out = decimal.NewNullDecimal(pair[0].Decimal.Sub(pair[1].Decimal)); !out.Decimal.IsZero() {
				break
			}
		}
	}
	return out
}

func (a *adder) remarks(deep bool) []string {
	var out []string
	if !deep && (a.partial[Tax] || a.partial[Fees]) {
		out = append(out, "taxes and fees in the books are known with --deep only: list rows do not show them")
	}
	if a.partial[Clearing] {
		out = append(out, "some refunds in the books do not say their account: they stand under `unknown account`")
	}
	return out
}
