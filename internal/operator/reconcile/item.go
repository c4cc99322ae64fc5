package reconcile

import (
	"slices"

	"github.com/shopspring/decimal"
)

// Item is one transaction as the three have it, for who adds them up.
type Item struct {
	Workflow, BusinessID, Currency string
	Status                         Status
	Event                          *ItemEvent // nil: the source topics do not hold it
	Documents                      []ItemDocument
}

// ItemEvent is what the event says.
type ItemEvent struct {
	Day             string
	Account         string // the clearing account that the mapping says
	Total, Tax, Fee decimal.Decimal
	Taxes           []RateSum
	// Void says that the order was cancelled and nothing is left of it.
	Void bool
}

// RateSum is the tax of one rate in percent.
type RateSum struct {
	Percent string
	Amount  decimal.Decimal
}

// Kinds of an item's documents.
const (
	KindInvoice     = "invoice"
	KindPayment     = "payment"
	KindCreditNote  = "credit note"
	KindRefundEntry = "refund entry"
)

// ItemDocument is one document: as the outcome says it, and as the books hold it.
type ItemDocument struct {
	Kind, ID string
	Said     *ItemSide // nil: no outcome names it
	Held     *ItemSide // nil: not in the lists of the window
}

// ItemSide is one side's view of a document. Void documents count for nothing.
type ItemSide struct {
	Day, Account string
	Total, Tax   decimal.Decimal
	Void         bool
	// Whole says that the document itself was seen: of the books, Tax, Fee, Taxes and Returned are known only then.
	Whole    bool
	Fee      decimal.Decimal
	Taxes    []RateSum
	Returned []Returned
}

// Returned is money paid back from a payment's unused amount.
type Returned struct {
	ID, Day, Account string
	Amount           decimal.Decimal
}

// each tells of the transactions.
func (r *run) each() {
	if r.opts.Each == nil {
		return
	}
	for _, t := range r.sorted() {
		if t.in(r.opts.Window) {
			r.opts.Each(r.opts.Window, r.item(t))
		}
	}
}

func (r *run) item(t *transaction) *Item {
	out := &Item{Workflow: t.workflow, BusinessID: t.id, Currency: t.currency(), Status: t.status}
	if e := t.event; e != nil {
		living := slices.ContainsFunc(t.docs, func(d *document) bool { return d.said && d.kind == invoiceDoc && d.oStatus != "void" })
		out.Event = &ItemEvent{
			Day: e.day, Account: e.account, Total: e.total.decimal(), Tax: e.tax.decimal(), Fee: e.fee.decimal(), Taxes: rateSums(e.taxes),
			Void: t.cancelled && !living || t.status == Ignored,
		}
	}
	for _, d := range t.docs {
		doc := ItemDocument{Kind: d.kind.String(), ID: d.id}
		if d.said {
			doc.Said = &ItemSide{Day: d.oDay, Account: d.oAccount, Total: d.oTotal.decimal(), Tax: d.oTax.decimal(), Void: d.oStatus == "void", Whole: true}
		}
		if d.seen == listed || d.seen == opened {
			doc.Held = held(d)
		}
		out.Documents = append(out.Documents, doc)
	}
	return out
}

func held(d *document) *ItemSide {
	s := &ItemSide{Day: d.day, Account: d.account, Total: d.total.decimal(), Void: d.void() || d.superseded}
	if d.detail == nil || !d.detail.whole {
		return s
	}
	s.Whole, s.Tax, s.Fee, s.Taxes = true, d.detail.tax.decimal(), d.detail.fee.decimal(), rateSums(d.detail.taxes)
	for _, e := range d.detail.entries {
		s.Returned = append(s.Returned, Returned{e.id, e.day, e.account, e.amount.decimal()})
	}
	return s
}

func rateSums(sums []rateSum) []RateSum {
	out := make([]RateSum, len(sums))
	for i, s := range sums {
		out[i] = RateSum{s.percent, s.amount.decimal()}
	}
	return out
}
