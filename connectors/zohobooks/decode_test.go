package zohobooks

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
)

func TestDecoderTakesZohosWays(t *testing.T) {
	t.Parallel()
	const in = ` { "code" : "0", "message":null, "unknown":{"a":[1,{"b":"\u00e9\n"}]},
	 "invoice": {"invoice_id": 123456789012345678, "status":"dr\u0061ft", "total":"149.97", "balance":1.50, "adjustment":"", "sub_total":null, "tax_total":-1e1,
	  "line_items":{"item_id":"1","rate":1}, "taxes":"", "is_inclusive_tax":"true", "price_precision":"2",
	  "custom_fields":[{"api_name":"cf_a","value":true},{"api_name":"cf_b","value":[1,"x"]},{"api_name":"cf_c","value":12.50}],
	  "custom_field_hash":{"cf_a":"true","cf_list":[1],"cf_n":5}}} `
	var a invoiceAnswer
	if err := decode([]byte(in), &a); err != nil {
		t.Fatal(err)
	}
	inv := a.Invoice
	got := []string{inv.InvoiceID, inv.Status, inv.Total.String(), inv.Balance.StringFixed(2), inv.Adjustment.String(), inv.TaxTotal.String(), inv.LineItems[0].ItemID}
	if diff := cmp.Diff([]string{"123456789012345678", "draft", "149.97", "1.50", "0", "-10", "1"}, got); diff != "" {
		t.Error(diff)
	}
	if !inv.IsInclusiveTax || inv.PricePrecision != 2 {
		t.Error("texts of truth values and numbers were not read")
	}
	fields := []CustomField{{APIName: "cf_a", Value: "true"}, {APIName: "cf_b", Value: `[1,"x"]`}, {APIName: "cf_c", Value: "12.50"}}
	if diff := cmp.Diff(fields, inv.CustomFields); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"cf_a": "true", "cf_n": "5"}, inv.FieldHash); diff != "" {
		t.Error(diff)
	}
}

func TestDecoderRefuses(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{
		"nothing": "", "a list": "[]", "a number": "1", "an open object": `{"code":0`, "an open string": `{"code`, "a bad escape": `{"a":"\x"}`,
		"a control character": "{\"a\":\"\n\"}", "a leading zero": `{"a":01}`, "a trailing comma": `{"a":1,}`, "a bare word": `{"a":nul}`, "two values": `{} {}`,
		"a key that is no string": `{a:1}`, "depth": strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100), "a plus": `{"a":+1}`,
		"an amount that is a word": `{"invoice":{"total":"much"}}`, "an amount with a giant exponent": `{"invoice":{"total":1e999999}}`,
		"an amount that is a list": `{"invoice":{"total":[1]}}`, "an object where a text is": `{"invoice":{"status":{}}}`,
		"a text where a document is": `{"invoice":"x"}`, "a text where a list is": `{"invoice":{"line_items":"x"}}`, "no code": `{"code":""}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var a invoiceAnswer
			if err := decode([]byte(in), &a); err == nil {
				t.Errorf("accepted as %+v", a)
			}
		})
	}
}

// FuzzDecode holds the decoder against encoding/json: what it accepts is valid JSON, and where encoding/json reads the same answer the two agree.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"code":0,"message":"ok","invoice":{"invoice_id":"1","total":1.50,"line_items":[{"rate":1,"quantity":2}]}}`,
		`{"code":1001,"message":"é\u00e9\ud83d\ude00\ud83d"}`, `{"invoice":{"taxes":[{"tax_name":"VAT","tax_amount":0.1}]}}`, `{"invoice":null}`,
		`{"code":0,"invoice":{"custom_fields":[{"api_name":"cf_x","value":"y"}]}}`, "{\"message\":\"\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	files, _ := filepath.Glob(filepath.Join("..", "..", "..", "shared", "zoho-openapi", "recorded-*", "*.json"))
	for _, file := range files {
		b, err := os.ReadFile(file)
		var recs []struct {
			Response json.RawMessage `json:"response"`
		}
		if err == nil && json.Unmarshal(b, &recs) == nil && len(recs) > 0 {
			f.Add([]byte(recs[0].Response))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, ours := range []answer{new(invoiceAnswer), new(paymentsAnswer), new(contactAnswer), new(creditRefundsAnswer), new(organizationsAnswer)} {
			err := decode(b, ours)
			if err != nil {
				if errors.Is(err, errSyntax) && json.Valid(b) {
					t.Fatalf("valid JSON was called otherwise: %v", err)
				}
				continue
			}
			if !json.Valid(b) {
				t.Fatalf("accepted what is not JSON: %q", b)
			}
			theirs := reflect.New(reflect.TypeOf(ours).Elem()).Interface()
			if json.Unmarshal(b, theirs) != nil || hasOddKeys(b) {
				continue // ours takes more
			}
			equal := cmp.Comparer(func(a, b Amount) bool { return a.Equal(b.Decimal) })
			lists := cmp.FilterValues(func(a, b any) bool { return isEmptyList(a) && isEmptyList(b) }, cmp.Ignore())
			if diff := cmp.Diff(theirs, ours, equal, lists, cmp.Exporter(func(reflect.Type) bool { return true })); diff != "" {
				t.Fatalf("encoding/json differs (-json +ours): %s", diff)
			}
		}
	})
}

