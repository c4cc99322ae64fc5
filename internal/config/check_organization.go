package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // organisations' time zones, also in an image without them

	"github.com/shopspring/decimal"
)

// lineKinds are the kinds of lines that events have.
var lineKinds = []string{"GOODS", "SERVICE", "SHIPPING", "FEE", "TIP", "GIFT_CARD", "ROUNDING"}

// check looks at one organisation's mapping.
func (o *Organization) check(p *problems, path string, c *Config) {
	name := strings.TrimPrefix(path, "organizations.")
	if len(name) > 100 || strings.ContainsAny(name, "{}:/\n\r\t ") {
		p.add(path, "", "it is part of Redis keys and metric labels", "an organisation's name must not be long or contain { } : / or blanks")
	}
	if o.ID != "" && strings.Trim(o.ID, "0123456789") != "" {
		p.add(path+".id", "", "it is Zoho's organization_id", "%q is not made of digits", clip(o.ID))
	}
	c.checkBase(p, path+".api_base", o.APIBase)
	c.checkBase(p, path+".accounts_base", o.AccountsBase)
	if o.TimeZone != "" {
		if _, err := loadLocation(o.TimeZone); err != nil {
			p.add(path+".time_zone", "", "use a name such as Europe/Berlin", "%q is not a known time zone", clip(o.TimeZone))
		}
	}
	if o.BaseCurrency != "" && !isCurrency(o.BaseCurrency) {
		p.add(path+".base_currency", "", "", "%q is not an ISO 4217 code", clip(o.BaseCurrency))
	}
	o.checkWorkflows(p, path)
	o.checkTaxes(p, path)
	o.checkAccounts(p, path)
	for _, f := range []struct {
		at     string
		fields EntityFields
	}{{"contact", o.Fields.Contact}, {"invoice", o.Fields.Invoice}, {"payment", o.Fields.Payment}, {"credit_note", o.Fields.CreditNote}} {
		at := path + ".fields." + f.at
		checkFieldName(p, at+".key", f.fields.Key)
		checkFieldName(p, at+".origin", f.fields.Origin)
		if f.fields.Key != "" && f.fields.Key == f.fields.Origin {
			p.add(at, "", "", "key and origin are the same field")
		}
	}
	if o.RoundOff != "none" && o.RoundOff != "" {
		if d, err := parseDecimal(o.RoundOff); err != nil || !d.IsPositive() {
			p.add(path+".round_off", "", "none, or the increment, such as 1 or 0.05", "%q is not a positive number", clip(o.RoundOff))
		}
	}
	if o.LockedUntil != "" {
		if _, err := time.Parse(time.DateOnly, o.LockedUntil); err != nil {
			p.add(path+".locked_until", "", "", "want a day as YYYY-MM-DD instead of %q", clip(o.LockedUntil))
		}
	}
}

// checkWorkflows: what waits for documents that shadow never writes would end as a dead letter.
func (o *Organization) checkWorkflows(p *problems, path string) {
	const shadow, on = "shadow", "on"
	w := o.Workflows
	if w.Payment == on && w.Order == shadow {
		p.add(path+".workflows.payment", "", "set it to shadow or off, or order to on", "payments wait for their orders' invoices, which shadow does not write")
	}
	if w.Refund == on && (w.Order == shadow || w.Payment == shadow) {
		p.add(path+".workflows.refund", "", "set it to shadow or off, or order and payment to on", "refunds wait for orders and payments, which shadow does not write")
	}
}

