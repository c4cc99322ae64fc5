package torture

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/schemas"
)

// emission is one record that a producer sends: the event, when, and what may become of it.
type emission struct {
	workflow string
	key      string
	order    *schemas.Order
	payment  *schemas.Payment
	refund   *schemas.Refund
	raw      []byte // poison: bytes instead of an event

	story *story
	at    time.Duration // after the begin
	after []*emission   // which have their outcomes before
	// aborted: it is sent within a transaction that is aborted, so nobody may ever see it.
	aborted bool
	// within: it is sent within a transaction that is committed.
	within bool

	want []verdict // any of these; none: all are right

	// Once it is produced.
	where place
	sent  bool
}

// verdict is what may become of a record. An effect is a POSTED that changes the books; of one business id exactly one has it.
type verdict struct {
	status schemas.Status
	class  string // of a REJECTED
}

var (
	posted    = verdict{status: schemas.StatusPosted}
	duplicate = verdict{status: schemas.StatusDuplicate}
)

func rejected(class string) verdict { return verdict{schemas.StatusRejected, class} }

// place is where a record lies.
type place struct {
	topic     string
	partition int32
	offset    int64
}

func (p place) String() string { return fmt.Sprintf("%s/%d/%d", p.topic, p.partition, p.offset) }

// story is one order and all that follows it: what the books must hold in the end.
type story struct {
	id        string
	order     *schemas.Order // nil: no invoice may be there
	cancelled bool
	payments  []*schemas.Payment
	refunds   []*schemas.Refund
	// victim: people lay hands on its documents, so the books need not be what the events say; twice nothing is, all the same.
	victim bool
}

// tale is everything that is produced in one simulation.
type tale struct {
	emissions []*emission
	stories   []*story
	victims   []*story
}

// teller makes a tale from a seed; equal seeds make equal tales.
type teller struct {
	r     *rand.Rand
	org   simulator.Org
	taxes []simulator.Tax
	at    time.Duration // of the story being told
	// forgetful: Redis loses its memory, and with it that an order was cancelled before it came, which no document tells.
	forgetful bool
	tale
}

// The shares, in percent.
const (
	shareRepeated    = 12 // sent again under another event id
	shareCopied      = 8  // the very same bytes again
	shareTwoShops    = 6  // sent again by another producer, which uses another key: another partition
	shareConflict    = 7
	sharePoison      = 8
	shareRejected    = 8
	shareUnpaid      = 15
	shareTwoPayments = 18
	shareOverpaid    = 8
	shareEarly       = 15
	shareRefunded    = 40
	shareCancelled   = 20
	shareTombstone   = 4
	shareUpdateFirst = 5
	shareForeign     = 10
	shareOrphan      = 3
	shareWithin      = 12 // of the records: within transactions
	shareAborted     = 8
)

func tell(seed int64, org simulator.Org, orders int, forgetful bool) *tale {
	t := &teller{forgetful: forgetful, r: rand.New(rand.NewPCG(uint64(seed), 0x7461_6c65)), org: org}
	for _, tax := range org.Taxes {
		if tax.Name != simulator.TaxExempt {
			t.taxes = append(t.taxes, tax)
		}
	}
	for i := range orders {
		t.at += time.Duration(t.r.IntN(20_000)) * time.Millisecond
		t.story(i)
	}
	return &t.tale
}

func (t *teller) percent(share int) bool { return t.r.IntN(100) < share }

// later is a moment of the story: some seconds after its begin, for each step.
func (t *teller) later(step int) time.Duration {
	if step > 1 && t.percent(5) { // very late
		return t.at + time.Duration(60+t.r.IntN(200))*time.Second
	}
	return t.at + time.Duration(step)*5*time.Second + time.Duration(t.r.IntN(8000))*time.Millisecond
}

func (t *teller) emit(st *story, e *emission, at time.Duration, want ...verdict) *emission {
	e.story, e.at, e.want = st, at, want
	switch {
	case e.order != nil:
		e.workflow = "order"
	case e.payment != nil:
		e.workflow = "payment"
	case e.refund != nil:
		e.workflow = "refund"
	}
	if e.key == "" {
		e.key = st.id
	}
	e.within = t.percent(shareWithin)
	t.emissions = append(t.emissions, e)
	if t.percent(shareAborted) { // what is aborted has other content: whoever reads it shows
		ghost := *e
		ghost.aborted, ghost.within, ghost.want = true, false, nil
		switch {
		case e.order != nil:
			o := *e.order
			o.Notes, o.Revision = "a ghost", o.Revision+5
			ghost.order = &o
		case e.payment != nil:
			p := *e.payment
			p.PaymentID += "-ghost"
			ghost.payment = &p
		case e.refund != nil:
			r := *e.refund
			r.RefundID += "-ghost"
			ghost.refund = &r
		}
		t.emissions = append(t.emissions, &ghost)
	}
	return e
}

