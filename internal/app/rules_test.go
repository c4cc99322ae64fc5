package app

import (
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/schemas"
)

// Each of these is an accounting rule; the journal of the simulated books is what is judged.

// plain is a line without tax.
func plain(id string, kind schemas.LineKind, amount string) schemas.Line {
	return schemas.Line{LineID: id, Kind: kind, Name: "Line " + id, Quantity: dec("1"), UnitPrice: dec(amount)}
}

// kinds maps gift cards, tips and redeeming cards.
func kinds(w *world) {
	mapped(func(o *config.Organization) {
		o.LineTargets["GIFT_CARD"] = config.LineTarget{AccountID: w.org.AccountID(simulator.AccountGiftCards)}
		o.LineTargets["TIP"] = config.LineTarget{AccountID: w.org.AccountID(simulator.AccountTips)}
		o.Clearing["gift_card/USD"] = w.org.AccountID(simulator.AccountGiftCards)
	})(w)
}

func TestGiftCardsAreSoldAsALiabilityAndPayFromIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{}, kinds)
	w.start()
	card := w.selling(w.order("G1"), plain("1", schemas.LineGiftCard, "100"))
	w.posted(w.send(card, w.payment("P0", "G1", "100"))...)
	w.balances(map[string]string{simulator.AccountSales: "0", simulator.AccountGiftCards: "-100", simulator.AccountStripe: "100", simulator.AccountReceivable: "0"})

	redeem := w.payment("P1", "O1", "60")
	redeem.Gateway, redeem.Method = "gift_card", "gift_card"
	w.posted(w.send(w.order("O1"), redeem, w.payment("P2", "O1", "373"))...)
	w.balances(map[string]string{simulator.AccountSales: "-400", simulator.AccountGiftCards: "-40", simulator.AccountStripe: "473", simulator.AccountReceivable: "0"})

	back := w.refund("R1", "O1", "P1", "60") // onto the card again
	back.Gateway, back.Method = "gift_card", "gift_card"
	w.posted(w.one(back))
	w.balances(map[string]string{simulator.AccountGiftCards: "-100", simulator.AccountStripe: "473", simulator.AccountReceivable: "0"})
	unsold := w.refund("R2", "G1", "P0", "100")
	w.posted(w.one(unsold))
	w.balances(map[string]string{simulator.AccountGiftCards: "0", simulator.AccountStripe: "373"})
}

func TestTipsAndCashRoundingHaveAccountsOfTheirOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{}, kinds)
	w.start()
	o := w.selling(w.order("O1"), plain("1", schemas.LineGoods, "19.98"), plain("2", schemas.LineTip, "3"), plain("3", schemas.LineRounding, "0.02"))
	w.posted(w.send(o, w.payment("P1", "O1", "23"))...)
	w.balances(map[string]string{
		simulator.AccountSales: "-19.98", simulator.AccountTips: "-3", simulator.AccountRounding: "-0.02", simulator.AccountStripe: "23", simulator.AccountReceivable: "0",
	})
	unmapped := newWorld(t, simulator.Switches{})
	unmapped.start()
	unmapped.rejected(unmapped.one(unmapped.selling(unmapped.order("O1"), plain("2", schemas.LineTip, "3"))), "rejected.account")
}

func TestAnOrderOfZeroFollowsThePolicy(t *testing.T) {
	t.Parallel()
	for policy, invoices := range map[string]int{"post": 1, "skip": 0} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Switches{}, mapped(func(o *config.Organization) { o.ZeroTotal = policy }))
			w.start()
			free := w.selling(w.order("O1"), plain("1", schemas.LineGoods, "0"))
			w.posted(w.one(free))
			w.rejected(w.one(w.payment("P1", "O1", "0")), "rejected.totals")
			l := w.sim.Ledger(orgID)
			if len(l.Invoices) != invoices || len(l.Payments) != 0 {
				t.Errorf("%d invoices and %d payments, want %d and 0", len(l.Invoices), len(l.Payments), invoices)
			}
			w.balances(map[string]string{simulator.AccountReceivable: "0", simulator.AccountSales: "0"})
			// Later it costs something after all.
			dear := w.updated(free, sold("1", "1", "10"))
			w.posted(w.one(dear))
			w.balances(map[string]string{simulator.AccountReceivable: "10.83", simulator.AccountSales: "-10"})
		})
	}
}

