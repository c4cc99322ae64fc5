package processor

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/booksync/booksync/schemas"
)

var updateGolden = flag.Bool("update", false, "write the golden files anew")

// golden compares v, as JSON, with testdata/plan/<name>.json.
func golden(t *testing.T, name string, v any) {
	t.Helper()
	got, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	path := filepath.Join("testdata", "plan", name+".json")
	if *updateGolden {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (run the test with -update to write it)", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// checked is an order that must pass the check.
func checked(t *testing.T, o *schemas.Order, org *Organization) *schemas.Order {
	t.Helper()
	if a, r := checkOrder(o, org); r != nil {
		t.Fatalf("%v\n%s", r, a)
	}
	return o
}

func TestPlanInvoiceGolden(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(t *testing.T) (*schemas.Order, *Organization){
		"invoice_us": func(t *testing.T) (*schemas.Order, *Organization) {
			four := []schemas.Tax{tax("state", "6.25", "1.25"), tax("county", "1", "0.20"), tax("city", "1.25", "0.25"), tax("district", "0.625", "0.13")}
			shipping := goods("2", "1", "4.99")
			shipping.Kind, shipping.Name = schemas.LineShipping, "UPS Ground"
			o := orderOf("USD", "24.99", "1.83", "26.82", goods("1", "2", "9.999999", four...), shipping)
			o.Customer.BillingAddress = &schemas.Address{Line1: "1 Main St", City: "Austin", State: "TX", PostalCode: "78701", Country: "US"}
			return o, company(t, "us", "USD", "America/Chicago")
		},
		"invoice_gb_discounts": func(t *testing.T) (*schemas.Order, *Organization) {
			a, b := goods("1", "3", "10", tax("vat20", "20", "5.09")), goods("2", "1", "5.55", tax("vat5", "5", "0.25"))
			a.Discount, a.SKU = dec("1.50"), "SKU-1"
			o := orderOf("GBP", "30.38", "5.34", "35.72", a, b)
			o.Discounts = []schemas.Discount{{Amount: dec("3.67"), BeforeTax: true, Code: "SPRING"}}
			o.Location = "berlin"
			o.Notes = "Leave it at the door.\r\nThank\u0007 you"
			return o, company(t, "uk", "GBP", "Europe/London")
		},
		"invoice_in_group": func(t *testing.T) (*schemas.Order, *Organization) {
			l := goods("1", "1", "1000", tax("sgst", "9", "90"), tax("cgst", "9", "90"))
			l.HSNOrSAC = "6109"
			o := orderOf("INR", "1000", "180", "1180", l)
			o.Customer.TaxNumber, o.PlaceOfSupply = "29 aabcu9603r 1zj", "KA"
			o.Customer.BillingAddress = &schemas.Address{City: "Bengaluru", State: "KA", Country: "IN"}
			org := company(t, "in", "INR", "Asia/Kolkata")
			org.RoundOff = "1"
			return o, org
		},
		"invoice_de_inclusive": func(t *testing.T) (*schemas.Order, *Organization) {
			o := orderOf("EUR", "43.90", "6.10", "50.00", goods("1", "1", "20", tax("vat7", "7", "1.31")), goods("2", "1", "30", tax("vat19", "19", "4.79")))
			o.PricesIncludeTax = true
			o.DueAt = instant("2026-04-09T21:59:00Z")
			return o, company(t, "eu", "EUR", "Europe/Berlin")
		},
		"invoice_jpy": func(t *testing.T) (*schemas.Order, *Organization) {
			o := orderOf("JPY", "1234", "0", "1234", goods("1", "1", "1234", tax("zero", "0", "0")))
			o.ExchangeRate = optDec("0.0061")
			return o, company(t, "uk", "GBP", "Europe/London")
		},
		"invoice_kwd": func(t *testing.T) (*schemas.Order, *Organization) {
			o := orderOf("KWD", "3.336", "0.167", "3.503", goods("1", "3", "1.112", tax("vat5", "5", "0.167")))
			o.Customer.TaxTreatment, o.Customer.TaxNumber, o.PlaceOfSupply = "gcc_vat_registered", "100000000000003", "KW"
			return o, company(t, "gcc", "KWD", "Asia/Kuwait")
		},
		"invoice_rounding_difference": func(t *testing.T) (*schemas.Order, *Organization) {
			vat := func() schemas.Tax { return tax("vat19", "19", "0.62") } // 1.86 by line, Zoho makes 1.85 of it
			o := orderOf("EUR", "9.75", "1.86", "11.61", goods("1", "1", "3.25", vat()), goods("2", "1", "3.25", vat()), goods("3", "1", "3.25", vat()))
			return o, company(t, "eu", "EUR", "Europe/Berlin")
		},
		"invoice_cash_rounding": func(t *testing.T) (*schemas.Order, *Organization) {
			rounding := goods("2", "1", "-0.02")
			rounding.Kind = schemas.LineRounding
			o := orderOf("EUR", "9.98", "0.70", "10.68", goods("1", "1", "10.00", tax("vat7", "7", "0.70")), rounding)
			return o, company(t, "eu", "EUR", "Europe/Berlin")
		},
		"invoice_tip_and_gift_card": func(t *testing.T) (*schemas.Order, *Organization) {
			tip, card := goods("2", "1", "2"), goods("3", "1", "50")
			tip.Kind, card.Kind = schemas.LineTip, schemas.LineGiftCard
			o := orderOf("USD", "62", "0.63", "62.63", goods("1", "1", "10", tax("state", "6.25", "0.63")), tip, card)
			return o, company(t, "us", "USD", "America/New_York")
		},
		"invoice_locked_period": func(t *testing.T) (*schemas.Order, *Organization) {
			o := orderOf("GBP", "10", "0", "10", goods("1", "1", "10"))
			org := company(t, "uk", "GBP", "Europe/London")
			org.LockedUntil, org.LockPolicy = "2026-03-31", "next_open_date"
			return o, org
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, org := make(t)
			plan, r := planInvoice(checked(t, o, org), org, "contact-1", testOrigin)
			if r != nil {
				t.Fatal(r)
			}
			golden(t, name, plan)
		})
	}
}

func TestPlanContactGolden(t *testing.T) {
	t.Parallel()
	party := func() *schemas.Party {
		return &schemas.Party{
			ID: "C1", Name: "  Zoe\u0308   van\tder\u200b Berg ", Email: " Zoe@Example.COM", Phone: "+31 (0)20-123 45 67", Company: "Berg & Dal B.V.",
			TaxNumber:       "nl 8123 45 678 b01",
			BillingAddress:  &schemas.Address{Attention: "Zoë", Line1: "Keizersgracht 1", City: "Amsterdam", PostalCode: "1015 CJ", Country: "NL"},
			ShippingAddress: &schemas.Address{},
		}
	}
	for name, make := range map[string]func(t *testing.T) (*schemas.Party, *Organization){
		"contact_uk": func(t *testing.T) (*schemas.Party, *Organization) {
			return party(), company(t, "uk", "GBP", "Europe/London")
		},
		"contact_us": func(t *testing.T) (*schemas.Party, *Organization) {
			return party(), company(t, "us", "USD", "America/New_York")
		},
		"contact_gcc": func(t *testing.T) (*schemas.Party, *Organization) {
			return party(), company(t, "gcc", "EUR", "Asia/Dubai")
		},
		"contact_in_consumer": func(t *testing.T) (*schemas.Party, *Organization) {
			return &schemas.Party{Email: "a@b.in", BillingAddress: &schemas.Address{State: "tn", Country: "IN"}}, company(t, "in", "INR", "Asia/Kolkata")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, org := make(t)
			golden(t, name, planContact(p, "EUR", org, instant("2026-03-10T10:00:00Z")))
		})
	}
}

