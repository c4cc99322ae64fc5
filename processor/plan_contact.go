package processor

import (
	"strings"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/schemas"
)

// planContact plans the contact of a customer in one currency; Zoho fixes a contact's currency, so another currency means
// another contact. The same party always gives the same plan. The request carries the key but no origin: a contact comes
// from the first of many events.
func planContact(p *schemas.Party, currency string, org *Organization) contactPlan {
	email, key := emailOf(p.Email), contactKey(p, currency)
	t := treatmentOf(p, "", org)
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
		ContactPersons:  contactPersons(p, email),
		CustomFields:    customFields(org.Fields.Contact, key, ""),
	}
	if req.CompanyName != "" || taxNumber(p.TaxNumber) != "" {
		req.CustomerSubType = "business"
	}
	if country := countryOf(p); inCountryCode[org.Edition] && len(country) == 2 {
		req.CountryCode = country
	}
	return contactPlan{Key: key, Request: req}
}

// contactKey is the same for the same customer in the same currency.
func contactKey(p *schemas.Party, currency string) string {
	if p.ID != "" {
		return "customer:" + p.ID + ":" + currency
	}
	return "email:" + emailOf(p.Email) + ":" + currency
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
func contactPersons(p *schemas.Party, email string) []zohobooks.ContactPerson {
	person := zohobooks.ContactPerson{Email: email, Phone: phoneOf(p.Phone), Primary: true}
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

// phoneOf keeps what a phone number is written with.
func phoneOf(s string) string {
	return clean(strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9', strings.ContainsRune("+-() ./x", r):
			return r
		case r >= 'A' && r <= 'Z': // numbers spelled as words
			return r
		}
		return ' '
	}, s), maxPhone)
}

// placeOfContact is the Indian state of the billing address, where the event has its two-letter code.
func placeOfContact(p *schemas.Party, org *Organization) string {
	if !inGST[org.Edition] || p.BillingAddress == nil || countryOf(p) != "IN" {
		return ""
	}
	state := strings.ToUpper(clean(p.BillingAddress.State, maxName))
	if len(state) != 2 {
		return ""
	}
	return state
}

func planAddress(a *schemas.Address) *zohobooks.Address {
	if a == nil {
		return nil
	}
	addr := &zohobooks.Address{
		Attention: clean(a.Attention, maxName), Address: clean(a.Line1, maxStreet), Street2: clean(a.Line2, maxStreet2),
		City: clean(a.City, maxName), State: clean(a.State, maxName), Zip: clean(a.PostalCode, maxZip),
		Country: clean(a.Country, maxName), Phone: phoneOf(a.Phone),
	}
	if *addr == (zohobooks.Address{}) {
		return nil
	}
	return addr
}
