// Package money is the arithmetic of amounts: how many decimals a currency has, how an amount is rounded to them, and how
// a sum is divided so that no unit is lost.
//
// An order that's wrong by one cent can't be paid: Zoho refuses a payment above the invoice's balance, and leaves an
// invoice open that got a cent too little. So nothing here is a float; every amount is a decimal.Decimal, every result is
// a whole number of the currency's minor units as ISO 4217 counts them (JPY has none, KWD three, CLF four; CLDR's display
// digits, which give HUF or IDR none, are not for money), ties go away from zero as tax authorities and Zoho do it, and
// dividing 0.05 by two gives 0.03 and 0.02, always in the same order.
//
// The package is pure and imports nothing from the module. Functions that take a currency want an upper-case alphabetic
// code; for an unknown one they report it (MinorUnit, Exact, Units) or count two decimals (Round, Unit).
package money

import "github.com/shopspring/decimal"

// Sane is the widest number that may enter the arithmetic at all: amounts have at most 18 digits (the schemas' precision),
// unit prices, rates and quantities 6 decimals more. The limits leave room for both and keep hostile exponents out, since
// an exponent of a million is a number of a million digits.
const (
	maxSaneDigits = 40
	maxSaneScale  = 24
)

// Sane reports whether d is a number that amounts, prices, quantities and rates can be. Only sane numbers may be given to
// the other functions of this package and to decimal's own arithmetic.
func Sane(d decimal.Decimal) bool {
	exp := d.Exponent()
	return exp >= -maxSaneScale && exp <= maxSaneScale && d.NumDigits() <= maxSaneDigits
}

// small is d's coefficient where it has at most 18 digits, and so fits with room into an int64. Almost all amounts do, and
// arithmetic on it allocates nothing.
func small(d decimal.Decimal) (int64, bool) {
	if d.NumDigits() > len(powers)-1 {
		return 0, false
	}
	return d.CoefficientInt64(), true
}

// powers are the powers of ten that fit into an int64, up to 10^18.
var powers = func() (p [19]int64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = 10 * p[i-1]
	}
	return p
}()

// Round rounds d to the currency's minor unit, half away from zero.
func Round(d decimal.Decimal, currency string) decimal.Decimal {
	p := places(currency)
	if -d.Exponent() <= p {
		return d
	}
	if c, ok := small(d); ok {
		if rounded, ok := round(c, d.Exponent(), p); ok {
			return rounded
		}
	}
	return d.Round(p)
}

// round rounds c × 10^exp to so many decimals, fewer than it has; false where it has too many.
func round(c int64, exp, places int32) (decimal.Decimal, bool) {
	drop := -int64(exp) - int64(places)
	if drop >= int64(len(powers)) {
		return decimal.Decimal{}, false
	}
	q, r := c/powers[drop], c%powers[drop]
	switch half := powers[drop] / 2; {
	case r >= half:
		q++
	case r <= -half:
		q--
	}
	return decimal.New(q, -places), true
}

// Exact reports whether d is a whole number of the currency's minor units. It's false for an unknown currency.
func Exact(d decimal.Decimal, currency string) bool {
	p, ok := MinorUnit(currency)
	if !ok {
		return false
	}
	drop := -d.Exponent() - p
	if drop <= 0 {
		return true
	}
	if c, ok := small(d); ok && int(drop) < len(powers) {
		return c%powers[drop] == 0
	}
	return d.Equal(d.Truncate(p))
}

// Unit is the smallest amount of the currency: 0.01 for EUR, 1 for JPY.
func Unit(currency string) decimal.Decimal {
	return decimal.New(1, -places(currency))
}

// Units is d counted in minor units. It reports false when d isn't exact, doesn't fit, or the currency is unknown.
func Units(d decimal.Decimal, currency string) (int64, bool) {
	p, ok := MinorUnit(currency)
	if !ok {
		return 0, false
	}
	if c, ok := small(d); ok {
		switch drop := -int64(d.Exponent()) - int64(p); {
		case drop < 0:
			if n, ok := shifted(c, -drop); ok {
				return n, true
			}
		case drop < int64(len(powers)):
			if c%powers[drop] != 0 {
				return 0, false
			}
			return c / powers[drop], true
		}
	}
	if !Exact(d, currency) {
		return 0, false
	}
	n := d.Shift(p).BigInt()
	if !n.IsInt64() {
		return 0, false
	}
	return n.Int64(), true
}

// FromUnits is the inverse of Units.
func FromUnits(n int64, currency string) decimal.Decimal {
	return decimal.New(n, -places(currency))
}

// Percent is d times percent/100, rounded half away from zero to the currency's minor unit.
func Percent(d, percent decimal.Decimal, currency string) decimal.Decimal {
	p := places(currency)
	if c, exp, ok := product(d, percent); ok && exp-2 < -p {
		if rounded, ok := round(c, exp-2, p); ok {
			return rounded
		}
	}
	return Round(d.Mul(percent).Shift(-2), currency)
}

// NetOf is the part of gross that isn't tax, when tax is percent of the net: gross*100/(100+percent), rounded half away
// from zero to the currency's minor unit.
func NetOf(gross, percent decimal.Decimal, currency string) decimal.Decimal {
	return DivRound(gross.Shift(2), percent.Add(hundred), currency)
}

// DivRound is n/d rounded half away from zero to the currency's minor unit, without an intermediate rounding. d isn't zero.
func DivRound(n, d decimal.Decimal, currency string) decimal.Decimal {
	return n.DivRound(d, places(currency))
}

var hundred = decimal.NewFromInt(100)
