package reconcile

import (
	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/processor/money"
)

// units is an amount in ten-thousandths of the currency's unit: what events and outcomes carry at most (scale 4). It keeps a
// transaction small; sums of 9e14 whole units fit.
type units int64

const scale = 4

// unitsOf is exact for the amounts of events, outcomes and documents; more digits than four are cut off.
func unitsOf(d decimal.Decimal) units { return units(d.Shift(scale).IntPart()) }

func (u units) decimal() decimal.Decimal { return decimal.New(int64(u), -scale) }

func (u units) abs() units { return max(u, -u) }

// text prints with the currency's decimals.
func (u units) text(currency string) string { return text(u.decimal(), currency) }

// text prints an amount with the currency's decimals, and with all where it has more.
func text(d decimal.Decimal, currency string) string {
	if digits, ok := money.MinorUnit(currency); ok && money.Exact(d, currency) {
		return d.StringFixed(digits)
	}
	return d.String()
}

// null is the amount for JSON and records; valid only where it is known.
func (u units) null(valid bool) decimal.NullDecimal {
	return decimal.NullDecimal{Decimal: u.decimal(), Valid: valid}
}
