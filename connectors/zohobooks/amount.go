package zohobooks

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/fastjson"
)

// Limits of an amount in an answer. Zoho's are below 20 digits with at most 12 decimals; an exponent without a limit would let
// a few bytes ask for gigabytes as soon as the number is printed or added.
const (
	maxAmountText     = 64
	maxAmountExponent = 32
)

// Amount is a decimal as Zoho Books writes it: a JSON number in requests; in answers a number, a quoted number, "" or
// null, of which the last two mean zero (recorded answers have "exchange_rate": "").
type Amount struct{ decimal.Decimal }

// NewAmount wraps d.
func NewAmount(d decimal.Decimal) Amount { return Amount{d} }

// MarshalJSON writes a bare JSON number without an exponent.
func (a Amount) MarshalJSON() ([]byte, error) { return a.AppendJSON(nil), nil }

// AppendJSON appends what MarshalJSON returns.
func (a Amount) AppendJSON(b []byte) []byte { return fastjson.AppendDecimal(b, a.Decimal) }

// UnmarshalJSON reads the four forms named above.
func (a *Amount) UnmarshalJSON(b []byte) error {
	if len(b) >= 2 && b[0] == '"' && b[len(b)-1] == '"' {
		b = b[1 : len(b)-1]
	}
	return a.parse(b)
}

// parse reads the unquoted text.
func (a *Amount) parse(b []byte) error {
	if len(b) == 0 || bytes.Equal(b, []byte("null")) {
		a.Decimal = decimal.Zero
		return nil
	}
	if len(b) > maxAmountText {
		return fmt.Errorf("amount of %d characters", len(b))
	}
	if d, ok := parseShort(b); ok {
		a.Decimal = d
		return nil
	}
	d, err := parseLong(b)
	if err != nil {
		return fmt.Errorf("amount %q: %w", b, err)
	}
	a.Decimal = d
	return nil
}

// parseShort reads up to 18 digits with at most one point: what nearly every amount is.
func parseShort(b []byte) (decimal.Decimal, bool) {
	neg := b[0] == '-'
	if neg {
		b = b[1:]
	}
	if len(b) == 0 || len(b) > 19 {
		return decimal.Decimal{}, false
	}
	var n int64
	digits, scale := 0, -1
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			n = n*10 + int64(c-'0')
			digits++
			if scale >= 0 {
				scale++
			}
		case c == '.' && scale < 0 && digits > 0:
			scale = 0
		default:
			return decimal.Decimal{}, false
		}
	}
	if digits == 0 || digits > 18 || scale == 0 {
		return decimal.Decimal{}, false
	}
	if neg {
		n = -n
	}
	return decimal.New(n, -int32(max(scale, 0))), true
}

func parseLong(b []byte) (decimal.Decimal, error) {
	for _, c := range b {
		if (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E' {
			return decimal.Decimal{}, errors.New("not a number")
		}
	}
	d, err := decimal.NewFromString(string(b))
	if err != nil {
		return decimal.Decimal{}, errors.New("not a number")
	}
	if e := d.Exponent(); e > maxAmountExponent || e < -maxAmountText {
		return decimal.Decimal{}, errors.New("exponent out of range")
	}
	return d, nil
}
