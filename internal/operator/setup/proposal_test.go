package setup

import (
	"strings"
	"testing"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/internal/config"
)

// india is a company with GST at one rate, within the state and across states.
func india() *fakeBooks {
	b := company()
	b.org.CountryCode = "IN"
	part := func(id, name, kind string) zohobooks.Tax {
		return zohobooks.Tax{TaxID: id, Name: name, Percentage: amount("9"), Type: "tax", SpecificType: kind}
	}
	c, s := part("51", "CGST9", "cgst"), part("52", "SGST9", "sgst")
	b.taxes = append(b.taxes, c, s,
		zohobooks.Tax{TaxID: "53", Name: "GST18", Percentage: amount("18"), Type: "tax_group"},
		zohobooks.Tax{TaxID: "54", Name: "IGST18", Percentage: amount("18"), Type: "tax", SpecificType: "igst"},
		zohobooks.Tax{TaxID: "55", Name: "Zero # \"Rate\"", Percentage: amount("0"), Type: "tax"})
	b.groups = map[string][]zohobooks.Tax{"53": {c, s}}
	b.exemptions = []zohobooks.TaxExemption{{ID: "61", Code: "Export", Type: "item"}}
	return b
}

func TestUnmappedTaxesAreProposed(t *testing.T) {
	t.Parallel()
	r := look1(t, india(), Options{})
	text := r.Proposals["acme"]
	for _, want := range []string{
		`"gst18@intra": {tax_id: "53", rate: 18, supply: intra, components: [{name: "CGST9", rate: 9}, {name: "SGST9", rate: 9}]}`,
		`"gst18@inter": {tax_id: "54", rate: 18, supply: inter}`, `"zero-rate": {tax_id: "55", rate: 0}`, `"export": {exemption_id: "61"}`,
		"edition: in", "state: ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the proposal lacks %s:\n%s", want, text)
		}
	}
	if strings.Contains(text, `"51"`) || strings.Contains(text, `"11"`) {
		t.Errorf("components and mapped taxes are proposed:\n%s", text)
	}
	// It can be pasted as it is, but for the state, which only people know.
	pasted := strings.Replace(text, `state: ""`, `state: "Karnataka"`, 1)
	cfg, err := config.Parse([]byte(strings.Replace(pasted, `"acme":`, "\"acme\":\n    id: \"1\"", 1)))
	if err != nil {
		t.Fatalf("%v in\n%s", err, pasted)
	}
	if got := cfg.Organizations["acme"].Taxes["gst18@intra"]; got.TaxID != "53" || len(got.Components) != 2 || got.Supply != "intra" {
		t.Errorf("pasted: %+v", got)
	}
	var b strings.Builder
	if err := r.WriteText(&b); err != nil || !strings.Contains(b.String(), text) {
		t.Errorf("the printed report lacks the proposal: %v", err)
	}
}

func TestCustomersExemptionsAreProposedByTreatment(t *testing.T) {
	t.Parallel()
	b := company()
	b.org.CountryCode = "US"
	b.taxes = append(b.taxes, zohobooks.Tax{TaxID: "71", Name: "NY", Percentage: amount("8.875"), Type: "tax", AuthorityID: "81"})
	b.exemptions = []zohobooks.TaxExemption{{ID: "61", Code: "RESALE", Type: "customer"}, {ID: "62", Code: "FOOD", Type: "item"}}
	r := look1(t, b, Options{})
	text := r.Proposals["acme"]
	for _, want := range []string{`"ny": {tax_id: "71", rate: 8.875, authority_id: "81"}`, `"food": {exemption_id: "62"}`, `"resale": "61"`} {
		if !strings.Contains(text, want) {
			t.Errorf("the proposal lacks %s:\n%s", want, text)
		}
	}
}

func TestNothingIsProposedWhereAllIsMapped(t *testing.T) {
	t.Parallel()
	r := look1(t, company(), Options{})
	if len(r.Proposals) > 0 {
		t.Errorf("proposals: %v", r.Proposals)
	}
}
