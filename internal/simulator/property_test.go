package simulator

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/shopspring/decimal"
)

// TestBooksBalanceAfterEveryOperation drives random operations, foreign currencies included, and checks after each that
// the trial balance is zero and that the control accounts say what the documents say.
func TestBooksBalanceAfterEveryOperation(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			w := &walk{bundle: setup(t, func(c *Config) {
				c.Organizations = []Org{unlimited(DefaultOrgIn(testOrg, []string{"US", "IN", "CA"}[seed%3])).WithFields()}
				c.Switches.AcceptPaymentWithoutInvoices = true
				c.Switches.ItemLevelTax = seed%2 == 1
				if seed == 5 {
					c.Organizations[0].RoundOff = RoundOff{Type: "nearest_increment", Increment: "0.05"}
				}
			}), r: rand.New(rand.NewPCG(seed, 1))}
			for step := range 400 {
				what := w.step()
				w.check(step, what)
				if t.Failed() {
					return
				}
			}
			if w.done < 150 {
				t.Errorf("only %d of 400 operations were accepted", w.done)
			}
		})
	}
}

type walk struct {
	*bundle
	r                        *rand.Rand
	invoices, payments, note []string
	done                     int
}

func pick(r *rand.Rand, list []string) string {
	if len(list) == 0 {
		return "1"
	}
	return list[r.IntN(len(list))]
}

// step does one operation, which may well be refused; a 5xx never is a refusal.
func (w *walk) step() string {
	r := w.r
	taxes := w.sim.org(testOrg).taxOrder
	lines := func() string {
		out := ""
		for i := range 1 + r.IntN(4) {
			if i > 0 {
				out += ","
			}
			tax := ""
			if r.IntN(3) > 0 {
				tax = fmt.Sprintf(`,"tax_id":"%d"`, taxes[r.IntN(len(taxes))].id)
			}
			discount := ""
			if r.IntN(4) == 0 {
				discount = `,"discount":"7.5%"`
			}
			item := []string{ItemGoods, ItemService, ItemShipping, ItemTip}[r.IntN(4)]
			out += fmt.Sprintf(`{"item_id":%q,"rate":%d.%04d,"quantity":%d%s%s}`, w.org.ItemID(item), r.IntN(200), r.IntN(10000), 1+r.IntN(5), tax, discount)
		}
		return "[" + out + "]"
	}
	currency := func() string {
		code := []string{"USD", "EUR", "INR", "JPY", "KWD"}[r.IntN(5)]
		return fmt.Sprintf(`"currency_id":%q,"exchange_rate":%d.%04d`, w.org.CurrencyID(code), r.IntN(90), 1+r.IntN(9999))
	}
	amount := func() string { return fmt.Sprint(1 + r.IntN(400)) }
	inv, pay, note := pick(r, w.invoices), pick(r, w.payments), pick(r, w.note)
	some := amount()
	rate := fmt.Sprintf(`"exchange_rate":%d.%03d`, r.IntN(90), 1+r.IntN(999))
	var method, path, body string
	switch r.IntN(19) {
	case 0, 1, 2:
		method, path = "POST", "/invoices"
		body = fmt.Sprintf(`{"customer_id":%q,%s,"is_inclusive_tax":%v,"discount":%d,"is_discount_before_tax":%v,"shipping_charge":%d,"adjustment":0.%02d,"line_items":%s}`,
			w.customer, currency(), r.IntN(2) == 0, r.IntN(2), r.IntN(2) == 0, r.IntN(9), r.IntN(99), lines())
	case 3, 4:
		method, path = "POST", "/invoices/"+inv+"/status/sent"
	case 5:
		method, path = "POST", "/invoices/"+inv+[]string{"/status/void", "/status/draft"}[r.IntN(2)]
	case 6:
		method, path, body = "PUT", "/invoices/"+inv, fmt.Sprintf(`{"line_items":%s,%s}`, lines(), rate)
	case 7:
		method, path = "DELETE", []string{"/invoices/" + inv, "/customerpayments/" + pay, "/creditnotes/" + note}[r.IntN(3)]
	case 8, 9, 10:
		method, path = "POST", "/customerpayments"
		invoices := fmt.Sprintf(`[{"invoice_id":%q,"amount_applied":%s}]`, inv, some)
		body = fmt.Sprintf(`{"customer_id":%q,"payment_mode":"cash","amount":%d,"date":"2026-06-09","bank_charges":%d,"account_id":%q,%s,"invoices":%s}`,
			w.customer, 1+r.IntN(600), r.IntN(3), w.org.AccountID(AccountPayPal), rate, []string{invoices, invoices, "[]"}[r.IntN(3)])
		if a := w.call("GET", "/invoices/"+inv, ""); a.status == 200 && r.IntN(2) == 0 {
			balance := a.str("invoice.balance") // exactly what is open
			body = fmt.Sprintf(`{"customer_id":%q,"payment_mode":"cash","amount":%s,"date":"2026-06-09",%s,"invoices":[{"invoice_id":%q,"amount_applied":%s}]}`,
				w.customer, balance, rate, inv, balance)
		}
	case 11:
		method, path, body = "POST", "/customerpayments/"+pay+"/refunds", fmt.Sprintf(`{"date":"2026-06-09","amount":%s,%s,"from_account_id":%q}`, some, rate, w.org.AccountID(AccountPayPal))
	case 12, 13:
		method, path, body = "POST", "/creditnotes", fmt.Sprintf(`{"customer_id":%q,"date":"2026-06-09",%s,"line_items":%s}`, w.customer, currency(), lines())
	case 14, 15:
		method, path, body = "POST", "/creditnotes/"+note+"/invoices", fmt.Sprintf(`{"invoices":[{"invoice_id":%q,"amount_applied":%s}]}`, inv, some)
	case 16:
		method, path, body = "POST", "/creditnotes/"+note+"/refunds", fmt.Sprintf(`{"date":"2026-06-09","amount":%s,%s,"from_account_id":%q}`, some, rate, w.org.AccountID(AccountPayPal))
	case 17:
		method, path, body = "POST", "/invoices/"+inv+"/credits", fmt.Sprintf(`{"invoice_payments":[{"payment_id":%q,"amount_applied":%s}],"apply_creditnotes":[]}`, pay, some)
	case 18:
		method, path, body = "PUT", "/customerpayments/"+pay, fmt.Sprintf(`{"amount":%s,%s}`, some, rate)
	}
	a := w.call(method, path, body)
	switch {
	case a.status >= 500 || a.status == 401:
		w.t.Errorf("%s %s %s: %d %s", method, path, body, a.status, a.raw)
	case a.status < 300:
		w.done++
	}
	if a.status == 201 {
		switch path {
		case "/invoices":
			w.invoices = append(w.invoices, a.str("invoice.invoice_id"))
		case "/customerpayments":
			w.payments = append(w.payments, a.str("payment.payment_id"))
		case "/creditnotes":
			w.note = append(w.note, a.str("creditnote.creditnote_id"))
		}
	}
	return fmt.Sprintf("%s %s %s -> %d %s", method, path, body, a.status, a.str("message"))
}

