package app

import (
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/schemas"
)

// became is what happened to a payment after it was captured, a week later.
func (w *world) became(p *schemas.Payment, kind schemas.PaymentKind, fee string) *schemas.Payment {
	c := *p
	c.Event, c.Kind, c.Fee = w.event(), kind, nil
	c.OccurredAt = at.Add(7 * 24 * time.Hour)
	if fee != "" {
		c.Fee = &schemas.Fee{Amount: dec(fee), Currency: p.Currency}
	}
	return &c
}

// disputes maps the accounts of disputes.
func disputes(policy string) option {
	return func(w *world) {
		mapped(func(o *config.Organization) {
			o.DisputesAccount, o.LossesAccount = w.org.AccountID(simulator.AccountDisputes), w.org.AccountID(simulator.AccountBadDebt)
			o.ReversalPolicy, o.Journals = policy, true
		})(w)
	}
}

func TestDisputesMoveTheMoneyAndLeaveThePayment(t *testing.T) {
	t.Parallel()
	type story func(w *world, p *schemas.Payment) []any
	for name, tt := range map[string]struct {
		policy string
		story  story
		want   map[string]string
		notes  int
	}{
		"disputed": {"write_off", func(w *world, p *schemas.Payment) []any {
			return []any{w.became(p, schemas.PaymentDisputed, "15")}
		}, map[string]string{simulator.AccountStripe: "-15", simulator.AccountDisputes: "433", simulator.AccountFees: "15", simulator.AccountSales: "-400"}, 0},
		"won, with the fee back": {"write_off", func(w *world, p *schemas.Payment) []any {
			return []any{w.became(p, schemas.PaymentDisputed, "15"), w.became(p, schemas.PaymentDisputeWon, "-15")}
		}, map[string]string{simulator.AccountStripe: "433", simulator.AccountDisputes: "0", simulator.AccountFees: "0", simulator.AccountSales: "-400"}, 0},
		"lost, written off": {"write_off", func(w *world, p *schemas.Payment) []any {
			return []any{w.became(p, schemas.PaymentDisputed, "15"), w.became(p, schemas.PaymentReversed, "")}
		}, map[string]string{simulator.AccountStripe: "-15", simulator.AccountDisputes: "0", simulator.AccountFees: "15", simulator.AccountBadDebt: "433", simulator.AccountSales: "-400"}, 0},
		"lost, credited": {"credit", func(w *world, p *schemas.Payment) []any {
			return []any{w.became(p, schemas.PaymentDisputed, "15"), w.became(p, schemas.PaymentReversed, "")}
		}, map[string]string{simulator.AccountStripe: "-15", simulator.AccountDisputes: "0", simulator.AccountFees: "15", simulator.AccountSales: "0", simulator.AccountTaxPayable: "0"}, 1},
		"reversed without a dispute, written off": {"write_off", func(w *world, p *schemas.Payment) []any {
			return []any{w.became(p, schemas.PaymentReversed, "4")}
		}, map[string]string{simulator.AccountStripe: "-4", simulator.AccountDisputes: "0", simulator.AccountFees: "4", simulator.AccountBadDebt: "433"}, 0},
		"reversed without a dispute, credited": {"credit", func(w *world, p *schemas.Payment) []any {
			return []any{w.became(p, schemas.PaymentReversed, "4")}
		}, map[string]string{simulator.AccountStripe: "-4", simulator.AccountFees: "4", simulator.AccountSales: "0"}, 1},
		"a part of it": {"write_off", func(w *world, p *schemas.Payment) []any {
			d, l := w.became(p, schemas.PaymentDisputed, ""), w.became(p, schemas.PaymentReversed, "")
			d.Amount, l.Amount = dec("100"), dec("100")
			return []any{d, l}
		}, map[string]string{simulator.AccountStripe: "333", simulator.AccountDisputes: "0", simulator.AccountBadDebt: "100"}, 0},
		"what was lost is not refunded a second time": {"write_off", func(w *world, p *schemas.Payment) []any {
			return []any{w.became(p, schemas.PaymentReversed, ""), w.refund("R1", "O1", "P1", "10")}
		}, map[string]string{simulator.AccountStripe: "0", simulator.AccountBadDebt: "433", simulator.AccountSales: "-400"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Switches{}, disputes(tt.policy))
			w.start()
			p := w.payment("P1", "O1", "433")
			w.posted(w.send(w.order("O1"), p)...)
			for _, e := range tt.story(w, p) {
				r := w.one(e)
				if _, refund := e.(*schemas.Refund); refund {
					w.rejected(r, "dependency.missing")
					continue
				}
				w.posted(r)
				w.duplicate(w.one(e), "same")
			}
			tt.want[simulator.AccountReceivable] = "0"
			w.balances(tt.want)
			if pay := w.find("payment", "payment:P1"); !pay.Total.Equal(dec("433")) || len(pay.Links) != 1 {
				t.Errorf("the payment was changed: %+v", pay)
			}
			if l := w.sim.Ledger(orgID); len(l.CreditNotes) != tt.notes {
				t.Errorf("%d credit notes, want %d", len(l.CreditNotes), tt.notes)
			}
		})
	}
}

