package simulator

import (
	"net/http"
	"slices"
	"strings"
)

const (
	get    = http.MethodGet
	post   = http.MethodPost
	put    = http.MethodPut
	remove = http.MethodDelete
)

// apiRoutes is the API. {id} is the record, {sub} one that belongs to it.
func apiRoutes() []*route {
	type m = map[string]handler
	routes := []*route{
		{template: "/organizations", scope: "settings", noOrg: true, methods: m{get: listOrganizations}},
		{template: "/organizations/{id}", scope: "settings", noOrg: true, methods: m{get: getOrganization}},
		{template: "/users/me", scope: "settings", methods: m{get: getUser}},

		{template: "/settings/taxes", scope: "settings", methods: m{get: listTaxes, post: createTax}},
		{template: "/settings/taxes/{id}", scope: "settings", methods: m{get: getTax}},
		{template: "/settings/taxgroups/{id}", scope: "settings", methods: m{get: getTaxGroup}},
		{template: "/settings/taxexemptions", scope: "settings", methods: m{get: listExemptions}},
		{template: "/settings/currencies", scope: "settings", methods: m{get: listCurrencies}},
		{template: "/settings/currencies/{id}/exchangerates", scope: "settings", methods: m{get: listRates, post: createRate}},
		{template: "/settings/fields", scope: "settings", methods: m{get: listFields, post: createField}},
		{template: "/bankaccounts", scope: "banking", methods: m{get: listBankAccounts}},
		{template: "/bankaccounts/{id}", scope: "banking", methods: m{get: getBankAccount}},
		{template: "/chartofaccounts", scope: "accountants", methods: m{get: listAccounts}},
		{template: "/chartofaccounts/{id}", scope: "accountants", methods: m{get: getAccount}},
		{template: "/transactionlocks", scope: "accountants", methods: m{get: listLocks}},

		{template: "/contacts", scope: "contacts", methods: m{get: contactList.list, post: createContact,
			put: upsert(EntityContact, func(b *books) *index[*contact] { return &b.contacts }, createContact, changeContact, "Contact")}},
		{template: "/contacts/{id}", scope: "contacts", methods: m{get: getContact, put: updateContact, remove: deleteContact}},
		{template: "/contacts/{id}/active", scope: "contacts", methods: m{post: setContactActive(false, "The contact has been marked as active.")}},
		{template: "/contacts/{id}/inactive", scope: "contacts", methods: m{post: setContactActive(true, "The contact has been marked as inactive.")}},

		{template: "/items", scope: "settings", methods: m{get: itemList.list, post: createItem,
			put: upsert(EntityItem, func(b *books) *index[*item] { return &b.items }, createItem, changeItem, "Item")}},
		{template: "/items/{id}", scope: "settings", methods: m{get: getItem, put: updateItem, remove: deleteItem}},
		{template: "/items/{id}/active", scope: "settings", methods: m{post: setItemActive(false, "The item has been marked as active.")}},
		{template: "/items/{id}/inactive", scope: "settings", methods: m{post: setItemActive(true, "The item has been marked as inactive.")}},

		{template: "/invoices", scope: "invoices", methods: m{get: invoiceList.list, post: createInvoice,
			put: upsert(EntityInvoice, func(b *books) *index[*invoice] { return &b.invoices }, createInvoice, changeInvoice, "Invoice")}},
		{template: "/invoices/{id}", scope: "invoices", methods: m{get: getInvoice, put: updateInvoice, remove: deleteInvoice}},
		{template: "/invoices/status/sent", scope: "invoices", methods: m{post: bulk((*books).canSend,
			func(c *call, inv *invoice) { c.org.issueInvoice(inv, c) }, "The invoices have been marked as sent.")}},
		{template: "/invoices/status/void", scope: "invoices", methods: m{post: bulk(
			func(b *books, inv *invoice) *failure { return b.locked(inv.date) },
			func(c *call, inv *invoice) { c.org.cancelInvoice(inv, c.now) }, "The selected invoices have been marked as void.")}},
		{template: "/invoices/{id}/status/sent", scope: "invoices", methods: m{post: markSent}},
		{template: "/invoices/{id}/status/void", scope: "invoices", methods: m{post: voidInvoice}},
		{template: "/invoices/{id}/einvoice/push", scope: "invoices", methods: m{post: pushEInvoice}},
		{template: "/invoices/{id}/status/draft", scope: "invoices", methods: m{post: markDraft}},
		{template: "/invoices/{id}/email", scope: "invoices", methods: m{post: emailInvoice}},
		{template: "/invoices/{id}/payments", scope: "invoices", methods: m{get: listInvoicePayments}},
		{template: "/invoices/{id}/payments/{sub}", scope: "invoices", methods: m{remove: unapplyPayment}},
		{template: "/invoices/{id}/credits", scope: "invoices", methods: m{post: applyCredits}},
		{template: "/invoices/{id}/creditsapplied", scope: "invoices", methods: m{get: listCreditsApplied}},
		{template: "/invoices/{id}/creditsapplied/{sub}", scope: "invoices", methods: m{remove: unapplyCredit}},
		{template: "/invoice/{id}/customfields", scope: "invoices", methods: m{put: invoiceFields}},

		{template: "/customerpayments", scope: "customerpayments", methods: m{get: paymentList.list, post: createPayment,
			put: upsert(EntityPayment, func(b *books) *index[*payment] { return &b.payments }, createPayment, changePayment, "Payment")}},
		{template: "/customerpayments/{id}", scope: "customerpayments", methods: m{get: getPayment, put: updatePayment, remove: deletePayment}},
		{template: "/customerpayments/{id}/refunds", scope: "customerpayments", methods: m{get: listPaymentRefunds, post: refundPayment}},
		{template: "/customerpayments/{id}/refunds/{sub}", scope: "customerpayments", methods: m{get: getRefund, remove: deleteRefund}},
		{template: "/customerpayment/{id}/customfields", scope: "customerpayments", methods: m{put: paymentFields}},

		{template: "/journals", scope: "accountants", methods: m{get: listJournals, post: createJournal}},

		{template: "/creditnotes", scope: "creditnotes", methods: m{get: noteList.list, post: createNote,
			put: upsert(EntityCreditNote, func(b *books) *index[*creditNote] { return &b.notes }, createNote, changeNote, "Credit Note")}},
		{template: "/creditnotes/refunds", scope: "creditnotes", methods: m{get: listAllNoteRefunds}},
		{template: "/creditnotes/{id}", scope: "creditnotes", methods: m{get: getNote, put: updateNote, remove: deleteNote}},
		{template: "/creditnotes/{id}/invoices", scope: "creditnotes", methods: m{get: listNoteInvoices, post: applyNote}},
		{template: "/creditnotes/{id}/invoices/{sub}", scope: "creditnotes", methods: m{remove: unapplyNote}},
		{template: "/creditnotes/{id}/refunds", scope: "creditnotes", methods: m{get: listNoteRefunds, post: refundNote}},
		{template: "/creditnotes/{id}/refunds/{sub}", scope: "creditnotes", methods: m{get: getRefund, remove: deleteRefund}},
		{template: "/creditnotes/{id}/status/void", scope: "creditnotes", methods: m{post: voidNote}},
		{template: "/creditnotes/{id}/status/open", scope: "creditnotes", methods: m{post: openNote}},
		{template: "/creditnotes/{id}/status/draft", scope: "creditnotes", methods: m{post: draftNote}},
	}
	for _, r := range routes {
		allow := []string{"OPTIONS"}
		for method := range r.methods {
			allow = append(allow, method)
		}
		slices.Sort(allow[1:])
		r.allow = strings.Join(allow, ", ")
	}
	return routes
}
