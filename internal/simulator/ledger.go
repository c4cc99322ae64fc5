package simulator

import (
	"slices"
	"strings"

	"github.com/shopspring/decimal"
)

// Ledger is one organisation's books at a moment: documents in the order they were made, the journal behind them, and
// the trial balance. Base amounts are in the organisation's currency, others in the document's.
type Ledger struct {
	Organization string           `json:"organization"`
	Currency     string           `json:"currency"`
	Contacts     []LedgerContact  `json:"contacts"`
	Invoices     []LedgerDocument `json:"invoices"`
	Payments     []LedgerDocument `json:"payments"`
	CreditNotes  []LedgerDocument `json:"creditnotes"`
	Refunds      []LedgerDocument `json:"refunds"`
	Journals     []LedgerDocument `json:"journals,omitempty"` // manual ones
	Journal      []LedgerEntry    `json:"journal"`
	TrialBalance []LedgerAccount  `json:"trial_balance"` // accounts with a movement, by name
	Sum          decimal.Decimal  `json:"sum"`           // of the trial balance
	Zero         bool             `json:"zero"`          // every entry balanced and Sum is zero
	Error        string           `json:"error,omitempty"`
}

// LedgerContact is a customer or vendor.
type LedgerContact struct {
	ID         string          `json:"id"`
	Name       string          `json:"name"`
	BusinessID string          `json:"business_id"`
	Origin     string          `json:"origin"`
	Email      string          `json:"email"`
	Phone      string          `json:"phone"`
	Currency   string          `json:"currency"`
	Status     string          `json:"status"`
	Receivable decimal.Decimal `json:"receivable"`
	Credits    decimal.Decimal `json:"credits"`
}

// LedgerDocument is an invoice, payment, credit note or refund. What a kind does not have stays empty.
type LedgerDocument struct {
	Type         string            `json:"type"` // invoice, payment, creditnote, refund, journal
	ID           string            `json:"id"`
	Number       string            `json:"number,omitempty"`
	BusinessID   string            `json:"business_id"` // the unique custom field's value; of a refund its parent's
	Origin       string            `json:"origin"`      // the value of Org.OriginField
	Fields       map[string]string `json:"fields,omitempty"`
	Edition      map[string]string `json:"edition,omitempty"` // what the edition's own fields say
	Reference    string            `json:"reference,omitempty"`
	Status       string            `json:"status"`
	Date         string            `json:"date"`
	DueDate      string            `json:"due_date,omitempty"`
	CustomerID   string            `json:"customer_id"`
	Currency     string            `json:"currency"`
	ExchangeRate decimal.Decimal   `json:"exchange_rate"`
	SubTotal     decimal.Decimal   `json:"sub_total"`
	Tax          decimal.Decimal   `json:"tax"`
	Adjustment   decimal.Decimal   `json:"adjustment"`
	RoundOff     decimal.Decimal   `json:"round_off"`
	Total        decimal.Decimal   `json:"total"`      // of payments and refunds the amount
	BaseTotal    decimal.Decimal   `json:"base_total"` // Total in base currency
	Balance      decimal.Decimal   `json:"balance"`    // open; of a payment what is unused
	BankCharges  decimal.Decimal   `json:"bank_charges"`
	AccountID    string            `json:"account_id,omitempty"` // where a payment is deposited, a refund taken from
	Account      string            `json:"account,omitempty"`
	ParentID     string            `json:"parent_id,omitempty"` // of a refund: its payment or credit note
	Notes        string            `json:"notes,omitempty"`
	Lines        []LedgerLine      `json:"lines,omitempty"`
	Taxes        []LedgerTax       `json:"taxes,omitempty"`
	Links        []LedgerLink      `json:"links,omitempty"` // of payments and credit notes: the invoices they are applied to
}

// LedgerLine is a line of an invoice or credit note.
type LedgerLine struct {
	ID          string          `json:"id"`
	ItemID      string          `json:"item_id,omitempty"`
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	AccountID   string          `json:"account_id"`
	Account     string          `json:"account"`
	Quantity    decimal.Decimal `json:"quantity"`
	Rate        decimal.Decimal `json:"rate"`
	Total       decimal.Decimal `json:"total"`   // as Zoho shows it: with tax where rates include it
	Revenue     decimal.Decimal `json:"revenue"` // without tax
	TaxID       string          `json:"tax_id,omitempty"`
	InvoiceID   string          `json:"invoice_id,omitempty"`
	InvoiceLine string          `json:"invoice_item_id,omitempty"`
}

