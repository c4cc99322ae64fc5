package simulator

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func replaceAll(s, old, new string) string { return strings.ReplaceAll(s, old, new) }

func TestInvoicesPassThroughTheirStatuses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.draftOf("100")
	b.invoice(id).want("invoice.status", "draft")
	b.balances(map[string]string{AccountReceivable: "0", AccountSales: "0"})
	b.must(200, "POST", "/invoices/"+id+"/status/sent", "").want("message", "Invoice status has been changed to Sent.")
	b.must(200, "POST", "/invoices/"+id+"/status/sent", "") // again
	b.invoice(id).want("invoice.status", "sent")
	b.balances(map[string]string{AccountReceivable: "100", AccountSales: "-100"})

	first := b.must(201, "POST", "/customerpayments", b.paymentBody(id, "40", "40"))
	first.want("payment.payment_number", "1")
	b.invoice(id).want("invoice.status", "partially_paid")
	b.clock.Advance(72 * time.Hour)
	b.login() // tokens live an hour
	b.invoice(id).want("invoice.status", "overdue")
	b.pay(id, "60", "60").want("payment.payment_number", "2")
	a := b.invoice(id)
	a.want("invoice.status", "paid")
	a.want("invoice.balance", "0")
	a.want("invoice.payment_made", "100")
	b.balances(map[string]string{AccountReceivable: "0", AccountStripe: "100", AccountUnearned: "0"})

	b.must(200, "POST", "/invoices/"+id+"/status/void", "")
	a = b.invoice(id)
	a.want("invoice.status", "void")
	a.want("invoice.balance", "100")
	b.must(200, "GET", "/customerpayments/"+first.str("payment.payment_id"), "").want("payment.unused_amount", "40")
	b.balances(map[string]string{AccountReceivable: "0", AccountSales: "0", AccountStripe: "100", AccountUnearned: "-100"})
	b.refused(400, codeStatus, "POST", "/invoices/"+id+"/status/sent", "")
	b.must(200, "POST", "/invoices/"+id+"/status/draft", "").want("message", "Status of invoice changed from void to draft")
	b.invoice(id).want("invoice.status", "draft")
	b.refused(400, codeStatus, "POST", "/invoices/"+id+"/status/draft", "")
}

func TestBulkStatus(t *testing.T) {
	t.Parallel()
	b := setup(t)
	one, two, void := b.draftOf("1"), b.draftOf("2"), b.draftOf("3")
	b.must(200, "POST", "/invoices/"+void+"/status/void", "")
	b.refused(400, codeStatus, "POST", "/invoices/status/sent?invoice_ids="+one+","+void, "")
	b.invoice(one).want("invoice.status", "draft")
	b.refused(404, codeNotFound, "POST", "/invoices/status/sent?invoice_ids="+one+",1", "")
	b.must(200, "POST", "/invoices/status/sent?invoice_ids="+one+","+two, "").want("message", "The invoices have been marked as sent.")
	b.invoice(two).want("invoice.status", "sent")
	b.must(200, "POST", "/invoices/status/void?invoice_ids="+one+","+two, "")
	b.invoice(two).want("invoice.status", "void")
	b.balances(map[string]string{AccountReceivable: "0"})
}

