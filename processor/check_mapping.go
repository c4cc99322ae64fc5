package processor

import (
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/processor/money"
	"github.com/booksync/booksync/schemas"
)

// mapTax finds the Zoho tax of the line's tax codes at the order's place of supply (accounting rule 7) and compares the
// rates.
func (s *sheet) mapTax(l *sheetLine) *Rejection {
	org := s.org
	if r := l.readTaxes(s); r != nil {
		return r
	}
	if len(l.taxes) == 0 {
		l.code = org.DefaultTax
		if l.code == "" {
			if org.TaxRequired {
				return reject(classTax, "line %s has no tax code and this edition wants one on every line: send a code (zero-rated, exempt and out of "+
					"scope are codes too) or configure a default", l.LineID)
			}
			return nil
		}
	} else if l.code = l.taxes[0].code; len(l.taxes) > 1 {
		codes := make([]string, len(l.taxes))
		for i, t := range l.taxes {
			codes[i] = t.code
		}
		slices.Sort(codes)
		l.code = strings.Join(codes, "+")
		if dup := slices.Compact(codes); len(dup) < len(l.taxes) {
			return reject(classTax, "line %s has the same tax code twice: %s", l.LineID, l.code)
		}
	}
	target, ok := org.taxAt(l.code, s.supply)
	if !ok {
		return s.unmapped(l)
	}
	l.tax = target
	rate := decimal.Zero
	for i := range l.taxes {
		t := &l.taxes[i]
		if t.rate.Sign() < 0 {
			found, known := componentRate(t.code, l.code, target, org, s.supply)
			if !known {
				return reject(classTax, "tax %q of line %s has no rate, in the event or in the mapping", t.code, l.LineID)
			}
			t.rate = found
		}
		rate = money.Add(rate, t.rate)
	}
	if !money.Equal(rate, target.Rate) && !(len(l.taxes) == 1 && rate.Equal(target.whole())) {
		return reject(classTax, "tax code %q of line %s is %s %% in the event and %s %% in Zoho: correct the mapping, or give the other rate "+
			"another code", l.code, l.LineID, rate, target.Rate)
	}
	l.compound(target)
	if l.rates = target.rates(); len(l.rates) > 0 {
		l.parts = target.parts(org)
	}
	return s.checkTarget(l)
}

// checkTarget: the tax fits the buyer and the place of supply.
func (s *sheet) checkTarget(l *sheetLine) *Rejection {
	buyer := &s.order.Customer
	if l.tax.ReverseCharge && taxNumber(buyer.TaxNumber) == "" {
		return reject(classTax, "tax code %q of line %s is a reverse charge, which needs the buyer's tax number: customer.tax_number is empty",
			l.code, l.LineID)
	}
	if l.tax.Supply != "" && s.supply.relation != "" && l.tax.Supply != s.supply.relation {
		return reject(classTax, "tax code %q of line %s is for %s supplies, but the order is supplied to %s, which is %s: correct the event at its "+
			"producer, or map the code for that place", l.code, l.LineID, supplyWords[l.tax.Supply], s.supply, supplyWords[s.supply.relation])
	}
	if l.tax.Rate.Sign() > 0 && inContactExemption[s.org.Edition] && treatmentOf(buyer, s.org).exemption != "" {
		return reject(classTax, "line %s has the tax %q, but the customer is exempt (%s): Zoho takes no tax from exempt customers", l.LineID, l.code,
			clean(buyer.TaxTreatment, maxName))
	}
	return nil
}

var supplyWords = map[string]string{relationIntra: "intra-state", relationInter: "inter-state", relationExport: "an export"}

// unmapped names the code, and the place where it would have to be mapped.
func (s *sheet) unmapped(l *sheetLine) *Rejection {
	if places := s.org.placesOf(l.code); len(places) > 0 {
		where := "send place_of_supply, or an address with country and state"
		if s.supply.country != "" {
			where = "map it for " + s.supply.String()
			if s.supply.relation != "" {
				where += " or " + l.code + "@" + s.supply.relation
			} else if s.org.State == "" {
				where += ", or set the organisation's state"
			}
		}
		return reject(classTax, "tax code %q of line %s is mapped at %s, but not for %s: %s, then replay", l.code, l.LineID,
			strings.Join(places, ", "), s.supply, where)
	}
	return reject(classTax, "tax code %q of line %s is not mapped: map it to a Zoho tax%s, then replay", l.code, l.LineID, groupHint(l.taxes))
}

