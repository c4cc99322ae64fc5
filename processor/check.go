package processor

import (
	"fmt"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/processor/money"
	"github.com/booksync/booksync/schemas"
)

// The classes of DESIGN's dead letters that the checks and plans use.
const (
	classTotals      = "rejected.totals"
	classTax         = "rejected.tax"
	classCurrency    = "rejected.currency"
	classAccount     = "rejected.account"
	classLocked      = "rejected.locked"
	classTest        = "rejected.test"
	classUnsupported = "rejected.unsupported"
	classConflict    = "rejected.conflict"
)

// arithmetic is how a check reached its verdict: every sum it made, in order. It's returned with a rejection too, up to
// the sum that failed.
type arithmetic struct {
	Sums []sum
	// sheet is the order as it was laid out, where it could be.
	sheet *sheet
}

// sum is one comparison: what booksync computed against what the event says.
type sum struct {
	Name     string          // what was compared, such as totals.net
	Expected decimal.Decimal // computed
	Found    decimal.Decimal // the event's
	How      func() string   // the computation, such as "414.95 + 10.00"; most are never read
	OK       bool            // equal, or within the tolerance
}

// String is one line for people.
func (s sum) String() string {
	verdict := "ok"
	switch {
	case !s.OK:
		verdict = "WRONG by " + s.Found.Sub(s.Expected).String()
	case !s.Found.Equal(s.Expected):
		verdict = "ok, rounded differently by " + s.Found.Sub(s.Expected).String()
	}
	return fmt.Sprintf("%s: %s = %s, event says %s (%s)", s.Name, s.How(), s.Expected, s.Found, verdict)
}

// String is one line per sum.
func (a *arithmetic) String() string {
	var b strings.Builder
	for _, s := range a.Sums {
		b.WriteString(s.String())
		b.WriteByte('\n')
	}
	return b.String()
}

// same notes a sum that must be exact.
func (a *arithmetic) same(name string, how func() string, expected, found decimal.Decimal) *Rejection {
	ok := money.Equal(expected, found)
	a.Sums = append(a.Sums, sum{Name: name, Expected: expected, Found: found, How: how, OK: ok})
	if ok {
		return nil
	}
	return reject(classTotals, "%s = %s, but %s says %s (difference %s): correct the event at its producer, then replay",
		how(), expected, name, found, found.Sub(expected))
}

// maxTerms bounds the terms of a printed sum: a message has at most 1 KiB.
const maxTerms = 12

// terms prints the addends of a sum.
func terms(ds []decimal.Decimal, currency string) string {
	if len(ds) == 0 {
		return "0"
	}
	var b strings.Builder
	for i, d := range ds {
		if i == maxTerms {
			fmt.Fprintf(&b, " + ... (%d more)", len(ds)-i)
			break
		}
		if i > 0 {
			b.WriteString(" + ")
		}
		b.WriteString(amountText(d, currency))
	}
	return b.String()
}

// amountText prints d with the currency's decimals, so that 5 and 5.00 look the same.
func amountText(d decimal.Decimal, currency string) string {
	if !money.Exact(d, currency) {
		return d.String()
	}
	return d.StringFixed(-money.Unit(currency).Exponent())
}

// checkEvent is what the three kinds of events have in common; what names the event in messages.
func checkEvent(e *schemas.Event, org *Organization, what string) *Rejection {
	if e.Test && org.Live {
		return reject(classTest, "%s is a test event and %q is a live organisation: send tests to a test organisation", what, org.Name)
	}
	if e.Location != "" && org.Locations[e.Location] == "" {
		return reject(classAccount, "location %q is not mapped: add it to the organisation's locations, then replay", e.Location)
	}
	return nil
}

