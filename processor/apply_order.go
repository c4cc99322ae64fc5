package processor

import (
	"context"
	"slices"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/processor/money"
	"github.com/booksync/booksync/schemas"
)

// Zoho's codes for a customer that isn't there (any more): 1002 "The Customer is not accessible", 3004 "The Customer field
// can neither be blank nor incorrect".
var customerGone = map[string]bool{"1002": true, "3004": true}

// applyOrder creates the order's invoice and marks it sent: one call for a known customer, and its share of the bulk call.
func (a *attempt) applyOrder() *ending {
	o, org := a.order, a.tenant.org()
	if v := a.prog.Void; v != nil {
		if end := a.voidOwn(v); end != nil || v.Fingerprint == a.fingerprint {
			return end.or(v.rejection())
		}
	}
	if st := a.states[a.orderID]; st.Invoice == nil && a.prog.Correction != nil { // of an invoice that Redis does not know
		found, err := a.findOrder(a.orderID)
		if err != nil {
			return a.failed("looking for the order", err)
		}
		if found != nil {
			a.states[a.orderID], a.rebuilt = found, true
		}
	}
	if st := a.states[a.orderID]; st.Invoice != nil {
		return a.applyUpdate(st)
	}
	if rej := checkOpen("placed_at", o.PlacedAt, org); rej != nil { // of an update, the check knows when it happened only
		return &ending{reject: rej}
	}
	plan, rej := a.planInvoice(org)
	if rej != nil {
		return &ending{reject: rej}
	}
	st := &OrderState{Reference: plan.Request.Reference, Currency: o.Currency, ExchangeRate: o.ExchangeRate, InclusiveTax: o.PricesIncludeTax, CustomerID: o.Customer.ID,
		Payments: a.states[a.orderID].Payments} // advances
	if plan.Skip {
		a.result.Remark = "zero total: no invoice by policy"
		a.result.orders = map[string]*OrderState{a.orderID: st}
		return nil
	}
	var end *ending
	if st.ContactID, end = a.contact(); end != nil {
		return end
	}
	plan.Request.CustomerID = st.ContactID
	inv, end := a.invoiceBefore(plan)
	if a.invoiceMet = inv != nil; !a.invoiceMet && end == nil {
		inv, end = a.invoice(plan)
	}
	if end != nil {
		if end.reject != nil && customerGone[end.reject.Code] && a.w.contactRevision == 0 {
			if gone := a.forgetContact(&o.Customer, o.Currency); gone != nil {
				return gone
			}
			return a.parkFor(parkBackOff, 0)
		}
		return end
	}
	if inv == nil { // an earlier revision's is in the books, which Redis did not know
		return a.applyUpdate(a.states[a.orderID])
	}
	a.compared(plan.wanted(o), inv.Total.Decimal, plan.Difference)
	if end := a.mismatched(inv, plan); end != nil {
		return end
	}
	if end := a.markSent(inv); end != nil {
		return end
	}
	st.Invoice = plan.posted(inv)
	// With the order's own end Redis may have forgotten what was added to the invoice since: a payment.
	st.Partial = a.epoch.Loss && a.invoiceMet
	a.moved(plan.TrueDate, inv.Date)
	if st.Invoice.ReverseCharge == nil {
		st.Invoice.ReverseCharge = plan.Request.ReverseCharge
	}
	a.document(a.invoiceDocument(inv))
	a.registered(inv)
	a.result.invoiceAfter = &schemas.InvoiceAfter{Status: inv.Status, Balance: inv.Balance.Decimal}
	if end := a.takeBack(plan, inv, st); end != nil {
		return end
	}
	if st, end = a.takeAdvances(st); end != nil {
		return end
	}
	a.result.orders = map[string]*OrderState{a.orderID: st}
	return nil
}

// posted is what the order's claim keeps of an invoice that was written as planned.
func (p *invoicePlan) posted(inv *zohobooks.Invoice) *InvoiceState {
	lines := slices.Clone(p.Lines)
	for i := range lines {
		if i < len(inv.LineItems) {
			lines[i].InvoiceItemID = inv.LineItems[i].LineItemID
			if lines[i].AccountID == "" {
				lines[i].AccountID = inv.LineItems[i].AccountID // the item's own
			}
		}
	}
	return invoiceStateOf(inv, lines)
}