func TestPaymentRules(t *testing.T) {
	t.Parallel()
	t.Run("more than the balance is refused, more than is applied stays in hand", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		id := b.invoiceOf("100")
		b.refused(400, codeAboveBalance, "POST", "/customerpayments", b.paymentBody(id, "100.01", "100.01"))
		p := b.pay(id, "120", "100")
		p.want("payment.unused_amount", "20")
		b.balances(map[string]string{AccountReceivable: "0", AccountUnearned: "-20", AccountStripe: "120"})
		path := "/customerpayments/" + p.str("payment.payment_id") + "/refunds"
		b.refused(400, codeAboveCredit, "POST", path, b.refundBody("20.01"))
		r := b.must(200, "POST", path, b.refundBody("15"))
		r.want("payment_refund.amount", "15")
		b.must(200, "GET", path, "").want("payment_refunds.0.amount_fcy", "15")
		b.refused(400, codeAboveCredit, "POST", path, b.refundBody("5.01"))
		b.refused(400, codeInUse, "DELETE", "/customerpayments/"+p.str("payment.payment_id"), "")
		b.balances(map[string]string{AccountUnearned: "-5", AccountStripe: "105"})
	})
	t.Run("a draft is issued by its payment, or refuses it", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		id := b.draftOf("100")
		b.pay(id, "100", "100")
		b.invoice(id).want("invoice.status", "paid")
		b.balances(map[string]string{AccountReceivable: "0", AccountSales: "-100", AccountStripe: "100"})
		b = setup(t, func(c *Config) { c.Switches.RefusePaymentOnDraft = true })
		b.refused(400, codeDraftPayment, "POST", "/customerpayments", b.paymentBody(b.draftOf("100"), "100", "100"))
	})
	t.Run("what is required", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		id := b.invoiceOf("100")
		b.refused(400, codeMissing, "POST", "/customerpayments", fmt.Sprintf(`{"customer_id":%q,"payment_mode":"cash","amount":5,"date":"2026-06-09","invoices":[]}`, b.customer))
		b.refused(400, codeMissing, "POST", "/customerpayments", replaceAll(b.paymentBody(id, "5", "5"), `"payment_mode":"cash",`, ""))
		b.refused(400, codeCustomer, "POST", "/customerpayments", replaceAll(b.paymentBody(id, "5", "5"), b.customer, ""))
		b.refused(404, codeNotFound, "POST", "/customerpayments", replaceAll(b.paymentBody(id, "5", "5"), b.customer, "1"))
		b.refused(400, codeInvalidValue, "POST", "/customerpayments", b.paymentBody(id, "5.001", "5"))
		b.refused(400, codeInvalidValue, "POST", "/customerpayments", b.paymentBody(id, "-5", "5"))
		b.refused(400, codeTooLong, "POST", "/customerpayments",
			replaceAll(b.paymentBody(id, "5", "5"), `"payment_mode"`, `"reference_number":"`+strings.Repeat("r", 51)+`","payment_mode"`))
		b = setup(t, func(c *Config) { c.Switches.AcceptPaymentWithoutInvoices = true })
		b.must(201, "POST", "/customerpayments", fmt.Sprintf(`{"customer_id":%q,"payment_mode":"cash","amount":5,"date":"2026-06-09","invoices":[]}`, b.customer)).
			want("payment.unused_amount", "5")
	})
	t.Run("changing and deleting a payment gives back what it was applied to", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		id := b.invoiceOf("100")
		p := b.pay(id, "100", "100").str("payment.payment_id")
		b.must(200, "PUT", "/customerpayments/"+p, `{"description":"x"}`).want("payment.invoices.0.amount_applied", "100")
		b.must(200, "PUT", "/customerpayments/"+p, fmt.Sprintf(`{"amount":100,"invoices":[{"invoice_id":%q,"amount_applied":30}]}`, id)).want("payment.unused_amount", "70")
		b.invoice(id).want("invoice.balance", "70")
		b.must(200, "POST", "/invoices/"+id+"/credits", fmt.Sprintf(`{"invoice_payments":[{"payment_id":%q,"amount_applied":70}],"apply_creditnotes":[]}`, p))
		b.invoice(id).want("invoice.status", "paid")
		b.must(200, "DELETE", "/customerpayments/"+p, "")
		b.invoice(id).want("invoice.balance", "100")
		b.refused(404, codeNotFound, "GET", "/customerpayments/"+p, "")
		b.balances(map[string]string{AccountReceivable: "100", AccountStripe: "0", AccountUnearned: "0"})
	})
}

func TestCreditNoteRules(t *testing.T) {
	t.Parallel()
	b := setup(t)
	apply := func(note, invoice, amount string) (method, path, body string) {
		return "POST", "/creditnotes/" + note + "/invoices", fmt.Sprintf(`{"invoices":[{"invoice_id":%q,"amount_applied":%s}]}`, invoice, amount)
	}
	refused := func(code int, method, path, body string) { t.Helper(); b.refused(400, code, method, path, body) }
	note, open := b.noteOf("100"), b.invoiceOf("60")
	b.balances(map[string]string{AccountUnearned: "-100", AccountSales: "40", AccountReceivable: "60"})

	void := b.draftOf("5")
	b.must(200, "POST", "/invoices/"+void+"/status/void", "")
	paid := b.invoiceOf("5")
	b.pay(paid, "5", "5")
	m, p, body := apply(note, b.draftOf("5"), "5")
	refused(codeInvoiceDraft, m, p, body)
	m, p, body = apply(note, void, "5")
	refused(codeInvoiceVoid, m, p, body)
	m, p, body = apply(note, paid, "5")
	refused(codeInvoiceClosed, m, p, body)
	m, p, body = apply(note, open, "60.01")
	refused(codeAboveBalance, m, p, body)
	m, p, body = apply(note, open, "60")
	b.must(200, m, p, body).want("message", "Credits have been applied to the invoice(s).")
	b.invoice(open).want("invoice.credits_applied", "60")
	b.must(200, "GET", "/creditnotes/"+note+"/invoices", "").want("invoices_credited.0.credited_amount", "60")
	b.must(200, "GET", "/invoices/"+open+"/creditsapplied", "").want("credits.0.amount_applied", "60")
	refused(codeHasCredits, "DELETE", "/invoices/"+open, "")
	refused(codeHasPayments, "DELETE", "/invoices/"+paid, "")
	refused(codeStatus, "POST", "/creditnotes/"+note+"/status/void", "")

	refused(codeAboveCredit, "POST", "/creditnotes/"+note+"/refunds", b.refundBody("40.01"))
	b.must(200, "POST", "/creditnotes/"+note+"/refunds", b.refundBody("40")).want("creditnote_refund.amount", "40")
	a := b.must(200, "GET", "/creditnotes/"+note, "")
	a.want("creditnote.status", "closed")
	a.want("creditnote.total_credits_used", "60")
	a.want("creditnote.total_refunded_amount", "40")
	m, p, body = apply(note, b.invoiceOf("5"), "1")
	refused(codeNoteClosed, m, p, body)
	b.must(200, "GET", "/creditnotes/refunds", "").want("creditnote_refunds.0.amount_bcy", "40")
	b.balances(map[string]string{AccountUnearned: "0", AccountStripe: "-35"})

	b.must(200, "POST", "/invoices/"+open+"/status/void", "")
	b.must(200, "GET", "/creditnotes/"+note, "").want("creditnote.balance", "60")

	second := b.noteOf("10")
	b.must(200, "POST", "/creditnotes/"+second+"/status/void", "").want("message", "The credit note has been marked as void.")
	m, p, body = apply(second, b.invoiceOf("5"), "1")
	refused(codeNoteVoid, m, p, body)
	b.must(200, "POST", "/creditnotes/"+second+"/status/open", "")
	b.must(200, "GET", "/creditnotes/"+second, "").want("creditnote.status", "open")
	b.must(200, "DELETE", "/creditnotes/"+second, "")
	b.balances(nil)
}