// repeated sends an event again in the ways that producers do.
func (t *teller) repeated(st *story, e *emission, again func() *emission, conflict func() *emission) {
	if t.percent(shareCopied) {
		c := *e
		t.emit(st, &c, e.at+time.Duration(t.r.IntN(90_000))*time.Millisecond, duplicate)
	}
	if t.percent(shareRepeated) {
		t.emit(st, again(), e.at+time.Duration(t.r.IntN(300_000))*time.Millisecond, duplicate)
	}
	if t.percent(shareConflict) {
		c := conflict()
		c.after = []*emission{e}
		want := []verdict{rejected("rejected.conflict")}
		if t.forgetful && c.refund != nil { // it may be a refund of more than is left, as far as is known
			want = append(want, rejected("dependency.missing"))
		}
		t.emit(st, c, e.at, want...)
	}
	if t.percent(shareTwoShops) {
		other := again()
		other.key = fmt.Sprintf("%s-%d", e.key, t.r.IntN(1000))
		e.want = []verdict{posted, duplicate} // whoever is first
		t.emit(st, other, e.at+time.Duration(t.r.IntN(3000))*time.Millisecond, posted, duplicate)
		for _, o := range t.emissions {
			if o.story == st && o.workflow == e.workflow && o != e && len(o.want) == 1 && o.want[0] == duplicate {
				o.want = []verdict{posted, duplicate}
			}
		}
	}
}

func (t *teller) story(i int) {
	st := &story{id: fmt.Sprintf("o-%03d", i+1)}
	t.stories = append(t.stories, st)
	o := t.order(st.id, i)
	if t.percent(sharePoison) {
		junk := make([]byte, 3+t.r.IntN(300))
		for j := range junk {
			junk[j] = byte(t.r.Uint32())
		}
		junk[0] = 9 // no format that booksync reads
		t.emit(st, &emission{workflow: []string{"order", "payment", "refund"}[t.r.IntN(3)], raw: junk}, t.later(1), rejected("poison.decode"))
	}
	if t.percent(shareRejected) {
		t.refused(st, o)
		return
	}
	if t.percent(shareTombstone) && !t.forgetful {
		gone := t.cancellation(o)
		first := t.emit(st, &emission{order: gone}, t.later(0), posted)
		t.emit(st, &emission{order: o, after: []*emission{first}}, t.later(1), duplicate)
		return
	}
	st.order = o
	if t.percent(shareUpdateFirst) {
		old := *o
		o.Kind, o.Revision = schemas.OrderUpdated, 2
		first := t.emit(st, &emission{order: o}, t.later(0), posted)
		t.emit(st, &emission{order: &old, after: []*emission{first}}, t.later(1), duplicate)
		return
	}
	created := t.emit(st, &emission{order: o}, t.later(1), posted)
	t.repeated(st, created, func() *emission {
		c := *o
		c.Event = t.event(o.OccurredAt)
		return &emission{order: &c}
	}, func() *emission {
		c := *o
		c.Event, c.Notes = t.event(o.OccurredAt), "other content at the same revision"
		return &emission{order: &c}
	})
	switch {
	case i == 5 || t.percent(3):
		t.victimised(st, created)
	case o.Currency != "USD":
		if t.percent(70) {
			t.pay(st, o, o.Totals.Gross, t.step(2))
		}
	case t.percent(shareUnpaid):
		if t.percent(50) {
			t.cancelled(st, o, []*emission{created})
		}
	default:
		t.paid(st, o, created)
	}
	if t.percent(shareOrphan) {
		p := t.payment(st.id+"-lost", o, "lost", decimal.NewFromInt(12))
		t.emit(st, &emission{payment: p, key: p.OrderID}, t.later(2), rejected("dependency.missing"))
	}
}

