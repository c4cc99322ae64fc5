package processor

import (
	"context"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/connectors/zohobooks"
)

// lookForNeeds searches the books for what the record waits for, because Redis may have forgotten it. Found orders are
// adopted, found payments noted; found says whether there were any, so that the claim is worth asking for again.
func (a *attempt) lookForNeeds(ans *ClaimAnswer) (found bool, _ *ending) {
	if park := a.tenant.gate.park(zohobooks.ClassLookUp); park != nil {
		return false, &ending{park: park}
	}
	if a.w.adopted == nil {
		a.w.adopted = make(map[string]*OrderState)
	}
	for _, ref := range ans.WaitingFor {
		if ref.Role != RoleOrder {
			continue
		}
		st, err := a.findOrder(ref.ID)
		if err != nil {
			return false, a.failed("looking for the order", err)
		}
		if st != nil {
			a.w.adopted[ref.ID], found = st, true
		}
	}
	for _, ref := range ans.WaitingFor {
		if ref.Role != RolePayment {
			continue
		}
		there, err := a.findPaid(ans, ref.ID)
		if err != nil {
			return false, a.failed("looking for the payment", err)
		}
		if there {
			a.w.paid, found = append(a.w.paid, ref.ID), true
		}
	}
	return found, nil
}

// findPaid says whether the books hold a payment of this refund's order. No filter finds it by its id: the payments of the
// order's contact are listed, unless the order's claim lists them.
func (a *attempt) findPaid(ans *ClaimAnswer, paymentID string) (bool, error) {
	st := a.w.adopted[a.orderID]
	if st == nil {
		st = a.stateOf(ans.Orders[a.orderID])
	}
	if st.Invoice == nil {
		return false, nil
	}
	full, err := a.completed(a.orderID, st)
	if err != nil {
		return false, err
	}
	if a.w.adopted[a.orderID] != nil {
		a.w.adopted[a.orderID] = full
	}
	return slices.ContainsFunc(full.Payments, func(p PaymentState) bool { return p.PaymentID == paymentID && !p.Pending }), nil
}

// findOrder finds an order's invoice by its unique field and rebuilds what is known of the order; nil when there's none.
func (a *attempt) findOrder(orderID string) (*OrderState, error) {
	inv, err := a.findInvoice(orderID)
	if err != nil || inv == nil {
		return nil, err
	}
	st := stateFromInvoice(inv)
	if o, ok := parseOrigin(fieldOf(inv, a.tenant.org().Fields.Invoice.Origin)); ok {
		st.Revision, st.Origin = o.Revision, o.String()
	}
	return st, nil
}

// findInvoice finds an order's invoice by its unique field, with its lines; nil when there's none.
func (a *attempt) findInvoice(orderID string) (*zohobooks.Invoice, error) {
	field, key := a.tenant.org().Fields.Invoice.Key, ClaimRef{RoleOrder, orderID}.key()
	var rows []zohobooks.Invoice
	err := a.read(func(ctx context.Context) (err error) {
		rows, err = a.tenant.books.FindInvoicesByCustomField(ctx, field, key)
		return err
	})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	if len(rows[0].LineItems) > 0 {
		return &rows[0], nil
	}
	var inv *zohobooks.Invoice
	err = a.read(func(ctx context.Context) (err error) {
		inv, err = a.tenant.books.GetInvoice(ctx, rows[0].InvoiceID)
		return err
	})
	return inv, err
}

// stateFromInvoice rebuilds an order's state from its invoice alone: payments and credits are one sum.
func stateFromInvoice(inv *zohobooks.Invoice) *OrderState {
	st := &OrderState{
		ContactID: inv.CustomerID, Currency: inv.CurrencyCode, Partial: true, InclusiveTax: inv.IsInclusiveTax,
		ExchangeRate: decimal.NewNullDecimal(inv.ExchangeRate.Decimal),
		Invoice:      invoiceStateOf(inv, linesFromInvoice(inv)),
	}
	if applied := inv.Total.Sub(inv.Balance.Decimal); st.Invoice.Status != "void" && !applied.IsZero() {
		st.Payments = []PaymentState{{PaymentID: rebuilt, Amount: applied, Applied: applied, Currency: inv.CurrencyCode}}
	}
	return st
}

// rebuilt is the payment id of a sum that stands for payments and credits not listed.
const rebuilt = "(in the books)"

// linesFromInvoice takes the lines as Zoho has them. The event's line ids are not in the books: a refund of such an order
// by lines is rejected, one by amount goes through. The ids given here, "#1" and so on, are no event's.
func linesFromInvoice(inv *zohobooks.Invoice) []InvoiceLine {
	lines := make([]InvoiceLine, len(inv.LineItems))
	for i, li := range inv.LineItems {
		l := InvoiceLine{
			LineID: "#" + strconv.Itoa(i+1), InvoiceItemID: li.LineItemID, ItemID: li.ItemID, AccountID: li.AccountID, Name: li.Name,
			TaxID: li.TaxID, TaxExemptionID: li.TaxExemptionID, HSNOrSAC: li.HSNOrSAC,
			Quantity: li.Quantity.Decimal, Rate: li.Rate.Decimal, Amount: li.ItemTotal.Decimal, Gross: li.ItemTotal.Decimal,
		}
		if len(li.LineItemTaxes) == 0 && !li.TaxPercentage.IsZero() {
			l.TaxRates = []string{li.TaxPercentage.String()}
		}
		for _, t := range li.LineItemTaxes {
			if !inv.IsInclusiveTax {
				l.Gross = l.Gross.Add(t.Amount.Decimal)
			}
			if !t.Percentage.IsZero() {
				l.TaxRates = append(l.TaxRates, t.Percentage.String())
			}
		}
		lines[i] = l
	}
	return lines
}

