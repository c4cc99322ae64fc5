package app

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/schemas"
)

func dec(s string) decimal.Decimal { return decimal.RequireFromString(s) }

var at = time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)

var eventIDs struct {
	sync.Mutex
	n int
}

func (w *world) event() schemas.Event {
	eventIDs.Lock()
	defer eventIDs.Unlock()
	eventIDs.n++
	return schemas.Event{EventID: "evt-" + strconv.Itoa(eventIDs.n), OccurredAt: at, Source: "test-shop", Organization: w.name}
}

// order sells goods for 400 and 33 of tax.
func (w *world) order(id string) *schemas.Order {
	return &schemas.Order{
		Event: w.event(), Kind: schemas.OrderCreated, Revision: 1, OrderID: id, OrderNumber: "#" + id, Currency: w.org.Currency,
		Customer: schemas.Party{ID: "c-" + id, Name: "Customer " + id, Email: strings.ToLower(id) + "@example.com", BillingAddress: &schemas.Address{Country: "US"}},
		Lines: []schemas.Line{{
			LineID: "1", Kind: schemas.LineGoods, Name: "Kettle", Quantity: dec("1"), UnitPrice: dec("400"),
			Taxes: []schemas.Tax{{Code: "TX Sales Tax", Rate: decimal.NewNullDecimal(dec("8.25")), Amount: dec("33"), CollectedBy: schemas.CollectedBySeller}},
		}},
		Totals: schemas.Totals{Net: dec("400"), Tax: dec("33"), Gross: dec("433")}, PlacedAt: at,
	}
}

// cancelled is the order's cancellation, as revision 2.
func (w *world) cancelled(o *schemas.Order) *schemas.Order {
	c := *o
	c.Event, c.Kind, c.Revision = w.event(), schemas.OrderCancelled, o.Revision+1
	c.OccurredAt = at.Add(time.Hour)
	return &c
}

// again is the same business event under another event id.
func (w *world) again(o *schemas.Order) *schemas.Order {
	c := *o
	c.Event = w.event()
	return &c
}

func (w *world) payment(id, order, amount string) *schemas.Payment {
	return &schemas.Payment{
		Event: w.event(), Kind: schemas.PaymentCaptured, PaymentID: id, OrderID: order, Amount: dec(amount), Currency: w.org.Currency,
		Method: "card", Gateway: "stripe", GatewayReference: "ch_" + id, ReceivedAt: at.Add(time.Hour),
	}
}

func (w *world) refund(id, order, payment, amount string) *schemas.Refund {
	return &schemas.Refund{
		Event: w.event(), RefundID: id, OrderID: order, PaymentID: payment, Amount: dec(amount), Currency: w.org.Currency,
		Method: "card", Gateway: "stripe", GatewayReference: "re_" + id, RefundedAt: at.Add(48 * time.Hour),
	}
}
