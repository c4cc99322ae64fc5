package tale

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/schemas"
)

// teller makes a tale from a seed; equal seeds make equal tales.
type teller struct {
	r     *rand.Rand
	org   simulator.Org
	taxes []simulator.Tax
	at    time.Duration // of the story being told
	// forgetful: Redis loses its memory, and with it that an order was cancelled before it came, which no document tells.
	forgetful bool
	begin     time.Time
	Tale
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
	shareDrawn       = 60 // of the cancelled: the money goes back
	shareTombstone   = 4
	shareUpdateFirst = 5
	shareForeign     = 10
	shareOrphan      = 3
	shareWithin      = 12 // of the records: within transactions
	shareAborted     = 8
)

// Tell tells a seed's tale.
func Tell(seed int64, o Options) *Tale {
	org := Company()
	t := &teller{forgetful: o.Forgetful, begin: o.Begin, r: rand.New(rand.NewPCG(uint64(seed), 0x7461_6c65)), org: org}
	t.setTaxes()
	for i := range o.Orders {
		t.at += time.Duration(t.r.IntN(20_000)) * time.Millisecond
		t.story(i)
	}
	t.further(seed, o.Orders)
	t.Tale.Forgetful = o.Forgetful
	return &t.Tale
}

// setTaxes makes the company's taxes those that lines have.
func (t *teller) setTaxes() {
	for _, tax := range t.org.Taxes {
		if tax.Name != simulator.TaxExempt {
			t.taxes = append(t.taxes, tax)
		}
	}
}

func (t *teller) percent(share int) bool { return t.r.IntN(100) < share }

// later is a moment of the story: some seconds after its begin, for each step.
func (t *teller) later(step int) time.Duration {
	if step > 1 && t.percent(5) { // very late
		return t.at + time.Duration(60+t.r.IntN(200))*time.Second
	}
	return t.at + time.Duration(step)*5*time.Second + time.Duration(t.r.IntN(8000))*time.Millisecond
}

func (t *teller) emit(st *Story, e *Emission, at time.Duration, want ...Verdict) *Emission {
	e.Story, e.At, e.Want = st, at, want
	switch {
	case e.Order != nil:
		e.Workflow = "order"
	case e.Payment != nil:
		e.Workflow = "payment"
	case e.Refund != nil:
		e.Workflow = "refund"
	}
	if e.Key == "" {
		e.Key = st.ID
	}
	e.Within = t.percent(shareWithin)
	t.Emissions = append(t.Emissions, e)
	if t.percent(shareAborted) { // what is aborted has other content: whoever reads it shows
		ghost := *e
		ghost.Aborted, ghost.Within, ghost.Want = true, false, nil
		switch {
		case e.Order != nil:
			o := *e.Order
			o.Notes, o.Revision = "a ghost", o.Revision+5
			ghost.Order = &o
		case e.Payment != nil:
			p := *e.Payment
			p.PaymentID += "-ghost"
			ghost.Payment = &p
		case e.Refund != nil:
			r := *e.Refund
			r.RefundID += "-ghost"
			ghost.Refund = &r
		}
		t.Emissions = append(t.Emissions, &ghost)
	}
	return e
}

// repeated sends an event again in the ways that producers do.
func (t *teller) repeated(st *Story, e *Emission, again func() *Emission, conflict func() *Emission) {
	if t.percent(shareCopied) {
		c := *e
		t.emit(st, &c, e.At+time.Duration(t.r.IntN(90_000))*time.Millisecond, Duplicate)
	}
	if t.percent(shareRepeated) {
		c := again()
		c.After = e.After
		t.emit(st, c, e.At+time.Duration(t.r.IntN(300_000))*time.Millisecond, Duplicate)
	}
	if t.percent(shareConflict) {
		c := conflict()
		c.After = []*Emission{e}
		want := []Verdict{Rejected("rejected.conflict")}
		if t.forgetful && c.Refund != nil { // it may be a refund of more than is left, as far as is known
			want = append(want, Rejected("dependency.missing"))
			if len(e.After) > 0 { // no document of its own tells what the first one was
				want = append(want, Duplicate)
			}
		}
		t.emit(st, c, e.At, want...)
	}
	if t.percent(shareTwoShops) {
		other := again()
		other.After = e.After
		other.Key = fmt.Sprintf("%s-%d", e.Key, t.r.IntN(1000))
		e.Want = []Verdict{Posted, Duplicate} // whoever is first
		t.emit(st, other, e.At+time.Duration(t.r.IntN(3000))*time.Millisecond, Posted, Duplicate)
		for _, o := range t.Emissions {
			if o.Story == st && o.Workflow == e.Workflow && o != e && len(o.Want) == 1 && o.Want[0] == Duplicate {
				o.Want = []Verdict{Posted, Duplicate}
			}
		}
	}
}