func TestExchangeGainsAndLossesAreInTheJournal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{}, func(w *world) {
		mapped(func(o *config.Organization) { o.Clearing["stripe/EUR"] = w.org.AccountID(simulator.AccountStripe) })(w)
	})
	w.start()
	foreign := func(rate string) decimal.NullDecimal { return decimal.NewNullDecimal(dec(rate)) }
	o := w.selling(w.order("O1"), plain("1", schemas.LineGoods, "100"))
	o.Currency, o.ExchangeRate = "EUR", foreign("1.10")
	pay := w.payment("P1", "O1", "100")
	pay.Currency, pay.ExchangeRate = "EUR", foreign("1.12")
	w.posted(w.send(o, pay)...)
	// 110.00 were owed, 112.00 came: a gain of 2.00.
	w.balances(map[string]string{simulator.AccountSales: "-110", simulator.AccountStripe: "112", simulator.AccountReceivable: "0", simulator.AccountExchange: "-2"})

	refund := w.refund("R1", "O1", "P1", "40")
	refund.Currency, refund.ExchangeRate = "EUR", foreign("1.15")
	w.posted(w.one(refund))
	// 44.00 of sales taken back at the invoice's rate, 46.00 left: a loss of 2.00.
	w.balances(map[string]string{simulator.AccountSales: "-66", simulator.AccountStripe: "66", simulator.AccountExchange: "0", simulator.AccountUnearned: "0"})
	if n := w.find("creditnote", "refund:R1"); !n.ExchangeRate.Equal(dec("1.10")) {
		t.Errorf("credited at %s, want the invoice's 1.10", n.ExchangeRate)
	}
	later := w.updated(o, plain("1", schemas.LineGoods, "100"), plain("2", schemas.LineGoods, "10"))
	later.ExchangeRate = foreign("1.20")
	w.posted(w.one(later)) // at the day's rate
	w.balances(map[string]string{simulator.AccountSales: "-78", simulator.AccountReceivable: "12"})
	without := w.payment("P2", "O1", "10")
	without.Currency = "EUR"
	w.rejected(w.one(without), "rejected.currency")
	w.rejected(w.one(w.payment("P3", "O1", "12")), "rejected.currency") // dollars for euros
}

func TestLockedPeriods(t *testing.T) {
	t.Parallel()
	lock := company(func(o *simulator.Org) { o.Locks = []simulator.Lock{{Date: "2026-03-03"}} })
	t.Run("reject", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, simulator.Switches{}, lock)
		w.start()
		r := w.one(w.order("O1"))
		if out := w.rejected(r, "rejected.locked"); !strings.Contains(out.Error.Message, "2026-03-03") {
			t.Errorf("%q does not name the day", out.Error.Message)
		}
		if c := w.sim.Calls(orgID); c.Total > 10 { // those of the start
			t.Errorf("%d calls", c.Total)
		}
	})
	t.Run("next open day, with the true one in notes and outcome", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, simulator.Switches{}, lock, mapped(func(o *config.Organization) { o.LockPolicy = "next_open_date" }), disputes("write_off"))
		w.start()
		o, p, refund := w.order("O1"), w.payment("P1", "O1", "433"), w.refund("R1", "O1", "P1", "33")
		refund.RefundedAt = at.Add(20 * time.Hour) // in the locked period, too
		changed := w.updated(o, sold("1", "1", "410"))
		changed.OccurredAt = at.Add(2 * time.Hour)
		dispute := w.became(p, schemas.PaymentDisputed, "")
		dispute.OccurredAt = at.Add(3 * time.Hour)
		for event, trueDate := range map[any]string{o: "2026-03-02"} {
			r := w.one(event)
			w.posted(r)
			if out := w.await(r); !strings.Contains(out.Reason, trueDate) {
				t.Errorf("outcome says %q", out.Reason)
			}
		}
		for _, event := range []any{p, refund, changed, dispute} {
			r := w.one(event)
			w.posted(r)
			if out := w.await(r); !strings.Contains(out.Reason, "2026-03-0") || !strings.Contains(out.Reason, "dated 2026-03-04") {
				t.Errorf("%s: outcome says %q", out.Workflow, out.Reason)
			}
		}
		l := w.sim.Ledger(orgID)
		for _, docs := range [][]simulator.LedgerDocument{l.Invoices, l.Payments, l.CreditNotes, l.Refunds, l.Journals} {
			if len(docs) == 0 {
				t.Error("a kind of document is missing")
			}
			for _, d := range docs {
				if d.Date != "2026-03-04" || !strings.Contains(d.Notes, "True date 2026-03-0") {
					t.Errorf("%s of %s with the notes %q", d.Type, d.Date, d.Notes)
				}
			}
		}
		for _, e := range l.Journal {
			if e.Date <= "2026-03-03" {
				t.Errorf("%s is posted on the locked day %s", e.Event, e.Date)
			}
		}
	})
	t.Run("a cancellation of an invoice in a locked month is a credit note in the open one", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, simulator.Switches{})
		first := w.start()
		o := w.order("O1")
		w.posted(w.one(o))
		first.stop()
		mapped(func(c *config.Organization) { c.LockedUntil = "2026-03-02" })(w) // the month is filed
		w.start()
		c := w.cancelled(o)
		c.OccurredAt = at.Add(48 * time.Hour)
		w.posted(w.one(c))
		w.balances(map[string]string{simulator.AccountSales: "0", simulator.AccountReceivable: "0"})
		if n := w.find("creditnote", "cancel:O1"); n.Date != "2026-03-04" {
			t.Errorf("credited on %s", n.Date)
		}
	})
}

