package schemas

import (
	"time"

	"github.com/shopspring/decimal"
)

// Reconciliation is what comparing events, outcomes and books of one organisation found: the value of the
// reconciliation topic.
type Reconciliation struct {
	ReconciliationID string
	Organization     string
	Since, Until     string // first and last calendar day, YYYY-MM-DD
	StartedAt        time.Time
	Duration         int64 // milliseconds
	Calls            int64
	StartedBy        string           // who; "schedule" where the service ran it
	Counts           map[string]int64 // transactions by status
	NotOurs          int64            // documents without a key of booksync's
	Sums             []DaySum
	Exceptions       []Discrepancy
	LeftOut          int64 // exceptions that the bound left out
	Version          string
}

// DaySum is one day's total of one workflow in one currency.
type DaySum struct {
	Day, Workflow, Currency string
	Events, Outcomes, Books decimal.Decimal
}

// Discrepancy is one transaction on which the three do not agree.
type Discrepancy struct {
	ID                  string // the transaction and a hash of what differs
	Status              string
	Workflow            string
	BusinessID, OrderID string
	Day, Currency       string
	DocumentID          string
	Events              decimal.NullDecimal
	Outcomes            decimal.NullDecimal
	Books               decimal.NullDecimal
	Message             string // for people
}

func (e *encoder) reconciliation(v *Reconciliation) map[string]any {
	counts := make(map[string]any, len(v.Counts))
	for key, n := range v.Counts {
		e.str("counts", key)
		counts[key] = n
	}
	m := e.lend(shapeReconciliation)
	m["reconciliation_id"] = e.id("reconciliation_id", v.ReconciliationID)
	m["organization"] = e.id("organization", v.Organization)
	m["since"] = e.str("since", v.Since)
	m["until"] = e.str("until", v.Until)
	m["started_at"] = e.instant("started_at", v.StartedAt)
	m["duration"] = v.Duration
	m["calls"] = v.Calls
	m["started_by"] = e.str("started_by", v.StartedBy)
	m["counts"] = counts
	m["not_ours"] = v.NotOurs
	m["sums"] = e.daySums("sums", v.Sums)
	m["exceptions"] = e.discrepancies("exceptions", v.Exceptions)
	m["exceptions_left_out"] = v.LeftOut
	m["version"] = e.str("version", v.Version)
	return m
}

func (e *encoder) daySums(name string, sums []DaySum) any {
	e.push(name)
	defer e.pop()
	items := make([]any, len(sums))
	for i := range sums {
		v := &sums[i]
		e.pushItem(i)
		m := e.lend(shapeDaySum)
		m["day"] = e.str("day", v.Day)
		m["workflow"] = e.str("workflow", v.Workflow)
		m["currency"] = e.str("currency", v.Currency)
		m["events"] = e.money("events", v.Events)
		m["outcomes"] = e.money("outcomes", v.Outcomes)
		m["books"] = e.money("books", v.Books)
		items[i] = m
		e.pop()
	}
	return items
}

func (e *encoder) discrepancies(name string, all []Discrepancy) any {
	e.push(name)
	defer e.pop()
	items := make([]any, len(all))
	for i := range all {
		v := &all[i]
		e.pushItem(i)
		m := e.lend(shapeDiscrepancy)
		m["id"] = e.str("id", v.ID)
		m["status"] = e.str("status", v.Status)
		m["workflow"] = e.str("workflow", v.Workflow)
		m["business_id"] = e.str("business_id", v.BusinessID)
		m["order_id"] = e.str("order_id", v.OrderID)
		m["day"] = e.str("day", v.Day)
		m["currency"] = e.str("currency", v.Currency)
		m["document_id"] = e.str("document_id", v.DocumentID)
		m["events"] = e.nullMoney("events", v.Events)
		m["outcomes"] = e.nullMoney("outcomes", v.Outcomes)
		m["books"] = e.nullMoney("books", v.Books)
		m["message"] = e.text(v.Message)
		items[i] = m
		e.pop()
	}
	return items
}

func readReconciliation(r *row) *Reconciliation {
	return &Reconciliation{
		ReconciliationID: r.id("reconciliation_id"),
		Organization:     r.id("organization"),
		Since:            r.str("since"),
		Until:            r.str("until"),
		StartedAt:        r.instant("started_at"),
		Duration:         r.long("duration"),
		Calls:            r.long("calls"),
		StartedBy:        r.str("started_by"),
		Counts:           r.longs("counts"),
		NotOurs:          r.long("not_ours"),
		Sums:             r.daySums("sums"),
		Exceptions:       r.discrepancies("exceptions"),
		LeftOut:          r.long("exceptions_left_out"),
		Version:          r.str("version"),
	}
}

func (r *row) daySums(name string) []DaySum {
	items, s := r.array(name)
	if len(items) == 0 {
		return nil
	}
	defer r.d.pop()
	sums := make([]DaySum, len(items))
	for i := range items {
		d, ok := r.d.item(items, i, s)
		if !ok {
			return nil
		}
		sums[i] = DaySum{
			Day: d.str("day"), Workflow: d.str("workflow"), Currency: d.str("currency"),
			Events: d.decimal("events"), Outcomes: d.decimal("outcomes"), Books: d.decimal("books"),
		}
		d.done()
	}
	return sums
}

func (r *row) discrepancies(name string) []Discrepancy {
	items, s := r.array(name)
	if len(items) == 0 {
		return nil
	}
	defer r.d.pop()
	all := make([]Discrepancy, len(items))
	for i := range items {
		d, ok := r.d.item(items, i, s)
		if !ok {
			return nil
		}
		all[i] = Discrepancy{
			ID: d.str("id"), Status: d.str("status"), Workflow: d.str("workflow"), BusinessID: d.str("business_id"), OrderID: d.str("order_id"),
			Day: d.str("day"), Currency: d.str("currency"), DocumentID: d.str("document_id"),
			Events: d.nullDecimal("events"), Outcomes: d.nullDecimal("outcomes"), Books: d.nullDecimal("books"), Message: d.str("message"),
		}
		d.done()
	}
	return all
}
