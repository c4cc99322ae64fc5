package setup

import (
	"context"
	"fmt"
	"strings"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/operator/login"
)

// organization looks at one organisation: credentials first, since nothing else can be seen without them.
func (r *run) organization(ctx context.Context, name string) {
	books, err := r.deps.Books(name)
	if err != nil {
		r.add("credentials", name, "configuration", Wrong, err.Error(), "correct the organisation's section")
		return
	}
	if c, ok := books.(interface{ Close() }); ok {
		defer c.Close()
	}
	org, probes := login.Try(ctx, books)
	for _, p := range probes {
		switch {
		case p.Err == nil:
			r.add("credentials", name, p.Scope, OK, "", "")
		case p.Refused:
			r.add("credentials", name, p.Scope, Wrong, p.Err.Error(), login.Hint(p.Err))
		default:
			r.add("credentials", name, p.Scope, stateOf(p.Err), p.Err.Error(), login.Hint(p.Err))
		}
	}
	if org == nil {
		return
	}
	if last := probes[len(probes)-1]; last.Err != nil && !last.Refused {
		return // an outage: the rest would only say so again
	}
	o := look{run: r, name: name, cfg: r.cfg.Organizations[name], books: books, org: org, facts: &OrganizationFacts{
		ID: org.OrganizationID, Name: org.Name, TimeZone: org.TimeZone, Currency: org.CurrencyCode, Mapping: r.cfg.Organizations[name].Hash(),
		Taxes: map[string]TaxFacts{}, Accounts: map[string]AccountFacts{}, Items: map[string]ItemFacts{}, Fields: map[string]bool{}, unread: map[string]bool{},
	}}
	r.report.Snapshot.Organizations[name] = o.facts
	o.company()
	o.taxes(ctx)
	o.accounts(ctx)
	o.items(ctx)
	o.currencies(ctx)
	o.locks(ctx)
	o.rounding(ctx)
	o.fields(ctx)
}

// stateOf tells an outage from an answer that says something is wrong.
func stateOf(err error) State {
	switch d := zohobooks.Verdict(err); {
	case d.Outage, d.Action == zohobooks.ActionRetry, d.Action == zohobooks.ActionWaitOrganization, d.Action == zohobooks.ActionInDoubt:
		return Unknown
	}
	return Wrong
}

// look is the look at one organisation.
type look struct {
	*run
	name  string
	cfg   config.Organization
	books Books
	org   *zohobooks.Organization
	facts *OrganizationFacts
}

func (l *look) say(area, item string, state State, message, hint string) {
	l.add(area, l.name, item, state, message, hint)
}

// failed reports a list that could not be read.
func (l *look) failed(area string, err error) {
	l.facts.unread[area] = true
	l.say(area, "list", stateOf(err), err.Error(), login.Hint(err))
}

// company compares the configuration with what Zoho says of the organisation.
func (l *look) company() {
	path := "organizations." + l.name
	l.say("organization", "organization_id", OK, fmt.Sprintf("%s, %q, plan %s", l.org.OrganizationID, l.org.Name, l.org.PlanName), "")
	switch {
	case l.cfg.TimeZone == "":
		l.say("organization", "time zone", OK, l.org.TimeZone, "")
	case l.cfg.TimeZone != l.org.TimeZone:
		l.say("organization", "time zone", Wrong, fmt.Sprintf("configured %s, in Zoho %s: documents would get other days than people see", l.cfg.TimeZone, l.org.TimeZone), "remove or correct "+path+".time_zone")
	default:
		l.say("organization", "time zone", OK, l.org.TimeZone, "")
	}
	if l.cfg.BaseCurrency != "" && l.cfg.BaseCurrency != l.org.CurrencyCode {
		l.say("organization", "base currency", Wrong, fmt.Sprintf("configured %s, in Zoho %s", l.cfg.BaseCurrency, l.org.CurrencyCode), "remove or correct "+path+".base_currency")
	} else {
		l.say("organization", "base currency", OK, l.org.CurrencyCode, "")
	}
	want := editionOf(l.org.CountryCode)
	if l.cfg.Edition != want {
		l.say("organization", "edition", Warning, fmt.Sprintf("configured %s, the country %s suggests %s: fields of another edition are refused", l.cfg.Edition, l.org.CountryCode, want), "set "+path+".edition")
	} else {
		l.say("organization", "edition", OK, l.cfg.Edition, "")
	}
	if !l.org.Settings.IsActive {
		l.say("organization", "state", Warning, "Zoho says that the organisation is not active", "renew its plan")
	}
}

// editionOf is the edition that Zoho gives to organisations of a country. Members of the EU share one; so do those of the
// Gulf Cooperation Council.
func editionOf(country string) string {
	const eu = " AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE "
	switch c := strings.ToUpper(country); c {
	case "US", "IN", "AU", "CA", "ZA", "KE", "MX":
		return strings.ToLower(c)
	case "GB", "UK":
		return "uk"
	case "AE", "SA", "BH", "OM", "KW", "QA":
		return "gcc"
	default:
		if c != "" && strings.Contains(eu, " "+c+" ") {
			return "eu"
		}
	}
	return "global"
}

// locks shows the last locked day; events dated before it follow lock_policy.
func (l *look) locks(ctx context.Context) {
	locks, err := l.books.TransactionLocks(ctx)
	if err != nil {
		l.failed("locks", err)
		return
	}
	for _, lock := range locks {
		if lock.Status != "disabled" && lock.Date > l.facts.LockedUntil {
			l.facts.LockedUntil = lock.Date
		}
	}
	if l.facts.LockedUntil == "" {
		l.say("locks", "locked until", OK, "nothing is locked", "")
		return
	}
	l.say("locks", "locked until", Note, l.facts.LockedUntil+"; documents dated before follow lock_policy "+l.cfg.LockPolicy, "")
}

// rounding compares the configured rounding with the newest invoice: the API shows the preference nowhere else.
func (l *look) rounding(ctx context.Context) {
	path := "organizations." + l.name
	var newest string
	for inv, err := range l.books.ListInvoices(ctx, &zohobooks.ListOptions{PerPage: 1}) {
		if err != nil {
			l.failed("rounding", err)
			return
		}
		newest = inv.InvoiceID
		break
	}
	if newest == "" {
		l.say("rounding", "round-off", Note, "not to be seen before there is an invoice; configured: "+l.cfg.RoundOff, "compare with Settings, Preferences, General: rounding off in sales transactions")
		return
	}
	inv, err := l.books.GetInvoice(ctx, newest)
	if err != nil {
		l.failed("rounding", err)
		return
	}
	if inv.TaxRounding != "" && inv.TaxRounding != l.cfg.TaxRounding {
		l.say("rounding", "tax rounding", Wrong, fmt.Sprintf("configured %s, invoice %s has %s: taxes would differ by minor units", l.cfg.TaxRounding, inv.InvoiceNumber, inv.TaxRounding), "set "+path+".tax_rounding")
	} else {
		l.say("rounding", "tax rounding", OK, l.cfg.TaxRounding, "")
	}
	if !inv.RoundOff.IsZero() && (l.cfg.RoundOff == "none" || l.cfg.RoundOff == "") {
		l.say("rounding", "round-off", Wrong, fmt.Sprintf("configured none, but Zoho rounded invoice %s by %s", inv.InvoiceNumber, inv.RoundOff), "set "+path+".round_off to Zoho's increment, or switch it off in Zoho")
	} else {
		l.say("rounding", "round-off", OK, l.cfg.RoundOff, "")
	}
}
