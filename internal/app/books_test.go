package app

import (
	"context"
	"maps"
	"slices"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/internal/testkit"
)

// find is the document with this key; it must be the only one.
func (w *world) find(kind, key string) simulator.LedgerDocument {
	w.Helper()
	l := w.sim.Ledger(orgID)
	docs := l.Find(kind, key)
	if len(docs) != 1 {
		w.Fatalf("%d documents %s %s, want 1: %+v", len(docs), kind, key, docs)
	}
	return docs[0]
}

// contactByHand makes a contact as a person would, and answers its id.
func (w *world) contactByHand(name, email string) string {
	w.Helper()
	books, err := zohobooks.New(w.cfg.BooksConfig(w.name))
	if err != nil {
		w.Fatal(err)
	}
	defer books.Close()
	c, err := books.CreateContact(context.Background(), &zohobooks.ContactRequest{
		ContactName: name, ContactType: "customer", ContactPersons: []zohobooks.ContactPerson{{Email: email, Primary: true}},
	})
	if err != nil {
		w.Fatal(err)
	}
	return c.ContactID
}

// balances compares accounts of the trial balance with what they should hold, as text.
func (w *world) balances(want map[string]string) {
	w.Helper()
	l := w.sim.Ledger(orgID)
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got := l.Balance(name); !got.Equal(dec(want[name])) {
			w.Errorf("%s holds %s, want %s", name, got, want[name])
		}
	}
}

// judge stops booksync and holds the promises against what it left: one verdict per record, one document per key, and a
// journal that adds up.
func (w *world) judge() {
	for _, r := range w.replicas {
		r.stop()
	}
	if w.Failed() {
		return
	}
	ids := make(map[string]int)
	for _, r := range testkit.ReadCommitted(w, w.addrs, w.cfg.Topics.Outcomes) {
		out, _, err := w.codec.DecodeOutcome(context.Background(), r.Value, r.Headers)
		if err != nil {
			w.Errorf("decoding an outcome: %v", err)
			continue
		}
		ids[coordinates(out.Source.Topic, out.Source.Partition, out.Source.Offset)]++
	}
	for _, r := range w.sent {
		key := coordinates(r.Topic, r.Partition, r.Offset)
		if ids[key] > 1 || ids[key] == 0 && !w.unsettled {
			w.Errorf("%s has %d outcomes, want 1", key, ids[key])
		}
	}
	l := w.sim.Ledger(orgID)
	if !l.Zero {
		w.Errorf("the journal does not add up: sum %s, %s", l.Sum, l.Error)
	}
	keys := make(map[string]int)
	for _, docs := range [][]simulator.LedgerDocument{l.Invoices, l.Payments, l.CreditNotes} {
		for _, d := range docs {
			keys[d.BusinessID]++
		}
	}
	for key, n := range keys {
		if key != "" && n != 1 {
			w.Errorf("%d documents with the key %s", n, key)
		}
	}
}
