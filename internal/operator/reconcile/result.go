package reconcile

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/telemetry"
	"github.com/booksync/booksync/schemas"
)

// Result is what a reconciliation found.
type Result struct {
	ID           string         `json:"id"`
	Organization string         `json:"organization"`
	Window       Window         `json:"window"`
	StartedAt    time.Time      `json:"started_at"`
	StartedBy    string         `json:"started_by,omitempty"`
	Duration     time.Duration  `json:"duration_ns"`
	Grace        time.Duration  `json:"grace_ns"`
	Estimate     Estimate       `json:"estimate"`
	Calls        int            `json:"calls"`
	Transactions int            `json:"transactions"`
	Counts       map[Status]int `json:"counts"`
	Sums         []Sum          `json:"sums"`
	Exceptions   []Exception    `json:"exceptions"`
	Accepted     []Exception    `json:"ignored,omitempty"`
	LeftOut      int            `json:"exceptions_left_out,omitempty"` // beyond the bound
	NotOurs      []NotOurs      `json:"not_ours,omitempty"`
	NotOursCount int            `json:"not_ours_count"`
	NotOpened    int            `json:"not_opened,omitempty"`  // doubtful documents that the calls did not reach
	SourceGone   int            `json:"source_gone,omitempty"` // events that the source topics keep no more, or produced before the window
	Unreadable   int            `json:"unreadable,omitempty"`  // records that no schema reads
}

// Exception is a transaction on which the three do not agree.
type Exception struct {
	ID          string              `json:"id"` // for `reconcile ignore`
	Status      Status              `json:"status"`
	Workflow    string              `json:"workflow"`
	BusinessID  string              `json:"business_id"`
	OrderID     string              `json:"order_id,omitempty"`
	Day         string              `json:"day,omitempty"`
	Currency    string              `json:"currency,omitempty"`
	DocumentID  string              `json:"document_id,omitempty"`
	Number      string              `json:"number,omitempty"`
	URL         string              `json:"url,omitempty"`
	Events      decimal.NullDecimal `json:"events"`
	Outcomes    decimal.NullDecimal `json:"outcomes"`
	Books       decimal.NullDecimal `json:"books"`
	Differences []Difference        `json:"differences"`
	Repairs     []Repair            `json:"repairs,omitempty"`
	IgnoredBy   string              `json:"ignored_by,omitempty"`
	IgnoredWhy  string              `json:"ignored_why,omitempty"`
}

// Difference is one field that differs; what one of the three does not say is "".
type Difference struct {
	Status   Status `json:"status"`
	Field    string `json:"field"`
	Events   string `json:"events,omitempty"`
	Outcomes string `json:"outcomes,omitempty"`
	Books    string `json:"books,omitempty"`
	Remark   string `json:"remark,omitempty"`
}

// String is one line for people.
func (d Difference) String() string {
	var said []string
	for _, s := range [][2]string{{"events", d.Events}, {"outcomes", d.Outcomes}, {"books", d.Books}} {
		if s[1] != "" {
			said = append(said, s[0]+" "+s[1])
		}
	}
	text := d.Field
	if len(said) > 0 {
		text += ": " + strings.Join(said, ", ")
	}
	if d.Remark != "" {
		text += " (" + d.Remark + ")"
	}
	return text
}

// Message is all differences in one line.
func (e *Exception) Message() string {
	lines := make([]string, len(e.Differences))
	for i, d := range e.Differences {
		lines[i] = d.String()
	}
	return strings.Join(lines, "; ")
}

// NotOurs is a document in the books that carries no key of booksync's.
type NotOurs struct {
	Kind      string          `json:"kind"`
	ID        string          `json:"id"`
	Number    string          `json:"number"`
	Day       string          `json:"day"`
	Currency  string          `json:"currency,omitempty"`
	Total     decimal.Decimal `json:"total"`
	Reference string          `json:"reference,omitempty"`
	Customer  string          `json:"customer,omitempty"`
	// Opened says that the whole document was seen; of others only that the list showed no key.
	Opened bool `json:"opened"`
	// Same names a transaction with the same reference: perhaps somebody entered it by hand, too.
	Same string `json:"same_reference_as,omitempty"`

	kind docKind
	hint bool
}

