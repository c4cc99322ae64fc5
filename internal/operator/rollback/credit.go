package rollback

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/processor"
	"github.com/booksync/booksync/schemas"
)

// going are the outcomes that are taken back.
func (g *Group) going() []*Posted {
	return slices.DeleteFunc(slices.Clone(g.Outcomes), func(p *Posted) bool { return slices.Contains(g.Stay, p.OutcomeID) })
}

// onlyTakenBack says whether a payment is applied to nothing but invoices that the group takes back.
func (v *view) onlyTakenBack(p *zohobooks.Payment) bool {
	for _, a := range p.Invoices {
		if v.stays(a.InvoiceID) || !slices.ContainsFunc(v.group.Outcomes, func(o *Posted) bool {
			return o.Workflow == string(processor.WorkflowOrder) && hasInvoice(o.Documents, a.InvoiceID)
		}) {
			return false
		}
	}
	return len(p.Invoices) > 0
}

// stay leaves a payment that cannot be deleted: it goes on paying the invoice, and the credit note is the customer's.
func (v *view) stay(posted *Posted, p *zohobooks.Payment, why error) error {
	v.group.Stay = append(v.group.Stay, posted.OutcomeID)
	for _, a := range p.Invoices {
		v.staying[a.InvoiceID] = v.staying[a.InvoiceID].Add(a.AmountApplied.Decimal)
	}
	v.remarks = append(v.remarks, fmt.Sprintf("payment %s of %s cannot be deleted and stays (%v): what it paid of the credit note is open, apply or refund it in Zoho Books",
		p.PaymentNumber, p.Amount, why))
	return v.paymentsRefunds(p, false)
}

// creditSteps plans the crediting of an issued invoice, where it cannot be voided (must) or an earlier run has begun with it: then
// credit is true, and the steps are what is left to do.
func (v *view) creditSteps(ctx context.Context, inv *zohobooks.Invoice, key string, must bool) (credit bool, steps []Step, err error) {
	as := reversedKey(key, inv.InvoiceID)
	name, number, err := creditKey(as)
	if err != nil {
		return false, nil, err
	}
	note, found, err := get(ctx, v, func(ctx context.Context) (*zohobooks.CreditNote, error) { return v.findCredit(ctx, name, number) })
	if err != nil || (!found || note == nil) && !must {
		return false, nil, err
	}
	step := Step{ID: inv.InvoiceID, Number: inv.InvoiceNumber, Amount: inv.Total.Decimal, Key: as}
	if note == nil {
		if _, err := v.takeBack(inv, name); err != nil {
			return true, nil, err
		}
		step.Do = CreditInvoice
		steps = append(steps, step)
		step.Do = ApplyCredit
		return true, append(steps, step), nil
	}
	v.credited[inv.InvoiceID] = note
	applied, err := v.appliedTo(ctx, note, inv.InvoiceID)
	v.calls++
	if err != nil {
		return true, nil, err
	}
	v.applied[inv.InvoiceID] = v.applied[inv.InvoiceID].Add(applied)
	if applied.IsZero() {
		step.Do = ApplyCredit
		steps = append(steps, step)
	}
	return true, steps, nil
}

// creditKey is the key of the credit note that takes an invoice back, and its reference: one for each invoice, whatever the plan. It
// reads as that of a document that was taken back itself, which keeps it out of the order's sums.
func creditKey(invoiceKey string) (key, reference string, err error) {
	order, ok := strings.CutPrefix(invoiceKey, string(processor.RoleOrder)+":")
	if !ok {
		return "", "", blocked("%s is no key of an order's invoice", invoiceKey)
	}
	key = roleRollback + ":" + order
	return key, processor.Reference(key), nil
}

// takeBack is the request of the credit note.
func (d *desk) takeBack(inv *zohobooks.Invoice, key string) (*zohobooks.CreditNoteRequest, error) {
	switch {
	case inv.Status == "draft":
		return nil, blocked("invoice %s is a draft and cannot be credited: delete it in Zoho Books", inv.InvoiceNumber)
	case !inv.WriteOff.IsZero():
		return nil, blocked("%s of invoice %s was written off: undo that in Zoho Books first", inv.WriteOff, inv.InvoiceNumber)
	}
	req, err := processor.TakeBack(inv, d.org, key, "Invoice "+inv.InvoiceNumber+" taken back", time.Now())
	var rej *processor.Rejection
	if errors.As(err, &rej) {
		return nil, blocked("%s", rej.Message)
	}
	return req, err
}

// findCredit finds the credit note with this key; nil: there is none.
func (d *desk) findCredit(ctx context.Context, key, reference string) (*zohobooks.CreditNote, error) {
	rows, err := d.books.FindCreditNotesByReference(ctx, reference)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		note, err := d.books.GetCreditNote(ctx, rows[i].CreditNoteID)
		if err != nil {
			return nil, err
		}
		if have, _ := note.Field(d.org.Fields.CreditNote.Key); have == key {
			return note, nil
		}
	}
	return nil, nil
}

