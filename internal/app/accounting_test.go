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

// More of the accounting rules of docs/money.md, judged by the journal of the simulated books.

func TestEveryEntryOfTheJournalIsOfItsEventsDay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{}, company(func(o *simulator.Org) { o.TimeZone = "Pacific/Auckland" }), disputes("write_off"))
	w.start()
	// Auckland is 13 hours ahead in March: each of these is on the last day of a month, or the first, there only.
	day := func(text string) time.Time {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	o, p, r := w.order("O1"), w.payment("P1", "O1", "433"), w.refund("R1", "O1", "P1", "108.25")
	o.PlacedAt, p.ReceivedAt, r.RefundedAt = day("2026-02-27T10:59:00Z"), day("2026-02-27T11:01:00Z"), day("2026-03-31T10:59:00Z")
	dispute := w.became(p, schemas.PaymentDisputed, "")
	dispute.OccurredAt = day("2026-03-31T11:01:00Z")
	cancelled := w.cancelled(o)
	cancelled.OccurredAt = day("2026-04-04T14:30:00Z") // the night that the clocks go back
	for _, e := range []any{o, p, r, dispute, cancelled} {
		w.posted(w.one(e))
	}
	want := map[string]bool{"2026-02-27": true, "2026-02-28": true, "2026-03-31": true, "2026-04-01": true, "2026-04-05": true}
	got := make(map[string]bool)
	l := w.sim.Ledger(orgID)
	for _, e := range l.Journal {
		got[e.Date] = true
		if !want[e.Date] {
			t.Errorf("%s is posted on %s, no event is of that day", e.Event, e.Date)
		}
	}
	if len(got) != len(want) {
		t.Errorf("the journal has entries of %v, want of each of %v", got, want)
	}
}

// An order of 100.00 (92.38 and 7.62 of tax) of which 60.00 are paid, unless it says otherwise.
func TestMoneyReturnedIsNotValueCredited(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		paid, amount, credit string // credit "" is absent
		owed, held, bank     string // receivable, the customer's credit, clearing account
		sold                 string // revenue and tax together
		notes, entries       int
	}{
		"the same returned as credited: what was owed is owed": {"60", "30", "30", "40", "0", "30", "70", 1, 1},
		"more credited than returned: the rest is applied":     {"60", "30", "50", "20", "0", "30", "50", 1, 1},
		"credited only":                        {"0", "0", "40", "60", "0", "0", "60", 1, 0},
		"store credit":                         {"100", "0", "30", "0", "-30", "100", "70", 1, 0},
		"an overpayment":                       {"110", "10", "0", "0", "0", "100", "100", 0, 1},
		"more returned than credited":          {"110", "40", "35", "0", "-5", "70", "65", 1, 2},
		"everything that came in, credit none": {"110", "110", "", "0", "0", "0", "0", 1, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Switches{})
			w.start()
			line := sold("1", "1", "92.38")
			o := w.selling(w.order("O1"), line)
			if !o.Totals.Gross.Equal(dec("100")) {
				t.Fatalf("the order is of %s", o.Totals.Gross)
			}
			w.posted(w.one(o))
			if tt.paid != "0" {
				w.posted(w.one(w.payment("P1", "O1", tt.paid)))
			}
			refund := w.refund("R1", "O1", "", tt.amount)
			if tt.credit != "" {
				refund.CreditTotal = decimal.NewNullDecimal(dec(tt.credit))
			}
			w.posted(w.one(refund))
			w.balances(map[string]string{simulator.AccountReceivable: tt.owed, simulator.AccountUnearned: tt.held, simulator.AccountStripe: tt.bank})
			l := w.sim.Ledger(orgID)
			if got := l.Balance(simulator.AccountSales).Add(l.Balance(simulator.AccountTaxPayable)).Add(l.Balance(simulator.AccountRounding)); !got.Neg().Equal(dec(tt.sold)) {
				t.Errorf("revenue and tax are %s, want %s", got.Neg(), tt.sold)
			}
			if len(l.CreditNotes) != tt.notes || len(l.Refunds) != tt.entries {
				t.Errorf("%d credit notes and %d refund entries, want %d and %d", len(l.CreditNotes), len(l.Refunds), tt.notes, tt.entries)
			}
		})
	}
}

func TestEachGatewayHasItsAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{}, func(w *world) {
		mapped(func(o *config.Organization) { o.Clearing["paypal/USD"] = w.org.AccountID(simulator.AccountPayPal) })(w)
	})
	w.start()
	card, wallet := w.payment("P1", "O1", "200"), w.payment("P2", "O1", "233")
	card.Fee, wallet.Gateway, wallet.Fee = &schemas.Fee{Amount: dec("5.8"), Currency: "USD"}, "PayPal", &schemas.Fee{Amount: dec("7.2"), Currency: "USD"}
	w.posted(w.send(w.order("O1"), card, wallet)...)
	// Gross, and the fee as an expense.
	w.balances(map[string]string{
		simulator.AccountStripe: "194.2", simulator.AccountPayPal: "225.8", simulator.AccountFees: "13", simulator.AccountReceivable: "0", simulator.AccountSales: "-400",
	})
	back := w.refund("R1", "O1", "P2", "33")
	back.Gateway = "paypal"
	w.posted(w.one(back))
	w.balances(map[string]string{simulator.AccountStripe: "194.2", simulator.AccountPayPal: "192.8"})

	unknown := w.payment("P3", "O1", "1")
	unknown.Gateway = "piggy bank"
	out := w.rejected(w.one(unknown), "rejected.account")
	refund := w.refund("R2", "O1", "P1", "1")
	refund.Gateway = "piggy bank"
	for _, message := range []string{out.Error.Message, w.rejected(w.one(refund), "rejected.account").Error.Message} {
		if !strings.Contains(message, "piggy bank/USD") {
			t.Errorf("%q does not name the mapping", message)
		}
	}
	w.balances(map[string]string{simulator.AccountStripe: "194.2", simulator.AccountPayPal: "192.8"})
}

// Shipping, a fee, a tip and goods of two kinds are sold on accounts of their own and taken back from the same.
func TestACreditIsOnTheAccountsOfWhatWasSold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{}, kinds, func(w *world) {
		mapped(func(o *config.Organization) {
			o.LineTargets["SHIPPING"] = config.LineTarget{ItemID: w.org.ItemID(simulator.ItemShipping)}
			o.LineTargets["FEE"] = config.LineTarget{AccountID: w.org.AccountID(simulator.AccountOther)}
			o.LineTargets["ROUNDING"] = config.LineTarget{AccountID: w.org.AccountID(simulator.AccountRounding)}
		})(w)
	})
	w.start()
	shipping := sold("2", "1", "20")
	shipping.Kind = schemas.LineShipping
	o := w.selling(w.order("O1"), sold("1", "2", "100"), shipping, plain("3", schemas.LineFee, "7"), plain("4", schemas.LineTip, "5"))
	w.posted(w.send(o, w.payment("P1", "O1", o.Totals.Gross.String()))...)
	w.balances(map[string]string{
		simulator.AccountSales: "-200", simulator.AccountShipping: "-20", simulator.AccountOther: "-7", simulator.AccountTips: "-5", simulator.AccountTaxPayable: "-18.15",
	})
	goods := w.refund("R1", "O1", "P1", "108.25")
	goods.Lines = []schemas.RefundLine{{LineID: "1", Quantity: dec("1"), Amount: dec("108.25")}}
	freight := w.refund("R2", "O1", "P1", "26.65")
	freight.Lines = []schemas.RefundLine{{LineID: "2", Quantity: dec("1"), Amount: dec("21.65")}, {LineID: "4", Quantity: dec("1"), Amount: dec("5")}}
	w.posted(w.send(goods, freight)...)
	w.balances(map[string]string{
		simulator.AccountSales: "-100", simulator.AccountShipping: "0", simulator.AccountOther: "-7", simulator.AccountTips: "0", simulator.AccountTaxPayable: "-8.25",
	})
	w.posted(w.one(w.cancelled(o)))
	w.balances(map[string]string{
		simulator.AccountSales: "0", simulator.AccountShipping: "0", simulator.AccountOther: "0", simulator.AccountTips: "0", simulator.AccountTaxPayable: "0",
		simulator.AccountReceivable: "0",
	})
	l := w.sim.Ledger(orgID)
	for _, n := range l.CreditNotes {
		for _, line := range n.Lines {
			if line.InvoiceID == "" || line.InvoiceLine == "" {
				t.Errorf("%s: %q does not say which line of the invoice it takes back", n.BusinessID, line.Name)
			}
		}
	}
}

