package processor

import (
	"cmp"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/processor/money"
	"github.com/booksync/booksync/schemas"
)

// roundingKind is the line target, and the optional tax code, of rounding lines in credit notes.
const roundingKind = string(schemas.LineRounding)

// creditOrder says what a credit note shall take back.
type creditOrder struct {
	key, reference, day, trueDate, notes, origin, location string
	// wanted is what the credit note must come to, tax included; positive, and at most what's left to credit.
	wanted decimal.Decimal
	// refundLines say what it's for; empty: an amount only.
	refundLines []schemas.RefundLine
	// goods: all of the goods are back (a cancellation), so stock may come back with them.
	goods bool
}

// composeCredit composes a credit note of exactly the wanted total as Zoho computes it, out of what earlier credit notes
// have left of the order's invoices, of which at least one lives. Amounts without lines are split over the tax rates, then over the lines, by largest remainder.
// A credit note that takes all that's left ends the invoice exactly: line by line, tax by tax, rounding included.
func composeCredit(co creditOrder, org *Organization, st *OrderState) (*creditPlan, *Rejection) {
	inv := st.living()[0]
	if st.InclusiveTax && !org.hasInclusiveCredits() {
		return nil, reject(classUnsupported, "invoice %s has prices that include tax, and in Zoho's %s edition credit notes can't: credit it by hand",
			inv.Number, org.Edition)
	}
	foreign := st.Currency != org.BaseCurrency
	if foreign && (!st.ExchangeRate.Valid || st.ExchangeRate.Decimal.Sign() <= 0) {
		return nil, reject(classCurrency, "the exchange rate of invoice %s is not known: a credit note needs the invoice's rate", inv.Number)
	}
	if r := org.checkRoundOff(co.wanted, st.Currency); r != nil {
		return nil, r
	}
	sh, r := newCreditSheet(co, org, st)
	if r != nil {
		return nil, r
	}
	if r := sh.allot(); r != nil {
		return nil, r
	}
	// The credit takes value back as it was given, at the rate it was given at (accounting rule 8).
	rate := st.ExchangeRate.Decimal
	if only := sh.only(); only != nil && only != inv {
		inv = only
		if inv.ExchangeRate.IsPositive() {
			rate = inv.ExchangeRate
		}
	}
	req := &zohobooks.CreditNoteRequest{
		CustomerID:     st.ContactID,
		Date:           co.day,
		Reference:      co.reference,
		IsInclusiveTax: st.InclusiveTax,
		LocationID:     cmp.Or(org.Locations[co.location], inv.LocationID),
		Notes:          cleanLines(withTrueDate(co.notes, co.trueDate), maxNotes),
		CustomFields:   customFields(org.Fields.CreditNote, co.key, co.origin),
	}
	inv.repeatEditionFields(req, org)
	if foreign {
		req.ExchangeRate = zohobooks.NewAmount(rate)
	}
	plan := &creditPlan{Key: co.key, Request: req, Total: co.wanted, TrueDate: co.trueDate}
	return plan, sh.write(plan)
}

// only is the invoice that the credit note takes back lines of, where that's one.
func (sh *creditSheet) only() *InvoiceState {
	var of *InvoiceState
	for i := range sh.lines {
		switch l := &sh.lines[i]; {
		case l.take == 0 && l.untaxed == 0:
		case of != nil && of != l.of:
			return nil
		default:
			of = l.of
		}
	}
	return of
}

// checkRoundOff: Zoho rounds the total of a credit note, too, by the organisation's preference, and it has no adjustment: only
// a whole number of increments can be credited.
func (o *Organization) checkRoundOff(wanted decimal.Decimal, currency string) *Rejection {
	increment := o.roundOffIncrement()
	if rounded := money.ToIncrement(wanted, increment); !rounded.Equal(wanted) {
		return reject(classTotals, "Zoho's round-off preference (%s) makes %s of a credit note of %s: turn it off in Zoho, or credit a multiple of it",
			o.RoundOff, amountText(rounded, currency), amountText(wanted, currency))
	}
	return nil
}

// applied plans that as much of this amount is applied as the invoices owe.
func (plan *creditPlan) applied(st *OrderState, amount decimal.Decimal) {
	plan.ApplyTo = st.owing(amount)
	plan.Apply = sumOfParts(plan.ApplyTo)
}

// repeatEditionFields gives a credit note the invoice's own tax treatment.
func (inv *InvoiceState) repeatEditionFields(req *zohobooks.CreditNoteRequest, org *Organization) {
	if inPlaceOfSupply[org.Edition] {
		req.PlaceOfSupply = inv.PlaceOfSupply
	}
	if inGST[org.Edition] {
		req.GSTTreatment, req.GSTNo = inv.GSTTreatment, inv.GSTNo
	}
	if inVAT[org.Edition] {
		req.VATTreatment = inv.VATTreatment
	}
	if inTaxTreatment[org.Edition] {
		req.TaxTreatment = inv.TaxTreatment
	}
	if inReverseCharge[org.Edition] {
		req.ReverseCharge = inv.ReverseCharge
	}
	if inTaxAuthority[org.Edition] {
		req.TaxAuthorityID = inv.TaxAuthorityID
	}
}

