package app

import (
	"strconv"
	"testing"

	"github.com/booksync/booksync/internal/simulator"
)

func (w *world) contacts() []simulator.LedgerContact { return w.sim.Ledger(orgID).Contacts }

func TestOneNewCustomerIsOneContact(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	first := w.order("O0")
	var events []any
	for i := range 10 {
		o := w.order("O" + strconv.Itoa(i))
		o.Customer = first.Customer
		events = append(events, o)
	}
	records := w.send(events...)
	w.start()
	w.start()
	w.posted(records...)
	if c := w.contacts(); len(c) != 1 || c[0].BusinessID != "customer:c-O0:USD" {
		t.Errorf("contacts: %+v", c)
	}
}

func TestNamesThatClashGetASuffix(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.start()
	one, two := w.order("O1"), w.order("O2")
	two.Customer.Name = one.Customer.Name
	w.posted(w.send(one, two)...)
	c := w.contacts()
	if len(c) != 2 || c[0].Name == c[1].Name || c[0].BusinessID == c[1].BusinessID {
		t.Errorf("contacts: %+v", c)
	}
}

func TestAPersonsContactIsAdopted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	o := w.order("O1")
	contact := w.contactByHand(o.Customer.Name, o.Customer.Email)
	w.start()
	w.posted(w.one(o))
	if c := w.contacts(); len(c) != 1 || w.find("invoice", "order:O1").CustomerID != contact {
		t.Errorf("contacts: %+v", c)
	}
}

func TestAContactThatAPersonDeletedIsMadeAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.start()
	one, two := w.order("O1"), w.order("O2")
	two.Customer = one.Customer
	w.inject(simulator.Fault{Kind: simulator.FaultErrorBefore, Method: "POST", Path: "/invoices", Status: 400, Code: 999999, Nth: 1})
	// The contact is made, the invoice is refused: so it may be deleted.
	w.rejected(w.one(one), "rejected.books")
	w.inject(simulator.Fault{Kind: simulator.FaultDelete, BusinessID: "customer:c-O1:USD"})
	w.posted(w.one(two))
	if c := w.contacts(); len(c) != 1 || c[0].BusinessID != "customer:c-O1:USD" {
		t.Errorf("contacts: %+v", c)
	}
}

func TestACustomerWhoChangedTheNameIsFoundWhenRedisForgot(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	r := w.start()
	one, two := w.order("O1"), w.order("O2")
	w.posted(w.one(one))
	r.stop()
	w.redis.Empty(t)
	w.start()
	two.Customer = one.Customer
	two.Customer.Name = "Another Name"
	w.posted(w.one(two))
	if c := w.contacts(); len(c) != 1 {
		t.Errorf("contacts: %+v", c)
	}
}