// Sum is one day's total of one workflow in one currency: of orders what was invoiced, of payments what was received, of
// refunds the value credited.
type Sum struct {
	Day      string          `json:"day"`
	Workflow string          `json:"workflow"`
	Currency string          `json:"currency"`
	Count    int             `json:"count"`
	Events   decimal.Decimal `json:"events"`
	Outcomes decimal.Decimal `json:"outcomes"`
	Books    decimal.Decimal `json:"books"`
}

// Failed says whether somebody has to look.
func (r *Result) Failed() bool { return len(r.Exceptions) > 0 }

// sorted are the transactions in a fixed order.
func (r *run) sorted() []*transaction {
	all := make([]*transaction, 0, len(r.index.transactions))
	for _, t := range r.index.transactions {
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b *transaction) int {
		return cmp.Or(strings.Compare(a.workflow, b.workflow), strings.Compare(a.id, b.id))
	})
	return all
}

// finish makes the result of the verdicts.
func (r *run) finish() {
	res := r.result
	sums := map[Sum]*daySum{}
	for _, t := range r.sorted() {
		if !t.in(r.opts.Window) {
			continue
		}
		res.Transactions++
		r.sum(sums, t)
		if t.status.Exception() || t.status == Ignored {
			r.except(t)
		} else {
			res.Counts[t.status]++
		}
	}
	slices.SortStableFunc(res.Exceptions, func(a, b Exception) int {
		return cmp.Or(cmp.Compare(weight[b.Status], weight[a.Status]), strings.Compare(a.Day, b.Day))
	})
	for key, s := range sums {
		key.Count, key.Events, key.Outcomes, key.Books = s.count, s.events.decimal(), s.outcomes.decimal(), s.books.decimal()
		res.Sums = append(res.Sums, key)
	}
	slices.SortFunc(res.Sums, func(a, b Sum) int {
		return cmp.Or(strings.Compare(a.Day, b.Day), strings.Compare(a.Workflow, b.Workflow), strings.Compare(a.Currency, b.Currency))
	})
	r.others()
	res.Calls = r.calls.Calls()
	res.Duration = r.opts.Now().Sub(r.now)
}

// except files an exception: among those to look at, or among the accepted ones.
func (r *run) except(t *transaction) {
	e := Exception{
		Status: t.status, Workflow: t.workflow, BusinessID: t.id, OrderID: t.order, Day: t.day(), Currency: t.currency(), DocumentID: t.document,
		Differences: t.differences, Repairs: t.repairs, IgnoredBy: t.by, IgnoredWhy: t.why,
	}
	if t.event != nil {
		e.Events = t.event.total.null(true)
	}
	if t.posted != nil {
		e.Outcomes = t.said(t.mainKind()).null(true)
	}
	if t.count((*document).inBooks) > 0 {
		e.Books = t.held().null(true)
	}
	if d := r.index.documents[t.document]; d != nil {
		e.Number, e.URL = d.number, r.url(d)
	}
	e.ID = t.key() + "~" + e.hash()
	if mark, ok := r.ignored[e.ID]; ok && t.status != Ignored {
		e.Status, e.IgnoredBy, e.IgnoredWhy = Ignored, mark.by, mark.why
	}
	if e.Status.Exception() && e.Repairs == nil {
		e.Repairs = r.propose(t)
	}
	r.result.Counts[e.Status]++
	switch {
	case !e.Status.Exception():
		if len(r.result.Accepted) < maxNotOurs {
			r.result.Accepted = append(r.result.Accepted, e)
		}
	case len(r.result.Exceptions) < maxExceptions:
		r.result.Exceptions = append(r.result.Exceptions, e)
	default:
		r.result.LeftOut++
	}
}

// hash names what differs: accepted differences are not those that come later.
func (e *Exception) hash() string {
	h := sha256.New()
	for _, d := range e.Differences {
		for _, s := range []string{string(d.Status), d.Field, d.Events, d.Outcomes, d.Books} {
			_, _ = h.Write([]byte(s + "\x00"))
		}
	}
	_, _ = h.Write([]byte(e.DocumentID))
	return hex.EncodeToString(h.Sum(nil)[:4])
}

func (r *run) url(d *document) string {
	if r.org.AppURL == "" {
		return ""
	}
	return r.org.AppURL + "#/" + [...]string{"invoices", "paymentsreceived", "creditnotes", "creditnotes"}[d.kind] + "/" + d.id
}

