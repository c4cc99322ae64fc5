package verify

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/processor"
	"github.com/booksync/booksync/schemas"
)

func tax(rate string) processor.TaxTarget {
	return processor.TaxTarget{TaxID: "460", Rate: decimal.RequireFromString(rate)}
}

func TestCanaryIsMadeUpFromTheMapping(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 10, 40, 0, 0, time.UTC)
	org := &processor.Organization{
		Name: "sandbox", BaseCurrency: "EUR", Clearing: map[string]string{"stripe/EUR": "1", "adyen/EUR": "2", "adyen/USD": "3"},
		Taxes: map[string]processor.TaxTarget{"export": tax("0"), "vat19": tax("19"), "vat7": tax("7")},
	}
	order, err := makeOrder(org, now)
	if err != nil {
		t.Fatal(err)
	}
	if got := order.Lines[0].Taxes[0].Code + " " + order.Totals.Gross.String(); got != "vat19 11.9" {
		t.Errorf("the order has %s, want ten units under the first tax, by name, that has a rate", got)
	}
	c, err := makeCanary("sandbox", order, org, now)
	if err != nil {
		t.Fatal(err)
	}
	other, err := makeCanary("sandbox", order, org, now)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case !strings.HasPrefix(c.order.OrderID, canaryPrefix) || c.order.OrderID == other.order.OrderID:
		t.Errorf("two canaries have the ids %s and %s", c.order.OrderID, other.order.OrderID)
	case !c.order.Test || !c.payment.Test || !c.refund.Test:
		t.Error("an event is not marked as a test")
	case c.payment.Gateway != "adyen" || !c.payment.Amount.Equal(order.Totals.Gross) || c.payment.OrderID != c.order.OrderID:
		t.Errorf("the payment is %+v", c.payment)
	case !c.refund.Amount.Equal(decimal.RequireFromString("5.95")) || c.refund.PaymentID != c.payment.PaymentID:
		t.Errorf("the refund is %+v", c.refund)
	}
}

func TestCanaryThatTheMappingCannotTake(t *testing.T) {
	t.Parallel()
	now := time.Now()
	order := func(gross string) *schemas.Order {
		return &schemas.Order{Currency: "EUR", Totals: schemas.Totals{Gross: decimal.RequireFromString(gross)}}
	}
	clearing := map[string]string{"stripe/EUR": "1"}
	for name, err := range map[string]error{
		"a tax is needed and none has a rate": func() error {
			_, err := makeOrder(&processor.Organization{BaseCurrency: "EUR", TaxRequired: true, Taxes: map[string]processor.TaxTarget{"export": tax("0")}}, now)
			return err
		}(),
		"no gateway takes the currency": func() error {
			_, err := makeCanary("o", order("10"), &processor.Organization{Clearing: map[string]string{"stripe/USD": "1"}}, now)
			return err
		}(),
		"an order over nothing": func() error {
			_, err := makeCanary("o", order("0"), &processor.Organization{Clearing: clearing}, now)
			return err
		}(),
	} {
		if !errors.Is(err, ErrNoCanary) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := makeOrder(&processor.Organization{BaseCurrency: "EUR", TaxRequired: true, DefaultTax: "vat19"}, now); err != nil {
		t.Errorf("with a default tax: %v", err)
	}
}

func TestCountsOfAReport(t *testing.T) {
	t.Parallel()
	r := &Report{Legs: []Leg{{Result: "ok", Calls: 2}, {Result: "ok", Calls: 1}, {Result: "failed"}}}
	if c := r.Counts(); c["legs.ok"] != 2 || c["legs.failed"] != 1 || c["calls"] != 3 {
		t.Errorf("%v", c)
	}
}