// appliedTo is how much of a credit note is applied to an invoice.
func (d *desk) appliedTo(ctx context.Context, note *zohobooks.CreditNote, invoiceID string) (sum decimal.Decimal, err error) {
	if note.Status == statusVoid {
		return sum, blocked("credit note %s, which took the invoice back, is void: undo that in Zoho Books, or take the invoice back by hand", note.CreditNoteNumber)
	}
	var list []zohobooks.CreditedInvoice
	if err := patiently(ctx, func() (err error) {
		list, err = d.books.CreditNoteInvoices(ctx, note.CreditNoteID)
		return err
	}); err != nil {
		return sum, err
	}
	for _, c := range list {
		if c.InvoiceID != invoiceID {
			continue
		}
		if c.CreditedAmount.IsZero() {
			sum = sum.Add(c.AmountApplied.Decimal)
		} else {
			sum = sum.Add(c.CreditedAmount.Decimal)
		}
	}
	return sum, nil
}

// creditInvoice makes the credit note, once: it is looked for before each try, and its key is unique.
func (d *desk) creditInvoice(ctx context.Context, s *Step) error {
	key, reference, err := creditKey(s.Key)
	if err != nil {
		return err
	}
	inv, err := d.invoiceNow(ctx, s.ID)
	if err != nil {
		return err
	}
	if inv.Status == statusVoid { // voided all the same: the answer to that was lost
		return nil
	}
	req, err := d.takeBack(inv, key)
	if err != nil {
		return err
	}
	var note *zohobooks.CreditNote
	var no error // not tried again
	if err := patiently(ctx, func() (err error) {
		if note, err = d.findCredit(ctx, key, reference); err != nil || note != nil {
			return err
		}
		note, err = d.books.CreateCreditNote(ctx, req)
		if zohobooks.Verdict(err).Action != zohobooks.ActionAlreadyExists {
			return err
		}
		refusal := err
		if note, err = d.findCredit(ctx, key, reference); err == nil && note == nil { // none that landed late
			no = blocked("Zoho Books refuses the credit note: %v", refusal)
		}
		return err
	}); err != nil {
		return err
	}
	if note != nil {
		d.credited[s.ID] = note
	}
	return no
}

// applyCredit applies the credit note to what the invoice owes. What was applied is looked up before each try.
func (d *desk) applyCredit(ctx context.Context, s *Step) error {
	note := d.credited[s.ID]
	if note == nil {
		return nil
	}
	inv, err := d.invoiceNow(ctx, s.ID)
	if err != nil {
		return err
	}
	var no error // what the books hold is in the way: not tried again
	if err := patiently(ctx, func() error {
		var applied decimal.Decimal
		if applied, no = d.appliedTo(ctx, note, s.ID); no != nil || applied.IsPositive() {
			return nil
		}
		amount := decimal.Min(inv.Balance.Decimal, note.Balance.Decimal)
		if !amount.IsPositive() {
			return nil
		}
		return d.books.ApplyCreditNote(ctx, note.CreditNoteID, []zohobooks.CreditedInvoice{{InvoiceID: s.ID, AmountApplied: zohobooks.NewAmount(amount)}})
	}); err != nil {
		if forGood(err) {
			return blocked("credit note %s was made and is open, but could not be applied to invoice %s: %v", note.CreditNoteNumber, s.Number, err)
		}
		return err
	}
	if no != nil {
		return no
	}
	return patiently(ctx, func() error { // as it is now, for the outcome
		now, err := d.books.GetCreditNote(ctx, note.CreditNoteID)
		if err == nil {
			d.credited[s.ID] = now
		}
		return err
	})
}

func (d *desk) invoiceNow(ctx context.Context, id string) (inv *zohobooks.Invoice, err error) {
	err = patiently(ctx, func() (err error) {
		inv, err = d.books.GetInvoice(ctx, id)
		return err
	})
	return inv, err
}

// leave says whether a payment that Zoho does not let be deleted may stay; then the steps have to be derived anew.
func (d *desk) leave(s *Step, err error) bool {
	if s.Do != DeletePayment || err == nil || !d.credit || !forGood(err) {
		return false
	}
	d.undeletable[s.ID] = err
	return true
}

// instead says whether, and with which further steps, a group goes on though a step was refused: by the plan's leave a credit note
// takes the place of a void, and a key that cannot be renamed stays.
func (d *desk) instead(s *Step, err error) (further []Step, goesOn bool) {
	if err == nil || !d.credit || !forGood(err) {
		return nil, false
	}
	switch s.Do {
	case RenameInvoice:
		d.locked[s.ID] = true
		d.remarks = append(d.remarks, fmt.Sprintf("invoice %s keeps its key, which Zoho Books does not let be changed: the order cannot be posted again before the key is taken off by hand", s.Number))
		return nil, true
	case VoidInvoice:
		credit, apply := *s, *s
		credit.Do, apply.Do = CreditInvoice, ApplyCredit
		return []Step{credit, apply}, true
	}
	return nil, false
}

// documentOf is the credit note as outcomes name it.
func documentOf(n *zohobooks.CreditNote) schemas.Document {
	return schemas.Document{
		Type: docCreditNote, ID: n.CreditNoteID, Number: n.CreditNoteNumber, Status: n.Status, Date: n.Date, Total: n.Total.Decimal, Tax: n.TaxTotal.Decimal,
		Balance: n.Balance.Decimal, BaseTotal: decimal.NullDecimal{Decimal: n.BaseTotal.Decimal, Valid: !n.BaseTotal.IsZero()},
	}
}
