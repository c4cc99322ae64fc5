package processor

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/testkit"
	"github.com/booksync/booksync/schemas"
)

// rejected compares a rejection with "class: part of the message"; "" means none.
func rejected(t *testing.T, r *Rejection, want string) {
	t.Helper()
	if want == "" {
		if r != nil {
			t.Errorf("rejected: %v", r)
		}
		return
	}
	class, part, _ := strings.Cut(want, ": ")
	switch {
	case r == nil:
		t.Errorf("not rejected, want %q", want)
	case r.Class != class || !strings.Contains(r.Message, part):
		t.Errorf("got %q, want %q", r.Error(), want)
	case r.Retryable == "" || len(r.Message) > 1024:
		t.Errorf("retryable %q, message of %d bytes", r.Retryable, len(r.Message))
	}
}

func TestCheckOrder(t *testing.T) {
	t.Parallel()
	// simple is right: 2 x 10.00 at 20 %.
	simple := func() *schemas.Order {
		return orderOf("GBP", "20.00", "4.00", "24.00", goods("1", "2", "10", tax("vat20", "20", "4.00")))
	}
	for _, tt := range []struct {
		name   string
		change func(o *schemas.Order, org *Organization)
		want   string
	}{
		{"a right order is accepted", func(*schemas.Order, *Organization) {}, ""},
		{"a test event in a live organisation", func(o *schemas.Order, _ *Organization) { o.Test = true }, "rejected.test: live organisation"},
		{"a test event in a test organisation", func(o *schemas.Order, org *Organization) { o.Test, org.Live = true, false }, ""},
		{"an unmapped location", func(o *schemas.Order, _ *Organization) { o.Location = "paris" }, `rejected.account: "paris"`},
		{"a mapped location", func(o *schemas.Order, _ *Organization) { o.Location = "berlin" }, ""},
		{"a currency that isn't one", func(o *schemas.Order, _ *Organization) { o.Currency = "XTS" }, `rejected.currency: "XTS"`},
		{"a currency in lower case", func(o *schemas.Order, _ *Organization) { o.Currency = "gbp" }, `rejected.currency: "gbp"`},
		{"a currency that Zoho doesn't have", func(o *schemas.Order, _ *Organization) { o.Currency = "CHF" }, "rejected.currency: CHF is not set up"},
		{"a foreign currency without a rate", func(o *schemas.Order, _ *Organization) { o.Currency = "EUR" },
			"rejected.currency: without it Zoho books 1 EUR as 1 GBP"},
		{"a foreign currency with a rate of zero", func(o *schemas.Order, _ *Organization) { o.Currency, o.ExchangeRate = "EUR", optDec("0") },
			"rejected.currency: must be positive"},
		{"a foreign currency with a rate", func(o *schemas.Order, _ *Organization) { o.Currency, o.ExchangeRate = "EUR", optDec("0.86") }, ""},
		{"a rate for the own currency", func(o *schemas.Order, _ *Organization) { o.ExchangeRate = optDec("1.2") }, "rejected.currency: own currency"},
		{"the rate 1 for the own currency", func(o *schemas.Order, _ *Organization) { o.ExchangeRate = optDec("1") }, ""},
		{"no lines", func(o *schemas.Order, _ *Organization) { o.Lines = nil }, "rejected.unsupported: no lines"},
		{"the same line twice", func(o *schemas.Order, _ *Organization) { o.Lines = append(o.Lines, o.Lines[0]) }, "rejected.unsupported: twice"},
		{"no quantity", func(o *schemas.Order, _ *Organization) { o.Lines[0].Quantity = dec("0") }, "rejected.unsupported: quantity 0"},
		{"a negative quantity and a negative price", func(o *schemas.Order, _ *Organization) {
			o.Lines[0].Quantity, o.Lines[0].UnitPrice = dec("-1"), dec("-1")
		}, "rejected.unsupported: one of them may be negative"},
		{"something taken back with a positive tax", func(o *schemas.Order, _ *Organization) { o.Lines[0].Quantity = dec("-1") },
			"rejected.totals: takes back 10.00: its tax must not be positive"},
		{"something taken back with a discount", func(o *schemas.Order, _ *Organization) {
			o.Lines[0].UnitPrice, o.Lines[0].Discount = dec("-1"), dec("0.5")
		}, "rejected.unsupported: takes back -2.00 and has a discount of 0.50"},
		{"something taken back with a wrong tax", func(o *schemas.Order, _ *Organization) {
			o.Lines = append(o.Lines, goods("2", "-1", "5", tax("vat20", "20", "-1.10")))
			o.Totals = schemas.Totals{Net: dec("15"), Tax: dec("2.90"), Gross: dec("17.90")}
		}, "rejected.totals: tax vat20: 20 % of 20.00 + -5.00 is 3.00 (rounded per line 3.00), but the lines say 2.90"},
		{"something taken back", func(o *schemas.Order, _ *Organization) {
			o.Lines = append(o.Lines, goods("2", "-1", "5", tax("vat20", "20", "-1.00")))
			o.Totals = schemas.Totals{Net: dec("15"), Tax: dec("3"), Gross: dec("18")}
		}, ""},
		{"more taken back than sold", func(o *schemas.Order, _ *Organization) {
			o.Lines[0] = goods("1", "-2", "10", tax("vat20", "20", "-4.00"))
			o.Totals = schemas.Totals{Net: dec("-20"), Tax: dec("-4"), Gross: dec("-24")}
		}, "rejected.unsupported: comes to -24.00: it gives back more than it sells; send a refund"},
		{"negative totals of an order that takes nothing back", func(o *schemas.Order, _ *Organization) { o.Totals.Net = dec("-20") },
			"rejected.totals: totals.net is -20.00: it must not be negative"},
		{"a discount larger than its line", func(o *schemas.Order, _ *Organization) { o.Lines[0].Discount = dec("20.01") },
			"rejected.totals: 20.01 is more than 2 x 10 = 20.00"},
		{"an amount finer than the minor unit", func(o *schemas.Order, _ *Organization) { o.Totals.Tax = dec("4.001") },
			"rejected.totals: totals.tax is 4.001, but GBP has 2 decimals"},
		{"a unit price finer than the minor unit", func(o *schemas.Order, _ *Organization) { o.Lines[0].UnitPrice = dec("9.999999") }, ""},
		{"lines and net differ", func(o *schemas.Order, _ *Organization) {
			o.Totals = schemas.Totals{Net: dec("19"), Tax: dec("4"), Gross: dec("23")}
		},
			"rejected.totals: lines 20.00 = 20, but totals.net says 19"},
		{"net and tax don't make gross", func(o *schemas.Order, _ *Organization) { o.Totals.Gross = dec("24.01") },
			"rejected.totals: totals.net 20.00 + totals.tax 4.00 = 24, but totals.gross says 24.01"},
		{"a wrong tax", func(o *schemas.Order, _ *Organization) {
			o.Lines[0].Taxes[0].Amount, o.Totals = dec("3.80"), schemas.Totals{Net: dec("20"), Tax: dec("3.8"), Gross: dec("23.8")}
		}, "rejected.totals: tax vat20: 20 % of 20.00 is 4.00 (rounded per line 4.00), but the lines say 3.80"},
		{"an unmapped tax", func(o *schemas.Order, _ *Organization) { o.Lines[0].Taxes[0].Code = "vat21" }, `rejected.tax: "vat21" of line 1 is not mapped`},
		{"a tax group that isn't mapped", func(o *schemas.Order, _ *Organization) {
			o.Lines[0].Taxes = append(o.Lines[0].Taxes, tax("eco", "0", "0"))
		}, `rejected.tax: "eco+vat20" of line 1 is not mapped: map it to a Zoho tax group`},
		{"a tax whose mapped rate differs", func(_ *schemas.Order, org *Organization) { org.Taxes["vat20"] = TaxTarget{TaxID: "x", Rate: dec("21")} },
			"rejected.tax: 20 % in the event and 21 % in Zoho"},
		{"a tax without a rate takes the mapping's", func(o *schemas.Order, _ *Organization) { o.Lines[0].Taxes[0].Rate.Valid = false }, ""},
		{"a tax without a code", func(o *schemas.Order, _ *Organization) { o.Lines[0].Taxes[0].Code = "" }, "rejected.tax: without a code"},
		{"a tax without a code, with a default", func(o *schemas.Order, org *Organization) { o.Lines[0].Taxes[0].Code, org.DefaultTax = "", "vat20" }, ""},
		{"no tax where one is required", func(o *schemas.Order, org *Organization) {
			o.Lines[0].Taxes, o.Totals, org.TaxRequired = nil, schemas.Totals{Net: dec("20"), Gross: dec("20")}, true
		}, "rejected.tax: line 1 has no tax code"},
		{"no tax where one is required, with a default", func(o *schemas.Order, org *Organization) {
			o.Lines[0].Taxes, o.Totals, org.TaxRequired, org.DefaultTax = nil, schemas.Totals{Net: dec("20"), Gross: dec("20")}, true, "zero"
		}, ""},
		{"no tax, and a default that isn't zero", func(o *schemas.Order, org *Organization) {
			o.Lines[0].Taxes, o.Totals, org.DefaultTax = nil, schemas.Totals{Net: dec("20"), Gross: dec("20")}, "vat20"
		}, "rejected.tax: 0 % in the event and 20 % in Zoho"},
		{"no tax where none is required", func(o *schemas.Order, _ *Organization) {
			o.Lines[0].Taxes, o.Totals = nil, schemas.Totals{Net: dec("20"), Gross: dec("20")}
		}, ""},
		{"a tax that a marketplace collected", func(o *schemas.Order, _ *Organization) {
			o.Lines[0].Taxes[0].CollectedBy = schemas.CollectedByMarketplace
		},
			"rejected.tax: marketplace"},
		{"reverse charge without a tax number", func(o *schemas.Order, _ *Organization) {
			o.Lines[0].Taxes, o.Totals = []schemas.Tax{tax("reverse", "0", "0")}, schemas.Totals{Net: dec("20"), Gross: dec("20")}
		}, "rejected.tax: tax number"},
		{"reverse charge with a tax number", func(o *schemas.Order, _ *Organization) {
			o.Lines[0].Taxes, o.Totals = []schemas.Tax{tax("reverse", "0", "0")}, schemas.Totals{Net: dec("20"), Gross: dec("20")}
			o.Customer.TaxNumber = "FR 12 345678901"
		}, ""},
		{"a kind without a target", func(_ *schemas.Order, org *Organization) { org.LineTargets = nil }, "rejected.account: kind GOODS"},
		{"a SKU that's mapped needs no target", func(o *schemas.Order, org *Organization) { org.LineTargets, o.Lines[0].SKU = nil, "SKU-1" }, ""},
		{"a gift card doesn't go to its SKU's item", func(o *schemas.Order, org *Organization) {
			delete(org.LineTargets, "GIFT_CARD")
			o.Lines[0].Kind, o.Lines[0].SKU = schemas.LineGiftCard, "SKU-1"
		}, "rejected.account: liability"},
		{"a tip needs a target of its own", func(o *schemas.Order, org *Organization) {
			delete(org.LineTargets, "TIP")
			o.Lines[0].Kind = schemas.LineTip
		}, "rejected.account: account for tips"},
		{"a discount after tax that the totals don't know", func(o *schemas.Order, _ *Organization) {
			o.Discounts = []schemas.Discount{{Amount: dec("1"), Code: "XMAS"}}
		},
			"rejected.totals: lines 20.00 - discounts after tax 1.00 = 19, but totals.net says 20"},
		{"a discount after tax", func(o *schemas.Order, _ *Organization) {
			o.Discounts = []schemas.Discount{{Amount: dec("1"), Code: "XMAS"}}
			o.Totals = schemas.Totals{Net: dec("19"), Tax: dec("4"), Gross: dec("23")}
		}, ""},
		{"a compound tax", func(o *schemas.Order, _ *Organization) {
			o.Lines[0] = goods("1", "1", "100", tax("gst5", "5", "5.00"), tax("qst", "9.5", "9.98"))
			o.Totals = schemas.Totals{Net: dec("100"), Tax: dec("14.98"), Gross: dec("114.98")}
		}, ""},
		{"a compound tax computed as if it were none", func(o *schemas.Order, _ *Organization) {
			o.Lines[0] = goods("1", "1", "100", tax("gst5", "5", "5.00"), tax("qst", "9.5", "9.50"))
			o.Totals = schemas.Totals{Net: dec("100"), Tax: dec("14.50"), Gross: dec("114.50")}
		}, "rejected.totals: tax qst: 9.975 % of 100.00 is 9.98"},
		{"a discount larger than the order", func(o *schemas.Order, _ *Organization) {
			o.Discounts = []schemas.Discount{{Amount: dec("21"), BeforeTax: true}}
		}, "rejected.totals: 21.00, more than the lines it applies to: 20.00"},
		{"a discount on taxes that no line has", func(o *schemas.Order, _ *Organization) {
			o.Discounts = []schemas.Discount{{Amount: dec("1"), BeforeTax: true, Taxes: []schemas.Tax{tax("vat7", "7", "0")}}}
		}, "rejected.totals: more than the lines"},
		{"a locked period", func(_ *schemas.Order, org *Organization) { org.LockedUntil = "2026-03-10" }, "rejected.locked: 2026-03-10"},
		{"a locked period that moves", func(_ *schemas.Order, org *Organization) {
			org.LockedUntil, org.LockPolicy = "2026-03-10", "next_open_date"
		}, ""},
		{"the day after the lock", func(_ *schemas.Order, org *Organization) { org.LockedUntil = "2026-03-09" }, ""},
		{"seconds instead of milliseconds", func(o *schemas.Order, _ *Organization) { o.PlacedAt = instant("1969-01-21T00:00:00Z") }, "rejected.unsupported: 1969"},
		{"no customer", func(o *schemas.Order, _ *Organization) { o.Customer = schemas.Party{Name: "Somebody", Email: "nobody"} },
			"rejected.unsupported: neither an id nor an e-mail"},
		{"inclusive prices where credits can't be", func(o *schemas.Order, org *Organization) { o.PricesIncludeTax, org.Edition = true, "us" },
			"rejected.unsupported: us edition"},
		{"a cancellation needs no lines", func(o *schemas.Order, _ *Organization) { o.Kind, o.Lines = schemas.OrderCancelled, nil }, ""},
		{"a cancellation in a locked period", func(o *schemas.Order, org *Organization) {
			o.Kind, org.LockedUntil = schemas.OrderCancelled, "2026-12-31"
		},
			"rejected.locked: occurred_at"},
		{"a net that the unit price was rounded from", func(o *schemas.Order, _ *Organization) {
			o.Lines[0] = goods("1", "9", "9.88", tax("vat20", "20", "17.78"))
			o.Lines[0].Net, o.Totals = optDec("88.91"), schemas.Totals{Net: dec("88.91"), Tax: dec("17.78"), Gross: dec("106.69")}
		}, ""},
		{"a net that no rounding explains", func(o *schemas.Order, _ *Organization) { o.Lines[0].Net = optDec("19.90") },
			"rejected.totals: 2 x 10 - 0.00 = 20.00, but its net says 19.90"},
		{"hostile digits", func(o *schemas.Order, _ *Organization) { o.Lines[0].UnitPrice = dec("1e5000") }, "rejected.totals: more digits"},
		{"an amount that fits into nothing", func(o *schemas.Order, _ *Organization) { o.Totals.Net = dec("1e19") }, "rejected.totals: larger than"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o, org := simple(), company(t, "uk", "GBP", "Europe/London")
			tt.change(o, org)
			_, r := checkOrder(o, org)
			rejected(t, r, tt.want)
		})
	}
}

