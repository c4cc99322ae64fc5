package simulator

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/simulator/journal"
)

// books are one organisation's: everything that is guarded by mu.
type books struct {
	sim     *Simulator
	org     Org
	loc     *time.Location
	limiter limiter

	mu  sync.RWMutex
	seq uint64 // the last record id handed out, without the prefix

	accounts   []*account // by journal index
	accountIDs map[uint64]*account
	system     systemAccounts
	taxes      map[uint64]*tax // groups too
	taxOrder   []*tax
	exemptions []*exemption
	currencies map[uint64]*currency
	currencyBy map[string]*currency
	curOrder   []*currency
	base       *currency
	items      index[*item]
	itemNames  map[string]*item
	contacts   index[*contact]
	names      map[string]*contact
	twinNames  bool // a fault made two contacts of one name
	invoices   index[*invoice]
	payments   index[*payment]
	notes      index[*creditNote]
	refunds    map[uint64]*refund
	manual     []*manualJournal
	fields     map[string][]*fieldDef // by entity
	locks      []lock

	nextInvoice, nextNote, nextPayment int

	journal   journal.Journal
	broken    error // the first posting that did not balance: a bug in the simulator, shown by Ledger
	searchLag time.Duration
}

type account struct {
	Account
	id       uint64
	index    journal.Account
	currency *currency
	parent   *account
	system   bool
}

// systemAccounts are those that documents post to by themselves.
type systemAccounts struct {
	receivable, taxPayable, sales, shipping, discount, rounding, exchange, unearned, undeposited, fees, badDebt *account
}

// Names of the accounts every organisation has, whatever Org.Accounts says.
const (
	AccountReceivable  = "Accounts Receivable"
	AccountTaxPayable  = "Tax Payable" // its children, one per tax, are named "Tax Payable: <tax>"
	AccountSales       = "Sales"
	AccountShipping    = "Shipping Income"
	AccountDiscount    = "Discount"
	AccountRounding    = "Rounding" // adjustments, round-off, and cents that a fault adds
	AccountExchange    = "Exchange Gain or Loss"
	AccountUnearned    = "Unearned Revenue" // what customers have in hand: unused payments and open credit notes
	AccountUndeposited = "Undeposited Funds"
	AccountFees        = "Bank Fees"
	AccountBadDebt     = "Bad Debt"
)

type tax struct {
	Tax
	id      uint64
	rate    decimal.Decimal // percent; of a group the sum
	account *account        // of a single tax
	group   []*tax
}

type exemption struct {
	Exemption
	id uint64
}

type currency struct {
	Currency
	id   uint64
	rate decimal.Decimal // the latest
	set  []rateFrom      // by day
}

// rateFrom is an exchange rate from a day on.
type rateFrom struct {
	day  string
	rate decimal.Decimal
}

type lock struct {
	Lock
	id uint64
}

// record is what every document has in common.
type record struct {
	id       uint64
	created  time.Time
	modified time.Time
	fields   []fieldValue
	deleted  bool
}

func (r *record) rec() *record { return r }

type pair struct{ name, value string }

func newBooks(s *Simulator, org Org) (*books, error) {
	org = org.WithDefaults()
	loc, err := time.LoadLocation(org.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("time zone of organisation %s: %w", org.ID, err)
	}
	b := &books{
		sim: s, org: org, loc: loc, seq: firstRecord,
		accountIDs: map[uint64]*account{}, taxes: map[uint64]*tax{},
		currencies: map[uint64]*currency{}, currencyBy: map[string]*currency{},
		itemNames: map[string]*item{}, names: map[string]*contact{},
		refunds: map[uint64]*refund{}, fields: map[string][]*fieldDef{},
		nextInvoice: 1, nextNote: 1, nextPayment: 1,
		searchLag: org.SearchLag,
	}
	b.items, b.contacts = newIndex[*item](), newIndex[*contact]()
	b.invoices, b.payments, b.notes = newIndex[*invoice](), newIndex[*payment](), newIndex[*creditNote]()
	b.limiter.init(s, org, loc)
	b.addCurrencies()
	b.addAccounts()
	if err := b.addTaxes(); err != nil {
		return nil, err
	}
	for _, e := range org.Exemptions {
		if e.Type == "" {
			e.Type = "item"
		}
		b.exemptions = append(b.exemptions, &exemption{Exemption: e, id: namedID(org.ID, KindExemption, e.Code)})
	}
	for _, i := range org.Items {
		if err := b.addItem(i); err != nil {
			return nil, err
		}
	}
	for _, f := range org.Fields {
		b.addField(f)
	}
	for _, l := range org.Locks {
		b.locks = append(b.locks, lock{Lock: l, id: b.newID()})
	}
	return b, nil
}

