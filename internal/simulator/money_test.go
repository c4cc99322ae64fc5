package simulator

import (
	"fmt"
	"testing"

	"github.com/shopspring/decimal"
)

func TestMoney(t *testing.T) {
	t.Parallel()
	tax := func(name, rate string) Tax { return Tax{Name: name, Percentage: rate} }
	type want map[string]string
	for _, test := range []struct {
		name     string
		org      func(*Org)
		switches Switches
		body     string // of the invoice, without customer; {tax:NAME} stands for an id
		want     want
	}{
		{
			name: "tax is computed on the rounded line, half up",
			body: `"line_items":[{"name":"x","rate":54.54545,"tax_id":"{T10}"}]`,
			want: want{"line_items.0.item_total": "54.55", "sub_total": "54.55", "tax_total": "5.46", "total": "60.01", "balance": "60.01"},
		},
		{
			name: "recorded 18 percent of 424991.70 and 8552",
			body: `"line_items":[{"name":"a","rate":424991.70,"tax_id":"{T18}"},{"name":"b","rate":8552,"tax_id":"{T18}"}]`,
			want: want{"line_items.0.line_item_taxes.0.tax_amount": "76498.51", "line_items.1.line_item_taxes.0.tax_amount": "1539.36",
				"tax_total": "78037.87", "total": "511581.57"},
		},
		{
			name: "three ties of half a cent are rounded once over the document",
			body: `"line_items":[{"name":"a","rate":0.05,"tax_id":"{T10}"},{"name":"b","rate":0.05,"tax_id":"{T10}"},{"name":"c","rate":0.05,"tax_id":"{T10}"}]`,
			want: want{"sub_total": "0.15", "tax_total": "0.02", "total": "0.17", "tax_rounding": "entity_level"},
		},
		{
			name: "three ties of half a cent are rounded each at item level", switches: Switches{ItemLevelTax: true},
			body: `"line_items":[{"name":"a","rate":0.05,"tax_id":"{T10}"},{"name":"b","rate":0.05,"tax_id":"{T10}"},{"name":"c","rate":0.05,"tax_id":"{T10}"}]`,
			want: want{"sub_total": "0.15", "tax_total": "0.03", "total": "0.18", "tax_rounding": "item_level"},
		},
		{
			name: "different taxes are rounded apart",
			body: `"line_items":[{"name":"a","rate":0.05,"tax_id":"{T10}"},{"name":"b","rate":0.25,"tax_id":"{T18}"}]`,
			want: want{"taxes.0.tax_amount": "0.01", "taxes.1.tax_amount": "0.05", "tax_total": "0.06", "total": "0.36"},
		},
		{
			name: "an inclusive rate keeps its total",
			body: `"is_inclusive_tax":true,"line_items":[{"name":"x","rate":119,"tax_id":"{T19}"},{"name":"y","rate":10,"tax_id":"{T7}"}]`,
			want: want{"sub_total": "109.35", "sub_total_inclusive_of_tax": "129", "tax_total": "19.65", "total": "129"},
		},
		{
			name: "inclusive ties",
			body: `"is_inclusive_tax":true,"line_items":[{"name":"a","rate":0.11,"tax_id":"{T10}"},{"name":"b","rate":0.06,"tax_id":"{T10}"}]`,
			want: want{"total": "0.17", "tax_total": "0.02", "sub_total": "0.15"},
		},
		{
			name: "a group is taxed by component",
			body: `"line_items":[{"name":"x","rate":33.33,"tax_id":"{G18}"}]`,
			want: want{"line_items.0.line_item_taxes.0.tax_amount": "3", "line_items.0.line_item_taxes.1.tax_amount": "3", "tax_total": "6", "total": "39.33",
				"taxes.0.tax_name": "C9 (9%)", "taxes.1.tax_name": "S9 (9%)", "line_items.0.tax_type": "tax_group", "line_items.0.tax_percentage": "18"},
		},
		{
			name: "a compound tax is computed on the others",
			body: `"line_items":[{"name":"x","rate":100,"tax_id":"{COMPOUND}"}]`,
			want: want{"taxes.0.tax_amount": "10", "taxes.1.tax_amount": "5.5", "total": "115.5"},
		},
		{
			name: "line discounts come off before rounding",
			body: `"line_items":[{"name":"x","rate":10,"quantity":3,"discount":"10%","tax_id":"{T10}"},{"name":"y","rate":5,"discount":1.5}]`,
			want: want{"line_items.0.item_total": "27", "line_items.0.discount": "10%", "line_items.1.item_total": "3.5", "sub_total": "30.5", "tax_total": "2.7",
				"total": "33.2", "discount_type": "item_level"},
		},
		{
			name: "a document discount before tax lowers the taxed amount, in proportion",
			body: `"discount":10,"is_discount_before_tax":true,"discount_type":"entity_level","line_items":[{"name":"x","rate":75,"tax_id":"{T10}"},{"name":"y","rate":25}]`,
			want: want{"sub_total": "100", "discount_total": "10", "tax_total": "6.75", "total": "96.75", "discount_type": "entity_level"},
		},
		{
			name: "a document discount after tax does not",
			body: `"discount":"10%","is_discount_before_tax":false,"line_items":[{"name":"x","rate":75,"tax_id":"{T10}"},{"name":"y","rate":25}]`,
			want: want{"sub_total": "100", "discount_total": "10", "tax_total": "7.5", "total": "97.5"},
		},
		{
			name: "shipping and adjustment come after tax",
			body: `"shipping_charge":7.5,"adjustment":-0.01,"adjustment_description":"Rounding","line_items":[{"name":"x","rate":10,"tax_id":"{T10}"}]`,
			want: want{"tax_total": "1", "shipping_charge": "7.5", "adjustment": "-0.01", "total": "18.49"},
		},
		{
			name: "the organisation rounds totals", org: func(o *Org) { o.RoundOff = RoundOff{Type: "nearest_whole_number"} },
			body: `"line_items":[{"name":"x","rate":10.5}]`,
			want: want{"total": "11", "roundoff_value": "0.5", "transaction_rounding_type": "nearest_whole_number"},
		},
		{
			name: "the organisation rounds totals to five cents", org: func(o *Org) { o.RoundOff = RoundOff{Type: "nearest_increment", Increment: "0.05"} },
			body: `"line_items":[{"name":"x","rate":10.52}]`,
			want: want{"total": "10.5", "roundoff_value": "-0.02"},
		},
		{
			name: "yen have no minor unit",
			body: `"currency_id":"{JPY}","exchange_rate":0.0068,"line_items":[{"name":"x","rate":333.5,"quantity":1,"tax_id":"{T10}"}]`,
			want: want{"total": "367", "tax_total": "33", "price_precision": "0", "bcy_total": "2.5"},
		},
		{
			name: "dinars have three digits",
			body: `"currency_id":"{KWD}","exchange_rate":3.25,"line_items":[{"name":"x","rate":1.0005,"tax_id":"{T10}"}]`,
			want: want{"total": "1.101", "tax_total": "0.1", "bcy_total": "3.58"},
		},
		{
			name: "euros without a rate are booked as dollars",
			body: `"currency_id":"{EUR}","line_items":[{"name":"x","rate":100}]`,
			want: want{"total": "100", "exchange_rate": "1", "bcy_total": "100"},
		},
		{
			name: "a compound tax within its price",
			body: `"is_inclusive_tax":true,"line_items":[{"name":"x","rate":115.5,"tax_id":"{COMPOUND}"}]`,
			want: want{"taxes.0.tax_amount": "10", "taxes.1.tax_amount": "5.5", "sub_total": "100", "total": "115.5"},
		},
		{
			name: "prices that include tax, rounded on each line", switches: Switches{ItemLevelTax: true},
			body: `"is_inclusive_tax":true,"line_items":[{"name":"a","rate":0.11,"tax_id":"{T10}"},{"name":"b","rate":0.06,"tax_id":"{T10}"},{"name":"c","rate":0.06,"tax_id":"{T10}"}]`,
			want: want{"total": "0.23", "tax_total": "0.03", "sub_total": "0.2"},
		},
		{
			name: "prices that include tax, rounded once",
			body: `"is_inclusive_tax":true,"line_items":[{"name":"a","rate":0.11,"tax_id":"{T10}"},{"name":"b","rate":0.06,"tax_id":"{T10}"},{"name":"c","rate":0.06,"tax_id":"{T10}"}]`,
			want: want{"total": "0.23", "tax_total": "0.02", "sub_total": "0.21"},
		},
		{
			name: "a tax that stands alone and in a group is one tax",
			body: `"line_items":[{"name":"a","rate":0.05,"tax_id":"{C9}"},{"name":"b","rate":0.05,"tax_id":"{G18}"}]`,
			want: want{"taxes.0.tax_amount": "0.01", "taxes.1.tax_amount": "0", "tax_total": "0.01", "total": "0.11"},
		},
		{
			name: "negative lines, where they are taken", switches: Switches{AcceptNegativeRates: true},
			body: `"line_items":[{"name":"a","rate":10,"tax_id":"{T10}"},{"name":"b","rate":-0.05,"tax_id":"{T10}"}]`,
			want: want{"sub_total": "9.95", "tax_total": "1", "total": "10.95"},
		},
		{
			name: "negative lines, each rounded away from zero", switches: Switches{AcceptNegativeRates: true, ItemLevelTax: true},
			body: `"line_items":[{"name":"a","rate":10,"tax_id":"{T10}"},{"name":"b","rate":-0.05,"tax_id":"{T10}"}]`,
			want: want{"line_items.1.line_item_taxes.0.tax_amount": "-0.01", "tax_total": "0.99", "total": "10.94"},
		},
		{
			name: "unidades de fomento have four digits", org: func(o *Org) { o.Currencies = append(o.Currencies, Currency{Code: "CLF", Precision: 4}) },
			body: `"currency_id":"{CLF}","exchange_rate":40,"line_items":[{"name":"x","rate":1.00005,"tax_id":"{T19}"}]`,
			want: want{"line_items.0.item_total": "1.0001", "tax_total": "0.19", "total": "1.1901", "bcy_total": "47.6"},
		},
		{
			name: "rates keep their digits",
			body: `"line_items":[{"name":"x","rate":0.123456,"quantity":1000}]`,
			want: want{"total": "123.46", "line_items.0.rate": "0.123456"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(c *Config) {
				c.Switches = test.switches
				o := &c.Organizations[0]
				o.Taxes = append(o.Taxes, tax("T7", "7"), tax("T10", "10"), tax("T18", "18"), tax("T19", "19"), tax("C9", "9"), tax("S9", "9"), tax("BASE", "10"),
					Tax{Name: "ON TOP", Percentage: "5", Compound: true})
				o.TaxGroups = []TaxGroup{{"G18", []string{"C9", "S9"}}, {"COMPOUND", []string{"BASE", "ON TOP"}}}
				if test.org != nil {
					test.org(o)
				}
			})
			body := fmt.Sprintf(`{"customer_id":%q,"date":"2026-06-09",%s}`, b.customer, b.ids(test.body))
			a := b.must(201, "POST", "/invoices", body)
			for path, value := range test.want {
				a.want("invoice."+path, value)
			}
			b.must(200, "POST", "/invoices/"+a.str("invoice.invoice_id")+"/status/sent", "")
			b.balances(map[string]string{AccountReceivable: a.str("invoice.bcy_total")})
		})
	}
}

