package bench

import (
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/schemas"
)

// The tax of all lines; one of the simulated company's.
const (
	taxName = "TX Sales Tax"
	taxRate = "8.25"
)

// orderLines is how many lines an order has: a usual basket.
const orderLines = 5

// makeOrder is the order with this number, of one of ten customers; all orders have the same amounts.
func (w *world) makeOrder(n int) *schemas.Order {
	at := time.Now().Truncate(time.Millisecond)
	customer := strconv.Itoa(n % 10)
	o := &schemas.Order{
		Event: w.event(n, at), Kind: schemas.OrderCreated, Revision: 1,
		OrderID: orderID(n), OrderNumber: "#" + strconv.Itoa(n), Currency: "USD", PlacedAt: at,
		Customer: schemas.Party{
			ID: "cust-" + customer, Name: "Customer " + customer, Email: "customer" + customer + "@example.com",
			BillingAddress: &schemas.Address{Line1: "1 Main Street", City: "Springfield", State: "Illinois", PostalCode: "62701", Country: "US"},
		},
	}
	rate := decimal.RequireFromString(taxRate)
	for i := range orderLines {
		net := decimal.NewFromInt(int64(100 * (i + 1)))
		tax := net.Mul(rate).Div(decimal.NewFromInt(100))
		o.Lines = append(o.Lines, schemas.Line{
			LineID: "l" + strconv.Itoa(i+1), Kind: schemas.LineGoods, SKU: "SKU-" + strconv.Itoa(i), Name: "Enamel mug, blue",
			Quantity: decimal.NewFromInt(2), UnitPrice: net.Div(decimal.NewFromInt(2)),
			Taxes: []schemas.Tax{{Code: taxName, Rate: decimal.NewNullDecimal(rate), Amount: tax, CollectedBy: schemas.CollectedBySeller}},
		})
		o.Totals.Net, o.Totals.Tax = o.Totals.Net.Add(net), o.Totals.Tax.Add(tax)
	}
	o.Totals.Gross = o.Totals.Net.Add(o.Totals.Tax)
	return o
}

// makePayment pays the order with this number in full.
func (w *world) makePayment(n int) *schemas.Payment {
	at := time.Now().Truncate(time.Millisecond)
	id := fmt.Sprintf("pay-%07d", n)
	return &schemas.Payment{
		Event: w.event(n, at), Kind: schemas.PaymentCaptured, PaymentID: id, OrderID: orderID(n),
		Amount: w.makeOrder(n).Totals.Gross, Currency: "USD", Method: "card", Gateway: "stripe", GatewayReference: "ch_" + id, ReceivedAt: at,
	}
}

// makeRefund gives all of the payment back.
func (w *world) makeRefund(n int) *schemas.Refund {
	at := time.Now().Truncate(time.Millisecond)
	id := fmt.Sprintf("ref-%07d", n)
	return &schemas.Refund{
		Event: w.event(n, at), RefundID: id, OrderID: orderID(n), PaymentID: fmt.Sprintf("pay-%07d", n),
		Amount: w.makeOrder(n).Totals.Gross, Currency: "USD", Reason: "returned", Method: "card", Gateway: "stripe", GatewayReference: "re_" + id, RefundedAt: at,
	}
}

func orderID(n int) string { return fmt.Sprintf("ord-%07d", n) }

func (w *world) event(n int, at time.Time) schemas.Event {
	return schemas.Event{
		EventID: "evt-" + strconv.Itoa(n), OccurredAt: at, Source: "bench-shop", Organization: w.Name,
		Attributes: map[string]string{"channel": "web"},
	}
}

// orders are makeOrder of from up to before to, made one by one: a million of them at once need gigabytes.
func (w *world) orders(from, to int) iter.Seq[any] {
	return func(yield func(any) bool) {
		for n := from; n < to && yield(w.makeOrder(n)); n++ {
		}
	}
}
