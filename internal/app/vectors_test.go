package app

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/internal/testkit"
	"github.com/booksync/booksync/internal/vectors"
	"github.com/booksync/booksync/processor/money"
	"github.com/booksync/booksync/schemas"
)

// Public documents, whose sums nobody here wrote, go through the whole job into the simulator: what the books then show must
// be what the documents say.

func TestDocumentsOfEN16931AreRightToTheCent(t *testing.T) {
	t.Parallel()
	docs, err := vectors.UBL(testkit.Vectors(t, "en16931-ubl"))
	if err != nil {
		t.Fatal(err)
	}
	postDocuments(t, docs)
}

func TestDocumentsOfGOBLAreRightToTheCent(t *testing.T) {
	t.Parallel()
	docs, err := vectors.GOBL(testkit.Vectors(t, "gobl"))
	if err != nil {
		t.Fatal(err)
	}
	postDocuments(t, docs)
}

// postDocuments sends all of them to one company that has their taxes and currencies, and compares.
func postDocuments(t *testing.T, docs []*vectors.Document) {
	if len(docs) == 0 {
		t.Fatal("no documents")
	}
	w := newWorld(t, simulator.Switches{}, company(func(o *simulator.Org) { *o = documentCompany(o, docs) }), mapped(func(o *config.Organization) {
		o.DependencyDeadline = time.Hour
	}))
	w.mapDocuments(docs)
	w.start()
	var records []*kgo.Record
	for i, d := range docs {
		records = append(records, w.send(w.eventsOf(d, fmt.Sprintf("D%02d", i+1))...)...)
	}
	for _, r := range records {
		out := w.wantStatus(r, schemas.StatusPosted, "")
		if out.Difference.Valid {
			t.Errorf("%s of %s: a difference of %s", out.Workflow, out.OrderID, out.Difference.Decimal)
		}
	}
	ledger := w.sim.Ledger(orgID)
	for i, d := range docs {
		t.Run(d.Name, func(t *testing.T) { compareDocument(t, w, &ledger, d, fmt.Sprintf("D%02d", i+1)) })
	}
}

const documentRate = "1.25"

// eventsOf are the order of a document, and its payment and refund where it needs them.
func (w *world) eventsOf(d *vectors.Document, id string) []any {
	o := d.Order
	like := w.order(id)
	o.Event, o.OrderID, o.OrderNumber, o.Customer, o.PlacedAt = like.Event, id, d.Name, like.Customer, like.PlacedAt
	rate := decimal.NullDecimal{}
	if o.Currency != w.org.Currency {
		rate = decimal.NewNullDecimal(dec(documentRate))
	}
	o.ExchangeRate = rate
	paid := d.Prepaid
	if d.Credit {
		paid = d.Total
	}
	events := []any{o}
	if paid.IsPositive() {
		p := w.payment("P-"+id, id, paid.String())
		p.Currency, p.ExchangeRate = o.Currency, rate
		events = append(events, p)
	}
	if d.Credit {
		r := w.refund("R-"+id, id, "P-"+id, d.Total.String())
		r.Currency, r.ExchangeRate = o.Currency, rate
		events = append(events, r)
	}
	return events
}

// compareDocument holds a document against the books: the invoice, less what the order took back itself, or the credit note.
func compareDocument(t *testing.T, w *world, l *simulator.Ledger, d *vectors.Document, id string) {
	t.Helper()
	plus, minus := l.Find("invoice", "order:"+id), l.Find("creditnote", "returned:"+id)
	if d.Credit {
		plus, minus = l.Find("creditnote", "refund:R-"+id), nil
	}
	if len(plus) != 1 {
		t.Fatalf("%d documents, want 1", len(plus))
	}
	bases, amounts := make(map[string]decimal.Decimal), make(map[string]decimal.Decimal)
	total, tax := decimal.Zero, decimal.Zero
	add := func(docs []simulator.LedgerDocument, sign decimal.Decimal) {
		for _, doc := range docs {
			total, tax = total.Add(doc.Total.Mul(sign)), tax.Add(doc.Tax.Mul(sign))
			for _, line := range doc.Lines {
				bases[line.TaxID] = bases[line.TaxID].Add(line.Revenue.Mul(sign))
			}
			for _, sum := range doc.Taxes {
				amounts[sum.ID] = amounts[sum.ID].Add(sum.Amount.Mul(sign))
			}
		}
	}
	one := decimal.NewFromInt(1)
	add(plus, one)
	add(minus, one.Neg())
	balance := plus[0].Balance
	if d.Credit {
		for _, r := range l.Find("refund", "refund:R-"+id) {
			balance = balance.Add(r.Total) // what was paid back
		}
	} else {
		for _, p := range l.Find("payment", "payment:P-"+id) {
			balance = balance.Sub(p.Balance) // prepaid beyond the total
		}
	}
	t.Logf("%s %s: total %s, tax %s, payable %s, %d taxes, %d notes beside it", d.Order.Currency, plus[0].Type, total, tax, balance, len(d.Taxes), len(minus))
	for _, c := range []struct {
		what      string
		got, want decimal.Decimal
	}{{"total", total, d.Total}, {"tax", tax, d.Tax}, {"payable", balance, d.Payable}} {
		if !c.got.Equal(c.want) {
			t.Errorf("%s %s, want %s", c.what, c.got, c.want)
		}
	}
	for _, c := range d.Taxes {
		if got := amounts[w.org.TaxID(c.Code)]; !got.Equal(c.Amount) {
			t.Errorf("tax %s %s, want %s", c.Code, got, c.Amount)
		}
		base := decimal.Zero
		for id, b := range bases {
			if slices.Contains(w.codesOf(id), c.Code) {
				base = base.Add(b)
			}
		}
		if !base.Equal(c.Base) {
			t.Errorf("%s is on %s, want %s", c.Code, base, c.Base)
		}
	}
}