func TestPlanPaymentGolden(t *testing.T) {
	t.Parallel()
	org := company(t, "uk", "GBP", "Europe/London")
	st := func() *OrderState {
		return posted(t, orderOf("GBP", "20.00", "4.00", "24.00", goods("1", "2", "10", tax("vat20", "20", "4.00"))), org)
	}
	for name, make := range map[string]func() (*schemas.Payment, map[string]*OrderState){
		"payment_full_with_fee": func() (*schemas.Payment, map[string]*OrderState) {
			p := paymentOf("24", "GBP")
			p.Fee, p.PayoutID = &schemas.Fee{Amount: dec("0.65"), Currency: "GBP"}, "po_1"
			return p, map[string]*OrderState{"O1": st()}
		},
		"payment_overpaid": func() (*schemas.Payment, map[string]*OrderState) {
			return paymentOf("30", "GBP"), map[string]*OrderState{"O1": st()}
		},
		"payment_of_void_order": func() (*schemas.Payment, map[string]*OrderState) {
			s := st()
			s.Invoice.Status = invoiceVoid
			return paymentOf("24", "GBP"), map[string]*OrderState{"O1": s}
		},
		"payment_two_orders": func() (*schemas.Payment, map[string]*OrderState) {
			p := paymentOf("30", "GBP")
			p.Allocations = []schemas.Allocation{{OrderID: "O1", Amount: dec("24")}, {OrderID: "O2", Amount: dec("6")}}
			other := st().pay("20")
			other.Invoice.ID = "inv-2"
			return p, map[string]*OrderState{"O1": st(), "O2": other}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, orders := make()
			org := *org
			org.Advances = advanceUnapplied
			if _, r := checkPayment(p, &org); r != nil {
				t.Fatal(r)
			}
			plan, r := planPayment(p, &org, orders, testOrigin)
			if r != nil {
				t.Fatal(r)
			}
			golden(t, name, plan)
		})
	}
}

