package zohobooks_test

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/booksync/booksync/connectors/zohobooks"
)

// pages answers /books/v3/invoices with n rows, 200 a page unless asked for fewer, whatever the filters, and notes the queries.
func pages(n int, row func(i int) string, queries *[]string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		*queries = append(*queries, r.URL.RawQuery)
		page, _ := strconv.Atoi(r.URL.Query().Get("page"))
		per, _ := strconv.Atoi(r.URL.Query().Get("per_page"))
		first, last := (page-1)*per, min(page*per, n)
		var rows []string
		for i := first; i < last; i++ {
			rows = append(rows, row(i))
		}
		answer(w, 200, fmt.Sprintf(`{"code":0,"message":"success","invoices":[%s],"page_context":{"page":%d,"per_page":%d,"has_more_page":%v}}`,
			strings.Join(rows, ","), page, per, last < n))
	}
}

func plainRow(i int) string {
	return fmt.Sprintf(`{"invoice_id":"%d","invoice_number":"INV-%d","reference_number":"R%d","custom_field_hash":{"cf_key":"order:%d"},"total":1.5}`, 1000+i, i, i, i)
}

func TestListsWalkAllPages(t *testing.T) {
	t.Parallel()
	for n, calls := range map[int]int{0: 1, 1: 1, 200: 1, 201: 2, 450: 3} {
		c, mux, _ := setup(t)
		var queries []string
		mux.HandleFunc("GET /books/v3/invoices", pages(n, plainRow, &queries))
		rows, err := collect(c.ListInvoices(t.Context(), &zohobooks.ListOptions{
			FilterBy: "Status.Unpaid", SortColumn: "created_time", Ascending: true,
			ModifiedSince: time.Date(2026, 6, 9, 13, 0, 0, 0, time.FixedZone("", -4*3600)),
		}))
		if err != nil || len(rows) != n || len(queries) != calls {
			t.Errorf("%d invoices: %d rows in %d calls, want %d (%v)", n, len(rows), len(queries), calls, err)
		}
		want := "organization_id=" + org + "&filter_by=Status.Unpaid&last_modified_time=2026-06-09T13%3A00%3A00-0400&page=1&per_page=200&sort_column=created_time&sort_order=A"
		if diff := cmp.Diff(want, queries[0]); diff != "" {
			t.Error(diff)
		}
	}
}

func TestListsStopWhenTheCallerDoesOrTheServerErrs(t *testing.T) {
	t.Parallel()
	c, mux, _ := setup(t)
	var queries []string
	mux.HandleFunc("GET /books/v3/invoices", pages(1000, plainRow, &queries))
	for inv, err := range c.ListInvoices(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		if inv.InvoiceID == "1250" {
			break
		}
	}
	if len(queries) != 2 {
		t.Errorf("%d calls, want 2", len(queries))
	}
	down, n := fixed(500, `{"code":1000,"message":"Internal error"}`)
	mux.HandleFunc("GET /books/v3/items", down)
	if _, err := collect(c.ListItems(t.Context(), nil)); err == nil || n.Load() != 1 {
		t.Errorf("got %v after %d calls", err, n.Load())
	}
	// A list whose key is not there must not read as an empty list.
	other, _ := fixed(200, `{"code":0,"message":"success"}`)
	mux.HandleFunc("GET /books/v3/contacts", other)
	if _, err := c.FindContactsByName(t.Context(), "A"); !errors.Is(err, zohobooks.ErrUnreadable) {
		t.Errorf("got %v, want ErrUnreadable", err)
	}
	// A flag that is never false must not go on for ever.
	endless, n := fixed(200, `{"code":0,"items":[],"page_context":{"has_more_page":true}}`)
	c2, mux2, _ := setup(t)
	mux2.HandleFunc("GET /books/v3/items", endless)
	if rows, err := collect(c2.ListItems(t.Context(), nil)); err != nil || len(rows) != 0 || n.Load() != 1 {
		t.Errorf("%d rows, %v, %d calls", len(rows), err, n.Load())
	}
}

