package processor

import (
	"context"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/schemas"
)

// credit creates the planned credit note and applies what no money was returned for. The intent is the order's state as
// it will be; nil where nobody plans on the order meanwhile.
func (a *attempt) credit(plan *creditPlan, st, intent *OrderState) (*CreditState, *ending) {
	cr := a.prog.Credit
	if cr == nil {
		var intents map[string]*OrderState
		if intent != nil {
			intents = map[string]*OrderState{a.orderID: intent}
		}
		note, end := keyedCreate(a, stepCredit, intents,
			func() (*zohobooks.CreditNote, error) { return a.findCredit(plan.Request.Reference, plan.Key) },
			func(n *zohobooks.CreditNote) *ending {
				return a.continued(a.adoptable(fieldOf(n, a.tenant.org().Fields.CreditNote.Origin), a.creditDocument(n)))
			},
			func(ctx context.Context) (*zohobooks.CreditNote, error) {
				return a.tenant.books.CreateCreditNote(ctx, plan.Request)
			})
		if end != nil {
			return nil, end
		}
		if a.prog.Found != nil && !a.inDoubt.unknown {
			a.inDoubt = doubt{unknown: true, since: a.prog.Forgotten}
		}
		cr = &CreditState{Key: plan.Key, DocumentID: note.CreditNoteID, Number: note.CreditNoteNumber, Total: note.Total.Decimal, Lines: plan.Lines}
		if drawable(plan.Key) { // found, and drawn from by refunds that Redis has forgotten
			cr.Refunded = note.RefundedAmount.Decimal
		}
		a.prog.Credit, a.answered = cr, true
		if plan.Apply.IsPositive() && note.CreditsUsed.GreaterThanOrEqual(plan.Apply) { // found, and applied by whoever created it
			a.prog.Done = append(a.prog.Done, stepApply)
		}
		a.document(a.creditDocument(note))
		a.moved(plan.TrueDate, note.Date)
		if diff := note.Total.Sub(plan.Total); !diff.IsZero() {
			a.result.Difference = decimal.NewNullDecimal(diff)
			a.p.log.Warn("credit note total differs from the planned one", "organization", a.Organization, "business_id", a.ref.ID,
				"creditnote_id", note.CreditNoteID)
		}
	}
	if plan.Apply.IsPositive() {
		if end := a.applyCredit(cr.DocumentID, plan.ApplyTo); end != nil {
			return nil, end
		}
		cr.Applied, cr.Further = plan.Apply, st.further(plan.ApplyTo)
	}
	a.stays(plan)
	return cr, nil
}

// stays says in the outcome what of the invoices' taxes no credit note took back.
func (a *attempt) stays(plan *creditPlan) {
	if !plan.Difference.IsZero() && !a.result.Difference.Valid {
		a.result.Difference = decimal.NewNullDecimal(plan.Difference)
	}
	if text := "tax that no credit note took back: " + plan.Stays; plan.Stays != "" && !strings.Contains(a.result.Remark, text) {
		a.remark(text)
	}
}

// continued goes on with the steps behind another record's document instead of ending as its duplicate: that record may
// not have come to their end, and will find them settled. Each step is looked for before it's written.
func (a *attempt) continued(end *ending) *ending {
	if end == nil || end.duplicate == "" {
		return end
	}
	a.prog.Found, a.prog.Forgotten = a.found, a.p.clock.Now()
	return nil
}

func (a *attempt) creditDocument(note *zohobooks.CreditNote) schemas.Document {
	return schemas.Document{
		Type: "credit_note", ID: note.CreditNoteID, Number: note.CreditNoteNumber, URL: a.documentURL("creditnotes", note.CreditNoteID),
		Status: note.Status, Date: note.Date, Total: note.Total.Decimal, Tax: note.TaxTotal.Decimal, Balance: note.Balance.Decimal,
		BaseTotal: a.inBase(note.BaseTotal, note.Total, note.CurrencyCode, note.ExchangeRate),
	}
}

