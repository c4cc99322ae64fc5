package zohobooks_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/connectors/zohobooks"
)

// replay calls the method that belongs to a recording and gives the key of the answer's payload and what was decoded.
type replay func(ctx context.Context, c *zohobooks.Client, id string, body []byte) (any, error)

func collect[T any](seq iter.Seq2[T, error]) ([]T, error) {
	all := []T{}
	for v, err := range seq {
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

func request[T any](body []byte) *T {
	v := new(T)
	if err := json.Unmarshal(body, v); err != nil {
		panic(err)
	}
	return v
}

// replays: every recorded method and path.
var replays = map[string]struct {
	key string
	do  replay
}{
	"GET /contacts": {"contacts", func(ctx context.Context, c *zohobooks.Client, _ string, _ []byte) (any, error) {
		return collect(c.ListContacts(ctx, nil))
	}},
	"POST /contacts": {"contact", func(ctx context.Context, c *zohobooks.Client, _ string, body []byte) (any, error) {
		return c.CreateContact(ctx, request[zohobooks.ContactRequest](body))
	}},
	"GET /contacts/{id}": {"contact", func(ctx context.Context, c *zohobooks.Client, id string, _ []byte) (any, error) {
		return c.GetContact(ctx, id)
	}},
	"PUT /contacts/{id}": {"contact", func(ctx context.Context, c *zohobooks.Client, id string, body []byte) (any, error) {
		return c.UpdateContact(ctx, id, request[zohobooks.ContactRequest](body))
	}},
	"DELETE /contacts/{id}": {"", func(ctx context.Context, c *zohobooks.Client, id string, _ []byte) (any, error) {
		return nil, c.DeleteContact(ctx, id)
	}},
	"GET /invoices": {"invoices", func(ctx context.Context, c *zohobooks.Client, _ string, _ []byte) (any, error) {
		return collect(c.ListInvoices(ctx, nil))
	}},
	"POST /invoices": {"invoice", func(ctx context.Context, c *zohobooks.Client, _ string, body []byte) (any, error) {
		return c.CreateInvoice(ctx, request[zohobooks.InvoiceRequest](body))
	}},
	"GET /invoices/{id}": {"invoice", func(ctx context.Context, c *zohobooks.Client, id string, _ []byte) (any, error) {
		return c.GetInvoice(ctx, id)
	}},
	"PUT /invoices/{id}": {"invoice", func(ctx context.Context, c *zohobooks.Client, id string, body []byte) (any, error) {
		return c.UpdateInvoice(ctx, id, request[zohobooks.InvoiceRequest](body))
	}},
	"DELETE /invoices/{id}": {"", func(ctx context.Context, c *zohobooks.Client, id string, _ []byte) (any, error) {
		return nil, c.DeleteInvoice(ctx, id)
	}},
	"POST /invoices/{id}/status/sent": {"", func(ctx context.Context, c *zohobooks.Client, id string, _ []byte) (any, error) {
		return nil, c.MarkInvoiceSent(ctx, id)
	}},
	"POST /invoices/{id}/status/void": {"", func(ctx context.Context, c *zohobooks.Client, id string, _ []byte) (any, error) {
		return nil, c.VoidInvoice(ctx, id)
	}},
	"POST /invoices/{id}/email": {"", func(ctx context.Context, c *zohobooks.Client, id string, body []byte) (any, error) {
		to := request[struct {
			To []string `json:"to_mail_ids"`
		}](body)
		return nil, c.EmailInvoice(ctx, id, to.To)
	}},
	"GET /customerpayments": {"customerpayments", func(ctx context.Context, c *zohobooks.Client, _ string, _ []byte) (any, error) {
		return collect(c.ListPayments(ctx, nil))
	}},
	"POST /customerpayments": {"payment", func(ctx context.Context, c *zohobooks.Client, _ string, body []byte) (any, error) {
		return c.CreatePayment(ctx, request[zohobooks.PaymentRequest](body))
	}},
	"GET /customerpayments/{id}": {"payment", func(ctx context.Context, c *zohobooks.Client, id string, _ []byte) (any, error) {
		return c.GetPayment(ctx, id)
	}},
	"PUT /customerpayments/{id}": {"payment", func(ctx context.Context, c *zohobooks.Client, id string, body []byte) (any, error) {
		return c.UpdatePayment(ctx, id, request[zohobooks.PaymentRequest](body))
	}},
	"DELETE /customerpayments/{id}": {"", func(ctx context.Context, c *zohobooks.Client, id string, _ []byte) (any, error) {
		return nil, c.DeletePayment(ctx, id)
	}},
	"GET /creditnotes": {"creditnotes", func(ctx context.Context, c *zohobooks.Client, _ string, _ []byte) (any, error) {
		return collect(c.ListCreditNotes(ctx, nil))
	}},
	"POST /creditnotes": {"creditnote", func(ctx context.Context, c *zohobooks.Client, _ string, body []byte) (any, error) {
		return c.CreateCreditNote(ctx, request[zohobooks.CreditNoteRequest](body))
	}},
	"GET /creditnotes/{id}": {"creditnote", func(ctx context.Context, c *zohobooks.Client, id string, _ []byte) (any, error) {
		return c.GetCreditNote(ctx, id)
	}},
	"PUT /creditnotes/{id}": {"creditnote", func(ctx context.Context, c *zohobooks.Client, id string, body []byte) (any, error) {
		return c.UpdateCreditNote(ctx, id, request[zohobooks.CreditNoteRequest](body))
	}},
	"DELETE /creditnotes/{id}": {"", func(ctx context.Context, c *zohobooks.Client, id string, _ []byte) (any, error) {
		return nil, c.DeleteCreditNote(ctx, id)
	}},
	"GET /items": {"items", func(ctx context.Context, c *zohobooks.Client, _ string, _ []byte) (any, error) {
		return collect(c.ListItems(ctx, nil))
	}},
	"POST /items": {"item", func(ctx context.Context, c *zohobooks.Client, _ string, body []byte) (any, error) {
		return c.CreateItem(ctx, request[zohobooks.ItemRequest](body))
	}},
	"GET /items/{id}": {"item", func(ctx context.Context, c *zohobooks.Client, id string, _ []byte) (any, error) {
		return c.GetItem(ctx, id)
	}},
	"PUT /items/{id}": {"item", func(ctx context.Context, c *zohobooks.Client, id string, body []byte) (any, error) {
		return c.UpdateItem(ctx, id, request[zohobooks.ItemRequest](body))
	}},
	"DELETE /items/{id}": {"", func(ctx context.Context, c *zohobooks.Client, id string, _ []byte) (any, error) {
		return nil, c.DeleteItem(ctx, id)
	}},
	"GET /bankaccounts": {"bankaccounts", func(ctx context.Context, c *zohobooks.Client, _ string, _ []byte) (any, error) {
		return collect(c.ListBankAccounts(ctx, nil))
	}},
	"GET /chartofaccounts": {"chartofaccounts", func(ctx context.Context, c *zohobooks.Client, _ string, _ []byte) (any, error) {
		return collect(c.ListAccounts(ctx, nil))
	}},
	"GET /chartofaccounts/{id}": {"chart_of_account", func(ctx context.Context, c *zohobooks.Client, id string, _ []byte) (any, error) {
		return c.GetAccount(ctx, id)
	}},
	"GET /settings/currencies": {"currencies", func(ctx context.Context, c *zohobooks.Client, _ string, _ []byte) (any, error) {
		return collect(c.ListCurrencies(ctx, nil))
	}},
	"GET /settings/taxes": {"taxes", func(ctx context.Context, c *zohobooks.Client, _ string, _ []byte) (any, error) {
		return collect(c.ListTaxes(ctx, nil))
	}},
	"GET /organizations": {"organizations", func(ctx context.Context, c *zohobooks.Client, _ string, _ []byte) (any, error) {
		return c.Organizations(ctx)
	}},
}

var idInPath = regexp.MustCompile(`/(\d{6,})`)

func TestEveryRecordedAnswerDecodes(t *testing.T) {
	t.Parallel()
	compared := 0
	for _, rec := range recordings(t) {
		name := rec.Method + " " + idInPath.ReplaceAllString(strings.TrimPrefix(rec.Path, "/books/v3"), "/{id}")
		r, ok := replays[name]
		if !ok {
			t.Errorf("%s: no method for %s", rec.File, name)
			continue
		}
		c, mux, _ := setup(t)
		var got []byte
		mux.HandleFunc(rec.Method+" "+rec.Path, func(w http.ResponseWriter, req *http.Request) {
			var body bytes.Buffer
			_, _ = body.ReadFrom(req.Body)
			got = body.Bytes()
			if want := rec.Query["organization_id"]; req.URL.Query().Get("organization_id") != want {
				t.Errorf("%s: organization_id is %q, recorded %q", rec.File, req.URL.Query().Get("organization_id"), want)
			}
			w.Header().Set("Content-Type", "application/json;charset=UTF-8") // one recording is without headers
			for k, v := range rec.Headers {
				w.Header().Set(k, v)
			}
			w.WriteHeader(rec.Status)
			_, _ = w.Write(rec.Response)
		})
		id := ""
		if m := idInPath.FindStringSubmatch(rec.Path); m != nil {
			id = m[1]
		}
		v, err := r.do(t.Context(), c, id, rec.Body)
		if err != nil {
			t.Errorf("%s: %v", rec.File, err)
			continue
		}
		if string(rec.Body) != "null" {
			checkSent(t, rec, got)
		}
		if r.key == "" {
			continue
		}
		var answer map[string]any
		dec := json.NewDecoder(bytes.NewReader(rec.Response))
		dec.UseNumber()
		if err := dec.Decode(&answer); err != nil {
			t.Fatal(err)
		}
		compared += compare(t, rec.File+" "+r.key, reflect.ValueOf(v), answer[r.key])
	}
	if compared < 1000 {
		t.Errorf("only %d values were compared", compared)
	}
}

// checkSent: everything that the recorded request held was sent by the method too.
func checkSent(t *testing.T, rec recording, got []byte) {
	t.Helper()
	var sent, recorded any
	if err := json.Unmarshal(got, &sent); err != nil {
		t.Errorf("%s: what was sent is no JSON: %v", rec.File, err)
		return
	}
	if err := json.Unmarshal(rec.Body, &recorded); err != nil {
		t.Fatal(err)
	}
	if path := missing(recorded, sent, ""); path != "" {
		t.Errorf("%s: sent %s\nrecorded %s\ndiffer at %s", rec.File, got, rec.Body, path)
	}
}

// missing names the first thing of want that got has not.
func missing(want, got any, path string) string {
	switch want := want.(type) {
	case map[string]any:
		m, ok := got.(map[string]any)
		if !ok {
			return path
		}
		for k, v := range want {
			if p := missing(v, m[k], path+"/"+k); p != "" {
				return p
			}
		}
		return ""
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			return path
		}
		for i := range want {
			if p := missing(want[i], list[i], fmt.Sprintf("%s/%d", path, i)); p != "" {
				return p
			}
		}
		return ""
	}
	if !reflect.DeepEqual(want, got) {
		return path
	}
	return ""
}

// compare holds every field of v that the JSON has against it and gives the number of values that were compared. Amounts must be the same digits.
func compare(t *testing.T, path string, v reflect.Value, want any) int {
	t.Helper()
	if amount, ok := v.Interface().(zohobooks.Amount); ok {
		text := "0"
		switch want := want.(type) {
		case json.Number:
			text = want.String()
		case string:
			if want != "" {
				text = want
			}
		}
		if amount.String() != text {
			t.Errorf("%s: amount is %s, recorded %v", path, amount, want)
		}
		if amount.Exponent() != decimal.RequireFromString(text).Exponent() {
			t.Errorf("%s: amount has other decimals than %s", path, text)
		}
		return 1
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			if m, ok := want.(map[string]any); ok && len(m) > 0 {
				t.Errorf("%s: was not decoded", path)
			}
			return 0
		}
		return compare(t, path, v.Elem(), want)
	case reflect.Slice:
		list, ok := want.([]any)
		if !ok || len(list) != v.Len() {
			t.Errorf("%s: %d elements, recorded %v", path, v.Len(), want)
			return 0
		}
		n := 0
		for i := range list {
			n += compare(t, fmt.Sprintf("%s[%d]", path, i), v.Index(i), list[i])
		}
		return n
	case reflect.Struct:
		m, ok := want.(map[string]any)
		if !ok {
			t.Errorf("%s: recorded %v", path, want)
			return 0
		}
		n := 0
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			if w, ok := m[name]; ok {
				n += compare(t, path+"."+name, v.Field(i), w)
			}
		}
		return n
	case reflect.Map:
		return 0
	}
	got := fmt.Sprint(v.Interface())
	text := fmt.Sprint(want)
	if text == "" && (v.Kind() == reflect.Int || v.Kind() == reflect.Bool) {
		text = fmt.Sprint(reflect.Zero(v.Type()).Interface())
	}
	if got != text {
		t.Errorf("%s: %q, recorded %q", path, got, text)
	}
	return 1
}
