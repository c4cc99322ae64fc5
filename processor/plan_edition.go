package processor

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/booksync/booksync/connectors/zohobooks"
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
	inReverseCharge   = editions("za")
	inTaxAuthority    = editions("us")
	inTreatmentCode   = editions("gcc")
	inLegalName       = editions("mx")
	// inContactExemption lists the editions whose contacts are exempt by themselves; India's have a GST treatment instead.
	inContactExemption = editions("us ca au")
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

// homeCountry is the country the organisation is registered in: Zoho's, else the edition's.
func (o *Organization) homeCountry() string {
	if o.Country != "" {
		return o.Country
	}
	return editionCountry[o.Edition]
}

// Home is where an organisation is registered, as Zoho codes it, from what is configured: countries and states are taken by
// code or name; without a country it's the edition's. A state without either has to wait for what Zoho says.
func Home(edition, country, stateName string) (homeCountry, homeState string, err error) {
	if homeCountry = editionCountry[edition]; country != "" {
		if homeCountry = countryCode(country); homeCountry == "" {
			return "", "", fmt.Errorf("%q is not a country", country)
		}
	}
	if stateName == "" || homeCountry == "" {
		return homeCountry, "", nil
	}
	s, ok := stateOf(homeCountry, stateName)
	if !ok {
		return "", "", fmt.Errorf("%q is not a state that is known of the country %q", stateName, homeCountry)
	}
	return homeCountry, s.code, nil
}

var editionCountry = map[string]string{"us": "US", "uk": "GB", "in": "IN", "au": "AU", "ca": "CA", "za": "ZA", "ke": "KE", "mx": "MX"}

// gccMembers are the countries of the Gulf Cooperation Council; Zoho has one edition for them.
var gccMembers = editions("AE SA BH OM KW QA")

// treatments are the values that an edition knows of the one field that says what a buyer is for its tax. From Zoho's
// OpenAPI files.
var treatments = map[string][]string{
	"in":  {"business_gst", "business_none", "overseas", "consumer"},
	"uk":  {"uk", "eu_vat_registered", "overseas", "eu_vat_not_registered", "non_eu"},
	"gcc": {"vat_registered", "vat_not_registered", "gcc_vat_registered", "gcc_vat_not_registered", "non_gcc", "dz_vat_registered", "dz_vat_not_registered"},
	"mx":  {"home_country_mexico", "border_region_mexico", "non_mexico"},
	"ke":  {"vat_registered", "vat_not_registered", "non_kenya"},
	"za":  {"vat_registered", "vat_not_registered", "overseas"},
}

// registered are the treatments of buyers who have a tax number that the edition checks; they need one.
var registered = map[string]map[string]bool{
	"in":  editions("business_gst"),
	"uk":  editions("eu_vat_registered"),
	"gcc": editions("vat_registered gcc_vat_registered dz_vat_registered"),
	"ke":  editions("vat_registered"),
	"za":  editions("vat_registered"),
}

// numberForms are how a tax number looks in an edition; the lengths are those of Zoho's OpenAPI files.
var numberForms = map[string]*regexp.Regexp{
	"in":  regexp.MustCompile(`^[0-9]{2}[A-Z0-9]{13}$`),
	"uk":  regexp.MustCompile(`^[A-Z0-9]{2,12}$`),
	"gcc": regexp.MustCompile(`^[0-9]{15}$`),
	"ke":  regexp.MustCompile(`^[A-Z][0-9]{9}[A-Z]$`),
	"za":  regexp.MustCompile(`^[0-9]{10}$`),
	"mx":  regexp.MustCompile(`^[A-Z&\x{00D1}]{3,4}[0-9]{6}[A-Z0-9]{3}$`),
}

// treatment holds what an edition wants to know of a buyer; the fields of other editions are empty.
type treatment struct {
	gst, gstNo, vat, vatNo, tax, taxRegNo string
	exemption                             string // exempt from tax for this reason
}

// said is the treatment's value, in whichever field the edition has it, and its tax number.
func (t treatment) said() (value, number string) {
	return t.gst + t.vat + t.tax, t.gstNo + t.vatNo + t.taxRegNo
}

