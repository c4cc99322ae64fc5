package testkit

import (
	"math/rand/v2"
	"reflect"
	"time"

	"github.com/shopspring/decimal"
)

// Fill sets v, which can be set, to anything: what is set is nil, empty, plain or awkward in turn.
func Fill(rng *rand.Rand, v reflect.Value) {
	texts := []string{"", "plain", "with \"quotes\" and \\", "<b>&amp;", "Z\u00fcrich", "tab\tnew\n", "\u2028", "\xff", "del\x7f"}
	switch v.Interface().(type) {
	case decimal.Decimal:
		n := rng.Int64N(1 << (1 + rng.IntN(62)))
		if rng.IntN(2) == 0 {
			n = -n
		}
		v.Set(reflect.ValueOf(decimal.New(n*[]int64{1, 10, 1000}[rng.IntN(3)], int32(rng.IntN(22)-18))))
		return
	case time.Time:
		if rng.IntN(4) > 0 {
			v.Set(reflect.ValueOf(time.UnixMilli(rng.Int64N(4e12)).UTC()))
		}
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(texts[rng.IntN(len(texts))])
	case reflect.Bool:
		v.SetBool(rng.IntN(2) == 0)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(rng.Int64N(100) - 50)
	case reflect.Pointer:
		if rng.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			Fill(rng, v.Elem())
		}
	case reflect.Slice:
		if n := rng.IntN(4); n > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n-1, n-1))
			for i := range v.Len() {
				Fill(rng, v.Index(i))
			}
		}
	case reflect.Map:
		if rng.IntN(3) > 0 {
			v.Set(reflect.MakeMap(v.Type()))
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			Fill(rng, key)
			Fill(rng, value)
			v.SetMapIndex(key, value)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				Fill(rng, f)
			}
		}
	}
}
