package processor

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/shopspring/decimal"
)

// maxKeptExponent bounds the decimals read back from claims. Amounts have at most 18 digits; without a bound ten bytes of
// another hand, such as 1e99999999, would fill the memory as soon as they are added to something.
const maxKeptExponent = 64

var (
	errKeptNumber = errors.New("a number is out of range")
	errKeptNull   = errors.New("an element of a list is null")
)

// unmarshalKept reads what this package has written to a claim: JSON that could not be its own is an error.
func unmarshalKept(b []byte, into any) error {
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("reading what the claim keeps: %w", err)
	}
	return checkKept(reflect.ValueOf(into))
}

// checkKept looks for what calculations could not bear.
func checkKept(v reflect.Value) error {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return checkKept(v.Elem())
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[decimal.Decimal]() {
			e := v.Interface().(decimal.Decimal).Exponent() //nolint:forcetypeassert // just compared
			if e > maxKeptExponent || e < -maxKeptExponent {
				return errKeptNumber
			}
			return nil
		}
		for i := range v.NumField() {
			if !v.Type().Field(i).IsExported() {
				continue
			}
			if err := checkKept(v.Field(i)); err != nil {
				return err
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			e := v.Index(i)
			if e.Kind() == reflect.Pointer && e.IsNil() {
				return errKeptNull
			}
			if err := checkKept(e); err != nil {
				return err
			}
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			if err := checkKept(v.MapIndex(key)); err != nil {
				return err
			}
		}
	}
	return nil
}