// treatmentOf fills the edition's fields from the event. Where the event says no treatment it follows from the tax number
// and the country.
func treatmentOf(p *schemas.Party, org *Organization) treatment {
	var t treatment
	number := taxNumber(p.TaxNumber)
	said := strings.ToLower(clean(p.TaxTreatment, maxName))
	country, home := countryOf(p), org.homeCountry()
	abroad := country != "" && home != "" && country != home
	switch {
	case inGST[org.Edition]:
		t.gst, t.gstNo = said, number
		if said == "" {
			switch {
			case abroad:
				t.gst, t.gstNo = "overseas", ""
			case number != "":
				t.gst = "business_gst"
			case clean(p.Company, maxCompany) != "":
				t.gst = "business_none"
			default:
				t.gst = "consumer"
			}
		}
		if t.gst != "business_gst" {
			t.gstNo = "" // Zoho takes a GSTIN of registered buyers only
		}
	case inVAT[org.Edition]:
		t.vat, t.vatNo = said, vatNumber(number)
		if said == "" && country != "" {
			t.vat = "uk"
			if abroad {
				t.vat = "overseas"
			}
		}
	case inTaxTreatment[org.Edition]:
		t.tax, t.taxRegNo = said, number
		if said == "" && country != "" {
			t.tax = derivedTreatment(org.Edition, country, home, number != "")
		}
		if known := registered[org.Edition]; known != nil && !known[t.tax] {
			t.taxRegNo = ""
		}
	case inContactExemption[org.Edition]:
		t.exemption = org.Exemptions[said]
	}
	return t
}

// derivedTreatment is what a buyer is by country and by having a tax number.
func derivedTreatment(edition, country, home string, numbered bool) string {
	kind := "vat_not_registered"
	if numbered {
		kind = "vat_registered"
	}
	switch {
	case edition == "gcc" && !gccMembers[country]:
		return "non_gcc"
	case edition == "gcc" && home == "":
		return "" // which of the members is the organisation's is not known
	case edition == "gcc" && country != home:
		return "gcc_" + kind
	case edition == "mx" && country != home:
		return "non_mexico"
	case edition == "mx":
		return "home_country_mexico"
	case edition == "ke" && country != home:
		return "non_kenya"
	case edition == "za" && country != home:
		return "overseas"
	}
	return kind
}

// checkBuyer: the buyer's tax treatment is one of the edition's, and the tax number looks as the register writes it. Zoho
// would refuse the contact.
func checkBuyer(p *schemas.Party, org *Organization) *Rejection {
	said := strings.ToLower(clean(p.TaxTreatment, maxName))
	known := treatments[org.Edition]
	switch {
	case said == "":
	case known != nil && !slices.Contains(known, said):
		return reject(classTax, "customer.tax_treatment is %q, which Zoho's %s edition does not know: send one of %s, or none", said, org.Edition,
			strings.Join(known, ", "))
	case inContactExemption[org.Edition] && said != taxable && org.Exemptions[said] == "":
		return reject(classTax, "customer.tax_treatment %q is no exemption that is mapped: add it to the organisation's exemptions, or send %q, then "+
			"replay", said, taxable)
	}
	t := treatmentOf(p, org)
	value, number := t.said()
	if registered[org.Edition][value] && number == "" {
		return reject(classTax, "the customer is %s, which needs a tax number: customer.tax_number is empty", value)
	}
	if form := numberForms[org.Edition]; form != nil && number != "" && !form.MatchString(number) {
		return reject(classTax, "customer.tax_number %q is not how Zoho's %s edition takes one of a customer who is %s (%s): correct it at the "+
			"producer, then replay", number, org.Edition, value, form)
	}
	return nil
}

// taxable is the tax_treatment of a customer without an exemption in the editions that have exemptions instead of treatments.
const taxable = "taxable"

// supply is where an order is supplied to, as far as its tax depends on it.
type supply struct {
	place
	// relation to the organisation's own place: intra (the same state), inter (another one of the country), export (abroad);
	// "" where it's not known.
	relation string
	// suffixes are what codes of taxes may have behind them for this place, the most exact first.
	suffixes []string
}