// write turns what was allotted into the request's lines and the plan's sums.
func (sh *creditSheet) write(plan *creditPlan) *Rejection {
	plan.Tax = decimal.Zero
	for _, c := range sh.cells {
		plan.Tax = plan.Tax.Add(sh.amount(c.tax))
	}
	plan.Tax = plan.Tax.Add(sh.amount(sh.shared))
	if sh.complete {
		sh.stays(plan)
	}
	for i := range sh.lines {
		l := &sh.lines[i]
		if l.take == 0 && l.untaxed == 0 {
			continue
		}
		cl := CreditedLine{
			InvoiceItemID: l.inv.InvoiceItemID, Amount: sh.amount(l.take), Untaxed: sh.amount(l.untaxed), Gross: sh.amount(l.take + l.taxShare + l.untaxed),
		}
		if len(plan.Lines) == 0 && !sh.mode.inclusive {
			cl.Gross = cl.Gross.Add(sh.amount(sh.shared))
		}
		if l.take != 0 {
			quantity, r := sh.quantity(l)
			if r != nil {
				return r
			}
			item := sh.item(l, quantity)
			cl.Quantity = item.Quantity.Decimal
			plan.Request.LineItems = append(plan.Request.LineItems, item)
		}
		if l.untaxed != 0 {
			item, r := sh.roundingLine(l.untaxed, l)
			if r != nil {
				return r
			}
			plan.Request.LineItems = append(plan.Request.LineItems, item)
		}
		plan.Lines = append(plan.Lines, cl)
	}
	if sh.rounding != 0 {
		item, r := sh.roundingLine(sh.rounding, nil)
		if r != nil {
			return r
		}
		plan.Request.LineItems = append(plan.Request.LineItems, item)
		plan.Lines = append(plan.Lines, CreditedLine{Gross: sh.amount(sh.rounding), Amount: sh.amount(sh.rounding)})
	}
	return nil
}

// item is the credit line that takes value back from an invoice line: on its item, its account and its tax.
func (sh *creditSheet) item(l *creditLine, quantity decimal.Decimal) zohobooks.LineItem {
	quantity, rate := priced(sh.amount(l.take), quantity, sh.mode.currency)
	item := zohobooks.LineItem{
		ItemID: l.inv.ItemID, AccountID: l.inv.AccountID, Name: l.inv.Name,
		Rate: zohobooks.NewAmount(rate), Quantity: zohobooks.NewAmount(quantity),
		TaxID: l.inv.TaxID, HSNOrSAC: l.inv.HSNOrSAC, TreatmentCode: l.inv.TreatmentCode,
		InvoiceID: l.of.ID, InvoiceItemID: l.inv.InvoiceItemID,
	}
	if inCreditExemption[sh.org.Edition] {
		item.TaxExemptionID = l.inv.TaxExemptionID
	}
	return item
}

// priced is the rate at which a quantity comes to amount; once at the amount, where no rate that Zoho keeps does.
func priced(amount, quantity decimal.Decimal, currency string) (decimal.Decimal, decimal.Decimal) {
	rate := amount.DivRound(quantity, maxRateScale)
	if !money.Round(rate.Mul(quantity), currency).Equal(amount) {
		return one, amount
	}
	return quantity, rate
}

// partScale is how many decimals a quantity in proportion gets: the two that an organisation shows unless it asks for more.
const partScale = 2

// quantity is how much of the invoice line the credit takes back: what the refund says, at most what's left; for a credit
// of value only a part in proportion, so that the quantities, too, end where the invoice's are. Stock-tracked items are
// credited only with the goods (accounting rule 5).
func (sh *creditSheet) quantity(l *creditLine) (decimal.Decimal, *Rejection) {
	if said := l.said.Quantity; said.Sign() > 0 {
		if l.quantityLeft.Sign() > 0 {
			said = decimal.Min(said, l.quantityLeft)
		}
		return said, nil
	}
	if sh.org.StockItems[l.inv.ItemID] && !sh.goods {
		return one, reject(classUnsupported, "line %s is an item whose stock is tracked, and the refund doesn't say how many came back: crediting it "+
			"would restock it; send lines with quantities, or credit it by hand", l.inv.LineID)
	}
	switch {
	case l.quantityLeft.Sign() <= 0:
		return one, nil
	case l.take >= l.left:
		return l.quantityLeft, nil
	}
	part := l.quantityLeft.Mul(decimal.NewFromInt(l.take)).DivRound(decimal.NewFromInt(l.left), partScale)
	return decimal.Max(part, decimal.New(1, -partScale)), nil
}

// roundingLine is a line without tax. Of an invoice line it's on that line's account, else on the rounding target.
func (sh *creditSheet) roundingLine(units int64, of *creditLine) (zohobooks.LineItem, *Rejection) {
	item := zohobooks.LineItem{Name: "Rounding", Rate: zohobooks.NewAmount(sh.amount(units)), Quantity: zohobooks.NewAmount(one)}
	if tax, ok := sh.org.Taxes[roundingKind]; ok && tax.Rate.Sign() == 0 {
		item.TaxID = tax.TaxID
		if inCreditExemption[sh.org.Edition] {
			item.TaxExemptionID = tax.ExemptionID
		}
	}
	if of != nil {
		item.AccountID = of.inv.AccountID
		item.Description = cleanLines("Rounding of the tax on "+of.inv.Name, maxDescription)
		item.InvoiceID, item.InvoiceItemID = of.of.ID, of.inv.InvoiceItemID
	}
	if item.AccountID == "" {
		target, ok := sh.org.lineTarget(roundingKind, "")
		if !ok {
			return item, reject(classAccount, "the credit needs a rounding line of %s and the kind %s is mapped to no item or account: map it, then replay",
				amountText(sh.amount(units), sh.mode.currency), roundingKind)
		}
		item.ItemID, item.AccountID = target.ItemID, target.AccountID
	}
	return item, nil
}