func TestCheckOrderKnowsBothRoundings(t *testing.T) {
	t.Parallel()
	three := func(a, b, c, sum string) *schemas.Order {
		o := orderOf("EUR", "9.75", sum, "0", goods("1", "1", "3.25", tax("vat19", "19", a)), goods("2", "1", "3.25", tax("vat19", "19", b)),
			goods("3", "1", "3.25", tax("vat19", "19", c))) // 0.6175 each, 1.8525 together
		o.Totals.Gross = o.Totals.Net.Add(o.Totals.Tax)
		return o
	}
	for _, tt := range []struct {
		name  string
		order *schemas.Order
		want  string
	}{
		{"rounded per line", three("0.62", "0.62", "0.62", "1.86"), ""},
		{"rounded per document, spread over the lines", three("0.62", "0.62", "0.61", "1.85"), ""},
		{"lines per line, total per document", three("0.62", "0.62", "0.62", "1.85"), ""},
		{"neither", three("0.62", "0.62", "0.62", "1.87"), "rejected.totals: taxes of the lines = 1.86, but totals.tax says 1.87"},
		{"off by more than the tolerance", three("0.60", "0.61", "0.61", "1.82"), "rejected.totals: tax vat19"},
		{"the right sum on the wrong line", three("1.85", "0", "0", "1.85"), ""},
		{"the right sum on a very wrong line", three("1.90", "0", "-0.05", "1.85"), "rejected.totals: must not be negative"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, r := checkOrder(tt.order, company(t, "eu", "EUR", "Europe/Berlin"))
			if tt.name == "the right sum on the wrong line" {
				tt.want = "rejected.totals: line 1 is off by 1.23"
			}
			rejected(t, r, tt.want)
		})
	}
}