// supplyOf is the order's place of supply: the event's, else where the goods go, else where the buyer is billed.
func supplyOf(o *schemas.Order, org *Organization) supply {
	home := org.homeCountry()
	at, ok := readPlace(clean(o.PlaceOfSupply, maxName), home)
	for _, a := range []*schemas.Address{o.Customer.ShippingAddress, o.Customer.BillingAddress} {
		if !ok && a != nil {
			at = placeOf(a)
			ok = at.country != ""
		}
	}
	s := supply{place: at}
	switch {
	case at.country == "" || home == "":
	case at.country != home:
		s.relation = relationExport
	case at.state == "" || org.State == "":
	case at.state == org.State:
		s.relation = relationIntra
	default:
		s.relation = relationInter
	}
	s.setSuffixes(home)
	return s
}

const (
	relationIntra  = "intra"
	relationInter  = "inter"
	relationExport = "export"
)

// code is how the edition writes the place of supply: India's states, the emirates and the countries of the Gulf. A supply
// to elsewhere has none.
func (s supply) code(edition string) string {
	switch {
	case edition == "in" && s.country == "IN":
		return s.state
	case edition == "gcc":
		return gccCode(s.place)
	}
	return ""
}

// gccCode is an emirate's code, else that of a country of the Gulf.
func gccCode(p place) string {
	switch {
	case !gccMembers[p.country]:
		return ""
	case p.country == "AE" && p.state != "":
		return p.state
	}
	return p.country
}

// suffixes are how the mapping names this place, the most exact first.
func (s *supply) setSuffixes(home string) {
	var out []string
	if s.state != "" {
		out = append(out, "@"+s.country+"-"+s.state)
		if s.country == home {
			out = append(out, "@"+s.state)
		}
	}
	if s.country != "" {
		out = append(out, "@"+s.country)
	}
	if s.relation != "" {
		out = append(out, "@"+s.relation)
	}
	s.suffixes = append(out, "")
}

// String names the place in messages.
func (s supply) String() string {
	switch {
	case s.country == "":
		return "an unknown place"
	case s.state == "":
		return s.country
	}
	return s.country + "-" + s.state
}

// editionFields sets what one edition alone has of an invoice's request.
func (s *sheet) editionFields(req *zohobooks.InvoiceRequest, t treatment) {
	edition := s.org.Edition
	reverse, authority, authorities := false, "", 0
	for i := range s.lines {
		tax := &s.lines[i].tax
		reverse = reverse || tax.ReverseCharge
		if tax.AuthorityID != "" && tax.AuthorityID != authority {
			authority = tax.AuthorityID
			authorities++
		}
	}
	if inReverseCharge[edition] && t.tax == "vat_registered" {
		req.ReverseCharge = &reverse
	}
	if inTaxAuthority[edition] && authorities == 1 {
		req.TaxAuthorityID = authority
	}
	if number := taxNumber(s.order.Customer.TaxNumber); reverse && number != "" && !hasNumberField(edition) {
		// An invoice under reverse charge names the buyer's number (Directive 2006/112/EC, article 226 point 4).
		req.Notes = cleanLines(strings.TrimSpace(req.Notes+"\nReverse charge: customer's tax number "+number), maxNotes)
	}
}

// hasNumberField reports whether the edition's contacts have a field for a tax number.
func hasNumberField(edition string) bool {
	return inGST[edition] || inVAT[edition] || inTaxTreatment[edition]
}

// taxNumber writes a tax number without blanks and punctuation and in upper case, as the registers do.
func taxNumber(s string) string {
	return strings.ToUpper(strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' || r == '.' || r == '/' {
			return -1
		}
		return r
	}, clean(s, maxName)))
}

// vatNumber leaves the country's prefix out where Zoho's 12 characters don't hold it.
func vatNumber(number string) string {
	if len(number) > maxVATNumber && countryCode(number[:2]) != "" {
		return number[2:]
	}
	return number
}

// maxVATNumber is the longest vat_reg_no that Zoho takes.
const maxVATNumber = 12

// countryOf is the buyer's country: of the billing address, else of the shipping address.
func countryOf(p *schemas.Party) string {
	for _, a := range []*schemas.Address{p.BillingAddress, p.ShippingAddress} {
		if a != nil {
			if code := countryCode(a.Country); code != "" {
				return code
			}
		}
	}
	return ""
}