func TestLongReferencesNeverMeet(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.start()
	long := strings.Repeat("x", 60)
	w.posted(w.one(w.order("O1")))
	one, two := w.payment("P1", "O1", "200"), w.payment("P2", "O1", "233")
	one.GatewayReference, two.GatewayReference = long+"1", long+"2"
	w.posted(w.send(one, two)...)
	a, b := w.find("payment", "payment:P1").Reference, w.find("payment", "payment:P2").Reference
	if a == b || len(a) > 50 || len(b) > 50 {
		t.Errorf("references %q and %q", a, b)
	}
}

func TestTaxCollectedByAMarketplaceIsRejectedByName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.start()
	o := w.order("O1")
	o.Lines[0].Taxes[0].CollectedBy = schemas.CollectedByMarketplace
	w.rejected(w.one(o), "rejected.tax")
	w.balances(map[string]string{simulator.AccountTaxPayable: "0", simulator.AccountReceivable: "0"})
}

func TestARegisteredEInvoiceIsCreditedOnly(t *testing.T) {
	t.Parallel()
	push := simulator.Fault{Kind: simulator.FaultPush, BusinessID: "order:O1"}
	t.Run("cancelled: a credit note, not void", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, simulator.Switches{})
		w.start()
		o := w.order("O1")
		w.posted(w.one(o))
		w.inject(push)
		w.posted(w.one(w.cancelled(o)))
		w.balances(map[string]string{simulator.AccountSales: "0", simulator.AccountReceivable: "0"})
		if w.find("invoice", "order:O1").Status == "void" || !w.find("creditnote", "cancel:O1").Total.Equal(dec("433")) {
			t.Error("the invoice was voided")
		}
	})
	t.Run("changed: further documents", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, simulator.Switches{})
		w.start()
		o := w.two("O1")
		w.posted(w.one(o))
		w.inject(push)
		w.posted(w.one(w.updated(o, sold("b", "2", "100"))))
		w.balances(map[string]string{simulator.AccountSales: "-200"})
	})
	t.Run("registered between reading and voiding: a class of its own, and a replay credits", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, simulator.Switches{})
		w.start()
		o := w.order("O1")
		w.posted(w.one(o))
		later := push
		later.Method, later.Path, later.Nth = "POST", "/invoices/*/status/void", 1
		w.inject(later)
		r := w.one(w.cancelled(o))
		w.rejected(r, "rejected.einvoiced")
		w.posted(w.replay(w.deadLetter(r), nil))
		w.balances(map[string]string{simulator.AccountSales: "0", simulator.AccountReceivable: "0"})
	})
}