func TestArithmeticShowsEverySum(t *testing.T) {
	t.Parallel()
	o := orderOf("GBP", "20.00", "4.00", "24.01", goods("1", "2", "10", tax("vat20", "20", "4.00")))
	a, _ := checkOrder(o, company(t, "uk", "GBP", "Europe/London"))
	const want = `totals.net: lines 20.00 = 20, event says 20 (ok)
tax vat20: 20 % of 20.00 rounded per line = 4, event says 4 (ok)
totals.tax: taxes of the lines = 4, event says 4 (ok)
totals.gross: totals.net 20.00 + totals.tax 4.00 = 24, event says 24.01 (WRONG by 0.01)
`
	if a.String() != want {
		t.Errorf("got\n%swant\n%s", a, want)
	}
}

// Shopify's own sample of an order doesn't add up: its lines make 414.95, its total says 404.95.
func TestCheckOrderRejectsShopifysSample(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(testkit.Shared(t, "payloads", "shopify", "orders_create.json"))
	if err != nil {
		t.Fatal(err)
	}
	var sample struct {
		Response struct {
			Currency  string          `json:"currency"`
			Total     decimal.Decimal `json:"total_price"`
			Tax       decimal.Decimal `json:"total_tax"`
			LineItems []struct {
				ID       json.Number     `json:"id"`
				SKU      string          `json:"sku"`
				Title    string          `json:"title"`
				Quantity decimal.Decimal `json:"quantity"`
				Price    decimal.Decimal `json:"price"`
				Discount decimal.Decimal `json:"total_discount"`
			} `json:"line_items"`
		} `json:"response"`
	}
	if err := json.Unmarshal(raw, &sample); err != nil {
		t.Fatal(err)
	}
	s := sample.Response
	o := orderOf(s.Currency, "0", "0", "0")
	o.Totals = schemas.Totals{Net: s.Total.Sub(s.Tax), Tax: s.Tax, Gross: s.Total}
	for _, l := range s.LineItems {
		o.Lines = append(o.Lines, schemas.Line{
			LineID: l.ID.String(), Kind: schemas.LineGoods, SKU: l.SKU, Name: l.Title, Quantity: l.Quantity, UnitPrice: l.Price, Discount: l.Discount,
		})
	}
	_, r := checkOrder(o, company(t, "us", "USD", "America/New_York"))
	rejected(t, r, "rejected.totals: = 414.95, but totals.net says 404.95")
}

