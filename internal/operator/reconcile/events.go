package reconcile

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/processor"
	"github.com/booksync/booksync/schemas"
)

// read takes one record of a source topic.
func (r *run) read(ctx context.Context, rec *kgo.Record) error {
	var (
		e   *event
		t   *transaction
		err error
	)
	switch r.deps.Config.Topics.Workflow(rec.Topic) {
	case orderFlow:
		var o *schemas.Order
		if o, _, err = r.deps.Codec.DecodeOrder(ctx, rec.Value, rec.Headers); err == nil && o.Organization == r.opts.Organization {
			e = r.orderEvent(o)
			t = r.heard(rec, e, orderFlow, o.OrderID, o.OrderID, o.EventID)
		}
	case paymentFlow:
		var p *schemas.Payment
		if p, _, err = r.deps.Codec.DecodePayment(ctx, rec.Value, rec.Headers); err == nil && p.Organization == r.opts.Organization {
			e = r.paymentEvent(p)
			t = r.heard(rec, e, paymentFlow, p.PaymentID, p.OrderID, p.EventID)
			r.share(t, e)
		}
	case refundFlow:
		var f *schemas.Refund
		if f, _, err = r.deps.Codec.DecodeRefund(ctx, rec.Value, rec.Headers); err == nil && f.Organization == r.opts.Organization {
			e = r.refundEvent(f)
			t = r.heard(rec, e, refundFlow, f.RefundID, f.OrderID, f.EventID)
		}
	}
	if err != nil {
		r.unreadable(rec, err)
		return r.registry(err)
	}
	if t == nil {
		return nil
	}
	t.hear(e)
	return r.bounded()
}

// heard is the transaction of an event, where it has a part in the window.
func (r *run) heard(rec *kgo.Record, e *event, workflow, id, order, eventID string) *transaction {
	e.topic, e.partition, e.offset, e.recorded = r.index.word(rec.Topic), rec.Partition, rec.Offset, rec.Timestamp.UnixMilli()
	v := r.verdicts[coordinates(rec.Topic, rec.Partition, rec.Offset)]
	if d := r.discarded[workflow+":"+eventID]; d != nil && v.refused != nil {
		v.refused = d
	}
	if e.refused = v.refused; e.refused != nil {
		e.refused.kind = e.kind
	}
	t := r.index.find(workflow, id)
	if t == nil {
		if !r.opts.Window.contains(e.day) && r.index.orders[order] == nil {
			return nil
		}
		t = r.index.at(workflow, id, order)
	}
	switch {
	case v.posted != nil && (t.posted == nil || t.posted.revision < v.posted.revision):
		t.posted = v.posted
	case v.refused != nil && (t.refused == nil || t.refused.revision <= v.refused.revision):
		t.refused = v.refused
	case v.shadow:
		t.shadow = true
	case v.reversed:
		t.reversed = true
	}
	return t
}

// share files a payment under every order that it pays.
func (r *run) share(t *transaction, e *event) {
	if t == nil {
		return
	}
	for _, p := range e.parts {
		if p.order != t.order && !slices.Contains(r.index.orders[p.order], t) {
			r.index.orders[p.order] = append(r.index.orders[p.order], t)
		}
	}
}

// hear puts an event in force: of an order the highest revision, of those that were not rejected where there is one. Of
// the same revision the first counts, as it does for the claims.
func (t *transaction) hear(e *event) {
	if e.kind == string(schemas.OrderCancelled) && e.refused == nil {
		if !t.cancelled || e.revision > t.cancelRevision {
			t.cancelled, t.cancelRevision, t.cancelDay, t.cancelRecorded = true, e.revision, e.day, e.recorded
		}
		if t.event != nil && t.event.kind != e.kind {
			return
		}
	}
	old := t.event
	switch {
	case old == nil,
		old.kind == string(schemas.OrderCancelled) && e.kind != old.kind,
		old.refused != nil && e.refused == nil,
		(old.refused != nil) == (e.refused != nil) && e.revision > old.revision:
		t.event = e
	case old.revision == e.revision && e.refused == nil: // sent, or driven, again
		old.recorded = max(old.recorded, e.recorded)
	}
}

func (r *run) orderEvent(o *schemas.Order) *event {
	at := o.PlacedAt
	if o.Kind == schemas.OrderCancelled {
		at = o.OccurredAt
	}
	e := &event{
		day: r.dayOf(at), revision: o.Revision, kind: string(o.Kind), total: unitsOf(o.Totals.Gross), tax: unitsOf(o.Totals.Tax),
		currency: r.index.word(o.Currency), rate: o.ExchangeRate, reference: strings.Clone(processor.OrderReference(o)),
		customer: r.index.word(processor.CustomerKey(&o.Customer, o.Currency)), taxNumber: strings.Clone(o.Customer.TaxNumber),
	}
	sums := map[string]decimal.Decimal{}
	for i := range o.Lines {
		codes := make([]string, 0, len(o.Lines[i].Taxes))
		for _, tax := range o.Lines[i].Taxes {
			codes = append(codes, tax.Code)
			percent := tax.Rate
			if !percent.Valid {
				percent = decimal.NewNullDecimal(r.org.Taxes[tax.Code].Rate)
			}
			sums[percent.Decimal.String()] = sums[percent.Decimal.String()].Add(tax.Amount)
		}
		slices.Sort(codes)
		code := strings.Join(codes, "+")
		if code == "" {
			code = r.org.DefaultTax
		}
		if id := r.org.Taxes[code].TaxID; id != "" && !slices.Contains(e.taxIDs, id) {
			e.taxIDs = append(e.taxIDs, r.index.word(id))
		}
	}
	slices.Sort(e.taxIDs)
	for percent, sum := range sums {
		if !sum.IsZero() {
			e.taxes = append(e.taxes, rateSum{r.index.word(percent), unitsOf(sum)})
		}
	}
	sortRates(e.taxes)
	return e
}

func sortRates(sums []rateSum) {
	slices.SortFunc(sums, func(a, b rateSum) int { return strings.Compare(a.percent, b.percent) })
}

func (r *run) paymentEvent(p *schemas.Payment) *event {
	e := &event{
		day: r.dayOf(p.ReceivedAt), kind: string(p.Kind), total: unitsOf(p.Amount), currency: r.index.word(p.Currency), rate: p.ExchangeRate,
		reference: strings.Clone(processor.PaymentReference(p)), account: r.clearing(p.Gateway, p.Currency),
	}
	if p.Fee != nil {
		e.fee = unitsOf(p.Fee.Amount)
	}
	for _, a := range p.Allocations {
		e.parts = append(e.parts, part{strings.Clone(a.OrderID), unitsOf(a.Amount)})
	}
	return e
}

func (r *run) refundEvent(f *schemas.Refund) *event {
	return &event{
		day: r.dayOf(f.RefundedAt), total: unitsOf(f.Amount), currency: r.index.word(f.Currency), rate: f.ExchangeRate,
		credit: unitsOf(f.CreditTotal.Decimal), creditSaid: f.CreditTotal.Valid,
		reference: strings.Clone(processor.RefundReference(f)), account: r.clearing(f.Gateway, f.Currency),
	}
}

// clearing is the account that the mapping of now says; "" when it says none.
func (r *run) clearing(gateway, currency string) string {
	if id := r.org.Clearing[strings.ToLower(strings.TrimSpace(gateway))+"/"+currency]; id != "" {
		return id
	}
	return r.org.DefaultClearing
}

// dayOf is the calendar day of an instant in the organisation's time zone.
func (r *run) dayOf(t time.Time) string { return r.index.word(t.In(r.zone).Format(time.DateOnly)) }
