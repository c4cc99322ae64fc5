package rollback

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/processor"
	"github.com/booksync/booksync/schemas"
)

// desk looks at one organisation's books and changes them, for one group of a plan.
type desk struct {
	books *zohobooks.Client
	org   *processor.Organization
	// credit is the plan's: an invoice that cannot be voided is credited.
	credit   bool
	credited map[string]*zohobooks.CreditNote // by the id of the invoice that each takes back
	locked   map[string]bool                  // invoices whose key Zoho does not let be renamed
	// undeletable are payments that Zoho does not let be deleted, and why.
	undeletable map[string]error
	remarks     []string // what people have to know of it
}

func openDesk(ctx context.Context, books Books, organization string, credit bool) (*desk, error) {
	client, org, err := books(ctx, organization)
	if err != nil {
		return nil, err
	}
	return &desk{
		books: client, org: org, credit: credit, credited: map[string]*zohobooks.CreditNote{}, locked: map[string]bool{}, undeletable: map[string]error{},
	}, nil
}

// blockedError says why a group cannot be taken back.
type blockedError struct{ why string }

func (e *blockedError) Error() string { return e.why }

func blocked(format string, args ...any) error { return &blockedError{fmt.Sprintf(format, args...)} }

// look derives a group's steps from what the books hold now: none where all is taken back already. What is in the way is
// said in the group; the error is about looking.
func (d *desk) look(ctx context.Context, g *Group) error {
	v := &view{desk: d, group: g, wanted: map[string]schemas.Document{}, applied: map[string]decimal.Decimal{}, staying: map[string]decimal.Decimal{}}
	g.Stay, d.remarks = nil, nil
	err := v.read(ctx)
	g.Steps, g.Blocked = v.steps(), ""
	g.Calls = 2*v.calls + len(g.Steps) // the plan is derived again when it is applied
	var no *blockedError
	if errors.As(err, &no) {
		g.Blocked, g.Steps, g.Calls = no.why, nil, 0
		return nil
	}
	return err
}

// view is what is read of a group's documents.
type view struct {
	*desk
	group   *Group
	calls   int
	wanted  map[string]schemas.Document // refund entries that go and were not met yet, by id
	applied map[string]decimal.Decimal  // to each invoice, by payments and credit notes that go
	staying map[string]decimal.Decimal  // to each invoice, by payments that stay

	refunds, notes, paymentRefunds, payments, invoices []Step
}

func (v *view) steps() []Step {
	return slices.Concat(v.refunds, v.notes, v.paymentRefunds, v.payments, v.invoices)
}

// read looks at every document that goes, and at those that stay if something under them goes.
func (v *view) read(ctx context.Context) error {
	byType := make(map[string][]*Posted)
	if err := reversible(v.group); err != nil {
		return err
	}
	for _, p := range v.group.Outcomes {
		for _, d := range p.Documents {
			if d.Type == docRefund || d.Type == docPaymentRefund {
				v.wanted[d.ID] = d
			}
			byType[d.Type] = append(byType[d.Type], p)
		}
	}
	each := func(kind string, look func(context.Context, *Posted, schemas.Document) error) error {
		seen := make(map[string]bool)
		for _, p := range byType[kind] {
			for _, d := range p.Documents {
				if d.Type != kind || seen[d.ID] {
					continue
				}
				seen[d.ID] = true
				if err := look(ctx, p, d); err != nil {
					return err
				}
			}
		}
		return nil
	}
	if err := each(docCreditNote, v.note); err != nil {
		return err
	}
	if err := each(docPayment, v.payment); err != nil {
		return err
	}
	if err := v.fromKept(ctx); err != nil {
		return err
	}
	return each(docInvoice, v.invoice)
}

// reversible refuses what only a person can take back: journals, which have no key, and an order of several revisions, whose
// documents rest on each other.
func reversible(g *Group) error {
	revised := slices.ContainsFunc(g.Kept, func(d schemas.Document) bool { return d.Type == docInvoice })
	for _, p := range g.Outcomes {
		for _, d := range p.Documents {
			if d.Type == docJournal {
				return blocked("%s %s wrote the journal %s: take it back by hand", p.Workflow, p.BusinessID, d.Number)
			}
		}
		if p.Workflow != string(processor.WorkflowOrder) || len(p.Documents) == 0 || refOf(p).Role == processor.RoleCancel && len(p.Documents) == 1 {
			continue
		}
		if revised {
			return blocked("order %s was changed by revision %d and others after it was posted: take its documents back by hand", p.BusinessID, p.Revision)
		}
		revised = true
	}
	return nil
}

