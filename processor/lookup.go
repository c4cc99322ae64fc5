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
		var there bool
		var err error
		switch ref.Role {
		case RolePayment:
			there, err = a.findPaid(ans, ref.ID)
		case RoleDispute:
			there, err = a.hasJournal(disputeReference(ref))
		}
		if err != nil {
			return false, a.failed("looking for the "+string(ref.Role), err)
		}
		if there {
			a.w.paid, found = append(a.w.paid, ref.key()), true
		}
	}
	return found, nil
}

// findPaid says whether the books hold a payment of this refund's order. No filter finds it by its id: the payments of the
// order's contact are listed, unless the order's claim lists them.
func (a *attempt) findPaid(ans *ClaimAnswer, paymentID string) (bool, error) {
	order := a.orders[0]
	st := a.w.adopted[order]
	if st == nil {
		st = a.stateOf(ans.Orders[order])
	}
	if st.Invoice == nil {
		return false, nil
	}
	full, err := a.completed(order, st)
	if err != nil {
		return false, err
	}
	if a.w.adopted[order] != nil {
		a.w.adopted[order] = full
	}
	return slices.ContainsFunc(full.Payments, func(p PaymentState) bool { return p.PaymentID == paymentID && !p.Pending }), nil
}

// findOrder finds an order's invoice by its unique field and rebuilds what is known of the order; nil when there's none.
func (a *attempt) findOrder(orderID string) (*OrderState, error) {
	inv, err := a.findInvoice(ClaimRef{RoleOrder, orderID}.key())
	if err != nil || inv == nil {
		return nil, err
	}
	return a.stateFrom(inv), nil
}

// stateFrom is an order's state as its invoice in the books tells it.
func (a *attempt) stateFrom(inv *zohobooks.Invoice) *OrderState {
	o, _ := parseOrigin(fieldOf(inv, a.tenant.org().Fields.Invoice.Origin)) // zero where a person changed it
	return stateFromInvoice(inv, o)
}

// findInvoice finds an invoice by its unique field, with its lines; nil when there's none.
func (a *attempt) findInvoice(key string) (*zohobooks.Invoice, error) {
	field := a.tenant.org().Fields.Invoice.Key
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

// stateFromInvoice rebuilds an order's state from its first invoice alone: payments and credits are one sum. The origin is
// zero where a person changed the field.
func stateFromInvoice(inv *zohobooks.Invoice, o origin) *OrderState {
	st := &OrderState{
		Reference: inv.Reference, ContactID: inv.CustomerID, Currency: inv.CurrencyCode, Partial: true, InclusiveTax: inv.IsInclusiveTax,
		ExchangeRate: decimal.NewNullDecimal(inv.ExchangeRate.Decimal),
		Invoice:      invoiceStateOf(inv, linesFromInvoice(inv, o)),
	}
	if o != (origin{}) {
		st.Revision, st.Origin = o.Revision, o.String()
	}
	if applied := inv.Total.Sub(inv.Balance.Decimal); st.Invoice.Status != "void" && !applied.IsZero() {
		st.Payments = []PaymentState{{PaymentID: rebuilt, Amount: applied, Applied: applied, Currency: inv.CurrencyCode}}
	}
	return st
}

// rebuilt is the payment id of a sum that stands for payments and credits not listed.
const rebuilt = "(in the books)"

// linesFromInvoice takes the lines as Zoho has them. Of the event's line ids the books have marks only, where the origin
// field has room for them: without, a refund of such an order by lines is rejected, one by amount goes through. The ids
// given here, "#1" and so on, are no event's.
func linesFromInvoice(inv *zohobooks.Invoice, o origin) []InvoiceLine {
	lines := make([]InvoiceLine, len(inv.LineItems))
	for i, li := range inv.LineItems {
		l := InvoiceLine{
			LineID: "#" + strconv.Itoa(i+1), Mark: o.mark(i, len(inv.LineItems)), InvoiceItemID: li.LineItemID, ItemID: li.ItemID, AccountID: li.AccountID, Name: li.Name,
			TaxID: li.TaxID, TaxExemptionID: li.TaxExemptionID, TreatmentCode: li.TreatmentCode, HSNOrSAC: li.HSNOrSAC,
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
				l.TaxRates, l.TaxParts = append(l.TaxRates, t.Percentage.String()), append(l.TaxParts, t.TaxID)
			}
		}
		lines[i] = l
	}
	return lines
}

