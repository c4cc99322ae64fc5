package setup

import (
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
	"go.uber.org/goleak"

	"github.com/booksync/booksync/connectors/kafka"
	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/internal/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const mapping = `
organizations:
  acme:
    id: "1"
    time_zone: Europe/Berlin
    base_currency: EUR
    edition: eu
    taxes:
      vat19: {tax_id: "11", rate: 19}
      vat7: {tax_id: "12", rate: 7}
    line_targets:
      GOODS: {account_id: "21"}
    clearing: {stripe/EUR: "22", stripe/USD: "23"}
    fee_account: "24"
    items: {SKU: "31"}
`

// fakeCluster is a Kafka of maps.
type fakeCluster map[string]kafka.Topic

func (f fakeCluster) DescribeTopics(_ context.Context, names ...string) (map[string]kafka.Topic, error) {
	out := map[string]kafka.Topic{}
	for _, n := range names {
		if t, ok := f[n]; ok {
			out[n] = t
		}
	}
	return out, nil
}

func (f fakeCluster) CreateTopics(_ context.Context, topics ...kafka.Topic) ([]string, error) {
	for _, t := range topics {
		f[t.Name] = t
	}
	return nil, nil
}

// fakeBooks is a company in Germany. Its fields are changed by tests before it is looked at.
type fakeBooks struct {
	org        zohobooks.Organization
	taxes      []zohobooks.Tax
	accounts   []zohobooks.Account
	items      map[string]zohobooks.Item
	currencies []string
	locks      []zohobooks.TransactionLock
	fields     map[string][]zohobooks.FieldDef
	invoice    *zohobooks.Invoice
	err        error // of the lists
}

func amount(s string) zohobooks.Amount { return zohobooks.NewAmount(decimal.RequireFromString(s)) }

func company() *fakeBooks {
	b := &fakeBooks{
		org:   zohobooks.Organization{OrganizationID: "1", Name: "Acme GmbH", TimeZone: "Europe/Berlin", CurrencyCode: "EUR", CountryCode: "DE"},
		taxes: []zohobooks.Tax{{TaxID: "11", Name: "USt 19", Percentage: amount("19"), Type: "tax"}, {TaxID: "12", Name: "USt 7", Percentage: amount("7"), Type: "tax"}},
		accounts: []zohobooks.Account{
			{AccountID: "21", Name: "Sales", Type: "income", IsActive: true}, {AccountID: "22", Name: "Stripe", Type: "bank", CurrencyCode: "EUR", IsActive: true},
			{AccountID: "23", Name: "Stripe USD", Type: "bank", CurrencyCode: "USD", IsActive: true}, {AccountID: "24", Name: "Fees", Type: "expense", IsActive: true},
		},
		items: map[string]zohobooks.Item{"31": {ItemID: "31", Name: "Mug", Status: "active"}}, currencies: []string{"EUR", "USD"},
		fields:  map[string][]zohobooks.FieldDef{},
		invoice: &zohobooks.Invoice{InvoiceID: "91", InvoiceNumber: "INV-1", TaxRounding: "entity_level"},
	}
	b.org.Settings.IsActive = true
	for _, e := range entitiesOf(config.DefaultOrganization().Fields) {
		b.fields[e.entity] = []zohobooks.FieldDef{{APIName: e.fields.Key, IsUnique: true}, {APIName: e.fields.Origin}}
	}
	return b
}

func rows[T any](err error, all ...T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		if err != nil {
			var zero T
			yield(zero, err)
			return
		}
		for _, v := range all {
			if !yield(v, nil) {
				return
			}
		}
	}
}

