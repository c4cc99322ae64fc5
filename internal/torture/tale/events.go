package tale

import (
	"fmt"
	"time"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/schemas"
)

func (t *teller) event(at time.Time) schemas.Event {
	return schemas.Event{
		EventID: fmt.Sprintf("evt-%012x", t.r.Uint64()&0xffffffffffff), OccurredAt: at, Source: "torture", Organization: Organization,
		Attributes: map[string]string{"channel": []string{"web", "app", "pos"}[t.r.IntN(3)]},
	}
}

// order was placed some days before the simulation begins: the day of processing is never the event's.
func (t *teller) order(id string, i int) *schemas.Order {
	placed := t.begin.Add(-time.Duration(72+t.r.IntN(200))*time.Hour - time.Duration(t.r.IntN(3600))*time.Second)
	c := t.r.IntN(12)
	o := &schemas.Order{
		Event: t.event(placed), Kind: schemas.OrderCreated, Revision: 1, OrderID: id, OrderNumber: fmt.Sprintf("#%d", 1001+i), Currency: "USD",
		Customer: schemas.Party{
			ID: fmt.Sprintf("cust-%02d", c), Name: fmt.Sprintf("Customer %02d", c), Email: fmt.Sprintf("customer%02d@example.com", c),
			Phone:          phone(placed),
			BillingAddress: &schemas.Address{Line1: "1 Main Street", City: "Springfield", State: "Illinois", PostalCode: "62701", Country: "US"},
		},
		PlacedAt: placed,
	}
	if t.percent(shareForeign) {
		o.Currency, o.ExchangeRate = "EUR", decimal.NewNullDecimal(decimal.New(int64(10500+t.r.IntN(1000)), -4))
	}
	for j := range 1 + t.r.IntN(3) {
		price := decimal.New(int64(199+t.r.IntN(20_000)), -2)
		quantity := decimal.NewFromInt(int64(1 + t.r.IntN(3)))
		l := schemas.Line{LineID: fmt.Sprintf("l%d", j+1), Kind: schemas.LineGoods, Name: "Kettle", Quantity: quantity, UnitPrice: price, Taxes: t.tax()}
		if t.percent(15) {
			l.Discount = price.Mul(quantity).Mul(decimal.New(1, -1)).Round(2)
		}
		o.Lines = append(o.Lines, l)
	}
	if t.percent(40) {
		o.Lines = append(o.Lines, schemas.Line{
			LineID: "ship", Kind: schemas.LineShipping, Name: "Shipping", Quantity: decimal.NewFromInt(1), UnitPrice: decimal.New(590, -2), Taxes: t.tax(),
		})
	}
	t.sum(o)
	return o
}

// phone is what a customer gives with an order of that time: as a rule the same as ever.
func phone(placed time.Time) string {
	const newOne = 7 // of so many orders one has another number
	if n := placed.Unix(); n%newOne == 0 {
		return fmt.Sprintf("+1 555 %07d", n%10_000_000)
	}
	return "+1 555 0100"
}

func (t *teller) tax() []schemas.Tax {
	tax := t.taxes[t.r.IntN(len(t.taxes))]
	return []schemas.Tax{{Code: tax.Name, Rate: decimal.NewNullDecimal(decimal.RequireFromString(tax.Percentage)), CollectedBy: schemas.CollectedBySeller}}
}

// sum computes taxes and totals: each tax is rounded once over the whole document, its cents are spread over the lines.
func (t *teller) sum(o *schemas.Order) {
	o.Totals = schemas.Totals{}
	type rate struct {
		base, share, percent decimal.Decimal
		last                 int
	}
	rates := map[string]*rate{}
	for i := range o.Lines {
		l := &o.Lines[i]
		net := Net(l)
		o.Totals.Net = o.Totals.Net.Add(net)
		tax := &l.Taxes[0]
		if rates[tax.Code] == nil {
			rates[tax.Code] = &rate{percent: tax.Rate.Decimal}
		}
		r := rates[tax.Code]
		tax.Amount = percentOf(net, r.percent)
		r.base, r.share, r.last = r.base.Add(net), r.share.Add(tax.Amount), i
	}
	for _, r := range rates {
		whole := percentOf(r.base, r.percent)
		o.Totals.Tax = o.Totals.Tax.Add(whole)
		tax := &o.Lines[r.last].Taxes[0]
		tax.Amount = tax.Amount.Add(whole.Sub(r.share))
	}
	o.Totals.Gross = o.Totals.Net.Add(o.Totals.Tax)
}

// Net is what a line comes to before taxes.
func Net(l *schemas.Line) decimal.Decimal {
	return l.Quantity.Mul(l.UnitPrice).Round(2).Sub(l.Discount)
}

func percentOf(base, percent decimal.Decimal) decimal.Decimal {
	return base.Mul(percent).Div(decimal.NewFromInt(100)).Round(2)
}

// CancelledAfter is how long after it was placed an order is cancelled.
const CancelledAfter = 30 * time.Hour

func (t *teller) cancellation(o *schemas.Order) *schemas.Order {
	c := *o
	c.Event, c.Kind, c.Revision = t.event(o.PlacedAt.Add(CancelledAfter)), schemas.OrderCancelled, o.Revision+1
	return &c
}

func (t *teller) pay(st *Story, o *schemas.Order, amount decimal.Decimal, at time.Duration) *Emission {
	p := t.payment(st.ID, o, fmt.Sprint(len(st.Payments)+1), amount)
	st.Payments = append(st.Payments, p)
	e := t.emit(st, &Emission{Payment: p}, at, Posted)
	t.repeated(st, e, func() *Emission {
		c := *p
		c.Event = t.event(p.OccurredAt)
		return &Emission{Payment: &c}
	}, func() *Emission {
		c := *p
		c.Event, c.Amount = t.event(p.OccurredAt), p.Amount.Add(decimal.New(1, -2))
		return &Emission{Payment: &c}
	})
	return e
}

func (t *teller) payment(order string, o *schemas.Order, n string, amount decimal.Decimal) *schemas.Payment {
	received := o.PlacedAt.Add(time.Duration(1+t.r.IntN(40)) * time.Hour)
	p := &schemas.Payment{
		Event: t.event(received), Kind: schemas.PaymentCaptured, PaymentID: "p-" + order + "-" + n, OrderID: order, Amount: amount, Currency: o.Currency,
		Method: "card", Gateway: []string{"stripe", "paypal"}[t.r.IntN(2)], ReceivedAt: received,
	}
	p.GatewayReference = "ch_" + p.PaymentID
	if o.Currency != "USD" {
		p.ExchangeRate = decimal.NewNullDecimal(decimal.New(int64(10500+t.r.IntN(1000)), -4))
	}
	if fee := amount.Mul(decimal.New(29, -3)).Round(2); t.percent(70) && fee.IsPositive() {
		p.Fee = &schemas.Fee{Amount: fee, Currency: o.Currency}
	}
	return p
}

func (t *teller) refund(st *Story, o *schemas.Order, p *schemas.Payment, amount decimal.Decimal) *schemas.Refund {
	at := p.ReceivedAt.Add(time.Duration(1+t.r.IntN(20)) * time.Hour)
	r := &schemas.Refund{
		Event: t.event(at), RefundID: fmt.Sprintf("r-%s-%d", st.ID, len(st.Refunds)+len(st.Drawn)+1), OrderID: o.OrderID, PaymentID: p.PaymentID, Amount: amount,
		Currency: o.Currency, Reason: "returned", Method: "card", Gateway: p.Gateway, RefundedAt: at,
	}
	r.GatewayReference = "re_" + r.RefundID
	return r
}
