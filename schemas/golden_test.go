package schemas

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
	"github.com/twmb/avro"
)

// The golden bytes are single-object encodings written by twmb/avro (with -update), never by the codec under test:
// golden/<kind>.new.hex with the newest schema, golden/<kind>.old.hex with the older one in testdata/writers, which has
// other names, orders, types and unions, lacks fields and has others. golden/<kind>.fastavro.hex was written by Python's
// fastavro, see golden/README.md.

func TestEveryWriterVersionIsReadAsOneRecord(t *testing.T) {
	t.Parallel()
	c := mustCodec(t, WithWriterSchemas(oldSchemas(t)...))
	for _, rt := range roundTrips() {
		for version, want := range map[string]any{"new": rt.sample, "old": oldRecord(rt.kind), "fastavro": rt.sample} {
			t.Run(string(rt.kind)+" "+version, func(t *testing.T) {
				t.Parallel()
				path := filepath.Join("testdata", "golden", string(rt.kind)+"."+version+".hex")
				if *update && version != "fastavro" {
					writeGolden(t, path, rt, version)
				}
				got, _, err := rt.decode(c, readHex(t, path), nil)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, got, sameDecimals); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
}

func oldSchemas(t testing.TB) []string {
	t.Helper()
	var texts []string
	for _, kind := range Kinds() {
		texts = append(texts, readFile(t, "testdata", "writers", string(kind)+".avsc"))
	}
	return texts
}

func readFile(t testing.TB, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func readHex(t testing.TB, path string) []byte {
	t.Helper()
	value, err := hex.DecodeString(strings.Join(strings.Fields(readFile(t, path)), ""))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return value
}

func writeGolden(t *testing.T, path string, rt roundTrip, version string) {
	t.Helper()
	schema := avro.MustParse(Schema(rt.kind))
	text, err := rt.toJSON(rt.sample)
	if err != nil {
		t.Fatal(err)
	}
	if version == "old" {
		schema = avro.MustParse(readFile(t, "testdata", "writers", string(rt.kind)+".avsc"))
		text = []byte(readFile(t, "testdata", "writers", string(rt.kind)+".json"))
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var datum any
	if err := d.Decode(&datum); err != nil {
		t.Fatal(err)
	}
	value, err := schema.AppendSingleObject(nil, datum)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for h := hex.EncodeToString(value); h != ""; {
		n := min(len(h), 100)
		out.WriteString(h[:n] + "\n")
		h = h[n:]
	}
	if err := os.WriteFile(path, []byte(out.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// oldRecord is what the record in testdata/writers/<kind>.json is to us.
func oldRecord(kind Kind) any {
	event := Event{EventID: "old-1", OccurredAt: noon, Source: "webshop", Organization: "acme-eu", Location: "berlin"}
	exact := noon.Truncate(1e9)
	party := Party{
		ID: "C-77", Name: "Ann Zürcher", Email: "ann@example.com", Company: "Zürcher GmbH", TaxNumber: "DE123456789",
		BillingAddress:  &Address{Line1: "Hauptstr. 1", City: "Berlin", PostalCode: "10115", Country: "DE"},
		ShippingAddress: &Address{Line1: "Lager 2", City: "Potsdam", PostalCode: "14467", Country: "DE", Phone: "+49 331 1"},
	}
	switch kind {
	case KindOrder:
		return &Order{
			Event: event, Kind: OrderUpdated, Revision: 5, OrderID: "O-1", OrderNumber: "1001", Currency: "EUR", PricesIncludeTax: true, Customer: party,
			Lines: []Line{
				{LineID: "L1", Kind: LineGoods, SKU: "SKU-1", Name: "Thing", Quantity: dec("2.125"), UnitPrice: dec("49.99"), Discount: dec("0.5"),
					Taxes: []Tax{{Code: "VAT19", Rate: null("19"), Amount: dec("19"), CollectedBy: CollectedByMarketplace}}},
				{LineID: "L2", Kind: LineGoods, SKU: "SKU-2", Name: "Thing", Description: "returned", Quantity: dec("-3"), UnitPrice: dec("-100.01"), Discount: dec("0.5")},
			},
			Totals: Totals{Net: dec("100"), Tax: dec("19"), Gross: dec("119")}, PlacedAt: exact.Add(-60e9), Notes: "x",
		}
	case KindPayment:
		return &Payment{
			Event: event, Kind: PaymentDisputed, PaymentID: "P-1", OrderID: "O-1", Amount: dec("119"), Currency: "EUR", ExchangeRate: null("1.0825"),
			Method: "card", Gateway: "stripe", GatewayReference: "ch_1", Fee: &Fee{Amount: dec("2.95"), Currency: "EUR"}, ReceivedAt: exact,
		}
	case KindRefund:
		return &Refund{
			Event: event, RefundID: "R-1", OrderID: "O-1", PaymentID: "P-1", Amount: dec("9999999.99"), CreditTotal: null("10000000"), Currency: "EUR",
			Method: "card", Gateway: "stripe", GatewayReference: "re_1", RefundedAt: exact,
		}
	case KindCustomer:
		party.TaxNumber, party.ShippingAddress, party.BillingAddress.Attention = "DE1", nil, "Ann"
		return &Customer{Event: event, Customer: party, ChangedAt: exact}
	case KindOutcome:
		return &Outcome{
			OutcomeID: "o-1", Status: StatusRejected, Workflow: "order", Source: Source{Topic: "commerce.orders", Partition: 1, Offset: 2_000_000_000},
			Posted: decimal.NewNullDecimal(dec("12.5")), Calls: 2, Error: &Failure{Class: ClassDecode, Message: "broken"},
			Timings: Timings{Queued: 1, Called: 2, Total: 3}, Version: "0.0.9", ConfigHash: "abc", SettledAt: exact,
		}
	case KindReconciliation:
		return &Reconciliation{
			ReconciliationID: "r-1", Organization: "acme-eu", Since: "2025-03-01", Until: "2025-03-31", StartedAt: exact, Counts: map[string]int64{"matched": 3},
			Exceptions: []Discrepancy{{ID: "x", Status: "missing_in_books", Workflow: "order", BusinessID: "O-1", Message: "m"}}, Version: "0.0.9",
		}
	default:
		return &AuditEntry{
			AuditID: "a-1", At: exact, Actor: "sre", Action: "discard", Organization: "acme-eu", Reason: "test", Counts: map[string]int64{"discarded": 3}, Version: "0.0.9",
		}
	}
}
