package schemas

import (
	"time"

	"github.com/shopspring/decimal"
)

func dec(s string) decimal.Decimal { return decimal.RequireFromString(s) }

func null(s string) decimal.NullDecimal { return decimal.NewNullDecimal(dec(s)) }

var noon = time.Date(2025, 3, 14, 12, 0, 0, 159e6, time.UTC)

func sampleEvent(id string) Event {
	return Event{
		EventID: id, OccurredAt: noon, Source: "webshop", Organization: "acme-eu", Location: "berlin",
		Attributes: map[string]string{"campaign": "spring", "note": "naïve ☕"},
	}
}

func sampleParty() Party {
	return Party{
		ID: "C-77", Name: "Ann Zürcher", Email: "ann@example.com", Phone: "+49 30 1234", Company: "Zürcher GmbH",
		TaxNumber: "DE123456789", TaxTreatment: "vat_registered",
		BillingAddress:  &Address{Attention: "Ann", Line1: "Hauptstr. 1", City: "Berlin", PostalCode: "10115", Country: "DE"},
		ShippingAddress: &Address{Line1: "Lager 2", Line2: "Tor 5", City: "Potsdam", State: "BB", PostalCode: "14467", Country: "DE", Phone: "+49 331 1"},
	}
}

// sampleOrder is a typical order: five lines, taxed.
func sampleOrder() *Order {
	o := &Order{
		Event: sampleEvent("e-1"), Kind: OrderCreated, Revision: 3, OrderID: "O-1001", OrderNumber: "1001", Currency: "EUR",
		ExchangeRate: null("1.0823456789"), Customer: sampleParty(),
		Discounts:     []Discount{{Amount: dec("5.00"), BeforeTax: true, Code: "SPRING"}},
		Totals:        Totals{Net: dec("1234.56"), Tax: dec("234.57"), Gross: dec("1469.13")},
		PlaceOfSupply: "DE", PlacedAt: noon.Add(-time.Minute), DueAt: noon.Add(14 * 24 * time.Hour), Notes: "leave at the door",
	}
	for i, kind := range []LineKind{LineGoods, LineGoods, LineService, LineGoods, LineShipping} {
		o.Lines = append(o.Lines, Line{
			LineID: "L" + string(rune('1'+i)), Kind: kind, SKU: "SKU-100" + string(rune('1'+i)), Name: "Thing number " + string(rune('1'+i)),
			Quantity: decimal.NewFromInt(int64(i + 1)), UnitPrice: dec("49.990000"), Discount: dec("0"), Net: null("49.99"),
			Taxes: []Tax{{Code: "VAT19", Rate: null("19"), Amount: dec("9.4981"), CollectedBy: CollectedBySeller}}, HSNOrSAC: "8471",
		})
	}
	return o
}

func samplePayment() *Payment {
	return &Payment{
		Event: sampleEvent("e-2"), Kind: PaymentCaptured, PaymentID: "P-1", OrderID: "O-1001", Amount: dec("1469.13"), Currency: "EUR",
		ExchangeRate: null("1.08"), Method: "card", Gateway: "stripe", GatewayReference: "ch_123", Fee: &Fee{Amount: dec("2.95"), Currency: "EUR"},
		PayoutID: "po_9", ReceivedAt: noon,
		Allocations: []Allocation{{OrderID: "O-1001", Amount: dec("1400.13")}, {OrderID: "O-1002", Amount: dec("69")}},
	}
}

func sampleRefund() *Refund {
	return &Refund{
		Event: sampleEvent("e-3"), RefundID: "R-1", OrderID: "O-1001", PaymentID: "P-1", Amount: dec("59.49"), CreditTotal: null("60.00"), Currency: "EUR",
		ExchangeRate: null("1.08"), Reason: "broken",
		Lines: []RefundLine{{LineID: "L1", Quantity: dec("1"), Amount: dec("59.49"),
			Taxes: []Tax{{Code: "VAT19", Rate: null("19"), Amount: dec("9.50"), CollectedBy: CollectedByMarketplace}}}},
		Method: "card", Gateway: "stripe", GatewayReference: "re_1", FeeReturned: &Fee{Amount: dec("0.25"), Currency: "EUR"}, RefundedAt: noon,
	}
}

func sampleCustomer() *Customer {
	return &Customer{Event: sampleEvent("e-4"), Customer: sampleParty(), ChangedAt: noon}
}

func sampleOutcome() *Outcome {
	return &Outcome{
		OutcomeID: "b1946ac92492d234", Status: StatusPosted, Workflow: "order", Organization: "acme-eu", BusinessID: "O-1001", OrderID: "O-1001", Revision: 3,
		Source: Source{Topic: "commerce.orders", Partition: 4, Offset: 123456, Timestamp: noon, EventID: "e-1"},
		Documents: []Document{{Type: "invoice", ID: "460000000026049", Number: "INV-00012", URL: "https://books.zoho.eu/app/1#/invoices/460000000026049",
			Status: "sent", Date: "2025-03-14", Total: dec("1469.13"), Tax: dec("234.57"), Balance: dec("1469.13"), Account: "Sales", BaseTotal: null("1590.11")}},
		InvoiceAfter: &InvoiceAfter{Status: "sent", Balance: dec("1469.13")}, Currency: "EUR",
		Expected: null("1469.13"), Posted: null("1469.13"), Difference: null("0"), Calls: 1, Attempts: 1, Reason: "remark",
		Timings: Timings{Queued: 3, WaitedForBudget: 12, Called: 204, Total: 221},
		TraceID: "4bf92f3577b34da6a3ce929d0e0e4736", Version: "0.1.0", ConfigHash: "9f86d081", SettledAt: noon.Add(time.Second),
	}
}

func sampleAudit() *AuditEntry {
	return &AuditEntry{
		AuditID: "a-1", At: noon, Actor: "sre@acme", Action: "replay", Organization: "acme-eu", Workflow: "payment", Selector: "class=exhausted",
		Reason: "Zoho was down", Counts: map[string]int64{"replayed": 12, "skipped": 1}, Details: map[string]string{"ticket": "OPS-9"}, Version: "0.1.0",
	}
}

func sampleReconciliation() *Reconciliation {
	return &Reconciliation{
		ReconciliationID: "r-1", Organization: "acme-eu", Since: "2025-03-01", Until: "2025-03-31", StartedAt: noon, Duration: 4200, Calls: 17,
		StartedBy: "schedule", Counts: map[string]int64{"matched": 1200, "amount_mismatch": 1}, NotOurs: 3,
		Sums: []DaySum{{Day: "2025-03-14", Workflow: "order", Currency: "EUR", Events: dec("1469.13"), Outcomes: dec("1469.13"), Books: dec("1469.12")}},
		Exceptions: []Discrepancy{{
			ID: "order:O-1001~1a2b3c4d", Status: "amount_mismatch", Workflow: "order", BusinessID: "O-1001", OrderID: "O-1001", Day: "2025-03-14",
			Currency: "EUR", DocumentID: "460000000026049", Events: null("1469.13"), Outcomes: null("1469.13"), Books: null("1469.12"), Message: "total",
		}},
		LeftOut: 2, Version: "0.1.0",
	}
}
