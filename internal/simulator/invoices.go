package simulator

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/internal/simulator/journal"
)

// invoiceState is what is stored; partially paid, paid and overdue follow from the balance and the day.
type invoiceState uint8

const (
	invoiceDraft invoiceState = iota
	invoiceSent
	invoiceVoid
)

type invoice struct {
	sale
	state      invoiceState
	dueDate    string
	terms      int
	termsLabel string
	issued     string // the day it left draft
	emailed    bool
	pushed     bool // its e-invoice is registered
	writtenOff decimal.Decimal
	balance    decimal.Decimal // of a draft or void invoice its total, as recorded
	openBase   decimal.Decimal // what of its receivable is open, base currency
	applied    []*application
	lastPaid   string
	posted     []journal.Line
}

func (inv *invoice) status(today string) string {
	switch {
	case inv.state == invoiceDraft:
		return "draft"
	case inv.state == invoiceVoid:
		return "void"
	case inv.balance.IsZero():
		return "paid"
	case inv.dueDate < today:
		return "overdue"
	case inv.balance.LessThan(inv.total):
		return "partially_paid"
	}
	return "sent"
}

// appliedSum is what payments took, or else what credits took, in the invoice's currency.
func (inv *invoice) appliedSum(payments bool) decimal.Decimal {
	sum := decimal.Zero
	for _, a := range inv.applied {
		if payments == (a.payment != nil) {
			sum = sum.Add(a.amount)
		}
	}
	return sum
}

func (c *call) invoice(id uint64) (*invoice, *failure) {
	if inv, ok := c.org.invoices.get(id); ok {
		return inv, nil
	}
	return nil, notFound("Invoice")
}

func createInvoice(c *call) *failure {
	b := c.org
	if f := invoiceSchema.check(&c.body, b.org.Edition, b.invalidElement()); f != nil {
		return f
	}
	inv := &invoice{termsLabel: "Due on Receipt"}
	inv.id, inv.created, inv.modified, inv.skew = b.newID(), c.now, c.now, c.cents
	auto := b.autoInvoice()
	number, f := c.chooseNumber("invoice_number", auto, inv.number)
	if f != nil {
		return f
	}
	if f := b.fillInvoice(c, inv); f != nil {
		return f
	}
	if f := b.takeInvoiceNumber(c, inv, number); f != nil {
		return f
	}
	if number == auto {
		b.nextInvoice++
	}
	inv.balance = inv.total
	b.invoices.add(inv)
	b.invoices.rename(inv, "", inv.reference)
	inv.customer.invoices++
	if c.body.isTrue("send") || c.query.Get("send") == "true" {
		b.issueInvoice(inv, c)
		inv.emailed = true
	}
	c.created("invoices", inv.id)
	return answerInvoice(c, inv, "The invoice has been created.")
}

// autoInvoice is the next automatic number that is free.
func (b *books) autoInvoice() string {
	for {
		number := fmt.Sprintf("INV-%06d", b.nextInvoice)
		if b.invoices.byNumber[number] == nil {
			return number
		}
		b.nextInvoice++
	}
}

// chooseNumber is the number a request asks for, or the automatic one. Naming one takes the query flag; the flag in the
// body does nothing (dossier 3.2).
func (c *call) chooseNumber(field, auto, old string) (string, *failure) {
	asked := c.body.str(field)
	switch {
	case asked == "" || asked == old:
		if old != "" {
			return old, nil
		}
		return auto, nil
	case asked == auto && old == "":
		return auto, nil
	case c.query.Get("ignore_auto_number_generation") != "true":
		return "", refuse(400, codeAutoNumber, "Number entered does not match the auto-generated number. "+
			"You can disable auto-generation and continue with your own number.")
	}
	return asked, nil
}

