package setup

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/booksync/booksync/connectors/zohobooks"
)

// The proposal is a mapping of the taxes that the configuration doesn't map yet, as YAML to paste. Codes are made from the
// taxes' names: they are to be what the shop's events say.

// proposedTax is one entry of it.
type proposedTax struct {
	code, id, exemption, rate, supply, authority, remark string
	components                                           []zohobooks.Tax
}

// propose makes the proposal for taxes that no code is mapped to, and says what each of them is.
func (l *look) propose(ctx context.Context, found map[string]zohobooks.Tax) {
	mapped := map[string]bool{}
	for _, t := range l.cfg.Taxes {
		mapped[t.TaxID], mapped[t.ExemptionID] = true, true
	}
	var open []zohobooks.Tax
	for _, t := range found {
		if !mapped[t.TaxID] && (t.Status == "" || strings.EqualFold(t.Status, "active")) {
			open = append(open, t)
		}
	}
	slices.SortFunc(open, func(a, b zohobooks.Tax) int { return strings.Compare(a.Name+a.TaxID, b.Name+b.TaxID) })
	edition := editionOf(l.org.CountryCode)
	var taxes []proposedTax
	for _, t := range open {
		l.say("taxes", t.Name, Note, fmt.Sprintf("%s %%, %s, id %s: no code is mapped to it", t.Percentage, strings.ReplaceAll(t.Type, "_", " "), t.TaxID), "")
		p := proposedTax{code: slug(t.Name), id: t.TaxID, rate: t.Percentage.String(), remark: t.Name}
		if t.Type == "tax_group" {
			group, err := l.books.TaxGroup(ctx, t.TaxID)
			if err != nil {
				l.failed("tax groups", err)
				return
			}
			p.components = group
		}
		if edition == "us" {
			p.authority = t.AuthorityID
		}
		if edition == "in" {
			var whole bool
			if whole, p = indian(p, t); !whole {
				continue // a component is used by its group
			}
		}
		taxes = append(taxes, p)
	}
	exemptions := l.exemptions(ctx, edition, mapped)
	for _, e := range exemptions {
		if e.customer {
			continue
		}
		taxes = append(taxes, proposedTax{code: slug(e.code), exemption: e.id, remark: "exemption " + e.code})
	}
	if len(taxes) > 0 || len(exemptions) > 0 {
		l.report.propose(l.name, l.proposal(edition, taxes, exemptions))
	}
}

// indian gives a tax of India the code that both of a rate share, by place of supply; whole is false of a component.
func indian(p proposedTax, t zohobooks.Tax) (whole bool, _ proposedTax) {
	kinds := []string{t.SpecificType}
	for _, c := range p.components {
		kinds = append(kinds, c.SpecificType)
	}
	code := "gst" + p.rate
	switch {
	case slices.Contains(kinds, "igst"):
		p.code, p.supply = code+"@inter", "inter"
	case len(p.components) > 0 && (slices.Contains(kinds, "cgst") || slices.Contains(kinds, "sgst")):
		p.code, p.supply = code+"@intra", "intra"
	case slices.Contains([]string{"cgst", "sgst", "utgst"}, t.SpecificType):
		return false, p
	}
	return true, p
}

// exemption is one that Zoho has, of customers or of items.
type exemption struct {
	id, code string
	customer bool
}

// exemptions are those that nothing is mapped to; only some editions have them.
func (l *look) exemptions(ctx context.Context, edition string, mapped map[string]bool) []exemption {
	if !slices.Contains([]string{"us", "in", "ca", "au"}, edition) {
		return nil
	}
	all, err := l.books.TaxExemptions(ctx)
	if err != nil {
		l.say("taxes", "exemptions", Note, "not looked at: "+err.Error(), "")
		return nil
	}
	for _, id := range l.cfg.Exemptions {
		mapped[id] = true
	}
	var open []exemption
	for _, e := range all {
		customer := e.Type == "customer"
		if mapped[e.ID] || customer && edition == "in" || !customer && edition != "us" && edition != "in" {
			continue // not to be sent in this edition
		}
		open = append(open, exemption{e.ID, e.Code, customer})
	}
	return open
}

// proposal writes the YAML.
func (l *look) proposal(edition string, taxes []proposedTax, exemptions []exemption) string {
	var b strings.Builder
	fmt.Fprintf(&b, "organizations:\n  %q:\n", l.name)
	if l.cfg.Edition != edition {
		fmt.Fprintf(&b, "    edition: %s\n", edition)
	}
	if l.cfg.State == "" && slices.ContainsFunc(taxes, func(t proposedTax) bool { return t.supply != "" }) {
		b.WriteString("    state: \"\" # fill in where the organisation is registered: by it a supply is @intra or @inter\n")
	}
	if len(taxes) > 0 {
		b.WriteString("    taxes:\n")
	}
	used := map[string]bool{}
	for code := range l.cfg.Taxes {
		used[code] = true
	}
	for _, t := range taxes {
		for n, plain := 2, t.code; used[t.code]; n++ {
			t.code = fmt.Sprintf("%s-%d", plain, n)
		}
		used[t.code] = true
		fmt.Fprintf(&b, "      %q: {%s} # %s\n", t.code, t.fields(), oneLine(t.remark))
	}
	first := true
	for _, e := range exemptions {
		if !e.customer {
			continue
		}
		if first {
			b.WriteString("    exemptions: # by customer.tax_treatment\n")
			first = false
		}
		fmt.Fprintf(&b, "      %q: %q\n", slug(e.code), e.id)
	}
	return b.String()
}

func (t proposedTax) fields() string {
	if t.exemption != "" {
		return fmt.Sprintf("exemption_id: %q", t.exemption)
	}
	out := fmt.Sprintf("tax_id: %q, rate: %s", t.id, t.rate)
	if t.supply != "" {
		out += ", supply: " + t.supply
	}
	if t.authority != "" {
		out += fmt.Sprintf(", authority_id: %q", t.authority)
	}
	if len(t.components) > 0 {
		var parts []string
		for _, c := range t.components {
			parts = append(parts, fmt.Sprintf("{name: %q, rate: %s}", c.Name, c.Percentage))
		}
		out += ", components: [" + strings.Join(parts, ", ") + "]"
	}
	return out
}

// slug makes a code of a name: lower case, what is neither letter nor digit a dash.
func slug(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '.':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	if code := strings.Trim(b.String(), "-"); code != "" {
		return code
	}
	return "tax"
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// propose keeps an organisation's proposal.
func (r *Report) propose(organization, text string) {
	if r.Proposals == nil {
		r.Proposals = map[string]string{}
	}
	r.Proposals[organization] = text
}