func (b *fakeBooks) Organization(context.Context) (*zohobooks.Organization, error) {
	return &b.org, nil
}
func (b *fakeBooks) ListContacts(context.Context, *zohobooks.ListOptions) iter.Seq2[zohobooks.Contact, error] {
	return rows[zohobooks.Contact](nil)
}
func (b *fakeBooks) ListInvoices(context.Context, *zohobooks.ListOptions) iter.Seq2[zohobooks.Invoice, error] {
	if b.invoice == nil {
		return rows[zohobooks.Invoice](nil)
	}
	return rows(nil, *b.invoice)
}
func (b *fakeBooks) ListPayments(context.Context, *zohobooks.ListOptions) iter.Seq2[zohobooks.Payment, error] {
	return rows[zohobooks.Payment](nil)
}
func (b *fakeBooks) ListCreditNotes(context.Context, *zohobooks.ListOptions) iter.Seq2[zohobooks.CreditNote, error] {
	return rows[zohobooks.CreditNote](nil)
}
func (b *fakeBooks) ListAccounts(context.Context, *zohobooks.ListOptions) iter.Seq2[zohobooks.Account, error] {
	return rows(nil, b.accounts...)
}
func (b *fakeBooks) ListBankAccounts(context.Context, *zohobooks.ListOptions) iter.Seq2[zohobooks.Account, error] {
	return rows[zohobooks.Account](nil)
}
func (b *fakeBooks) ListTaxes(context.Context, *zohobooks.ListOptions) iter.Seq2[zohobooks.Tax, error] {
	return rows(b.err, b.taxes...)
}
func (b *fakeBooks) ListCurrencies(context.Context, *zohobooks.ListOptions) iter.Seq2[zohobooks.Currency, error] {
	var all []zohobooks.Currency
	for _, c := range b.currencies {
		all = append(all, zohobooks.Currency{Code: c})
	}
	return rows(nil, all...)
}
func (b *fakeBooks) ListItems(context.Context, *zohobooks.ListOptions) iter.Seq2[zohobooks.Item, error] {
	return rows[zohobooks.Item](nil)
}
func (b *fakeBooks) GetItem(_ context.Context, id string) (*zohobooks.Item, error) {
	if item, ok := b.items[id]; ok {
		return &item, nil
	}
	return nil, &zohobooks.Error{Method: "GET", Status: 404, Code: 1002, Message: "Item does not exist."}
}
func (b *fakeBooks) GetInvoice(context.Context, string) (*zohobooks.Invoice, error) {
	return b.invoice, nil
}
func (b *fakeBooks) TransactionLocks(context.Context) ([]zohobooks.TransactionLock, error) {
	return b.locks, nil
}
func (b *fakeBooks) CustomFields(_ context.Context, entity string) ([]zohobooks.FieldDef, error) {
	return b.fields[entity], nil
}
func (b *fakeBooks) CreateCustomField(_ context.Context, def zohobooks.FieldDef) (*zohobooks.FieldDef, error) {
	def.APIName = "cf_" + strings.ReplaceAll(def.Label, " ", "_")
	b.fields[def.Entity] = append(b.fields[def.Entity], def)
	return &def, nil
}

func look1(t *testing.T, b *fakeBooks, opts Options) *Report {
	t.Helper()
	cfg, err := config.Parse([]byte(mapping))
	if err != nil {
		t.Fatal(err)
	}
	opts.Skip = append(opts.Skip, "kafka", "registry")
	r, err := Run(t.Context(), cfg, Deps{Books: func(string) (Books, error) { return b, nil }}, opts)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// bad are the findings that are not fine, as "state area/item".
func bad(r *Report) []string {
	var out []string
	for _, f := range r.Findings {
		if f.Bad() || f.State == Warning || f.State == Unknown {
			out = append(out, string(f.State)+" "+f.Area+"/"+f.Item)
		}
	}
	return out
}

func TestWhatIsWrongInZohoIsFound(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		mend func(b *fakeBooks)
		want []string
	}{
		{"nothing", func(*fakeBooks) {}, nil},
		{"a tax was dropped", func(b *fakeBooks) { b.taxes = b.taxes[:1] }, []string{"missing taxes/vat7"}},
		{"a tax has another rate", func(b *fakeBooks) { b.taxes[0].Percentage = amount("20") }, []string{"wrong taxes/vat19"}},
		{"a tax is a group", func(b *fakeBooks) { b.taxes[0].Type = "tax_group" }, []string{"warning taxes/vat19"}},
		{"an account is inactive", func(b *fakeBooks) { b.accounts[1].IsActive = false }, []string{"wrong accounts/clearing.stripe/EUR"}},
		{"an account is kept in another currency", func(b *fakeBooks) { b.accounts[2].CurrencyCode = "EUR" }, []string{"wrong accounts/clearing.stripe/USD"}},
		{"an account was deleted", func(b *fakeBooks) { b.accounts = b.accounts[:3] }, []string{"missing accounts/fee_account"}},
		{"an account is of another type", func(b *fakeBooks) { b.accounts[0].Type = "equity" }, []string{"warning accounts/line_targets.GOODS"}},
		{"an item is inactive", func(b *fakeBooks) { b.items["31"] = zohobooks.Item{ItemID: "31", Status: "inactive"} }, []string{"wrong items/31"}},
		{"an item was deleted", func(b *fakeBooks) { b.items = nil }, []string{"missing items/31"}},
		{"a currency is not set up", func(b *fakeBooks) { b.currencies = b.currencies[:1] }, []string{"missing currencies/USD"}},
		{"another time zone, currency and country", func(b *fakeBooks) {
			b.org.TimeZone, b.org.CurrencyCode, b.org.CountryCode = "Europe/London", "GBP", "GB"
		},
			[]string{"wrong organization/time zone", "wrong organization/base currency", "warning organization/edition"}},
		{"taxes are rounded by line", func(b *fakeBooks) { b.invoice.TaxRounding = "item_level" }, []string{"wrong rounding/tax rounding"}},
		{"totals are rounded", func(b *fakeBooks) { b.invoice.RoundOff = amount("-0.03") }, []string{"wrong rounding/round-off"}},
		{"a key is not unique any more", func(b *fakeBooks) { b.fields[entityPayment][0].IsUnique = false }, []string{"wrong custom fields/customer_payment.cf_booksync_key"}},
		{"a field is missing", func(b *fakeBooks) { b.fields[entityContact] = b.fields[entityContact][:1] }, []string{"missing custom fields/contact.cf_booksync_origin"}},
		{"Zoho is down", func(b *fakeBooks) { b.err = &zohobooks.Error{Method: "GET", Status: 503} }, []string{"unknown taxes/list"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := company()
			test.mend(b)
			r := look1(t, b, Options{})
			if diff := cmp.Diff(test.want, bad(r)); diff != "" {
				t.Error(diff)
			}
			for _, f := range r.Findings {
				if f.Bad() && f.Hint == "" {
					t.Errorf("no hint: %+v", f)
				}
			}
		})
	}
}

