package processor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/booksync/booksync/connectors/zohobooks"
)

const returnedKeyPrefix = "returned:"

// returnedKey is the key of the credit note of what an order takes back itself.
func returnedKey(orderID string) string { return returnedKeyPrefix + orderID }

func hasReturnedKey(key string) bool { return strings.HasPrefix(key, returnedKeyPrefix) }

// tookBack says whether the order took something back itself, by a credit note beside its invoice.
func (s *OrderState) tookBack() bool {
	return slices.ContainsFunc(s.Credits, func(c CreditState) bool { return hasReturnedKey(c.Key) })
}

// planReturned plans the credit note of what the order takes back itself (see takeBack); nil where there's nothing. It takes
// back no line of the invoice, so refunds of the order don't count it: it's the order's own, applied to its invoice whole.
func planReturned(s *sheet, inv *zohobooks.InvoiceRequest, origin string) *creditPlan {
	if !s.returns {
		return nil
	}
	o, org := s.order, s.org
	key := returnedKey(o.OrderID)
	req := &zohobooks.CreditNoteRequest{
		Date:           inv.Date,
		Reference:      reference(key),
		ExchangeRate:   inv.ExchangeRate,
		IsInclusiveTax: inv.IsInclusiveTax,
		PlaceOfSupply:  inv.PlaceOfSupply,
		GSTTreatment:   inv.GSTTreatment,
		GSTNo:          inv.GSTNo,
		VATTreatment:   inv.VATTreatment,
		TaxTreatment:   inv.TaxTreatment,
		ReverseCharge:  inv.ReverseCharge,
		TaxAuthorityID: inv.TaxAuthorityID,
		LocationID:     inv.LocationID,
		Notes:          cleanLines("Taken back by order "+orderReference(o), maxNotes),
		CustomFields:   customFields(org.Fields.CreditNote, key, origin),
	}
	plan := &creditPlan{Key: key, Request: req}
	for i := range s.lines {
		l := &s.lines[i]
		if !l.returned() {
			continue
		}
		quantity, rate := priced(l.post, l.Quantity.Abs(), s.currency)
		item := zohobooks.LineItem{
			ItemID: l.target.ItemID, AccountID: l.target.AccountID, Name: lineName(l.Line), Description: cleanLines(l.Description, maxDescription),
			Rate: zohobooks.NewAmount(rate), Quantity: zohobooks.NewAmount(quantity), TaxID: l.tax.TaxID,
		}
		if inTreatmentCode[org.Edition] {
			item.TreatmentCode = l.tax.TreatmentCode
		}
		if inCreditExemption[org.Edition] {
			item.TaxExemptionID = l.tax.ExemptionID
		}
		if inHSN[org.Edition] {
			item.HSNOrSAC = clean(l.HSNOrSAC, maxName)
		}
		req.LineItems = append(req.LineItems, item)
		plan.Lines = append(plan.Lines, CreditedLine{Quantity: quantity, Amount: l.post, Gross: l.post})
	}
	if len(plan.Lines) == 0 {
		return nil
	}
	sums := org.zohoMode(s.currency, o.PricesIncludeTax).compute(s.zohoLines((*sheetLine).returned))
	plan.Total, plan.Tax, plan.Apply = sums.total, sums.tax, sums.total
	if !o.PricesIncludeTax {
		for k := range plan.Lines {
			plan.Lines[k].Gross = plan.Lines[k].Amount.Add(sums.taxes[k])
		}
	}
	return plan
}

// takesBack says whether some of the order's lines go onto a credit note.
func (s *sheet) takesBack() bool {
	for i := range s.lines {
		if s.lines[i].returned() {
			return true
		}
	}
	return false
}

// less names, for the invoice's notes, the lines that were taken off others; "" where none were.
func (s *sheet) less() string {
	var b strings.Builder
	for i := range s.lines {
		l := &s.lines[i]
		if l.negative() && !l.back {
			fmt.Fprintf(&b, "Taken back: %s x %s, %s\n", l.Quantity.Abs(), lineName(l.Line), amountText(l.base, s.currency))
		}
	}
	return b.String()
}