func (b *books) takeInvoiceNumber(c *call, inv *invoice, number string) *failure {
	holder := b.invoices.byNumber[number]
	reusable := holder != nil && holder.state == invoiceVoid && b.sim.cfg.Switches.ReuseVoidNumbers
	if holder != nil && holder != inv && !c.twin && !reusable {
		return refuse(400, codeExists, "Invoice Number already exist")
	}
	if b.invoices.byNumber[inv.number] == inv {
		delete(b.invoices.byNumber, inv.number)
	}
	inv.number = number
	b.invoices.byNumber[number] = inv
	return nil
}

// fillInvoice reads a request into inv, which is new or a copy of the one to change, and adds it up.
func (b *books) fillInvoice(c *call, inv *invoice) *failure {
	v := &c.body
	if f := b.fillSale(c, &inv.sale, EntityInvoice); f != nil {
		return f
	}
	self, _ := b.invoices.get(inv.id)
	if !c.twin {
		if f := unique(b, &b.invoices, self, inv.fields); f != nil {
			return f
		}
	}
	if m, ok := v.get("payment_terms"); ok {
		inv.terms = int(m.number().IntPart())
		inv.termsLabel = "Net " + itoa(inv.terms)
	} else if self == nil {
		inv.terms, inv.termsLabel = inv.customer.terms, inv.customer.termsLabel
	}
	v.into("payment_terms_label", &inv.termsLabel)
	if due := v.str("due_date"); due != "" {
		inv.dueDate = due
	} else if _, dated := v.get("date"); dated || inv.dueDate == "" {
		day, _ := time.Parse(time.DateOnly, inv.date)
		inv.dueDate = day.AddDate(0, 0, inv.terms).Format(time.DateOnly)
	}
	if inv.dueDate < inv.date {
		return refuse(400, codeInvalidValue, "Due date cannot be before the invoice date.")
	}
	if m, ok := v.get("discount"); ok {
		inv.discountText, inv.discountPercent, inv.discountAmount = m.text, decimal.Zero, decimal.Zero
		if percent, is := strings.CutSuffix(m.text, "%"); is {
			inv.discountPercent = mustDecimal(percent)
		} else {
			inv.discountAmount = mustDecimal(m.text)
		}
		if inv.discountPercent.IsNegative() || inv.discountAmount.IsNegative() {
			return invalidValue("discount")
		}
	}
	if v.str("discount_type") == "item_level" && inv.discountText != "" {
		inv.discountText, inv.discountPercent, inv.discountAmount = "", decimal.Zero, decimal.Zero
	}
	if m, ok := v.get("is_discount_before_tax"); ok {
		inv.discountAfter = m.text == "false"
	}
	if _, ok := v.get("shipping_charge"); ok {
		inv.shipping = v.dec("shipping_charge").Round(inv.currency.Precision)
	}
	if _, ok := v.get("adjustment"); ok {
		inv.adjustment = v.dec("adjustment").Round(inv.currency.Precision)
	}
	v.into("adjustment_description", &inv.adjustmentText)
	return b.addUp(&inv.sale)
}

// issueInvoice takes an invoice out of draft: it enters the ledger.
func (b *books) issueInvoice(inv *invoice, c *call) {
	if inv.state != invoiceDraft {
		return
	}
	inv.state, inv.issued, inv.modified = invoiceSent, b.today(c.now), c.now
	b.postInvoice(inv, "invoice.sent")
}

func getInvoice(c *call) *failure {
	inv, f := c.invoice(c.ids[0])
	if f != nil {
		return f
	}
	return answerInvoice(c, inv, "success")
}

func updateInvoice(c *call) *failure {
	inv, f := c.invoice(c.ids[0])
	if f != nil {
		return f
	}
	return changeInvoice(c, inv)
}