func (t *teller) story(i int) {
	st := &Story{ID: fmt.Sprintf("o-%03d", i+1)}
	t.Stories = append(t.Stories, st)
	o := t.order(st.ID, i)
	if t.percent(sharePoison) {
		junk := make([]byte, 3+t.r.IntN(300))
		for j := range junk {
			junk[j] = byte(t.r.Uint32())
		}
		junk[0] = 9 // no format that booksync reads
		t.emit(st, &Emission{Workflow: []string{"order", "payment", "refund"}[t.r.IntN(3)], Raw: junk}, t.later(1), Rejected("poison.decode"))
	}
	if t.percent(shareRejected) {
		t.refused(st, o)
		return
	}
	if t.percent(shareTombstone) && !t.forgetful {
		gone := t.cancellation(o)
		first := t.emit(st, &Emission{Order: gone}, t.later(0), Posted)
		t.emit(st, &Emission{Order: o, After: []*Emission{first}}, t.later(1), Duplicate)
		return
	}
	st.Order = o
	if t.percent(shareUpdateFirst) {
		old := *o
		o.Kind, o.Revision = schemas.OrderUpdated, 2
		first := t.emit(st, &Emission{Order: o}, t.later(0), Posted)
		t.emit(st, &Emission{Order: &old, After: []*Emission{first}}, t.later(1), Duplicate)
		return
	}
	created := t.emit(st, &Emission{Order: o}, t.later(1), Posted)
	t.repeated(st, created, func() *Emission {
		c := *o
		c.Event = t.event(o.OccurredAt)
		return &Emission{Order: &c}
	}, func() *Emission {
		c := *o
		c.Event, c.Notes = t.event(o.OccurredAt), "other content at the same revision"
		return &Emission{Order: &c}
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
			t.cancelled(st, o, []*Emission{created})
		}
	default:
		t.paid(st, o, created)
	}
	if t.percent(shareOrphan) {
		p := t.payment(st.ID+"-lost", o, "lost", decimal.NewFromInt(12))
		t.emit(st, &Emission{Payment: p, Key: p.OrderID}, t.later(2), Rejected("dependency.missing"))
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
func (t *teller) refused(st *Story, o *schemas.Order) {
	switch t.r.IntN(3) {
	case 0:
		o.Totals.Gross = o.Totals.Gross.Add(decimal.NewFromInt(3))
		t.emit(st, &Emission{Order: o}, t.later(1), Rejected("rejected.totals"))
	case 1:
		o.Lines[0].Taxes = []schemas.Tax{{Code: "mars-vat", Rate: decimal.NewNullDecimal(decimal.Zero), CollectedBy: schemas.CollectedBySeller}}
		t.sum(o)
		t.emit(st, &Emission{Order: o}, t.later(1), Rejected("rejected.tax"))
	default:
		o.Test = true
		t.emit(st, &Emission{Order: o}, t.later(1), Rejected("rejected.test"))
	}
}

// paid is an order that is paid, and perhaps given back.
func (t *teller) paid(st *Story, o *schemas.Order, created *Emission) {
	gross := o.Totals.Gross
	var payments []*Emission
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
	all := append([]*Emission{created}, payments...)
	switch {
	case t.percent(shareCancelled):
		gone := t.cancelled(st, o, all)
		if t.percent(shareDrawn) {
			t.drawn(st, o, payments[0].Payment, money, gone)
		}
	case t.percent(shareRefunded):
		t.refunds(st, o, payments, money)
	}
}

// refunds gives back a part of the order, in up to three steps; what was paid too much, without a credit.
func (t *teller) refunds(st *Story, o *schemas.Order, payments []*Emission, money decimal.Decimal) {
	left := decimal.Min(money, o.Totals.Gross)
	if over := money.Sub(o.Totals.Gross); over.IsPositive() {
		parts := []decimal.Decimal{over}
		if half := over.Div(decimal.NewFromInt(2)).Round(2); t.percent(50) {
			parts = []decimal.Decimal{half, over.Sub(half)}
		}
		for _, part := range parts {
			r := t.refund(st, o, payments[0].Payment, part)
			r.CreditTotal = decimal.NewNullDecimal(decimal.Zero)
			t.giveBack(st, r, t.later(6))
			st.Refunds = append(st.Refunds, r)
		}
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
		r := t.refund(st, o, payments[t.r.IntN(len(payments))].Payment, amount)
		if owed := o.Totals.Gross.Sub(money); owed.IsPositive() && n == 1 && t.percent(50) { // a part of what is owed is let off
			r.CreditTotal = decimal.NewNullDecimal(amount.Add(owed.Div(decimal.NewFromInt(2)).Round(2)))
		}
		t.giveBack(st, r, t.step(5))
		st.Refunds = append(st.Refunds, r)
	}
}

// drawn gives back what was paid for an order that is cancelled, in one step or two.
func (t *teller) drawn(st *Story, o *schemas.Order, payment *schemas.Payment, money decimal.Decimal, cancelled *Emission) {
	left := decimal.Min(money, o.Totals.Gross)
	for _, share := range [2]int64{int64(20 + t.r.IntN(60)), 100} {
		if share == 100 && t.percent(30) {
			return
		}
		amount := left.Mul(decimal.New(share, -2)).Round(2)
		left = left.Sub(amount)
		r := t.refund(st, o, payment, amount)
		t.giveBack(st, r, cancelled.At, cancelled)
		st.Drawn = append(st.Drawn, r)
	}
}

// giveBack sends a refund, and again in the ways that producers do.
func (t *teller) giveBack(st *Story, r *schemas.Refund, at time.Duration, after ...*Emission) {
	e := t.emit(st, &Emission{Refund: r, After: after}, at, Posted)
	// A refund without a credit note of its own is only an entry, and no entry tells a refund from its repetition.
	if own := len(after) == 0 && !(r.CreditTotal.Valid && r.CreditTotal.Decimal.IsZero()); t.forgetful && !own {
		return
	}
	t.repeated(st, e, func() *Emission {
		c := *r
		c.Event = t.event(r.OccurredAt)
		return &Emission{Refund: &c}
	}, func() *Emission {
		c := *r
		c.Event, c.Amount = t.event(r.OccurredAt), r.Amount.Add(decimal.New(1, -2))
		return &Emission{Refund: &c}
	})
}

// cancelled takes an order back once everything before has its outcome.
func (t *teller) cancelled(st *Story, o *schemas.Order, before []*Emission) *Emission {
	st.Cancelled = true
	c := t.cancellation(o)
	e := t.emit(st, &Emission{Order: c, After: before}, t.later(6), Posted)
	again := *c
	again.Event = t.event(c.OccurredAt)
	// No document tells an unpaid order's cancellation from its repetition: the invoice is void after both.
	if t.percent(40) && (!t.forgetful || len(before) > 1) {
		t.emit(st, &Emission{Order: &again, After: []*Emission{e}}, e.At, Duplicate)
	}
	if t.percent(30) {
		stale := *o
		stale.Event = t.event(o.OccurredAt)
		t.emit(st, &Emission{Order: &stale, After: []*Emission{e}}, e.At, Duplicate)
	}
	for _, other := range t.Emissions { // repetitions and conflicts may come after the cancellation, which makes them stale
		if other.Story == st && other.Order != nil && other.Order.Kind == schemas.OrderCreated && len(other.Want) == 1 && other.Want[0].Class == "rejected.conflict" {
			other.Want = append(other.Want, Duplicate)
		}
	}
	return e
}

func (t *teller) victimised(st *Story, created *Emission) {
	st.Victim = true
	t.Victims = append(t.Victims, st)
	created.Want = nil
	p := t.payment(st.ID, st.Order, "1", st.Order.Totals.Gross)
	e := t.emit(st, &Emission{Payment: p}, t.later(3))
	r := t.refund(st, st.Order, p, p.Amount.Div(decimal.NewFromInt(2)).Round(2))
	back := t.emit(st, &Emission{Refund: r, After: []*Emission{e}}, e.At)
	again := *st.Order
	again.Event = t.event(again.OccurredAt)
	t.emit(st, &Emission{Order: &again, After: []*Emission{back}}, e.At+time.Minute)
	for _, other := range t.Emissions {
		if other.Story == st {
			other.Want = nil
		}
	}
}
