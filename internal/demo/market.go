package demo

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/schemas"
)

// market is a company of one edition and who buys from it. Without one the sample is of a company in the United States that
// sells everywhere alike.
type market struct {
	country  string // of the simulated company
	edition  string // Zoho's
	state    string // where it's registered, if that matters
	currency string
	gateways []string
	hsn      bool
	buyers   []buyer
	// taxes are the mapping besides the company's taxes by their own names.
	taxes func(org simulator.Org) map[string]config.TaxTarget
	// exemptions are contacts' exemptions by tax_treatment, named as in Zoho.
	exemptions map[string]string
}

// buyer is a kind of customer: where they are, what they are for their tax, and which taxes a line to them may carry.
type buyer struct {
	city, state, zip, country, phone string
	company                          bool
	number, treatment                string
	place                            string // place_of_supply in the event; "" leaves it to the address
	lines                            []taxes
	// fields are what the invoice must say in the edition's own fields; "" must be absent.
	fields map[string]string
}

// taxes are those of one line; none: no tax.
type taxes []taxRate

func rate(code, percent string) taxRate { return taxRate{code, decimal.RequireFromString(percent)} }

// Editions are what --edition takes.
func Editions() []string { return slices.Sorted(maps.Keys(markets)) }

func fields(pairs ...string) map[string]string {
	m := make(map[string]string, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return m
}

var (
	withinState = []taxes{{rate("CGST9", "9"), rate("SGST9", "9")}, {rate("CGST6", "6"), rate("SGST6", "6")}, {rate("CGST2.5", "2.5"), rate("SGST2.5", "2.5")}, {rate("export", "0")}}
	acrossState = []taxes{{rate("IGST18", "18")}, {rate("", "12")}, {rate("", "5")}}
	britain     = []taxes{{rate("VAT 20", "20")}, {rate("VAT 20", "20")}, {rate("VAT 5", "5")}, {rate(simulator.TaxZero, "0")}}
	zeroRated   = []taxes{{rate(simulator.TaxZero, "0")}}
	gulf        = []taxes{{rate("VAT 5", "5")}, {rate("VAT 5", "5")}, {rate(simulator.TaxZero, "0")}}
	australia   = []taxes{{rate("GST 10", "10")}, {rate("GST 10", "10")}, {rate(simulator.TaxZero, "0")}}
)

var markets = map[string]*market{
	"in": {
		country: "IN", edition: "in", state: "Maharashtra", currency: "INR", gateways: []string{"razorpay"}, hsn: true,
		taxes: indianTaxes,
		buyers: []buyer{
			{city: "Mumbai", state: "Maharashtra", zip: "400069", country: "IN", phone: "098200 12345", lines: withinState,
				fields: fields("gst_treatment", "consumer", "place_of_supply", "MH", "gst_no", "")},
			{city: "Pune", state: "MH", zip: "411001", country: "India", phone: "+91 98230 54321", company: true, number: "27ABCDE1234F1Z5", lines: withinState[:3],
				fields: fields("gst_treatment", "business_gst", "gst_no", "27ABCDE1234F1Z5", "place_of_supply", "MH")},
			{city: "Bengaluru", state: "Karnataka", zip: "560001", country: "IN", phone: "098450 11111", lines: acrossState,
				fields: fields("gst_treatment", "consumer", "place_of_supply", "KA")},
			{city: "Hyderabad", state: "IN-TG", zip: "500001", country: "IN", company: true, number: "36 AABCE 1234 F1Z5", place: "36", lines: acrossState,
				fields: fields("gst_treatment", "business_gst", "gst_no", "36AABCE1234F1Z5", "place_of_supply", "TS")},
			{city: "Chennai", state: "Tamil Nadu", zip: "600001", country: "IN", company: true, lines: acrossState,
				fields: fields("gst_treatment", "business_none", "gst_no", "", "place_of_supply", "TN")},
			{city: "Singapore", zip: "018956", country: "Singapore", company: true, number: "201912345K", lines: []taxes{{rate("export", "0")}},
				fields: fields("gst_treatment", "overseas", "gst_no", "", "place_of_supply", "")},
		},
	},
	"uk": {
		country: "GB", edition: "uk", currency: "GBP", gateways: []string{"stripe", "paypal"},
		buyers: []buyer{
			{city: "London", zip: "sw1y 4jh", country: "UK", phone: "020 7946 0000", lines: britain, fields: fields("vat_treatment", "uk")},
			{city: "Leeds", zip: "LS1 4AP", country: "United Kingdom", company: true, number: "GB 123 4567 89", lines: britain, fields: fields("vat_treatment", "uk")},
			{city: "Dublin", zip: "D02 X285", country: "IE", company: true, number: "IE1234567T", lines: zeroRated, fields: fields("vat_treatment", "overseas")},
			{city: "Amsterdam", zip: "1015 CJ", country: "Nederland", company: true, number: "NL812345678B01", lines: zeroRated, fields: fields("vat_treatment", "overseas")},
		},
	},
	"us": {
		country: "US", edition: "us", state: "NY", currency: "USD", gateways: []string{"stripe", "paypal"},
		taxes: americanTaxes, exemptions: map[string]string{"resale": simulator.ExemptionResale},
		buyers: []buyer{
			{city: "New York", state: "New York", zip: "10001", country: "US", phone: "(212) 555-0100", lines: []taxes{{rate("", "8.875")}}},
			{city: "Newark", state: "NJ", zip: "07102", country: "USA", lines: []taxes{{rate("", "6.625")}}},
			{city: "Austin", state: "Texas", zip: "78701", country: "United States", lines: []taxes{{rate("", "8.25")}}},
			{city: "San Diego", state: "CA", zip: "92101", country: "US", lines: []taxes{{rate("sales", "7.25")}}},
			{city: "Denver", state: "CO", zip: "80202", country: "US", company: true, treatment: "resale", lines: []taxes{{rate("resale", "0")}}},
		},
	},
	"ae": {
		country: "AE", edition: "gcc", state: "Dubai", currency: "AED", gateways: []string{"stripe", "paypal"},
		buyers: []buyer{
			{city: "Dubai", state: "Dubai", country: "AE", phone: "050 123 4567", lines: gulf, fields: fields("tax_treatment", "vat_not_registered", "place_of_supply", "DU")},
			{city: "Abu Dhabi", state: "AE-AZ", country: "UAE", company: true, number: "100000000000003", lines: gulf,
				fields: fields("tax_treatment", "vat_registered", "place_of_supply", "AB")},
			{city: "Sharjah", state: "Sharjah", country: "United Arab Emirates", lines: gulf, place: "Ajman",
				fields: fields("tax_treatment", "vat_not_registered", "place_of_supply", "AJ")},
			{city: "Riyadh", country: "SA", company: true, number: "300000000000003", lines: zeroRated,
				fields: fields("tax_treatment", "gcc_vat_registered", "place_of_supply", "SA")},
			{city: "Mumbai", country: "IN", lines: zeroRated, fields: fields("tax_treatment", "non_gcc", "place_of_supply", "")},
		},
	},
	"ca": {
		country: "CA", edition: "ca", state: "ON", currency: "CAD", gateways: []string{"stripe", "paypal"},
		taxes: canadianTaxes,
		buyers: []buyer{
			{city: "Toronto", state: "Ontario", zip: "m5v 2t6", country: "CA", phone: "416-555-0199", lines: []taxes{{rate("sales", "13")}}},
			{city: "Vancouver", state: "BC", zip: "V5K 0A1", country: "Canada", lines: []taxes{{rate("gst", "5"), rate("pst", "7")}}},
			{city: "Montréal", state: "Québec", zip: "H2Y 1C6", country: "CA", lines: []taxes{{rate("gst", "5"), rate("qst", "9.975")}}},
			{city: "Calgary", state: "AB", zip: "T2P 1J9", country: "CA", company: true, lines: []taxes{{rate("gst", "5")}}},
			{city: "Seattle", state: "WA", zip: "98101", country: "US", lines: zeroRated},
		},
	},
	"au": {
		country: "AU", edition: "au", currency: "AUD", gateways: []string{"stripe", "paypal"},
		buyers: []buyer{
			{city: "Sydney", state: "nsw", zip: "2000", country: "AU", phone: "(02) 5550 1234", lines: australia},
			{city: "Melbourne", state: "Victoria", zip: "3000", country: "Australia", company: true, number: "51 824 753 556", lines: australia},
			{city: "Auckland", zip: "1010", country: "NZ", lines: zeroRated},
		},
	},
}

func target(org simulator.Org, tax, percent string) config.TaxTarget {
	return config.TaxTarget{TaxID: org.TaxID(tax), Rate: decimal.RequireFromString(percent)}
}

// group is a tax group of two.
func group(org simulator.Org, name string, parts ...taxRate) config.TaxTarget {
	t := config.TaxTarget{TaxID: org.TaxID(name)}
	for _, p := range parts {
		t.Rate = t.Rate.Add(p.rate)
		t.Components = append(t.Components, config.TaxComponent{Name: p.code, Rate: p.rate})
	}
	return t
}

// indianTaxes map components within the state to groups, IGST to others, and rates alone by place.
func indianTaxes(org simulator.Org) map[string]config.TaxTarget {
	m := map[string]config.TaxTarget{"export": target(org, simulator.TaxZero, "0")}
	for whole, part := range map[string]string{"18": "9", "12": "6", "5": "2.5"} {
		within := group(org, "GST"+whole, rate("CGST"+part, part), rate("SGST"+part, part))
		across := target(org, "IGST"+whole, whole)
		within.Supply, across.Supply = "intra", "inter"
		m["CGST"+part+"+SGST"+part], m["IGST"+whole] = within, across
		m[whole+"%@intra"], m[whole+"%@inter"] = within, across
	}
	return m
}

// americanTaxes are mapped by jurisdiction: the place alone, or a code at a place.
func americanTaxes(org simulator.Org) map[string]config.TaxTarget {
	return map[string]config.TaxTarget{
		"@US-NY": target(org, "NY Sales Tax", "8.875"), "@NJ": target(org, "NJ Sales Tax", "6.625"), "@US-TX": target(org, "TX Sales Tax", "8.25"),
		"sales@CA": target(org, "CA Sales Tax", "7.25"), "resale": {ExemptionID: org.ExemptionID(simulator.ExemptionResale)},
	}
}

// canadianTaxes are groups by the taxes' names, and one by province.
func canadianTaxes(org simulator.Org) map[string]config.TaxTarget {
	return map[string]config.TaxTarget{
		"sales@ON": target(org, "HST 13", "13"), "gst": target(org, "GST 5", "5"),
		"gst+pst": group(org, "GST+PST", rate("gst", "5"), rate("pst", "7")),
		"gst+qst": group(org, "GST+QST", rate("gst", "5"), rate("qst", "9.975")),
	}
}

// buyer is the kind that a customer is of.
func (m *market) buyer(customer int) *buyer { return &m.buyers[customer%len(m.buyers)] }

// party makes a customer of the kind. The same number always makes the same one.
func (b *buyer) party(customer int, name string) schemas.Party {
	p := schemas.Party{
		ID: fmt.Sprintf("cust-%03d", customer), Name: name, Email: fmt.Sprintf("Customer%03d@Example.com", customer), Phone: b.phone,
		TaxNumber: b.number, TaxTreatment: b.treatment,
		BillingAddress: &schemas.Address{Line1: fmt.Sprintf("%d High Street", 1+customer), City: b.city, State: b.state, PostalCode: b.zip, Country: b.country},
	}
	if b.company {
		p.Company = name[strings.LastIndexByte(name, ' ')+1:] + " & Co " + fmt.Sprint(customer)
	}
	return p
}

// checkEdition compares the invoice's edition fields with what its buyer is.
func (c *checker) checkEdition(m *market, o *schemas.Order, inv simulator.LedgerDocument) {
	var customer int
	if _, err := fmt.Sscanf(o.Customer.ID, "cust-%d", &customer); err != nil {
		c.wrong("customer %s of order %s", o.Customer.ID, o.OrderID)
		return
	}
	for field, want := range m.buyer(customer).fields {
		if got := inv.Edition[field]; got != want {
			c.wrong("%s of the invoice of %s is %q, want %q", field, o.OrderID, got, want)
		}
	}
}
