package money

import "github.com/shopspring/decimal"

// Add, Sub and Equal are decimal's own, for which they stand where every line of every order comes by. Amounts of different
// exponents, such as 2 and 19.99 or decimal's Zero and anything, are brought to the same one without big integers: in a
// third of the time, as the coefficients of nearly all fit into an int64.

// Add is a + b.
func Add(a, b decimal.Decimal) decimal.Decimal {
	switch x, y := a.Exponent(), b.Exponent(); {
	case x >= y && a.IsZero():
		return b
	case y >= x && b.IsZero():
		return a
	case x == y:
	default:
		if x, y, exp, ok := aligned(a, b); ok {
			return decimal.New(x+y, exp)
		}
	}
	return a.Add(b)
}

// Sub is a - b.
func Sub(a, b decimal.Decimal) decimal.Decimal {
	switch x, y := a.Exponent(), b.Exponent(); {
	case y >= x && b.IsZero():
		return a
	case x == y:
	default:
		if x, y, exp, ok := aligned(a, b); ok {
			return decimal.New(x-y, exp)
		}
	}
	return a.Sub(b)
}

// Equal reports whether a and b are the same number.
func Equal(a, b decimal.Decimal) bool {
	if a.Exponent() != b.Exponent() {
		if x, y, _, ok := aligned(a, b); ok {
			return x == y
		}
	}
	return a.Equal(b)
}

// aligned are the coefficients of a and b for the same exponent, the smaller one; each has at most 18 digits.
func aligned(a, b decimal.Decimal) (x, y int64, exp int32, ok bool) {
	x, okA := small(a)
	y, okB := small(b)
	if !okA || !okB {
		return 0, 0, 0, false
	}
	switch diff := int64(a.Exponent()) - int64(b.Exponent()); {
	case diff > 0:
		x, ok = shifted(x, diff)
		return x, y, b.Exponent(), ok
	case diff < 0:
		y, ok = shifted(y, -diff)
		return x, y, a.Exponent(), ok
	}
	return x, y, a.Exponent(), true
}

// shifted is c with so many zeros behind it, where that has at most 18 digits.
func shifted(c, zeros int64) (int64, bool) {
	last := int64(len(powers) - 1)
	if zeros > last {
		return 0, c == 0
	}
	most := powers[last-zeros]
	return c * powers[zeros], c < most && c > -most
}

// product is the coefficient and the exponent of a * b, where the factors and it have at most 18 digits.
func product(a, b decimal.Decimal) (c int64, exp int32, ok bool) {
	x, okA := small(a)
	y, okB := small(b)
	if !okA || !okB {
		return 0, 0, false
	}
	most := powers[len(powers)-1] - 1
	if x != 0 && y != 0 && max(y, -y) > most/max(x, -x) {
		return 0, 0, false
	}
	return x * y, a.Exponent() + b.Exponent(), true
}
