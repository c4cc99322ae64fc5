package app

import (
	"fmt"
	"os"
	"path/filepath"
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
	docs, refused, err := vectors.UBL(folderOfDocuments(t))
	if err != nil {
		t.Fatal(err)
	}
	postDocuments(t, docs, refused)
}

// folderOfDocuments is the vectors' en16931-ubl, or the folder of vectors itself where that has documents.
func folderOfDocuments(t *testing.T) string {
	all := testkit.Vectors(t)
	if entries, _ := os.ReadDir(filepath.Join(all, "en16931-ubl")); len(entries) == 0 {
		if here, _ := filepath.Glob(filepath.Join(all, "*.[xX][mM][lL]")); len(here) > 0 {
			return all
		}
	}
	return testkit.Vectors(t, "en16931-ubl")
}

func TestDocumentsOfGOBLAreRightToTheCent(t *testing.T) {
	t.Parallel()
	docs, refused, err := vectors.GOBL(testkit.Vectors(t, "gobl"))
	if err != nil {
		t.Fatal(err)
	}
	postDocuments(t, docs, refused)
}

// Documents that were written for what the public ones lack: see testdata/ubl/README.md.
func TestOurOwnDocumentsAreRightToTheCent(t *testing.T) {
	t.Parallel()
	docs, refused, err := vectors.UBL(filepath.Join(testkit.Root(t), "internal/vectors/testdata/ubl"))
	if err != nil || len(refused) > 0 {
		t.Fatal(refused, err)
	}
	for _, d := range docs {
		if broken := strings.HasPrefix(d.Name, "broken"); broken != (len(d.Broken) > 0) {
			t.Errorf("%s breaks %v", d.Name, d.Broken)
		}
	}
	postDocuments(t, docs, nil)
}

// postDocuments sends all of them to companies that have their taxes and currencies, and compares. Zoho's credit notes have
// no adjustment: one that is rounded down needs a negative line, so those documents go to a company whose Zoho takes them.
func postDocuments(t *testing.T, docs []*vectors.Document, refused []vectors.Refused) {
	if len(docs) == 0 {
		t.Fatal("no documents")
	}
	for _, r := range refused {
		t.Run(r.Name, func(t *testing.T) { t.Skipf("this is none: %v", r.Err) })
	}
	down := func(d *vectors.Document) bool { return d.Credit && d.Rounding.IsNegative() }
	postTo(t, slices.DeleteFunc(slices.Clone(docs), down), false)
	postTo(t, slices.DeleteFunc(slices.Clone(docs), func(d *vectors.Document) bool { return !down(d) }), true)
}

func postTo(t *testing.T, docs []*vectors.Document, negativeLines bool) {
	if len(docs) == 0 {
		return
	}
	w := newWorld(t, simulator.Switches{AcceptNegativeRates: negativeLines}, company(func(o *simulator.Org) { *o = documentCompany(o, docs) }),
		mapped(func(o *config.Organization) { o.DependencyDeadline, o.NegativeLines = time.Hour, negativeLines }))
	w.mapDocuments(docs)
	w.start()
	const ahead = 10 // a folder may have hundreds
	records := make([][]*kgo.Record, len(docs))
	for i, d := range docs {
		for next := i; i%ahead == 0 && next < min(i+ahead, len(docs)); next++ {
			records[next] = w.send(w.eventsOf(docs[next], documentID(next))...)
		}
		t.Run(d.Name, func(t *testing.T) {
			if len(d.Broken) > 0 {
				w.contradicts(t, d, records[i][0])
				return
			}
			for _, r := range records[i] {
				out := w.wantStatus(r, schemas.StatusPosted, "")
				if out.Difference.Valid {
					t.Errorf("%s of %s: a difference of %s", out.Workflow, out.OrderID, out.Difference.Decimal)
				}
			}
			ledger := w.sim.Ledger(orgID)
			compareDocument(t, w, &ledger, d, documentID(i))
		})
	}
}

// documentID is the order id of a document.
func documentID(i int) string { return fmt.Sprintf("D%03d", i+1) }

// contradicts: a document whose own sums don't hold is rejected with the sums, or posted at its total, where the outcome
// names what Zoho's taxes differ by. What's payable isn't a part of the order.
func (w *world) contradicts(t *testing.T, d *vectors.Document, r *kgo.Record) {
	t.Helper()
	out := w.await(r)
	why := out.Reason
	if out.Error != nil {
		why = out.Error.Message
	}
	t.Logf("it contradicts itself: %s; the order is %s: %s", strings.Join(d.Broken, "; "), out.Status, why)
	payable := len(d.Broken) == 1 && strings.HasPrefix(d.Broken[0], "BR-CO-16")
	switch {
	case out.Status == schemas.StatusRejected && !payable:
		if out.Error.Class != "rejected.totals" {
			t.Errorf("it is rejected as %s", out.Error.Class)
		}
	case out.Status != schemas.StatusPosted:
		t.Error("it is not posted")
	case !out.Posted.Decimal.Equal(d.Order.Totals.Gross), !payable && !out.Difference.Valid:
		t.Errorf("posted %s of %s, difference %v", out.Posted.Decimal, d.Order.Totals.Gross, out.Difference)
	}
}

const documentRate = "1.25"

// eventsOf are the order of a document, and its payment and refund where it needs them.
func (w *world) eventsOf(d *vectors.Document, id string) []any {
	like := w.order(id)
	rate := decimal.NullDecimal{}
	if d.Order.Currency != w.org.Currency {
		rate = decimal.NewNullDecimal(dec(documentRate))
	}
	order := func(o *schemas.Order, id string) *schemas.Order {
		o.Event, o.OrderID, o.OrderNumber, o.Customer, o.PlacedAt, o.ExchangeRate = like.Event, id, d.Name, like.Customer, like.PlacedAt, rate
		return o
	}
	events := []any{order(d.Order, id)}
	if len(d.Broken) > 0 {
		return events
	}
	paid := d.Prepaid
	if d.Credit {
		paid = d.Payable
		if d.Charged != nil {
			paid = paid.Add(d.Charged.Totals.Gross)
		}
	}
	payment := ""
	if paid.IsPositive() {
		payment = "P-" + id
		p := w.payment(payment, id, paid.String())
		p.Currency, p.ExchangeRate = d.Order.Currency, rate
		events = append(events, p)
	}
	if d.Credit {
		r := w.refund("R-"+id, id, payment, decimal.Max(paid, decimal.Zero).String())
		r.Currency, r.ExchangeRate, r.CreditTotal = d.Order.Currency, rate, decimal.NewNullDecimal(d.Order.Totals.Gross)
		events = append(events, r)
	}
	if d.Charged != nil {
		events = append(events, order(d.Charged, id+"-charged"))
	}
	return events
}

// compareDocument holds a document against the books: the invoice, less what the order took back itself, or the credit note,
// less what it charges.
func compareDocument(t *testing.T, w *world, l *simulator.Ledger, d *vectors.Document, id string) {
	t.Helper()
	plus, minus := l.Find("invoice", "order:"+id), l.Find("creditnote", "returned:"+id)
	if d.Credit {
		plus, minus = l.Find("creditnote", "refund:R-"+id), l.Find("invoice", "order:"+id+"-charged")
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
		for _, inv := range minus {
			balance = balance.Sub(inv.Balance)
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
		lines := d.Order.Lines
		if d.Charged != nil {
			lines = append(slices.Clone(lines), d.Charged.Lines...)
		}
		for _, l := range lines {
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
