package schemas

import (
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
)

func TestValuesThatDoNotFitAreRefusedByField(t *testing.T) {
	t.Parallel()
	c := mustCodec(t)
	tests := []struct {
		name, field string
		change      func(*Order)
	}{
		{"decimals beyond the scale", "lines[1].discount", func(o *Order) { o.Lines[1].Discount = dec("1.00001") }},
		{"negative decimals beyond the scale", "totals.net", func(o *Order) { o.Totals.Net = dec("-1.00001") }},
		{"digits beyond the precision", "totals.gross", func(o *Order) { o.Totals.Gross = dec("100000000000000") }},
		{"very large decimals", "totals.gross", func(o *Order) { o.Totals.Gross = decimal.New(1, math.MaxInt32) }},
		{"very small decimals", "totals.gross", func(o *Order) { o.Totals.Gross = decimal.New(1, math.MinInt32) }},
		{"very long decimals", "totals.gross", func(o *Order) {
			o.Totals.Gross = decimal.NewFromBigInt(new(big.Int).Lsh(big.NewInt(1), 100_000), -4)
		}},
		{"quantity", "lines[0].quantity", func(o *Order) { o.Lines[0].Quantity = dec("0.0000001") }},
		{"unit price", "lines[4].unit_price", func(o *Order) { o.Lines[4].UnitPrice = dec("1000000000000") }},
		{"rate", "lines[0].taxes[0].rate", func(o *Order) { o.Lines[0].Taxes[0].Rate = null("19.0000001") }},
		{"exchange rate", "exchange_rate", func(o *Order) { o.ExchangeRate = null("0.00000000001") }},
		{"no billing address", "customer.billing_address", func(o *Order) { o.Customer.BillingAddress = nil }},
		{"instant before 1970", "placed_at", func(o *Order) { o.PlacedAt = time.Time{} }},
		{"instant after 9999", "due_at", func(o *Order) { o.DueAt = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC) }},
		{"instant of the largest number", "occurred_at", func(o *Order) { o.OccurredAt = time.Unix(math.MaxInt64, 0) }},
		{"unknown kind", "kind", func(o *Order) { o.Kind = "ARCHIVED" }},
		{"unknown line kind", "lines[2].kind", func(o *Order) { o.Lines[2].Kind = "" }},
		{"unknown collector", "lines[3].taxes[0].collected_by", func(o *Order) { o.Lines[3].Taxes[0].CollectedBy = "x" }},
		{"empty order id", "order_id", func(o *Order) { o.OrderID = "" }},
		{"empty line id", "lines[0].line_id", func(o *Order) { o.Lines[0].LineID = "" }},
		{"invalid UTF-8", "customer.shipping_address.city", func(o *Order) { o.Customer.ShippingAddress.City = "\xff" }},
		{"invalid UTF-8 in an id", "event_id", func(o *Order) { o.EventID = "\xc3\x28" }},
		{"invalid UTF-8 in a nullable string", "discounts[0].code", func(o *Order) { o.Discounts[0].Code = "\xff" }},
		{"invalid UTF-8 in a map's key", "attributes", func(o *Order) { o.Attributes = map[string]string{"\xff": ""} }},
		{"invalid UTF-8 in a map's value", "attributes", func(o *Order) { o.Attributes = map[string]string{"a": "\xff"} }},
		{"first of two", "order_id", func(o *Order) { o.OrderID, o.Notes = "", "\xff" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			order := sampleOrder()
			tt.change(order)
			value, err := c.EncodeOrder(t.Context(), "", order)
			if value != nil {
				t.Error("bytes came with the error")
			}
			wantError(t, err, ClassEncode, tt.field)
			if _, err := OrderToJSON(order); err == nil {
				t.Error("accepted as JSON")
			}
		})
	}
}

func TestNilIsRefused(t *testing.T) {
	t.Parallel()
	_, err := mustCodec(t).EncodeOutcome(t.Context(), "", nil)
	wantError(t, err, ClassEncode, "")
	_, err = RefundToJSON(nil)
	wantError(t, err, ClassEncode, "")
}