// newID hands out the next record id. The caller holds mu.
func (b *books) newID() uint64 {
	b.seq++
	return orgPrefix(b.org.ID) + b.seq
}

func (b *books) addCurrencies() {
	add := func(c Currency) *currency {
		if c.Name == "" {
			c.Name = c.Code
		}
		if c.Symbol == "" {
			c.Symbol = c.Code
		}
		cur := &currency{Currency: c, id: namedID(b.org.ID, KindCurrency, c.Code), rate: mustDecimal(c.Rate)}
		if !cur.rate.IsZero() {
			cur.set = []rateFrom{{ratesBegin, cur.rate}}
		}
		b.currencies[cur.id], b.currencyBy[c.Code] = cur, cur
		b.curOrder = append(b.curOrder, cur)
		return cur
	}
	for _, c := range b.org.Currencies {
		add(c)
	}
	if b.base = b.currencyBy[b.org.Currency]; b.base == nil {
		b.base = add(Currency{Code: b.org.Currency, Precision: 2})
	}
}

func (b *books) addAccounts() {
	byName := map[string]*account{}
	for _, a := range b.org.Accounts {
		byName[a.Name] = b.addAccount(a, nil)
	}
	system := func(name, kind string) *account {
		a := byName[name]
		if a == nil {
			a = b.addAccount(Account{Name: name, Type: kind}, nil)
			byName[name] = a
		}
		a.system = true
		return a
	}
	b.system = systemAccounts{
		receivable:  system(AccountReceivable, "accounts_receivable"),
		taxPayable:  system(AccountTaxPayable, "other_current_liability"),
		sales:       system(AccountSales, "income"),
		shipping:    system(AccountShipping, "income"),
		discount:    system(AccountDiscount, "income"),
		rounding:    system(AccountRounding, "expense"),
		exchange:    system(AccountExchange, "other_expense"),
		unearned:    system(AccountUnearned, "other_current_liability"),
		undeposited: system(AccountUndeposited, "cash"),
		fees:        system(AccountFees, "expense"),
		badDebt:     system(AccountBadDebt, "expense"),
	}
}

func (b *books) addAccount(a Account, parent *account) *account {
	acc := &account{Account: a, id: namedID(b.org.ID, KindAccount, a.Name), index: journal.Account(len(b.accounts)), parent: parent}
	if acc.currency = b.currencyBy[a.Currency]; acc.currency == nil {
		acc.currency = b.base
	}
	b.accounts = append(b.accounts, acc)
	b.accountIDs[acc.id] = acc
	return acc
}

func (b *books) addTaxes() error {
	byName := map[string]*tax{}
	for _, t := range b.org.Taxes {
		byName[t.Name] = b.addTax(t, mustDecimal(t.Percentage))
	}
	for _, g := range b.org.TaxGroups {
		members := make([]*tax, 0, len(g.Taxes))
		for _, name := range g.Taxes {
			t := byName[name]
			if t == nil {
				return fmt.Errorf("tax group %s of organisation %s names an unknown tax %s", g.Name, b.org.ID, name)
			}
			members = append(members, t)
		}
		b.addGroup(g.Name, members)
	}
	return nil
}