func (w *walk) check(step int, what string) {
	b := w.sim.org(testOrg)
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.broken != nil || !b.journal.Sum().IsZero() {
		w.t.Fatalf("step %d, %s: the books do not balance: %v, %s", step, what, b.broken, b.journal.Sum())
	}
	receivable, unearned := decimal.Zero, decimal.Zero
	for _, inv := range b.invoices.live() {
		if inv.state == invoiceSent {
			receivable = receivable.Add(inv.openBase)
			if !inv.balance.Add(inv.appliedSum(true)).Add(inv.appliedSum(false)).Equal(inv.total) {
				w.t.Fatalf("step %d, %s: invoice %s: balance %s and applications do not make up %s", step, what, inv.number, inv.balance, inv.total)
			}
			if inv.balance.IsZero() && !inv.openBase.IsZero() {
				w.t.Fatalf("step %d, %s: invoice %s is paid and %s stay open in base currency", step, what, inv.number, inv.openBase)
			}
		} else if len(inv.applied) > 0 {
			w.t.Fatalf("step %d, %s: invoice %s is %s and has applications", step, what, inv.number, inv.status("2026-06-09"))
		}
		if inv.balance.IsNegative() {
			w.t.Fatalf("step %d, %s: invoice %s has a balance of %s", step, what, inv.number, inv.balance)
		}
	}
	for _, p := range b.payments.live() {
		unearned = unearned.Add(p.openBase)
		sum := p.unused.Add(p.refunded())
		for _, a := range p.applied {
			sum = sum.Add(a.amount)
		}
		if !sum.Equal(p.amount) || p.unused.IsNegative() {
			w.t.Fatalf("step %d, %s: payment %s of %s: unused %s", step, what, p.number, p.amount, p.unused)
		}
	}
	for _, n := range b.notes.live() {
		unearned = unearned.Add(n.openBase)
		if n.state == noteOpen && (!n.balance.Add(n.used()).Add(n.refunded()).Equal(n.total) || n.balance.IsNegative()) {
			w.t.Fatalf("step %d, %s: credit note %s of %s: balance %s", step, what, n.number, n.total, n.balance)
		}
	}
	if got := b.journal.Balance(b.system.receivable.index); !got.Equal(receivable) {
		w.t.Fatalf("step %d, %s: receivables are %s, open invoices %s", step, what, got, receivable)
	}
	if got := b.journal.Balance(b.system.unearned.index); !got.Equal(unearned.Neg()) {
		w.t.Fatalf("step %d, %s: unearned revenue is %s, unused payments and open credit notes %s", step, what, got, unearned)
	}
}