// What isn't mapped, or may not be without more, is rejected by name before a call.
func TestTaxesAndItemsThatAreNotMapped(t *testing.T) {
	t.Parallel()
	taxed := func(code string, amount string) func(o *schemas.Order) {
		return func(o *schemas.Order) {
			o.Lines[0].Taxes = []schemas.Tax{{Code: code, Rate: decimal.NewNullDecimal(dec(amount).Div(dec("4"))), Amount: dec(amount), CollectedBy: schemas.CollectedBySeller}}
			o.Totals.Tax, o.Totals.Gross = dec(amount), dec("400").Add(dec(amount))
		}
	}
	for name, tt := range map[string]struct {
		change func(o *schemas.Order)
		class  string
		names  string
	}{
		"a tax code":                            {taxed("Moon Tax", "40"), "rejected.tax", "Moon Tax"},
		"reverse charge without a tax number":   {taxed("reverse", "0"), "rejected.tax", "tax_number"},
		"a kind of line":                        {func(o *schemas.Order) { o.Lines[0].Kind = schemas.LineService }, "rejected.account", "SERVICE"},
		"a location":                            {func(o *schemas.Order) { o.Location = "Atlantis" }, "rejected.account", "Atlantis"},
		"a test event in a live organisation":   {func(o *schemas.Order) { o.Test = true }, "rejected.test", "test event"},
		"a currency that Zoho does not have":    {func(o *schemas.Order) { o.Currency = "ZMW" }, "rejected.currency", "ZMW"},
		"another currency without a rate":       {func(o *schemas.Order) { o.Currency = "EUR" }, "rejected.currency", "exchange_rate"},
		"more decimals than the currency has":   {func(o *schemas.Order) { o.Totals.Gross = dec("433.001") }, "rejected.totals", "433.001"},
		"a tax that a marketplace has to remit": {func(o *schemas.Order) { o.Lines[0].Taxes[0].CollectedBy = schemas.CollectedByMarketplace }, "rejected.tax", "marketplace"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Switches{}, func(w *world) {
				mapped(func(o *config.Organization) {
					o.Live = true
					o.Taxes["reverse"] = config.TaxTarget{TaxID: w.org.TaxID(simulator.TaxZero), ReverseCharge: true}
				})(w)
			})
			w.start()
			o := w.order("O1")
			tt.change(o)
			r := w.one(o)
			out := w.rejected(r, tt.class)
			if !strings.Contains(out.Error.Message, tt.names) || out.Calls != 0 {
				t.Errorf("%d calls, message %q does not name %q", out.Calls, out.Error.Message, tt.names)
			}
			l := w.sim.Ledger(orgID)
			if len(l.Journal)+len(l.Invoices)+len(l.Contacts) > 0 {
				t.Errorf("the books hold something: %+v", l)
			}
		})
	}
}