func TestCheckPayment(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(p *schemas.Payment, org *Organization)
		want   string
	}{
		{"a right payment", func(*schemas.Payment, *Organization) {}, ""},
		{"a reversal without a policy", func(p *schemas.Payment, _ *Organization) { became(p, schemas.PaymentReversed) }, "rejected.unsupported: reversal_policy"},
		{"a reversal without an account", func(p *schemas.Payment, org *Organization) {
			became(p, schemas.PaymentReversed)
			org.ReversalPolicy = reversalWriteOff
		}, "rejected.account: losses"},
		{"a reversal that is credited", func(p *schemas.Payment, org *Organization) {
			became(p, schemas.PaymentReversed)
			org.ReversalPolicy = reversalCredit
		}, ""},
		{"a reversal of several orders' payment", func(p *schemas.Payment, org *Organization) {
			became(p, schemas.PaymentReversed)
			org.ReversalPolicy = reversalCredit
			p.Allocations = []schemas.Allocation{{OrderID: "O1", Amount: dec("20")}, {OrderID: "O2", Amount: dec("4")}}
		}, "rejected.unsupported: several orders"},
		{"a dispute without an account", func(p *schemas.Payment, _ *Organization) { became(p, schemas.PaymentDisputed) }, "rejected.account: DISPUTED"},
		{"a dispute won without an account", func(p *schemas.Payment, _ *Organization) { became(p, schemas.PaymentDisputeWon) }, "rejected.account: DISPUTE_WON"},
		{"a dispute with a fee above the payment", func(p *schemas.Payment, org *Organization) {
			became(p, schemas.PaymentDisputed)
			p.Fee, org.DisputesAccount = &schemas.Fee{Amount: dec("25"), Currency: "GBP"}, "acc-disputes"
		}, ""},
		{"a kind that nobody knows", func(p *schemas.Payment, _ *Organization) { became(p, "PAUSED") }, "rejected.unsupported: PAUSED"},
		{"a test payment", func(p *schemas.Payment, _ *Organization) { p.Test = true }, "rejected.test: payment P1"},
		{"nothing", func(p *schemas.Payment, _ *Organization) { p.Amount = dec("0") }, "rejected.totals: amount is 0"},
		{"less than nothing", func(p *schemas.Payment, _ *Organization) { p.Amount = dec("-1") }, "rejected.totals: negative"},
		{"half a cent", func(p *schemas.Payment, _ *Organization) { p.Amount = dec("1.005") }, "rejected.totals: 2 decimals"},
		{"a fee", func(p *schemas.Payment, _ *Organization) { p.Fee = &schemas.Fee{Amount: dec("1.20"), Currency: "GBP"} }, ""},
		{"a fee of zero in another currency", func(p *schemas.Payment, _ *Organization) { p.Fee = &schemas.Fee{Currency: "USD"} }, ""},
		{"a fee in another currency", func(p *schemas.Payment, _ *Organization) { p.Fee = &schemas.Fee{Amount: dec("1.20"), Currency: "USD"} },
			"rejected.unsupported: fee is in USD"},
		{"a fee that eats the payment", func(p *schemas.Payment, _ *Organization) { p.Fee = &schemas.Fee{Amount: dec("24"), Currency: "GBP"} },
			"rejected.totals: fee 24.00 is not less"},
		{"a fee without an account", func(p *schemas.Payment, org *Organization) {
			p.Fee, org.FeeAccount = &schemas.Fee{Amount: dec("1"), Currency: "GBP"}, ""
		}, "rejected.account: fee account"},
		{"an unmapped gateway", func(p *schemas.Payment, _ *Organization) { p.Gateway = "PayPal" }, `rejected.account: "paypal/GBP"`},
		{"an unmapped gateway with a default", func(p *schemas.Payment, org *Organization) { p.Gateway, org.DefaultClearing = "PayPal", "bank" }, ""},
		{"a foreign payment without a rate", func(p *schemas.Payment, _ *Organization) { p.Currency = "EUR" }, "rejected.currency: exchange_rate"},
		{"allocations that add up", func(p *schemas.Payment, _ *Organization) {
			p.Allocations = []schemas.Allocation{{OrderID: "O1", Amount: dec("20")}, {OrderID: "O2", Amount: dec("4")}}
		}, ""},
		{"allocations that don't", func(p *schemas.Payment, _ *Organization) {
			p.Allocations = []schemas.Allocation{{OrderID: "O1", Amount: dec("20")}, {OrderID: "O2", Amount: dec("5")}}
		}, "rejected.totals: allocations 20.00 + 5.00 = 25, but amount says 24"},
		{"an order allocated twice", func(p *schemas.Payment, _ *Organization) {
			p.Allocations = []schemas.Allocation{{OrderID: "O1", Amount: dec("20")}, {OrderID: "O1", Amount: dec("4")}}
		}, "rejected.totals: O1 is allocated twice"},
		{"no order", func(p *schemas.Payment, _ *Organization) { p.OrderID = "" }, "rejected.unsupported: names no order"},
		{"a locked period", func(_ *schemas.Payment, org *Organization) { org.LockedUntil = "2026-03-31" }, "rejected.locked: received_at"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, org := paymentOf("24", "GBP"), company(t, "uk", "GBP", "Europe/London")
			tt.change(p, org)
			_, r := checkPayment(p, org)
			rejected(t, r, tt.want)
		})
	}
}

