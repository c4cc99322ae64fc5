package simulator

import (
	"fmt"
	"testing"
	"time"
)

func TestLists(t *testing.T) {
	t.Parallel()
	b := setup(t)
	make := func(i int) string {
		return b.must(201, "POST", "/invoices", fmt.Sprintf(`{"customer_id":%q,"date":"2026-06-%02d","reference_number":"R%d","line_items":[{"name":"x","rate":%d}],
			"custom_fields":[{"api_name":"cf_booksync_key","value":"order:%d"}]}`, b.customer, i, i%3, i*10, i)).str("invoice.invoice_id")
	}
	var ids []string
	for i := 1; i <= 5; i++ {
		ids = append(ids, make(i))
		b.clock.Advance(time.Minute)
	}
	b.must(200, "POST", "/invoices/"+ids[4]+"/status/sent", "")
	for _, test := range []struct {
		name, query string
		want        []int // positions in ids
	}{
		{"newest first", "", []int{4, 3, 2, 1, 0}},
		{"sorted", "sort_column=created_time&sort_order=A", []int{0, 1, 2, 3, 4}},
		{"sorted by total", "sort_column=total&sort_order=D", []int{4, 3, 2, 1, 0}},
		{"by number", "invoice_number=INV-000002", []int{1}},
		{"by number, in parts", "invoice_number_contains=000002", []int{1}},
		{"by reference", "reference_number=R1", []int{3, 0}},
		{"by custom field", "custom_field=order:3", []int{2}},
		{"by custom field, by name", "custom_field_cf_booksync_key=order:3", []int{2}},
		{"by a custom field nobody has", "custom_field=order:9", nil},
		{"by day", "date=2026-06-04", []int{3}},
		{"by days", "date_start=2026-06-02&date_end=2026-06-04", []int{3, 2, 1}},
		{"before and after", "date_after=2026-06-02&date_before=2026-06-04", []int{2}},
		{"by a status nothing has: what was sent is already late", "status=sent", nil},
		{"by status", "status=overdue", []int{4}},
		{"by filter_by", "filter_by=Status.Draft&sort_column=date&sort_order=A", []int{0, 1, 2, 3}},
		{"by amount", "total_greater_than=30", []int{4, 3}},
		{"by amount, exactly", "total=30", []int{2}},
		{"by text", "search_text=r2", []int{4, 1}},
		{"by customer", "customer_id=1", nil},
		{"a filter Zoho does not know is ignored", "order_id=7", []int{4, 3, 2, 1, 0}},
		{"a filter of another resource is ignored", "creditnote_number=CN-1", []int{4, 3, 2, 1, 0}},
		{"the second page", "per_page=2&page=2", []int{2, 1}},
		{"no more", "per_page=2&page=4", nil},
		{"modified since", "last_modified_time=2026-06-09T13:03:00-0400", []int{4}},
		{"created on", "created_date=2026-06-08", nil},
	} {
		a := b.must(200, "GET", "/invoices?"+test.query, "")
		var got []int
		for i := range a.len("invoices") {
			for n, id := range ids {
				if a.str(fmt.Sprintf("invoices.%d.invoice_id", i)) == id {
					got = append(got, n)
				}
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
	a := b.must(200, "GET", "/invoices?per_page=2&reference_number=R1", "")
	a.want("page_context.has_more_page", "false")
	a.want("page_context.search_criteria.0.column_name", "reference_number")
	a = b.must(200, "GET", "/invoices?per_page=2", "")
	a.want("page_context.has_more_page", "true")
	a.want("page_context.per_page", "2")
	if a.body["page_context"].(map[string]any)["search_criteria"] != nil {
		t.Error("search criteria without a search")
	}
	b.must(200, "GET", "/invoices?response_option=2", "").want("count", "5")
	// A payment has no filter by custom field, and its rows do not show any.
	sent := b.invoiceOf("50")
	for i := range 2 {
		b.must(201, "POST", "/customerpayments", replaceAll(b.paymentBody(sent, "1", "1"), `"payment_mode"`,
			fmt.Sprintf(`"reference_number":"ch_%d","custom_fields":[{"api_name":"cf_booksync_key","value":"payment:%d"}],"payment_mode"`, i, i)))
	}
	a = b.must(200, "GET", "/customerpayments?custom_field=payment:1", "")
	if a.len("customerpayments") != 2 {
		t.Error("payments were filtered by a custom field")
	}
	a = b.must(200, "GET", "/customerpayments?reference_number=ch_1", "")
	if a.len("customerpayments") != 1 || a.body["customerpayments"].([]any)[0].(map[string]any)["custom_fields"] != nil {
		t.Errorf("payments by reference: %s", a.raw)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *Config) { c.Organizations = []Org{unlimited(DefaultOrgIn(testOrg, "IN")).WithFields()} })
	a := b.must(200, "GET", "/organizations", "")
	a.want("organizations.0.time_zone", "Asia/Kolkata")
	a.want("organizations.0.currency_code", "INR")
	b.must(200, "GET", "/organizations/"+testOrg, "").want("organization.is_registered_for_gst", "true")
	b.must(200, "GET", "/settings/taxgroups/"+b.org.TaxID("GST18"), "").want("tax_group.taxes.1.tax_specific_type", "sgst")
	a = b.must(200, "GET", "/settings/taxes", "")
	kinds := map[string]string{}
	for i := range a.len("taxes") {
		kinds[a.str(fmt.Sprintf("taxes.%d.tax_name", i))] = a.str(fmt.Sprintf("taxes.%d.tax_type", i))
	}
	if kinds["GST18"] != "tax_group" || kinds["IGST18"] != "tax" {
		t.Errorf("taxes: %v", kinds)
	}
	b.must(201, "POST", "/settings/taxes", `{"tax_name":"CESS","tax_percentage":1,"tax_type":"tax"}`).want("tax.tax_percentage", "1")
	b.must(200, "GET", "/chartofaccounts/"+b.org.AccountID(AccountStripe), "").want("chart_of_account.account_type", "bank")
	b.must(201, "POST", "/settings/currencies/"+b.org.CurrencyID("USD")+"/exchangerates", `{"effective_date":"2026-06-09","rate":83.5}`)
	b.must(200, "GET", "/settings/currencies/"+b.org.CurrencyID("USD")+"/exchangerates", "").want("exchange_rates.0.rate", "83.5")
	b.refused(404, codeInvalidURL, "GET", "/salesorders/1/invoices", "")
	b.refused(405, codeMethod, "DELETE", "/settings/taxes", "")
	b.refused(400, codeJSON, "POST", "/invoices", `{"customer_id":`)
	b.refused(400, codeJSON, "POST", "/invoices", `customer_id=1`, "Content-Type", "application/x-www-form-urlencoded")
	b.must(201, "POST", "/contacts", `JSONString=%7B%22contact_name%22%3A%22Form%22%7D`, "Content-Type", "application/x-www-form-urlencoded")
	b.refused(400, codeInvalidValue, "POST", "/contacts", `{"contact_name":"x","payment_terms":"Net 15"}`)
	if err := b.call("POST", "/contacts", `{"contact_name":"x","payment_terms":"Net 15"}`).str("message"); err != "Invalid value passed for Payment Terms" {
		t.Error(err)
	}
}
