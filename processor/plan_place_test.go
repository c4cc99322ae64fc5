package processor

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/schemas"
)

func TestCountriesByCodeAndName(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"DE": "DE", "de": "DE", "DEU": "DE", "276": "DE", "Germany": "DE", "Deutschland": "DE", "U.S.A.": "US", "United States of America": "US",
		"UK": "GB", "Great Britain": "GB", "EL": "GR", "Türkiye": "TR", "TURKEY": "TR", "Côte d'Ivoire": "CI", "cote d’ivoire": "CI", "España": "ES",
		"UAE": "AE", "الإمارات العربية المتحدة": "AE", "Hong Kong": "HK", "": "", "XX": "", "Atlantis": "", "EU": "", "001": "",
	} {
		if got := countryCode(given); got != want {
			t.Errorf("%q is %q, want %q", given, got, want)
		}
	}
	for code, want := range map[string]string{"DE": "Germany", "US": "United States", "HK": "Hong Kong", "AE": "United Arab Emirates"} {
		if got := countryName(code); got != want {
			t.Errorf("%s is called %q, want %q", code, got, want)
		}
	}
}

func TestStatesByCodeAndName(t *testing.T) {
	t.Parallel()
	seen := 0
	for line := range strings.Lines(subdivisions) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		fields := strings.Split(strings.TrimSpace(line), "|")
		if len(fields) < 3 || countryCode(fields[0]) != fields[0] {
			t.Errorf("line %q", line)
			continue
		}
		for _, name := range fields[1:] {
			if s, ok := stateOf(fields[0], name); !ok || s.code != fields[1] {
				t.Errorf("%s of %s is %+v, want %s", name, fields[0], s, fields[1])
			}
		}
		seen++
	}
	if seen != 165 {
		t.Errorf("%d states", seen)
	}
	for given, want := range map[string]string{
		"IN/orissa": "OD", "IN/IN-UT": "UK", "IN/36": "TS", "AE/dubai": "DU", "AE/AE-RK": "RA", "CA/québec": "QC", "MX/Nuevo Leon": "NLE",
		"AU/nsw": "NSW", "US/District of Columbia": "DC", "ZA/KwaZulu Natal": "KZN", "FR/Bretagne": "", "IN/NY": "",
	} {
		country, name, _ := strings.Cut(given, "/")
		if s, _ := stateOf(country, name); s.code != want {
			t.Errorf("%s is %q, want %q", given, s.code, want)
		}
	}
}

func TestPhoneNumbers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ given, country, want string }{
		{"+44 (0)20 7946-0000", "", "+44 20 7946 0000"},
		{"020 7946 0000", "GB", "+44 20 7946 0000"},
		{"(212) 555-0100", "US", "+1 212-555-0100"},
		{"٠٢٠ ٧٩٤٦ ٠٠٠٠", "GB", ""}, // digits that nobody in the books could dial
		{"1-800-FLOWERS", "US", "+1 800-356-9377"},
		{"98765 43210 x 5", "IN", "+91 98765 43210 x 5"},
		{"020 7946 0000", "", "020 7946 0000"},
		{"", "US", ""},
	} {
		got := phoneOf(tt.given, tt.country)
		if got != tt.want {
			t.Errorf("%q in %q is %q, want %q", tt.given, tt.country, got, tt.want)
		}
		if again := phoneOf(got, tt.country); again != got {
			t.Errorf("%q becomes %q when it's written again", got, again)
		}
	}
}

// The same customer, however a producer writes it, is the same contact.
func TestOneCustomerWrittenDifferentlyIsOneContact(t *testing.T) {
	t.Parallel()
	org := company(t, "in", "INR", "Asia/Kolkata")
	write := func(name, mail, phone, state, country, zip, number string) contactPlan {
		return planContact(&schemas.Party{
			ID: "C1", Name: name, Email: mail, Phone: phone, TaxNumber: number,
			BillingAddress: &schemas.Address{Line1: "12\u00a0MG  Road", City: "Bengaluru", State: state, Country: country, PostalCode: zip},
		}, "INR", org, time.Time{})
	}
	a := write("Zoe\u0308 Rao", "Zoe@Example.IN", "098765 43210", "KA", "IN", "560001", "29ABCDE1234F1Z5")
	b := write("  Zoë\u200b Rao\t", "zoe@example.in ", "+91 98765-43210", "karnataka", "India", " 560001 ", "29 abcde 1234 f1z5")
	if !reflect.DeepEqual(a.Request, b.Request) {
		t.Errorf("two contacts:\n%+v\n%+v", a.Request, b.Request)
	}
	want := zohobooks.Address{Address: "12 MG Road", City: "Bengaluru", State: "Karnataka", StateCode: "KA", Zip: "560001", Country: "India"}
	if *a.Request.BillingAddress != want || a.Request.PlaceOfContact != "KA" {
		t.Errorf("address %+v in %s", a.Request.BillingAddress, a.Request.PlaceOfContact)
	}
}

func TestCustomersWhoShareAnAddressAreNotMerged(t *testing.T) {
	t.Parallel()
	one := contactKey(&schemas.Party{Email: "info@example.com", TaxNumber: "DE 111"}, "EUR")
	other := contactKey(&schemas.Party{Email: "info@example.com", TaxNumber: "DE 222"}, "EUR")
	same := contactKey(&schemas.Party{Email: "Info@Example.com", TaxNumber: "de111"}, "EUR")
	if one == other || one != same {
		t.Errorf("keys %s, %s, %s", one, other, same)
	}
}