// ids puts ids in the place of {tax or currency name}.
func (b *bundle) ids(body string) string {
	for kind, names := range b.sim.IDs(b.org.ID) {
		for name, id := range names {
			if kind == KindTax || kind == KindCurrency || kind == KindItem || kind == KindAccount {
				body = replaceAll(body, "{"+name+"}", id)
			}
		}
	}
	return body
}

func TestPostingsOfADocumentWithEverything(t *testing.T) {
	t.Parallel()
	b := setup(t)
	a := b.must(201, "POST", "/invoices?send=true", b.ids(fmt.Sprintf(`{"customer_id":%q,"date":"2026-06-09","discount":5,"discount_type":"entity_level",
		"is_discount_before_tax":false,"shipping_charge":3,"adjustment":0.02,"line_items":[
		{"item_id":"{Goods}","rate":100,"quantity":1,"tax_id":"{TX Sales Tax}"},
		{"item_id":"{Shipping}","rate":10,"quantity":1},
		{"item_id":"{Tip}","rate":2,"quantity":1}]}`, b.customer)))
	a.want("invoice.total", "118.27")
	b.balances(map[string]string{
		AccountReceivable: "118.27", AccountSales: "-100", AccountShipping: "-13", AccountTips: "-2", AccountTaxPayable: "-8.25",
		AccountDiscount: "5", AccountRounding: "-0.02",
	})
}

