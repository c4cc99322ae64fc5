package tale

import (
	"fmt"
	"math/rand/v2"
	"sort"
	"time"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/schemas"
)

// Shares of a seller's day, in percent.
const (
	dayNewCustomers = 30
	dayPaidLater    = 15 // of the payments: hours after the order, not seconds
	dayRefunded     = 5
)

// rhythm is how many of a hundred orders are placed in each two hours of a day, from midnight on.
var rhythm = [12]int{3, 1, 1, 4, 8, 10, 10, 9, 10, 13, 18, 13}

// Day tells what one day brings to a shop: orders in a shop's rhythm, each with its payment, most of them within seconds, and
// some refunds of earlier orders of that day. Begin is midnight in the company's time zone.
func Day(seed int64, o Options) *Tale {
	t := &teller{begin: o.Begin, r: rand.New(rand.NewPCG(uint64(seed), 0x0064_6179)), org: Company()}
	t.setTaxes()
	at := make([]time.Duration, o.Orders)
	for i := range at {
		part, hour := t.r.IntN(100), 0
		for part >= rhythm[hour] {
			part -= rhythm[hour]
			hour++
		}
		at[i] = 2*time.Hour*time.Duration(hour) + time.Duration(t.r.Int64N(int64(2*time.Hour)))
	}
	sort.Slice(at, func(i, j int) bool { return at[i] < at[j] })
	for i, placed := range at {
		t.ofDay(i, placed)
	}
	return &t.Tale
}

func (t *teller) ofDay(i int, placed time.Duration) {
	st := &Story{ID: fmt.Sprintf("o-%05d", i+1)}
	t.Stories = append(t.Stories, st)
	o := t.order(st.ID, i)
	o.Currency, o.ExchangeRate = "USD", decimal.NullDecimal{}
	o.PlacedAt, o.OccurredAt = t.begin.Add(placed), t.begin.Add(placed)
	o.Customer.Phone = "" // nobody's changes
	if t.percent(dayNewCustomers) {
		c := &o.Customer
		c.ID, c.Name, c.Email = "new-"+st.ID, "New customer "+st.ID, "new-"+st.ID+"@example.com"
	}
	st.Order = o
	t.plain(st, &Emission{Workflow: "order", Order: o}, placed)
	paid := placed + time.Duration(2+t.r.IntN(28))*time.Second
	if t.percent(dayPaidLater) {
		paid = placed + time.Duration(1+t.r.IntN(6*60))*time.Minute
	}
	p := t.payment(st.ID, o, "1", o.Totals.Gross)
	p.ReceivedAt, p.OccurredAt = t.begin.Add(paid), t.begin.Add(paid)
	st.Payments = []*schemas.Payment{p}
	t.plain(st, &Emission{Workflow: "payment", Payment: p}, paid)
	if t.percent(dayRefunded) {
		back := paid + time.Duration(30+t.r.IntN(5*60))*time.Minute
		r := t.refund(st, o, p, o.Totals.Gross.Div(decimal.NewFromInt(2)).Round(2))
		r.RefundedAt, r.OccurredAt = t.begin.Add(back), t.begin.Add(back)
		st.Refunds = []*schemas.Refund{r}
		t.plain(st, &Emission{Workflow: "refund", Refund: r}, back)
	}
}

// plain sends an event once, if that is still on this day.
func (t *teller) plain(st *Story, e *Emission, at time.Duration) {
	if at < 24*time.Hour {
		e.Story, e.Key, e.At, e.Want = st, st.ID, at, []Verdict{Posted}
		t.Emissions = append(t.Emissions, e)
	}
}
