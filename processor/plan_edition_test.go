package processor

import (
	"encoding/csv"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/booksync/booksync/internal/testkit"
	"github.com/booksync/booksync/schemas"
)

var allEditions = []string{"us", "uk", "in", "eu", "gcc", "au", "ca", "za", "ke", "mx", "global"}

// richOrder is an order that has everything an edition could ask for.
func richOrder(t *testing.T, edition string) (*schemas.Order, *Organization) {
	org := company(t, edition, "EUR", "Europe/Berlin")
	org.Country, org.State = map[string]string{"gcc": "AE", "eu": "DE"}[edition], ""
	if home, code, err := Home(edition, org.Country, map[string]string{"in": "Maharashtra", "gcc": "Dubai"}[edition]); err != nil {
		t.Fatal(err)
	} else {
		org.Country, org.State = home, code
	}
	org.Taxes["vat19"] = TaxTarget{TaxID: "tax-19", Rate: dec("19"), AuthorityID: "authority-1"}
	org.Taxes["out"] = TaxTarget{TaxID: "tax-out", TreatmentCode: "uae_others"}
	org.Exemptions = map[string]string{"resale": "exemption-1"}
	number := map[string]string{
		"in": "29ABCDE1234F1Z5", "gcc": "100000000000003", "ke": "A123456789B", "za": "4123456789", "mx": "ABC010101AB1",
	}[edition]
	if number == "" {
		number = "GB123456789"
	}
	where := map[string]schemas.Address{
		"in": {Country: "IN", State: "Karnataka"}, "gcc": {Country: "AE", State: "Dubai"}, "us": {Country: "US", State: "NY"}, "uk": {Country: "GB"},
		"mx": {Country: "MX", State: "Jalisco"}, "ke": {Country: "KE"}, "za": {Country: "ZA", State: "Gauteng"},
		"au": {Country: "AU", State: "nsw"}, "ca": {Country: "CA", State: "Ontario"},
	}[edition]
	where.Line1 = "Street 1"
	o := orderOf("EUR", "200.00", "19.00", "219.00",
		goods("1", "1", "100", tax("vat19", "19", "19.00")), goods("2", "1", "50", tax("exempt", "0", "0.00")), goods("3", "1", "50", tax("out", "0", "0.00")))
	for i := range o.Lines {
		o.Lines[i].HSNOrSAC = "6911"
	}
	o.Customer.TaxNumber, o.Customer.Company, o.Customer.BillingAddress = number, "Buyer Ltd", &where
	return o, org
}

// requestsOf are all requests that an order, its payment and its refund lead to, by Zoho's module.
func requestsOf(t *testing.T, o *schemas.Order, org *Organization) map[string]any {
	t.Helper()
	if _, r := checkOrder(o, org); r != nil {
		t.Fatalf("%s: %v", org.Edition, r)
	}
	plan, r := planInvoice(o, org, "contact-1", testOrigin)
	if r != nil {
		t.Fatalf("%s: %v", org.Edition, r)
	}
	st := stateAfter(o, plan)
	pay, r := planPayment(paymentOf("219", "EUR"), org, map[string]*OrderState{"O1": st}, testOrigin)
	if r != nil {
		t.Fatalf("%s: %v", org.Edition, r)
	}
	refund, r := planRefund(refundOf("219", "EUR"), org, st.pay("219"), testOrigin)
	if r != nil {
		t.Fatalf("%s: %v", org.Edition, r)
	}
	return map[string]any{
		"contacts": planContact(&o.Customer, o.Currency, org, o.OccurredAt).Request, "invoices": plan.Request,
		"customer-payments": pay.Request, "credit-notes": refund.Credit.Request,
	}
}

// fieldsIn are the names of all members, however deep.
func fieldsIn(t *testing.T, request any) map[string]bool {
	t.Helper()
	b, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, member := range v {
				names[name] = true
				walk(member)
			}
		case []any:
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(v)
	return names
}

