package processor

import (
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
	"golang.org/x/text/unicode/norm"

	"github.com/booksync/booksync/schemas"
)

// place is a country (ISO 3166-1 alpha-2), and the state in it as Zoho codes it; "" where unknown.
type place struct{ country, state string }

// countries are found by code (alpha-2, alpha-3, numeric) and by name: in English and in the country's own language.
var countries = sync.OnceValue(func() map[string]string {
	names := display.English.Regions()
	found := make(map[string]string, 1000)
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			code := string([]rune{a, b})
			region, err := language.ParseRegion(code)
			if err != nil || !region.IsCountry() || region.Canonicalize() != region {
				continue
			}
			add := func(name string) {
				if key := bare(name); key != "" && found[key] == "" {
					found[key] = code
				}
			}
			add(code)
			add(region.ISO3())
			add(countryName(code))
			add(names.Name(region))
			if own, _ := language.Make("und-" + code).Base(); own.String() != "und" {
				if local := display.Regions(language.Make(own.String())); local != nil {
					add(local.Name(region))
				}
			}
		}
	}
	for name, code := range countryAliases {
		found[name] = code
	}
	return found
})

// countryAliases are names in use that no standard has, as bare writes them.
var countryAliases = map[string]string{
	"uk": "GB", "greatbritain": "GB", "england": "GB", "scotland": "GB", "wales": "GB", "northernireland": "GB", "el": "GR",
	"unitedstatesofamerica": "US", "america": "US", "uae": "AE", "ksa": "SA", "holland": "NL", "thenetherlands": "NL",
	"czechrepublic": "CZ", "russianfederation": "RU", "republicofkorea": "KR", "korea": "KR", "republicofireland": "IE",
	"burma": "MM", "ivorycoast": "CI", "macedonia": "MK", "swaziland": "SZ", "capeverde": "CV", "vietnam": "VN",
}

// countryNames are where people, and Zoho, write another name than the CLDR has.
var countryNames = map[string]string{
	"HK": "Hong Kong", "MO": "Macao", "MM": "Myanmar", "PS": "Palestine", "CD": "Democratic Republic of the Congo", "CG": "Congo",
}

// countryCode is the ISO 3166-1 alpha-2 code of a country given by code or name; "" when it's none.
func countryCode(s string) string {
	key := bare(s)
	if code := countries()[key]; code != "" {
		return code
	}
	if len(key) == 3 { // numeric
		if region, err := language.ParseRegion(key); err == nil && region.IsCountry() {
			return region.Canonicalize().String()
		}
	}
	return ""
}

// countryName is the English name of a country's code. Which spelling Zoho's own list has is UNCONFIRMED: it takes any text.
func countryName(code string) string {
	if name := countryNames[code]; name != "" {
		return name
	}
	region, err := language.ParseRegion(code)
	if err != nil {
		return ""
	}
	return display.English.Regions().Name(region)
}

// bare writes a name the way names are compared: letters and digits only, in lower case, without marks.
func bare(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, norm.NFD.String(s))
}

// state is one of the states that Zoho keeps codes for.
type state struct{ country, code, name string }

// states are found by country and Zoho's code, ISO 3166-2 code, tax register's number, or name: see subdivisions.
var states = sync.OnceValue(func() map[string]state {
	found := make(map[string]state, 1000)
	for line := range strings.Lines(subdivisions) {
		fields := strings.Split(strings.TrimSpace(line), "|")
		if len(fields) < 3 {
			continue
		}
		s := state{fields[0], fields[1], fields[2]}
		for _, other := range fields[1:] {
			if key := bare(other); key != "" {
				found[s.country+"/"+key] = s
				if len(other) <= 3 {
					found[s.country+"/"+bare(s.country)+key] = s // as ISO 3166-2 writes it: IN-KA
				}
			}
		}
	}
	return found
})

// stateOf finds a state of a country; ok is false where it's unknown or Zoho has no codes for the country's.
func stateOf(country, text string) (state, bool) {
	s, ok := states()[country+"/"+bare(text)]
	return s, ok
}

// placeOf is where an address is.
func placeOf(a *schemas.Address) place {
	if a == nil {
		return place{}
	}
	p := place{country: countryCode(a.Country)}
	if s, ok := stateOf(p.country, a.State); ok {
		p.state = s.code
	}
	return p
}

// readPlace reads a place of supply: a state of home ("KA", "Karnataka", "29"), a country, or both as ISO 3166-2 has it
// ("IN-KA").
func readPlace(text, home string) (place, bool) {
	if country, _, ok := strings.Cut(text, "-"); ok && len(country) == 2 {
		if s, ok := stateOf(strings.ToUpper(country), text); ok {
			return place{s.country, s.code}, true
		}
	}
	if s, ok := stateOf(home, text); ok {
		return place{home, s.code}, true
	}
	if code := countryCode(text); code != "" {
		return place{country: code}, true
	}
	return place{}, false
}
