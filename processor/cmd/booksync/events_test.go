package main

import (
	"testing"

	"github.com/booksync/booksync/schemas"
)

// Events as `produce` and `explain` read them.
const (
	orderJSON = `{"event_id":"e1","occurred_at":"2026-03-01T10:00:00Z","source":"shop","organization":"demo","kind":"CREATED","revision":1,` +
		`"order_id":"O1","order_number":"1001","currency":"USD","prices_include_tax":false,` +
		`"customer":{"id":"C1","name":"Ann Lee","email":"ann@example.com","billing_address":{"line1":"1 Main St","city":"Albany","state":"NY","postal_code":"12207","country":"US"}},` +
		`"lines":[{"line_id":"1","kind":"GOODS","name":"Mug","quantity":"2","unit_price":"10.00","discount":"0","taxes":[{"code":"ny-sales-tax","rate":"8.875","amount":"1.78","collected_by":"SELLER"}]}],` +
		`"discounts":[],"totals":{"net":"20.00","tax":"1.78","gross":"21.78"},"placed_at":"2026-03-01T10:00:00Z","test":true}`
	paymentJSON = `{"event_id":"e2","occurred_at":"2026-03-01T10:01:00Z","source":"shop","organization":"demo","kind":"CAPTURED","payment_id":"P1","order_id":"O1",` +
		`"amount":"21.78","currency":"USD","method":"card","gateway":"stripe","gateway_reference":"ch_1","received_at":"2026-03-01T10:01:00Z","allocations":[],"test":true}`
	refundJSON = `{"event_id":"e3","occurred_at":"2026-03-02T10:00:00Z","source":"shop","organization":"demo","refund_id":"R1","order_id":"O1",` +
		`"amount":"5.00","currency":"USD","lines":[],"method":"card","gateway":"stripe","gateway_reference":"re_1","refunded_at":"2026-03-02T10:00:00Z","test":true}`
)

// avroOrder is orderJSON in single-object encoding.
func avroOrder(t *testing.T) []byte {
	t.Helper()
	codec, err := schemas.NewCodec()
	if err != nil {
		t.Fatal(err)
	}
	o, err := schemas.OrderFromJSON([]byte(orderJSON))
	if err != nil {
		t.Fatal(err)
	}
	value, err := codec.EncodeOrder(t.Context(), "commerce.orders", o)
	if err != nil {
		t.Fatal(err)
	}
	return value
}