func TestPlanRefundGolden(t *testing.T) {
	t.Parallel()
	gb := company(t, "uk", "GBP", "Europe/London")
	sound := func() *schemas.Order {
		return orderOf("GBP", "100.00", "17.00", "117.00", goods("1", "2", "10", tax("vat20", "20", "4.00")), goods("2", "1", "60", tax("vat20", "20", "12.00")),
			goods("3", "1", "20", tax("vat5", "5", "1.00")))
	}
	for name, make := range map[string]func(t *testing.T) (*schemas.Refund, *OrderState, *Organization){
		"refund_by_line": func(t *testing.T) (*schemas.Refund, *OrderState, *Organization) {
			f := refundOf("12", "GBP")
			f.Lines = []schemas.RefundLine{{LineID: "1", Quantity: dec("1"), Amount: dec("12"), Taxes: []schemas.Tax{tax("vat20", "20", "2")}}}
			return f, posted(t, sound(), gb).pay("117"), gb
		},
		"refund_by_amount": func(t *testing.T) (*schemas.Refund, *OrderState, *Organization) {
			return refundOf("10", "GBP"), posted(t, sound(), gb).pay("117"), gb
		},
		"refund_in_full": func(t *testing.T) (*schemas.Refund, *OrderState, *Organization) {
			return refundOf("117", "GBP"), posted(t, sound(), gb).pay("117"), gb
		},
		"refund_partly_paid": func(t *testing.T) (*schemas.Refund, *OrderState, *Organization) {
			f := refundOf("30", "GBP")
			f.CreditTotal = optDec("50")
			return f, posted(t, sound(), gb).pay("60"), gb
		},
		"refund_store_credit": func(t *testing.T) (*schemas.Refund, *OrderState, *Organization) {
			f := refundOf("0", "GBP")
			f.CreditTotal = optDec("30")
			return f, posted(t, sound(), gb).pay("117"), gb
		},
		"refund_of_overpayment": func(t *testing.T) (*schemas.Refund, *OrderState, *Organization) {
			f := refundOf("10", "GBP")
			f.CreditTotal = optDec("0")
			return f, posted(t, sound(), gb).pay("127"), gb
		},
		"refund_of_everything_received": func(t *testing.T) (*schemas.Refund, *OrderState, *Organization) {
			return refundOf("127", "GBP"), posted(t, sound(), gb).pay("127"), gb
		},
		"refund_after_cancellation": func(t *testing.T) (*schemas.Refund, *OrderState, *Organization) {
			st := posted(t, sound(), gb).pay("117")
			o := sound()
			o.Kind, o.OccurredAt = schemas.OrderCancelled, instant("2026-03-15T10:00:00Z")
			plan, r := planCancel(o, gb, st, testOrigin)
			if r != nil {
				t.Fatal(r)
			}
			return refundOf("117", "GBP"), st.cancelled(plan), gb
		},
		"refund_inclusive_foreign": func(t *testing.T) (*schemas.Refund, *OrderState, *Organization) {
			o := orderOf("EUR", "43.90", "6.10", "50.00", goods("1", "1", "20", tax("vat7", "7", "1.31")), goods("2", "1", "30", tax("vat19", "19", "4.79")))
			o.PricesIncludeTax, o.ExchangeRate = true, optDec("0.86")
			f := refundOf("12.34", "EUR")
			f.ExchangeRate = optDec("0.85")
			return f, posted(t, o, gb).pay("50"), gb
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, st, org := make(t)
			if _, r := checkRefund(f, org); r != nil {
				t.Fatal(r)
			}
			plan, r := planRefund(f, org, st, testOrigin)
			if r != nil {
				t.Fatal(r)
			}
			golden(t, name, plan)
		})
	}
}

func TestPlanCancelGolden(t *testing.T) {
	t.Parallel()
	gb := company(t, "uk", "GBP", "Europe/London")
	sound := func() *schemas.Order {
		o := orderOf("GBP", "80.00", "13.00", "93.00", goods("1", "1", "60", tax("vat20", "20", "12.00")), goods("2", "1", "20", tax("vat5", "5", "1.00")))
		o.OccurredAt = instant("2026-03-28T10:00:00Z")
		return o
	}
	for name, make := range map[string]func(t *testing.T) (*schemas.Order, *OrderState){
		"cancel_unpaid":    func(t *testing.T) (*schemas.Order, *OrderState) { return sound(), posted(t, sound(), gb) },
		"cancel_paid":      func(t *testing.T) (*schemas.Order, *OrderState) { return sound(), posted(t, sound(), gb).pay("93") },
		"cancel_part_paid": func(t *testing.T) (*schemas.Order, *OrderState) { return sound(), posted(t, sound(), gb).pay("50") },
		"cancel_next_month": func(t *testing.T) (*schemas.Order, *OrderState) {
			o := sound()
			o.OccurredAt = instant("2026-04-01T10:00:00Z")
			return o, posted(t, sound(), gb)
		},
		"cancel_after_refund": func(t *testing.T) (*schemas.Order, *OrderState) {
			st := posted(t, sound(), gb).pay("93")
			f := refundOf("33.10", "GBP")
			plan, r := planRefund(f, gb, st, testOrigin)
			if r != nil {
				t.Fatal(r)
			}
			return sound(), st.after(plan)
		},
		"cancel_without_invoice": func(t *testing.T) (*schemas.Order, *OrderState) { return sound(), &OrderState{} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, st := make(t)
			plan, r := planCancel(o, gb, st, testOrigin)
			if r != nil {
				t.Fatal(r)
			}
			golden(t, name, plan)
		})
	}
}
