package setup

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/booksync/booksync/connectors/zohobooks"
)

// mappedIDs are what the configuration of one organisation names in Zoho.
type mappedIDs struct{ taxes, accounts, items, fields map[string]bool }

func (r *run) mapped(name string) mappedIDs {
	o := r.cfg.Organizations[name]
	m := mappedIDs{map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}}
	for _, t := range o.Taxes {
		if t.TaxID != "" {
			m.taxes[t.TaxID] = true
		}
	}
	for _, id := range o.Items {
		m.items[id] = true
	}
	for _, t := range o.LineTargets {
		if t.ItemID != "" {
			m.items[t.ItemID] = true
		} else {
			m.accounts[t.AccountID] = true
		}
	}
	for _, id := range o.Clearing {
		m.accounts[id] = true
	}
	for _, id := range []string{o.DefaultClearing, o.FeeAccount} {
		if id != "" {
			m.accounts[id] = true
		}
	}
	for _, e := range entitiesOf(o.Fields) {
		m.fields[e.entity+"."+e.fields.Key], m.fields[e.entity+"."+e.fields.Origin] = true, true
	}
	return m
}

// taxes looks for every mapped tax and compares its rate: a wrong one rejects every order that uses it.
func (l *look) taxes(ctx context.Context) {
	found := map[string]zohobooks.Tax{}
	for t, err := range l.books.ListTaxes(ctx, nil) {
		if err != nil {
			l.failed("taxes", err)
			return
		}
		found[t.TaxID] = t
	}
	defer l.propose(ctx, found)
	if len(l.cfg.Taxes) == 0 {
		l.say("taxes", "mapping", Note, "no tax code is mapped: lines with a tax are rejected", "add organizations."+l.name+".taxes; Zoho has "+namesOf(found))
		return
	}
	for _, code := range slices.Sorted(maps.Keys(l.cfg.Taxes)) {
		want := l.cfg.Taxes[code]
		if want.TaxID == "" {
			l.say("taxes", code, Note, "exemption "+want.ExemptionID+": Zoho has no list of them to look at", "")
			continue
		}
		have, ok := found[want.TaxID]
		if !ok {
			l.say("taxes", code, Missing, "Zoho has no active tax "+want.TaxID, "it was deleted or made inactive; map one of "+namesOf(found))
			continue
		}
		l.facts.Taxes[have.TaxID] = TaxFacts{Name: have.Name, Rate: have.Percentage.String(), Type: have.Type}
		switch {
		case have.Status != "" && !strings.EqualFold(have.Status, "active"):
			l.say("taxes", code, Wrong, fmt.Sprintf("%q is %s", have.Name, have.Status), "make it active in Zoho, or map another")
		case !have.Percentage.Equal(want.Rate):
			l.say("taxes", code, Wrong, fmt.Sprintf("configured %s %%, %q in Zoho has %s %%", want.Rate, have.Name, have.Percentage), "correct the rate, or map another tax")
		case (have.Type == "tax_group") != (len(want.Components) > 0):
			l.say("taxes", code, Warning, fmt.Sprintf("%q is a %s, configured with %d components: each component is rounded by itself", have.Name, have.Type, len(want.Components)), "list a group's components, and only a group's")
		default:
			l.say("taxes", code, OK, fmt.Sprintf("%q, %s %%", have.Name, have.Percentage), "")
		}
	}
}

func namesOf(taxes map[string]zohobooks.Tax) string {
	if len(taxes) == 0 {
		return "none"
	}
	const most = 8
	var out []string
	for _, id := range slices.Sorted(maps.Keys(taxes)) {
		if len(out) == most {
			out = append(out, "...")
			break
		}
		out = append(out, fmt.Sprintf("%s (%s, %s %%)", id, taxes[id].Name, taxes[id].Percentage))
	}
	return strings.Join(out, ", ")
}

// use is what an account is mapped for.
type use struct{ setting, id, currency, kinds string }

// uses lists every mapped account. kinds are the account types that make sense; another type is a warning.
func (l *look) uses() []use {
	const (
		money   = "bank cash payment_clearing other_current_asset undeposited_funds"
		income  = "income other_income sales"
		expense = "expense other_expense cost_of_goods_sold"
	)
	var out []use
	for _, key := range slices.Sorted(maps.Keys(l.cfg.Clearing)) {
		_, currency, _ := strings.Cut(key, "/")
		out = append(out, use{"clearing." + key, l.cfg.Clearing[key], currency, money})
	}
	if id := l.cfg.DefaultClearing; id != "" {
		out = append(out, use{"default_clearing", id, "", money})
	}
	if id := l.cfg.FeeAccount; id != "" {
		out = append(out, use{"fee_account", id, "", expense})
	}
	for _, key := range slices.Sorted(maps.Keys(l.cfg.LineTargets)) {
		t := l.cfg.LineTargets[key]
		if t.AccountID == "" {
			continue
		}
		kinds := income
		if k, _, _ := strings.Cut(key, "/"); k == "GIFT_CARD" || k == "TIP" || k == "ROUNDING" {
			kinds = "" // a liability, what the company decided, an expense or income
		}
		out = append(out, use{"line_targets." + key, t.AccountID, "", kinds})
	}
	return out
}