// Types of documents in outcomes.
const (
	docJournal       = "journal"
	docInvoice       = "invoice"
	docPayment       = "customer_payment"
	docCreditNote    = "credit_note"
	docRefund        = "refund"
	docPaymentRefund = "payment_refund"
)

const statusVoid = "void"

// get reads a document, again and again while Zoho is away; false: it is not there (any more).
func get[T any](ctx context.Context, v *view, call func(context.Context) (T, error)) (doc T, found bool, err error) {
	v.calls++
	err = patiently(ctx, func() (err error) {
		doc, err = call(ctx)
		return err
	})
	if isMissing(err) {
		return doc, false, nil
	}
	return doc, err == nil, err
}

// note plans a credit note's end: its refund entries and applications first, then its key, then the note.
func (v *view) note(ctx context.Context, p *Posted, doc schemas.Document) error {
	n, found, err := get(ctx, v, func(ctx context.Context) (*zohobooks.CreditNote, error) { return v.books.GetCreditNote(ctx, doc.ID) })
	if err != nil || !found {
		return err
	}
	name := "credit note " + n.CreditNoteNumber
	key, _ := n.Field(v.org.Fields.CreditNote.Key)
	if isReversed(key) && n.Status == statusVoid {
		return nil
	}
	if err := v.ours(name, key, n.CreditNoteID, n.Date, n.Total.Decimal, doc); err != nil {
		return err
	}
	if err := v.notesRefunds(ctx, n.CreditNoteID, name, n.RefundedAmount, true); err != nil {
		return err
	}
	if n.CreditsUsed.IsPositive() {
		credited, _, err := get(ctx, v, func(ctx context.Context) ([]zohobooks.CreditedInvoice, error) {
			return v.books.CreditNoteInvoices(ctx, n.CreditNoteID)
		})
		if err != nil {
			return err
		}
		for _, c := range credited {
			amount := c.CreditedAmount.Decimal
			if amount.IsZero() {
				amount = c.AmountApplied.Decimal
			}
			v.applied[c.InvoiceID] = v.applied[c.InvoiceID].Add(amount)
			v.notes = append(v.notes, Step{Do: UnapplyCredit, ID: c.CreditNoteInvoiceID, Parent: n.CreditNoteID, Number: c.InvoiceNumber, Amount: amount})
		}
	}
	if !isReversed(key) {
		v.notes = append(v.notes, Step{Do: RenameCreditNote, ID: n.CreditNoteID, Number: n.CreditNoteNumber, Key: reversedKey(key, n.CreditNoteID)})
	}
	if n.Status != statusVoid {
		v.notes = append(v.notes, Step{Do: VoidCreditNote, ID: n.CreditNoteID, Number: n.CreditNoteNumber, Amount: n.Total.Decimal, Key: reversedKey(key, n.CreditNoteID)})
	}
	return nil
}

// notesRefunds plans the end of a credit note's refund entries; all of them must go if the note goes.
func (v *view) notesRefunds(ctx context.Context, id, name string, refunded zohobooks.Amount, all bool) error {
	if all && refunded.IsZero() {
		return nil
	}
	list, _, err := get(ctx, v, func(ctx context.Context) ([]zohobooks.Refund, error) { return v.books.ListCreditNoteRefunds(ctx, id) })
	if err != nil {
		return err
	}
	steps, err := v.entries(list, DeleteRefund, id, name, all)
	v.refunds = append(v.refunds, steps...)
	return err
}

// entries plans the end of refund entries; with all, one that is not to go is in the way.
func (v *view) entries(list []zohobooks.Refund, do, parent, name string, all bool) ([]Step, error) {
	var steps []Step
	for i := range list {
		r := &list[i]
		if _, goes := v.wanted[r.ID()]; goes {
			delete(v.wanted, r.ID())
			if err := v.open("the refund of "+name, r.Date); err != nil {
				return nil, err
			}
			steps = append(steps, Step{Do: do, ID: r.ID(), Parent: parent, Amount: r.Value().Decimal})
		} else if all {
			return nil, blocked("%s has a refund of %s that is not taken back with it: select it too, or delete it in Zoho Books", name, r.Value())
		}
	}
	return steps, nil
}

