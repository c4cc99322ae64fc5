package money

import (
	"cmp"
	"math"
	"math/bits"
	"slices"

	"github.com/shopspring/decimal"
)

// Spread divides total over the weights by largest remainder: each share is its exact part rounded towards zero to the
// currency's minor unit, and the units left over go one each to the largest remainders, the earlier of equals first. The
// shares always add up to total, whatever its sign, and the same input always gives the same shares.
//
// Weights must not be negative. Where they're all zero the first one takes everything; with no weights the result is nil.
// A total that isn't exact in the currency leaves its odd part with the largest remainder.
func Spread(total decimal.Decimal, weights []decimal.Decimal, currency string) []decimal.Decimal {
	if len(weights) == 0 {
		return nil
	}
	shares := make([]decimal.Decimal, len(weights))
	sum := decimal.Zero
	for _, w := range weights {
		sum = Add(sum, w)
	}
	if sum.Sign() == 0 {
		shares[0] = total
		return shares
	}
	if !spreadUnits(shares, total, weights, currency) {
		spreadDecimals(shares, total, sum, weights, currency)
	}
	return shares
}

// spreadDecimals is Spread of any total over weights that come to sum.
func spreadDecimals(shares []decimal.Decimal, total, sum decimal.Decimal, weights []decimal.Decimal, currency string) {
	p := places(currency)
	left := total
	// Remainders are compared as numerators over the same denominator, exactly.
	rest := make([]decimal.Decimal, len(weights))
	for i, w := range weights {
		n := total.Mul(w)
		q, r := n.QuoRem(sum, p)
		shares[i], rest[i] = q, r.Abs()
		left = left.Sub(q)
	}
	order := make([]int, len(weights))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if c := rest[b].Cmp(rest[a]); c != 0 {
			return c
		}
		return cmp.Compare(a, b)
	})
	unit := decimal.New(1, -p)
	if left.Sign() < 0 {
		unit = unit.Neg()
	}
	for _, i := range order {
		if left.Abs().Cmp(unit.Abs()) < 0 {
			break
		}
		shares[i] = shares[i].Add(unit)
		left = left.Sub(unit)
	}
	shares[order[0]] = shares[order[0]].Add(left)
}

// spreadUnits is Spread of whole minor units that aren't negative over whole minor units: what nearly all are. It reports false
// for others, and sets no shares.
func spreadUnits(shares []decimal.Decimal, total decimal.Decimal, weights []decimal.Decimal, currency string) bool {
	n, ok := Units(total, currency)
	if !ok || n < 0 {
		return false
	}
	type part struct {
		units int64
		rest  uint64
		index int
	}
	parts := make([]part, len(weights))
	sum := uint64(0)
	for i, w := range weights {
		u, ok := Units(w, currency)
		if !ok || u < 0 || sum > math.MaxInt64-uint64(u) {
			return false
		}
		parts[i] = part{units: u, index: i}
		sum += uint64(u)
	}
	left := n
	for i := range parts {
		// The quotient is at most n: the weight is at most the sum.
		hi, lo := bits.Mul64(uint64(n), uint64(parts[i].units))
		q, r := bits.Div64(hi, lo, sum)
		parts[i].units, parts[i].rest = int64(q), r //nolint:gosec // at most n
		left -= parts[i].units
	}
	slices.SortFunc(parts, func(a, b part) int {
		return cmp.Or(cmp.Compare(b.rest, a.rest), cmp.Compare(a.index, b.index))
	})
	for i, p := range parts {
		if int64(i) < left {
			p.units++
		}
		shares[p.index] = FromUnits(p.units, currency)
	}
	return true
}

// SpreadCapped is Spread over shares that have limits of their own: no share exceeds its limit, and what a full one can't
// take goes to the others. It reports false, and spreads nothing, when the limits together are less than total. Total and
// limits must not be negative; the limits are the weights.
func SpreadCapped(total decimal.Decimal, limits []decimal.Decimal, currency string) ([]decimal.Decimal, bool) {
	sum := decimal.Zero
	for _, l := range limits {
		sum = sum.Add(l)
	}
	if total.Sign() < 0 || total.Cmp(sum) > 0 {
		return nil, false
	}
	// In proportion to the limits nothing exceeds its limit by more than the one unit of its remainder.
	shares := Spread(total, limits, currency)
	over := decimal.Zero
	for i, s := range shares {
		if s.Cmp(limits[i]) > 0 {
			over = over.Add(s.Sub(limits[i]))
			shares[i] = limits[i]
		}
	}
	for i := range shares {
		if over.Sign() == 0 {
			break
		}
		take := decimal.Min(over, limits[i].Sub(shares[i]))
		shares[i], over = shares[i].Add(take), over.Sub(take)
	}
	return shares, true
}
