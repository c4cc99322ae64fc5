package processor

import (
	"fmt"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/schemas"
)

// wanted is the total that the event gives the invoice: Total, but where Zoho's round-off preference makes another of it.
func (p *invoicePlan) wanted(o *schemas.Order) decimal.Decimal {
	if p.Returned != nil {
		return o.Totals.Gross.Add(p.Returned.Total)
	}
	return o.Totals.Gross
}

// mismatched compares Zoho's total, tax and balance with the plan's and follows the policy: a difference within the
// tolerance, or any under the policy `flag`, stays and is named in the outcome; else the invoice gives up its key, is voided,
// and the order is rejected, so that a mended event can post again.
func (a *attempt) mismatched(inv *zohobooks.Invoice, plan *invoicePlan) *ending {
	org, tax := a.tenant.org(), invoiceTax(inv)
	total, taxes := inv.Total.Sub(plan.Total), tax.Sub(plan.Tax)
	switch open := inv.Balance.Sub(inv.Total.Decimal); {
	case !taxes.IsZero():
		a.result.Remark = fmt.Sprintf("Zoho Books computed the tax %s, planned was %s: check the rate of the taxes it is mapped to", tax, plan.Tax)
	case !plan.TaxDifference.IsZero() && plan.Difference.IsZero():
		a.result.Remark = fmt.Sprintf("tax %s, the order says %s: it rounds otherwise, within prices that include tax", tax, tax.Sub(plan.TaxDifference))
	case inv.Status == invoiceDraft && !open.IsZero():
		a.result.Remark = fmt.Sprintf("Zoho Books applied %s to the invoice by itself", open.Neg())
	}
	if total.IsZero() && taxes.IsZero() {
		return nil
	}
	a.p.log.Warn("invoice total or tax differs from the order's", "organization", a.Organization, "business_id", a.ref.ID, "invoice_id", inv.InvoiceID)
	if org.MismatchPolicy != "void" || decimal.Max(total.Abs(), taxes.Abs()).LessThanOrEqual(tolerance(org, a.order)) {
		return nil
	}
	v := &voidPlan{
		InvoiceID: inv.InvoiceID, Number: inv.InvoiceNumber, Date: inv.Date, Total: inv.Total.Decimal, Tax: tax,
		Fingerprint: a.fingerprint, Planned: plan.Total, PlannedTax: plan.Tax,
	}
	a.prog.Void = v
	return a.voidOwn(v).or(v.rejection())
}

// invoiceTax is the invoice's tax as answered: the total, or where the answer has none the sum of the taxes.
func invoiceTax(inv *zohobooks.Invoice) decimal.Decimal {
	if !inv.TaxTotal.IsZero() {
		return inv.TaxTotal.Decimal
	}
	sum := decimal.Zero
	for _, t := range inv.Taxes {
		sum = sum.Add(t.Amount.Decimal)
	}
	return sum
}
