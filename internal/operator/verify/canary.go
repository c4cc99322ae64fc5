package verify

import (
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/processor"
	"github.com/booksync/booksync/processor/money"
	"github.com/booksync/booksync/schemas"
)

// canary is an order, its payment and a refund, made up to go the whole way.
type canary struct {
	order   *schemas.Order
	payment *schemas.Payment
	refund  *schemas.Refund
}

// Marks of canaries.
const (
	canaryPrefix   = "booksync-verify-"
	canaryCustomer = "booksync-verify"
	canarySource   = "booksync verify"
)

// ErrNoCanary says that the mapping does not tell how to make an order up.
var ErrNoCanary = errors.New("no canary can be made up from the mapping")

// makeOrder makes an order up that the organisation's mapping takes: goods for ten units of the base currency under the first mapped tax with a rate.
func makeOrder(org *processor.Organization, now time.Time) (*schemas.Order, error) {
	net := decimal.NewFromInt(10)
	line := schemas.Line{LineID: "1", Kind: schemas.LineGoods, Name: "booksync canary", Quantity: decimal.NewFromInt(1), UnitPrice: net}
	tax := decimal.Zero
	if code, ok := taxCode(org); ok {
		rate := org.Taxes[code].Rate
		tax = money.Percent(net, rate, org.BaseCurrency)
		line.Taxes = []schemas.Tax{{Code: code, Rate: decimal.NewNullDecimal(rate), Amount: tax, CollectedBy: schemas.CollectedBySeller}}
	} else if org.TaxRequired && org.DefaultTax == "" {
		return nil, fmt.Errorf("%w: no mapped tax has a rate; give an order with --order", ErrNoCanary)
	}
	return &schemas.Order{
		Kind: schemas.OrderCreated, Revision: 1, OrderNumber: "canary", Currency: org.BaseCurrency,
		Customer: schemas.Party{ID: canaryCustomer, Name: "booksync verify", Email: "booksync-verify@example.com", BillingAddress: &schemas.Address{Line1: "Canary"}},
		Lines:    []schemas.Line{line}, Totals: schemas.Totals{Net: net, Tax: tax, Gross: net.Add(tax)}, PlacedAt: now,
	}, nil
}

// taxCode is the first code, by name, of a plain tax with a rate.
func taxCode(org *processor.Organization) (string, bool) {
	for _, code := range slices.Sorted(maps.Keys(org.Taxes)) {
		if t := org.Taxes[code]; t.Rate.IsPositive() && len(t.Components) == 0 && !t.ReverseCharge && !strings.Contains(code, "+") {
			return code, true
		}
	}
	return "", false
}

// makeCanary marks an order and makes up its payment and a refund of a part, by amount.
func makeCanary(organization string, order *schemas.Order, org *processor.Organization, now time.Time) (*canary, error) {
	gateway, ok := gatewayFor(org, order.Currency)
	if !ok {
		return nil, fmt.Errorf("%w: no gateway has a clearing account in %s", ErrNoCanary, order.Currency)
	}
	if !order.Totals.Gross.IsPositive() {
		return nil, fmt.Errorf("%w: its total is %s", ErrNoCanary, order.Totals.Gross)
	}
	id := canaryPrefix + strings.ToLower(rand.Text()[:10])
	event := func(what string) schemas.Event {
		return schemas.Event{EventID: id + "-" + what, OccurredAt: now, Source: canarySource, Organization: organization, Location: order.Location, Test: true}
	}
	o := *order
	o.Event, o.OrderID = event("order"), id
	c := &canary{order: &o}
	c.payment = &schemas.Payment{
		Event: event("payment"), Kind: schemas.PaymentCaptured, PaymentID: id + "-p", OrderID: id, Amount: o.Totals.Gross, Currency: o.Currency,
		ExchangeRate: o.ExchangeRate, Method: "card", Gateway: gateway, GatewayReference: id + "-p", ReceivedAt: now,
	}
	c.refund = &schemas.Refund{
		Event: event("refund"), RefundID: id + "-r", OrderID: id, PaymentID: c.payment.PaymentID, Currency: o.Currency, ExchangeRate: o.ExchangeRate,
		Amount: money.Round(o.Totals.Gross.Div(decimal.NewFromInt(2)), o.Currency), Reason: "canary", Method: "card", Gateway: gateway,
		GatewayReference: id + "-r", RefundedAt: now,
	}
	return c, nil
}

// gatewayFor is the first gateway, by name, whose money in the currency has an account.
func gatewayFor(org *processor.Organization, currency string) (string, bool) {
	for _, key := range slices.Sorted(maps.Keys(org.Clearing)) {
		if gateway, ok := strings.CutSuffix(key, "/"+currency); ok {
			return gateway, true
		}
	}
	return "canary", org.DefaultClearing != ""
}
