package processor

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/fastjson"
	"github.com/booksync/booksync/internal/testkit"
	"github.com/booksync/booksync/schemas"
)

// What is written with every order: fingerprints and stored states are compared with those of earlier versions, and must not be
// left to the slower json.Marshal because of a field that was added.
func TestWhatIsWrittenOftenIsWrittenAsByJSONMarshal(t *testing.T) {
	t.Parallel()
	for _, typ := range []reflect.Type{
		reflect.TypeFor[schemas.Order](), reflect.TypeFor[schemas.Payment](), reflect.TypeFor[schemas.Refund](), reflect.TypeFor[schemas.Party](),
		reflect.TypeFor[OrderState](), reflect.TypeFor[InvoiceState](), reflect.TypeFor[progress](),
	} {
		t.Run(typ.String(), func(t *testing.T) {
			t.Parallel()
			if !fastjson.Follows(typ) {
				t.Error("a field has a rule that is not followed")
			}
			for seed := range uint64(300) {
				v := reflect.New(typ)
				testkit.Fill(rand.New(rand.NewPCG(seed, 1)), v.Elem())
				want, err := json.Marshal(v.Interface())
				if err != nil {
					t.Fatal(err)
				}
				if got := fastjson.Must(v.Interface()); string(got) != string(want) {
					t.Fatalf("seed %d:\n%s\nwant\n%s", seed, got, want)
				}
			}
		})
	}
}

func BenchmarkState(b *testing.B) {
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
	b.Run("fastjson", func(b *testing.B) {
		for b.Loop() {
			fastjson.Must(v)
		}
	})
}
