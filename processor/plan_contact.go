package processor

import (
	"strings"
	"time"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/text/unicode/norm"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/schemas"
)

// planContact plans the contact of a customer in one currency; Zoho fixes a contact's currency, so another currency means
// another contact. The same party always gives the same plan. The origin field says what was written, and as of when the
// event happened.
func planContact(p *schemas.Party, currency string, org *Organization, at time.Time) contactPlan {
	email := emailOf(p.Email)
	key := contactKey(p, currency)
	t := treatmentOf(p, org)
	req := &zohobooks.ContactRequest{
		ContactName:     contactName(p, email),
		CompanyName:     clean(p.Company, maxCompany),
		ContactType:     "customer",
		CustomerSubType: "individual",
		CurrencyID:      org.CurrencyIDs[currency],
		VATRegNo:        t.vatNo,
		VATTreatment:    t.vat,
		GSTNo:           t.gstNo,
		GSTTreatment:    t.gst,
		TaxRegNo:        t.taxRegNo,
		TaxTreatment:    t.tax,
		PlaceOfContact:  placeOfContact(p, org),
		BillingAddress:  planAddress(p.BillingAddress),
		ShippingAddress: planAddress(p.ShippingAddress),
		ContactPersons:  contactPersons(p, email, countryOf(p)),
	}
	if req.CompanyName != "" || taxNumber(p.TaxNumber) != "" {
		req.CustomerSubType = "business"
	}
	switch country := countryOf(p); {
	case org.Edition == "gcc":
		req.CountryCode = gccCode(place{country, placeOf(p.BillingAddress).state})
	case inCountryCode[org.Edition]:
		req.CountryCode = country
	}
	if inLegalName[org.Edition] {
		req.LegalName = contactName(p, email)
	}
	if t.exemption != "" {
		no := false
		req.IsTaxable, req.TaxExemptionID = &no, t.exemption
	}
	plan := contactPlan{Key: key, Request: req, At: unixMilli(at), Raw: rawHash(p)}
	req.CustomFields = customFields(org.Fields.Contact, key, contactOrigin(plan.sent(), plan.At))
	return plan
}

// contactKey identifies a contact: the customer's id, else the e-mail address and, so that two customers who share one are
// never merged, the tax number; and the currency.
func contactKey(p *schemas.Party, currency string) string {
	if p.ID != "" {
		return "customer:" + p.ID + ":" + currency
	}
	key := "email:" + emailOf(p.Email) + ":" + currency
	if number := taxNumber(p.TaxNumber); number != "" {
		key += ":" + number
	}
	return key
}

// suffixedName is the name of a contact whose own name another contact has: names are unique in Zoho. The suffix
// comes from the key, so the same contact always gets the same one.
func suffixedName(name, key string) string {
	suffix := " (" + hash(key, 8) + ")"
	return truncate(clean(name, maxName), maxName-len(suffix)) + suffix
}

func contactName(p *schemas.Party, email string) string {
	for _, s := range []string{p.Company, p.Name, email} {
		if s = clean(s, maxName); s != "" {
			return s
		}
	}
	return clean("Customer "+p.ID, maxName)
}

// contactPersons holds e-mail and phone: Zoho doesn't keep them on the contact itself.
func contactPersons(p *schemas.Party, email, country string) []zohobooks.ContactPerson {
	person := zohobooks.ContactPerson{Email: email, Phone: phoneOf(p.Phone, country), Primary: true}
	person.FirstName, person.LastName = splitName(clean(p.Name, 2*maxName))
	if person.Email == "" && person.Phone == "" && person.FirstName == "" {
		return nil
	}
	return []zohobooks.ContactPerson{person}
}

// splitName takes the last word as the last name.
func splitName(name string) (first, last string) {
	i := strings.LastIndexByte(name, ' ')
	if i < 0 {
		return truncate(name, maxName), ""
	}
	return truncate(name[:i], maxName), truncate(name[i+1:], maxName)
}

// emailOf writes an address in lower case; what can't be one is "".
func emailOf(s string) string {
	s = strings.ToLower(clean(s, 4*maxName))
	at := strings.LastIndexByte(s, '@')
	if at <= 0 || at == len(s)-1 || len(s) > maxName || strings.ContainsAny(s, " ,;<>\"") {
		return ""
	}
	return s
}

// phoneOf writes a phone number as it's dialled from abroad, +44 20 7946 0000: country is where a number without a country
// code is at home. What is no valid number keeps what a phone number is written with.
func phoneOf(s, country string) string {
	s = clean(strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9', strings.ContainsRune("+-() ./x", r):
			return r
		case r >= 'A' && r <= 'Z': // numbers spelled as words
			return r
		}
		return ' '
	}, norm.NFKC.String(s)), maxPhone)
	if s == "" {
		return ""
	}
	if n, err := phonenumbers.Parse(s, country); err == nil && phonenumbers.IsValidNumber(n) {
		extension := n.GetExtension()
		n.Extension = nil // Format would write it in words that this doesn't read again
		if extension != "" {
			extension = " x " + extension
		}
		return clean(phonenumbers.Format(n, phonenumbers.INTERNATIONAL)+extension, maxPhone)
	}
	return s
}

// placeOfContact is the Indian state of the billing address.
func placeOfContact(p *schemas.Party, org *Organization) string {
	if at := placeOf(p.BillingAddress); inGST[org.Edition] && at.country == "IN" {
		return at.state
	}
	return ""
}

// postalCode writes a postal code in upper case with single blanks.
func postalCode(s string) string { return strings.ToUpper(clean(s, maxZip)) }

func planAddress(a *schemas.Address) *zohobooks.Address {
	if a == nil {
		return nil
	}
	at := placeOf(a)
	addr := &zohobooks.Address{
		Attention: clean(a.Attention, maxName), Address: clean(a.Line1, maxStreet), Street2: clean(a.Line2, maxStreet2),
		City: clean(a.City, maxName), State: clean(a.State, maxName), Zip: postalCode(a.PostalCode),
		Country: clean(a.Country, maxName), Phone: phoneOf(a.Phone, at.country),
	}
	if at.country != "" {
		addr.Country = countryName(at.country)
	}
	if s, ok := stateOf(at.country, a.State); ok {
		addr.State, addr.StateCode = s.name, s.code
	}
	if *addr == (zohobooks.Address{}) {
		return nil
	}
	return addr
}