// taxAt is what a code means at a place: the mapping that names the place most exactly.
func (o *Organization) taxAt(code string, at supply) (TaxTarget, bool) {
	for _, suffix := range at.suffixes {
		if key := code + suffix; key != "" {
			if t, ok := o.Taxes[key]; ok {
				return t, true
			}
		}
	}
	return TaxTarget{}, false
}

// placesOf are the places that a code is mapped at.
func (o *Organization) placesOf(code string) []string {
	var places []string
	for key := range o.Taxes {
		if base, at, ok := strings.Cut(key, "@"); ok && base == code {
			places = append(places, "@"+at)
		}
	}
	slices.Sort(places)
	return places
}

// codeOfRate is the code of a tax that the event gives by its rate only: the rate itself, where that's mapped, or "" for
// the place's own tax if it has this rate.
func (o *Organization) codeOfRate(rate decimal.Decimal, at supply) (string, bool) {
	code := rate.String() + "%"
	if _, ok := o.taxAt(code, at); ok {
		return code, true
	}
	if t, ok := o.taxAt("", at); ok && t.Rate.Equal(rate) {
		return "", true
	}
	return "", false
}

// readTaxes checks the line's taxes by themselves. A rate that the event doesn't say is -1 afterwards.
func (l *sheetLine) readTaxes(s *sheet) *Rejection {
	org, currency := s.org, s.currency
	for _, t := range l.Taxes {
		if t.CollectedBy == schemas.CollectedByMarketplace {
			return reject(classTax, "%s was collected by a marketplace: it must not reach the seller's tax account, and is not supported yet", l.taxName(t))
		}
		if l.amount.Sign() < 0 || !isAmount(t.Amount, currency) {
			if r := l.checkTaxAmount(l.taxName(t), t.Amount, currency); r != nil {
				return r
			}
		}
		st := sheetTax{code: t.Code, rate: unsaid, amount: t.Amount}
		if t.Rate.Valid {
			if !money.Sane(t.Rate.Decimal) || t.Rate.Decimal.Sign() < 0 || t.Rate.Decimal.Cmp(maxTaxRate) > 0 {
				return reject(classTax, "%s has a rate that no tax can have (percent: 19 means 19 %%)", l.taxName(t))
			}
			st.rate = t.Rate.Decimal
		}
		byRate, found := "", false
		if st.code == "" && st.rate.Sign() >= 0 {
			byRate, found = org.codeOfRate(st.rate, s.supply)
		}
		switch {
		case found:
			st.code = byRate
		case st.code == "":
			if st.code = org.DefaultTax; st.code == "" {
				if t.Amount.Sign() == 0 && st.rate.Sign() <= 0 && !org.TaxRequired {
					continue // no tax, said at length
				}
				return reject(classTax, "line %s has a tax of %s without a code%s: send the code, map the rate or the place, or configure a default",
					l.LineID, amountText(t.Amount, currency), rateHint(t, s.supply))
			}
		}
		l.taxes = append(l.taxes, st)
	}
	return nil
}

// unsaid is the rate of a tax whose rate the event doesn't say.
var unsaid = decimal.NewFromInt(-1)

func (l *sheetLine) taxName(t schemas.Tax) string { return "tax " + t.Code + " of line " + l.LineID }

// checkTaxAmount: exact, and of the line's own sign.
func (l *sheetLine) checkTaxAmount(name string, amount decimal.Decimal, currency string) *Rejection {
	if l.amount.Sign() >= 0 {
		return checkAmount(name, amount, currency)
	}
	if r := checkExact(name, amount, currency); r != nil {
		return r
	}
	if amount.Sign() > 0 {
		return reject(classTotals, "%s is %s, but the line takes back %s: its tax must not be positive", name, amountText(amount, currency),
			amountText(l.amount.Neg(), currency))
	}
	return nil
}

// maxTaxRate is far above any real one; it's there to refuse what is no rate.
var maxTaxRate = decimal.NewFromInt(1000)

func groupHint(taxes []sheetTax) string {
	if len(taxes) < 2 {
		return ""
	}
	return " group (several taxes on a line are one group, keyed by their codes joined with +)"
}

// rateHint says what a tax without a code could be mapped by.
func rateHint(t schemas.Tax, at supply) string {
	hint := ""
	if t.Rate.Valid {
		hint = ", of " + t.Rate.Decimal.String() + " %"
	}
	if at.country != "" {
		hint += " in " + at.String()
	}
	return hint
}

