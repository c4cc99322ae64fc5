package processor

import "github.com/booksync/booksync/schemas"

// The references below are what documents carry as Zoho's reference_number: by them payments and credit notes are found
// again, and reconciliation compares them.

// OrderReference is the reference of an order's invoice.
func OrderReference(o *schemas.Order) string { return orderReference(o) }

// PaymentReference is the reference of a customer payment.
func PaymentReference(p *schemas.Payment) string { return paymentReference(p) }

// RefundReference is the reference of a refund's credit note and of its money entries.
func RefundReference(r *schemas.Refund) string { return reference(r.RefundID) }

// CustomerKey is the key of the contact that booksync makes for this customer in this currency.
func CustomerKey(p *schemas.Party, currency string) string { return contactKey(p, currency) }
