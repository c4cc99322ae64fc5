package app

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/schemas"
)

// person is somebody at the keyboard, beside booksync.
func (w *world) person() *zohobooks.Client {
	w.Helper()
	books, err := zohobooks.New(w.cfg.BooksConfig(w.name))
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(books.Close)
	return books
}

// inBooks is the only contact as Zoho shows it.
func (w *world) inBooks(books *zohobooks.Client) *zohobooks.Contact {
	w.Helper()
	all := w.contacts()
	if len(all) != 1 {
		w.Fatalf("contacts: %+v", all)
	}
	c, err := books.GetContact(w.Context(), all[0].ID)
	if err != nil {
		w.Fatal(err)
	}
	return c
}

// customerOf are orders of one customer, an hour apart, who lives in the street that each names.
func (w *world) customerOf(streets ...string) []*schemas.Order {
	var out []*schemas.Order
	for i, street := range streets {
		o := w.order("O" + string(rune('1'+i)))
		o.OccurredAt = o.OccurredAt.Add(time.Duration(i) * time.Hour)
		o.Customer = schemas.Party{
			ID: "c1", Name: "Ada Lovelace", Email: "ada@example.com",
			BillingAddress: &schemas.Address{Line1: street, Line2: "Flat 2", City: "London", PostalCode: "sw1y 4jh", Country: "GB"},
		}
		out = append(out, o)
	}
	return out
}

func (w *world) contactWrites() int { return w.sim.Calls(orgID).ByResource["PUT /contacts/{id}"] }

func TestAChangedCustomerUpdatesTheContactOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.start()
	orders := w.customerOf("1 Old Street", "1 Old Street", "2 New Street", "2 New Street")
	orders[2].Customer.Email = "Countess@Example.com"
	orders[2].Customer.BillingAddress.Line2 = ""
	orders[3].Customer = orders[2].Customer
	for i, want := range []int64{2, 1, 3, 1} { // the invoice, and: a contact, nothing, a look and an update, nothing
		r := w.one(orders[i])
		w.posted(r)
		if got := w.outcome(r).Calls; got != want {
			t.Errorf("order %d took %d calls, want %d: %v", i+1, got, want, w.sim.Calls(orgID).ByResource)
		}
	}
	c := w.inBooks(w.person())
	if a := c.BillingAddress; a.Address != "2 New Street" || a.Street2 != "" || a.Zip != "SW1Y 4JH" || a.Country != "United Kingdom" || c.Email != "countess@example.com" {
		t.Errorf("the contact shows %+v, %s", a, c.Email)
	}
}

func TestAnOlderEventLeavesTheNewerAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	r := w.start()
	orders := w.customerOf("1 Old Street", "2 New Street", "2 New Street", "3 Other Street")
	w.posted(w.one(orders[1]))
	w.posted(w.one(orders[0])) // late
	// The same when Redis has forgotten: the contact itself says as of when it is.
	r.stop()
	w.redis.Empty(t)
	w.start()
	late := orders[2]
	late.OccurredAt = orders[0].OccurredAt
	late.Customer = orders[0].Customer
	w.posted(w.one(late))
	if c := w.inBooks(w.person()); c.BillingAddress.Address != "2 New Street" {
		t.Errorf("the contact shows %+v", c.BillingAddress)
	}
	w.posted(w.one(orders[3]))
	if c := w.inBooks(w.person()); c.BillingAddress.Address != "3 Other Street" {
		t.Errorf("the contact shows %+v", c.BillingAddress)
	}
}

// TestWhenACustomerWasLastSeenIsKeptAsLongAsItsContact: with the cache's entry the events that changed nothing would be forgotten, and an older one undo
// what they confirmed.
func TestWhenACustomerWasLastSeenIsKeptAsLongAsItsContact(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.start()
	w.posted(w.one(w.customerOf("1 Old Street")[0]))
	c := w.redisClient()
	keys, err := c.Keys(t.Context(), "*:stamped:*").Result()
	if err != nil || len(keys) != 1 {
		t.Fatalf("cached contacts: %v, %v", keys, err)
	}
	if ttl := c.PTTL(t.Context(), keys[0]).Val(); ttl < w.cfg.Claims.Retention-time.Minute {
		t.Errorf("it lives for %s, its contact's claim for %s", ttl, w.cfg.Claims.Retention)
	}
}

func TestWhatAPersonEditedStays(t *testing.T) {
	t.Parallel()
	for name, forgets := range map[string]bool{"Redis remembers": false, "Redis forgot": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Switches{})
			r := w.start()
			orders := w.customerOf("1 Old Street", "2 New Street", "2 New Street")
			orders[0].Customer.Company, orders[1].Customer.Company, orders[2].Customer.Company = "Engines Ltd", "Engines plc", "Engines plc"
			w.posted(w.one(orders[0]))
			books := w.person()
			c := w.inBooks(books)
			if _, err := books.UpdateContact(t.Context(), c.ContactID, &zohobooks.ContactRequest{
				BillingAddress: &zohobooks.Address{Address: "1a Old Street, by hand"},
				ContactPersons: []zohobooks.ContactPerson{c.ContactPersons[0], {FirstName: "Charles", LastName: "Babbage", Mobile: "+44 7700 900000"}},
			}); err != nil {
				t.Fatal(err)
			}
			if forgets {
				r.stop()
				w.redis.Empty(t)
				w.start()
			}
			orders[1].Customer.Phone = "+44 20 7946 0000"
			orders[2].Customer = orders[1].Customer
			w.posted(w.one(orders[1]))
			before := w.sim.Calls(orgID).Total
			w.posted(w.one(orders[2]))
			if got := w.sim.Calls(orgID).Total - before; got != 2 { // invoice, mark sent
				t.Errorf("the next order took %d calls", got)
			}
			c = w.inBooks(books)
			if c.BillingAddress.Address != "1a Old Street, by hand" || c.CompanyName != "Engines plc" {
				t.Errorf("the contact shows %+v of %s", c.BillingAddress, c.CompanyName)
			}
			if len(c.ContactPersons) != 2 || c.ContactPersons[0].Phone != "+44 20 7946 0000" || c.ContactPersons[1].Mobile != "+44 7700 900000" {
				t.Errorf("persons: %+v", c.ContactPersons)
			}
		})
	}
}

