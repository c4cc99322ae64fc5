package rollback

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/booksync/booksync/connectors/zohobooks"
)

// do makes a step's call. It may be repeated: what is done already stays so.
func (d *desk) do(ctx context.Context, s *Step) error {
	var err error
	switch s.Do {
	case CreditInvoice:
		err = d.creditInvoice(ctx, s)
	case ApplyCredit:
		err = d.applyCredit(ctx, s)
	default:
		err = patiently(ctx, func() error { return d.call(ctx, s) })
		if isMissing(err) {
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", s.Do, cmp.Or(s.Number, s.ID), err)
	}
	return nil
}

// refused turns what Zoho refuses for good into a reason to leave the order and go on with others; any other error stays. A document that could not be voided
// gets its key back: it lives, and would not be found without.
func (d *desk) refused(ctx context.Context, s *Step, err error) error {
	if !forGood(err) {
		return err
	}
	rename, ok := map[string]string{
		VoidInvoice: RenameInvoice, CreditInvoice: RenameInvoice, ApplyCredit: RenameInvoice, VoidCreditNote: RenameCreditNote,
	}[s.Do]
	if ok && !d.locked[s.ID] {
		if back := d.do(ctx, &Step{Do: rename, ID: s.ID, Number: s.Number, Key: ownKey(s.Key, s.ID)}); back != nil {
			return errors.Join(err, back)
		}
	}
	var no *blockedError
	if errors.As(err, &no) {
		return no
	}
	return blocked("Zoho Books refuses it: %v", err)
}

// forGood says that a call, tried again, would not do better.
func forGood(err error) bool {
	var no *blockedError
	return errors.As(err, &no) || zohobooks.Verdict(err).Action == zohobooks.ActionReject
}

func (d *desk) call(ctx context.Context, s *Step) error {
	switch s.Do {
	case DeleteRefund:
		return d.books.DeleteCreditNoteRefund(ctx, s.Parent, s.ID)
	case UnapplyCredit:
		return d.books.UnapplyCreditNote(ctx, s.Parent, s.ID)
	case RenameCreditNote:
		_, err := d.books.UpdateCreditNote(ctx, s.ID, &zohobooks.CreditNoteRequest{CustomFields: keyField(d.org.Fields.CreditNote.Key, s.Key)})
		return err
	case VoidCreditNote:
		return d.books.VoidCreditNote(ctx, s.ID)
	case DeletePaymentRefund:
		return d.books.DeletePaymentRefund(ctx, s.Parent, s.ID)
	case DeletePayment:
		return d.books.DeletePayment(ctx, s.ID)
	case RenameInvoice:
		return d.books.UpdateInvoiceCustomFields(ctx, s.ID, keyField(d.org.Fields.Invoice.Key, s.Key))
	case VoidInvoice:
		return d.books.VoidInvoice(ctx, s.ID)
	case DraftInvoice:
		return d.books.MarkInvoiceDraft(ctx, s.ID)
	case SendInvoice:
		return d.books.MarkInvoiceSent(ctx, s.ID)
	}
	return fmt.Errorf("%w: no step %q", zohobooks.ErrInvalidRequest, s.Do) // refused for good: not tried again
}

func keyField(apiName, key string) []zohobooks.CustomField {
	return []zohobooks.CustomField{{APIName: apiName, Value: key}}
}

// isMissing says that what a call names does not exist.
func isMissing(err error) bool { return err != nil && zohobooks.Verdict(err).Reason == "missing" }

// Waits between repeated calls, and how often one is repeated before a person has to look.
const (
	firstWait = 200 * time.Millisecond
	longest   = 30 * time.Second
	tries     = 12
)

// patiently repeats a call while Zoho is away or refuses for a limit. Undoing may be repeated, so a lost answer is no doubt.
func patiently(ctx context.Context, call func() error) error {
	wait := firstWait
	for n := 1; ; n++ {
		err := call()
		d := zohobooks.Verdict(err)
		again := d.Action == zohobooks.ActionRetry || d.Action == zohobooks.ActionWaitOrganization || d.Action == zohobooks.ActionInDoubt
		if err == nil || !again || n == tries || ctx.Err() != nil {
			return err
		}
		t := time.NewTimer(max(wait, d.After))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return err
		}
		wait = min(2*wait, longest)
	}
}