// componentRate is a tax's rate where the event doesn't say it: the mapping's, for one tax of several that of its own code
// or of the group's component by that name.
func componentRate(code, joined string, target TaxTarget, org *Organization, at supply) (decimal.Decimal, bool) {
	if code == joined {
		return target.Rate, true
	}
	if t, ok := org.taxAt(code, at); ok {
		return t.Rate, true
	}
	for _, c := range target.Components {
		if c.Name == code {
			return c.Rate, true
		}
	}
	return decimal.Zero, false
}

// rates are the percents that Zoho computes a line's tax with, one per component.
func (t *TaxTarget) rates() []decimal.Decimal {
	if t.TaxID == "" || t.Rate.Sign() == 0 {
		return nil
	}
	if len(t.Components) == 0 {
		return []decimal.Decimal{t.Rate}
	}
	rates := make([]decimal.Decimal, len(t.Components))
	for i, c := range t.Components {
		rates[i] = t.effective(c)
	}
	return rates
}

// parts name the taxes that rates are of, by their Zoho id where that's known, else by their name.
func (t *TaxTarget) parts(org *Organization) []string {
	if len(t.Components) == 0 {
		return []string{t.TaxID}
	}
	parts := make([]string, len(t.Components))
	for i, c := range t.Components {
		alone, ok := org.Taxes[c.Name]
		switch {
		case c.TaxID != "":
			parts[i] = c.TaxID
		case ok && len(alone.Components) == 0 && alone.TaxID != "" && alone.Rate.Equal(c.Rate):
			parts[i] = alone.TaxID
		default:
			parts[i] = "name " + c.Name
		}
	}
	return parts
}

// effective is what a component comes to of the untaxed amount, in percent: a compound tax is computed on that amount and
// the group's plain taxes together. 5 % on top of 10 % are 5.5 %.
func (t *TaxTarget) effective(c TaxComponent) decimal.Decimal {
	if !c.Compound {
		return c.Rate
	}
	under := hundred
	for _, o := range t.Components {
		if !o.Compound {
			under = under.Add(o.Rate)
		}
	}
	return c.Rate.Mul(under).Shift(-2)
}

// whole is what the target comes to of the untaxed amount, in percent: more than Rate where a component is compound.
func (t *TaxTarget) whole() decimal.Decimal {
	if len(t.Components) == 0 {
		return t.Rate
	}
	sum := decimal.Zero
	for _, c := range t.Components {
		sum = sum.Add(t.effective(c))
	}
	return sum
}

// compound makes the rates of the line's taxes what they come to. One tax for a whole group is the group's; else a tax is the
// component of its name, or one of its rate.
func (l *sheetLine) compound(target TaxTarget) {
	if len(l.taxes) == 1 {
		l.taxes[0].rate = target.whole()
		return
	}
	for i := range l.taxes {
		t := &l.taxes[i]
		at := slices.IndexFunc(target.Components, func(c TaxComponent) bool { return c.Name == t.code })
		if at < 0 {
			at = slices.IndexFunc(target.Components, func(c TaxComponent) bool { return c.Rate.Equal(t.rate) })
		}
		if at >= 0 {
			t.rate = target.effective(target.Components[at])
		}
	}
}

// mapTarget finds the item or account of the line (accounting rules 5, 6 and 12). Tips and gift cards go to targets of
// their own kind only: a gift card is a liability, whatever its SKU.
func (l *sheetLine) mapTarget(org *Organization) *Rejection {
	if l.SKU != "" && l.Kind != schemas.LineTip && l.Kind != schemas.LineGiftCard {
		if id := org.Items[l.SKU]; id != "" {
			l.target = LineTarget{ItemID: id}
			return nil
		}
	}
	if t, ok := org.lineTarget(string(l.Kind), l.code); ok {
		l.target = t
		return nil
	}
	sku := ""
	if l.SKU != "" {
		sku = " and its SKU \"" + l.SKU + "\" to no item"
	}
	return reject(classAccount, "line %s of kind %s is mapped to no item or account%s: map the kind%s, then replay", l.LineID, l.Kind, sku,
		kindHint(l.Kind))
}

func kindHint(kind schemas.LineKind) string {
	switch kind {
	case schemas.LineGiftCard:
		return " to a liability account"
	case schemas.LineTip:
		return " to the account for tips"
	}
	return ""
}

// lineTarget looks a target up by kind and tax code, then by kind.
func (o *Organization) lineTarget(kind, code string) (LineTarget, bool) {
	for _, key := range [2]string{kind + "/" + code, kind} {
		if t := o.LineTargets[key]; t != (LineTarget{}) {
			return t, true
		}
	}
	return LineTarget{}, false
}