func TestInvoiceUpdates(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.invoiceOf("100")
	b.must(200, "PUT", "/invoices/"+id, `{"line_items":[{"name":"x","rate":30},{"name":"y","rate":20}]}`).want("invoice.total", "50")
	b.balances(map[string]string{AccountReceivable: "50", AccountSales: "-50"})
	b.pay(id, "20", "20")
	b.refused(400, codeAboveBalance, "PUT", "/invoices/"+id, `{"line_items":[{"name":"x","rate":19}]}`)
	b.must(200, "PUT", "/invoices/"+id, `{"line_items":[{"name":"x","rate":25}]}`).want("invoice.balance", "5")
	other := b.must(201, "POST", "/contacts", `{"contact_name":"Other"}`).str("contact.contact_id")
	b.refused(400, codeCustomerBound, "PUT", "/invoices/"+id, fmt.Sprintf(`{"customer_id":%q}`, other))
	b.pay(id, "5", "5")
	b.refused(400, codeStatus, "PUT", "/invoices/"+id, `{"line_items":[{"name":"x","rate":25}]}`)
	b.must(200, "PUT", "/invoices/"+id, `{"notes":"still allowed"}`).want("invoice.notes", "still allowed")
	b.must(200, "PUT", "/invoice/"+id+"/customfields", `[{"api_name":"cf_booksync_key","value":"order:9"}]`)
	b.invoice(id).want("invoice.custom_field_hash.cf_booksync_key", "order:9")
	b.balances(map[string]string{AccountReceivable: "0", AccountSales: "-25", AccountStripe: "25"})
}

func TestLockedPeriods(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.invoiceOf("100")
	draft := b.draftOf("5")
	b.sim.SetLock(testOrg, "2026-06-09")
	b.must(200, "GET", "/transactionlocks", "").want("transaction_locks.0.transaction_lock_date", "2026-06-09")
	b.refused(400, codeLocked, "POST", "/invoices", fmt.Sprintf(`{"customer_id":%q,"date":"2026-06-09","line_items":[{"name":"x","rate":1}]}`, b.customer))
	b.refused(400, codeLocked, "POST", "/invoices/"+draft+"/status/sent", "")
	b.refused(400, codeLocked, "POST", "/invoices/"+id+"/status/void", "")
	b.refused(400, codeLocked, "POST", "/customerpayments", b.paymentBody(id, "5", "5"))
	b.must(200, "PUT", "/invoices/"+id, `{"notes":"allowed"}`)
	b.must(201, "POST", "/invoices", fmt.Sprintf(`{"customer_id":%q,"date":"2026-06-10","line_items":[{"name":"x","rate":1}]}`, b.customer))
}

