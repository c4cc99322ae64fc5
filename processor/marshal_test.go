package processor

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/schemas"
)

// fill sets v to anything: what is set is nil, empty, plain or awkward in turn.
func fill(rng *rand.Rand, v reflect.Value) {
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
			fill(rng, v.Elem())
		}
	case reflect.Slice:
		if n := rng.IntN(4); n > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n-1, n-1))
			for i := range v.Len() {
				fill(rng, v.Index(i))
			}
		}
	case reflect.Map:
		if rng.IntN(3) > 0 {
			v.Set(reflect.MakeMap(v.Type()))
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(rng, key)
			fill(rng, value)
			v.SetMapIndex(key, value)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				fill(rng, f)
			}
		}
	}
}

func TestMarshalWritesWhatJSONMarshalWrites(t *testing.T) {
	t.Parallel()
	for _, sample := range []any{new(schemas.Order), new(schemas.Payment), new(schemas.Refund), new(OrderState), new(progress), new(schemas.Party)} {
		typ := reflect.TypeOf(sample).Elem()
		t.Run(typ.String(), func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(300) {
				v := reflect.New(typ)
				fill(rand.New(rand.NewPCG(seed, 1)), v.Elem())
				want, err := json.Marshal(v.Interface())
				if err != nil {
					t.Fatal(err)
				}
				if got := marshal(v.Interface()); string(got) != string(want) {
					t.Fatalf("seed %d:\n%s\nwant\n%s", seed, got, want)
				}
			}
		})
	}
}

func BenchmarkMarshal(b *testing.B) {
	v := &OrderState{ContactID: "982000000567114", Currency: "USD", Invoice: &InvoiceState{ID: "982000001000001", Number: "INV-00001", Date: "2026-03-02"}}
	for range 5 {
		v.Invoice.Lines = append(v.Invoice.Lines, InvoiceLine{
			LineID: "L1", InvoiceItemID: "982000000000001", Kind: "GOODS", ItemID: "982000000030049", Name: "Enamel mug, blue", TaxID: "982000000557028",
			TaxRates: []string{"8.25"}, Quantity: decimal.New(2, 0), Rate: decimal.New(5000, -2), Amount: decimal.New(100000, -4), Gross: decimal.New(10825, -2),
		})
	}
	b.Run("json", func(b *testing.B) {
		for b.Loop() {
			_, _ = json.Marshal(v)
		}
	})
	b.Run("marshal", func(b *testing.B) {
		for b.Loop() {
			marshal(v)
		}
	})
}

// What is written with every order must not fall back to json.Marshal because of a field that was added.
func TestMarshalFollowsTheRulesOfWhatIsWrittenOften(t *testing.T) {
	t.Parallel()
	for _, typ := range []reflect.Type{
		reflect.TypeFor[schemas.Order](), reflect.TypeFor[schemas.Party](), reflect.TypeFor[OrderState](), reflect.TypeFor[InvoiceState](), reflect.TypeFor[progress](),
	} {
		if _, ok := fieldsOf(typ, nil); !ok {
			t.Errorf("%s has a field whose rule is not followed", typ)
		}
	}
}
