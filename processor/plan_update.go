package processor

import (
	"fmt"
	"slices"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/processor/money"
	"github.com/booksync/booksync/schemas"
)

// An issued invoice is corrected by further documents, never rewritten (accounting rule 10). A later revision is compared
// with what the last one ordered, line by line:
//
//   - What came on, lines, quantities, prices, is a further invoice with the key order:O1:<revision>.
//   - What went off is a credit note with the key correction:O1:<revision>, applied to what the order's invoices owe; the rest
//     of it stays open, and refunds take their money from it.
//   - A line whose tax or account changed went off and came on.
//   - What refunds have credited already is not credited again (rule 3): value is credited by whichever comes first.

// correctionPlan is what a later revision does to an order whose invoice was issued.
type correctionPlan struct {
	Invoice *invoicePlan // what came on; nil: nothing
	// InvoiceKey is the further invoice's key.
	InvoiceKey string
	Credit     *creditPlan // what went off and no refund has credited; nil: nothing
	// Matched is what went off and refunds have credited before.
	Matched decimal.Decimal
	// Raised is the order when only the further invoice is written, Ordered when everything is.
	Raised, Ordered *OrderedState
	// Total is the order's new total.
	Total decimal.Decimal
}

// nothing says whether the revision changes no document.
func (p *correctionPlan) nothing() bool { return p.Invoice == nil && p.Credit == nil }

// thisInvoice stands for the further invoice of the same plan, which has no id yet.
const thisInvoice = "(this)"

// correction is a plan in the making.
type correction struct {
	*sheet
	target  *invoicePlan
	st      *OrderState
	before  *OrderedState
	written ofRevision // what the books have of this revision
	origin  string
	up      []InvoiceLine        // what came on
	upItems []zohobooks.LineItem // the same, as requested
	down    []schemas.RefundLine // what went off
}

// planCorrection plans what a revision of an issued order changes, which is correctable. target is its invoice as if it were new, written what the
// books have of the revision already and the state has not, origin the text of the origin field.
func planCorrection(s *sheet, target *invoicePlan, st *OrderState, written ofRevision, origin string) (*correctionPlan, *Rejection) {
	c := &correction{sheet: s, target: target, st: st, before: st.ordered(), written: written, origin: origin}
	c.compare()
	plan := &correctionPlan{
		Total: target.Total, InvoiceKey: furtherKey(s.order.OrderID, s.order.Revision),
		Ordered: &OrderedState{Total: target.Total, Adjustment: target.Request.Adjustment.Decimal, Lines: target.Lines},
	}
	more := target.Total.Sub(c.before.Total)
	came := c.sums()
	went := decimal.Zero
	if len(c.down) > 0 || len(c.up) == 0 || more.Sign() < 0 {
		went = decimal.Max(came.total.Sub(more), decimal.Zero)
	}
	if total := more.Add(went); total.Sign() > 0 {
		if r := c.raise(plan, came, total); r != nil {
			return nil, r
		}
	}
	if went.Sign() > 0 {
		if r := c.lower(plan, went); r != nil {
			return nil, r
		}
	}
	return plan, nil
}

// correctable refuses a revision of an order that takes something back itself by a credit note, before or after: of a draft, too.
func (p *invoicePlan) correctable(o *schemas.Order, st *OrderState) *Rejection {
	if p.Returned == nil && !st.tookBack() {
		return nil
	}
	return reject(classUnsupported, "revision %d changes order %s, which takes something back itself by a credit note beside its invoice: correct "+
		"it by hand, or send a new order", o.Revision, o.OrderID)
}

// compare finds what came on and what went off.
func (c *correction) compare() {
	used := make([]bool, len(c.before.Lines))
	for i := range c.target.Lines {
		now, item := c.target.Lines[i], c.target.Request.LineItems[i]
		j := slices.IndexFunc(c.before.Lines, func(was InvoiceLine) bool { return was.is(now.LineID) && was.bookedAs(&now) })
		if j < 0 || used[j] {
			if now.Amount.Sign() > 0 {
				c.up, c.upItems = append(c.up, now), append(c.upItems, item)
			}
			continue
		}
		used[j] = true
		was := &c.before.Lines[j]
		switch more := now.Amount.Sub(was.Amount); {
		case more.Sign() > 0:
			c.raiseLine(now, item, was, more)
		case more.Sign() < 0:
			c.down = append(c.down, schemas.RefundLine{
				LineID: was.LineID, Quantity: decimal.Max(was.Quantity.Sub(now.Quantity), decimal.Zero),
				Amount: decimal.Max(was.Gross.Sub(now.Gross), decimal.Zero),
			})
		}
	}
	for j := range c.before.Lines {
		if was := &c.before.Lines[j]; !used[j] && was.Amount.Sign() > 0 {
			c.down = append(c.down, schemas.RefundLine{LineID: was.LineID, Quantity: was.Quantity, Amount: was.Gross})
		}
	}
}

