package processor

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/processor/money"
)

// zoho is a simulated Zoho Books that has what an organisation of these tests maps to. It computes documents with
// arithmetic of its own, from the JSON that goes over the wire.
type zoho struct {
	testing.TB
	sim   *simulator.Simulator
	org   simulator.Org
	token string
}

const zohoOrg = "10234695"

// newZoho makes a company with the organisation's taxes, rounding and base currency, and gives the organisation its ids.
func newZoho(t testing.TB, org *Organization) *zoho {
	t.Helper()
	z := &zoho{TB: t, org: simulator.DefaultOrgIn(zohoOrg, "DE").WithFields()}
	o := &z.org
	o.Currency, o.Edition, o.PlanQuota, o.MinuteLimit, o.Concurrency = org.BaseCurrency, org.Edition, -1, -1, -1
	o.Taxes, o.TaxGroups = nil, nil
	for _, code := range slices.Sorted(maps.Keys(org.Taxes)) {
		target := org.Taxes[code]
		if target.TaxID == "" {
			continue
		}
		group := simulator.TaxGroup{Name: code}
		for _, c := range target.Components {
			z.addTax(simulator.Tax{Name: c.Name, Percentage: c.Rate.String(), Compound: c.Compound})
			group.Taxes = append(group.Taxes, c.Name)
		}
		if group.Taxes == nil {
			z.addTax(simulator.Tax{Name: code, Percentage: target.Rate.String()})
		} else {
			o.TaxGroups = append(o.TaxGroups, group)
		}
		target.TaxID = o.TaxID(code)
		org.Taxes[code] = target
	}
	for code := range org.CurrencyIDs {
		places, _ := money.MinorUnit(code)
		if code != o.Currency && !slices.ContainsFunc(o.Currencies, func(c simulator.Currency) bool { return c.Code == code }) {
			o.Currencies = append(o.Currencies, simulator.Currency{Code: code, Precision: places})
		}
		org.CurrencyIDs[code] = o.CurrencyID(code)
	}
	account := func(name string) LineTarget { return LineTarget{AccountID: o.AccountID(name)} }
	org.Items = map[string]string{"SKU-1": o.ItemID(simulator.ItemGoods), "SKU-2": o.ItemID(simulator.ItemService)}
	org.LineTargets = map[string]LineTarget{
		"GOODS": account(simulator.AccountSales), "SHIPPING": {ItemID: o.ItemID(simulator.ItemShipping)}, "FEE": account(simulator.AccountOther),
		"ROUNDING": account(simulator.AccountRounding),
	}
	org.Clearing, org.DefaultClearing, org.FeeAccount = nil, o.AccountID(simulator.AccountStripe), o.AccountID(simulator.AccountFees)
	switch org.RoundOff {
	case "", "none":
	case "1":
		o.RoundOff = simulator.RoundOff{Type: "nearest_whole_number"}
	default:
		o.RoundOff = simulator.RoundOff{Type: "nearest_increment", Increment: org.RoundOff}
	}
	z.sim = simulator.New(simulator.Config{Organizations: []simulator.Org{*o}, TokenRequests: -1, Switches: simulator.Switches{
		ItemLevelTax: org.TaxRounding == itemLevel, AcceptNegativeRates: org.NegativeLines,
	}})
	t.Cleanup(z.sim.Close)
	creds := simulator.DefaultCredentials()
	var answer struct {
		Token string `json:"access_token"`
	}
	form := url.Values{"grant_type": {"refresh_token"}, "client_id": {creds.ClientID}, "client_secret": {creds.ClientSecret}, "refresh_token": {creds.RefreshToken}}
	z.serve("POST", "/oauth/v2/token?"+form.Encode(), nil, &answer)
	z.token = answer.Token
	return z
}

func (z *zoho) addTax(t simulator.Tax) {
	i := slices.IndexFunc(z.org.Taxes, func(have simulator.Tax) bool { return have.Name == t.Name })
	if i < 0 {
		z.org.Taxes = append(z.org.Taxes, t)
	} else if z.org.Taxes[i] != t {
		z.Fatalf("two taxes %s: %+v and %+v", t.Name, z.org.Taxes[i], t)
	}
}

// post calls the API and reads the answer into one of its objects; any refusal fails the test.
func (z *zoho) post(path string, body, into any) {
	z.Helper()
	z.serve("POST", "/books/v3"+path+"?organization_id="+zohoOrg, body, into)
}