// LedgerTax is a tax of a document, after rounding.
type LedgerTax struct {
	ID     string          `json:"tax_id"`
	Name   string          `json:"name"`
	Amount decimal.Decimal `json:"amount"`
}

// LedgerLink is an amount applied to an invoice.
type LedgerLink struct {
	InvoiceID  string          `json:"invoice_id"`
	BusinessID string          `json:"business_id"`
	Amount     decimal.Decimal `json:"amount"`
}

// LedgerEntry is one posting of the journal: debits positive, credits negative, base currency.
type LedgerEntry struct {
	Date       string          `json:"date"`
	DocumentID string          `json:"document_id"`
	Event      string          `json:"event"`
	Lines      []LedgerPosting `json:"lines"`
}

// LedgerPosting is one leg of an entry.
type LedgerPosting struct {
	Account string          `json:"account"`
	Amount  decimal.Decimal `json:"amount"`
}

// LedgerAccount is an account's balance, debits less credits. Parent is the account it belongs to: taxes belong to
// Tax Payable.
type LedgerAccount struct {
	ID      string          `json:"id"`
	Name    string          `json:"name"`
	Type    string          `json:"type"`
	Parent  string          `json:"parent,omitempty"`
	Balance decimal.Decimal `json:"balance"`
}

// Balance is the trial balance of an account by name, its children (taxes) included.
func (l *Ledger) Balance(account string) decimal.Decimal {
	sum := decimal.Zero
	for _, a := range l.TrialBalance {
		if a.Name == account || a.Parent == account {
			sum = sum.Add(a.Balance)
		}
	}
	return sum
}

// Find are the documents of a type (invoice, payment, creditnote, refund) with a business id, deleted ones excepted.
func (l *Ledger) Find(kind, businessID string) []LedgerDocument {
	var out []LedgerDocument
	for _, d := range map[string][]LedgerDocument{"invoice": l.Invoices, "payment": l.Payments, "creditnote": l.CreditNotes, "refund": l.Refunds}[kind] {
		if d.BusinessID == businessID {
			out = append(out, d)
		}
	}
	return out
}

// Ledger is a copy of an organisation's books. Building it takes time in proportion to the documents, and writers wait
// meanwhile.
func (s *Simulator) Ledger(org string) Ledger {
	b := s.org(org)
	b.mu.RLock()
	defer b.mu.RUnlock()
	l := Ledger{Organization: org, Currency: b.base.Code}
	today := b.today(s.cfg.Now())
	for _, n := range b.contacts.live() {
		l.Contacts = append(l.Contacts, LedgerContact{ID: utoa(n.id), Name: n.name, BusinessID: n.businessID(), Origin: n.origin(b.org.OriginField),
			Email: n.primary().email, Phone: n.primary().phone, Currency: n.currency.Code, Status: n.status(), Receivable: n.receivable, Credits: n.credits})
	}
	for _, inv := range b.invoices.live() {
		d := b.ledgerSale("invoice", &inv.sale)
		d.Status, d.DueDate, d.Balance = inv.status(today), inv.dueDate, inv.balance
		l.Invoices = append(l.Invoices, d)
	}
	for _, p := range b.payments.live() {
		l.Payments = append(l.Payments, b.ledgerPayment(p))
		for _, r := range p.refunds {
			l.Refunds = append(l.Refunds, b.ledgerRefund(r, &p.record, p.currency))
		}
	}
	for _, n := range b.notes.live() {
		d := b.ledgerSale("creditnote", &n.sale)
		d.Status, d.Balance, d.Links = n.status(), n.balance, links(n.applied)
		l.CreditNotes = append(l.CreditNotes, d)
		for _, r := range n.refunds {
			l.Refunds = append(l.Refunds, b.ledgerRefund(r, &n.record, n.currency))
		}
	}
	for _, j := range b.manual {
		l.Journals = append(l.Journals, LedgerDocument{
			Type: "journal", ID: utoa(j.id), Number: itoa(j.number), Reference: j.reference, Date: j.date, Currency: j.currency.Code, ExchangeRate: j.rate,
			Total: j.total, BaseTotal: b.inBase(j.total, j.rate), Notes: j.notes, Status: map[bool]string{true: "draft", false: "published"}[j.draft],
		})
	}
	b.ledgerJournal(&l)
	return l
}