// raiseLine adds what came on of one line: further pieces at the same price, else the amount.
func (c *correction) raiseLine(now InvoiceLine, item zohobooks.LineItem, was *InvoiceLine, more decimal.Decimal) {
	pieces := now.Quantity.Sub(was.Quantity)
	item.Discount = zohobooks.Amount{}
	if pieces.Sign() > 0 && money.Round(now.Rate.Mul(pieces), c.currency).Equal(more) {
		now.Quantity = pieces
	} else {
		now.Quantity, now.Rate = one, more
		item.Rate = zohobooks.NewAmount(more)
	}
	now.Amount = more
	item.Quantity = zohobooks.NewAmount(now.Quantity)
	c.up, c.upItems = append(c.up, now), append(c.upItems, item)
}

// sums is what Zoho computes of the lines that came on; it gives them their value with tax.
func (c *correction) sums() zohoSums {
	lines := make([]zohoLine, len(c.up))
	for i := range c.up {
		lines[i] = c.up[i].zoho()
	}
	inclusive := c.order.PricesIncludeTax
	sums := c.org.zohoMode(c.currency, inclusive).compute(lines)
	for i := range c.up {
		c.up[i].Gross = c.up[i].Amount
		if !inclusive {
			c.up[i].Gross = c.up[i].Amount.Add(sums.taxes[i])
		}
	}
	return sums
}

// raise plans the further invoice over total.
func (c *correction) raise(plan *correctionPlan, came zohoSums, total decimal.Decimal) *Rejection {
	o, org := c.order, c.org
	req := *c.target.Request
	day, trueDate := org.posting(o.OccurredAt)
	req.Date, req.DueDate = day, org.dueDay(o, day)
	req.LineItems, req.Adjustment, req.AdjustmentDescription = c.upItems, zohobooks.Amount{}, ""
	req.Discount, req.DiscountType, req.DiscountBeforeTax = zohobooks.Amount{}, "", nil
	for i := range c.upItems {
		if c.upItems[i].Discount.Sign() > 0 {
			before := true
			req.DiscountType, req.DiscountBeforeTax = "item_level", &before
		}
	}
	inv := &invoicePlan{Request: &req, Total: total, Tax: came.tax, Lines: c.up, TrueDate: trueDate}
	if rest := total.Sub(came.total); rest.Sign() != 0 {
		changed := c.target.Request.Adjustment.Sub(c.before.Adjustment)
		if limit := tolerance(org, o).Add(changed.Abs()); rest.Abs().Cmp(limit) > 0 {
			return reject(classTotals, "revision %d: Zoho computes %s for what came on, but the order's total grew by %s: more than the tolerance of %s",
				o.Revision, amountText(came.total, c.currency), amountText(total, c.currency), amountText(limit, c.currency))
		}
		if len(c.up) == 0 {
			return reject(classUnsupported, "revision %d raises the order by %s of rounding and no line: an invoice needs a line; raise it by hand",
				o.Revision, amountText(total, c.currency))
		}
		req.Adjustment, req.AdjustmentDescription = zohobooks.NewAmount(rest), "Rounding"
		inv.Difference = rest.Sub(changed)
	}
	if increment := org.roundOffIncrement(); increment.Sign() > 0 {
		inv.Total = money.ToIncrement(total, increment)
		inv.RoundOff = inv.Total.Sub(total)
	}
	req.Notes = cleanLines(withTrueDate(fmt.Sprintf("Order changed (revision %d)", o.Revision), trueDate), maxNotes)
	req.CustomFields = customFields(org.Fields.Invoice, plan.InvoiceKey, withLineMarks(c.origin, c.up))
	plan.Invoice = inv
	plan.Raised = &OrderedState{Total: c.before.Total.Add(total), Adjustment: c.before.Adjustment.Add(req.Adjustment.Decimal), Lines: slices.Clone(c.before.Lines)}
	for _, l := range c.up {
		j := slices.IndexFunc(plan.Raised.Lines, func(was InvoiceLine) bool { return was.is(l.LineID) && was.bookedAs(&l) })
		if j < 0 {
			plan.Raised.Lines = append(plan.Raised.Lines, l)
			continue
		}
		was := &plan.Raised.Lines[j]
		was.Amount, was.Gross, was.Quantity = was.Amount.Add(l.Amount), was.Gross.Add(l.Gross), was.Quantity.Add(l.Quantity)
	}
	return nil
}

