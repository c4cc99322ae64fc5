package processor

import (
	"context"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/schemas"
)

// Steps that write. A step's name stands in the claim while its write is in doubt.
const (
	stepContact = "contact"
	stepInvoice = "invoice"
	stepVoid    = "void"
	stepPayment = "payment"
	stepCredit  = "credit"
	stepApply   = "apply"
	stepRefund  = "refund"
	stepExcess  = "excess"
)

// result is what the attempt did, for the outcome and the claim.
type result struct {
	documents    []schemas.Document
	invoiceAfter *schemas.InvoiceAfter
	expected     decimal.NullDecimal
	posted       decimal.NullDecimal
	difference   decimal.NullDecimal
	remark       string
	// orders are the orders' states after the event.
	orders map[string]*OrderState
	// tombstone: the order's claim is marked done though this event is a cancellation.
	tombstone bool
}

// apply plans and makes the calls. On nil the event has taken effect, and a.result says how.
func (a *attempt) apply() *ending {
	if park := a.tenant.gate.park(); park != nil {
		return &ending{park: park}
	}
	a.result.documents = a.prog.Documents
	switch {
	case a.workflow == WorkflowPayment:
		return a.applyPayment()
	case a.workflow == WorkflowRefund:
		return a.applyRefund()
	case a.ref.Role == RoleCancel:
		return a.applyCancel()
	}
	return a.applyOrder()
}

// keyedCreate creates a document that carries this event's unique key. Where the write is in doubt it looks first, and
// believes "not there" only after the settle delay; a refusal because the key exists is answered by the document, which
// is adopted if this very record wrote it.
//
// find answers nil when there's no such document; adopt says whether the found one may be taken as ours.
func keyedCreate[T any](a *attempt, step string, intents map[string]*OrderState,
	find func() (*T, error), adopt func(*T) *ending, create func(context.Context) (*T, error),
) (*T, *ending) {
	if a.inDoubt.of(step) {
		if end := a.settled(); end != nil { // a look-up before that could miss it, and would be a call for nothing
			return nil, end
		}
		if doc, end := look(a, step, find, adopt); end != nil || doc != nil {
			return doc, end
		}
	}
	var doc *T
	err := a.write(step, intents, func(ctx context.Context) (err error) {
		doc, err = create(ctx)
		return err
	})
	if err == nil {
		return doc, nil
	}
	if zohobooks.Verdict(err).Action != zohobooks.ActionAlreadyExists {
		return nil, a.failed(step, err)
	}
	found, end := look(a, step, find, adopt)
	if end != nil || found != nil {
		return found, end
	}
	// Refused, and nothing is there under the key: a refusal of another kind, or a list that lags. The attempt that meets
	// it after the settle delay rejects.
	if a.w.refusedAt.IsZero() {
		a.w.refusedAt = a.p.clock.Now()
	}
	a.inDoubt.since = a.w.refusedAt
	if end := a.settled(); end != nil {
		return nil, end
	}
	dec := zohobooks.Verdict(err)
	return nil, &ending{reject: &Rejection{Class: "rejected.books", Code: codeText(dec.Code), Retryable: "after-fix", Message: step + ": " + err.Error()}}
}

// look finds the document under this event's key; both are nil when it's not there.
func look[T any](a *attempt, step string, find func() (*T, error), adopt func(*T) *ending) (*T, *ending) {
	doc, err := find()
	if err != nil {
		return nil, a.failed("looking for the "+step, err)
	}
	a.looked(doc != nil)
	if doc == nil {
		return nil, nil
	}
	if end := adopt(doc); end != nil {
		return nil, end
	}
	if !a.inDoubt.unknown {
		a.inDoubt = doubt{}
	}
	return doc, nil
}

// compared notes what Zoho answered against what was planned; the difference is the answer's, or what the plan itself
// put into an adjustment.
func (a *attempt) compared(expected, posted, planned decimal.Decimal) {
	a.result.expected = decimal.NewNullDecimal(expected)
	a.result.posted = decimal.NewNullDecimal(posted)
	diff := posted.Sub(expected)
	if diff.IsZero() {
		diff = planned
	}
	if !diff.IsZero() {
		a.result.difference = decimal.NewNullDecimal(diff)
	}
}

// documentURL is where people open a document; "" when no address is configured.
func (a *attempt) documentURL(kind, id string) string {
	if a.tenant.org().AppURL == "" {
		return ""
	}
	return a.tenant.org().AppURL + "#/" + kind + "/" + id
}

// looked counts what looking for a write in doubt found.
func (a *attempt) looked(found bool) {
	result := "absent"
	if found {
		result = "found"
	}
	a.p.looked(a.workflow, a.Organization, result)
}