// mainKind is the kind of document whose total is the transaction's.
func (t *transaction) mainKind() docKind {
	switch t.workflow {
	case orderFlow:
		return invoiceDoc
	case paymentFlow:
		return paymentDoc
	}
	return entryDoc
}

// held is what the books hold of the transaction: of an order invoices less corrections.
func (t *transaction) held() units {
	sum := units(0)
	for _, d := range t.docs {
		switch {
		case !d.inBooks() || t.ofCancel(d):
		case d.kind == creditDoc && t.workflow == orderFlow:
			sum -= d.total
		case d.kind != entryDoc:
			sum += d.total
		}
	}
	return sum
}

type daySum struct {
	count                   int
	events, outcomes, books units
}

// sum adds a transaction to its day.
func (r *run) sum(sums map[Sum]*daySum, t *transaction) {
	if !r.opts.Window.contains(t.day()) {
		return
	}
	key := Sum{Day: t.day(), Workflow: t.workflow, Currency: t.currency()}
	s := sums[key]
	if s == nil {
		s = &daySum{}
		sums[key] = s
	}
	s.count++
	s.books += t.held()
	kind := t.mainKind()
	if t.workflow == refundFlow {
		kind = creditDoc
	}
	said := units(0)
	if t.posted != nil && t.count(func(d *document) bool { return d.said && d.kind == invoiceDoc && d.oStatus != "void" }) > 0 || t.workflow != orderFlow {
		said = t.said(kind)
	}
	s.outcomes += said
	switch {
	case t.event == nil || t.status == Ignored:
	case t.cancelled && said == 0: // void, or never posted
	case t.workflow != refundFlow:
		s.events += t.event.total
	case t.event.creditSaid:
		s.events += t.event.credit
	case t.posted != nil: // what the event leaves to the books: at most what it returned
		s.events += min(t.event.total, said)
	default:
		s.events += t.event.total
	}
}

// others lists what is not booksync's, with the transactions that have the same reference.
func (r *run) others() {
	same := map[string]string{}
	for _, t := range r.sorted() {
		if t.event != nil && t.event.reference != "" {
			same[t.event.reference] = t.key()
		}
	}
	res := r.result
	res.NotOursCount = len(r.notOurs)
	for _, n := range r.notOurs {
		n.Same = same[n.Reference]
		res.NotOurs = append(res.NotOurs, n)
	}
	slices.SortFunc(res.NotOurs, func(a, b NotOurs) int { return cmp.Or(strings.Compare(a.Day, b.Day), strings.Compare(a.ID, b.ID)) })
	if len(res.NotOurs) > maxNotOurs {
		res.NotOurs = res.NotOurs[:maxNotOurs]
	}
}

// recordedExceptions bounds the exceptions of a record: it must stay far below a topic's limit.
const recordedExceptions = 500

// Record is the result for the topic.
func (r *Result) Record() *schemas.Reconciliation {
	out := &schemas.Reconciliation{
		ReconciliationID: r.ID, Organization: r.Organization, Since: r.Window.Since, Until: r.Window.Until, StartedAt: r.StartedAt.Truncate(time.Millisecond),
		Duration: r.Duration.Milliseconds(), Calls: int64(r.Calls), StartedBy: r.StartedBy, Counts: make(map[string]int64, len(r.Counts)),
		NotOurs: int64(r.NotOursCount), LeftOut: int64(r.LeftOut), Version: telemetry.Version(),
	}
	for status, n := range r.Counts {
		out.Counts[string(status)] = int64(n)
	}
	for _, s := range r.Sums {
		out.Sums = append(out.Sums, schemas.DaySum{Day: s.Day, Workflow: s.Workflow, Currency: s.Currency, Events: s.Events, Outcomes: s.Outcomes, Books: s.Books})
	}
	for i := range r.Exceptions {
		if i == recordedExceptions {
			out.LeftOut += int64(len(r.Exceptions) - i)
			break
		}
		e := &r.Exceptions[i]
		out.Exceptions = append(out.Exceptions, schemas.Discrepancy{
			ID: e.ID, Status: string(e.Status), Workflow: e.Workflow, BusinessID: e.BusinessID, OrderID: e.OrderID, Day: e.Day, Currency: e.Currency,
			DocumentID: e.DocumentID, Events: e.Events, Outcomes: e.Outcomes, Books: e.Books, Message: e.Message(),
		})
	}
	return out
}