// invoice creates the order's invoice. It's nil without an ending where the books have an earlier revision's: then the order's state is
// rebuilt.
func (a *attempt) invoice(plan *invoicePlan) (*zohobooks.Invoice, *ending) {
	older := false
	inv, end := keyedCreate(a, stepInvoice, nil,
		func() (*zohobooks.Invoice, error) { return a.findInvoice(a.ref.key()) },
		func(inv *zohobooks.Invoice) *ending {
			value := fieldOf(inv, a.tenant.org().Fields.Invoice.Origin)
			if o, ok := parseOrigin(value); ok && o.Revision != a.revision && o.Order == orderMark(a.orderID) {
				if o.Revision > a.revision {
					a.found = &inBooks{Origin: value}
					a.result.orders = map[string]*OrderState{a.orderID: stateFromInvoice(inv, o)}
					return &ending{duplicate: duplicateStale}
				}
				a.states[a.orderID], a.rebuilt, older = stateFromInvoice(inv, o), true, true
				return nil
			}
			if end := a.adoptable(value, a.invoiceDocument(inv)); end != nil {
				if a.found != nil { // another record's: payments and refunds of the order need not look for it
					if unsent := a.markSent(inv); unsent != nil { // that record may not have come to this
						return unsent
					}
					o, _ := parseOrigin(value)
					a.result.orders = map[string]*OrderState{a.orderID: stateFromInvoice(inv, o)}
				}
				return end
			}
			a.invoiceMet = true
			return nil
		},
		func(ctx context.Context) (*zohobooks.Invoice, error) {
			return a.tenant.books.CreateInvoice(ctx, plan.Request)
		})
	if older {
		return nil, end
	}
	a.w.invoice, a.w.invoiceKey = inv, a.ref.key()
	return inv, end
}

func (a *attempt) invoiceDocument(inv *zohobooks.Invoice) schemas.Document {
	return schemas.Document{
		Type: "invoice", ID: inv.InvoiceID, Number: inv.InvoiceNumber, URL: a.documentURL("invoices", inv.InvoiceID),
		Status: inv.Status, Date: inv.Date, Total: inv.Total.Decimal, Tax: inv.TaxTotal.Decimal, Balance: inv.Balance.Decimal,
		BaseTotal: a.inBase(inv.BaseTotal, inv.Total, inv.CurrencyCode, inv.ExchangeRate),
	}
}

// markSent puts a draft into the ledger, with others in one call, unless policy leaves drafts.
func (a *attempt) markSent(inv *zohobooks.Invoice) *ending {
	if a.tenant.org().InvoicePolicy == "draft" || inv.Status != "draft" {
		return nil
	}
	if err := a.tenant.sent.mark(a.ctx, inv.InvoiceID); err != nil {
		return a.failed("marking the invoice sent", err)
	}
	inv.Status = "sent"
	return nil
}

// voidPlan is an invoice of booksync's own that is taken back because its total isn't the order's. It's kept with the steps:
// whoever goes on with them finishes it before anything else.
type voidPlan struct {
	InvoiceID   string          `json:"invoice_id"`
	Number      string          `json:"number"`
	Date        string          `json:"date"`
	Total       decimal.Decimal `json:"total"`
	Tax         decimal.Decimal `json:"tax"`
	Planned     decimal.Decimal `json:"planned"`
	PlannedTax  decimal.Decimal `json:"planned_tax"`
	Fingerprint string          `json:"fingerprint"` // of the event that it was made for
}

func (v *voidPlan) rejection() *ending {
	return &ending{reject: reject("rejected.totals",
		"Zoho Books computed %s with the tax %s, the order says %s with %s: invoice %s was voided by policy; check the tax mapping and the "+
			"round-off preference", v.Total, v.Tax, v.Planned, v.PlannedTax, v.Number)}
}

// or is the ending itself, or other where there's none.
func (e *ending) or(other *ending) *ending {
	if e != nil {
		return e
	}
	return other
}