func TestEditionFieldsGoToTheirEditionsOnly(t *testing.T) {
	t.Parallel()
	f, err := os.Open(testkit.Vectors(t, "zoho-edition-fields.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	allowed := make(map[string]map[string]bool) // module/field to editions
	for _, row := range rows[1:] {
		key := row[0] + "/" + row[1]
		if allowed[key] == nil {
			allowed[key] = make(map[string]bool)
		}
		for _, e := range strings.Split(row[2], "|") {
			allowed[key][e] = true
		}
	}
	sent := make(map[string][]string)
	for _, edition := range allEditions {
		o, org := richOrder(t, edition)
		for _, treatment := range []string{"", "resale"} {
			if treatment != "" && !inContactExemption[edition] {
				continue
			}
			if treatment != "" {
				o.Customer.TaxTreatment = treatment
				o.Lines, o.Totals = o.Lines[1:], schemas.Totals{Net: dec("100"), Gross: dec("100")}
				if edition == "us" {
					continue // a payment of 219 is too much: the contact is looked at below
				}
			}
			requests := map[string]any{"contacts": planContact(&o.Customer, o.Currency, org, o.OccurredAt).Request}
			if treatment == "" {
				requests = requestsOf(t, o, org)
			}
			for module, request := range requests {
				for name := range fieldsIn(t, request) {
					key := module + "/" + name
					if editions, special := allowed[key]; special && !editions[edition] {
						t.Errorf("%s is sent to the %s edition; the table allows %v", key, edition, slices.Sorted(maps.Keys(editions)))
					} else if special && !slices.Contains(sent[key], edition) {
						sent[key] = append(sent[key], edition)
					}
				}
			}
		}
	}
	want := map[string]string{
		"contacts/gst_no": "in", "contacts/gst_treatment": "in", "contacts/place_of_contact": "in", "contacts/vat_reg_no": "uk",
		"contacts/vat_treatment": "uk", "contacts/country_code": "uk gcc", "contacts/tax_reg_no": "gcc za ke mx", "contacts/tax_treatment": "gcc za ke mx",
		"contacts/legal_name": "mx", "contacts/is_taxable": "au ca", "contacts/tax_exemption_id": "au ca",
		"invoices/gst_no": "in", "invoices/gst_treatment": "in", "invoices/place_of_supply": "in gcc", "invoices/hsn_or_sac": "in za ke",
		"invoices/vat_treatment": "uk", "invoices/tax_treatment": "gcc za ke mx", "invoices/tax_treatment_code": "gcc",
		"invoices/is_reverse_charge_applied": "za", "invoices/tax_authority_id": "us", "invoices/tax_exemption_id": "us in",
		"credit-notes/gst_no": "in", "credit-notes/gst_treatment": "in", "credit-notes/place_of_supply": "in gcc", "credit-notes/hsn_or_sac": "in za ke",
		"credit-notes/vat_treatment": "uk", "credit-notes/tax_treatment": "gcc za ke mx", "credit-notes/tax_treatment_code": "gcc",
		"credit-notes/is_reverse_charge_applied": "za", "credit-notes/tax_authority_id": "us", "credit-notes/tax_exemption_id": "us in au ca",
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if got := strings.Join(sent[key], " "); got != want[key] {
			t.Errorf("%s is sent to %q, want %q", key, got, want[key])
		}
	}
	for key, editions := range sent {
		if want[key] == "" {
			t.Errorf("%s is sent to %v: say so in the test and in docs/editions.md", key, editions)
		}
	}
}

func TestAnExemptCustomersContact(t *testing.T) {
	t.Parallel()
	for _, edition := range []string{"us", "ca", "au"} {
		o, org := richOrder(t, edition)
		o.Customer.TaxTreatment = "Resale"
		if _, r := checkOrder(o, org); r == nil || r.Class != classTax || !strings.Contains(r.Message, "exempt") {
			t.Errorf("%s: a taxed line of an exempt customer: %v", edition, r)
		}
		o.Lines, o.Totals = o.Lines[1:], schemas.Totals{Net: dec("100"), Gross: dec("100")}
		if _, r := checkOrder(o, org); r != nil {
			t.Errorf("%s: %v", edition, r)
		}
		req := planContact(&o.Customer, o.Currency, org, time.Time{}).Request
		if req.IsTaxable == nil || *req.IsTaxable || req.TaxExemptionID != "exemption-1" {
			t.Errorf("%s: %+v", edition, req)
		}
		o.Customer.TaxTreatment = "diplomat"
		if _, r := checkOrder(o, org); r == nil || !strings.Contains(r.Message, `"diplomat"`) {
			t.Errorf("%s: an unmapped exemption: %v", edition, r)
		}
	}
}

func TestTreatmentFollowsFromNumberAndCountry(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, edition, country, number, company, said, want string }{
		{"an Indian business", "in", "IN", "29abcde1234f1z5", "", "", "business_gst 29ABCDE1234F1Z5"},
		{"an Indian business without GSTIN", "in", "IN", "", "Shop", "", "business_none "},
		{"an Indian consumer", "in", "India", "", "", "", "consumer "},
		{"abroad, seen from India", "in", "DE", "DE123", "Shop", "", "overseas "},
		{"a British business", "uk", "GB", "GB 123 4567 89", "", "", "uk GB123456789"},
		{"abroad, seen from Britain", "uk", "NL", "NL812345678B01", "", "", "overseas 812345678B01"},
		{"Northern Ireland's trade", "uk", "IE", "IE1234567T", "", "eu_vat_registered", "eu_vat_registered IE1234567T"},
		{"an Emirati business", "gcc", "AE", "100-0000-0000-0003", "", "", "vat_registered 100000000000003"},
		{"an Emirati consumer", "gcc", "United Arab Emirates", "", "", "", "vat_not_registered "},
		{"a Saudi business", "gcc", "SA", "300000000000003", "", "", "gcc_vat_registered 300000000000003"},
		{"outside the Gulf", "gcc", "IN", "29ABCDE1234F1Z5", "", "", "non_gcc "},
		{"a designated zone", "gcc", "AE", "100000000000003", "", "DZ_VAT_registered", "dz_vat_registered 100000000000003"},
		{"a Kenyan business", "ke", "KE", "A123456789B", "", "", "vat_registered A123456789B"},
		{"outside Kenya", "ke", "UG", "1", "", "", "non_kenya "},
		{"a South African business", "za", "ZA", "4123456789", "", "", "vat_registered 4123456789"},
		{"outside South Africa", "za", "NA", "", "", "", "overseas "},
		{"a Mexican business", "mx", "MX", "abc-010101-ab1", "", "", "home_country_mexico ABC010101AB1"},
		{"the border region", "mx", "MX", "ABC010101AB1", "", "border_region_mexico", "border_region_mexico ABC010101AB1"},
		{"outside Mexico", "mx", "US", "XEXX010101000", "", "", "non_mexico XEXX010101000"},
		{"the United States", "us", "US", "12-3456789", "", "", " "},
		{"Germany", "eu", "DE", "DE123456789", "", "", " "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			org := company(t, tt.edition, "EUR", "UTC")
			if tt.edition == "gcc" {
				org.Country = "AE"
			}
			p := &schemas.Party{ID: "C", TaxNumber: tt.number, Company: tt.company, TaxTreatment: tt.said, BillingAddress: &schemas.Address{Country: tt.country}}
			if r := checkBuyer(p, org); r != nil {
				t.Fatal(r)
			}
			value, number := treatmentOf(p, org).said()
			if got := value + " " + number; got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestBuyersThatZohoWouldRefuse(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, edition, country, number, said, says string }{
		{"a treatment of another edition", "in", "IN", "", "vat_registered", `"vat_registered"`},
		{"registered without a number", "in", "IN", "", "business_gst", "needs a tax number"},
		{"no GSTIN", "in", "IN", "12345", "", `"12345"`},
		{"no TRN", "gcc", "AE", "1000", "", `"1000"`},
		{"a number too long for Britain", "uk", "GB", "12345678901234567", "", "uk edition"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o, org := richOrder(t, tt.edition)
			o.Customer.TaxNumber, o.Customer.TaxTreatment, o.Customer.BillingAddress = tt.number, tt.said, &schemas.Address{Country: tt.country}
			_, r := checkOrder(o, org)
			if r == nil || r.Class != classTax || !strings.Contains(r.Message, tt.says) {
				t.Errorf("got %v", r)
			}
		})
	}
}

func TestPlaceOfSupply(t *testing.T) {
	t.Parallel()
	in, ae := &Organization{Edition: "in", State: "MH"}, &Organization{Edition: "gcc", Country: "AE", State: "DU"}
	for _, tt := range []struct {
		name, said        string
		ship, bill        *schemas.Address
		org               *Organization
		place, code, kind string
	}{
		{"the event says a state", "KA", nil, &schemas.Address{Country: "IN", State: "MH"}, in, "IN-KA", "KA", relationInter},
		{"by its register number", "27", nil, nil, in, "IN-MH", "MH", relationIntra},
		{"by name", "telangana", nil, nil, in, "IN-TS", "TS", relationInter},
		{"by the ISO code", "IN-TG", nil, nil, in, "IN-TS", "TS", relationInter},
		{"where the goods go", "", &schemas.Address{Country: "India", State: "Tamil Nadu"}, &schemas.Address{Country: "IN", State: "MH"}, in, "IN-TN", "TN", relationInter},
		{"where the buyer is billed", "", nil, &schemas.Address{Country: "IN", State: "Maharashtra"}, in, "IN-MH", "MH", relationIntra},
		{"abroad", "", &schemas.Address{Country: "US", State: "NY"}, nil, in, "US-NY", "", relationExport},
		{"a state nobody knows", "", nil, &schemas.Address{Country: "IN", State: "Atlantis"}, in, "IN", "", ""},
		{"nothing", "", nil, nil, in, "an unknown place", "", ""},
		{"an emirate", "", nil, &schemas.Address{Country: "AE", State: "AE-AZ"}, ae, "AE-AB", "AB", relationInter},
		{"another country of the Gulf", "Saudi Arabia", nil, nil, ae, "SA", "SA", relationExport},
		{"outside the Gulf", "IN", nil, nil, ae, "IN", "", relationExport},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := &schemas.Order{PlaceOfSupply: tt.said, Customer: schemas.Party{BillingAddress: tt.bill, ShippingAddress: tt.ship}}
			s := supplyOf(o, tt.org)
			if s.String() != tt.place || s.code(tt.org.Edition) != tt.code || s.relation != tt.kind {
				t.Errorf("got %s, code %q, %q", s, s.code(tt.org.Edition), s.relation)
			}
		})
	}
}

