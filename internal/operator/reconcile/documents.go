package reconcile

import (
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/processor/money"
)

// document compares one document in the books with what its outcome said and with its event.
func (r *run) document(t *transaction, d *document) {
	if d.kind == entryDoc || d.past() {
		return
	}
	day := d.oDay
	if !d.said {
		day = d.day
	}
	if !r.opts.Window.contains(day) {
		return // belongs to another window
	}
	if d.said && (d.seen == unseen || d.seen == gone) {
		remark := "deleted in the books"
		if d.seen == unseen {
			remark = "not in the lists; not opened, the calls were spent"
		}
		t.document = d.id
		t.note(MissingInBooks, d.kind.String(), r.eventAmount(t, d), d.oTotal.text(t.currency()), "", remark+": "+d.kind.String()+" "+d.number+" ("+d.id+")")
		return
	}
	before := len(t.differences)
	r.presence(t, d)
	if !d.void() {
		r.money(t, d)
		r.labels(t, d)
		r.detail(t, d)
	}
	if len(t.differences) > before && t.document == "" {
		t.document = d.id
	}
}

func (r *run) eventAmount(t *transaction, d *document) string {
	if t.event == nil || d.kind == creditDoc {
		return ""
	}
	return t.event.total.text(t.currency())
}

// presence compares the status.
func (r *run) presence(t *transaction, d *document) {
	voided := d.oStatus == "void"
	switch {
	case d.void() && !voided && d.said:
		t.note(StatusMismatch, "status", "", d.oStatus, d.status, "made void in the books")
	case voided && !d.void():
		t.note(StatusMismatch, "status", "CANCELLED", "void", d.status, "was voided, and is not void")
	case d.status == "draft" && (d.kind != invoiceDoc || r.org.InvoicePolicy != "draft"):
		t.note(StatusMismatch, "status", "", d.oStatus, d.status, "a draft is not in the ledger")
	}
}

// money compares amount, currency and rate.
func (r *run) money(t *transaction, d *document) {
	e, cur := t.event, t.currency()
	switch {
	case d.said && d.total != d.oTotal:
		t.note(EditedByPerson, "total", r.eventAmount(t, d), d.oTotal.text(cur), d.total.text(cur), "changed since it was posted")
	case !d.said && e != nil && d.kind != creditDoc && len(t.docs) == 1 && (d.total-e.total).abs() > r.tolerance(e):
		t.note(AmountMismatch, "total", e.total.text(cur), "", d.total.text(cur), "")
	}
	if cur != "" && d.currency != "" && d.currency != cur {
		t.note(CurrencyMismatch, "currency", cur, "", d.currency, "")
		return
	}
	if e == nil || !e.rate.Valid || cur == r.org.BaseCurrency || d.kind == creditDoc || t.ofCancel(d) {
		return
	}
	rate := e.rate.Decimal
	switch {
	case !d.rate.IsZero() && !sameRate(d.rate, rate):
		t.note(CurrencyMismatch, "exchange_rate", rate.String(), "", d.rate.String(), "")
	case d.rate.IsZero() && !d.base.IsZero():
		want := money.Round(d.total.decimal().Mul(rate), r.org.BaseCurrency)
		if want.Sub(d.base).Abs().GreaterThan(money.Unit(r.org.BaseCurrency)) {
			t.note(CurrencyMismatch, "exchange_rate", rate.String(), "", d.base.String()+" "+r.org.BaseCurrency, "booked at another rate: "+want.String()+" was expected")
		}
	}
}

// sameRate compares as far as Zoho keeps a rate.
func sameRate(a, b decimal.Decimal) bool {
	const digits = 6
	return a.Round(digits).Equal(b.Round(digits))
}