// checkCurrency: known to ISO 4217, known to the organisation, and with an exchange rate exactly where one is needed.
func checkCurrency(currency string, rate decimal.NullDecimal, needRate bool, org *Organization) *Rejection {
	if _, ok := money.MinorUnit(currency); !ok {
		return reject(classCurrency, "currency %q is not a current ISO 4217 code with a minor unit", currency)
	}
	if currency != org.BaseCurrency && org.CurrencyIDs[currency] == "" {
		return reject(classCurrency, "currency %s is not set up in Zoho: add it under Settings, Currencies, then replay", currency)
	}
	if rate.Valid && !money.Sane(rate.Decimal) {
		return reject(classCurrency, "exchange_rate is not a number that can be a rate")
	}
	if currency == org.BaseCurrency {
		if rate.Valid && !rate.Decimal.Equal(one) {
			return reject(classCurrency, "exchange_rate is %s, but %s is the organisation's own currency: leave it out or send 1",
				rate.Decimal, currency)
		}
		return nil
	}
	switch {
	case rate.Valid && rate.Decimal.Sign() <= 0:
		return reject(classCurrency, "exchange_rate is %s: it must be positive", rate.Decimal)
	case !rate.Valid && needRate && org.ExchangeRates != ratesOfZoho:
		return reject(classCurrency, "exchange_rate is missing: send what one %s is in %s; without it Zoho books 1 %[1]s as 1 %[2]s",
			currency, org.BaseCurrency)
	}
	return nil
}

var (
	one     = decimal.NewFromInt(1)
	hundred = decimal.NewFromInt(100)
)

// checkAmount: sane, exact in the currency's minor unit, and not negative.
func checkAmount(name string, d decimal.Decimal, currency string) *Rejection {
	if r := checkExact(name, d, currency); r != nil {
		return r
	}
	if d.Sign() < 0 {
		return reject(classTotals, "%s is %s: it must not be negative", name, amountText(d, currency))
	}
	return nil
}

// isAmount is what checkAmount checks, for where naming the amount would cost more than the check.
func isAmount(d decimal.Decimal, currency string) bool { return d.Sign() >= 0 && isExact(d, currency) }

func isExact(d decimal.Decimal, currency string) bool {
	if !money.Sane(d) {
		return false
	}
	_, ok := money.Units(d, currency)
	return ok
}

// checkExact is checkAmount for amounts of either sign.
func checkExact(name string, d decimal.Decimal, currency string) *Rejection {
	if isExact(d, currency) {
		return nil
	}
	if !money.Sane(d) {
		return reject(classTotals, "%s has more digits than an amount can have", name)
	}
	if money.Exact(d, currency) {
		return reject(classTotals, "%s is larger than an amount can be", name)
	}
	return reject(classTotals, "%s is %s, but %s has %d decimals: send amounts that are exact in the currency's minor unit",
		name, d, currency, -money.Unit(currency).Exponent())
}

// checkOpen: the document's day is known, and not in a locked period unless the policy moves it to the next open day.
func checkOpen(name string, t time.Time, org *Organization) *Rejection {
	if t.IsZero() {
		return reject(classUnsupported, "%s is missing: documents carry the event's day, never the day of processing", name)
	}
	if y := t.In(org.zone()).Year(); y < 1970 || y > 9999 {
		return reject(classUnsupported, "%s is in the year %d: check the producer's unit (milliseconds)", name, y)
	}
	day := org.day(t)
	if org.locked(day) && org.LockPolicy != "next_open_date" {
		return reject(classLocked, "%s is %s, but sales are locked until %s: unlock the period in Zoho, or set the lock policy "+
			"to next_open_date, then replay", name, day, org.LockedUntil)
	}
	return nil
}

// clearingAccount is the account where a gateway's payments are deposited and its refunds are taken from.
func (o *Organization) clearingAccount(gateway, currency string) (string, *Rejection) {
	key := gatewayKey(gateway, currency)
	if id := o.Clearing[key]; id != "" {
		return id, nil
	}
	if o.DefaultClearing != "" {
		return o.DefaultClearing, nil
	}
	return "", reject(classAccount, "gateway %q has no clearing account: map %q (or a default), then replay", gateway, key)
}

// gatewayKey is the form of Organization.Clearing's keys: the gateway in lower case, a slash, the currency.
func gatewayKey(gateway, currency string) string {
	return strings.ToLower(strings.TrimSpace(gateway)) + "/" + currency
}
