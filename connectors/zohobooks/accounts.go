package zohobooks

import (
	"context"
	"iter"
	"net/http"
)

// Account is an account of the chart, or a bank, cash or clearing account.
type Account struct {
	AccountID    string `json:"account_id"`
	Name         string `json:"account_name"`
	Code         string `json:"account_code"`
	Type         string `json:"account_type"`  // income, expense, bank, cash, other_current_asset, ...
	CurrencyID   string `json:"currency_id"`   // bank accounts only
	CurrencyCode string `json:"currency_code"` // bank accounts only
	IsActive     bool   `json:"is_active"`
	Balance      Amount `json:"balance"`         // bank accounts only
	Closing      Amount `json:"closing_balance"` // a single account of the chart only
}

type bankAccountsAnswer struct {
	head
	Accounts []Account   `json:"bankaccounts"`
	Page     pageContext `json:"page_context"`
}

func (a *bankAccountsAnswer) complete() bool       { return a.Accounts != nil }
func (a *bankAccountsAnswer) rows() []Account      { return a.Accounts }
func (a *bankAccountsAnswer) context() pageContext { return a.Page }

type chartAnswer struct {
	head
	Accounts []Account   `json:"chartofaccounts"`
	Page     pageContext `json:"page_context"`
}

func (a *chartAnswer) complete() bool       { return a.Accounts != nil }
func (a *chartAnswer) rows() []Account      { return a.Accounts }
func (a *chartAnswer) context() pageContext { return a.Page }

type accountAnswer struct {
	head
	Account *Account `json:"chart_of_account"`
}

func (a *accountAnswer) complete() bool { return a.Account != nil && a.Account.AccountID != "" }

// ListBankAccounts walks bank, cash and clearing accounts with their currencies, 200 a call. Needs the scope banking.READ.
func (c *Client) ListBankAccounts(ctx context.Context, opts *ListOptions) iter.Seq2[Account, error] {
	return list(ctx, c, "/bankaccounts", opts, func() listAnswer[Account] { return new(bankAccountsAnswer) })
}

// ListAccounts walks the chart of accounts, 200 a call. Needs the scope accountants.READ.
func (c *Client) ListAccounts(ctx context.Context, opts *ListOptions) iter.Seq2[Account, error] {
	return list(ctx, c, "/chartofaccounts", opts, func() listAnswer[Account] { return new(chartAnswer) })
}

// GetAccount reads one account of the chart. One call.
func (c *Client) GetAccount(ctx context.Context, id string) (*Account, error) {
	var a accountAnswer
	if err := c.one(ctx, http.MethodGet, "/chartofaccounts", id, "", nil, &a); err != nil {
		return nil, err
	}
	return a.Account, nil
}
