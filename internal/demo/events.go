package demo

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/schemas"
)

// emission is one record of the sample: what is produced, and what must become of it.
type emission struct {
	workflow string
	key      string
	order    *schemas.Order
	payment  *schemas.Payment
	refund   *schemas.Refund
	raw      []byte // poison: bytes instead of an event

	status schemas.Status
	class  string // of a REJECTED
	effect bool   // it changes the books: exactly one emission of a business id does
	phase  int    // emissions of a lower phase are produced first
	at     int    // the business event's place, for a stable order
}

// sample is the whole of what demo produces, in the order it's produced.
type sample struct {
	emissions []*emission
	market    *market
}

// The sample's shares, in percent of the orders. They're chosen to show every path, not to resemble a shop.
const (
	shareUnpaid        = 12
	sharePartlyPaid    = 6
	shareOverpaid      = 4
	shareEarlyPayment  = 12 // produced before its order
	shareRefunded      = 16 // of the paid ones
	shareEarlyRefund   = 25 // of the refunds: produced before their payment
	shareRepeated      = 8  // the same event again, under another event id
	shareCancelled     = 25 // of the unpaid ones
	shareWrongTotals   = 2
	shareUnmappedTax   = 1
	shareTest          = 1
	shareConflict      = 1
	sharePoison        = 2
	shareOrphanPayment = 1
	shareDisputed      = 1
)

// maker makes a sample from a seed; equal seeds make equal samples.
type maker struct {
	r     *rand.Rand
	org   string
	start time.Time
	taxes []taxRate
	// market is nil in the plain sample, whose currency is the US dollar.
	market   *market
	currency string
	gateways []string
	out      []*emission
	n        int
}

type taxRate struct {
	code string
	rate decimal.Decimal
}

func makeSample(seed int64, orders int, org string, taxes []taxRate, of *market) *sample {
	m := &maker{
		r: rand.New(rand.NewPCG(uint64(seed), 0x626f6f6b73)), org: org, taxes: taxes, market: of,
		start: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), currency: "USD", gateways: []string{"stripe", "paypal"},
	}
	if of != nil {
		m.currency, m.gateways = of.currency, of.gateways
	}
	for i := range orders {
		m.story(i)
	}
	return &sample{emissions: m.interleaved(), market: of}
}

// percent is true in so many of a hundred cases.
func (m *maker) percent(share int) bool { return m.r.IntN(100) < share }