func isEmptyList(v any) bool {
	r := reflect.ValueOf(v)
	return r.IsValid() && (r.Kind() == reflect.Slice || r.Kind() == reflect.Map) && r.Len() == 0
}

// hasOddKeys: encoding/json matches keys in any case and merges repeated ones; ours does neither.
func hasOddKeys(b []byte) bool {
	seen := map[string]bool{}
	dec := json.NewDecoder(strings.NewReader(string(b)))
	for {
		tok, err := dec.Token()
		if err != nil {
			return false
		}
		if s, ok := tok.(string); ok {
			if s != strings.ToLower(s) || seen[s] {
				return true
			}
			for _, r := range s {
				if r > 127 {
					return true // folds such as the long s
				}
			}
			seen[s] = true
		}
	}
}

func FuzzAmount(f *testing.F) {
	for _, seed := range []string{`1`, `"1"`, `""`, `null`, `-0.10`, `1e3`, `123456789012345678`, `1234567890123456789`, `0.1234567890123456789`, `1e-40`, `"+5"`, `"`, `.5`, `--1`, `1e999999999`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var a Amount
		if a.UnmarshalJSON(b) != nil {
			return
		}
		if a.Exponent() > maxAmountExponent || a.Exponent() < -maxAmountText {
			t.Fatalf("exponent %d", a.Exponent())
		}
		out, err := a.MarshalJSON()
		if err != nil || !json.Valid(out) || len(out) > 3*maxAmountText {
			t.Fatalf("%q is written as %q: %v", b, out, err)
		}
		var again Amount
		if err := again.UnmarshalJSON(out); err != nil && len(out) <= maxAmountText || err == nil && !again.Equal(a.Decimal) {
			t.Fatalf("%q becomes %s, then %s: %v", b, a, again, err)
		}
		if text := strings.Trim(string(b), `"`); text != "" && text != "null" {
			if want, err := decimal.NewFromString(text); err != nil || !want.Equal(a.Decimal) {
				t.Fatalf("%q is read as %s", b, a)
			}
		}
	})
}

func BenchmarkDecodeInvoice(b *testing.B) {
	file, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "zoho-openapi", "recorded-2026-06-09", "create-invoice.json"))
	if err != nil {
		b.Skip("no recordings beside the project")
	}
	var recs []struct {
		Response any `json:"response"`
	}
	if err := json.Unmarshal(file, &recs); err != nil {
		b.Fatal(err)
	}
	text, err := json.Marshal(recs[0].Response)
	if err != nil {
		b.Fatal(err)
	}
	for name, dec := range map[string]func([]byte, any) error{
		"own": func(b []byte, v any) error { return decode(b, v) }, "encoding-json": json.Unmarshal,
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				var a invoiceAnswer
				if err := dec(text, &a); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
