package money

import "github.com/shopspring/decimal"

// cashIncrements are the smallest amounts that can be paid in cash where that's more than the minor unit: the coins are
// gone, the unit isn't. Card payments are not rounded. Sources: the central banks' or finance ministries' rules for each.
var cashIncrements = map[string]string{
	"AUD": "0.05", // Royal Australian Mint, since 1992
	"CAD": "0.05", // Department of Finance Canada, since 2013
	"CHF": "0.05", // Swiss Münzverordnung: the smallest coin is 5 Rappen
	"CZK": "1",    // Czech National Bank, since 2008
	"DKK": "0.50", // Danmarks Nationalbank, since 2008
	"HUF": "5",    // Magyar Nemzeti Bank, since 2008
	"NOK": "1",    // Norges Bank, since 2012
	"NZD": "0.10", // Reserve Bank of New Zealand, since 2006
	"SEK": "1",    // Sveriges Riksbank, since 2010
	"ILS": "0.10", // Bank of Israel, since 2008
}

// CashIncrement is the smallest amount of the currency that can be paid in cash, its Unit where nothing else is known.
func CashIncrement(currency string) decimal.Decimal {
	if s, ok := cashIncrements[currency]; ok {
		return decimal.RequireFromString(s)
	}
	return Unit(currency)
}

// ToIncrement rounds d to the nearest multiple of increment, half away from zero. An increment that isn't positive leaves
// d as it is.
func ToIncrement(d, increment decimal.Decimal) decimal.Decimal {
	if increment.Sign() <= 0 {
		return d
	}
	return d.DivRound(increment, 0).Mul(increment)
}
