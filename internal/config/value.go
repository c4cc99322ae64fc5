package config

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/secret"
)

const day = 24 * time.Hour

var (
	typeDuration     = reflect.TypeFor[time.Duration]()
	typeSecret       = reflect.TypeFor[secret.String]()
	typeDecimal      = reflect.TypeFor[decimal.Decimal]()
	typeOrganization = reflect.TypeFor[Organization]()
)

// isScalar says whether a value of type t is written as one text.
func isScalar(t reflect.Type) bool {
	if t == typeSecret || t == typeDecimal {
		return true
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Map, reflect.Slice:
		return false
	}
	return true
}

// setText reads text into v, which is settable and scalar. Errors do not quote text.
func setText(v reflect.Value, text string) error {
	switch v.Type() {
	case typeSecret:
		v.Set(reflect.ValueOf(secret.New(text)))
		return nil
	case typeDuration:
		d, err := parseDuration(text)
		if err != nil {
			return err
		}
		v.SetInt(int64(d))
		return nil
	case typeDecimal:
		d, err := parseDecimal(text)
		if err != nil {
			return err
		}
		v.Set(reflect.ValueOf(d))
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		switch strings.ToLower(text) {
		case "true":
			v.SetBool(true)
		case "false":
			v.SetBool(false)
		default:
			return errors.New("want true or false")
		}
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return errors.New("want a whole number")
		}
		v.SetInt(n)
	case reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return errors.New("want a number")
		}
		v.SetFloat(f)
	default:
		return fmt.Errorf("cannot be set from a text")
	}
	return nil
}

// getText is the text that setText reads back; a secret gives its mask.
func getText(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case secret.String:
		return x.String()
	case time.Duration:
		return formatDuration(x)
	case decimal.Decimal:
		return x.String()
	case string:
		return x
	case bool:
		return strconv.FormatBool(x)
	case int:
		return strconv.Itoa(x)
	case int64:
		return strconv.FormatInt(x, 10)
	case float64:
		return strconv.FormatFloat(x, 'g', -1, 64)
	}
	return fmt.Sprint(v.Interface())
}

// parseDuration is time.ParseDuration that also takes whole days (35d).
func parseDuration(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		const most = int64(math.MaxInt64 / day)
		if n, err := strconv.ParseInt(days, 10, 64); err == nil && n >= 0 && n <= most {
			return time.Duration(n) * day, nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, errors.New("want a duration such as 500ms, 30s, 5m, 2h or 35d")
	}
	return d, nil
}

// formatDuration is the shortest form that parseDuration reads.
func formatDuration(d time.Duration) string {
	switch {
	case d == 0:
		return "0s"
	case d%day == 0:
		return strconv.FormatInt(int64(d/day), 10) + "d"
	case d%time.Hour == 0:
		return strconv.FormatInt(int64(d/time.Hour), 10) + "h"
	case d%time.Minute == 0:
		return strconv.FormatInt(int64(d/time.Minute), 10) + "m"
	}
	return d.String()
}

// parseDecimal reads a plain decimal number. Exponents and long numbers are refused: arithmetic on 1e999999999 would take
// the machine's memory.
func parseDecimal(text string) (decimal.Decimal, error) {
	const longest = 40 // more digits than any rate or amount has
	if len(text) > longest || strings.ContainsAny(text, "eE") {
		return decimal.Decimal{}, errors.New("want a plain decimal number such as 19 or 8.25")
	}
	d, err := decimal.NewFromString(text)
	if err != nil {
		return decimal.Decimal{}, errors.New("want a plain decimal number such as 19 or 8.25")
	}
	return d, nil
}