func TestAnOutcomeIsToldWhateverItsRecordSaid(t *testing.T) {
	t.Parallel()
	c := mustCodec(t)
	for name, stamp := range map[string]time.Time{"none": {}, "before 1970": time.UnixMilli(-1), "beyond": time.UnixMilli(math.MaxInt64)} {
		v := &Outcome{
			OutcomeID: "o", Status: StatusRejected, Workflow: "order", Source: Source{Topic: "t", Timestamp: stamp}, SettledAt: noon,
			Reason: "odd \xff", Error: &Failure{Class: ClassDecode, Message: "bytes \xff\xfe"},
		}
		value, err := c.EncodeOutcome(t.Context(), "", v)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, _, err := c.DecodeOutcome(t.Context(), value, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		v.Source.Timestamp, v.Reason, v.Error.Message = time.Time{}, "odd \uFFFD", "bytes \uFFFD"
		if diff := cmp.Diff(v, got, sameDecimals); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestEncodersAreReusedWithoutATrace(t *testing.T) {
	t.Parallel()
	c := mustCodec(t)
	full, bare := sampleOrder(), &Order{
		Event: Event{EventID: "e", OccurredAt: noon, Organization: "o"}, Kind: OrderCancelled, OrderID: "O", Currency: "EUR", PlacedAt: noon,
		Customer: Party{ID: "c", BillingAddress: &Address{}}, Discounts: []Discount{{}},
	}
	full.Lines = append(full.Lines, full.Lines...)
	for range 20 {
		for _, want := range []*Order{full, bare} {
			value, err := c.EncodeOrder(t.Context(), "", want)
			if err != nil {
				t.Fatal(err)
			}
			got, _, err := c.DecodeOrder(t.Context(), value, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, sameDecimals); diff != "" {
				t.Fatal(diff)
			}
		}
	}
}

func TestDecimalsAreExactInBothDirections(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"0", "1", "-1", "0.0001", "-0.0001", "1.27", "1.28", "-1.28", "-1.29", "3.2767", "3.2768", "-3.2768", "-3.2769", "12.7000",
		"99999999999999.9999", "-99999999999999.9999", "922337203685.4775", "1e3", "-25e2",
	} {
		want := dec(text)
		n, problem := unscaled(want, scaleMoney, precision)
		if problem != "" {
			t.Errorf("%s: %s", text, problem)
			continue
		}
		b := appendUnscaled(nil, n)
		got, problem := decimalFromBytes(b, scaleMoney, precision)
		if problem != "" || !got.Equal(want) {
			t.Errorf("%s came back as %s %s from %x", text, got, problem, b)
		}
		// padded, as from a fixed
		padded := append([]byte{byte(int8(want.Sign()) >> 7)}, b...)
		if got, problem = decimalFromBytes(padded, scaleMoney, precision); problem != "" || !got.Equal(want) {
			t.Errorf("%s came back as %s %s from %x", text, got, problem, padded)
		}
		// by the long way
		big := decimal.NewFromBigInt(want.Coefficient(), want.Exponent()).Mul(decimal.New(1, 30)).Div(decimal.New(1, 30))
		if m, problem := unscaledBig(big, int64(big.Exponent())+scaleMoney); problem != "" || m != n {
			t.Errorf("%s: %d by the long way, %d by the short: %s", text, m, n, problem)
		}
	}
}

func TestDecimalsThatAreNotAreRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		bytes     []byte
		precision int
	}{
		"no bytes":                           {nil, 18},
		"above the precision":                {appendUnscaled(nil, 1000), 3},
		"below the precision":                {appendUnscaled(nil, -1000), 3},
		"nine bytes above the precision":     {[]byte{1, 0, 0, 0, 0, 0, 0, 0, 0}, 18},
		"nine bytes below the precision":     {[]byte{0xfe, 0, 0, 0, 0, 0, 0, 0, 0}, 18},
		"seventeen bytes":                    {append([]byte{1}, make([]byte, 16)...), 60},
		"a megabyte":                         {[]byte(strings.Repeat("\x01", 1<<20)), 60},
		"eight bytes of eighteen digits + 1": {appendUnscaled(nil, 1_000_000_000_000_000_000), 18},
	} {
		if d, problem := decimalFromBytes(tt.bytes, 4, tt.precision); problem == "" {
			t.Errorf("%s: accepted as %s", name, d)
		}
	}
	got, problem := decimalFromBytes(append([]byte{0x01}, make([]byte, 8)...), 4, 38)
	if want := "1844674407370955.1616"; problem != "" || got.String() != want {
		t.Errorf("2^64 = %s %s, want %s", got, problem, want)
	}
	got, problem = decimalFromBytes(append([]byte{0xff, 0x7f}, make([]byte, 8)...), 0, 38)
	if want := "-2361183241434822606848"; problem != "" || got.String() != "-"+new(big.Int).Lsh(big.NewInt(0x81), 64).String() {
		t.Errorf("got %s %s, not %s", got, problem, want)
	}
}
