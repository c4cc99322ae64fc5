package reconcile_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/operator/reconcile"
	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/internal/testkit"
	"github.com/booksync/booksync/schemas"
)

// sample posts orders in all states that need nobody.
func (w *world) sample() {
	w.Helper()
	w.serve()
	w.post(w.order("plain"), w.order("paid"), w.order("part"), w.order("refunded"), w.order("over"), w.order("gone"), w.order("late"), foreign(w.order("euro"), "1.1"))
	euro := w.payment("p-euro", "euro", "433")
	euro.Currency, euro.ExchangeRate = "EUR", foreign(w.order("x"), "1.12").ExchangeRate
	w.post(w.payment("p-paid", "paid", "433"), w.payment("p-part", "part", "100"), w.payment("p-refunded", "refunded", "433"), w.payment("p-over", "over", "500"),
		w.payment("p-late", "late", "433"), euro)
	w.post(w.refund("r-refunded", "refunded", "p-refunded", "200"), w.refund("r-over", "over", "p-over", "67"), w.cancelled(w.order("gone")), w.cancelled(w.order("late")))
	w.post(w.refund("r-late", "late", "p-late", "433"))
}

func TestBooksThatAgreeHaveNoExceptions(t *testing.T) {
	t.Parallel()
	for name, switches := range map[string]simulator.Switches{"rows without fields": {}, "rows with fields": {PaymentRowsCarryFields: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, switches)
			w.sample()
			for _, change := range []func(*reconcile.Options){nil, deep} {
				res := w.reconcile(change)
				w.want(res, nil)
				if res.Transactions != 17 || res.Counts[reconcile.Matched] != 17 || res.NotOursCount != 0 || res.SourceGone != 0 {
					t.Errorf("%d transactions, %v, %d not ours, %d without a source", res.Transactions, res.Counts, res.NotOursCount, res.SourceGone)
				}
				for _, s := range res.Sums {
					if !s.Events.Equal(s.Outcomes) || !s.Books.Equal(s.Outcomes) {
						t.Errorf("%+v", s)
					}
				}
				if change == nil && res.Calls > res.Estimate.ListCalls {
					t.Errorf("%d calls, %d were told", res.Calls, res.Estimate.ListCalls)
				}
			}
		})
	}
}

// oneOrder posts an order, paid.
func (w *world) oneOrder(id string) {
	w.Helper()
	w.serve()
	w.post(w.order(id))
	w.post(w.payment("p-"+id, id, "433"))
}