// completed lists the payments and credit notes of a state that was rebuilt from its invoice: two calls, once.
func (a *attempt) completed(orderID string, st *OrderState) (*OrderState, error) {
	if !st.Partial {
		return st, nil
	}
	c := *st
	c.Payments, c.Credits, c.Partial = nil, nil, false
	books, mark := a.tenant.books, orderMark(orderID)
	var payments []zohobooks.Payment
	if err := a.read(func(ctx context.Context) (err error) {
		payments, err = collect(books.ListPayments(ctx, &zohobooks.ListOptions{CustomerID: st.ContactID}))
		return err
	}); err != nil {
		return nil, err
	}
	for i := range payments {
		p, err := whole(a, &payments[i], payments[i].CustomerID == st.ContactID, a.tenant.org().Fields.Payment.Origin, payments[i].PaymentID, books.GetPayment)
		if err != nil {
			return nil, err
		}
		if p == nil {
			continue
		}
		ps := PaymentState{
			PaymentID:  strings.TrimPrefix(fieldOf(p, a.tenant.org().Fields.Payment.Key), string(RolePayment)+":"),
			DocumentID: p.PaymentID, Amount: p.Amount.Decimal, AccountID: p.AccountID, Currency: p.CurrencyCode,
		}
		for _, ap := range p.Invoices {
			if st.Invoice != nil && ap.InvoiceID == st.Invoice.ID {
				ps.Applied = ps.Applied.Add(ap.AmountApplied.Decimal)
			}
		}
		if o, ours := parseOrigin(fieldOf(p, a.tenant.org().Fields.Payment.Origin)); ours && o.Order == mark {
			ps.Excess = p.UnusedAmount.Decimal
		}
		if !ps.Applied.IsZero() || !ps.Excess.IsZero() {
			c.Payments = append(c.Payments, ps)
		}
	}
	var notes []zohobooks.CreditNote
	if err := a.read(func(ctx context.Context) (err error) {
		notes, err = collect(books.ListCreditNotes(ctx, &zohobooks.ListOptions{CustomerID: st.ContactID}))
		return err
	}); err != nil {
		return nil, err
	}
	for i := range notes {
		n, err := whole(a, &notes[i], notes[i].CustomerID == st.ContactID, a.tenant.org().Fields.CreditNote.Origin, notes[i].CreditNoteID, books.GetCreditNote)
		if err != nil {
			return nil, err
		}
		if n == nil || n.Status == "void" {
			continue
		}
		if o, ours := parseOrigin(fieldOf(n, a.tenant.org().Fields.CreditNote.Origin)); ours && o.Order == mark {
			c.Credits = append(c.Credits, a.creditFrom(n, st.Invoice))
		}
	}
	// What others intend and is not in the books yet is counted on.
	for _, p := range st.Payments {
		if p.Pending && !slices.ContainsFunc(c.Payments, func(have PaymentState) bool { return have.PaymentID == p.PaymentID }) {
			c.Payments = append(c.Payments, p)
		}
	}
	for _, cr := range st.Credits {
		if cr.Pending && !slices.ContainsFunc(c.Credits, func(have CreditState) bool { return have.Key == cr.Key }) {
			c.Credits = append(c.Credits, cr)
		}
	}
	return &c, nil
}

// collect reads a list to its end.
func collect[T any](rows iter.Seq2[T, error]) ([]T, error) {
	var all []T
	for row, err := range rows {
		if err != nil {
			return nil, err
		}
		all = append(all, row)
	}
	return all, nil
}

// whole reads the document behind a list row, which shows less than the document; nil for a row that isn't asked for
// (Zoho ignores filters that it doesn't know) or that says itself that booksync did not write it.
func whole[T interface{ Field(string) (string, bool) }](
	a *attempt, row T, asked bool, originField, id string, get func(context.Context, string) (T, error),
) (doc T, err error) {
	origin, answered := row.Field(originField)
	if !asked || answered && origin == "" {
		return doc, nil
	}
	err = a.read(func(ctx context.Context) (err error) {
		doc, err = get(ctx, id)
		return err
	})
	return doc, err
}

// creditFrom rebuilds a credit's state from its note.
func (a *attempt) creditFrom(n *zohobooks.CreditNote, inv *InvoiceState) CreditState {
	cr := CreditState{
		Key: fieldOf(n, a.tenant.org().Fields.CreditNote.Key), DocumentID: n.CreditNoteID, Number: n.CreditNoteNumber,
		Total: n.Total.Decimal, Applied: n.CreditsUsed.Decimal, Refunded: n.RefundedAmount.Decimal,
	}
	taxed := make(map[string]bool)
	for _, l := range inv.Lines {
		taxed[l.InvoiceItemID] = l.TaxID != ""
	}
	for _, li := range n.LineItems {
		line := CreditedLine{InvoiceItemID: li.InvoiceItemID, Quantity: li.Quantity.Decimal, Gross: li.ItemTotal.Decimal}
		if li.TaxID == "" && taxed[li.InvoiceItemID] {
			line.Untaxed = li.ItemTotal.Decimal
		} else {
			line.Amount = li.ItemTotal.Decimal
		}
		for _, t := range li.LineItemTaxes {
			if !n.IsInclusiveTax {
				line.Gross = line.Gross.Add(t.Amount.Decimal)
			}
		}
		cr.Lines = append(cr.Lines, line)
	}
	return cr
}
