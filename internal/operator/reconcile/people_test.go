package reconcile_test

import (
	"context"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/internal/testkit"
)

// What people do in the books, through the API or the simulator's own means.

const keyField = "cf_booksync_key"

// write makes an invoice of goods without tax under a key, and answers its id.
func (w *world) write(key, reference, amount string) string {
	w.Helper()
	ctx := context.Background()
	contact, err := w.books.CreateContact(ctx, &zohobooks.ContactRequest{ContactName: "Customer of " + key, ContactType: "customer"})
	if err != nil {
		found, findErr := w.books.FindContactsByName(ctx, "Customer of "+key)
		if findErr != nil || len(found) == 0 {
			w.Fatal(err)
		}
		contact = &found[0]
	}
	req := &zohobooks.InvoiceRequest{
		CustomerID: contact.ContactID, Reference: reference, Date: "2026-03-02",
		LineItems: []zohobooks.LineItem{{ItemID: w.org.ItemID(simulator.ItemGoods), Rate: zohobooks.NewAmount(dec(amount)), Quantity: zohobooks.NewAmount(dec("1"))}},
	}
	if key != "" {
		req.CustomFields = []zohobooks.CustomField{{APIName: keyField, Value: key}}
	}
	inv, err := w.books.CreateInvoice(ctx, req)
	if err == nil {
		err = w.books.MarkInvoiceSent(ctx, inv.InvoiceID)
	}
	if err != nil {
		w.Fatal(err)
	}
	return inv.InvoiceID
}

// update changes an invoice.
func (w *world) update(key string, req *zohobooks.InvoiceRequest) {
	w.Helper()
	if _, err := w.books.UpdateInvoice(context.Background(), w.document("invoice", key).ID, req); err != nil {
		w.Fatal(err)
	}
}

// field changes an invoice's key.
func (w *world) field(key, value string) {
	w.Helper()
	if err := w.books.UpdateInvoiceCustomFields(context.Background(), w.document("invoice", key).ID, []zohobooks.CustomField{{APIName: keyField, Value: value}}); err != nil {
		w.Fatal(err)
	}
}

// twinPayment enters a payment once more under its key.
func (w *world) twinPayment(key, order string) {
	w.Helper()
	p := w.document("payment", key)
	other := w.write("", "#"+order+" again", "433")
	_, err := w.books.CreatePayment(context.Background(), &zohobooks.PaymentRequest{
		CustomerID: w.invoiceByID(other).CustomerID, PaymentMode: "others", Amount: zohobooks.NewAmount(p.Total), Date: p.Date, Reference: p.Reference, AccountID: p.AccountID,
		Invoices:     []zohobooks.AppliedInvoice{{InvoiceID: other, AmountApplied: zohobooks.NewAmount(p.Total)}},
		CustomFields: []zohobooks.CustomField{{APIName: keyField, Value: key}},
	})
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) invoiceByID(id string) simulator.LedgerDocument {
	w.Helper()
	l := w.sim.Ledger(orgID)
	for _, d := range l.Invoices {
		if d.ID == id {
			return d
		}
	}
	w.Fatalf("no invoice %s", id)
	return simulator.LedgerDocument{}
}

// unapply takes a payment off its invoice.
func (w *world) unapply(payment string) {
	w.Helper()
	ctx := context.Background()
	p, err := w.books.GetPayment(ctx, w.document("payment", payment).ID)
	if err != nil {
		w.Fatal(err)
	}
	_, err = w.books.UpdatePayment(ctx, p.PaymentID, &zohobooks.PaymentRequest{
		CustomerID: p.CustomerID, Amount: p.Amount, Date: p.Date, Invoices: []zohobooks.AppliedInvoice{},
	})
	if err != nil {
		w.Fatal(err)
	}
}

// payByHand records money that no event knows.
func (w *world) payByHand(invoice, amount string) {
	w.Helper()
	inv := w.document("invoice", invoice)
	_, err := w.books.CreatePayment(context.Background(), &zohobooks.PaymentRequest{
		CustomerID: inv.CustomerID, PaymentMode: "cash", Amount: zohobooks.NewAmount(dec(amount)), Date: inv.Date, AccountID: w.org.AccountID(simulator.AccountStripe),
		Invoices: []zohobooks.AppliedInvoice{{InvoiceID: inv.ID, AmountApplied: zohobooks.NewAmount(dec(amount))}},
	})
	if err != nil {
		w.Fatal(err)
	}
}

// skip sets the group's position behind a record, as an operator does who resets offsets.
func (w *world) skip(r *kgo.Record) {
	w.Helper()
	adm := kadm.NewClient(testkit.Client(w, w.addrs))
	var offsets kadm.Offsets
	offsets.AddOffset(r.Topic, r.Partition, r.Offset+1, -1)
	if err := adm.CommitAllOffsets(context.Background(), w.cfg.Kafka.Group, offsets); err != nil {
		w.Fatal(err)
	}
}

// writeTaxed makes the invoice that the job would make of an order.
func (w *world) writeTaxed(key, reference string) string {
	w.Helper()
	ctx := context.Background()
	customer := w.invoiceByID(w.sim.Ledger(orgID).Invoices[0].ID).CustomerID
	inv, err := w.books.CreateInvoice(ctx, &zohobooks.InvoiceRequest{
		CustomerID: customer, Reference: reference, Date: "2026-03-02",
		LineItems: []zohobooks.LineItem{{
			ItemID: w.org.ItemID(simulator.ItemGoods), Rate: zohobooks.NewAmount(dec("400")), Quantity: zohobooks.NewAmount(dec("1")), TaxID: w.org.TaxID(taxCode),
		}},
		CustomFields: []zohobooks.CustomField{{APIName: keyField, Value: key}},
	})
	if err == nil {
		err = w.books.MarkInvoiceSent(ctx, inv.InvoiceID)
	}
	if err != nil {
		w.Fatal(err)
	}
	return inv.InvoiceID
}
