package zohobooks_test

import (
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/booksync/booksync/connectors/zohobooks"
)

// The requests are those of Zoho's journals.yml: journal_date, reference_number, notes, status and line_items with account_id,
// debit_or_credit and amount.
func TestJournals(t *testing.T) {
	t.Parallel()
	c, mux, _ := setup(t)
	var body string
	mux.HandleFunc("POST /books/v3/journals", func(w http.ResponseWriter, req *http.Request) {
		b, _ := io.ReadAll(req.Body)
		body = string(b)
		answer(w, 201, `{"code":0,"message":"created","journal":{"journal_id":"7","entry_number":"3","status":"published","total":5,"bcy_total":5}}`)
	})
	mux.HandleFunc("GET /books/v3/journals", func(w http.ResponseWriter, req *http.Request) {
		if got := req.URL.Query().Get("reference_number"); got != "dispute:P1" {
			t.Errorf("searched for %q", got)
		}
		answer(w, 200, `{"code":0,"message":"success","journals":[{"journal_id":"7","reference_number":"dispute:P1","total":5},
			{"journal_id":"8","reference_number":"dispute:P10","total":5}],"page_context":{"page":1,"has_more_page":false}}`)
	})
	five := zohobooks.NewAmount(decimal.NewFromInt(5))
	j, err := c.CreateJournal(t.Context(), &zohobooks.JournalRequest{
		Date: "2026-03-09", Reference: "dispute:P1", Notes: "n", Status: "published",
		Lines: []zohobooks.JournalLine{{AccountID: "1", DebitOrCredit: zohobooks.Debit, Amount: five}, {AccountID: "2", DebitOrCredit: zohobooks.Credit, Amount: five}},
	})
	const want = `{"journal_date":"2026-03-09","reference_number":"dispute:P1","notes":"n","line_items":[{"account_id":"1","debit_or_credit":"debit",` +
		`"amount":5},{"account_id":"2","debit_or_credit":"credit","amount":5}],"status":"published"}`
	if err != nil || j.JournalID != "7" || body != want {
		t.Errorf("journal %+v, error %v, sent %s", j, err, body)
	}
	rows, err := c.FindJournalsByReference(t.Context(), "dispute:P1")
	if err != nil || len(rows) != 1 || rows[0].JournalID != "7" {
		t.Errorf("found %+v, error %v", rows, err)
	}
	if _, err := c.CreateJournal(t.Context(), &zohobooks.JournalRequest{}); !errors.Is(err, zohobooks.ErrInvalidRequest) {
		t.Errorf("a journal without lines: %v", err)
	}
}