// findCredit finds a credit note by its reference; the key in the document decides.
func (a *attempt) findCredit(reference, key string) (*zohobooks.CreditNote, error) {
	books := a.tenant.books
	return withKey(a, a.tenant.org().Fields.CreditNote.Key, key,
		func(ctx context.Context) ([]zohobooks.CreditNote, error) {
			return books.FindCreditNotesByReference(ctx, reference)
		},
		func(n *zohobooks.CreditNote) bool { return len(n.LineItems) == 0 },
		func(ctx context.Context, n *zohobooks.CreditNote) (*zohobooks.CreditNote, error) {
			return books.GetCreditNote(ctx, n.CreditNoteID)
		})
}

// once makes a write that no unique field fences, at most once: what is in doubt is read before it's written again, and
// only when it can't take effect any more (fenced: a late twin is refused by itself, so the settle delay is enough).
// written says whether the books hold it already; intents are the orders' states as they'll be.
func (a *attempt) once(step string, fenced bool, intents map[string]*OrderState, written func() (bool, error), write func(context.Context) error) *ending {
	if a.prog.did(step) {
		return nil
	}
	done := false
	refused, end := a.refusedBefore(step)
	if end != nil {
		return end
	}
	if refused != nil || a.inDoubt.of(step) {
		wait := a.horizonPassed
		if fenced || refused != nil {
			wait = a.settled
		}
		if end := wait(); end != nil {
			return end
		}
		a.doubted(step)
		var err error
		if done, err = written(); err != nil {
			return a.failed("looking for the "+step, err)
		}
		a.looked(done)
	}
	switch {
	case done:
		a.resolved(step)
	case refused != nil:
		return &ending{reject: refused}
	default:
		if err := a.write(step, intents, write); err != nil {
			end := a.failed(step, err)
			// Perhaps because an earlier write has landed late, or was made and Redis lost that.
			if end.reject != nil && (slices.Contains(a.prog.Doubted, step) || a.epoch.Loss) {
				return a.refusedFor(step, end.reject)
			}
			return end
		}
	}
	a.prog.Done = append(a.prog.Done, step)
	a.answered = true
	return nil
}

// applyCredit applies parts of a credit note to the order's invoices, in one call.
func (a *attempt) applyCredit(noteID string, parts []application) *ending {
	books, amount := a.tenant.books, sumOfParts(parts)
	var apply []zohobooks.CreditedInvoice
	for _, p := range parts {
		apply = append(apply, zohobooks.CreditedInvoice{InvoiceID: p.InvoiceID, AmountApplied: zohobooks.NewAmount(p.Amount)})
	}
	return a.once(stepApply, false, nil,
		func() (bool, error) {
			var note *zohobooks.CreditNote
			err := a.read(func(ctx context.Context) (err error) {
				note, err = books.GetCreditNote(ctx, noteID)
				return err
			})
			return err == nil && note.CreditsUsed.GreaterThanOrEqual(amount), err
		},
		func(ctx context.Context) error {
			err := books.ApplyCreditNote(ctx, noteID, apply)
			if err != nil && zohobooks.Verdict(err).Action == zohobooks.ActionMarkSentFirst {
				for _, p := range parts {
					if err := books.MarkInvoiceSent(a.ctx, p.InvoiceID); err != nil {
						return err
					}
				}
				return books.ApplyCreditNote(a.ctx, noteID, apply)
			}
			return err
		})
}

// afterwards says how the invoices of the event's orders stand, all together, as far as booksync's own entries go.
func (a *attempt) afterwards(states ...*OrderState) {
	var status string
	var invoiced, balance decimal.Decimal
	for _, st := range states {
		if st.Invoice == nil { // an advance, or its return
			continue
		}
		invoiced, balance = invoiced.Add(st.Invoiced()), balance.Add(st.Balance())
		if status == "" || status == invoiceVoid {
			status = st.Invoice.Status
		}
	}
	switch {
	case status == "":
		return
	case status == invoiceVoid:
	case balance.IsZero():
		status = "paid"
	case balance.LessThan(invoiced):
		status = "partially_paid"
	}
	a.result.invoiceAfter = &schemas.InvoiceAfter{Status: status, Balance: balance}
}
