package schemas

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const minimalPayment = `{"event_id":"e","occurred_at":"2025-03-14T13:00:00.159+01:00","source":"s","organization":"o","kind":"CAPTURED","payment_id":"P","order_id":"O",
"amount":10.50,"currency":"EUR","method":"card","gateway":"g","gateway_reference":"","received_at":"2025-03-14T12:00:00.159Z"}`

func TestOptionalFieldsMayBeLeftOut(t *testing.T) {
	t.Parallel()
	got, err := PaymentFromJSON([]byte(minimalPayment))
	if err != nil {
		t.Fatal(err)
	}
	want := &Payment{
		Event: Event{EventID: "e", OccurredAt: noon, Source: "s", Organization: "o"}, Kind: PaymentCaptured, PaymentID: "P", OrderID: "O",
		Amount: dec("10.5"), Currency: "EUR", Method: "card", Gateway: "g", ReceivedAt: noon,
	}
	if diff := cmp.Diff(want, got, sameDecimals); diff != "" {
		t.Error(diff)
	}
	text, err := PaymentToJSON(got)
	if err != nil {
		t.Fatal(err)
	}
	const form = `{"event_id":"e","occurred_at":"2025-03-14T12:00:00.159Z","source":"s","organization":"o","location":null,"test":false,"attributes":{},"kind":"CAPTURED",` +
		`"payment_id":"P","order_id":"O","amount":"10.5","currency":"EUR","exchange_rate":null,"method":"card","gateway":"g","gateway_reference":"","fee":null,"payout_id":null,` +
		`"received_at":"2025-03-14T12:00:00.159Z","allocations":[]}`
	if string(text) != form {
		t.Errorf("got  %s\nwant %s", text, form)
	}
}

func TestJSONIsReadStrictly(t *testing.T) {
	t.Parallel()
	with := func(old, with string) string {
		if !strings.Contains(minimalPayment, old) {
			panic(old)
		}
		return strings.Replace(minimalPayment, old, with, 1)
	}
	amount := func(v string) string { return with(`10.50`, v) }
	add := func(field string) string { return with(`"source"`, field+`,"source"`) }
	tests := []struct{ name, field, text string }{
		{"unknown field", "colour", add(`"colour":1`)},
		{"unknown field within", "allocations[1].colour", add(`"allocations":[{"order_id":"a","amount":1},{"colour":1}]`)},
		{"unknown field with an odd name", `"a\"b"`, add(`"a\"b":1`)},
		{"field twice", "payment_id", add(`"payment_id":"x"`)},
		{"required field missing", "payment_id", with(`"payment_id":"P",`, "")},
		{"required field missing within", "allocations[0].amount", add(`"allocations":[{"order_id":"a"}]`)},
		{"required field null", "amount", amount(`null`)},
		{"item null", "allocations[0]", add(`"allocations":[null]`)},
		{"empty id", "order_id", with(`"O"`, `""`)},
		{"number for a string", "source", with(`"s"`, `5`)},
		{"string for an object", "fee", add(`"fee":"x"`)},
		{"object for a string", "source", with(`"s"`, `{}`)},
		{"object for an array", "allocations", add(`"allocations":{}`)},
		{"array for a map", "attributes", add(`"attributes":[]`)},
		{"number in a map of strings", `attributes["a"]`, add(`"attributes":{"a":1}`)},
		{"null in a map of strings", `attributes["a"]`, add(`"attributes":{"a":null}`)},
		{"string for a boolean", "test", add(`"test":"true"`)},
		{"unknown symbol", "kind", with("CAPTURED", "captured")},
		{"amount with too many decimals", "amount", amount(`10.00001`)},
		{"amount too large", "amount", amount(`1e14`)},
		{"amount with a huge exponent", "amount", amount(`1e999999999`)},
		{"amount with a tiny exponent", "amount", amount(`1e-999999999`)},
		{"amount of many digits", "amount", amount(`1.` + strings.Repeat("0", 100))},
		{"amount in words", "amount", amount(`"ten"`)},
		{"amount with spaces", "amount", amount(`" 10"`)},
		{"amount empty", "amount", amount(`""`)},
		{"amount boolean", "amount", amount(`true`)},
		{"amount infinite", "amount", amount(`"Infinity"`)},
		{"instant without zone", "received_at", with(`"2025-03-14T12:00:00.159Z"`, `"2025-03-14T12:00:00"`)},
		{"instant as number", "received_at", with(`"2025-03-14T12:00:00.159Z"`, `1741953600159`)},
		{"instant before 1970", "received_at", with(`2025-03-14T12`, `1969-03-14T12`)},
		{"cut short", "", minimalPayment[:len(minimalPayment)-1]},
		{"more than one object", "", minimalPayment + "{}"},
		{"an array", "", "[]"},
		{"nothing", "", ""},
		{"a string", "", `"x"`},
		{"invalid UTF-8", "", with("card", "\xff")},
		{"too long", "", with("card", strings.Repeat("x", DefaultMaxBytes))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := PaymentFromJSON([]byte(tt.text))
			wantError(t, err, ClassDecode, tt.field)
		})
	}
}

func TestWholeNumbersInJSONAreChecked(t *testing.T) {
	t.Parallel()
	text, err := OutcomeToJSON(sampleOutcome())
	if err != nil {
		t.Fatal(err)
	}
	for field, change := range map[string][2]string{
		"source.partition": {`"partition":4`, `"partition":2147483648`},
		"source.offset":    {`"offset":123456`, `"offset":1.5`},
		"calls":            {`"calls":1`, `"calls":"1"`},
		"timings.queued":   {`"queued":3`, `"queued":9223372036854775808`},
	} {
		_, err := OutcomeFromJSON([]byte(strings.Replace(string(text), change[0], change[1], 1)))
		wantError(t, err, ClassDecode, field)
	}
}

func TestMoneyInJSONIsNeverAFloat(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`99999999999999.9999`, `"99999999999999.9999"`, `-0.0001`, `1.5e3`, `1E2`} {
		got, err := PaymentFromJSON([]byte(strings.Replace(minimalPayment, "10.50", text, 1)))
		if err != nil {
			t.Error(err)
			continue
		}
		if want := dec(strings.Trim(text, `"`)); !got.Amount.Equal(want) {
			t.Errorf("%s read as %s", text, got.Amount)
		}
	}
}