func TestEachStatus(t *testing.T) {
	t.Parallel()
	type statuses = map[string]reconcile.Status
	produced := map[reconcile.Status]bool{reconcile.Matched: true} // of the orders beside
	for name, test := range map[string]struct {
		switches simulator.Switches
		mapping  func(*simulator.Org, *config.Organization)
		do       func(w *world)
		options  func(*reconcile.Options)
		want     statuses
		counts   statuses // of transactions that are no exceptions: one each
	}{
		"a deleted invoice is missing in the books": {
			do: func(w *world) {
				w.serve()
				w.post(w.order("O1"), w.order("O2"))
				w.inject(simulator.Fault{Kind: simulator.FaultDelete, BusinessID: "order:O1"})
			},
			want: statuses{"order:O1": reconcile.MissingInBooks},
		},
		"a deleted payment is missing in the books, and the invoice owes for it": {
			do: func(w *world) {
				w.oneOrder("O1")
				w.inject(simulator.Fault{Kind: simulator.FaultDelete, BusinessID: "payment:p-O1"})
			},
			want: statuses{"payment:p-O1": reconcile.MissingInBooks},
		},
		"a dead letter is missing in the books": {
			do: func(w *world) {
				w.serve()
				o := w.order("O1")
				o.Totals.Gross = dec("500")
				w.post(o)
			},
			want: statuses{"order:O1": reconcile.MissingInBooks},
		},
		"an event without any outcome is missing in the books": {
			do:   func(w *world) { w.send(w.order("O1"), w.payment("p-O1", "O1", "433")) },
			want: statuses{"order:O1": reconcile.MissingInBooks, "payment:p-O1": reconcile.MissingInBooks},
		},
		"a young event is expected": {
			do:      func(w *world) { w.send(w.order("O1")) },
			options: func(o *reconcile.Options) { o.Grace = time.Hour },
			counts:  statuses{"order:O1": reconcile.Expected},
		},
		"a test event in a live organisation is ignored": {
			do: func(w *world) {
				w.serve()
				o := w.order("O1")
				o.Test = true
				w.post(o)
			},
			counts: statuses{"order:O1": reconcile.Ignored},
		},
		"a document under our key that no event and no outcome knows is missing in the source": {
			do:   func(w *world) { w.write("order:X9", "X9", "433") },
			want: statuses{"order:X9": reconcile.MissingInSource},
		},
		"an outcome whose record the source does not hold is missing in the source": {
			do: func(w *world) {
				w.oneOrder("O1")
				out := *w.outcomes()[0]
				out.BusinessID, out.OrderID = "O9", "O9" // and the coordinates of another's record
				out.Documents = slices.Clone(out.Documents)
				out.Documents[0].ID = w.write("order:O9", "O9", "433")
				w.send(&out)
			},
			want: statuses{"order:O9": reconcile.MissingInSource},
		},
		"a document whose outcome is missing": {
			do: func(w *world) {
				w.send(w.order("O1"))
				w.write("order:O1", "#O1", "433")
			},
			want: statuses{"order:O1": reconcile.StatusMismatch},
		},
		"an invoice of another amount than the event": {
			do: func(w *world) {
				w.inject(simulator.Fault{Kind: simulator.FaultCents, BusinessID: "order:O1", Method: "POST", Amount: dec("7")})
				w.serve()
				w.post(w.order("O1"), w.order("O2"))
			},
			want: statuses{"order:O1": reconcile.AmountMismatch},
		},
		"a cent of difference is rounding": {
			do: func(w *world) {
				w.inject(simulator.Fault{Kind: simulator.FaultCents, BusinessID: "order:O1", Method: "POST", Amount: dec("0.01")})
				w.serve()
				w.post(w.order("O1"))
			},
			counts: statuses{"order:O1": reconcile.MatchedRounding},
		},
		"a tax that the mapping leads astray": {
			mapping: func(org *simulator.Org, o *config.Organization) {
				if o != nil {
					wrong := o.Taxes["CA Sales Tax"]
					wrong.Rate = o.Taxes[taxCode].Rate // says 8.25 %, and names another tax
					o.Taxes[taxCode] = wrong
				}
			},
			do: func(w *world) {
				w.serve()
				w.post(w.order("O1"))
			},
			want: statuses{"order:O1": reconcile.TaxMismatch},
		},
		"an amount changed by a person": {
			do: func(w *world) {
				w.serve()
				w.post(w.order("O1"), w.order("O2"))
				w.inject(simulator.Fault{Kind: simulator.FaultEdit, BusinessID: "order:O1", Amount: dec("2.50")})
			},
			want: statuses{"order:O1": reconcile.EditedByPerson},
		},
		"a reference changed by a person": {
			do: func(w *world) {
				w.serve()
				w.post(w.order("O1"))
				w.update("order:O1", &zohobooks.InvoiceRequest{Reference: "by hand"})
			},
			want: statuses{"order:O1": reconcile.EditedByPerson},
		},
		"a document moved out of the window by a person": {
			do: func(w *world) {
				w.serve()
				w.post(w.order("O1"))
				w.update("order:O1", &zohobooks.InvoiceRequest{Date: "2026-04-15"})
			},
			want: statuses{"order:O1": reconcile.EditedByPerson},
		},
		"a key removed by a person": {
			do: func(w *world) {
				w.serve()
				w.post(w.order("O1"))
				w.field("order:O1", "order:ZZZ")
			},
			want: statuses{"order:O1": reconcile.EditedByPerson},
		},
		"an exchange rate changed by a person": {
			do: func(w *world) {
				w.serve()
				w.post(foreign(w.order("O1"), "1.1"))
				w.update("order:O1", &zohobooks.InvoiceRequest{ExchangeRate: zohobooks.NewAmount(dec("1"))})
			},
			want: statuses{"order:O1": reconcile.CurrencyMismatch},
		},
		"a void invoice": {
			do: func(w *world) {
				w.serve()
				w.post(w.order("O1"))
				w.inject(simulator.Fault{Kind: simulator.FaultVoid, BusinessID: "order:O1"})
			},
			want: statuses{"order:O1": reconcile.StatusMismatch},
		},
		"a twin under the same key": {
			do: func(w *world) {
				w.serve()
				w.post(w.order("O1"))
				w.inject(simulator.Fault{Kind: simulator.FaultTwin})
				w.write("order:O1", "#O1", "400")
			},
			want: statuses{"order:O1": reconcile.DuplicateInBooks},
		},
		"a payment's twin, whose key no list shows": {
			do: func(w *world) {
				w.oneOrder("O1")
				w.inject(simulator.Fault{Kind: simulator.FaultTwin})
				w.twinPayment("payment:p-O1", "O1")
			},
			want: statuses{"payment:p-O1": reconcile.DuplicateInBooks},
		},
		"a payment that is not applied": {
			do: func(w *world) {
				w.oneOrder("O1")
				w.unapply("payment:p-O1")
			},
			want: statuses{"payment:p-O1": reconcile.UnappliedPayment},
		},
		"money that a person recorded": {
			do: func(w *world) {
				w.serve()
				w.post(w.order("O1"))
				w.payByHand("order:O1", "50")
			},
			want: statuses{"order:O1": reconcile.StatusMismatch},
		},
		"a rejected later revision": {
			do: func(w *world) {
				w.serve()
				w.post(w.order("O1"))
				later := w.order("O1")
				later.Kind, later.Revision, later.Notes = schemas.OrderUpdated, 2, "changed"
				later.Totals.Gross = dec("1")
				w.post(later)
			},
			want: statuses{"order:O1": reconcile.StatusMismatch},
		},
		"a cancellation without an outcome": {
			do: func(w *world) {
				w.serve()
				w.post(w.order("O1"))
				w.stop()
				w.send(w.cancelled(w.order("O1")))
			},
			want: statuses{"order:O1": reconcile.StatusMismatch},
		},
		"another account of a payment": {
			do: func(w *world) {
				w.oneOrder("O1")
				p := w.document("payment", "payment:p-O1")
				_, err := w.books.UpdatePayment(context.Background(), p.ID, &zohobooks.PaymentRequest{AccountID: w.org.AccountID(simulator.AccountPayPal)})
				if err != nil {
					w.Fatal(err)
				}
			},
			want: statuses{"payment:p-O1": reconcile.EditedByPerson},
		},
		"a fee changed in the books shows when all is opened": {
			do: func(w *world) {
				w.oneOrder("O1")
				_, err := w.books.UpdatePayment(context.Background(), w.document("payment", "payment:p-O1").ID, &zohobooks.PaymentRequest{
					BankCharges: zohobooks.NewAmount(dec("3")), BankChargesAccountID: w.org.AccountID(simulator.AccountFees),
				})
				if err != nil {
					w.Fatal(err)
				}
			},
			options: deep,
			want:    statuses{"payment:p-O1": reconcile.AmountMismatch},
		},
		"a payment of another gateway than the mapping says": {
			do: func(w *world) {
				w.oneOrder("O1")
				w.stop()
				o := w.cfg.Organizations[w.name]
				o.Clearing = map[string]string{"stripe/USD": w.org.AccountID(simulator.AccountPayPal)}
				w.cfg.Organizations[w.name] = o
			},
			options: deep,
			want:    statuses{"payment:p-O1": reconcile.StatusMismatch},
		},
		"a customer changed in the books shows when all is opened": {
			do: func(w *world) {
				w.serve()
				w.post(w.order("O1"), w.order("O2"))
				w.update("order:O1", &zohobooks.InvoiceRequest{CustomerID: w.document("invoice", "order:O2").CustomerID})
			},
			options: deep,
			want:    statuses{"order:O1": reconcile.EditedByPerson},
		},
	} {
		for _, want := range []statuses{test.want, test.counts} {
			for _, status := range want {
				produced[status] = true
			}
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var changes []func(*simulator.Org, *config.Organization)
			if test.mapping != nil {
				changes = append(changes, test.mapping)
			}
			w := newWorld(t, test.switches, changes...)
			test.do(w)
			if w.stop != nil {
				w.stop()
			}
			res := w.reconcile(test.options)
			w.want(res, test.want)
			for key, status := range test.counts {
				if res.Counts[status] != 1 {
					t.Errorf("%s: %v, want one %s", key, res.Counts, status)
				}
			}
			for i := range res.Exceptions {
				if len(res.Exceptions[i].Differences) == 0 || res.Exceptions[i].ID == "" {
					t.Errorf("an exception without a reason: %+v", res.Exceptions[i])
				}
			}
		})
	}
	for _, status := range reconcile.Statuses() {
		if !produced[status] {
			t.Errorf("nothing produces the status %s", status)
		}
	}
}

