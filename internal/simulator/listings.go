package simulator

import "github.com/shopspring/decimal"

// What each collection can be filtered and sorted by: dossier 3.4. Contacts have no filter by custom field, payments none by
// custom field or modification.

var contactList = listing[*contact]{
	key: "contacts", report: "Contacts", filter: "Status.All", column: "contact_name", order: "A",
	index: func(b *books) *index[*contact] { return &b.contacts },
	row:   func(b *books, w *writer, n *contact, _ string) { b.writeContactRow(w, n) },
	texts: map[string]func(*contact) string{
		"contact_name": func(n *contact) string { return n.name },
		"company_name": func(n *contact) string { return n.company },
		"contact_type": func(n *contact) string { return n.kind },
		"first_name":   func(n *contact) string { return n.primary().first },
		"last_name":    func(n *contact) string { return n.primary().last },
		"email":        func(n *contact) string { return n.primary().email },
		"phone":        func(n *contact) string { return n.primary().phone },
		"address":      func(n *contact) string { return n.billing.address + " " + n.shipping.address },
	},
	numbers: map[string]func(*contact) decimal.Decimal{
		"outstanding_receivable_amount": func(n *contact) decimal.Decimal { return n.receivable },
	},
	search:     []func(*contact) string{func(n *contact) string { return n.name }, func(n *contact) string { return n.notes }},
	status:     func(_ *books, n *contact, _ string) string { return n.status() },
	nameFilter: "contact_name",
	named: func(b *books, name string) (*contact, bool) {
		n, ok := b.names[b.nameKey(name)]
		return n, ok
	},
}

var itemList = listing[*item]{
	key: "items", report: "Items", filter: "Status.All", column: "name", order: "A",
	index: func(b *books) *index[*item] { return &b.items },
	row:   func(b *books, w *writer, n *item, _ string) { b.writeItemRow(w, n) },
	texts: map[string]func(*item) string{
		"name":        func(n *item) string { return n.name },
		"description": func(n *item) string { return n.description },
	},
	numbers: map[string]func(*item) decimal.Decimal{"rate": func(n *item) decimal.Decimal { return n.rate }},
	ids: map[string]func(*item) uint64{
		"account_id": func(n *item) uint64 { return n.account.id },
		"tax_id": func(n *item) uint64 {
			if n.tax == nil {
				return 0
			}
			return n.tax.id
		},
	},
	search: []func(*item) string{
		func(n *item) string { return n.name }, func(n *item) string { return n.description }, func(n *item) string { return n.sku },
	},
	status: func(_ *books, n *item, _ string) string { return n.status() },
}

var invoiceList = listing[*invoice]{
	key: "invoices", report: "Invoices", filter: "Status.All", column: "created_time", order: "D",
	index: func(b *books) *index[*invoice] { return &b.invoices },
	row:   func(b *books, w *writer, n *invoice, today string) { b.writeInvoiceRow(w, n, today) },
	texts: map[string]func(*invoice) string{
		"invoice_number":   func(n *invoice) string { return n.number },
		"reference_number": func(n *invoice) string { return n.reference },
		"customer_name":    func(n *invoice) string { return n.customer.name },
		"email":            func(n *invoice) string { return n.customer.primary().email },
	},
	numbers: map[string]func(*invoice) decimal.Decimal{
		"total":   func(n *invoice) decimal.Decimal { return n.total },
		"balance": func(n *invoice) decimal.Decimal { return n.balance },
	},
	dates: map[string]func(*invoice) string{
		"date":     func(n *invoice) string { return n.date },
		"due_date": func(n *invoice) string { return n.dueDate },
	},
	ids: map[string]func(*invoice) uint64{"customer_id": func(n *invoice) uint64 { return n.customer.id }},
	search: []func(*invoice) string{
		func(n *invoice) string { return n.number }, func(n *invoice) string { return n.reference }, func(n *invoice) string { return n.customer.name },
	},
	status:   func(_ *books, n *invoice, today string) string { return n.status(today) },
	modified: true, customField: true,
	total: func(n *invoice) (decimal.Decimal, decimal.Decimal) { return n.total, n.balance },
}

var noteList = listing[*creditNote]{
	key: "creditnotes", report: "Credit Notes", filter: "Status.All", column: "created_time", order: "D",
	index: func(b *books) *index[*creditNote] { return &b.notes },
	row:   func(b *books, w *writer, n *creditNote, _ string) { b.writeNoteRow(w, n) },
	texts: map[string]func(*creditNote) string{
		"creditnote_number": func(n *creditNote) string { return n.number },
		"reference_number":  func(n *creditNote) string { return n.reference },
		"customer_name":     func(n *creditNote) string { return n.customer.name },
	},
	numbers: map[string]func(*creditNote) decimal.Decimal{
		"total":   func(n *creditNote) decimal.Decimal { return n.total },
		"balance": func(n *creditNote) decimal.Decimal { return n.balance },
	},
	dates: map[string]func(*creditNote) string{"date": func(n *creditNote) string { return n.date }},
	ids:   map[string]func(*creditNote) uint64{"customer_id": func(n *creditNote) uint64 { return n.customer.id }},
	search: []func(*creditNote) string{
		func(n *creditNote) string { return n.number }, func(n *creditNote) string { return n.reference },
		func(n *creditNote) string { return n.customer.name },
	},
	status:   func(_ *books, n *creditNote, _ string) string { return n.status() },
	modified: true,
}

var paymentList = listing[*payment]{
	key: "customerpayments", report: "Payments Received", filter: "PaymentMode.All", column: "date", order: "D",
	index: func(b *books) *index[*payment] { return &b.payments },
	row:   func(b *books, w *writer, p *payment, _ string) { b.writePaymentRow(w, p) },
	texts: map[string]func(*payment) string{
		"reference_number": func(p *payment) string { return p.reference },
		"customer_name":    func(p *payment) string { return p.customer.name },
		"notes":            func(p *payment) string { return p.description },
		"payment_mode":     func(p *payment) string { return p.mode },
	},
	numbers: map[string]func(*payment) decimal.Decimal{"amount": func(p *payment) decimal.Decimal { return p.amount }},
	dates:   map[string]func(*payment) string{"date": func(p *payment) string { return p.date }}, exactDates: true,
	ids: map[string]func(*payment) uint64{"customer_id": func(p *payment) uint64 { return p.customer.id }},
	search: []func(*payment) string{
		func(p *payment) string { return p.reference }, func(p *payment) string { return p.customer.name },
		func(p *payment) string { return p.description },
	},
}
