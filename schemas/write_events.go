package schemas

func (e *encoder) payment(v *Payment) map[string]any {
	m := e.event(&v.Event, shapePayment)
	m["kind"] = e.enum("kind", string(v.Kind), string(PaymentCaptured), string(PaymentReversed), string(PaymentDisputed), string(PaymentDisputeWon), string(PaymentFee))
	m["payment_id"] = e.id("payment_id", v.PaymentID)
	m["order_id"] = e.id("order_id", v.OrderID)
	m["amount"] = e.money("amount", v.Amount)
	m["currency"] = e.id("currency", v.Currency)
	m["exchange_rate"] = e.nullDecimal("exchange_rate", v.ExchangeRate, scaleRate)
	m["method"] = e.str("method", v.Method)
	m["gateway"] = e.str("gateway", v.Gateway)
	m["gateway_reference"] = e.str("gateway_reference", v.GatewayReference)
	m["fee"] = e.fee("fee", v.Fee)
	m["payout_id"] = e.opt("payout_id", v.PayoutID)
	m["received_at"] = e.instant("received_at", v.ReceivedAt)
	m["allocations"] = e.allocations("allocations", v.Allocations)
	return m
}

func (e *encoder) fee(name string, v *Fee) any {
	if v == nil {
		return nil
	}
	e.push(name)
	defer e.pop()
	m := e.lend(shapeFee)
	m["amount"] = e.money("amount", v.Amount)
	m["currency"] = e.id("currency", v.Currency)
	return e.wrap(shapeBranch, e.branch("Fee"), m)
}

func (e *encoder) allocations(name string, allocations []Allocation) any {
	e.push(name)
	defer e.pop()
	items := make([]any, len(allocations))
	for i := range allocations {
		v := &allocations[i]
		e.pushItem(i)
		m := e.lend(shapeAllocation)
		m["order_id"] = e.id("order_id", v.OrderID)
		m["amount"] = e.money("amount", v.Amount)
		items[i] = m
		e.pop()
	}
	return items
}

func (e *encoder) refund(v *Refund) map[string]any {
	m := e.event(&v.Event, shapeRefund)
	m["refund_id"] = e.id("refund_id", v.RefundID)
	m["order_id"] = e.id("order_id", v.OrderID)
	m["payment_id"] = e.opt("payment_id", v.PaymentID)
	m["amount"] = e.money("amount", v.Amount)
	m["credit_total"] = e.nullMoney("credit_total", v.CreditTotal)
	m["currency"] = e.id("currency", v.Currency)
	m["exchange_rate"] = e.nullDecimal("exchange_rate", v.ExchangeRate, scaleRate)
	m["reason"] = e.opt("reason", v.Reason)
	m["lines"] = e.refundLines("lines", v.Lines)
	m["method"] = e.str("method", v.Method)
	m["gateway"] = e.str("gateway", v.Gateway)
	m["gateway_reference"] = e.str("gateway_reference", v.GatewayReference)
	m["fee_returned"] = e.fee("fee_returned", v.FeeReturned)
	m["refunded_at"] = e.instant("refunded_at", v.RefundedAt)
	return m
}

func (e *encoder) refundLines(name string, lines []RefundLine) any {
	e.push(name)
	defer e.pop()
	items := make([]any, len(lines))
	for i := range lines {
		v := &lines[i]
		e.pushItem(i)
		m := e.lend(shapeRefundLine)
		m["line_id"] = e.id("line_id", v.LineID)
		m["quantity"] = e.decimal("quantity", v.Quantity, scaleSix)
		m["amount"] = e.money("amount", v.Amount)
		m["taxes"] = e.taxes("taxes", v.Taxes)
		items[i] = m
		e.pop()
	}
	return items
}

func (e *encoder) customer(v *Customer) map[string]any {
	m := e.event(&v.Event, shapeCustomer)
	m["customer"] = e.party("customer", &v.Customer)
	m["changed_at"] = e.instant("changed_at", v.ChangedAt)
	return m
}