// payment plans a payment's end: its refund entries first.
func (v *view) payment(ctx context.Context, posted *Posted, doc schemas.Document) error {
	p, found, err := get(ctx, v, func(ctx context.Context) (*zohobooks.Payment, error) { return v.books.GetPayment(ctx, doc.ID) })
	if err != nil || !found {
		return err
	}
	name := "payment " + p.PaymentNumber
	key, _ := p.Field(v.org.Fields.Payment.Key)
	if err := v.written(name, key, p.PaymentID, p.Date, p.Amount.Decimal, doc); err != nil {
		return err
	}
	if err := cmp.Or(v.open(name, p.Date), v.undeletable[p.PaymentID]); err != nil {
		if v.credit && v.onlyTakenBack(p) {
			return v.stay(posted, p, err)
		}
		return blocked("%v", err)
	}
	if err := v.paymentsRefunds(p, true); err != nil {
		return err
	}
	for _, a := range p.Invoices {
		v.applied[a.InvoiceID] = v.applied[a.InvoiceID].Add(a.AmountApplied.Decimal)
		if err := v.alsoOrder(ctx, name, a.InvoiceID); err != nil {
			return err
		}
	}
	v.payments = append(v.payments, Step{Do: DeletePayment, ID: p.PaymentID, Number: p.PaymentNumber, Amount: p.Amount.Decimal})
	return nil
}

// paymentsRefunds is notesRefunds for a payment, which shows its refund entries itself.
func (v *view) paymentsRefunds(p *zohobooks.Payment, all bool) error {
	steps, err := v.entries(p.Refunds, DeletePaymentRefund, p.PaymentID, "payment "+p.PaymentNumber, all)
	v.paymentRefunds = append(v.paymentRefunds, steps...)
	return err
}

// alsoOrder adds the order of an invoice that a payment is applied to: its balance changes with the payment.
func (v *view) alsoOrder(ctx context.Context, name, invoiceID string) error {
	if v.stays(invoiceID) || slices.ContainsFunc(v.group.Outcomes, func(p *Posted) bool { return hasInvoice(p.Documents, invoiceID) }) {
		return nil
	}
	inv, found, err := get(ctx, v, func(ctx context.Context) (*zohobooks.Invoice, error) { return v.books.GetInvoice(ctx, invoiceID) })
	if err != nil || !found {
		return err
	}
	key, _ := inv.Field(v.org.Fields.Invoice.Key)
	id, ok := strings.CutPrefix(ownKey(key, inv.InvoiceID), string(processor.RoleOrder)+":")
	if !ok {
		return blocked("%s is applied to invoice %s, which is not booksync's", name, inv.InvoiceNumber)
	}
	if !slices.Contains(v.group.Orders, id) {
		v.group.Orders = append(v.group.Orders, id)
	}
	return nil
}

// stays says whether an invoice of the group is kept.
func (v *view) stays(invoiceID string) bool { return hasInvoice(v.group.Kept, invoiceID) }

func hasInvoice(docs []schemas.Document, id string) bool {
	return slices.ContainsFunc(docs, func(d schemas.Document) bool { return d.Type == docInvoice && d.ID == id })
}

// fromKept finds the refund entries that hang under documents that stay.
func (v *view) fromKept(ctx context.Context) error {
	for _, doc := range v.group.Kept {
		if len(v.wanted) == 0 {
			return nil
		}
		switch doc.Type {
		case docCreditNote:
			if err := v.notesRefunds(ctx, doc.ID, "credit note "+doc.Number, zohobooks.Amount{}, false); err != nil {
				return err
			}
		case docPayment:
			p, found, err := get(ctx, v, func(ctx context.Context) (*zohobooks.Payment, error) { return v.books.GetPayment(ctx, doc.ID) })
			if err != nil {
				return err
			}
			if !found {
				continue
			}
			if err := v.paymentsRefunds(p, false); err != nil {
				return err
			}
		}
	}
	return nil // what is still wanted is not in the books any more
}

