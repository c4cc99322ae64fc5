package reconcile_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/internal/operator/reconcile"
	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/schemas"
)

// TestManyDocuments compares 20,000 documents of one month, with four times as many events of other months around them.
func TestManyDocuments(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	const orders = 10_000
	w := newWorld(t, simulator.Switches{})
	pages := 2 * (orders / 200)
	w.fill(orders)
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	opts := w.options()
	transactions := 0
	opts.Each = func(reconcile.Window, *reconcile.Item) {
		if transactions++; transactions == 1 { // everything is known, nothing was given up yet
			runtime.GC()
			runtime.ReadMemStats(&after)
		}
	}
	began := time.Now()
	res, err := reconcile.Run(t.Context(), w.deps(), opts)
	if err != nil {
		t.Fatal(err)
	}
	w.want(res, nil)
	// Each list may need one page more to find its end, and the organisation's calendar is asked for.
	if transactions != 2*orders || res.Calls > pages+4 || res.Calls < pages {
		t.Errorf("%d transactions, %d calls for %d pages", transactions, res.Calls, pages)
	}
	grown := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("%s, %d calls, %d MiB, %d bytes a transaction", time.Since(began).Round(time.Millisecond), res.Calls, grown>>20, grown/int64(transactions))
	if grown/int64(transactions) > 2500 {
		t.Errorf("%d bytes a transaction", grown/int64(transactions))
	}
}

// fill writes paid orders into the books, and their events and outcomes into the topics, by the hands of many.
func (w *world) fill(orders int) {
	w.Helper()
	ctx := context.Background()
	books, err := zohobooks.New(w.cfg.BooksConfig(w.name))
	if err != nil {
		w.Fatal(err)
	}
	defer books.Close()
	contact, err := books.CreateContact(ctx, &zohobooks.ContactRequest{ContactName: "Everybody", ContactType: "customer"})
	if err != nil {
		w.Fatal(err)
	}
	const hands = 8
	var working sync.WaitGroup
	failed := make(chan error, hands)
	for hand := range hands {
		working.Go(func() {
			for n := hand; n < orders; n += hands {
				if err := w.paidOrder(ctx, books, contact.ContactID, fmt.Sprintf("O%05d", n), at.AddDate(0, 0, n%28-1)); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	for range 4 * orders { // another month's, which nobody asks for
		o := w.order("elsewhere")
		o.PlacedAt = at.AddDate(0, 2, 0)
		w.promise(w.cfg.Topics.Orders[0], "elsewhere", func(topic string) ([]byte, error) { return w.codec.EncodeOrder(ctx, topic, o) })
	}
	working.Wait()
	select {
	case err := <-failed:
		w.Fatal(err)
	default:
	}
	if err := w.producer.Flush(ctx); err != nil {
		w.Fatal(err)
	}
}

func (w *world) promise(topic, key string, encode func(string) ([]byte, error)) {
	value, err := encode(topic)
	if err != nil {
		w.Error(err)
		return
	}
	w.producer.Produce(context.Background(), &kgo.Record{Topic: topic, Key: []byte(key), Value: value}, func(_ *kgo.Record, err error) {
		if err != nil {
			w.Error(err)
		}
	})
}

func (w *world) paidOrder(ctx context.Context, books *zohobooks.Client, customer, id string, day time.Time) error {
	o, p := w.order(id), w.payment("p-"+id, id, "433")
	o.PlacedAt, p.ReceivedAt, o.Customer.ID = day, day, "everybody"
	inv, err := books.CreateInvoice(ctx, &zohobooks.InvoiceRequest{
		CustomerID: customer, Reference: "#" + id, Date: day.Format(time.DateOnly),
		LineItems: []zohobooks.LineItem{{
			ItemID: w.org.ItemID(simulator.ItemGoods), Rate: zohobooks.NewAmount(dec("400")), Quantity: zohobooks.NewAmount(dec("1")), TaxID: w.org.TaxID(taxCode),
		}},
		CustomFields: []zohobooks.CustomField{{APIName: keyField, Value: "order:" + id}},
	})
	if err != nil {
		return err
	}
	pay, err := books.CreatePayment(ctx, &zohobooks.PaymentRequest{
		CustomerID: customer, PaymentMode: "others", Amount: zohobooks.NewAmount(p.Amount), Date: day.Format(time.DateOnly), Reference: p.GatewayReference,
		AccountID: w.org.AccountID(simulator.AccountStripe), Invoices: []zohobooks.AppliedInvoice{{InvoiceID: inv.InvoiceID, AmountApplied: zohobooks.NewAmount(p.Amount)}},
		CustomFields: []zohobooks.CustomField{{APIName: keyField, Value: "payment:" + p.PaymentID}},
	})
	if err != nil {
		return err
	}
	out := func(workflow, business string, revision int64, doc schemas.Document) *schemas.Outcome {
		return &schemas.Outcome{
			OutcomeID: workflow + business, Status: schemas.StatusPosted, Workflow: workflow, Organization: w.name, BusinessID: business, OrderID: id, Revision: revision,
			Source: schemas.Source{Topic: "t", Timestamp: at}, Documents: []schemas.Document{doc}, Currency: "USD", Version: "v", SettledAt: time.Now().UTC().Truncate(time.Millisecond),
		}
	}
	first := out("order", id, 1, schemas.Document{Type: "invoice", ID: inv.InvoiceID, Number: inv.InvoiceNumber, Status: "sent", Date: inv.Date, Total: inv.Total.Decimal, Tax: inv.TaxTotal.Decimal})
	second := out("payment", p.PaymentID, 0, schemas.Document{Type: "customer_payment", ID: pay.PaymentID, Date: pay.Date, Total: pay.Amount.Decimal, Account: pay.AccountID})
	t := w.cfg.Topics
	w.promise(t.Orders[0], id, func(topic string) ([]byte, error) { return w.codec.EncodeOrder(ctx, topic, o) })
	w.promise(t.Payments[0], id, func(topic string) ([]byte, error) { return w.codec.EncodePayment(ctx, topic, p) })
	w.promise(t.Outcomes, id, func(topic string) ([]byte, error) { return w.codec.EncodeOutcome(ctx, topic, first) })
	w.promise(t.Outcomes, id, func(topic string) ([]byte, error) { return w.codec.EncodeOutcome(ctx, topic, second) })
	return nil
}