func TestLaterLookIsComparedWithTheSnapshot(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "setup.json")
	if err := look1(t, company(), Options{}).Snapshot.Write(file); err != nil {
		t.Fatal(err)
	}
	before, err := ReadSnapshot(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := bad(look1(t, company(), Options{Before: before})); got != nil {
		t.Errorf("nothing changed, but: %v", got)
	}
	b := company()
	b.taxes = b.taxes[:1]
	b.accounts[1].IsActive = false
	b.items = nil
	b.fields[entityInvoice][0].IsUnique = false
	b.fields[entityContact] = b.fields[entityContact][1:]
	var changed []string
	for _, f := range look1(t, b, Options{Before: before}).Findings {
		if f.State == Changed {
			changed = append(changed, f.Item+": "+f.Message)
		}
	}
	want := []string{
		`tax 12: "USt 7" at 7 % (tax) is gone`,
		`account 22: was "Stripe" (bank, EUR), is "Stripe" (bank, EUR, inactive)`,
		`item 31: "Mug" is gone`,
		"field contact.cf_booksync_key: it is gone",
		"field invoice.cf_booksync_key: it is not unique any more: nothing refuses a second document",
	}
	if diff := cmp.Diff(want, changed); diff != "" {
		t.Error(diff)
	}
}

func TestAnOutageIsNotTakenForAChange(t *testing.T) {
	t.Parallel()
	before := look1(t, company(), Options{}).Snapshot
	b := company()
	b.err = &zohobooks.Error{Method: "GET", Status: 503}
	if diff := cmp.Diff([]string{"unknown taxes/list"}, bad(look1(t, b, Options{Before: before}))); diff != "" {
		t.Error(diff)
	}
}

func TestSnapshotThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"broken": "{", "of another version": `{"version": 99}`} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadSnapshot(file); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := ReadSnapshot(filepath.Join(dir, "nowhere")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestTopicsOfOurOwnAreComparedWithWhatSetupWouldMake(t *testing.T) {
	t.Parallel()
	cfg := config.Default()
	topic := func(name string, configs map[string]string) kafka.Topic {
		return kafka.Topic{Name: name, Partitions: 3, Configs: configs}
	}
	c := fakeCluster{
		"commerce.orders":       topic("commerce.orders", map[string]string{"max.message.bytes": "2000000"}),
		"commerce.payments":     topic("commerce.payments", nil),
		"commerce.orders.dlq":   topic("commerce.orders.dlq", map[string]string{"max.message.bytes": "2000000", "retention.ms": "9000000000"}),
		"commerce.payments.dlq": topic("commerce.payments.dlq", map[string]string{"cleanup.policy": "compact"}),
		"books.outcomes":        topic("books.outcomes", map[string]string{"retention.ms": "604800000"}),
	}
	look := func(apply bool) *Report {
		r, err := Run(t.Context(), cfg, Deps{Cluster: c}, Options{Apply: apply, Skip: []string{"registry", "books"}})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	want := []string{
		"missing kafka/commerce.refunds", "warning kafka/books.outcomes", "missing kafka/books.audit", "missing kafka/books.reconciliations", "wrong kafka/commerce.orders.dlq",
		"wrong kafka/commerce.payments.dlq", "missing kafka/commerce.refunds.dlq",
	}
	if diff := cmp.Diff(want, bad(look(false))); diff != "" {
		t.Error(diff)
	}
	if _, made := c["books.audit"]; made {
		t.Fatal("something was made without being asked for")
	}
	look(true)
	if _, made := c["commerce.refunds"]; made || c["books.audit"].Configs["retention.ms"] != "315360000000" {
		t.Errorf("made: %v", c)
	}
}

func TestSchemasSamplesEncode(t *testing.T) {
	t.Parallel()
	codec := newCodec(t)
	cfg := config.Default()
	r := run{cfg: cfg}
	for _, s := range r.subjects() {
		if err := s.registered(t.Context(), codec, s.topic); err != nil {
			t.Errorf("%s: %v", s.topic, err)
		}
	}
}