func TestADisputeWaitsForItsPayment(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{}, disputes("write_off"), waits(time.Hour))
	w.keyless = true // in one lane it would wait for what is behind it
	r := w.start()
	p := w.payment("P1", "O1", "433")
	w.posted(w.one(w.order("O1")))
	early := w.send(w.became(p, schemas.PaymentDisputed, ""), w.became(p, schemas.PaymentDisputeWon, ""))
	r.parked("dependency", 1)
	w.posted(w.one(p))
	w.posted(early...)
	w.balances(map[string]string{simulator.AccountStripe: "433", simulator.AccountDisputes: "0"})
}

func TestDisputesWithoutAnAccountOrAPolicyAreRejectedByName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{})
	w.start()
	p := w.payment("P1", "O1", "433")
	w.posted(w.send(w.order("O1"), p)...)
	w.rejected(w.one(w.became(p, schemas.PaymentDisputed, "")), "rejected.account")
	w.rejected(w.one(w.became(p, schemas.PaymentDisputeWon, "")), "rejected.account")
	w.rejected(w.one(w.became(p, schemas.PaymentReversed, "")), "rejected.unsupported")
	w.balances(map[string]string{simulator.AccountStripe: "433"})
}

func TestAJournalIsWrittenOnceWhateverHappens(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]simulator.Fault{
		"lost": {Kind: simulator.FaultLostAnswer}, "error before": {Kind: simulator.FaultErrorBefore, Status: 502, HTML: true},
		"error after": {Kind: simulator.FaultErrorAfter}, "landing late": {Kind: simulator.FaultLateLanding, Delay: settleDelay * 2},
		"throttled": {Kind: simulator.FaultThrottle},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Switches{}, disputes("write_off"))
			w.start()
			p := w.payment("P1", "O1", "433")
			w.posted(w.send(w.order("O1"), p)...)
			fault.Method, fault.Path, fault.Nth = "POST", "/journals", 1
			w.inject(fault)
			refund := w.refund("R1", "O1", "P1", "33")
			refund.FeeReturned = &schemas.Fee{Amount: dec("1.25"), Currency: "USD"}
			w.posted(w.one(w.became(p, schemas.PaymentDisputed, "15")), w.one(refund))
			w.hit(fault.Kind)
			w.balances(map[string]string{simulator.AccountStripe: "-46.75", simulator.AccountDisputes: "433", simulator.AccountFees: "13.75"})
			if l := w.sim.Ledger(orgID); len(l.Journals) != 2 {
				t.Errorf("%d journals, want 2: %+v", len(l.Journals), l.Journals)
			}
		})
	}
}

func TestDisputesWhenRedisForgot(t *testing.T) {
	t.Parallel()
	events := func(w *world) []any {
		p := w.payment("P1", "O1", "433")
		return []any{w.order("O1"), p, w.became(p, schemas.PaymentDisputed, "15")}
	}
	w := forgotten(t, events, disputes("write_off"))
	p := w.payment("P1", "O1", "433")
	w.duplicate(w.one(w.became(p, schemas.PaymentDisputed, "15")), "same")
	w.posted(w.one(w.became(p, schemas.PaymentReversed, "")))
	w.balances(map[string]string{simulator.AccountStripe: "-15", simulator.AccountDisputes: "0", simulator.AccountBadDebt: "433"})
}

func TestAReturnedFeeReducesTheFees(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{}, mapped(func(o *config.Organization) { o.Journals = true }))
	w.start()
	p := w.payment("P1", "O1", "433")
	p.Fee = &schemas.Fee{Amount: dec("12.50"), Currency: "USD"}
	refund := w.refund("R1", "O1", "P1", "433")
	refund.FeeReturned = &schemas.Fee{Amount: dec("12.20"), Currency: "USD"}
	records := w.send(w.order("O1"), p, refund)
	w.posted(records...)
	w.balances(map[string]string{simulator.AccountStripe: "-0.30", simulator.AccountFees: "0.30", simulator.AccountSales: "0", simulator.AccountReceivable: "0"})
	if out := w.await(records[2]); out.Calls != 3 || len(out.Documents) != 3 {
		t.Errorf("%d calls, documents %+v", out.Calls, out.Documents)
	}
	other := w.refund("R2", "O1", "P1", "1")
	other.FeeReturned = &schemas.Fee{Amount: decimal.NewFromInt(1), Currency: "EUR"}
	w.rejected(w.one(other), "rejected.unsupported")
}
