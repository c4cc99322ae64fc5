package processor

import (
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/schemas"
)

func dec(s string) decimal.Decimal { return decimal.RequireFromString(s) }

func optDec(s string) decimal.NullDecimal { return decimal.NewNullDecimal(dec(s)) }

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Skipf("time zone data is not there: %v", err)
	}
	return z
}

func instant(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

// company is an organisation with everything mapped.
func company(t testing.TB, edition, currency, zoneName string) *Organization {
	t.Helper()
	return &Organization{
		Name: "acme", ID: "10234695", Live: true, TimeZone: zone(t, zoneName), BaseCurrency: currency, Edition: edition,
		CurrencyIDs: map[string]string{currency: "cur-" + currency, "EUR": "cur-EUR", "USD": "cur-USD", "JPY": "cur-JPY", "KWD": "cur-KWD", "CLF": "cur-CLF"},
		Taxes: map[string]TaxTarget{
			"vat20":     {TaxID: "tax-20", Rate: dec("20")},
			"vat19":     {TaxID: "tax-19", Rate: dec("19")},
			"vat7":      {TaxID: "tax-7", Rate: dec("7")},
			"vat5":      {TaxID: "tax-5", Rate: dec("5")},
			"zero":      {TaxID: "tax-0", Rate: dec("0")},
			"exempt":    {ExemptionID: "exempt-1", Rate: dec("0")},
			"reverse":   {TaxID: "tax-rc", Rate: dec("0"), ReverseCharge: true},
			"state":     {TaxID: "tax-state", Rate: dec("6.25")},
			"cgst+sgst": {TaxID: "tax-gst18", Rate: dec("18"), Components: []TaxComponent{{Name: "cgst", Rate: dec("9")}, {Name: "sgst", Rate: dec("9")}}},
			"igst":      {TaxID: "tax-igst18", Rate: dec("18")},
			"gst5+qst": {TaxID: "tax-gst-qst", Rate: dec("14.5"), Components: []TaxComponent{
				{Name: "gst5", Rate: dec("5")}, {Name: "qst", Rate: dec("9.5"), Compound: true},
			}},
			"city+county+district+region": {TaxID: "tax-four-regions", Rate: dec("9.125"), Components: []TaxComponent{
				{Name: "region", Rate: dec("6.25")}, {Name: "county", Rate: dec("1")}, {Name: "city", Rate: dec("1.25")}, {Name: "district", Rate: dec("0.625")},
			}},
			"city+county+district+state": {TaxID: "tax-four", Rate: dec("9.125"), Components: []TaxComponent{
				{Name: "state", Rate: dec("6.25")}, {Name: "county", Rate: dec("1")}, {Name: "city", Rate: dec("1.25")}, {Name: "district", Rate: dec("0.625")},
			}},
		},
		TaxRounding: "entity_level",
		Items:       map[string]string{"SKU-1": "item-1", "SKU-2": "item-2"},
		LineTargets: map[string]LineTarget{
			"GOODS": {AccountID: "acc-sales"}, "GOODS/vat7": {AccountID: "acc-sales-7"}, "SERVICE": {AccountID: "acc-service"},
			"SHIPPING": {ItemID: "item-shipping"}, "FEE": {AccountID: "acc-fees"}, "TIP": {AccountID: "acc-tips"},
			"GIFT_CARD": {AccountID: "acc-gift-cards"}, "ROUNDING": {AccountID: "acc-rounding"},
		},
		Clearing:      map[string]string{"stripe/" + currency: "bank-stripe", "stripe/EUR": "bank-stripe-eur", "stripe/USD": "bank-stripe-usd"},
		FeeAccount:    "acc-bank-fees",
		PaymentModes:  map[string]string{"card": "creditcard", "cash": "cash"},
		Locations:     map[string]string{"berlin": "loc-1"},
		Fields:        Fields{Contact: testFields, Invoice: testFields, Payment: testFields, CreditNote: testFields},
		InvoicePolicy: "sent", MismatchPolicy: "flag", Tolerance: 1, ZeroTotal: "post", PaymentTerms: 14, LockPolicy: "reject",
	}
}

var testFields = EntityFields{Key: "cf_booksync_key", Origin: "cf_booksync_origin"}

const testOrigin = "commerce.orders/0/42 r1 abcdef"

// goods is a line of one kind of goods with its taxes; each tax is "code rate amount".
func goods(id, quantity, price string, taxes ...schemas.Tax) schemas.Line {
	return schemas.Line{
		LineID: id, Kind: schemas.LineGoods, Name: "Thing " + id, Quantity: dec(quantity), UnitPrice: dec(price), Taxes: taxes,
	}
}

func tax(code, rate, amount string) schemas.Tax {
	return schemas.Tax{Code: code, Rate: optDec(rate), Amount: dec(amount), CollectedBy: schemas.CollectedBySeller}
}

// orderOf is a created order of the lines.
func orderOf(currency, net, taxes, gross string, lines ...schemas.Line) *schemas.Order {
	return &schemas.Order{
		Event: schemas.Event{EventID: "e1", OccurredAt: instant("2026-03-10T10:00:00Z"), Source: "shop", Organization: "acme"},
		Kind:  schemas.OrderCreated, Revision: 1, OrderID: "O1", OrderNumber: "1001", Currency: currency,
		Customer: schemas.Party{
			ID: "C1", Name: "Ada Lovelace", Email: "Ada@Example.com", Phone: "+44 20 7946 0000",
			BillingAddress: &schemas.Address{Line1: "12 St James's Square", City: "London", PostalCode: "SW1Y 4JH", Country: "GB"},
		},
		Lines: lines, Totals: schemas.Totals{Net: dec(net), Tax: dec(taxes), Gross: dec(gross)},
		PlacedAt: instant("2026-03-10T10:00:00Z"),
	}
}

func paymentOf(amount, currency string) *schemas.Payment {
	return &schemas.Payment{
		Event: schemas.Event{EventID: "e2", Organization: "acme"}, Kind: schemas.PaymentCaptured, PaymentID: "P1", OrderID: "O1",
		Amount: dec(amount), Currency: currency, Method: "card", Gateway: "Stripe", GatewayReference: "ch_1",
		ReceivedAt: instant("2026-03-10T10:05:00Z"),
	}
}

func refundOf(amount, currency string) *schemas.Refund {
	return &schemas.Refund{
		Event: schemas.Event{EventID: "e3", Organization: "acme"}, RefundID: "R1", OrderID: "O1", PaymentID: "P1", Amount: dec(amount),
		Currency: currency, Method: "card", Gateway: "stripe", GatewayReference: "re_1", Reason: "Too small",
		RefundedAt: instant("2026-03-20T10:00:00Z"),
	}
}

// posted is the state of an order whose invoice was created as planned.
func posted(t testing.TB, o *schemas.Order, org *Organization) *OrderState {
	t.Helper()
	plan, r := planInvoice(o, org, "contact-1", testOrigin)
	if r != nil {
		t.Fatalf("planning the invoice: %v", r)
	}
	return stateAfter(o, plan)
}

func stateAfter(o *schemas.Order, plan *invoicePlan) *OrderState {
	st := &OrderState{ContactID: "contact-1", Currency: o.Currency, ExchangeRate: o.ExchangeRate, InclusiveTax: o.PricesIncludeTax}
	req := plan.Request
	st.Invoice = &InvoiceState{
		ID: "inv-1", Number: "INV-000001", Date: req.Date, Status: "sent", Total: plan.Total, Tax: plan.Tax,
		Adjustment: req.Adjustment.Decimal, PlaceOfSupply: req.PlaceOfSupply, GSTTreatment: req.GSTTreatment, GSTNo: req.GSTNo,
		VATTreatment: req.VATTreatment, TaxTreatment: req.TaxTreatment, LocationID: req.LocationID,
		ReverseCharge: req.ReverseCharge, TaxAuthorityID: req.TaxAuthorityID,
	}
	for i, l := range plan.Lines {
		l.InvoiceItemID = "line-" + string(rune('a'+i%26)) + l.LineID
		if l.AccountID == "" {
			l.AccountID = "acc-of-" + l.ItemID
		}
		st.Invoice.Lines = append(st.Invoice.Lines, l)
	}
	return st
}

// pay adds a payment to the state, applied as planPayment does.
func (s *OrderState) pay(amount string) *OrderState {
	applied := decimal.Min(dec(amount), s.Balance())
	n := len(s.Payments)
	id := string(rune('1' + n))
	s.Payments = append(s.Payments, PaymentState{
		PaymentID: "P" + id, DocumentID: "pay-" + id, Amount: dec(amount), Applied: applied, Excess: dec(amount).Sub(applied),
		AccountID: "bank-stripe", Currency: s.Currency,
	})
	return s
}

// after adds what a refund's plan did.
func (s *OrderState) after(plan *refundPlan) *OrderState {
	if c := plan.Credit; c != nil {
		cr := CreditState{Key: c.Key, DocumentID: "cn-" + c.Key, Total: c.Total, Applied: c.Apply, Lines: c.Lines}
		if plan.FromCredit != nil {
			cr.Refunded = plan.FromCredit.Amount.Decimal
		}
		s.Credits = append(s.Credits, cr)
	}
	for i := range s.Credits {
		for _, n := range plan.FromNotes {
			if s.Credits[i].DocumentID == n.NoteID {
				s.Credits[i].Refunded = s.Credits[i].Refunded.Add(n.Request.Amount.Decimal)
			}
		}
	}
	for _, e := range plan.FromExcess {
		for i := range s.Payments {
			if s.Payments[i].DocumentID == e.PaymentDocumentID {
				s.Payments[i].Refunded = s.Payments[i].Refunded.Add(e.Request.Amount.Decimal)
			}
		}
	}
	return s
}

// cancelled adds what a cancellation's plan did.
func (s *OrderState) cancelled(plan *cancelPlan) *OrderState {
	s.Cancelled = true
	if plan.Void {
		s.Invoice.Status = invoiceVoid
	}
	if c := plan.Credit; c != nil {
		s.Credits = append(s.Credits, CreditState{Key: c.Key, DocumentID: "cn-cancel", Total: c.Total, Applied: c.Apply, Lines: c.Lines})
	}
	return s
}