func (z *zoho) serve(method, path string, body, into any) {
	z.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		z.Fatal(err)
	}
	req := httptest.NewRequestWithContext(z.Context(), method, path, strings.NewReader(string(raw)))
	req.Header.Set("Authorization", "Zoho-oauthtoken "+z.token)
	req.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	z.sim.Handler().ServeHTTP(w, req)
	if w.Code != http.StatusOK && w.Code != http.StatusCreated {
		z.Fatalf("%s %s: %d %s\n%s", method, path, w.Code, w.Body, raw)
	}
	if into != nil {
		if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
			z.Fatal(err)
		}
	}
}

// contact makes a customer with this currency.
func (z *zoho) contact(currency string) string {
	z.Helper()
	var answer struct {
		Contact zohobooks.Contact `json:"contact"`
	}
	z.post("/contacts", map[string]string{"contact_name": "Ada " + currency, "currency_id": z.org.CurrencyID(currency)}, &answer)
	return answer.Contact.ContactID
}

// invoice posts a planned invoice and marks it sent.
func (z *zoho) invoice(req *zohobooks.InvoiceRequest) *zohobooks.Invoice {
	z.Helper()
	var answer struct {
		Invoice zohobooks.Invoice `json:"invoice"`
	}
	z.post("/invoices", req, &answer)
	z.post("/invoices/"+answer.Invoice.InvoiceID+"/status/sent", nil, nil)
	return &answer.Invoice
}

// creditNote posts a planned credit note.
func (z *zoho) creditNote(req *zohobooks.CreditNoteRequest) *zohobooks.CreditNote {
	z.Helper()
	var answer struct {
		Note zohobooks.CreditNote `json:"creditnote"`
	}
	z.post("/creditnotes", req, &answer)
	return &answer.Note
}

func (z *zoho) apply(noteID, invoiceID string, amount decimal.Decimal) {
	z.Helper()
	z.post("/creditnotes/"+noteID+"/invoices", map[string]any{"invoices": []zohobooks.CreditedInvoice{{InvoiceID: invoiceID, AmountApplied: zohobooks.NewAmount(amount)}}}, nil)
}

// balanced fails unless every entry of the journal is balanced and the trial balance is zero.
func (z *zoho) balanced(when string) simulator.Ledger {
	z.Helper()
	l := z.sim.Ledger(zohoOrg)
	if !l.Zero {
		z.Fatalf("%s: the trial balance is off by %s: %s", when, l.Sum, l.Error)
	}
	return l
}

// planned checks, plans and posts an order, with the credit note of what it takes back itself, and compares all sums.
func (z *zoho) planned(name string, plan *invoicePlan, gross, tax decimal.Decimal) (*zohobooks.Invoice, *zohobooks.CreditNote) {
	z.Helper()
	inv := z.invoice(plan.Request)
	if !inv.Total.Equal(plan.Total) || !inv.TaxTotal.Equal(plan.Tax) {
		z.Fatalf("%s: Zoho computes the total %s with tax %s, the plan says %s with %s", name, inv.Total, inv.TaxTotal, plan.Total, plan.Tax)
	}
	total, taxes := inv.Total.Decimal, inv.TaxTotal.Decimal
	var note *zohobooks.CreditNote
	if c := plan.Returned; c != nil {
		note = z.creditNote(c.Request)
		if !note.Total.Equal(c.Total) || !note.TaxTotal.Equal(c.Tax) {
			z.Fatalf("%s: Zoho computes what is taken back to %s with tax %s, the plan says %s with %s", name, note.Total, note.TaxTotal, c.Total, c.Tax)
		}
		z.apply(note.CreditNoteID, inv.InvoiceID, c.Apply)
		total, taxes = total.Sub(note.Total.Decimal), taxes.Sub(note.TaxTotal.Decimal)
	}
	if !total.Equal(gross) && plan.RoundOff.IsZero() {
		z.Fatalf("%s: Zoho has %s, the event says %s", name, total, gross)
	}
	if off := taxes.Sub(tax); !off.Equal(plan.TaxDifference) {
		z.Fatalf("%s: Zoho has the tax %s, the event says %s; the plan says the difference is %s", name, taxes, tax, plan.TaxDifference)
	}
	return inv, note
}