func (o *Organization) checkTaxes(p *problems, path string) {
	hundred := decimal.NewFromInt(100)
	rate := func(at string, d decimal.Decimal) {
		if d.IsNegative() || d.GreaterThan(hundred) {
			p.add(at, "", "it is in percent: 19 means 19 %", "%s is not a rate", clip(d.String()))
		}
	}
	for _, code := range slices.Sorted(maps.Keys(o.Taxes)) {
		t, at := o.Taxes[code], path+".taxes."+code
		if (t.TaxID == "") == (t.ExemptionID == "") {
			p.add(at, "", "", "needs either tax_id or exemption_id")
		}
		rate(at+".rate", t.Rate)
		sum := decimal.Zero
		for i, c := range t.Components {
			rate(fmt.Sprintf("%s.components[%d].rate", at, i), c.Rate)
			sum = sum.Add(c.Rate)
		}
		if len(t.Components) > 0 && !sum.Equal(t.Rate) {
			p.add(at+".rate", "", "a group's rate is the sum of its components", "%s, but its components add up to %s", clip(t.Rate.String()), clip(sum.String()))
		}
		if parts := strings.Split(code, "+"); len(parts) > 1 {
			if !slices.IsSorted(parts) {
				slices.Sort(parts)
				p.add(at, "", "write "+strings.Join(parts, "+"), "the codes of a combination must be sorted")
			}
			if len(t.Components) > 0 && len(t.Components) != len(parts) {
				p.add(at+".components", "", "", "%d components for %d codes", len(t.Components), len(parts))
			}
		}
	}
	if _, ok := o.Taxes[o.DefaultTax]; o.DefaultTax != "" && !ok {
		p.add(path+".default_tax", "", didYouMean(o.DefaultTax, slices.Collect(maps.Keys(o.Taxes))), "%q is not under taxes", clip(o.DefaultTax))
	}
}

func (o *Organization) checkAccounts(p *problems, path string) {
	for _, key := range slices.Sorted(maps.Keys(o.LineTargets)) {
		at := path + ".line_targets." + key
		kind, tax, withTax := strings.Cut(key, "/")
		if !slices.Contains(lineKinds, kind) {
			p.add(at, "", didYouMean(kind, slices.Clone(lineKinds)), "%q is not a kind of line", clip(kind))
		}
		if _, ok := o.Taxes[tax]; withTax && !ok {
			p.add(at, "", didYouMean(tax, slices.Collect(maps.Keys(o.Taxes))), "the tax code %q is not under taxes", clip(tax))
		}
		if t := o.LineTargets[key]; (t.ItemID == "") == (t.AccountID == "") {
			p.add(at, "", "", "needs either item_id or account_id")
		}
	}
	for _, key := range slices.Sorted(maps.Keys(o.Clearing)) {
		gateway, currency, ok := strings.Cut(key, "/")
		switch {
		case !ok || gateway == "" || !isCurrency(currency):
			p.add(path+".clearing."+key, "", "", "want gateway/CURRENCY as key, such as stripe/EUR")
		case gateway != strings.ToLower(strings.TrimSpace(gateway)):
			p.add(path+".clearing."+key, "", "write "+strings.ToLower(strings.TrimSpace(gateway))+"/"+currency, "gateways are compared in lower case")
		}
	}
	for _, m := range []struct {
		at     string
		values map[string]string
	}{{"items", o.Items}, {"clearing", o.Clearing}, {"payment_modes", o.PaymentModes}, {"locations", o.Locations}} {
		for _, key := range slices.Sorted(maps.Keys(m.values)) {
			if m.values[key] == "" {
				p.add(path+"."+m.at+"."+key, "", "", "empty")
			}
		}
	}
}

func checkFieldName(p *problems, path, name string) {
	ok := strings.HasPrefix(name, "cf_") && len(name) > len("cf_") && strings.IndexFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_')
	}) < 0
	if !ok {
		p.add(path, "", "Zoho shows it under Settings, Preferences, Custom Fields", "%q is not a custom field's API name (cf_...)", clip(name))
	}
}

func isCurrency(code string) bool {
	return len(code) == 3 && strings.IndexFunc(code, func(r rune) bool { return r < 'A' || r > 'Z' }) < 0
}

// loadLocation refuses the names that mean this machine's zone, or a file.
func loadLocation(name string) (*time.Location, error) {
	if name == "Local" || strings.ContainsAny(name, "\\.") {
		return nil, fmt.Errorf("not an IANA name")
	}
	return time.LoadLocation(name)
}