// story is one order and what follows it.
func (m *maker) story(i int) {
	o := m.order(i)
	switch {
	case m.percent(shareWrongTotals):
		o.Totals.Gross = o.Totals.Gross.Add(decimal.NewFromInt(10))
		m.emit(&emission{order: o, status: schemas.StatusRejected, class: "rejected.totals"}, 1)
		return
	case m.percent(shareUnmappedTax):
		o.Lines[0].Taxes = []schemas.Tax{{Code: "mars-vat", Rate: decimal.NewNullDecimal(decimal.Zero), CollectedBy: schemas.CollectedBySeller}}
		o = m.summed(o)
		m.emit(&emission{order: o, status: schemas.StatusRejected, class: "rejected.tax"}, 1)
		return
	case m.percent(shareTest):
		o.Test = true
		m.emit(&emission{order: o, status: schemas.StatusRejected, class: "rejected.test"}, 1)
		return
	}
	m.emit(&emission{order: o, status: schemas.StatusPosted, effect: true}, 1)
	m.repeat(&emission{order: o}, 2)
	if m.percent(shareConflict) {
		other := *o
		other.Notes = "changed without a new revision"
		other.EventID = m.id("evt")
		m.emit(&emission{order: &other, status: schemas.StatusRejected, class: "rejected.conflict"}, 2) // before a cancellation, which makes it stale
	}
	if m.percent(sharePoison) {
		junk := make([]byte, 5+m.r.IntN(60))
		for j := range junk {
			junk[j] = byte(m.r.Uint32())
		}
		junk[0] = 7 // no format that booksync reads
		m.emit(&emission{workflow: m.workflow(), key: o.OrderID, raw: junk, status: schemas.StatusRejected, class: "poison.decode"}, 2)
	}
	if m.percent(shareUnpaid) {
		if m.percent(shareCancelled) {
			c := *o
			c.Kind, c.Revision, c.EventID, c.OccurredAt = schemas.OrderCancelled, 2, m.id("evt"), o.OccurredAt.Add(3*time.Hour)
			m.emit(&emission{order: &c, status: schemas.StatusPosted, effect: true}, 3)
			stale := *o
			stale.EventID = m.id("evt")
			m.emit(&emission{order: &stale, status: schemas.StatusDuplicate}, 4)
		}
		return
	}
	p := m.payment(o)
	phase := 2
	if m.percent(shareEarlyPayment) {
		phase = 0
	}
	m.emit(&emission{payment: p, status: schemas.StatusPosted, effect: true}, phase)
	m.repeat(&emission{payment: p}, 3)
	if m.percent(shareDisputed) {
		d := *p
		d.Kind, d.EventID, d.PaymentID = schemas.PaymentDisputed, m.id("evt"), p.PaymentID+"-dispute"
		m.emit(&emission{payment: &d, status: schemas.StatusRejected, class: "rejected.account"}, 4)
	}
	if m.percent(shareRefunded) {
		m.refund(o, p)
	}
	if m.percent(shareOrphanPayment) {
		orphan := m.payment(o)
		orphan.OrderID = o.OrderID + "-lost"
		orphan.PaymentID = p.PaymentID + "-lost"
		orphan.GatewayReference = "ch_" + orphan.PaymentID
		m.emit(&emission{payment: orphan, status: schemas.StatusRejected, class: "dependency.missing"}, 2)
	}
}

func (m *maker) workflow() string { return []string{"order", "payment", "refund"}[m.r.IntN(3)] }

// emit adds a record; its key is the order's id unless it is poison's own.
func (m *maker) emit(e *emission, phase int) {
	e.phase, e.at = phase, m.n
	m.n++
	switch {
	case e.order != nil:
		e.workflow, e.key = "order", e.order.OrderID
	case e.payment != nil:
		e.workflow, e.key = "payment", e.payment.OrderID
	case e.refund != nil:
		e.workflow, e.key = "refund", e.refund.OrderID
	}
	m.out = append(m.out, e)
}

// repeat sends the same business event once more now and then, as another emission of a producer that retries.
func (m *maker) repeat(e *emission, phase int) {
	if !m.percent(shareRepeated) {
		return
	}
	again := *e
	switch {
	case e.order != nil:
		o := *e.order
		o.EventID = m.id("evt")
		again.order = &o
	case e.payment != nil:
		p := *e.payment
		p.EventID = m.id("evt")
		again.payment = &p
	case e.refund != nil:
		r := *e.refund
		r.EventID = m.id("evt")
		again.refund = &r
	}
	again.status = schemas.StatusDuplicate
	m.emit(&again, phase)
}

func (m *maker) id(prefix string) string {
	return fmt.Sprintf("%s_%012x", prefix, m.r.Uint64()&0xffffffffffff)
}

func (m *maker) event(at time.Time) schemas.Event {
	return schemas.Event{
		EventID: m.id("evt"), OccurredAt: at, Source: "demo-shop", Organization: m.org,
		Attributes: map[string]string{"channel": []string{"web", "app", "pos"}[m.r.IntN(3)]},
	}
}

var firstNames = []string{"Ada", "Grace", "Edsger", "Barbara", "Ken", "Radia", "Leslie", "Tony", "Frances", "Donald"}
var lastNames = []string{"Lovelace", "Hopper", "Dijkstra", "Liskov", "Thompson", "Perlman", "Lamport", "Hoare", "Allen", "Knuth"}
var goods = []string{"Enamel mug", "Linen apron", "Walnut board", "Copper kettle", "Wool blanket", "Notebook, dotted", "Desk lamp", "Tea, 250 g"}

