package reconcile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/processor/money"
	"github.com/booksync/booksync/schemas"
)

// verdict is what was found of a transaction.
type verdict struct {
	status      Status
	differences []Difference
	document    string // Zoho's id of the document that differs
	by, why     string // of ignored ones
}

// note adds a finding; the heaviest is the status.
func (v *verdict) note(s Status, field, events, outcomes, books, remark string) {
	v.differences = append(v.differences, Difference{Status: s, Field: field, Events: events, Outcomes: outcomes, Books: books, Remark: remark})
	if weight[s] > weight[v.status] {
		v.status = s
	}
}

// judge reaches the verdicts, transaction by transaction, then order by order.
func (r *run) judge() {
	all := r.sorted()
	for _, t := range all {
		t.status = Matched
		if t.in(r.opts.Window) {
			r.judgeOne(t)
		}
	}
	for _, t := range all {
		if t.workflow == orderFlow && t.in(r.opts.Window) {
			r.balance(t)
		}
	}
}

func (r *run) judgeOne(t *transaction) {
	there := t.count((*document).inBooks)
	switch {
	case t.reversed && there == 0:
		t.ignore("booksync", "taken back by a rollback")
	case t.reversed:
		t.note(StatusMismatch, "documents", "", "reversed", fmt.Sprint(there), "a rollback took it back, but the books still hold it")
	case t.shadow && t.posted == nil && there == 0:
		t.ignore("booksync", "handled in shadow: nothing was to be written")
	case t.event == nil && t.posted == nil && t.refused == nil:
		if there > 0 {
			t.note(MissingInSource, "event", "", "", t.amounts(), "no event and no outcome names this document")
		}
	case t.posted == nil:
		r.notPosted(t, there)
	default:
		r.wasPosted(t)
	}
	r.duplicates(t)
}

func (t *transaction) ignore(by, why string) { t.status, t.by, t.why = Ignored, by, why }

// notPosted judges what no outcome says was posted.
func (r *run) notPosted(t *transaction, there int) {
	ref := t.refused
	if ref == nil && t.event != nil {
		ref = t.event.refused
	}
	events := ""
	if t.event != nil {
		events = t.event.total.text(t.currency())
	}
	switch {
	case there > 0 && t.event != nil:
		if !r.old(t.event.recorded) {
			t.note(Expected, "outcome", events, "", t.amounts(), "in the books already, its outcome is under way")
			return
		}
		t.note(StatusMismatch, "outcome", events, "", t.amounts(), "the books hold it, but no outcome says so")
		for _, d := range t.docs {
			r.document(t, d)
		}
	case ref != nil && ref.class == classDiscarded:
		t.ignore("an operator", "dead letter discarded: "+ref.message)
	case ref != nil && ref.class == "rejected.test":
		t.ignore("booksync", "a test event in a live organisation")
	case ref != nil:
		t.note(MissingInBooks, "document", events, ref.class, "", "rejected: "+ref.message)
	case t.event != nil && !r.old(t.event.recorded):
		t.note(Expected, "outcome", events, "", "", "under way")
	default:
		t.note(MissingInBooks, "document", events, "", "", "no outcome: not settled, or left out")
	}
}

// wasPosted judges what an outcome says was posted.
func (r *run) wasPosted(t *transaction) {
	e, p := t.event, t.posted
	switch {
	case e == nil && r.spans.Contains(p.topic, p.partition, p.offset):
		t.note(MissingInSource, "event", "", coordinates(p.topic, p.partition, p.offset), t.amounts(), "the outcome names a record that the source topic does not hold")
	case e == nil:
		r.result.SourceGone++
	case e.revision > p.revision && e.refused == nil && !t.cancelled:
		if r.old(e.recorded) {
			t.note(AmountMismatch, "revision", fmt.Sprint(e.revision), fmt.Sprint(p.revision), "", "the newest revision has no outcome")
		} else {
			t.note(Expected, "revision", fmt.Sprint(e.revision), fmt.Sprint(p.revision), "", "the newest revision is under way")
		}
	default:
		r.againstOutcome(t)
	}
	if ref := t.refused; ref != nil && ref.class != classDiscarded && (ref.revision > p.revision || ref.kind != "" && t.workflow == paymentFlow && ref.kind != string(schemas.PaymentCaptured)) {
		t.note(StatusMismatch, "event", strings.TrimSpace(ref.kind+" "+revisionText(ref.revision)), ref.class, "", "a later event was rejected: "+ref.message)
	}
	if t.cancelled && t.cancelRevision > p.revision {
		status, remark := Expected, "the cancellation is under way"
		if r.old(t.cancelRecorded) {
			status, remark = StatusMismatch, "the cancellation has no outcome"
		}
		t.note(status, "cancelled", fmt.Sprint(t.cancelRevision), fmt.Sprint(p.revision), "", remark)
	}
	for _, d := range t.docs {
		r.document(t, d)
	}
}

func revisionText(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("revision %d", n)
}

