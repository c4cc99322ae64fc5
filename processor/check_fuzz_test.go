package processor

import (
	"testing"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/schemas"
)

// fuzzDec makes decimals of any size, mostly sensible ones.
func fuzzDec(n int64, scale int8) decimal.Decimal {
	if scale > -7 && scale < 7 {
		return decimal.New(n, -int32(max(scale, -scale)))
	}
	return decimal.New(n, int32(scale)*97)
}

func FuzzCheckOrder(f *testing.F) {
	f.Add(int64(2), int8(0), int64(10), int8(0), int64(0), int64(4), int64(20), int64(20), int64(24), uint8(1), "GBP", false)
	f.Add(int64(1), int8(0), int64(2000), int8(2), int64(500), int64(131), int64(7), int64(1869), int64(2000), uint8(3), "EUR", true)
	f.Add(int64(-1), int8(100), int64(1)<<62, int8(-100), int64(-1), int64(1)<<60, int64(-5), int64(0), int64(-1), uint8(9), "XXX", true)
	codes := []string{"", "vat20", "vat19", "vat7", "cgst", "sgst", "reverse", "exempt", "nobody", "state"}
	f.Fuzz(func(t *testing.T, quantity int64, qScale int8, price int64, pScale int8, discount, taxed, rate, net, gross int64, code uint8,
		currency string, inclusive bool,
	) {
		org := company(t, "gcc", "GBP", "Europe/London")
		one := goods("1", "1", "1", schemas.Tax{Code: codes[int(code)%len(codes)], Rate: decimal.NewNullDecimal(decimal.NewFromInt(rate)), Amount: decimal.New(taxed, -2)})
		one.Quantity, one.UnitPrice, one.Discount = fuzzDec(quantity, qScale), fuzzDec(price, pScale), decimal.New(discount, -2)
		two := one
		two.LineID, two.Taxes = "2", nil
		o := orderOf(currency, "0", "0", "0", one, two)
		o.PricesIncludeTax, o.ExchangeRate = inclusive, optDec("1.5")
		if currency == org.BaseCurrency {
			o.ExchangeRate.Valid = false
		}
		o.Discounts = []schemas.Discount{{Amount: decimal.New(discount, -2), BeforeTax: true}}
		o.Totals = schemas.Totals{Net: decimal.New(net, -2), Tax: decimal.New(taxed, -2), Gross: decimal.New(gross, -2)}
		a, r := checkOrder(o, org)
		if a == nil {
			t.Fatal("no arithmetic")
		}
		if r != nil {
			if r.Class == "" || r.Message == "" {
				t.Fatalf("an empty rejection: %+v", r)
			}
			return
		}
		plan, r := planInvoice(o, org, "contact-1", testOrigin)
		if r != nil {
			return
		}
		if got := booksOf(org, currency).document(t, plan.Request); got.total.Cmp(rat(plan.Total.String())) != 0 {
			t.Fatalf("Zoho computes %s, the plan says %s", got.total.FloatString(4), plan.Total)
		}
	})
}

func FuzzPlanRefund(f *testing.F) {
	f.Add(int64(1200), int64(1200), int64(0), uint8(0))
	f.Add(int64(500), int64(2000), int64(1), uint8(1))
	f.Add(int64(0), int64(4001), int64(700), uint8(2))
	f.Add(int64(4500), int64(4500), int64(4500), uint8(3))
	f.Fuzz(func(t *testing.T, amount, credit, line int64, mode uint8) {
		org := company(t, "uk", "GBP", "Europe/London")
		org.NegativeLines = mode&8 != 0
		o := orderOf("GBP", "40.00", "5.00", "45.00", goods("1", "1", "20", tax("vat5", "5", "1.00")), goods("2", "2", "10", tax("vat20", "20", "4.00")))
		st := posted(t, o, org).pay("45")
		for n := range 4 {
			r := refundOf("0", "GBP")
			r.RefundID = string(rune('a' + n))
			r.Amount = decimal.New(amount, -2)
			if mode&1 != 0 {
				r.CreditTotal = decimal.NewNullDecimal(decimal.New(credit, -2))
			}
			if mode&2 != 0 {
				r.Lines = []schemas.RefundLine{{LineID: "1", Amount: decimal.New(line, -2)}, {LineID: "2", Amount: creditTotal(r).Sub(decimal.New(line, -2))}}
			}
			if _, rej := checkRefund(r, org); rej != nil {
				return
			}
			plan, rej := planRefund(r, org, st, testOrigin)
			if rej != nil {
				return
			}
			if c := plan.Credit; c != nil {
				if got := booksOf(org, "GBP").document(t, c.Request); got.total.Cmp(rat(c.Total.String())) != 0 {
					t.Fatalf("Zoho computes %s, the plan says %s", got.total.FloatString(4), c.Total)
				}
			}
			st.after(plan)
			if st.Credited().Cmp(st.Invoice.Total) > 0 || st.Returned().Cmp(st.Received()) > 0 || st.Balance().Sign() < 0 {
				t.Fatalf("credited %s of %s, returned %s of %s, balance %s", st.Credited(), st.Invoice.Total, st.Returned(), st.Received(), st.Balance())
			}
		}
	})
}

func BenchmarkCheckAndPlanInvoice(b *testing.B) {
	org := company(b, "uk", "GBP", "Europe/London")
	o := orderOf("GBP", "100.00", "17.00", "117.00", goods("1", "2", "10", tax("vat20", "20", "4.00")), goods("2", "1", "60", tax("vat20", "20", "12.00")),
		goods("3", "1", "20", tax("vat5", "5", "1.00")))
	b.ReportAllocs()
	for b.Loop() {
		if _, r := checkOrder(o, org); r != nil {
			b.Fatal(r)
		}
		if _, r := planInvoice(o, org, "contact-1", testOrigin); r != nil {
			b.Fatal(r)
		}
	}
}