func (b *books) ledgerJournal(l *Ledger) {
	for _, e := range b.journal.Entries() {
		entry := LedgerEntry{Date: e.Date, DocumentID: utoa(e.Document), Event: e.Event, Lines: make([]LedgerPosting, 0, len(e.Lines))}
		for _, line := range e.Lines {
			entry.Lines = append(entry.Lines, LedgerPosting{b.accounts[line.Account].Name, line.Amount})
		}
		l.Journal = append(l.Journal, entry)
	}
	for _, a := range b.accounts {
		balance := b.journal.Balance(a.index)
		if balance.IsZero() {
			continue
		}
		row := LedgerAccount{ID: utoa(a.id), Name: a.Name, Type: a.Type, Balance: balance}
		if a.parent != nil {
			row.Parent = a.parent.Name
		}
		l.TrialBalance = append(l.TrialBalance, row)
	}
	slices.SortFunc(l.TrialBalance, func(a, b LedgerAccount) int { return strings.Compare(a.Name, b.Name) })
	l.Sum = b.journal.Sum()
	l.Zero = l.Sum.IsZero() && b.broken == nil
	if b.broken != nil {
		l.Error = b.broken.Error()
	}
}

func (b *books) ledgerRecord(kind string, r *record, customer *contact, cur *currency) LedgerDocument {
	d := LedgerDocument{Type: kind, ID: utoa(r.id), BusinessID: r.businessID(), Origin: r.origin(b.org.OriginField), CustomerID: utoa(customer.id), Currency: cur.Code}
	if len(r.fields) > 0 {
		d.Fields = make(map[string]string, len(r.fields))
		for _, f := range r.fields {
			d.Fields[f.field.APIName] = f.value
		}
	}
	return d
}

func (b *books) ledgerSale(kind string, s *sale) LedgerDocument {
	d := b.ledgerRecord(kind, &s.record, s.customer, s.currency)
	d.Number, d.Reference, d.Date, d.ExchangeRate, d.Notes = s.number, s.reference, s.date, s.rate, s.notes
	d.SubTotal, d.Tax, d.Adjustment, d.RoundOff, d.Total = s.subTotal, s.taxTotal, s.adjustment, s.roundOff, s.total
	d.BaseTotal = b.inBase(s.total, s.rate)
	for _, p := range s.extra {
		if d.Edition == nil {
			d.Edition = make(map[string]string, len(s.extra))
		}
		d.Edition[p.name] = p.value
	}
	for i := range s.lines {
		l := &s.lines[i]
		row := LedgerLine{ID: utoa(l.id), Name: l.name, Description: l.description, AccountID: utoa(l.account.id), Account: l.account.Name,
			Quantity: l.quantity, Rate: l.rate, Total: l.total, Revenue: l.revenue}
		if l.item != nil {
			row.ItemID = utoa(l.item.id)
		}
		if l.tax != nil {
			row.TaxID = utoa(l.tax.id)
		}
		if l.invoice != 0 {
			row.InvoiceID = utoa(l.invoice)
		}
		if l.invoiceLine != 0 {
			row.InvoiceLine = utoa(l.invoiceLine)
		}
		d.Lines = append(d.Lines, row)
	}
	for _, t := range s.taxes {
		d.Taxes = append(d.Taxes, LedgerTax{utoa(t.tax.id), t.tax.Name, t.amount})
	}
	return d
}

func (b *books) ledgerPayment(p *payment) LedgerDocument {
	d := b.ledgerRecord("payment", &p.record, p.customer, p.currency)
	d.Number, d.Reference, d.Date, d.ExchangeRate, d.Status = p.number, p.reference, p.date, p.rate, "paid"
	d.Total, d.BaseTotal, d.Balance, d.BankCharges = p.amount, b.inBase(p.amount, p.rate), p.unused, p.charges
	d.AccountID, d.Account, d.Notes, d.Links = utoa(p.account.id), p.account.Name, p.description, links(p.applied)
	return d
}

func (b *books) ledgerRefund(r *refund, parent *record, cur *currency) LedgerDocument {
	d := b.ledgerRecord("refund", parent, r.customer(), cur)
	d.ID, d.ParentID = utoa(r.id), utoa(parent.id)
	d.Reference, d.Date, d.ExchangeRate, d.Status = r.reference, r.date, r.rate, "refunded"
	d.Total, d.BaseTotal = r.amount, b.inBase(r.amount, r.rate)
	d.AccountID, d.Account, d.Notes = utoa(r.account.id), r.account.Name, r.description
	return d
}

func links(applied []*application) []LedgerLink {
	var out []LedgerLink
	for _, a := range applied {
		out = append(out, LedgerLink{utoa(a.invoice.id), a.invoice.businessID(), a.amount})
	}
	return out
}