func TestFindBelievesRowsOnly(t *testing.T) {
	t.Parallel()
	c, mux, _ := setup(t)
	var queries []string
	mux.HandleFunc("GET /books/v3/invoices", pages(150, plainRow, &queries)) // ignores every filter
	ids := func(rows []zohobooks.Invoice, err error) string {
		if err != nil {
			return err.Error()
		}
		var ids []string
		for i := range rows {
			ids = append(ids, rows[i].InvoiceID)
		}
		return strings.Join(ids, ",")
	}
	for name, tt := range map[string]struct{ got, want string }{
		"number":               {ids(c.FindInvoicesByNumber(t.Context(), "inv-7")), "1007"},
		"number not there":     {ids(c.FindInvoicesByNumber(t.Context(), "INV-777")), ""},
		"reference":            {ids(c.FindInvoicesByReference(t.Context(), "R9")), "1009"},
		"part of a reference":  {ids(c.FindInvoicesByReference(t.Context(), "R")), ""},
		"field":                {ids(c.FindInvoicesByCustomField(t.Context(), "cf_key", "order:5")), "1005"},
		"field, not there":     {ids(c.FindInvoicesByCustomField(t.Context(), "cf_key", "order:555")), ""},
		"field, in other case": {ids(c.FindInvoicesByCustomField(t.Context(), "cf_key", "ORDER:5")), ""},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: found %q, want %q", name, tt.got, tt.want)
		}
	}
	if !strings.Contains(strings.Join(queries, " "), "custom_field=order%3A5&") {
		t.Errorf("no documented filter in %q", queries)
	}
}

func TestFindGivesUpWhenTheFilterIsIgnoredAndTheListIsLong(t *testing.T) {
	t.Parallel()
	c, mux, _ := setup(t)
	var queries []string
	mux.HandleFunc("GET /books/v3/invoices", pages(100_000, plainRow, &queries))
	_, err := c.FindInvoicesByNumber(t.Context(), "INV-x")
	if !errors.Is(err, zohobooks.ErrSearchIncomplete) || len(queries) != 5 {
		t.Errorf("got %v after %d calls", err, len(queries))
	}
	if rows, err := c.FindInvoicesByNumber(t.Context(), "INV-3"); err != nil || len(rows) != 1 {
		t.Errorf("what was met is to be given: %d rows, %v", len(rows), err)
	}
}

func TestFindByFieldOpensInvoicesWhoseRowsLackIt(t *testing.T) {
	t.Parallel()
	row := func(i int) string {
		return fmt.Sprintf(`{"invoice_id":"%d","custom_fields":[],"custom_field_hash":{}}`, 1000+i)
	}
	for name, tt := range map[string]struct {
		rows, opened int
		found        bool
		incomplete   bool
	}{
		"one that is it":     {1, 1, true, false},
		"the second is it":   {3, 2, true, false}, // in order, and no more once found
		"too many to open":   {11, 0, false, true},
		"none comes back":    {0, 0, false, false},
		"one that is not it": {1, 1, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, mux, _ := setup(t)
			var queries []string
			mux.HandleFunc("GET /books/v3/invoices", pages(tt.rows, row, &queries))
			opened := 0
			mux.HandleFunc("GET /books/v3/invoices/{id}", func(w http.ResponseWriter, r *http.Request) {
				opened++
				key := "other"
				if tt.found && opened == tt.opened {
					key = "order:5"
				}
				answer(w, 200, fmt.Sprintf(`{"code":0,"invoice":{"invoice_id":"%s","custom_fields":[{"api_name":"cf_key","value":"%s"}]}}`, r.PathValue("id"), key))
			})
			rows, err := c.FindInvoicesByCustomField(t.Context(), "cf_key", "order:5")
			if tt.incomplete != errors.Is(err, zohobooks.ErrSearchIncomplete) || !tt.incomplete && err != nil {
				t.Fatal(err)
			}
			if (len(rows) == 1) != tt.found || opened != tt.opened {
				t.Errorf("%d found, %d opened; want found %v, opened %d", len(rows), opened, tt.found, tt.opened)
			}
		})
	}
}

func TestIdsThatAreNoneOfZohosCostNoCall(t *testing.T) {
	t.Parallel()
	c, mux, _ := setup(t)
	all, n := fixed(200, `{"code":0}`)
	mux.HandleFunc("/books/v3/", all)
	for _, id := range []string{"", "../organizations", "1/status/void", "1?x=y", "1%2f2", "abc", strings.Repeat("1", 33)} {
		if err := c.VoidInvoice(t.Context(), id); !errors.Is(err, zohobooks.ErrInvalidRequest) || zohobooks.Verdict(err).Action != zohobooks.ActionReject {
			t.Errorf("%q: %v", id, err)
		}
	}
	if err := c.MarkInvoicesSent(t.Context(), []string{"1", "x"}); !errors.Is(err, zohobooks.ErrInvalidRequest) {
		t.Error(err)
	}
	if err := c.MarkInvoicesSent(t.Context(), make([]string, 26)); !errors.Is(err, zohobooks.ErrInvalidRequest) {
		t.Error(err)
	}
	if err := c.MarkInvoicesSent(t.Context(), nil); err != nil {
		t.Error(err)
	}
	if n.Load() != 0 {
		t.Errorf("%d calls", n.Load())
	}
}