// A location goes onto invoice and credit note; e-invoices are named in the outcome as Zoho answers them.
func TestLocationsAndEInvoices(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{}, mapped(func(o *config.Organization) { o.Locations = map[string]string{"berlin": "460000000038080"} }))
	w.start()
	o := w.two("O1")
	o.Location = "berlin"
	w.posted(w.one(o))
	w.inject(simulator.Fault{Kind: simulator.FaultPush, BusinessID: "order:O1"})
	changed := w.updated(o, sold("b", "2", "100"))
	r := w.one(changed)
	w.posted(r)
	if out := w.await(r); !strings.Contains(out.Reason, "e-invoice") || !strings.Contains(out.Reason, "pushed") {
		t.Errorf("the outcome says %q", out.Reason)
	}
	for _, d := range []simulator.LedgerDocument{w.find("invoice", "order:O1"), w.find("creditnote", "correction:O1:2")} {
		if got := d.Edition["location_id"]; got != "460000000038080" {
			t.Errorf("%s is of location %q", d.BusinessID, got)
		}
	}
	w.balances(map[string]string{simulator.AccountSales: "-200", simulator.AccountReceivable: "216.5"})
}

// Not every amount has a base whose tax fits: what of a tax no credit note could take back is named by the last one.
func TestTheLastCreditNamesTheTaxThatStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{}, func(w *world) {
		mapped(func(o *config.Organization) {
			o.LineTargets["ROUNDING"] = config.LineTarget{AccountID: w.org.AccountID(simulator.AccountRounding)}
		})(w)
	})
	w.start()
	o := w.selling(w.order("O1"), sold("1", "1", "10"))
	o.Lines[0].Taxes[0].Amount, o.Totals.Tax, o.Totals.Gross = dec("0.83"), dec("0.83"), dec("10.83")
	w.posted(w.send(o, w.payment("P1", "O1", "10.83"))...)
	for _, id := range []string{"R1", "R2"} {
		if out := w.await(w.one(w.refund(id, "O1", "P1", "3.61"))); out.Status != schemas.StatusPosted || out.Difference.Valid {
			t.Errorf("%s is %s with the difference %v", id, out.Status, out.Difference)
		}
	}
	last := w.one(w.refund("R3", "O1", "P1", "3.61"))
	w.posted(last)
	out := w.await(last)
	if !out.Difference.Decimal.Equal(dec("0.02")) || !strings.Contains(out.Reason, "TX Sales Tax 0.02") {
		t.Errorf("difference %v, the outcome says %q", out.Difference, out.Reason)
	}
	w.balances(map[string]string{
		simulator.AccountSales: "0", simulator.AccountTaxPayable: "-0.02", simulator.AccountRounding: "0.02", simulator.AccountReceivable: "0", simulator.AccountStripe: "0",
	})
}

// A fee that only the payout tells comes as an event of its own, and is booked once.
func TestAFeeThatIsKnownLaterIsBookedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Switches{}, mapped(func(o *config.Organization) { o.Journals = true }))
	w.start()
	p := w.payment("P1", "O1", "433")
	fee := w.became(p, schemas.PaymentFee, "12.86")
	records := w.send(w.order("O1"), p, fee)
	w.posted(records...)
	books := map[string]string{simulator.AccountStripe: "420.14", simulator.AccountFees: "12.86", simulator.AccountReceivable: "0", simulator.AccountSales: "-400"}
	w.balances(books)
	if out := w.await(records[2]); len(out.Documents) != 1 || out.Documents[0].Date != "2026-03-09" || !out.Posted.Decimal.Equal(dec("12.86")) {
		t.Errorf("posted %v, documents %+v", out.Posted, out.Documents)
	}
	again := *fee
	again.Event = w.event()
	again.OccurredAt = fee.OccurredAt
	w.duplicate(w.one(&again), "same")
	other := w.became(p, schemas.PaymentFee, "13")
	w.rejected(w.one(other), "rejected.conflict")
	w.balances(books)

	with := w.payment("P2", "O2", "433")
	with.Fee = &schemas.Fee{Amount: dec("5"), Currency: "USD"}
	w.posted(w.send(w.order("O2"), with)...)
	w.rejected(w.one(w.became(with, schemas.PaymentFee, "5")), "rejected.conflict")
	w.rejected(w.one(w.became(with, schemas.PaymentFee, "")), "rejected.totals")
	w.balances(map[string]string{simulator.AccountFees: "17.86"})
}