// completed lists the further invoices, payments and credit notes of a state that was rebuilt from its first invoice: three
// calls, once, and one for each document found.
func (a *attempt) completed(orderID string, st *OrderState) (*OrderState, error) {
	if !st.Partial {
		return st, nil
	}
	c := *st
	c.Further, c.Payments, c.Credits, c.Partial, c.Listed = nil, nil, nil, false, true
	for _, list := range []func(string, *OrderState) error{a.listFurther, a.listPayments, a.listCredits} {
		if err := list(orderID, &c); err != nil {
			return nil, err
		}
	}
	for i := range c.Payments { // only journals tell
		if was := st.payment(c.Payments[i].PaymentID); was != nil {
			c.Payments[i].Disputed, c.Payments[i].Lost = was.Disputed, was.Lost
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
	if !st.sameRevisions(&c) { // else the state knows more than the documents tell
		c.Ordered, c.Matched, c.Derived = c.reordered(), decimal.Zero, true
	}
	return &c, nil
}

// listFurther finds the invoices of later revisions: they have the first one's reference.
func (a *attempt) listFurther(orderID string, c *OrderState) error {
	fields := a.tenant.org().Fields.Invoice
	if c.Reference == "" { // the state was not rebuilt from the invoice
		var inv *zohobooks.Invoice
		if err := a.read(func(ctx context.Context) (err error) {
			inv, err = a.tenant.books.GetInvoice(ctx, c.Invoice.ID)
			return err
		}); err != nil {
			return err
		}
		if c.Reference = inv.Reference; c.Reference == "" {
			return nil
		}
	}
	var rows []zohobooks.Invoice
	if err := a.read(func(ctx context.Context) (err error) {
		rows, err = a.tenant.books.FindInvoicesByReference(ctx, c.Reference)
		return err
	}); err != nil {
		return err
	}
	slices.SortStableFunc(rows, func(x, y zohobooks.Invoice) int { return strings.Compare(x.CreatedTime, y.CreatedTime) })
	prefix := ClaimRef{RoleOrder, orderID}.key() + ":"
	for i := range rows {
		if rows[i].InvoiceID == c.Invoice.ID {
			continue
		}
		inv, err := whole(a, &rows[i], rows[i].CustomerID == c.ContactID, fields.Origin, rows[i].InvoiceID, a.tenant.books.GetInvoice)
		if err != nil {
			return err
		}
		if inv == nil {
			continue
		}
		key := fieldOf(inv, fields.Key)
		o, ours := parseOrigin(fieldOf(inv, fields.Origin))
		if !ours || o.Order != orderMark(orderID) || !strings.HasPrefix(key, prefix) || strings.HasPrefix(key, prefix+"void:") {
			continue
		}
		further := invoiceStateOf(inv, linesFromInvoice(inv, o))
		further.Key = key
		c.Further = append(c.Further, further)
		c.Revision = max(c.Revision, o.Revision)
	}
	return nil
}

// paidBy says whether a payment's list row may concern the order: it names one of its invoices, or holds money that no invoice
// took. Only those are read whole.
func (s *OrderState) paidBy(row *zohobooks.Payment) bool {
	if row.UnusedAmount.Sign() > 0 {
		return true
	}
	numbers := strings.FieldsFunc(row.InvoiceNumbers, func(r rune) bool { return r == ',' || r == ' ' })
	return slices.ContainsFunc(s.living(), func(inv *InvoiceState) bool { return slices.Contains(numbers, inv.Number) })
}

func (a *attempt) listPayments(orderID string, c *OrderState) error {
	fields, books := a.tenant.org().Fields.Payment, a.tenant.books
	var rows []zohobooks.Payment
	if err := a.read(func(ctx context.Context) (err error) {
		rows, err = collect(books.ListPayments(ctx, &zohobooks.ListOptions{CustomerID: c.ContactID}))
		return err
	}); err != nil {
		return err
	}
	for i := range rows {
		p, err := whole(a, &rows[i], rows[i].CustomerID == c.ContactID && c.paidBy(&rows[i]), fields.Origin, rows[i].PaymentID, books.GetPayment)
		if err != nil {
			return err
		}
		if p == nil {
			continue
		}
		ps := PaymentState{
			PaymentID:  strings.TrimPrefix(fieldOf(p, fields.Key), string(RolePayment)+":"),
			DocumentID: p.PaymentID, Amount: p.Amount.Decimal, AccountID: p.AccountID, Currency: p.CurrencyCode,
		}
		var parts []application
		for _, ap := range p.Invoices {
			if c.hasInvoice(ap.InvoiceID) {
				parts = append(parts, application{ap.InvoiceID, ap.AmountApplied.Decimal})
			}
		}
		ps.Applied, ps.Further = sumOfParts(parts), c.further(parts)
		if o, ours := parseOrigin(fieldOf(p, fields.Origin)); ours && o.Order == orderMark(orderID) {
			ps.Excess = p.UnusedAmount.Decimal
		}
		if !ps.Applied.IsZero() || !ps.Excess.IsZero() {
			c.Payments = append(c.Payments, ps)
		}
	}
	return nil
}

func (a *attempt) listCredits(orderID string, c *OrderState) error {
	fields, books := a.tenant.org().Fields.CreditNote, a.tenant.books
	var rows []zohobooks.CreditNote
	if err := a.read(func(ctx context.Context) (err error) {
		rows, err = collect(books.ListCreditNotes(ctx, &zohobooks.ListOptions{CustomerID: c.ContactID}))
		return err
	}); err != nil {
		return err
	}
	for i := range rows {
		// Nothing is credited before it's invoiced.
		n, err := whole(a, &rows[i], rows[i].CustomerID == c.ContactID && (rows[i].Date == "" || rows[i].Date >= c.Invoice.Date), fields.Origin, rows[i].CreditNoteID, books.GetCreditNote)
		if err != nil {
			return err
		}
		if n == nil || n.Status == "void" {
			continue
		}
		o, ours := parseOrigin(fieldOf(n, fields.Origin))
		if !ours || o.Order != orderMark(orderID) {
			continue
		}
		cr := a.creditFrom(n, c)
		c.Credits = append(c.Credits, cr)
		c.Cancelled = c.Cancelled || strings.HasPrefix(cr.Key, cancelKeyPrefix)
		if drawable(cr.Key) {
			c.Revision = max(c.Revision, o.Revision)
		}
	}
	return nil
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

// withKey finds the document with this key among the rows of a search; nil when there's none. A row that is less than the
// document, or does not show the key, is opened.
func withKey[T any, P interface {
	*T
	Field(apiName string) (string, bool)
}](a *attempt, field, key string, search func(context.Context) ([]T, error), less func(P) bool, open func(context.Context, P) (P, error)) (P, error) {
	var rows []T
	if err := a.read(func(ctx context.Context) (err error) {
		rows, err = search(ctx)
		return err
	}); err != nil {
		return nil, err
	}
	for i := range rows {
		doc := P(&rows[i])
		if less(doc) || fieldOf(doc, field) == "" {
			if err := a.read(func(ctx context.Context) (err error) {
				doc, err = open(ctx, &rows[i])
				return err
			}); err != nil {
				return nil, err
			}
		}
		if fieldOf(doc, field) == key {
			return doc, nil
		}
	}
	return nil, nil
}

// creditFrom rebuilds a credit's state from its note.
func (a *attempt) creditFrom(n *zohobooks.CreditNote, st *OrderState) CreditState {
	cr := CreditState{
		Key: fieldOf(n, a.tenant.org().Fields.CreditNote.Key), DocumentID: n.CreditNoteID, Number: n.CreditNoteNumber,
		Total: n.Total.Decimal, Applied: n.CreditsUsed.Decimal, Refunded: n.RefundedAmount.Decimal,
	}
	var parts []application
	for _, ap := range n.CreditedInvoices {
		if st.hasInvoice(ap.InvoiceID) {
			parts = append(parts, application{ap.InvoiceID, ap.CreditedAmount.Decimal})
		}
	}
	cr.Further = st.further(parts)
	taxed := make(map[string]bool)
	for _, inv := range st.living() {
		for i := range inv.Lines {
			taxed[inv.Lines[i].InvoiceItemID] = inv.Lines[i].TaxID != ""
		}
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