func (b *books) addTax(t Tax, rate decimal.Decimal) *tax {
	n := &tax{Tax: t, id: namedID(b.org.ID, KindTax, t.Name), rate: rate}
	n.account = b.addAccount(Account{Name: AccountTaxPayable + ": " + t.Name, Type: "other_current_liability"}, b.system.taxPayable)
	b.taxes[n.id] = n
	b.taxOrder = append(b.taxOrder, n)
	return n
}

func (b *books) addGroup(name string, members []*tax) *tax {
	g := &tax{Tax: Tax{Name: name}, id: namedID(b.org.ID, KindTax, name), group: members}
	for _, r := range g.parts() {
		g.rate = g.rate.Add(r.rate)
	}
	b.taxes[g.id] = g
	b.taxOrder = append(b.taxOrder, g)
	return g
}

// taxPart is a single tax with the percentage it takes of the untaxed amount.
type taxPart struct {
	tax  *tax
	rate decimal.Decimal
}

// parts splits a group; a compound member also taxes the others' amounts.
func (t *tax) parts() []taxPart {
	if t.group == nil {
		return []taxPart{{t, t.rate}}
	}
	plain := decimal.Zero
	for _, m := range t.group {
		if !m.Compound {
			plain = plain.Add(m.rate)
		}
	}
	out := make([]taxPart, len(t.group))
	for i, m := range t.group {
		out[i] = taxPart{m, m.rate}
		if m.Compound {
			out[i].rate = m.rate.Add(m.rate.Mul(plain).Div(decimal.NewFromInt(100)))
		}
	}
	return out
}

func (t *tax) kind() string {
	switch {
	case t.group != nil:
		return "tax_group"
	case t.Compound:
		return "compound_tax"
	}
	return "tax"
}

// today is the accounting day in the organisation's time zone.
func (b *books) today(now time.Time) string { return now.In(b.loc).Format(time.DateOnly) }

// locked refuses a date in a locked period.
func (b *books) locked(dates ...string) *failure {
	for _, l := range b.locks {
		for _, d := range dates {
			if d != "" && d <= l.Date {
				return b.sim.cfg.Switches.LockedPeriod.or(400, codeLocked,
					"Transactions dated on or before "+l.Date+" have been locked.")
			}
		}
	}
	return nil
}

// inBase converts an amount at a rate and rounds it to the base currency.
func (b *books) inBase(amount, rate decimal.Decimal) decimal.Decimal {
	return amount.Mul(rate).Round(b.base.Precision)
}

// post writes an entry; an entry that does not balance is kept as the books' error.
func (b *books) post(date string, document uint64, event string, lines []journal.Line) {
	if err := b.journal.Post(journal.Entry{Date: date, Document: document, Event: event, Lines: lines}); err != nil && b.broken == nil {
		b.broken = err
	}
}

func fold(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// adopt takes over the documents, journal and settings of fresh books; limits and their counts stay. The lock is held.
func (b *books) adopt(fresh *books) {
	b.seq = max(b.seq, fresh.seq) // ids are never used twice
	b.accounts, b.accountIDs, b.system = fresh.accounts, fresh.accountIDs, fresh.system
	b.taxes, b.taxOrder, b.exemptions = fresh.taxes, fresh.taxOrder, fresh.exemptions
	b.currencies, b.currencyBy, b.curOrder, b.base = fresh.currencies, fresh.currencyBy, fresh.curOrder, fresh.base
	b.items, b.itemNames, b.contacts, b.names = fresh.items, fresh.itemNames, fresh.contacts, fresh.names
	b.invoices, b.payments, b.notes, b.refunds = fresh.invoices, fresh.payments, fresh.notes, fresh.refunds
	b.fields, b.locks = fresh.fields, fresh.locks
	b.nextInvoice, b.nextNote, b.nextPayment = fresh.nextInvoice, fresh.nextNote, fresh.nextPayment
	b.journal, b.broken = fresh.journal, nil
}