func (m *maker) order(i int) *schemas.Order {
	at := m.start.Add(time.Duration(i) * 11 * time.Minute)
	c := m.r.IntN(100)
	name := firstNames[c%10] + " " + lastNames[c/10]
	o := &schemas.Order{
		Event: m.event(at), Kind: schemas.OrderCreated, Revision: 1,
		OrderID: fmt.Sprintf("ord-%06d", i+1), OrderNumber: fmt.Sprintf("#%d", 1001+i), Currency: m.currency,
		Customer: schemas.Party{
			ID: fmt.Sprintf("cust-%03d", c), Name: name, Email: fmt.Sprintf("customer%03d@example.com", c),
			BillingAddress: &schemas.Address{Line1: fmt.Sprintf("%d Main Street", 1+c), City: "Springfield", State: "Illinois", PostalCode: "62701", Country: "US"},
		},
		PlacedAt: at,
	}
	var who *buyer
	if m.market != nil {
		who = m.market.buyer(c)
		o.Customer, o.PlaceOfSupply = who.party(c, name), who.place
	}
	for j := range 1 + m.r.IntN(4) {
		price := decimal.New(int64(199+m.r.IntN(20_000)), -2)
		quantity := decimal.NewFromInt(int64(1 + m.r.IntN(3)))
		l := schemas.Line{
			LineID: fmt.Sprintf("l%d", j+1), Kind: schemas.LineGoods, Name: goods[m.r.IntN(len(goods))], Quantity: quantity, UnitPrice: price,
			Taxes: m.taxed(who),
		}
		if m.market != nil && m.market.hsn {
			l.HSNOrSAC = "6911"
		}
		if m.percent(15) {
			l.Discount = price.Mul(quantity).Mul(decimal.New(1, -1)).Round(2)
		}
		o.Lines = append(o.Lines, l)
	}
	if m.percent(40) {
		o.Lines = append(o.Lines, schemas.Line{
			LineID: "ship", Kind: schemas.LineShipping, Name: "Shipping", Quantity: decimal.NewFromInt(1), UnitPrice: decimal.New(590, -2), Taxes: m.taxed(who),
		})
	}
	return m.summed(o)
}

// taxed picks the taxes of a line: any, or one of those that lines to this kind of buyer carry.
func (m *maker) taxed(who *buyer) []schemas.Tax {
	picked := taxes{}
	if who == nil {
		picked = append(picked, m.taxes[m.r.IntN(len(m.taxes))])
	} else {
		picked = who.lines[m.r.IntN(len(who.lines))]
	}
	out := make([]schemas.Tax, len(picked))
	for i, t := range picked {
		out[i] = schemas.Tax{Code: t.code, Rate: decimal.NewNullDecimal(t.rate), CollectedBy: schemas.CollectedBySeller}
	}
	return out
}

// summed computes the taxes of the order's lines so that each tax is right for the whole document: of the lines with the
// same taxes each one is rounded once over their sum, the cents spread over the lines; then the totals.
func (m *maker) summed(o *schemas.Order) *schemas.Order {
	type sum struct {
		base, said decimal.Decimal
		last       *schemas.Tax
	}
	var order []string
	sums := map[string]*sum{}
	o.Totals = schemas.Totals{}
	for i := range o.Lines {
		l := &o.Lines[i]
		net := l.Quantity.Mul(l.UnitPrice).Round(2).Sub(l.Discount)
		o.Totals.Net = o.Totals.Net.Add(net)
		together := ""
		for _, t := range l.Taxes {
			together += t.Code + " " + t.Rate.Decimal.String() + ","
		}
		l.Taxes = slices.Clone(l.Taxes)
		for j := range l.Taxes {
			t := &l.Taxes[j]
			key := fmt.Sprint(together, j)
			s := sums[key]
			if s == nil {
				s = &sum{}
				sums[key], order = s, append(order, key)
			}
			t.Amount = percentOf(net, t.Rate.Decimal)
			s.base, s.said, s.last = s.base.Add(net), s.said.Add(t.Amount), t
		}
	}
	for _, key := range order {
		s := sums[key]
		whole := percentOf(s.base, s.last.Rate.Decimal)
		s.last.Amount = s.last.Amount.Add(whole.Sub(s.said))
		o.Totals.Tax = o.Totals.Tax.Add(whole)
	}
	o.Totals.Gross = o.Totals.Net.Add(o.Totals.Tax)
	return o
}