func TestAnUpdateWhoseAnswerWasLostIsMadeGood(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.start()
	orders := w.customerOf("1 Old Street", "2 New Street", "3 Newer Street")
	w.posted(w.one(orders[0]))
	w.inject(simulator.Fault{Kind: simulator.FaultLostAnswer, Method: "PUT", Path: "/contacts/*", Nth: 1})
	second := w.one(orders[1])
	third := w.one(orders[2]) // it may find the second one's update in doubt
	w.posted(second)
	w.posted(third)
	if c := w.inBooks(w.person()); c.BillingAddress.Address != "3 Newer Street" {
		t.Errorf("the contact shows %+v", c.BillingAddress)
	}
}

func TestAnUpdateThatNeverWorksKeepsNoOrderFromItsInvoice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{}, configured(func(c *config.Config) { c.Zoho.MaxAttempts = 2 }))
	w.start()
	orders := w.customerOf("1 Old Street", "2 New Street")
	w.posted(w.one(orders[0]))
	w.inject(simulator.Fault{Kind: simulator.FaultErrorBefore, Method: "PUT", Path: "/contacts/*", Status: 500, Count: 1000})
	r := w.one(orders[1])
	for i := range 8 { // whose success says that the trouble is this one's
		o := w.order("X" + strconv.Itoa(i))
		o.Customer.ID, o.Customer.Name, o.Customer.Email = "other", "Other", "other@example.com"
		before := w.contactWrites()
		w.posted(w.one(o))
		until(w, "another attempt", func() bool { return w.contactWrites() > before || w.outcome(r) != nil })
	}
	w.posted(r)
	if out := w.outcome(r); !strings.Contains(out.Reason, "the contact was not updated") {
		t.Errorf("reason %q", out.Reason)
	}
}

func TestAnOrdersUpdateKeepsItsCustomerInStep(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.start()
	o := w.customerOf("1 Old Street")[0]
	w.posted(w.one(o))
	changed := *o
	changed.Event, changed.Kind, changed.Revision = o.Event, schemas.OrderUpdated, o.Revision+1
	changed.EventID, changed.OccurredAt = o.EventID+"-2", o.OccurredAt.Add(time.Minute)
	address := *o.Customer.BillingAddress
	address.Line1 = "2 New Street"
	changed.Customer.BillingAddress = &address
	w.posted(w.one(&changed))
	if c := w.inBooks(w.person()); c.BillingAddress.Address != "2 New Street" {
		t.Errorf("the contact shows %+v", c.BillingAddress)
	}
}

func TestARefusedUpdateIsNamedAndNotTriedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.start()
	orders := w.customerOf("1 Old Street", "2 New Street", "2 New Street", "3 Newer Street")
	w.posted(w.one(orders[0]))
	w.inject(simulator.Fault{Kind: simulator.FaultErrorBefore, Method: "PUT", Path: "/contacts/*", Status: 400, Code: 999999, Nth: 1})
	r := w.one(orders[1])
	w.posted(r)
	if out := w.outcome(r); out.Reason == "" {
		t.Error("the outcome says nothing of the refusal")
	}
	w.posted(w.one(orders[2]))
	if n := w.contactWrites(); n != 1 {
		t.Errorf("%d updates, want the refused one", n)
	}
	w.posted(w.one(orders[3]))
	if c := w.inBooks(w.person()); c.BillingAddress.Address != "3 Newer Street" {
		t.Errorf("the contact shows %+v", c.BillingAddress)
	}
}

func TestAnotherCurrencyIsAnotherContact(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.start()
	orders := w.customerOf("1 Old Street", "1 Old Street")
	orders[1].Currency, orders[1].ExchangeRate = "EUR", decimal.NewNullDecimal(dec("1.1"))
	r := w.one(orders[1])
	w.posted(w.one(orders[0]), r)
	keys := map[string]string{}
	for _, c := range w.contacts() {
		keys[c.BusinessID] = c.Currency
	}
	if len(keys) != 2 || keys["customer:c1:USD"] != "USD" || keys["customer:c1:EUR"] != "EUR" {
		t.Errorf("contacts: %v", keys)
	}
	inv := w.outcome(r).Documents[0]
	if want := inv.Total.Mul(dec("1.1")).Round(2); !inv.BaseTotal.Decimal.Equal(want) {
		t.Errorf("base total %s, want %s", inv.BaseTotal.Decimal, want)
	}
}

func TestACustomerWithoutDetailsCostsNoLook(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.start()
	for i, o := range w.customerOf("", "", "") {
		o.Customer = schemas.Party{ID: "c1", BillingAddress: &schemas.Address{}}
		r := w.one(o)
		w.posted(r)
		if got := w.outcome(r).Calls; i > 0 && got != 1 {
			t.Errorf("order %d took %d calls", i+1, got)
		}
	}
}
