package zohobooks

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

// Journal is a manual journal entry as the API answers it; list rows have no lines.
type Journal struct {
	JournalID   string        `json:"journal_id"`
	EntryNumber string        `json:"entry_number"`
	Reference   string        `json:"reference_number"`
	Date        string        `json:"journal_date"`
	Notes       string        `json:"notes"`
	Status      string        `json:"status"` // draft, published
	Total       Amount        `json:"total"`  // of one side
	BaseTotal   Amount        `json:"bcy_total"`
	Lines       []JournalLine `json:"line_items"`
}

// JournalLine is one leg of an entry. Amount is positive.
type JournalLine struct {
	AccountID     string `json:"account_id"`
	DebitOrCredit string `json:"debit_or_credit"` // debit, credit
	Amount        Amount `json:"amount"`
	Description   string `json:"description,omitempty"`
}

// The two sides of a JournalLine.
const (
	Debit  = "debit"
	Credit = "credit"
)

// JournalRequest is the body of a create. Journals have no unique field: nothing in Zoho hinders a second one.
type JournalRequest struct {
	Date         string        `json:"journal_date"`
	Reference    string        `json:"reference_number,omitempty"`
	Notes        string        `json:"notes,omitempty"`
	CurrencyID   string        `json:"currency_id,omitempty"`
	ExchangeRate Amount        `json:"exchange_rate,omitzero"`
	Lines        []JournalLine `json:"line_items"`
	// Status is published: a draft is not in the ledger.
	Status string `json:"status,omitempty"`
}

const journals = "/journals"

type journalAnswer struct {
	head
	Journal *Journal `json:"journal"`
}

func (a *journalAnswer) complete() bool { return a.Journal != nil && a.Journal.JournalID != "" }

type journalsAnswer struct {
	head
	Journals []Journal   `json:"journals"`
	Page     pageContext `json:"page_context"`
}

func (a *journalsAnswer) complete() bool       { return a.Journals != nil }
func (a *journalsAnswer) rows() []Journal      { return a.Journals }
func (a *journalsAnswer) context() pageContext { return a.Page }

// CreateJournal posts a manual journal entry whose debits equal its credits. Needs the scope accountants.CREATE. One call.
func (c *Client) CreateJournal(ctx context.Context, req *JournalRequest) (*Journal, error) {
	if len(req.Lines) == 0 {
		return nil, fmt.Errorf("%w: a journal without lines", ErrInvalidRequest)
	}
	var a journalAnswer
	if err := c.do(ctx, &call{method: http.MethodPost, resource: journals, path: journals, body: req}, &a); err != nil {
		return nil, err
	}
	return a.Journal, nil
}

// FindJournalsByReference gives the journals (list rows) with exactly this reference. One call as a rule.
func (c *Client) FindJournalsByReference(ctx context.Context, reference string) ([]Journal, error) {
	return find(ctx, c, journals, url.Values{"reference_number": {reference}}, func() listAnswer[Journal] { return new(journalsAnswer) },
		func(j *Journal) fit { return fitIf(j.Reference == reference) }, nil)
}
