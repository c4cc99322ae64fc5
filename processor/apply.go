package processor

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/schemas"
)

// Steps that write. A step's name stands in the claim while its write is in doubt.
const (
	stepContact = "contact"
	// stepContactUpdate is of a contact's claim, as stepContact is.
	stepContactUpdate = "contact update"
	stepInvoice       = "invoice"
	stepRename        = "rename"
	stepVoid          = "void"
	stepPayment       = "payment"
	stepCredit        = "credit"
	stepApply         = "apply"
	stepRefund        = "refund"
	stepNote          = "note"
	stepUpdate        = "update"
	stepJournal       = "journal"
	stepFee           = "fee"
	stepAdvance       = "advance"
	stepExcess        = "excess"
)

// result is what the attempt did, for the outcome and the claim.
type result struct {
	documents    []schemas.Document
	invoiceAfter *schemas.InvoiceAfter
	comparison
	// orders are the orders' states after the event.
	orders map[string]*OrderState
	// tombstone: the order's claim is marked done though this event is a cancellation.
	tombstone bool
}

// comparison is how what was posted compares with what the event says.
type comparison struct {
	Expected   decimal.NullDecimal `json:"expected,omitzero"`
	Posted     decimal.NullDecimal `json:"posted,omitzero"`
	Difference decimal.NullDecimal `json:"difference,omitzero"`
	Remark     string              `json:"remark,omitempty"`
}

// apply plans and makes the calls. On nil the event has taken effect, and a.result says how.
func (a *attempt) apply() *ending {
	if park := a.tenant.gate.park(a.class); park != nil {
		return &ending{park: park}
	}
	a.result.documents = a.prog.Documents
	if end := a.fillRate(); end != nil {
		return end
	}
	end := a.applyEvent()
	if end == nil && a.found != nil { // another record's, whose steps are done now
		return &ending{duplicate: duplicateSame}
	}
	return end
}

func (a *attempt) applyEvent() *ending {
	switch {
	case a.ref.Role == RolePayment:
		return a.applyPayment()
	case a.workflow == WorkflowPayment:
		return a.applyDispute()
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
	refused, end := a.refusedBefore(step)
	if end != nil {
		return nil, end
	}
	if refused != nil || a.inDoubt.of(step) {
		if end := a.settled(); end != nil { // a look-up before that could miss it, and would be a call for nothing
			return nil, end
		}
		a.doubted(step)
		if doc, end := look(a, step, find, adopt); end != nil || doc != nil {
			return doc, end
		}
	}
	if refused != nil {
		return nil, &ending{reject: refused}
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
	// Refused, and nothing is there under the key: a refusal of another kind, or a list that lags. The attempt that looks
	// once more, after the settle delay, rejects.
	return nil, a.refusedFor(step, &Rejection{
		Class: "rejected.books", Code: codeText(zohobooks.Verdict(err).Code), Status: statusOf(err), Retryable: "after-fix", Message: step + ": " + err.Error(),
	})
}

// refusal is a refusal of a step that is believed only when a look-up after the settle delay finds nothing.
type refusal struct {
	step      string
	at        time.Time
	rejection *Rejection
}

// refusedFor parks until a look-up can tell whether the refusal was the doing of a write that had taken effect.
func (a *attempt) refusedFor(step string, rej *Rejection) *ending {
	a.w.refusal = &refusal{step, a.p.clock.Now(), rej}
	return a.parkFor(parkInDoubt, a.p.cfg.SettleDelay)
}

// refusedBefore is the refusal that awaits its look-up; nil where the step was not refused. It's asked for once.
func (a *attempt) refusedBefore(step string) (*Rejection, *ending) {
	r := a.w.refusal
	if r == nil || r.step != step {
		return nil, nil
	}
	if ready := r.at.Add(a.p.cfg.SettleDelay); a.p.clock.Now().Before(ready) {
		return nil, &ending{park: &Park{Until: ready, Reason: parkInDoubt}}
	}
	a.w.refusal = nil
	return r.rejection, nil
}

// doubted notes that a write of this step was in doubt.
func (a *attempt) doubted(step string) {
	if !slices.Contains(a.prog.Doubted, step) {
		a.prog.Doubted = append(a.prog.Doubted, step)
	}
}

// resolved ends the doubt of this step; where Redis forgot, the steps behind it are looked for all the same.
func (a *attempt) resolved(step string) {
	if a.inDoubt.step == step {
		a.inDoubt.step = ""
	}
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
	a.resolved(step)
	return doc, nil
}

// compared notes what Zoho answered against what was planned; the difference is the answer's, or what the plan itself
// put into an adjustment.
func (a *attempt) compared(expected, posted, planned decimal.Decimal) {
	a.result.Expected = decimal.NewNullDecimal(expected)
	a.result.Posted = decimal.NewNullDecimal(posted)
	diff := posted.Sub(expected)
	if diff.IsZero() {
		diff = planned
	}
	if !diff.IsZero() {
		a.result.Difference = decimal.NewNullDecimal(diff)
	}
}

// moved says in the outcome that a locked period moved a document to another day than its own (accounting rule 11).
func (a *attempt) moved(trueDate, day string) {
	if trueDate != "" {
		text := "dated " + day + ": the true date " + trueDate + " is in a locked period"
		if !strings.Contains(a.result.Remark, text) { // of several documents of one event
			a.remark(text)
		}
	}
}

// registered says in the outcome how the invoice's e-invoice stands, where Zoho answers it (accounting rule 14).
func (a *attempt) registered(inv *zohobooks.Invoice) {
	text := "e-invoice " + inv.InvoiceNumber + ": " + inv.EInvoice.Status
	if inv.EInvoice.Status != "" && !strings.Contains(a.result.Remark, text) { // it may be read twice
		a.remark(text)
	}
}

// remark adds to the outcome's remark.
func (a *attempt) remark(text string) {
	if a.result.Remark != "" {
		text = a.result.Remark + "; " + text
	}
	a.result.Remark = text
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
