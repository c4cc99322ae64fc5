package judge

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/internal/torture/tale"
	"github.com/booksync/booksync/schemas"
)

// checker compares the history of a simulation (what Kafka and the books hold in the end) with the events, by arithmetic of
// its own.
type checker struct {
	Evidence
	*Findings
	byKey map[string][]simulator.LedgerDocument
	base  map[string]decimal.Decimal // what the accounts must hold, debits positive
	zone  *time.Location
}

// Check judges a run by its evidence.
func Check(e Evidence) *Findings {
	c := &checker{
		Evidence: e, Findings: &Findings{Verdict: map[string]int{}}, byKey: map[string][]simulator.LedgerDocument{}, base: map[string]decimal.Decimal{},
	}
	var err error
	if c.zone, err = time.LoadLocation(e.TimeZone); err != nil {
		c.Problem("evidence", "%v", err)
		return c.Findings
	}
	for _, docs := range [][]simulator.LedgerDocument{c.Ledger.Invoices, c.Ledger.Payments, c.Ledger.CreditNotes} {
		for _, d := range docs {
			c.byKey[d.BusinessID] = append(c.byKey[d.BusinessID], d)
		}
	}
	c.verdicts()
	c.deadLetters()
	c.committed()
	c.documents()
	c.customers()
	c.outcomes()
	c.order()
	c.limits()
	for _, what := range []string{c.Lapsed, c.Usurped} {
		if what != "" {
			c.Problem(held, "%s", what)
		}
	}
	if c.Spinning != "" {
		c.Problem(waits, "within one second these operations left: %s", c.Spinning)
	}
	for _, st := range c.Tale.Stories {
		c.story(st)
	}
	c.accounts()
	return c.Findings
}

// verdicts: each record that was not aborted has one outcome, and one of those that are right for it; of the records of one
// business event exactly one is posted.
func (c *checker) verdicts() {
	known := map[tale.Place]*tale.Emission{}
	ids := map[string]tale.Place{}
	postedOnes := map[string]int{}
	for _, e := range c.Tale.Emissions {
		if e.Aborted {
			if e.Sent {
				known[e.Where] = e
			}
			continue
		}
		c.Events++
		outs := c.Outcomes[e.Where]
		if !e.Sent || len(outs) == 0 {
			c.Losses++
			c.Problem(oneVerdict, "%s (%s of %s) has no outcome", e.Where, e.Workflow, e.Story.ID)
			continue
		}
		known[e.Where] = e
		out := outs[0]
		c.Verdict[string(out.Status)]++
		if other, twice := ids[out.OutcomeID]; twice {
			c.Problem(oneVerdict, "%s and %s have the same outcome id %s", e.Where, other, out.OutcomeID)
		}
		ids[out.OutcomeID] = e.Where
		if want := outcomeID(c.Group, e.Where); c.Group != "" && out.OutcomeID != want {
			c.Problem(oneVerdict, "%s has the outcome id %s, and would have another one if it were published again", e.Where, out.OutcomeID)
		}
		got := verdictOf(out.Outcome)
		if len(e.Want) > 0 && !slices.Contains(e.Want, got) {
			c.Problem(c.blame(got), "%s (%s of %s): %s %s %s, want one of %v", e.Where, e.Workflow, e.Story.ID, got.Status, got.Class, message(out.Outcome), e.Want)
		}
		if got == tale.Posted && !e.Story.Victim {
			postedOnes[e.Effect()]++
		}
	}
	for at, outs := range c.Outcomes {
		e := known[at]
		switch {
		case e == nil:
			c.Problem(oneVerdict, "%s has an outcome and is no record", at)
		case e.Aborted:
			c.Problem(oneVerdict, "%s has an outcome (%s), its transaction was aborted", at, outs[0].Status)
		case len(outs) > 1:
			c.Repeated += len(outs) - 1
			c.Problem(oneVerdict, "%s has %d outcomes: %s", at, len(outs), describe(outs))
		}
	}
	for _, e := range c.Tale.Emissions {
		if n := postedOnes[e.Effect()]; slices.Contains(e.Want, tale.Posted) && n != 1 {
			c.Problem(oneVerdict, "%s of %s was posted %d times", e.Workflow, e.Effect(), n)
		}
	}
}

// outcomeID is the same whenever a record's outcome is published: half a SHA-256 of who read it and where it stood.
func outcomeID(group string, at tale.Place) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%d\x00%d", group, at.Topic, at.Partition, at.Offset))
	return hex.EncodeToString(sum[:16])
}

func describe(outs []Outcome) string {
	s := ""
	for _, o := range outs {
		s += fmt.Sprintf(" %s, written at %s, seen at %s;", o.Status, clock(o.Written), clock(o.Seen))
	}
	return s
}

// blame is the promise that a wrong verdict breaks.
func (c *checker) blame(got tale.Verdict) string {
	switch got.Class {
	case "exhausted", "rejected.books":
		return outage
	case "dependency.missing":
		return inOrder
	}
	return oneVerdict
}

func verdictOf(o *schemas.Outcome) tale.Verdict {
	v := tale.Verdict{Status: o.Status}
	if o.Error != nil {
		v.Class = o.Error.Class
	}
	return v
}

// clock is a time as a history shows it.
func clock(t time.Time) string { return t.UTC().Format("02 15:04:05.000") }

func message(o *schemas.Outcome) string {
	if o.Error != nil {
		return o.Error.Message
	}
	return o.Reason
}