// codesOf are the tax codes of a tax or a tax group.
func (w *world) codesOf(taxID string) []string {
	for _, t := range w.org.Taxes {
		if w.org.TaxID(t.Name) == taxID {
			return []string{t.Name}
		}
	}
	for _, g := range w.org.TaxGroups {
		if w.org.TaxID(g.Name) == taxID {
			return g.Taxes
		}
	}
	return nil
}

// combinations are the taxes that lines of the documents carry together.
func combinations(docs []*vectors.Document) [][]schemas.Tax {
	var all [][]schemas.Tax
	seen := make(map[string]bool)
	for _, d := range docs {
		for _, l := range d.Order.Lines {
			if key := combined(l.Taxes); len(l.Taxes) > 0 && !seen[key] {
				seen[key] = true
				all = append(all, l.Taxes)
			}
		}
	}
	return all
}

func combined(taxes []schemas.Tax) string {
	codes := make([]string, len(taxes))
	for i, t := range taxes {
		codes[i] = t.Code
	}
	slices.Sort(codes)
	return strings.Join(codes, "+")
}

// documentCompany is a company in the euro with the documents' taxes, tax groups and currencies.
func documentCompany(o *simulator.Org, docs []*vectors.Document) simulator.Org {
	c := simulator.DefaultOrgIn(orgID, "DE").WithFields()
	c.MinuteLimit, c.PlanQuota, c.Concurrency = o.MinuteLimit, o.PlanQuota, o.Concurrency
	c.Taxes, c.TaxGroups = nil, nil
	for _, taxes := range combinations(docs) {
		var names []string
		for _, t := range taxes {
			names = append(names, t.Code)
			if !slices.ContainsFunc(c.Taxes, func(have simulator.Tax) bool { return have.Name == t.Code }) {
				c.Taxes = append(c.Taxes, simulator.Tax{Name: t.Code, Percentage: t.Rate.Decimal.String()})
			}
		}
		if len(names) > 1 {
			c.TaxGroups = append(c.TaxGroups, simulator.TaxGroup{Name: combined(taxes), Taxes: names})
		}
	}
	for _, d := range docs {
		code := d.Order.Currency
		if code == c.Currency || slices.ContainsFunc(c.Currencies, func(have simulator.Currency) bool { return have.Code == code }) {
			continue
		}
		places, _ := money.MinorUnit(code)
		c.Currencies = append(c.Currencies, simulator.Currency{Code: code, Precision: places})
	}
	return c
}

// mapDocuments maps the documents' taxes, kinds of lines and currencies.
func (w *world) mapDocuments(docs []*vectors.Document) {
	o := w.cfg.Organizations[w.name]
	o.Taxes = make(map[string]config.TaxTarget)
	for _, taxes := range combinations(docs) {
		target := config.TaxTarget{TaxID: w.org.TaxID(combined(taxes))}
		for _, t := range taxes {
			target.Rate = target.Rate.Add(t.Rate.Decimal)
			if len(taxes) > 1 {
				target.Components = append(target.Components, config.TaxComponent{Name: t.Code, Rate: t.Rate.Decimal})
			}
		}
		o.Taxes[combined(taxes)] = target
	}
	item := func(name string) config.LineTarget { return config.LineTarget{ItemID: w.org.ItemID(name)} }
	o.LineTargets = map[string]config.LineTarget{
		"GOODS": item(simulator.ItemGoods), "SHIPPING": item(simulator.ItemShipping), "FEE": item(simulator.ItemFee), "ROUNDING": item(simulator.ItemRounding),
	}
	o.DefaultClearing = w.org.AccountID(simulator.AccountStripe)
	w.cfg.Organizations[w.name] = o
}