// accounts looks for every mapped account, its state, its currency and its type.
func (l *look) accounts(ctx context.Context) {
	found := map[string]zohobooks.Account{}
	// The bank's own list comes last: it knows the currency.
	for _, list := range []iter.Seq2[zohobooks.Account, error]{l.books.ListAccounts(ctx, nil), l.books.ListBankAccounts(ctx, nil)} {
		for a, err := range list {
			if err != nil {
				l.failed("accounts", err)
				return
			}
			found[a.AccountID] = a
		}
	}
	uses := l.uses()
	if len(l.cfg.Clearing) == 0 && l.cfg.DefaultClearing == "" {
		l.say("accounts", "clearing", Note, "no clearing account is mapped: payments and refunds are rejected", "add organizations."+l.name+".clearing")
	}
	for _, u := range uses {
		a, ok := found[u.id]
		if !ok {
			l.say("accounts", u.setting, Missing, "Zoho has no account "+u.id, "it was deleted; map another")
			continue
		}
		l.facts.Accounts[a.AccountID] = AccountFacts{Name: a.Name, Type: a.Type, Currency: a.CurrencyCode, Active: a.IsActive}
		switch {
		case !a.IsActive:
			l.say("accounts", u.setting, Wrong, fmt.Sprintf("%q is inactive", a.Name), "make it active in Zoho, or map another")
		case u.currency != "" && a.CurrencyCode != "" && a.CurrencyCode != u.currency:
			l.say("accounts", u.setting, Wrong, fmt.Sprintf("%q is kept in %s", a.Name, a.CurrencyCode), "map an account in "+u.currency)
		case u.kinds != "" && !strings.Contains(" "+u.kinds+" ", " "+a.Type+" "):
			l.say("accounts", u.setting, Warning, fmt.Sprintf("%q is of type %s", a.Name, a.Type), "")
		default:
			l.say("accounts", u.setting, OK, fmt.Sprintf("%q (%s)", a.Name, a.Type), "")
		}
	}
}

const (
	fewItems = 20 // as many are read one by one; more through the list
	maxItems = 20000
)

// items looks for every mapped item. Beyond maxItems of the catalogue nothing is said about what was not met.
func (l *look) items(ctx context.Context) {
	ids := slices.Sorted(maps.Keys(l.mapped(l.name).items))
	if len(ids) == 0 {
		return
	}
	found, complete := map[string]zohobooks.Item{}, true
	if len(ids) <= fewItems {
		for _, id := range ids {
			item, err := l.books.GetItem(ctx, id)
			switch {
			case err == nil:
				found[id] = *item
			case zohobooks.Verdict(err).Action != zohobooks.ActionMissing:
				l.failed("items", err)
				return
			}
		}
	} else {
		n := 0
		for item, err := range l.books.ListItems(ctx, nil) {
			if err != nil {
				l.failed("items", err)
				return
			}
			found[item.ItemID] = item
			if n++; n >= maxItems {
				complete = false
				break
			}
		}
	}
	good := 0
	for _, id := range ids {
		item, ok := found[id]
		switch {
		case !ok && !complete:
			continue
		case !ok:
			l.say("items", id, Missing, "Zoho has no such item", "it was deleted; map another")
			continue
		}
		active := item.Status == "" || strings.EqualFold(item.Status, "active")
		l.facts.Items[id] = ItemFacts{Name: item.Name, Active: active}
		if !active {
			l.say("items", id, Wrong, fmt.Sprintf("%q is %s", item.Name, item.Status), "make it active in Zoho, or map another")
			continue
		}
		good++
	}
	l.say("items", "mapped items", OK, fmt.Sprintf("%d of %d are there and active", good, len(ids)), "")
	if !complete {
		l.facts.unread["items"] = true
		l.say("items", "mapped items", Note, fmt.Sprintf("the catalogue has more than %d items: the rest was not looked at", maxItems), "")
	}
}

// currencies looks whether every currency with a clearing account is set up.
func (l *look) currencies(ctx context.Context) {
	found := map[string]bool{}
	for c, err := range l.books.ListCurrencies(ctx, nil) {
		if err != nil {
			l.failed("currencies", err)
			return
		}
		found[c.Code] = true
	}
	needed := map[string]bool{}
	for key := range l.cfg.Clearing {
		_, currency, _ := strings.Cut(key, "/")
		needed[currency] = true
	}
	for _, code := range slices.Sorted(maps.Keys(needed)) {
		if found[code] {
			l.say("currencies", code, OK, "", "")
			continue
		}
		l.say("currencies", code, Missing, "it has a clearing account but is not set up in Zoho", "add it under Settings, Currencies")
	}
}
