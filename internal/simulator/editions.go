package simulator

import (
	"net/http"
	"slices"
	"strings"
)

// What an edition asks of its own fields, beyond which editions have them: the values it knows, and what a registered buyer
// must have. From the descriptions in Zoho's OpenAPI files; the codes of the refusals are UNCONFIRMED.

// treatmentFields are the fields that say what a buyer is, and the values that each edition knows.
var treatmentFields = []struct {
	edition, field string
	values         string
	number         string // the field that a registered buyer needs
	registered     string // the treatments of registered buyers
}{
	{"in", "gst_treatment", "business_gst business_none overseas consumer", "gst_no", "business_gst"},
	{"uk", "vat_treatment", "uk eu_vat_registered overseas eu_vat_not_registered non_eu", "vat_reg_no", "eu_vat_registered"},
	{"gcc", "tax_treatment", "vat_registered vat_not_registered gcc_vat_registered gcc_vat_not_registered non_gcc dz_vat_registered dz_vat_not_registered",
		"tax_reg_no", "vat_registered gcc_vat_registered dz_vat_registered"},
	{"mx", "tax_treatment", "home_country_mexico border_region_mexico non_mexico", "", ""},
	{"ke", "tax_treatment", "vat_registered vat_not_registered non_kenya", "tax_reg_no", "vat_registered"},
	{"za", "tax_treatment", "vat_registered vat_not_registered overseas", "tax_reg_no", "vat_registered"},
}

// placeCodes are the places of supply: India's states by Zoho's list of valid GST state codes, the emirates, and the Gulf.
var placeCodes = map[string]string{
	"in":  "AD AR AS BR CG DL GA GJ HR HP JK JH KA KL LD MP MH MN ML MZ NL OD PY PB RJ SK TN TS TR UP UK WB AN CH DN LA OT",
	"gcc": "AB AJ DU FU RA SH UM AE SA BH KW OM QA",
}

func has(words, word string) bool { return slices.Contains(strings.Fields(words), word) }

func extraOf(extra []pair, name string) string {
	for _, p := range extra {
		if p.name == name {
			return p.value
		}
	}
	return ""
}

// checkPlace refuses a code that the edition doesn't know; "" is none.
func checkPlace(edition, field, code string) *failure {
	if codes := placeCodes[edition]; code != "" && codes != "" && !has(codes, code) {
		return invalidValue(field)
	}
	return nil
}

// checkContactEdition checks what a contact says of itself.
func (b *books) checkContactEdition(n *contact) *failure {
	edition := b.org.Edition
	for _, t := range treatmentFields {
		said := extraOf(n.extra, t.field)
		switch {
		case t.edition != edition || said == "":
		case !has(t.values, said):
			return invalidValue(t.field)
		case has(t.registered, said) && extraOf(n.extra, t.number) == "":
			return missingValue(t.number)
		}
	}
	if f := checkPlace(edition, "place_of_contact", extraOf(n.extra, "place_of_contact")); f != nil {
		return f
	}
	if edition == "gcc" {
		return checkPlace(edition, "country_code", extraOf(n.extra, "country_code"))
	}
	return nil
}

// checkSaleEdition checks an invoice or credit note: its treatment, its place of supply, and that India's taxes are those of
// the place: CGST and SGST within the state, IGST to others.
func (b *books) checkSaleEdition(c *call, s *sale, entity string) *failure {
	edition := b.org.Edition
	for _, t := range treatmentFields {
		if said := extraOf(s.extra, t.field); t.edition == edition && said != "" && !has(t.values, said) {
			return invalidValue(t.field)
		}
	}
	place := extraOf(s.extra, "place_of_supply")
	if f := checkPlace(edition, "place_of_supply", place); f != nil {
		return f
	}
	if _, said := c.body.get("is_reverse_charge_applied"); edition == "za" && entity == EntityInvoice && !said &&
		extraOf(s.extra, "tax_treatment") == "vat_registered" {
		return missingValue("is_reverse_charge_applied")
	}
	if edition != "in" || b.org.State == "" || b.sim.cfg.Switches.AnyTaxAtAnyPlace {
		return nil
	}
	if place == "" {
		place = extraOf(s.customer.extra, "place_of_contact")
	}
	if place == "" {
		return nil
	}
	for i := range s.lines {
		if t := s.lines[i].tax; t != nil && !t.applies(place == b.org.State) {
			return refuse(http.StatusBadRequest, codeInvalidValue, "Invalid value passed for tax_id: "+t.Name+" does not apply to a supply to "+place)
		}
	}
	return nil
}

// applies says whether a tax applies to a supply within the state, or to others. Taxes of no Indian kind apply everywhere.
func (t *tax) applies(within bool) bool {
	for _, m := range append([]*tax{t}, t.group...) {
		switch m.Specific {
		case "igst":
			return !within
		case "cgst", "sgst", "utgst":
			return within
		}
	}
	return true
}
