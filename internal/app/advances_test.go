package app

import (
	"testing"
	"time"

	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/schemas"
)

// advancing is a world whose policy books money without an order, on a contact made for it.
func advancing(t *testing.T, fault *simulator.Fault) *world {
	w := newWorld(t, simulator.Switches{AcceptPaymentWithoutInvoices: true})
	held := w.contactByHand("Unallocated payments", "nobody@example.com")
	mapped(func(o *config.Organization) {
		o.Advances, o.AdvanceContact, o.DependencyDeadline = "advance", held, 200*time.Millisecond
	})(w)
	configured(func(c *config.Config) { c.Claims.Recheck = 50 * time.Millisecond })(w)
	if fault != nil {
		w.inject(*fault)
	}
	w.start()
	return w
}

func TestMoneyThatComesBeforeItsOrderIsAnAdvance(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]*simulator.Fault{
		"":                          nil,
		"the update's answer lost":  {Kind: simulator.FaultLostAnswer, Method: "PUT", Path: "/customerpayments/*", Nth: 1},
		"the update landing late":   {Kind: simulator.FaultLateLanding, Method: "PUT", Path: "/customerpayments/*", Nth: 1, Delay: settleDelay * 2},
		"the payment's answer lost": {Kind: simulator.FaultLostAnswer, Method: "POST", Path: "/customerpayments", Nth: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := advancing(t, fault)
			w.posted(w.one(w.payment("P1", "O1", "100")))
			w.balances(map[string]string{simulator.AccountStripe: "100", simulator.AccountUnearned: "-100", simulator.AccountReceivable: "0"})
			w.posted(w.send(w.order("O1"), w.payment("P2", "O1", "333"))...)
			w.balances(map[string]string{simulator.AccountStripe: "433", simulator.AccountUnearned: "0", simulator.AccountReceivable: "0", simulator.AccountSales: "-400"})
			inv := w.find("invoice", "order:O1")
			if p := w.find("payment", "payment:P1"); p.CustomerID != inv.CustomerID || inv.Status != "paid" {
				t.Errorf("the advance is %s's, the invoice %s's and %s", p.CustomerID, inv.CustomerID, inv.Status)
			}
			w.posted(w.one(w.refund("R1", "O1", "P1", "433")))
			w.balances(map[string]string{simulator.AccountStripe: "0", simulator.AccountSales: "0", simulator.AccountUnearned: "0"})
		})
	}
}

func TestAnAdvanceLargerThanItsOrderIsTheCustomersCredit(t *testing.T) {
	t.Parallel()
	w := advancing(t, nil)
	w.posted(w.one(w.payment("P1", "O1", "500")))
	w.posted(w.one(w.order("O1")))
	w.balances(map[string]string{simulator.AccountStripe: "500", simulator.AccountUnearned: "-67", simulator.AccountReceivable: "0"})
	w.posted(w.one(w.refund("R1", "O1", "P1", "500")))
	w.balances(map[string]string{simulator.AccountStripe: "0", simulator.AccountUnearned: "0", simulator.AccountSales: "0"})
}

func TestAnAdvanceIsReturnedThoughItsOrderNeverCame(t *testing.T) {
	t.Parallel()
	w := advancing(t, nil)
	w.posted(w.one(w.payment("P1", "O1", "100")))
	w.posted(w.one(w.refund("R1", "O1", "P1", "100")))
	w.balances(map[string]string{simulator.AccountStripe: "0", simulator.AccountUnearned: "0"})
	w.rejected(w.one(w.refund("R2", "O1", "P1", "1")), "dependency.missing") // no more is there
}

func TestMoneyThatNoInvoiceTakes(t *testing.T) {
	t.Parallel()
	twice := func(w *world) *schemas.Payment { return w.payment("P2", "O1", "433") }
	t.Run("waits by default: rejected by name, without a call", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, simulator.Switches{})
		w.start()
		w.posted(w.send(w.order("O1"), w.payment("P1", "O1", "433"))...)
		if out := w.rejected(w.one(twice(w)), "rejected.unsupported"); out.Calls != 0 {
			t.Errorf("cost %d calls", out.Calls)
		}
		w.balances(map[string]string{simulator.AccountStripe: "433"})
	})
	t.Run("is the customer's credit where advances are on", func(t *testing.T) {
		t.Parallel()
		w := advancing(t, nil)
		w.posted(w.send(w.order("O1"), w.payment("P1", "O1", "433"), twice(w))...)
		w.balances(map[string]string{simulator.AccountStripe: "866", simulator.AccountUnearned: "-433", simulator.AccountReceivable: "0"})
		back := w.refund("R1", "O1", "P2", "433")
		back.CreditTotal.Valid = true // of nothing: the order stays
		w.posted(w.one(back))
		w.balances(map[string]string{simulator.AccountStripe: "433", simulator.AccountUnearned: "0", simulator.AccountSales: "-400"})
	})
	t.Run("of an order that was cancelled before it was posted", func(t *testing.T) {
		t.Parallel()
		w := advancing(t, nil)
		w.posted(w.one(w.cancelled(w.order("O1"))), w.one(w.payment("P1", "O1", "433")), w.one(w.refund("R1", "O1", "P1", "433")))
		w.balances(map[string]string{simulator.AccountStripe: "0", simulator.AccountUnearned: "0"})
	})
}