// deadLetters: one for each rejected record, with its bytes; none for others.
func (c *checker) deadLetters() {
	for at, outs := range c.Outcomes {
		want := 0
		if outs[0].Status == schemas.StatusRejected {
			want = 1
		}
		if got := len(c.DeadLetters[at]); got != want {
			c.Problem(oneVerdict, "%s is %s and has %d dead letters", at, outs[0].Status, got)
		}
	}
	for at, letters := range c.DeadLetters {
		for _, l := range letters {
			if l.Class == "exhausted" { // whatever else may be right for it: nothing in the tale fails for good
				c.Problem(outage, "%s is a dead letter: %s", at, l.Class)
			}
		}
		if len(c.Outcomes[at]) == 0 {
			c.Problem(oneVerdict, "%s has a dead letter and no outcome", at)
		}
	}
}

// documents: no key twice, nobody twice.
func (c *checker) documents() {
	for _, key := range slices.Sorted(maps.Keys(c.byKey)) {
		if docs := c.byKey[key]; key == "" || len(docs) > 1 {
			c.Duplicates += len(docs) - 1
			c.Problem(oneDocument, "%d documents carry the key %q", len(docs), key)
		}
	}
	people := map[string]int{}
	for _, n := range c.Ledger.Contacts {
		if people[n.BusinessID]++; people[n.BusinessID] > 1 || n.BusinessID == "" {
			c.Duplicates++
			c.Problem(oneDocument, "another contact carries the key %q", n.BusinessID)
		}
	}
}

// customers: a contact has the phone number that the newest of its customer's orders gave. What an order gave that was not posted may
// be there or not. A Redis that forgot has also forgotten which events said nothing new; and an update whose answer was given up, and that was
// made again, may still land over a later one.
func (c *checker) customers() {
	if c.Tale.Forgetful || c.Late {
		return
	}
	type said struct {
		*schemas.Order
		posted bool
		where  tale.Place
	}
	by := map[string][]said{}
	for _, e := range c.Tale.Emissions {
		outs := c.Outcomes[e.Where]
		if e.Order == nil || e.Order.Kind == schemas.OrderCancelled || e.Aborted || !e.Sent || len(outs) == 0 {
			continue
		}
		key := "customer:" + e.Order.Customer.ID + ":" + e.Order.Currency
		by[key] = append(by[key], said{e.Order, outs[0].Status == schemas.StatusPosted, e.Where})
	}
	for _, n := range c.Ledger.Contacts {
		all := by[n.BusinessID]
		slices.SortFunc(all, func(a, b said) int { return b.OccurredAt.Compare(a.OccurredAt) }) // the newest first
		shows := func(s said) bool { return s.Customer.Phone == n.Phone }
		i := slices.IndexFunc(all, func(s said) bool { return s.posted || shows(s) })
		if i < 0 || shows(all[i]) {
			continue
		}
		older := ""
		if j := slices.IndexFunc(all, shows); j >= 0 {
			older = fmt.Sprintf(", that of %s (%s) of %s", all[j].OrderID, all[j].where, clock(all[j].OccurredAt))
		}
		c.Problem(inStep, "%s has the number %q%s; the newest order %s (%s) of %s gave %q", n.BusinessID, n.Phone, older, all[i].OrderID, all[i].where,
			clock(all[i].OccurredAt), all[i].Customer.Phone)
	}
}

// order: a payment's outcome is not seen before that of its invoice, nor a refund's before that of its payment; a
// cancellation's not before what it takes back.
func (c *checker) order() {
	first := map[string]time.Time{}
	for _, e := range c.Tale.Emissions {
		outs := c.Outcomes[e.Where]
		if e.Aborted || !e.Sent || len(outs) == 0 {
			continue
		}
		// Who finds what another record wrote may say so before that one comes to say it.
		o := outs[0]
		if o.Status != schemas.StatusPosted && (o.Status != schemas.StatusDuplicate || o.Reason != "same") {
			continue
		}
		if at := o.SettledAt; first[e.Effect()].IsZero() || at.Before(first[e.Effect()]) {
			first[e.Effect()] = at
		}
	}
	for _, e := range c.Tale.Emissions {
		at := first[e.Effect()]
		if at.IsZero() || e.Story.Victim {
			continue
		}
		var before string
		switch {
		case e.Payment != nil && c.Tale.Forgetful:
			// Where Redis forgot who works on the order, its payment goes by the invoice in the books, perhaps before the record that made it is
			// settled. Without an invoice Zoho takes no payment on one, and the balances would tell.
			continue
		case e.Payment != nil:
			before = "order:" + e.Payment.OrderID
		case e.Refund != nil:
			before = "payment:" + e.Refund.PaymentID
		default:
			continue
		}
		b := first[before]
		if c.Tale.Forgetful && e.Refund != nil && !b.IsZero() && c.paidFirst(before, e.Effect()) {
			continue // where Redis forgot who works on the payment, its refund goes by the payment in the books, too
		}
		if b.IsZero() || b.After(at.Add(2*c.Skew)) {
			c.Problem(inOrder, "%s took effect at %s, %s at %s", e.Effect(), at, before, b)
		}
	}
}

// paidFirst says whether the books had a payment before what its refund wrote: ids in the simulated books only grow.
func (c *checker) paidFirst(payment, refund string) bool {
	if len(c.byKey[payment]) == 0 {
		return false
	}
	paid := c.byKey[payment][0].ID
	later := func(d simulator.LedgerDocument) bool {
		return len(d.ID) > len(paid) || len(d.ID) == len(paid) && d.ID > paid
	}
	notes := c.byKey[refund]
	for _, n := range notes {
		if !later(n) {
			return false
		}
	}
	return len(notes) > 0 || slices.ContainsFunc(c.Ledger.Refunds, func(d simulator.LedgerDocument) bool { return d.ParentID == paid })
}