func changeInvoice(c *call, inv *invoice) *failure {
	b := c.org
	if f := invoiceSchema.check(&c.body, b.org.Edition, b.invalidElement()); f != nil {
		return f
	}
	money := c.body.touchesMoney()
	paid := inv.state == invoiceSent && inv.balance.IsZero() && len(inv.applied) > 0
	switch customer := c.body.id("customer_id"); {
	case inv.pushed && money:
		return errPushed
	case (inv.state == invoiceVoid || paid) && money:
		return refuse(http.StatusBadRequest, codeStatus, "Paid and void invoices cannot be modified.")
	case customer != 0 && customer != inv.customer.id && len(inv.applied) > 0:
		return refuse(http.StatusBadRequest, codeCustomerBound, "The customer of this invoice cannot be changed since payments have been recorded for it.")
	}
	if f := b.locked(inv.date, c.body.str("date")); f != nil && money {
		return f
	}
	changed := *inv
	changed.lines = append([]line(nil), inv.lines...)
	changed.skew = inv.skew.Add(c.cents)
	if f := b.fillInvoice(c, &changed); f != nil {
		return f
	}
	applied := inv.total.Sub(inv.balance)
	if inv.state == invoiceSent && changed.total.LessThan(applied) {
		return refuse(http.StatusBadRequest, codeAboveBalance, "The invoice total cannot be less than the amount already paid.")
	}
	number, f := c.chooseNumber("invoice_number", "", inv.number)
	if f != nil {
		return f
	}
	if f := b.takeInvoiceNumber(c, inv, number); f != nil {
		return f
	}
	changed.number = number
	b.replaceInvoice(inv, &changed, c.now)
	return answerInvoice(c, inv, "Invoice information has been updated.")
}

// replaceInvoice puts a changed copy in inv's place: in the indexes and, when it is issued, in the ledger.
func (b *books) replaceInvoice(inv, changed *invoice, now time.Time) {
	issued := inv.posted != nil
	if issued {
		b.unpostInvoice(inv, "invoice.updated")
	}
	b.invoices.dropFields(inv)
	b.invoices.rename(inv, inv.reference, changed.reference)
	inv.customer.invoices--
	changed.posted, changed.openBase, changed.balance, changed.modified = nil, decimal.Zero, changed.total, now
	*inv = *changed
	inv.customer.invoices++
	b.invoices.indexFields(inv)
	if issued {
		b.postInvoice(inv, "invoice.updated")
		for _, a := range inv.applied {
			inv.balance, inv.openBase = inv.balance.Sub(a.amount), inv.openBase.Sub(a.toBase)
			inv.customer.receivable = inv.customer.receivable.Sub(a.amount)
		}
	}
}

// touchesMoney says whether a request changes more than notes, references and custom fields.
func (v *value) touchesMoney() bool {
	for i := range v.nodes {
		switch v.nodes[i].name {
		case "notes", "terms", "reference_number", "custom_fields", "invoice_number", "creditnote_number", "description", "salesperson_name", "tags", "template_id":
		default:
			return true
		}
	}
	return false
}

func deleteInvoice(c *call) *failure {
	inv, f := c.invoice(c.ids[0])
	if f != nil {
		return f
	}
	switch {
	case !inv.appliedSum(true).IsZero():
		return refuse(http.StatusBadRequest, codeHasPayments, "Payments have been recorded for this invoice. It cannot be deleted.")
	case !inv.appliedSum(false).IsZero():
		return refuse(http.StatusBadRequest, codeHasCredits, "Credits have been applied to this invoice. It cannot be deleted.")
	}
	if f := c.org.locked(inv.date); f != nil {
		return f
	}
	c.org.removeInvoice(inv)
	return c.say("The invoice has been deleted.")
}

func (b *books) removeInvoice(inv *invoice) {
	b.unpostInvoice(inv, "invoice.deleted")
	if b.invoices.byNumber[inv.number] == inv {
		delete(b.invoices.byNumber, inv.number)
	}
	b.invoices.rename(inv, inv.reference, "")
	b.invoices.remove(inv)
	inv.customer.invoices--
}