// labels compares what is not money: day, reference, account, customer, key.
func (r *run) labels(t *transaction, d *document) {
	edited := func(field, events, outcomes, books string) {
		t.note(EditedByPerson, field, events, outcomes, books, "changed since it was posted")
	}
	if d.said && d.oDay != "" && d.day != d.oDay {
		edited("date", "", d.oDay, d.day)
	}
	if d.said && d.oAccount != "" && d.account != "" && d.account != d.oAccount {
		edited("account", "", d.oAccount, d.account)
	}
	if e := t.event; e != nil && e.reference != d.reference && !t.ofCancel(d) && !r.further(d) {
		edited("reference", e.reference, "", d.reference)
	}
	if d.said && d.seen == opened && d.key == "" || d.said && d.kind == invoiceDoc && d.key != "" && !r.ownKey(t, d) {
		edited("key", t.key(), "", d.key)
	}
	if inv := r.invoiceOf(t.order); inv != nil && inv != d && inv.customer != "" && d.customer != "" && inv.customer != d.customer {
		edited("customer", "", inv.customer, d.customer)
	}
}

// further says whether a document is one of an order's further ones, whose references are their own.
func (r *run) further(d *document) bool {
	if d.of.workflow != orderFlow {
		return false
	}
	return d.kind == creditDoc || d.key != "" && !strings.HasPrefix(d.key, orderFlow+":")
}

func (r *run) ownKey(t *transaction, d *document) bool {
	workflow, id, _, ok := parseKey(d.key, func(order string) bool { return r.index.find(orderFlow, order) != nil })
	return ok && workflow == t.workflow && id == t.id
}

// invoiceOf is the order's invoice, if it is in the books of this window.
func (r *run) invoiceOf(order string) *document {
	t := r.index.find(orderFlow, order)
	if t == nil {
		return nil
	}
	for _, d := range t.docs {
		if d.kind == invoiceDoc && d.inBooks() {
			return d
		}
	}
	return nil
}

// detail compares what only the whole document tells: tax per rate, tax ids, fee, the customer's key and tax number.
func (r *run) detail(t *transaction, d *document) {
	e, cur := t.event, t.currency()
	if d.detail == nil || e == nil {
		return
	}
	if d.kind == paymentDoc && d.detail.whole && d.detail.fee != e.fee {
		t.note(AmountMismatch, "fee", e.fee.text(cur), "", d.detail.fee.text(cur), "")
	}
	if d.kind != invoiceDoc || r.further(d) {
		return
	}
	if x := d.detail; x.whole && d.revision == e.revision {
		limit := r.tolerance(e)
		status, said := TaxMismatch, ""
		if d.said {
			said = d.oTax.text(cur)
			if (d.oTax-e.tax).abs() <= limit && (x.tax-d.oTax).abs() > 0 {
				status = EditedByPerson
			}
		}
		if (x.tax - e.tax).abs() > limit {
			t.note(status, "tax", e.tax.text(cur), said, x.tax.text(cur), "")
		}
		for _, percent := range percents(e.taxes, x.taxes) {
			want, have := rateOf(e.taxes, percent), rateOf(x.taxes, percent)
			if (want - have).abs() > limit {
				t.note(status, "tax at "+percent+" %", want.text(cur), "", have.text(cur), "")
			}
		}
		if len(e.taxIDs) > 0 && !slices.Equal(e.taxIDs, x.taxIDs) {
			t.note(TaxMismatch, "tax ids", strings.Join(e.taxIDs, " "), "", strings.Join(x.taxIDs, " "), "other taxes than the mapping says now")
		}
	}
	if key := d.detail.customer; key != "" && key != e.customer {
		t.note(EditedByPerson, "customer", e.customer, "", key, "booked on another customer")
	}
	if have, want := squeezed(d.detail.number), squeezed(e.taxNumber); d.detail.customer != "" && want != "" && have != "" && have != want {
		t.note(StatusMismatch, "tax_number", want, "", have, "the contact has another tax number")
	}
}

func squeezed(number string) string { return strings.ToUpper(strings.ReplaceAll(number, " ", "")) }

func percents(a, b []rateSum) []string {
	var out []string
	for _, s := range slices.Concat(a, b) {
		if !slices.Contains(out, s.percent) {
			out = append(out, s.percent)
		}
	}
	slices.Sort(out)
	return out
}

func rateOf(sums []rateSum, percent string) units {
	for _, s := range sums {
		if s.percent == percent {
			return s.amount
		}
	}
	return 0
}