// invoice plans an invoice's end, or, where the cancellation that voided it goes and the order stays, its return.
func (v *view) invoice(ctx context.Context, p *Posted, doc schemas.Document) error {
	if p.Workflow != string(processor.WorkflowOrder) {
		return nil
	}
	inv, found, err := get(ctx, v, func(ctx context.Context) (*zohobooks.Invoice, error) { return v.books.GetInvoice(ctx, doc.ID) })
	if err != nil || !found {
		return err
	}
	name := "invoice " + inv.InvoiceNumber
	key, _ := inv.Field(v.org.Fields.Invoice.Key)
	stays := v.stays(doc.ID)
	if !stays && inv.Status == statusVoid && (key == "" || isReversed(key)) { // done; a void invoice without fields has no key to free
		return nil
	}
	if err := v.written(name, key, inv.InvoiceID, inv.Date, inv.Total.Decimal, doc); err != nil {
		return err
	}
	forbidden := v.open(name, inv.Date)
	if stays && forbidden == nil {
		return v.returnInvoice(inv, doc)
	}
	if inv.Status != statusVoid && inv.EInvoice.Status == zohobooks.EInvoicePushed {
		forbidden = cmp.Or(forbidden, blocked("%s was registered as an e-invoice and cannot be voided: cancel the e-invoice at the portal and plan again, plan with --credit-refused, or send the order's cancellation, which credits it", name))
	}
	if forbidden != nil && (!v.credit || stays || inv.Status == statusVoid) {
		return forbidden
	}
	var made []Step
	credit := false // the invoice is credited instead, of which made is left to do
	if v.credit && inv.Status != statusVoid {
		if credit, made, err = v.creditSteps(ctx, inv, key, forbidden != nil || v.staying[inv.InvoiceID].IsPositive()); err != nil {
			return err
		}
	}
	foreign := inv.PaymentMade.Add(inv.CreditsApplied.Decimal).Sub(v.applied[inv.InvoiceID]).Sub(v.staying[inv.InvoiceID])
	if inv.Status != statusVoid && foreign.IsPositive() {
		return blocked("%s has %s of payments or credits that are not taken back with it: undo them in Zoho Books first", name, foreign)
	}
	if !isReversed(key) {
		v.invoices = append(v.invoices, Step{Do: RenameInvoice, ID: inv.InvoiceID, Number: inv.InvoiceNumber, Key: reversedKey(key, inv.InvoiceID)})
	}
	if credit {
		v.invoices = append(v.invoices, made...)
	} else if inv.Status != statusVoid {
		v.invoices = append(v.invoices, Step{Do: VoidInvoice, ID: inv.InvoiceID, Number: inv.InvoiceNumber, Amount: inv.Total.Decimal, Key: reversedKey(key, inv.InvoiceID)})
	}
	return nil
}

// returnInvoice plans the return of an invoice that a cancellation voided.
func (v *view) returnInvoice(inv *zohobooks.Invoice, doc schemas.Document) error {
	if doc.Status != statusVoid {
		return nil // an update of the draft: what it was before is not known
	}
	step := func(do string) {
		v.invoices = append(v.invoices, Step{Do: do, ID: inv.InvoiceID, Number: inv.InvoiceNumber, Amount: inv.Total.Decimal})
	}
	switch inv.Status {
	case statusVoid:
		step(DraftInvoice)
		step(SendInvoice)
	case "draft":
		step(SendInvoice)
	}
	return nil
}

// ours refuses a document that is not, or not any more, what booksync wrote, and one in a locked period.
func (v *view) ours(name, key, id, date string, total decimal.Decimal, doc schemas.Document) error {
	if err := v.written(name, key, id, date, total, doc); err != nil {
		return err
	}
	return v.open(name, date)
}

// written refuses a document that is not, or not any more, what booksync wrote.
func (v *view) written(name, key, id, date string, total decimal.Decimal, doc schemas.Document) error {
	switch {
	case key == "":
		return blocked("%s has lost its booksync key: somebody changed it", name)
	case isReversed(key) && !strings.HasSuffix(key, ":"+id):
		return blocked("%s carries the key of another document: %s", name, key)
	case !total.Equal(doc.Total):
		return blocked("%s was edited: its total is %s, booksync posted %s", name, total, doc.Total)
	case doc.Date != "" && date != doc.Date:
		return blocked("%s was edited: its date is %s, booksync posted %s", name, date, doc.Date)
	}
	return nil
}

// open refuses a document of a locked period: neither Zoho nor the tax office would have it changed.
func (v *view) open(name, date string) error {
	if v.org.LockedUntil != "" && date <= v.org.LockedUntil {
		return blocked("%s is of %s, and the books are locked until %s: correct it by an updated event, which makes a further document", name, date, v.org.LockedUntil)
	}
	return nil
}

// ownKey is the key that a document had before it was renamed.
func ownKey(key, id string) string { return strings.TrimSuffix(key, ":reversed:"+id) }

func isReversed(key string) bool { return strings.Contains(key, ":reversed:") }