// voidOwn renames the key of an invoice, so that a mended event can post again, and voids it. Nil when both are done and
// the steps begin anew.
func (a *attempt) voidOwn(v *voidPlan) *ending {
	books, field := a.tenant.books, a.tenant.org().Fields.Invoice.Key
	renamed := a.ref.key() + ":void:" + v.InvoiceID
	is := func(so func(*zohobooks.Invoice) bool) func() (bool, error) {
		return func() (bool, error) {
			var now *zohobooks.Invoice
			err := a.read(func(ctx context.Context) (err error) {
				now, err = books.GetInvoice(ctx, v.InvoiceID)
				return err
			})
			return err == nil && so(now), err
		}
	}
	if end := a.once(stepRename, true, nil,
		is(func(inv *zohobooks.Invoice) bool { return fieldOf(inv, field) == renamed }),
		func(ctx context.Context) error {
			return books.UpdateInvoiceCustomFields(ctx, v.InvoiceID, []zohobooks.CustomField{{APIName: field, Value: renamed}})
		}); end != nil {
		return end
	}
	if end := a.once(stepVoid, true, nil,
		is(func(inv *zohobooks.Invoice) bool { return inv.Status == invoiceVoid }),
		func(ctx context.Context) error { return books.VoidInvoice(ctx, v.InvoiceID) }); end != nil {
		return end
	}
	a.prog, a.w.invoice = progress{}, nil
	a.result.documents = nil
	a.document(schemas.Document{
		Type: "invoice", ID: v.InvoiceID, Number: v.Number, URL: a.documentURL("invoices", v.InvoiceID), Status: invoiceVoid, Date: v.Date,
		Total: v.Total, Tax: v.Tax,
	})
	a.prog.Documents = nil
	return nil
}

// tolerance is the largest difference that is posted: the configured minor units per tax rate, at least for one rate.
func tolerance(org *Organization, o *schemas.Order) decimal.Decimal {
	rates := make(map[string]bool)
	for _, l := range o.Lines {
		for _, t := range l.Taxes {
			rates[t.Code+t.Rate.Decimal.String()] = true
		}
	}
	digits, _ := money.MinorUnit(o.Currency) // the check knows the currency
	return decimal.New(org.Tolerance*int64(max(len(rates), 1)), -digits)
}

// invoiceStateOf is what the order's claim keeps of an invoice.
func invoiceStateOf(inv *zohobooks.Invoice, lines []InvoiceLine) *InvoiceState {
	modified := ""
	if inv.Status == invoiceDraft {
		modified = inv.LastModified
	}
	return &InvoiceState{
		Modified: modified, Pushed: inv.EInvoice.Status == zohobooks.EInvoicePushed, ID: inv.InvoiceID, Number: inv.InvoiceNumber, Date: inv.Date, Status: inv.Status,
		Total: inv.Total.Decimal, Tax: inv.TaxTotal.Decimal, Adjustment: inv.Adjustment.Decimal, Lines: lines, ExchangeRate: inv.ExchangeRate.Decimal,
		PlaceOfSupply: inv.PlaceOfSupply, GSTTreatment: inv.GSTTreatment, GSTNo: inv.GSTNo,
		VATTreatment: inv.VATTreatment, TaxTreatment: inv.TaxTreatment, LocationID: inv.LocationID,
		ReverseCharge: inv.ReverseCharge, TaxAuthorityID: inv.TaxAuthorityID,
	}
}

// document adds a document to the result, once.
func (a *attempt) document(d schemas.Document) {
	for _, have := range a.result.documents {
		if have.Type == d.Type && have.ID == d.ID {
			return
		}
	}
	a.result.documents = append(a.result.documents, d)
	a.prog.Documents = a.result.documents
}

func optional(d decimal.Decimal) decimal.NullDecimal {
	return decimal.NullDecimal{Decimal: d, Valid: !d.IsZero()}
}

// planInvoice plans this order's invoice from what the check laid out, unless the mapping was changed since.
func (a *attempt) planInvoice(org *Organization) (*invoicePlan, *Rejection) {
	if a.advance != nil && a.advance.org == org {
		return a.advance.plan, nil
	}
	if a.sheet != nil && a.sheet.org == org {
		return planSheet(a.sheet, "", a.originField())
	}
	return planInvoice(a.order, org, "", a.originField())
}
