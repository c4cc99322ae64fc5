package zohobooks

import (
	"context"
	"fmt"
	"net/http"
)

// Calls that take documents back. Each can be repeated: of what is gone already [Verdict] says "missing".

// DeletePaymentRefund deletes a refund entry of a payment's excess. One call.
func (c *Client) DeletePaymentRefund(ctx context.Context, paymentID, refundID string) error {
	return c.under(ctx, payments, paymentID, "/refunds/", refundID)
}

// DeleteCreditNoteRefund deletes a refund entry of a credit note. One call.
func (c *Client) DeleteCreditNoteRefund(ctx context.Context, creditNoteID, refundID string) error {
	return c.under(ctx, creditNotes, creditNoteID, "/refunds/", refundID)
}

// UnapplyCreditNote takes credit back from an invoice; applicationID is CreditedInvoice.CreditNoteInvoiceID. One call.
func (c *Client) UnapplyCreditNote(ctx context.Context, creditNoteID, applicationID string) error {
	return c.under(ctx, creditNotes, creditNoteID, "/invoices/", applicationID)
}

// under deletes what belongs to a document.
func (c *Client) under(ctx context.Context, collection, id, between, sub string) error {
	if !digits(sub) {
		return fmt.Errorf("%w: %s: %q is not an id of Zoho", ErrInvalidRequest, collection, clipTo(sub, 40))
	}
	path, err := item(collection, id, between+sub)
	if err != nil {
		return err
	}
	return c.do(ctx, &call{method: http.MethodDelete, resource: collection + "/{id}" + between + "{id}", path: path}, new(head))
}

// MarkInvoiceDraft makes a void invoice a draft again; Zoho allows it from void only. One call.
func (c *Client) MarkInvoiceDraft(ctx context.Context, id string) error {
	return c.one(ctx, http.MethodPost, invoices, id, "/status/draft", nil, new(head))
}
