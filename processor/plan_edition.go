package processor

import (
	"strings"

	"github.com/booksync/booksync/schemas"
)

// The editions that know a field; Zoho refuses a document that carries another edition's. From the availability markers of
// Zoho's OpenAPI files.
var (
	inPlaceOfSupply   = editions("in gcc")
	inGST             = editions("in")
	inVAT             = editions("uk")
	inTaxTreatment    = editions("gcc mx ke za")
	inHSN             = editions("in ke za")
	inLineExemption   = editions("in us")
	inCreditExemption = editions("in us au ca")
	inCountryCode     = editions("uk gcc")
	// notInclusiveCredits lists the editions whose credit notes have no is_inclusive_tax.
	notInclusiveCredits = editions("us ca")
)

func editions(names string) map[string]bool {
	m := make(map[string]bool)
	for _, name := range strings.Fields(names) {
		m[name] = true
	}
	return m
}

// hasInclusiveCredits reports whether credit notes can include tax in their prices, as an invoice's can.
func (o *Organization) hasInclusiveCredits() bool { return !notInclusiveCredits[o.Edition] }

// treatment holds what an edition wants to know of a buyer; the fields of other editions are empty.
type treatment struct {
	gst, gstNo, vat, vatNo, tax, taxRegNo, placeOfSupply string
}

// treatmentOf fills the edition's fields from the event. Where the event says no treatment, India's and the United
// Kingdom's follow from the tax number and the country.
func treatmentOf(p *schemas.Party, placeOfSupply string, org *Organization) treatment {
	var t treatment
	number := taxNumber(p.TaxNumber)
	said := clean(p.TaxTreatment, maxName)
	country := countryOf(p)
	switch {
	case inGST[org.Edition]:
		t.gst, t.gstNo = said, number
		if said == "" {
			switch {
			case number != "":
				t.gst = "business_gst"
			case country != "" && country != "IN":
				t.gst = "overseas"
			default:
				t.gst = "consumer"
			}
		}
	case inVAT[org.Edition]:
		t.vat, t.vatNo = said, number
		if said == "" && country != "" {
			t.vat = "uk"
			if country != "GB" {
				t.vat = "overseas"
			}
		}
	case inTaxTreatment[org.Edition]:
		t.tax, t.taxRegNo = said, number
	}
	if inPlaceOfSupply[org.Edition] {
		t.placeOfSupply = clean(placeOfSupply, maxName)
	}
	return t
}

// taxNumber writes a tax number without blanks and in upper case, as the registers do.
func taxNumber(s string) string {
	return strings.ToUpper(strings.ReplaceAll(clean(s, maxName), " ", ""))
}

// countryOf is the buyer's country in upper case: of the billing address, else of the shipping address.
func countryOf(p *schemas.Party) string {
	for _, a := range []*schemas.Address{p.BillingAddress, p.ShippingAddress} {
		if a != nil && a.Country != "" {
			return strings.ToUpper(clean(a.Country, maxName))
		}
	}
	return ""
}
