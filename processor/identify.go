package processor

import "github.com/booksync/booksync/schemas"

// Identity is what makes an event the same transaction as another one: for those who look at claims from outside.
type Identity struct {
	Organization string
	Ref          ClaimRef
	OrderID      string
	EventID      string
	Revision     int64
	// Fingerprint is a hash of the business content, as claims keep it.
	Fingerprint string
}

// IdentifyOrder is an order event's; of a cancellation, the cancellation's.
func IdentifyOrder(o *schemas.Order) Identity {
	e := event{order: o}
	e.ofOrder()
	return e.identity()
}

// IdentifyPayment is a payment event's.
func IdentifyPayment(p *schemas.Payment) Identity {
	e := event{payment: p}
	e.ofPayment()
	return e.identity()
}

// IdentifyRefund is a refund event's.
func IdentifyRefund(r *schemas.Refund) Identity {
	e := event{refund: r}
	e.ofRefund()
	return e.identity()
}

func (e *event) identity() Identity {
	return Identity{
		Organization: e.Organization, Ref: e.ref, OrderID: e.orderID, EventID: e.EventID, Revision: e.revision, Fingerprint: e.fingerprint,
	}
}