// step is when a step of the story happens: in its turn, or before the order itself.
func (t *teller) step(n int) time.Duration {
	if t.percent(shareEarly) {
		return max(t.at-time.Duration(t.r.IntN(60))*time.Second, 0)
	}
	return t.later(n)
}

// refused is an order that must not be posted.
func (t *teller) refused(st *story, o *schemas.Order) {
	switch t.r.IntN(3) {
	case 0:
		o.Totals.Gross = o.Totals.Gross.Add(decimal.NewFromInt(3))
		t.emit(st, &emission{order: o}, t.later(1), rejected("rejected.totals"))
	case 1:
		o.Lines[0].Taxes = []schemas.Tax{{Code: "mars-vat", Rate: decimal.NewNullDecimal(decimal.Zero), CollectedBy: schemas.CollectedBySeller}}
		t.sum(o)
		t.emit(st, &emission{order: o}, t.later(1), rejected("rejected.tax"))
	default:
		o.Test = true
		t.emit(st, &emission{order: o}, t.later(1), rejected("rejected.test"))
	}
}

// paid is an order that is paid, and perhaps given back.
func (t *teller) paid(st *story, o *schemas.Order, created *emission) {
	gross := o.Totals.Gross
	var payments []*emission
	money := gross
	switch {
	case t.percent(shareTwoPayments):
		part := gross.Mul(decimal.New(int64(20+t.r.IntN(60)), -2)).Round(2)
		payments = append(payments, t.pay(st, o, part, t.step(2)), t.pay(st, o, gross.Sub(part), t.step(3)))
	case t.percent(shareOverpaid):
		money = gross.Add(decimal.New(int64(100+t.r.IntN(2000)), -2))
		payments = append(payments, t.pay(st, o, money, t.step(2)))
	case t.percent(12):
		money = gross.Div(decimal.NewFromInt(2)).Round(2)
		payments = append(payments, t.pay(st, o, money, t.step(2)))
	default:
		payments = append(payments, t.pay(st, o, gross, t.step(2)))
	}
	all := append([]*emission{created}, payments...)
	switch {
	case t.percent(shareCancelled):
		t.cancelled(st, o, all)
	case t.percent(shareRefunded):
		t.refunds(st, o, payments, money)
	}
}

// refunds gives back a part of the order, in up to three steps; what was paid too much, without a credit.
func (t *teller) refunds(st *story, o *schemas.Order, payments []*emission, money decimal.Decimal) {
	left := decimal.Min(money, o.Totals.Gross)
	if over := money.Sub(o.Totals.Gross); over.IsPositive() {
		r := t.refund(st, o, payments[0].payment, over)
		r.CreditTotal = decimal.NewNullDecimal(decimal.Zero)
		t.giveBack(st, r, t.later(6))
		return
	}
	for n := 1 + t.r.IntN(3); n > 0; n-- {
		amount := left.Mul(decimal.New(int64(15+t.r.IntN(35)), -2)).Round(2)
		if n == 1 && t.percent(30) && len(payments) == 1 {
			amount = left
		}
		if !amount.IsPositive() {
			return
		}
		left = left.Sub(amount)
		r := t.refund(st, o, payments[t.r.IntN(len(payments))].payment, amount)
		if owed := o.Totals.Gross.Sub(money); owed.IsPositive() && n == 1 && t.percent(50) { // a part of what is owed is let off
			r.CreditTotal = decimal.NewNullDecimal(amount.Add(owed.Div(decimal.NewFromInt(2)).Round(2)))
		}
		t.giveBack(st, r, t.step(5))
	}
}

func (t *teller) giveBack(st *story, r *schemas.Refund, at time.Duration) {
	st.refunds = append(st.refunds, r)
	e := t.emit(st, &emission{refund: r}, at, posted)
	t.repeated(st, e, func() *emission {
		c := *r
		c.Event = t.event(r.OccurredAt)
		return &emission{refund: &c}
	}, func() *emission {
		c := *r
		c.Event, c.Amount = t.event(r.OccurredAt), r.Amount.Add(decimal.New(1, -2))
		return &emission{refund: &c}
	})
}