func TestScheduledRunsAreMadeByOneReplicaAndMadeUpFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.cfg.Reconcile.Schedule = "24h"
	w.serve()
	w.serveAnother()
	w.post(w.order("O1"))
	records := func() []*schemas.Reconciliation {
		var all []*schemas.Reconciliation
		for _, r := range testkit.ReadCommitted(t, w.addrs, w.cfg.Topics.Reconciliations) {
			rec, _, err := w.codec.DecodeReconciliation(t.Context(), r.Value, r.Headers)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, rec)
		}
		return all
	}
	// The last one was for the day before yesterday: yesterday's and today's were missed, one run makes up for both.
	missed := &reconcile.Result{Organization: w.name, StartedAt: time.Now().Add(-48 * time.Hour)}
	if err := reconcile.RememberDue(t.Context(), w.store.Client, missed, missed.StartedAt.Truncate(24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	testkit.Until(t, patience, "the run that was missed", func() bool {
		last, err := reconcile.LastOf(t.Context(), w.store.Client, w.name)
		return err == nil && last != nil && time.Since(last.At) < time.Minute
	})
	w.stop()
	all := records()
	if len(all) != 1 || all[0].StartedBy != "schedule" || all[0].Organization != w.name || all[0].Counts["matched"] != 0 {
		t.Errorf("%d runs: %+v", len(all), all)
	}
}

func TestWhatARollbackTookBackIsNoException(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.serve()
	w.post(w.order("O1"), w.order("O2"))
	w.stop()
	reverse := func(order string) {
		for _, out := range w.outcomes() {
			if out.OrderID == order {
				back := *out
				back.Status, back.OutcomeID = schemas.StatusReversed, "reversed-"+order
				w.send(&back)
			}
		}
	}
	reverse("O1")
	w.want(w.reconcile(nil), map[string]reconcile.Status{"order:O1": reconcile.StatusMismatch}) // said to be taken back, and still there
	id := w.document("invoice", "order:O1").ID
	w.field("order:O1", "order:O1:reversed:"+id)
	if err := w.books.VoidInvoice(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	res := w.reconcile(nil)
	w.want(res, nil)
	if res.Counts[reconcile.Ignored] != 1 || res.Counts[reconcile.Matched] != 1 {
		t.Errorf("%v", res.Counts)
	}
	// Posted again afterwards: the first document does not count any more.
	for _, out := range w.outcomes() {
		if out.OrderID == "O1" && out.Status == schemas.StatusPosted {
			again := *out
			again.OutcomeID, again.Documents = "again", slices.Clone(out.Documents)
			inv := w.writeTaxed("order:O1", "#O1")
			again.Documents[0].ID = inv
			w.send(&again)
			break
		}
	}
	w.want(w.reconcile(nil), nil)
}

func TestPaymentsAreListedByDayOrNewestFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.serve()
	w.post(w.order("O1"), w.order("O2"), w.order("O3"))
	next := w.payment("p-3", "O3", "433")
	next.ReceivedAt = at.AddDate(0, 0, 1)
	w.post(w.payment("p-1", "O1", "433"), w.payment("p-2", "O2", "433"), next)
	w.stop()
	for name, window := range map[string]reconcile.Window{"one day": {Since: "2026-03-02", Until: "2026-03-02"}, "a month": {Since: "2026-03-01", Until: "2026-03-31"}} {
		res := w.reconcile(func(o *reconcile.Options) { o.Window = window })
		w.want(res, nil)
		payments := 0
		for _, s := range res.Sums {
			if s.Workflow == "payment" {
				payments += s.Count
			}
		}
		if want := map[string]int{"one day": 2, "a month": 3}[name]; payments != want || res.Calls != 4 {
			t.Errorf("%s: %d payments, want %d; %d calls", name, payments, want, res.Calls)
		}
	}
}
