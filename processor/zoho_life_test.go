package processor

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/internal/simulator"
)

// What a creditRun plans is posted to the simulator here, step by step; each step leaves a trial balance of zero.

func (c *creditRun) postInvoice(plan *invoicePlan) {
	c.t.Helper()
	inv, _ := c.z.planned(c.name, plan, c.order.Totals.Gross, c.order.Totals.Tax)
	st := c.st.Invoice
	st.ID, st.Number = inv.InvoiceID, inv.InvoiceNumber
	for i := range st.Lines {
		st.Lines[i].InvoiceItemID, st.Lines[i].AccountID = inv.LineItems[i].LineItemID, inv.LineItems[i].AccountID
	}
	c.st.ContactID = plan.Request.CustomerID
	c.z.balanced(c.name + " after the invoice")
}

func (c *creditRun) postPayment(amount decimal.Decimal) {
	c.t.Helper()
	p := paymentOf(amount.String(), c.order.Currency)
	c.steps++
	p.PaymentID, p.ExchangeRate = fmt.Sprint("P", c.steps), optDec("1.15")
	plan, r := planPayment(p, c.org, map[string]*OrderState{p.OrderID: c.st}, testOrigin)
	if r != nil {
		c.t.Fatalf("%s: %v", c.name, r)
	}
	var answer struct {
		Payment zohobooks.Payment `json:"payment"`
	}
	c.z.post("/customerpayments", plan.Request, &answer)
	c.paid = answer.Payment.PaymentID
}

// postCredit posts a credit note as it was planned, and applies what is to be applied.
func (c *creditRun) postCredit(plan *creditPlan, st *CreditState) {
	c.t.Helper()
	note := c.z.creditNote(plan.Request)
	if !note.Total.Equal(plan.Total) || !note.TaxTotal.Equal(plan.Tax) {
		c.t.Fatalf("%s: Zoho computes the credit note to %s with tax %s, the plan says %s with %s", c.name, note.Total, note.TaxTotal, plan.Total, plan.Tax)
	}
	st.DocumentID = note.CreditNoteID
	if plan.Apply.Sign() > 0 {
		c.z.apply(note.CreditNoteID, c.st.Invoice.ID, plan.Apply)
	}
	c.z.balanced(c.name + " after a credit note")
}

func (c *creditRun) postRefund(plan *refundPlan) {
	c.t.Helper()
	if plan.Credit != nil {
		cr := &c.st.Credits[len(c.st.Credits)-1]
		c.postCredit(plan.Credit, cr)
		if plan.FromCredit != nil {
			c.z.post("/creditnotes/"+cr.DocumentID+"/refunds", plan.FromCredit, nil)
		}
	}
	for _, e := range plan.FromExcess {
		c.z.post("/customerpayments/"+e.PaymentDocumentID+"/refunds", e.Request, nil)
	}
	c.z.balanced(c.name + " after a refund")
}

// inBooks compares what the books hold of an order that was taken back whole: per tax and per account the credit notes are
// the invoice, but for the recorded difference; nobody got more money than came in; nothing is owed.
func (c *creditRun) inBooks() {
	c.t.Helper()
	l := c.z.balanced(c.name + " in the end")
	taxes, accounts := map[string]decimal.Decimal{}, map[string]decimal.Decimal{}
	sum := func(docs []simulator.LedgerDocument, sign int64) (total decimal.Decimal) {
		for _, d := range docs {
			total = total.Add(d.Total)
			for _, x := range d.Taxes {
				taxes[x.Name] = taxes[x.Name].Add(x.Amount.Mul(decimal.NewFromInt(sign)))
			}
			for _, line := range d.Lines {
				accounts[line.Account] = accounts[line.Account].Add(line.Revenue.Mul(decimal.NewFromInt(sign)))
			}
		}
		return total
	}
	invoiced, credited := sum(l.Invoices, 1), sum(l.CreditNotes, -1)
	if !invoiced.Equal(credited) || !l.Invoices[0].Balance.IsZero() {
		c.t.Fatalf("%s: invoiced %s, credited %s, still owed %s", c.name, invoiced, credited, l.Invoices[0].Balance)
	}
	paid, returned := sum(l.Payments, 0), sum(l.Refunds, 0)
	if returned.GreaterThan(paid) {
		c.t.Fatalf("%s: %s came in and %s went back", c.name, paid, returned)
	}
	tax := decimal.Zero
	var stays []string
	for name, x := range taxes {
		tax = tax.Add(x)
		if !x.IsZero() {
			stays = append(stays, name+" "+amountText(x, c.order.Currency))
		}
	}
	slices.Sort(stays)
	if !tax.Equal(c.last.Difference) || strings.Join(stays, ", ") != c.last.Stays {
		c.t.Fatalf("%s: %s of tax stays (%v), the last plan says %s (%s)", c.name, tax, stays, c.last.Difference, c.last.Stays)
	}
	// What no credit note can give back exactly, tax by tax, is a few minor units on the rounding account.
	left := decimal.Zero
	for name, x := range accounts {
		if name == simulator.AccountRounding {
			continue
		}
		left = left.Add(x.Abs())
	}
	limit := c.books.unit().Mul(decimal.NewFromInt(int64(1 + 2*len(c.st.Credits)*max(1, len(taxes)))))
	if left.GreaterThan(limit) {
		c.t.Fatalf("%s: %s stay on the accounts: %v", c.name, left, accounts)
	}
	if len(stays) == 0 {
		c.exact++
	}
}

func TestAnOrderTakenBackLeavesNothingInTheBooks(t *testing.T) {
	t.Parallel()
	for _, rounding := range []string{"entity_level", "item_level"} {
		for _, negative := range []bool{false, true} {
			t.Run(fmt.Sprint(rounding, " negative lines ", negative), func(t *testing.T) {
				t.Parallel()
				const seed, enough = 31, 150 // fewer orders say too little of a share
				rnd := rand.New(rand.NewPCG(seed, 4))
				posted, refused, exact := 0, 0, 0
				for n := range max(propertyRuns()/2, enough) {
					org := company(t, "gcc", "GBP", "Europe/London")
					org.TaxRounding, org.NegativeLines = rounding, negative
					c := &creditRun{t: t, name: fmt.Sprintf("seed %d order %d", seed, n), rnd: rnd, org: org, z: newZoho(t, org)}
					s := newShop(rnd)
					if c.sharing = n%3 == 0; c.sharing {
						s.shareTaxes()
						s.codes = []string{"state", "city+county+district+state", "", "vat5"}
					}
					if !c.post(s) {
						refused++
						continue
					}
					for range rnd.IntN(5) {
						if c.left().Sign() > 0 {
							c.refund(false)
						}
					}
					if rnd.IntN(2) == 0 && c.left().Sign() > 0 {
						c.refund(true)
					}
					c.cancel()
					c.inBooks()
					posted++
					exact += c.exact
				}
				t.Logf("%d orders posted and taken back, %d refused, %d exact per tax", posted, refused, exact)
				if refused*100 > 12*(posted+refused) || exact*100 < 60*posted {
					t.Errorf("%d of %d orders are refused, %d exact", refused, posted+refused, exact)
				}
			})
		}
	}
}