// said is the sum of one kind of documents, as the outcomes have it; credits of a cancellation do not count.
func (t *transaction) said(kind docKind) units {
	sum := units(0)
	for _, d := range t.docs {
		if !d.said || d.past() || t.ofCancel(d) {
			continue
		}
		switch {
		case d.kind == kind:
			sum += d.oTotal
		case kind == invoiceDoc && t.workflow == orderFlow && d.kind == creditDoc: // a correction downwards
			sum -= d.oTotal
		}
	}
	return sum
}

// saidTax is said for the tax of invoices.
func (t *transaction) saidTax() units {
	sum := units(0)
	for _, d := range t.docs {
		if !d.said || d.past() || t.ofCancel(d) {
			continue
		}
		switch d.kind {
		case invoiceDoc:
			sum += d.oTax
		case creditDoc:
			sum -= d.oTax
		}
	}
	return sum
}

// againstOutcome compares the event in force with what the outcomes say was posted.
func (r *run) againstOutcome(t *transaction) {
	e, cur := t.event, t.currency()
	if t.cancelled && t.count(func(d *document) bool { return d.said && d.kind == invoiceDoc }) == 0 {
		return // cancelled before it had an invoice
	}
	if len(t.docs) == 0 && e.total == 0 {
		return // nothing to write
	}
	var out units
	switch t.workflow {
	case orderFlow:
		out = t.said(invoiceDoc)
	case paymentFlow:
		out = t.said(paymentDoc)
	default:
		out = t.said(entryDoc)
	}
	total, limit := out-e.total, r.tolerance(e)
	taxed := units(0)
	if t.workflow == orderFlow {
		taxed = t.saidTax() - e.tax
	}
	switch {
	case total.abs() > limit && taxed.abs() > limit && total == taxed:
		t.note(TaxMismatch, "tax", e.tax.text(cur), t.saidTax().text(cur), "", "posted with another tax: check the mapping of its tax codes")
	case total.abs() > limit:
		t.note(AmountMismatch, "total", e.total.text(cur), out.text(cur), "", "posted with another amount")
	case taxed.abs() > limit:
		t.note(TaxMismatch, "tax", e.tax.text(cur), t.saidTax().text(cur), "", "posted with another tax")
	case total != 0 || taxed != 0 || t.posted.difference != 0:
		t.note(MatchedRounding, "total", e.total.text(cur), out.text(cur), "", "rounding")
	}
	if t.workflow == refundFlow && e.creditSaid {
		if credited := t.said(creditDoc); credited != e.credit && credited > 0 {
			t.note(AmountMismatch, "credit_total", e.credit.text(cur), credited.text(cur), "", "another value was credited")
		}
	}
	r.dayAndAccount(t)
}

// dayAndAccount compares the day, and the account where the mapping is the one that was in force.
func (r *run) dayAndAccount(t *transaction) {
	e := t.event
	for _, d := range t.docs {
		if !d.said || d.past() || t.ofCancel(d) || d.revision != e.revision && t.workflow == orderFlow {
			continue
		}
		moved := r.org.LockPolicy == "next_open_date" && d.oDay > e.day
		if d.oDay != "" && d.oDay != e.day && !moved && d.kind != entryDoc {
			t.note(StatusMismatch, "date", e.day, d.oDay, "", "posted on another day")
		}
		if e.account != "" && d.oAccount != "" && e.account != d.oAccount && (t.posted.hash == r.org.Hash || r.opts.Deep) {
			t.note(StatusMismatch, "account", e.account, d.oAccount, "", "another account than the mapping says")
		}
	}
}

// tolerance is what counts as rounding: the configured minor units, per tax rate.
func (r *run) tolerance(e *event) units {
	digits, _ := money.MinorUnit(e.currency)
	return unitsOf(decimal.New(r.org.Tolerance*int64(max(1, len(e.taxes))), -digits))
}

// duplicates finds two living documents under one key.
func (r *run) duplicates(t *transaction) {
	byKey := map[string][]*document{}
	for _, d := range t.docs {
		if !d.inBooks() || d.kind == entryDoc {
			continue
		}
		key := d.key
		if key == "" {
			key = t.key()
			if t.ofCancel(d) {
				key = "cancel:" + t.id
			}
		}
		byKey[d.kind.String()+" "+key] = append(byKey[d.kind.String()+" "+key], d)
	}
	for key, docs := range byKey {
		// Further documents of an order have keys of their own; where the key is not known they are no evidence.
		if len(docs) < 2 || t.workflow == orderFlow && slices.ContainsFunc(docs, func(d *document) bool { return d.key == "" }) {
			continue
		}
		names := make([]string, len(docs))
		for i, d := range docs {
			names[i] = d.number + " (" + d.id + ")"
			if !d.said {
				t.document = d.id
			}
		}
		slices.Sort(names)
		t.note(DuplicateInBooks, "key", key, "", fmt.Sprint(len(docs)), strings.Join(names, ", "))
	}
}

// count is the number of documents of which is holds.
func (t *transaction) count(is func(*document) bool) int {
	n := 0
	for _, d := range t.docs {
		if is(d) {
			n++
		}
	}
	return n
}

// amounts are the totals of the documents in the books, for people.
func (t *transaction) amounts() string {
	var out []string
	for _, d := range t.docs {
		if d.inBooks() {
			out = append(out, d.total.text(t.currency()))
		}
	}
	return strings.Join(out, " + ")
}