func TestExchangeGainAndLoss(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.must(201, "POST", "/invoices?send=true", b.ids(fmt.Sprintf(
		`{"customer_id":%q,"date":"2026-06-09","currency_id":"{EUR}","exchange_rate":1.10,"line_items":[{"item_id":"{Goods}","rate":100}]}`, b.customer))).
		str("invoice.invoice_id")
	b.balances(map[string]string{AccountReceivable: "110", AccountSales: "-110"})
	b.must(201, "POST", "/customerpayments", b.ids(fmt.Sprintf(`{"customer_id":%q,"payment_mode":"creditcard","amount":100,"date":"2026-06-10","exchange_rate":1.20,
		"account_id":"{Stripe Clearing}","bank_charges":3,"bank_charges_account_id":"{Bank Fees}","invoices":[{"invoice_id":%q,"amount_applied":100}]}`, b.customer, id)))
	b.balances(map[string]string{AccountReceivable: "0", AccountStripe: "116.4", AccountFees: "3.6", AccountExchange: "-10", AccountUnearned: "0"})

	note := b.must(201, "POST", "/creditnotes", b.ids(fmt.Sprintf(
		`{"customer_id":%q,"date":"2026-06-11","currency_id":"{EUR}","exchange_rate":1.10,"line_items":[{"item_id":"{Goods}","rate":100}]}`, b.customer))).
		str("creditnote.creditnote_id")
	b.must(200, "POST", "/creditnotes/"+note+"/refunds", b.ids(`{"date":"2026-06-11","amount":100,"exchange_rate":1.15,"from_account_id":"{Stripe Clearing}"}`))
	b.balances(map[string]string{AccountReceivable: "0", AccountUnearned: "0", AccountSales: "0", AccountStripe: "1.4", AccountExchange: "-5"})
}

func TestNumbersAreWrittenAsZohoWritesThem(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"0", "0.00", "100", "100.00", "199.99", "-0.01", "0.05", "-12.50", "1e3", "0.000001", "123456789012345678901234.5", "-7"} {
		d := decimal.RequireFromString(s)
		if got := string(appendDecimal(nil, d)); got != d.String() {
			t.Errorf("%s is written %s, want %s", s, got, d)
		}
	}
}