func became(p *schemas.Payment, kind schemas.PaymentKind) {
	p.Kind, p.OccurredAt = kind, instant("2026-03-20T10:00:00Z")
}

func TestCheckRefund(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(f *schemas.Refund, org *Organization)
		want   string
	}{
		{"a right refund", func(*schemas.Refund, *Organization) {}, ""},
		{"nothing at all", func(f *schemas.Refund, _ *Organization) { f.Amount = dec("0") }, "rejected.totals: both 0"},
		{"store credit", func(f *schemas.Refund, _ *Organization) { f.Amount, f.CreditTotal = dec("0"), optDec("5") }, ""},
		{"store credit needs no gateway", func(f *schemas.Refund, _ *Organization) {
			f.Amount, f.CreditTotal, f.Gateway = dec("0"), optDec("5"), ""
		}, ""},
		{"an overpayment returned", func(f *schemas.Refund, _ *Organization) { f.CreditTotal = optDec("0") }, ""},
		{"a negative credit", func(f *schemas.Refund, _ *Organization) { f.CreditTotal = optDec("-1") }, "rejected.totals: credit_total is -1.00"},
		{"lines that make the amount", func(f *schemas.Refund, _ *Organization) {
			f.Lines = []schemas.RefundLine{{LineID: "1", Amount: dec("10")}, {LineID: "2", Amount: dec("2")}}
		}, ""},
		{"lines that don't", func(f *schemas.Refund, _ *Organization) {
			f.Lines = []schemas.RefundLine{{LineID: "1", Amount: dec("10")}, {LineID: "2", Amount: dec("1")}}
		}, "rejected.totals: lines 10.00 + 1.00 = 11, but amount (credit_total is absent, so it's the same) says 12"},
		{"lines that make the credit", func(f *schemas.Refund, _ *Organization) {
			f.CreditTotal, f.Lines = optDec("10"), []schemas.RefundLine{{LineID: "1", Amount: dec("10")}}
		}, ""},
		{"a line twice", func(f *schemas.Refund, _ *Organization) {
			f.Lines = []schemas.RefundLine{{LineID: "1", Amount: dec("10")}, {LineID: "1", Amount: dec("2")}}
		}, "rejected.totals: refunded twice"},
		{"more tax than amount", func(f *schemas.Refund, _ *Organization) {
			f.Lines = []schemas.RefundLine{{LineID: "1", Amount: dec("12"), Taxes: []schemas.Tax{tax("vat20", "20", "13")}}}
		}, "rejected.totals: amounts include tax"},
		{"an unmapped gateway", func(f *schemas.Refund, _ *Organization) { f.Gateway = "PayPal" }, `rejected.account: "paypal/GBP"`},
		{"a foreign refund without a rate", func(f *schemas.Refund, _ *Organization) { f.Currency = "EUR" }, "rejected.currency: exchange_rate"},
		{"foreign store credit needs no rate", func(f *schemas.Refund, _ *Organization) {
			f.Currency, f.Amount, f.CreditTotal = "EUR", dec("0"), optDec("5")
		}, ""},
		{"a returned fee", func(f *schemas.Refund, org *Organization) {
			f.FeeReturned, org.Journals = &schemas.Fee{Amount: dec("1"), Currency: "GBP"}, true
		}, ""},
		{"a returned fee without journals", func(f *schemas.Refund, _ *Organization) {
			f.FeeReturned = &schemas.Fee{Amount: dec("1"), Currency: "GBP"}
		}, "rejected.unsupported: fee_returned"},
		{"a returned fee in another currency", func(f *schemas.Refund, org *Organization) {
			f.FeeReturned, org.Journals = &schemas.Fee{Amount: dec("1"), Currency: "USD"}, true
		}, "rejected.unsupported: fee_returned is in USD"},
		{"a returned fee without an account", func(f *schemas.Refund, org *Organization) {
			f.FeeReturned, org.FeeAccount, org.Journals = &schemas.Fee{Amount: dec("1"), Currency: "GBP"}, "", true
		}, "rejected.account: fee account"},
		{"a locked period", func(_ *schemas.Refund, org *Organization) { org.LockedUntil = "2026-03-31" }, "rejected.locked: refunded_at"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, org := refundOf("12", "GBP"), company(t, "uk", "GBP", "Europe/London")
			tt.change(f, org)
			_, r := checkRefund(f, org)
			rejected(t, r, tt.want)
		})
	}
}