func TestTaxesAreMappedByPlace(t *testing.T) {
	t.Parallel()
	org := company(t, "in", "INR", "Asia/Kolkata")
	org.State = "MH"
	group := TaxTarget{TaxID: "group-18", Rate: dec("18"), Supply: relationIntra, Components: []TaxComponent{{Name: "CGST9", Rate: dec("9")}, {Name: "SGST9", Rate: dec("9")}}}
	igst := TaxTarget{TaxID: "igst-18", Rate: dec("18"), Supply: relationInter}
	org.Taxes = map[string]TaxTarget{
		"gst18@intra": group, "gst18@inter": igst, "gst18@export": {TaxID: "export-0"}, "gst18@LD": {TaxID: "ladakh", Rate: dec("18")},
		"igst18": igst, "18%@intra": group, "18%@inter": igst, "cgst+sgst": group, "5%": {TaxID: "five", Rate: dec("5")},
	}
	us := company(t, "us", "USD", "America/New_York")
	us.Taxes = map[string]TaxTarget{"@US-NY": {TaxID: "ny", Rate: dec("8.875"), AuthorityID: "ny-authority"}, "@US-NJ": {TaxID: "nj", Rate: dec("6.625")}, "state": {TaxID: "any", Rate: dec("4")}}
	code := func(c, rate string) schemas.Tax {
		return schemas.Tax{Code: c, Rate: optDec(rate), CollectedBy: schemas.CollectedBySeller}
	}
	for _, tt := range []struct {
		name, place string
		org         *Organization
		taxes       []schemas.Tax
		want        string // the tax id, or what the rejection says
	}{
		{"a code within the state", "MH", org, []schemas.Tax{code("gst18", "18")}, "group-18"},
		{"a code to another state", "KA", org, []schemas.Tax{code("gst18", "18")}, "igst-18"},
		{"a state of its own wins", "LD", org, []schemas.Tax{code("gst18", "18")}, "ladakh"},
		{"an export", "DE", org, []schemas.Tax{code("gst18", "0")}, "export-0"},
		{"no place", "", org, []schemas.Tax{code("gst18", "18")}, `"gst18" of line 1 is mapped at @LD, @export, @inter, @intra, but not for an unknown place: send place_of_supply`},
		{"a rate within the state", "MH", org, []schemas.Tax{code("", "18")}, "group-18"},
		{"a rate to another state", "TN", org, []schemas.Tax{code("", "18")}, "igst-18"},
		{"a rate wherever", "TN", org, []schemas.Tax{code("", "5.0")}, "five"},
		{"a rate that nobody mapped", "TN", org, []schemas.Tax{code("", "12")}, "of 12 % in IN-TN"},
		{"components within the state", "MH", org, []schemas.Tax{code("sgst", "9"), code("cgst", "9")}, "group-18"},
		{"components to another state", "KA", org, []schemas.Tax{code("sgst", "9"), code("cgst", "9")}, `is for intra-state supplies, but the order is supplied to IN-KA, which is inter-state`},
		{"IGST within the state", "MH", org, []schemas.Tax{code("igst18", "18")}, `is for inter-state supplies`},
		{"a jurisdiction", "US-NY", us, []schemas.Tax{code("", "8.875")}, "ny"},
		{"another jurisdiction", "NJ", us, []schemas.Tax{code("", "6.625")}, "nj"},
		{"a jurisdiction's tax at another rate", "NJ", us, []schemas.Tax{code("", "8.875")}, "of 8.875 % in US-NJ"},
		{"a code anywhere", "NJ", us, []schemas.Tax{code("state", "4")}, "any"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := orderOf(tt.org.BaseCurrency, "0", "0", "0", goods("1", "1", "0", tt.taxes...))
			o.PlaceOfSupply, o.Customer = tt.place, schemas.Party{ID: "C"}
			s, r := newSheet(o, tt.org)
			switch {
			case r == nil && s.lines[0].tax.TaxID != tt.want:
				t.Errorf("got %q, want %q", s.lines[0].tax.TaxID, tt.want)
			case r != nil && (r.Class != classTax || !strings.Contains(r.Message, tt.want)):
				t.Errorf("got %v, want %q", r, tt.want)
			}
		})
	}
}
