package schemas

func readPayment(r *row) *Payment {
	return &Payment{
		Event:            r.event(),
		Kind:             PaymentKind(r.enum("kind")),
		PaymentID:        r.id("payment_id"),
		OrderID:          r.id("order_id"),
		Amount:           r.decimal("amount"),
		Currency:         r.id("currency"),
		ExchangeRate:     r.nullDecimal("exchange_rate"),
		Method:           r.str("method"),
		Gateway:          r.str("gateway"),
		GatewayReference: r.str("gateway_reference"),
		Fee:              r.fee("fee"),
		PayoutID:         r.str("payout_id"),
		ReceivedAt:       r.instant("received_at"),
		Allocations:      r.allocations("allocations"),
	}
}

func (r *row) fee(name string) *Fee {
	f, ok := r.object(name)
	if !ok {
		return nil
	}
	defer f.done()
	return &Fee{Amount: f.decimal("amount"), Currency: f.id("currency")}
}

func (r *row) allocations(name string) []Allocation {
	items, s := r.array(name)
	if len(items) == 0 {
		return nil
	}
	defer r.d.pop()
	allocations := make([]Allocation, len(items))
	for i := range items {
		a, ok := r.d.item(items, i, s)
		if !ok {
			return nil
		}
		allocations[i] = Allocation{OrderID: a.id("order_id"), Amount: a.decimal("amount")}
		a.done()
	}
	return allocations
}

func readRefund(r *row) *Refund {
	return &Refund{
		Event:            r.event(),
		RefundID:         r.id("refund_id"),
		OrderID:          r.id("order_id"),
		PaymentID:        r.str("payment_id"),
		Amount:           r.decimal("amount"),
		CreditTotal:      r.nullDecimal("credit_total"),
		Currency:         r.id("currency"),
		ExchangeRate:     r.nullDecimal("exchange_rate"),
		Reason:           r.str("reason"),
		Lines:            r.refundLines("lines"),
		Method:           r.str("method"),
		Gateway:          r.str("gateway"),
		GatewayReference: r.str("gateway_reference"),
		FeeReturned:      r.fee("fee_returned"),
		RefundedAt:       r.instant("refunded_at"),
	}
}

func (r *row) refundLines(name string) []RefundLine {
	items, s := r.array(name)
	if len(items) == 0 {
		return nil
	}
	defer r.d.pop()
	lines := make([]RefundLine, len(items))
	for i := range items {
		l, ok := r.d.item(items, i, s)
		if !ok {
			return nil
		}
		lines[i] = RefundLine{
			LineID:   l.id("line_id"),
			Quantity: l.decimal("quantity"),
			Amount:   l.decimal("amount"),
			Taxes:    l.taxes("taxes"),
		}
		l.done()
	}
	return lines
}

func readCustomer(r *row) *Customer {
	return &Customer{
		Event:     r.event(),
		Customer:  r.party("customer"),
		ChangedAt: r.instant("changed_at"),
	}
}