// cancelled takes an order back once everything before has its outcome.
func (t *teller) cancelled(st *story, o *schemas.Order, before []*emission) {
	st.cancelled = true
	c := t.cancellation(o)
	e := t.emit(st, &emission{order: c, after: before}, t.later(6), posted)
	again := *c
	again.Event = t.event(c.OccurredAt)
	if t.percent(40) {
		t.emit(st, &emission{order: &again, after: []*emission{e}}, e.at, duplicate)
	}
	if t.percent(30) {
		stale := *o
		stale.Event = t.event(o.OccurredAt)
		t.emit(st, &emission{order: &stale, after: []*emission{e}}, e.at, duplicate)
	}
	for _, other := range t.emissions { // repetitions and conflicts may come after the cancellation, which makes them stale
		if other.story == st && other.order != nil && other.order.Kind == schemas.OrderCreated && len(other.want) == 1 && other.want[0].class == "rejected.conflict" {
			other.want = append(other.want, duplicate)
		}
	}
}

func (t *teller) victimised(st *story, created *emission) {
	st.victim = true
	t.victims = append(t.victims, st)
	created.want = nil
	p := t.payment(st.id, st.order, "1", st.order.Totals.Gross)
	e := t.emit(st, &emission{payment: p}, t.later(3))
	r := t.refund(st, st.order, p, p.Amount.Div(decimal.NewFromInt(2)).Round(2))
	t.emit(st, &emission{refund: r, after: []*emission{e}}, e.at)
	for _, other := range t.emissions {
		if other.story == st {
			other.want = nil
		}
	}
}

func (t *teller) event(at time.Time) schemas.Event {
	return schemas.Event{
		EventID: fmt.Sprintf("evt-%012x", t.r.Uint64()&0xffffffffffff), OccurredAt: at, Source: "torture", Organization: organization,
		Attributes: map[string]string{"channel": []string{"web", "app", "pos"}[t.r.IntN(3)]},
	}
}

// order was placed some days before the simulation begins: the day of processing is never the event's.
func (t *teller) order(id string, i int) *schemas.Order {
	placed := begin.Add(-time.Duration(72+t.r.IntN(200))*time.Hour - time.Duration(t.r.IntN(3600))*time.Second)
	c := t.r.IntN(12)
	o := &schemas.Order{
		Event: t.event(placed), Kind: schemas.OrderCreated, Revision: 1, OrderID: id, OrderNumber: fmt.Sprintf("#%d", 1001+i), Currency: "USD",
		Customer: schemas.Party{
			ID: fmt.Sprintf("cust-%02d", c), Name: fmt.Sprintf("Customer %02d", c), Email: fmt.Sprintf("customer%02d@example.com", c),
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
		net := lineNet(l)
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

func lineNet(l *schemas.Line) decimal.Decimal {
	return l.Quantity.Mul(l.UnitPrice).Round(2).Sub(l.Discount)
}

func percentOf(base, percent decimal.Decimal) decimal.Decimal {
	return base.Mul(percent).Div(decimal.NewFromInt(100)).Round(2)
}

// cancelledAfter is how long after it was placed an order is cancelled.
const cancelledAfter = 30 * time.Hour

func (t *teller) cancellation(o *schemas.Order) *schemas.Order {
	c := *o
	c.Event, c.Kind, c.Revision = t.event(o.PlacedAt.Add(cancelledAfter)), schemas.OrderCancelled, o.Revision+1
	return &c
}

func (t *teller) pay(st *story, o *schemas.Order, amount decimal.Decimal, at time.Duration) *emission {
	p := t.payment(st.id, o, fmt.Sprint(len(st.payments)+1), amount)
	st.payments = append(st.payments, p)
	e := t.emit(st, &emission{payment: p}, at, posted)
	t.repeated(st, e, func() *emission {
		c := *p
		c.Event = t.event(p.OccurredAt)
		return &emission{payment: &c}
	}, func() *emission {
		c := *p
		c.Event, c.Amount = t.event(p.OccurredAt), p.Amount.Add(decimal.New(1, -2))
		return &emission{payment: &c}
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

func (t *teller) refund(st *story, o *schemas.Order, p *schemas.Payment, amount decimal.Decimal) *schemas.Refund {
	at := p.ReceivedAt.Add(time.Duration(1+t.r.IntN(20)) * time.Hour)
	r := &schemas.Refund{
		Event: t.event(at), RefundID: fmt.Sprintf("r-%s-%d", st.id, len(st.refunds)+1), OrderID: o.OrderID, PaymentID: p.PaymentID, Amount: amount,
		Currency: o.Currency, Reason: "returned", Method: "card", Gateway: p.Gateway, RefundedAt: at,
	}
	r.GatewayReference = "re_" + r.RefundID
	return r
}
