package schemas

import (
	"math/big"
	"math/bits"

	"github.com/shopspring/decimal"
)

// maxDecimalBytes holds 38 digits; longer ones are refused unless the surplus is sign extension.
const maxDecimalBytes = 16

var pow10 = func() (p [19]int64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()

// decimalFromBytes reads an unscaled big-endian two's-complement number. It says "" or what is wrong with it.
func decimalFromBytes(b []byte, scale int32, precision int) (decimal.Decimal, string) {
	if len(b) == 0 {
		return decimal.Decimal{}, "a decimal of no bytes"
	}
	for len(b) > 1 && (b[0] == 0 && b[1] < 0x80 || b[0] == 0xff && b[1] >= 0x80) {
		b = b[1:]
	}
	if len(b) > maxDecimalBytes {
		return decimal.Decimal{}, "a decimal of more than 38 digits"
	}
	if len(b) <= 8 {
		v := int64(int8(b[0])) //nolint:gosec // the sign is meant to be extended
		for _, c := range b[1:] {
			v = v<<8 | int64(c)
		}
		if precision < len(pow10) && (v >= pow10[precision] || v <= -pow10[precision]) {
			return decimal.Decimal{}, "more digits than the schema's precision"
		}
		return fromUnscaled(v, scale), ""
	}
	v := new(big.Int).SetBytes(b)
	if b[0] >= 0x80 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(len(b))*8))
	}
	d := decimal.NewFromBigInt(v, -scale)
	if d.NumDigits() > precision {
		return decimal.Decimal{}, "more digits than the schema's precision"
	}
	return d, ""
}

// wholes are the decimals 0 to 255, made once: nearly half the decimals in orders are such quantities, percents and
// discounts of nothing. Decimals are never changed, so they can be shared.
var wholes = func() (d [256]decimal.Decimal) {
	for i := range d {
		d[i] = decimal.New(int64(i), 0)
	}
	return d
}()

func fromUnscaled(v int64, scale int32) decimal.Decimal {
	if scale >= 0 && int(scale) < len(pow10) {
		if whole := v / pow10[scale]; whole >= 0 && whole < int64(len(wholes)) && whole*pow10[scale] == v {
			return wholes[whole]
		}
	}
	return decimal.New(v, -scale)
}

// unscaled returns d * 10^scale where that is whole and has at most precision digits (at most 18). It says "" or why
// not: nothing is ever rounded.
func unscaled(d decimal.Decimal, scale int32, precision int) (int64, string) {
	exponent := d.Exponent()
	shift := int64(exponent) + int64(scale)
	v, small := int64(0), false
	if c := d.CoefficientInt64(); fitsInt64(d) {
		switch {
		case shift <= 0 && -shift < int64(len(pow10)):
			if c%pow10[-shift] != 0 {
				return 0, "more decimals than the schema's scale"
			}
			v, small = c/pow10[-shift], true
		case shift > 0 && shift < int64(len(pow10)):
			most := pow10[int64(len(pow10)-1)-shift]
			v, small = c*pow10[shift], c < most && c > -most
		}
	}
	if !small {
		var problem string
		if v, problem = unscaledBig(d, shift); problem != "" {
			return 0, problem
		}
	}
	if v >= pow10[precision] || v <= -pow10[precision] {
		return 0, "more digits than the schema's precision"
	}
	return v, ""
}

// fitsInt64 says whether the coefficient is what CoefficientInt64 returned.
func fitsInt64(d decimal.Decimal) bool { return d.NumDigits() <= 18 }

func unscaledBig(d decimal.Decimal, shift int64) (int64, string) {
	const digits, decimals = "more digits than the schema's precision", "more decimals than the schema's scale"
	c := d.Coefficient()
	if c.Sign() == 0 {
		return 0, ""
	}
	if c.BitLen() > 4096 || shift > maxDigits { // the next steps take time with the size
		return 0, digits
	}
	if shift < -4096 {
		return 0, decimals
	}
	factor := new(big.Int).Exp(big.NewInt(10), big.NewInt(max(shift, -shift)), nil)
	if shift >= 0 {
		c.Mul(c, factor)
	} else {
		var remainder big.Int
		if c.QuoRem(c, factor, &remainder); remainder.Sign() != 0 {
			return 0, decimals
		}
	}
	if !c.IsInt64() {
		return 0, digits
	}
	return c.Int64(), ""
}

// appendUnscaled appends v as the shortest big-endian two's-complement number.
func appendUnscaled(buf []byte, v int64) []byte {
	significant := 64 - bits.LeadingZeros64(uint64(v^(v>>63))) //nolint:gosec // bits, not a quantity
	for shift := significant / 8 * 8; shift >= 0; shift -= 8 {
		buf = append(buf, byte(v>>shift))
	}
	return buf
}
