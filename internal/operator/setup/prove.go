package setup

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/internal/config"
)

// Writer is what [Prove] needs of an organisation's books. *zohobooks.Client is one.
type Writer interface {
	CreateContact(ctx context.Context, req *zohobooks.ContactRequest) (*zohobooks.Contact, error)
	DeleteContact(ctx context.Context, id string) error
	CreateInvoice(ctx context.Context, req *zohobooks.InvoiceRequest) (*zohobooks.Invoice, error)
	MarkInvoiceSent(ctx context.Context, id string) error
	DeleteInvoice(ctx context.Context, id string) error
	CreatePayment(ctx context.Context, req *zohobooks.PaymentRequest) (*zohobooks.Payment, error)
	DeletePayment(ctx context.Context, id string) error
	CreateCreditNote(ctx context.Context, req *zohobooks.CreditNoteRequest) (*zohobooks.CreditNote, error)
	DeleteCreditNote(ctx context.Context, id string) error
}

// ErrLive refuses to write trial documents into real books.
var ErrLive = errors.New("the organisation is live: use one with `live: false`, whose books nobody files")

// Prove shows in a test organisation that a second POST with the same key is refused, for each kind of document, and
// records with what code. It makes one contact, one invoice and one credit note of 2, one payment of 1 (accountID is an
// income account) and deletes them again; documents it could not delete are named. About 15 calls.
func Prove(ctx context.Context, name string, org config.Organization, books Writer, accountID string) (*Report, error) {
	if org.Live {
		return nil, ErrLive
	}
	p := &proof{run: run{report: &Report{Applied: true, Snapshot: newSnapshot()}}, name: name, org: org, books: books,
		mark: "prove-" + strings.ToLower(rand.Text()[:12]), day: time.Now().Format(time.DateOnly), account: accountID}
	p.all(ctx)
	// What was made is deleted even when ctx has ended.
	cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	for i := len(p.undo) - 1; i >= 0; i-- {
		if err := p.undo[i].delete(cleanup); err != nil {
			p.say(p.undo[i].what, Warning, fmt.Sprintf("the trial document %s could not be deleted: %v", p.undo[i].id, err), "delete it by hand")
		}
	}
	return p.report, ctx.Err()
}

type undo struct {
	what, id string
	delete   func(context.Context) error
}

// proof is one run of Prove.
type proof struct {
	run
	name, mark, day, account string
	org                      config.Organization
	books                    Writer
	undo                     []undo
}

func (p *proof) say(item string, state State, message, hint string) {
	p.add("proof", p.name, item, state, message, hint)
}

func (p *proof) key(f config.EntityFields, what string) []zohobooks.CustomField {
	return []zohobooks.CustomField{{APIName: f.Key, Value: p.mark + ":" + what}}
}

// twice makes a document twice. The first must succeed; whatever the second makes is deleted too. It answers the first's id.
func (p *proof) twice(ctx context.Context, what string, create func(n int) (id string, err error), remove func(ctx context.Context, id string) error) string {
	id, err := create(1)
	if err != nil {
		p.say(what, stateOf(err), "the first one was refused: "+err.Error(), "")
		return ""
	}
	p.undo = append(p.undo, undo{what, id, func(ctx context.Context) error { return remove(ctx, id) }})
	second, err := create(2)
	if err == nil {
		p.undo = append(p.undo, undo{what, second, func(ctx context.Context) error { return remove(ctx, second) }})
		p.say(what, Wrong, "a second one with the same key was accepted", "declare the key's field unique in Zoho; do not run booksync before")
		return id
	}
	var api *zohobooks.Error
	if !errors.As(err, &api) || stateOf(err) == Unknown {
		p.say(what, Unknown, "the second one was not answered: "+err.Error(), "")
		return id
	}
	p.say(what, OK, fmt.Sprintf("a second one with the same key is refused: status %d, code %d, %q", api.Status, api.Code, api.Message), "")
	return id
}

func (p *proof) all(ctx context.Context) {
	one, two := zohobooks.NewAmount(decimal.NewFromInt(1)), zohobooks.NewAmount(decimal.NewFromInt(2))
	contact := p.twice(ctx, "contact", func(n int) (string, error) {
		c, err := p.books.CreateContact(ctx, &zohobooks.ContactRequest{
			// Names are unique too: the second has another one, so that only its key can be refused.
			ContactName: fmt.Sprintf("booksync %s %d", p.mark, n), ContactType: "customer", CustomFields: p.key(p.org.Fields.Contact, "contact"),
		})
		if err != nil {
			return "", err
		}
		return c.ContactID, nil
	}, p.books.DeleteContact)
	if contact == "" {
		return
	}
	line := []zohobooks.LineItem{{AccountID: p.account, Name: "booksync trial", Rate: two, Quantity: one}}
	invoice := p.twice(ctx, "invoice", func(int) (string, error) {
		inv, err := p.books.CreateInvoice(ctx, &zohobooks.InvoiceRequest{
			CustomerID: contact, Date: p.day, LineItems: line, CustomFields: p.key(p.org.Fields.Invoice, "invoice"),
		})
		if err != nil {
			return "", err
		}
		return inv.InvoiceID, nil
	}, p.books.DeleteInvoice)
	p.twice(ctx, "credit note", func(int) (string, error) {
		note, err := p.books.CreateCreditNote(ctx, &zohobooks.CreditNoteRequest{
			CustomerID: contact, Date: p.day, LineItems: line, CustomFields: p.key(p.org.Fields.CreditNote, "credit_note"),
		})
		if err != nil {
			return "", err
		}
		return note.CreditNoteID, nil
	}, p.books.DeleteCreditNote)
	if invoice == "" {
		return
	}
	if err := p.books.MarkInvoiceSent(ctx, invoice); err != nil {
		p.say("payment", stateOf(err), "the invoice could not be marked sent: "+err.Error(), "")
		return
	}
	part := zohobooks.NewAmount(decimal.NewFromInt(1)) // both would fit the invoice: only the key can be refused
	p.twice(ctx, "payment", func(int) (string, error) {
		pay, err := p.books.CreatePayment(ctx, &zohobooks.PaymentRequest{
			CustomerID: contact, PaymentMode: "others", Amount: part, Date: p.day,
			Invoices: []zohobooks.AppliedInvoice{{InvoiceID: invoice, AmountApplied: part}}, CustomFields: p.key(p.org.Fields.Payment, "payment"),
		})
		if err != nil {
			return "", err
		}
		return pay.PaymentID, nil
	}, p.books.DeletePayment)
}