func TestContactsAndItems(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.refused(400, codeContactName, "POST", "/contacts", `{"contact_name":"  aCME "}`)
	c := b.must(201, "POST", "/contacts", b.ids(`{"contact_name":"Ö \"quoted\"","currency_id":"{EUR}","contact_persons":[{"first_name":"A","email":"a@b.example"}],
		"billing_address":{"city":"Bonn"},"custom_fields":[{"label":"Booksync Key","value":"customer:C1:EUR"}]}`))
	c.want("contact.email", "a@b.example")
	c.want("contact.contact_name", `Ö "quoted"`)
	c.want("contact.billing_address.city", "Bonn")
	c.want("contact.currency_code", "EUR")
	id := c.str("contact.contact_id")
	b.refused(400, codeDuplicateField, "POST", "/contacts", `{"contact_name":"Twin","custom_fields":[{"api_name":"cf_booksync_key","value":"customer:C1:EUR"}]}`)
	b.must(200, "GET", "/contacts?email=A@B.exam", "").want("contacts.0.contact_id", id)
	b.must(200, "GET", "/contacts?contact_name_startswith=ö", "").want("contacts.0.contact_id", id)
	b.must(200, "PUT", "/contacts/"+id, `{"contact_name":"Renamed"}`).want("contact.email", "a@b.example")
	b.must(201, "POST", "/contacts", `{"contact_name":"Ö \"quoted\""}`)
	b.must(201, "POST", "/invoices", fmt.Sprintf(`{"customer_id":%q,"line_items":[{"name":"x","rate":1}]}`, id)).want("invoice.currency_code", "EUR")
	b.refused(400, codeInUse, "DELETE", "/contacts/"+id, "")
	b.refused(400, codeInUse, "PUT", "/contacts/"+id, b.ids(`{"currency_id":"{USD}"}`))
	b.must(200, "POST", "/contacts/"+id+"/inactive", "")
	b.refused(400, codeInUse, "POST", "/invoices", fmt.Sprintf(`{"customer_id":%q,"line_items":[{"name":"x","rate":1}]}`, id))
	b.must(200, "GET", "/contacts?filter_by=Status.Inactive", "").want("contacts.0.contact_id", id)

	b.refused(400, codeExists, "POST", "/items", `{"name":"goods","rate":1}`)
	b.must(201, "POST", "/items", b.ids(`{"name":"Mug","rate":9.5,"account_id":"{Sales}"}`)).want("item.account_name", "Sales")
	b.must(200, "GET", "/items?name=mug", "").want("items.0.rate", "9.5")
}

func TestEditions(t *testing.T) {
	t.Parallel()
	in := func(country string) func(*Config) {
		return func(c *Config) { c.Organizations = []Org{unlimited(DefaultOrgIn(testOrg, country)).WithFields()} }
	}
	for _, test := range []struct{ country, path, body, refused string }{
		{"US", "/contacts", `{"contact_name":"x","gst_no":"1"}`, "gst_no"},
		{"IN", "/contacts", `{"contact_name":"x","gst_no":"1","gst_treatment":"business_gst"}`, ""},
		{"US", "/contacts", `{"contact_name":"x","vat_reg_no":"1"}`, "vat_reg_no"},
		{"GB", "/contacts", `{"contact_name":"x","vat_reg_no":"GB1","country_code":"GB"}`, ""},
		{"DE", "/contacts", `{"contact_name":"x","vat_treatment":"eu_vat_registered"}`, "vat_treatment"},
		{"AE", "/contacts", `{"contact_name":"x","tax_treatment":"vat_registered","tax_reg_no":"1"}`, ""},
		{"US", "/creditnotes", `{"customer_id":"C","date":"2026-06-09","is_inclusive_tax":false,"line_items":[{"name":"x","rate":1}]}`, "is_inclusive_tax"},
		{"GB", "/creditnotes", `{"customer_id":"C","date":"2026-06-09","is_inclusive_tax":false,"line_items":[{"name":"x","rate":1}]}`, ""},
		{"US", "/creditnotes", `{"customer_id":"C","date":"2026-06-09","adjustment":1,"line_items":[{"name":"x","rate":1}]}`, "adjustment"},
		{"US", "/invoices", `{"customer_id":"C","line_items":[{"name":"x","rate":1,"hsn_or_sac":"1"}]}`, "hsn_or_sac"},
		{"IN", "/invoices", `{"customer_id":"C","place_of_supply":"KA","line_items":[{"name":"x","rate":1,"hsn_or_sac":"1"}]}`, ""},
		{"US", "/invoices", `{"customer_id":"C","Customer_ID":"C","line_items":[{"name":"x","rate":1}]}`, "Customer_ID"},
		{"US", "/invoices", `{"customer_id":"C","line_items":[{"name":"x","rate":1,"price":2}]}`, "price"},
	} {
		b := setup(t, in(test.country))
		a := b.call("POST", test.path, replaceAll(test.body, `"C"`, `"`+b.customer+`"`))
		switch {
		case test.refused == "" && a.status != 201:
			t.Errorf("%s %s %s is refused: %s", test.country, test.path, test.body, a.raw)
		case test.refused != "" && (a.code() != codeInvalidElement || a.str("message") != "Invalid Element "+test.refused):
			t.Errorf("%s %s %s: %s", test.country, test.path, test.body, a.raw)
		}
	}
}