// lower plans the credit note of what went off, less what refunds have credited already.
func (c *correction) lower(plan *correctionPlan, went decimal.Decimal) *Rejection {
	o, st := c.order, c.st
	plan.Matched = decimal.Min(went, decimal.Max(st.creditedByRefunds().Sub(st.Matched), decimal.Zero))
	if note := c.written.Credit; note != nil { // refunds that came later credited nothing of it
		plan.Matched = decimal.Max(went.Sub(note.Total), decimal.Zero)
	}
	wanted := went.Sub(plan.Matched)
	if wanted.Sign() == 0 {
		return nil
	}
	if left := st.Invoiced().Sub(st.Credited()); wanted.Cmp(left) > 0 {
		return reject(classTotals, "revision %d takes %s off the order, but of its invoices only %s are left to credit", o.Revision,
			amountText(wanted, c.currency), amountText(left, c.currency))
	}
	day, trueDate := c.org.posting(o.OccurredAt)
	key := correctionKey(o.OrderID, o.Revision)
	co := creditOrder{
		key: key, reference: reference(key), day: day, trueDate: trueDate, notes: fmt.Sprintf("Order changed (revision %d)", o.Revision),
		origin: c.origin, wanted: wanted, refundLines: c.wanting(plan.Matched, wanted), location: o.Location,
	}
	note, r := composeCredit(co, c.org, st)
	if r != nil && r.Class == classTotals && len(co.refundLines) > 0 { // refunds by amount took from these lines, too
		co.refundLines = nil
		note, r = composeCredit(co, c.org, st)
	}
	if r != nil {
		return r
	}
	if have := c.written.Credit; have != nil {
		note.Lines = have.Lines
	}
	after := st
	if plan.Invoice != nil {
		after = st.withInvoice(&InvoiceState{ID: thisInvoice, Key: plan.InvoiceKey, Total: plan.Invoice.Total})
	}
	most := wanted
	if have := c.written.Credit; have != nil {
		most = decimal.Min(most, have.Total.Sub(have.Refunded))
	}
	note.applied(after, most)
	plan.Credit = note
	return nil
}

// wanting are the lines that went off, in all exactly the wanted value: less what refunds credited of them, the cents that
// rounding leaves on the largest.
func (c *correction) wanting(matched, wanted decimal.Decimal) []schemas.RefundLine {
	lines := slices.Clone(c.down)
	back := c.st.creditedLines()
	for _, all := range [2]bool{false, true} { // of the very lines first
		for i := range lines {
			take := decimal.Min(matched, lines[i].Amount)
			if !all {
				take = decimal.Min(take, back[lines[i].LineID])
			}
			lines[i].Amount, matched = lines[i].Amount.Sub(take), matched.Sub(take)
		}
	}
	lines = slices.DeleteFunc(lines, func(l schemas.RefundLine) bool { return l.Amount.Sign() == 0 })
	if len(lines) == 0 {
		return nil
	}
	sum, big := decimal.Zero, 0
	for i := range lines {
		sum = sum.Add(lines[i].Amount)
		if lines[i].Amount.Cmp(lines[big].Amount) > 0 {
			big = i
		}
	}
	lines[big].Amount = lines[big].Amount.Add(wanted.Sub(sum))
	if lines[big].Amount.Sign() <= 0 {
		return nil
	}
	return lines
}

// creditedLines is what refunds' own credit notes took back, by line of the order.
func (s *OrderState) creditedLines() map[string]decimal.Decimal {
	names := make(map[string]string)
	for _, inv := range s.living() {
		for i := range inv.Lines {
			names[inv.Lines[i].InvoiceItemID] = inv.Lines[i].LineID
		}
	}
	sums := make(map[string]decimal.Decimal)
	for i := range s.Credits {
		if drawable(s.Credits[i].Key) {
			continue
		}
		for _, l := range s.Credits[i].Lines {
			sums[names[l.InvoiceItemID]] = sums[names[l.InvoiceItemID]].Add(l.Gross)
		}
	}
	return sums
}

// bookedAs says whether two lines are on the same item, account and tax.
func (l *InvoiceLine) bookedAs(o *InvoiceLine) bool {
	return l.TaxID == o.TaxID && l.TaxExemptionID == o.TaxExemptionID && l.ItemID == o.ItemID &&
		(l.AccountID == o.AccountID || l.AccountID == "" || o.AccountID == "")
}

// is says whether the line is the order's line of this id; of lines that were rebuilt from the books a mark of it is known.
func (l *InvoiceLine) is(id string) bool {
	return l.LineID == id || l.Mark != "" && l.Mark == lineMark(id)
}
