package simulator

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

func (b *bundle) keyed(key string) string {
	return fmt.Sprintf(`{"customer_id":%q,"line_items":[{"name":"x","rate":10}],"custom_fields":[{"api_name":"cf_booksync_key","value":%q}]}`, b.customer, key)
}

func TestDocumentNumbers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	line := `"line_items":[{"name":"x","rate":10}]`
	body := func(number string) string {
		return fmt.Sprintf(`{"customer_id":%q,"date":"2026-06-09","invoice_number":%q,%s}`, b.customer, number, line)
	}
	b.refused(400, codeAutoNumber, "POST", "/invoices", body("ORDER-1"))
	b.must(201, "POST", "/invoices?ignore_auto_number_generation=true", body("ORDER-1")).want("invoice.invoice_number", "ORDER-1")
	b.refused(400, codeExists, "POST", "/invoices?ignore_auto_number_generation=true", body("ORDER-1"))
	b.must(201, "POST", "/invoices?ignore_auto_number_generation=true", body("INV-000002"))
	first := b.draftOf("1")
	b.invoice(first).want("invoice.invoice_number", "INV-000001")
	b.must(200, "DELETE", "/invoices/"+first, "")
	b.invoice(b.draftOf("1")).want("invoice.invoice_number", "INV-000003") // gaps stay, taken numbers are passed over
	b.must(200, "PUT", "/invoices/"+b.draftOf("1")+"?ignore_auto_number_generation=true", `{"invoice_number":"VOID-1"}`).want("invoice.invoice_number", "VOID-1")

	note := replaceAll(body("R-1"), "invoice_number", "creditnote_number")
	b.refused(400, codeAutoNumber, "POST", "/creditnotes", note)
	b.must(201, "POST", "/creditnotes?ignore_auto_number_generation=true", note)
	b.refused(400, codeNoteNumber, "POST", "/creditnotes?ignore_auto_number_generation=true", note)
	b.must(200, "GET", "/creditnotes/"+b.noteOf("1"), "").want("creditnote.creditnote_number", "CN-00001")
}

func TestUniqueFields(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.must(201, "POST", "/invoices", b.keyed("order:O1")).str("invoice.invoice_id")
	b.refused(400, codeDuplicateField, "POST", "/invoices", b.keyed("order:O1"))
	other := b.must(201, "POST", "/invoices", b.keyed("order:O2")).str("invoice.invoice_id")
	b.refused(400, codeDuplicateField, "PUT", "/invoices/"+other, `{"custom_fields":[{"api_name":"cf_booksync_key","value":"order:O1"}]}`)
	b.must(200, "PUT", "/invoices/"+id, `{"custom_fields":[{"api_name":"cf_booksync_key","value":"void:order:O1"}]}`)
	b.must(201, "POST", "/invoices", b.keyed("order:O1")) // the key was renamed away
	b.refused(400, codeUnknownField, "POST", "/invoices", replaceAll(b.keyed("order:O3"), "cf_booksync_key", "cf_none"))

	// The same value in another kind of document is another value.
	sent := b.invoiceOf("10")
	pay := replaceAll(b.paymentBody(sent, "1", "1"), `"payment_mode"`, `"custom_fields":[{"label":"Booksync Key","value":"order:O1"}],"payment_mode"`)
	b.must(201, "POST", "/customerpayments", pay).want("payment.custom_field_hash.cf_booksync_key", "order:O1")
	b.refused(400, codeDuplicateField, "POST", "/customerpayments", pay)

	fields := b.must(200, "GET", "/settings/fields?entity=invoice", "")
	fields.want("fields.0.is_unique", "true")
	fields.want("fields.1.is_unique", "false")
	b.must(201, "POST", "/settings/fields", `{"label":"My Key","data_type":"string","entity":"item","show_on_pdf":false,"is_unique":true}`).want("field.api_name", "cf_my_key")
	b.refused(400, codeExists, "POST", "/settings/fields", `{"label":"My Key","data_type":"string","entity":"item","show_on_pdf":false}`)
}

func TestUniquenessHoldsUnderConcurrency(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var made, refused atomic.Int64
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			a, err := b.try("POST", "/invoices", b.keyed(fmt.Sprint("order:", i%4)))
			switch {
			case err != nil:
				t.Error(err)
			case a.status == 201:
				made.Add(1)
			case a.code() == codeDuplicateField:
				refused.Add(1)
			}
		})
	}
	wg.Wait()
	if made.Load() != 4 || refused.Load() != 28 {
		t.Errorf("%d made and %d refused, want 4 and 28", made.Load(), refused.Load())
	}
	l := b.sim.Ledger(testOrg)
	if got := len(l.Find("invoice", "order:2")); got != 1 {
		t.Errorf("%d invoices for one key", got)
	}
}

func TestUpsert(t *testing.T) {
	t.Parallel()
	b := setup(t)
	body := fmt.Sprintf(`{"customer_id":%q,"line_items":[{"name":"x","rate":10}]}`, b.customer)
	key := []string{"X-Unique-Identifier-Key", "cf_booksync_key", "X-Unique-Identifier-Value", "order:O1"}
	b.refused(404, codeNotFound, "PUT", "/invoices", body, key...)
	b.refused(400, codeMissing, "PUT", "/invoices", body)
	b.refused(400, codeNotUnique, "PUT", "/invoices", body, "X-Unique-Identifier-Key", "cf_booksync_origin", "X-Unique-Identifier-Value", "x")
	made := b.must(200, "PUT", "/invoices", body, append(key, "X-Upsert", "true")...)
	made.want("invoice.custom_field_hash.cf_booksync_key", "order:O1")
	id := made.str("invoice.invoice_id")
	b.must(200, "PUT", "/invoices", `{"notes":"a person's edit"}`, key...)
	again := b.must(200, "PUT", "/invoices", replaceAll(body, `"rate":10`, `"rate":12`), append(key, "X-Upsert", "true")...)
	again.want("invoice.invoice_id", id)
	again.want("invoice.total", "12") // a replay overwrites

	b = setup(t, func(c *Config) { c.Switches.UpsertCreates201, c.Switches.UpsertNeedsField = true, true })
	body = fmt.Sprintf(`{"customer_id":%q,"line_items":[{"name":"x","rate":10}]}`, b.customer)
	b.must(201, "PUT", "/invoices", body, append(key, "X-Upsert", "true")...).want("invoice.custom_field_hash.cf_booksync_key", "<nil>")
}