func percentOf(base, rate decimal.Decimal) decimal.Decimal {
	return base.Mul(rate).Div(decimal.NewFromInt(100)).Round(2)
}

// payment pays the order: as a rule all of it.
func (m *maker) payment(o *schemas.Order) *schemas.Payment {
	at := o.PlacedAt.Add(time.Duration(1+m.r.IntN(240)) * time.Minute)
	p := &schemas.Payment{
		Event: m.event(at), Kind: schemas.PaymentCaptured, PaymentID: "pay-" + o.OrderID[4:], OrderID: o.OrderID, Amount: o.Totals.Gross,
		Currency: m.currency, Method: "card", Gateway: m.gateways[m.r.IntN(len(m.gateways))], ReceivedAt: at,
	}
	p.GatewayReference = "ch_" + p.PaymentID
	switch {
	case m.percent(sharePartlyPaid):
		p.Amount = o.Totals.Gross.Div(decimal.NewFromInt(2)).Round(2)
	case m.percent(shareOverpaid):
		p.Amount = o.Totals.Gross.Add(decimal.NewFromInt(5))
	}
	if m.percent(70) {
		p.Fee = &schemas.Fee{Amount: p.Amount.Mul(decimal.New(29, -3)).Round(2), Currency: m.currency}
		if !p.Fee.Amount.IsPositive() {
			p.Fee = nil
		}
	}
	return p
}

// refund gives back a part of what was paid, or all of it.
func (m *maker) refund(o *schemas.Order, p *schemas.Payment) {
	at := p.ReceivedAt.Add(time.Duration(1+m.r.IntN(96)) * time.Hour)
	most := decimal.Min(p.Amount, o.Totals.Gross)
	r := &schemas.Refund{
		Event: m.event(at), RefundID: "ref-" + o.OrderID[4:], OrderID: o.OrderID, PaymentID: p.PaymentID, Amount: most, Currency: m.currency,
		Reason: "returned", Method: "card", Gateway: p.Gateway, RefundedAt: at,
	}
	r.GatewayReference = "re_" + r.RefundID
	if m.percent(60) {
		r.Amount = most.Mul(decimal.New(int64(10+m.r.IntN(80)), -2)).Round(2)
	}
	if !r.Amount.IsPositive() {
		return
	}
	phase := 4
	if m.percent(shareEarlyRefund) {
		phase = 0
	}
	m.emit(&emission{refund: r, status: schemas.StatusPosted, effect: true}, phase)
	m.repeat(&emission{refund: r}, 5)
}

// interleaved orders the records: within a story by phase, and the stories mixed as a busy shop would.
func (m *maker) interleaved() []*emission {
	type placed struct {
		e *emission
		t float64
	}
	all := make([]placed, len(m.out))
	for i, e := range m.out {
		// A phase is about as long as forty orders; jitter mixes neighbours but never two phases of one story.
		all[i] = placed{e, float64(e.at)/4 + float64(e.phase)*40 + m.r.Float64()}
	}
	slices.SortStableFunc(all, func(a, b placed) int { return cmp.Compare(a.t, b.t) })
	out := make([]*emission, len(all))
	for i, p := range all {
		out[i] = p.e
	}
	return out
}
