package app

import (
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/schemas"
)

// euros maps the clearing account of euros and says where exchange rates come from.
func euros(rates string) option {
	return mapped(func(o *config.Organization) {
		o.ExchangeRates = rates
		o.Clearing["stripe/EUR"] = o.Clearing["stripe/USD"]
	})
}

// rated gives the euro a rate in Zoho.
func rated(rate string) option {
	return company(func(o *simulator.Org) {
		for i := range o.Currencies {
			if o.Currencies[i].Code == "EUR" {
				o.Currencies[i].Rate = rate
			}
		}
	})
}

func TestZohosRateOfTheDay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{}, euros("zoho"), rated("1.25"))
	w.start()
	one, two, own := w.order("O1"), w.order("O2"), w.order("O3")
	one.Currency, two.Currency, own.Currency = "EUR", "EUR", "EUR"
	own.ExchangeRate = decimal.NewNullDecimal(dec("1.2"))
	pay := w.payment("P1", "O1", "433")
	pay.Currency = "EUR"
	records := w.send(one, two, own)
	w.posted(records...)
	paid := w.one(pay)
	w.posted(paid)
	for i, want := range []string{"541.25", "541.25", "519.6"} {
		if got := w.outcome(records[i]).Documents[0].BaseTotal.Decimal; !got.Equal(dec(want)) {
			t.Errorf("order %d is %s in the base currency, want %s", i+1, got, want)
		}
	}
	if got := w.outcome(paid).Documents[0].BaseTotal.Decimal; !got.Equal(dec("541.25")) {
		t.Errorf("the payment is %s in the base currency", got)
	}
	if n := w.sim.Calls(orgID).ByResource["GET /settings/currencies/{id}/exchangerates"]; n < 1 || n > 2 { // two orders at once may both ask
		t.Errorf("the rate of one day was read %d times", n)
	}
}

func TestNoRateAnywhereRejectsByName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{}, euros("zoho"))
	w.start()
	o := w.order("O1")
	o.Currency = "EUR"
	if out := w.rejected(w.one(o), "rejected.currency"); !strings.Contains(out.Error.Message, "Zoho has no rate of EUR") {
		t.Errorf("message: %s", out.Error.Message)
	}
}

func TestAPaymentInAnotherCurrencyIsConvertedAtItsRate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{}, euros("event"))
	w.start()
	o := w.order("O1")
	w.posted(w.one(o))
	pay := w.payment("P1", "O1", "360.83")
	pay.Currency, pay.ExchangeRate = "EUR", decimal.NewNullDecimal(dec("1.2"))
	pay.Fee = &schemas.Fee{Amount: dec("10"), Currency: "EUR"}
	r := w.one(pay)
	w.posted(r)
	out := w.outcome(r)
	if doc := out.Documents[0]; !doc.Total.Equal(dec("433")) || out.Currency != "USD" || out.Reason != "paid as EUR 360.83 at 1.2" {
		t.Errorf("the payment is %s %s: %s", out.Currency, doc.Total, out.Reason)
	}
	if inv := w.find("invoice", "order:O1"); !inv.Balance.IsZero() {
		t.Errorf("the invoice owes %s", inv.Balance)
	}
	w.balances(map[string]string{simulator.AccountStripe: "421", simulator.AccountFees: "12", simulator.AccountReceivable: "0"})
}

func TestAPaymentThatCannotBeConvertedIsRejectedWithAHint(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{}, euros("event"))
	w.start()
	o := w.order("O1")
	o.Currency, o.ExchangeRate = "EUR", decimal.NewNullDecimal(dec("1.2"))
	w.posted(w.one(o))
	pay := w.payment("P1", "O1", "519.60")
	pay.Currency = "USD"
	if out := w.rejected(w.one(pay), "rejected.currency"); !strings.Contains(out.Error.Message, "send the payment in the invoice's currency") {
		t.Errorf("message: %s", out.Error.Message)
	}
}
