package zohobooks

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
)

// Organization is a company as the list of organisations answers it.
type Organization struct {
	OrganizationID  string `json:"organization_id"`
	Name            string `json:"name"`
	TimeZone        string `json:"time_zone"` // IANA name
	CurrencyID      string `json:"currency_id"`
	CurrencyCode    string `json:"currency_code"`
	PricePrecision  int    `json:"price_precision"`
	CountryCode     string `json:"country_code"` // decides the edition
	CountryName     string `json:"country_name"`
	LanguageCode    string `json:"language_code"`
	FiscalYearStart string `json:"fiscal_year_start_month"`
	DateFormat      string `json:"date_format"`
	PlanName        string `json:"plan_name"` // says nothing about the quota: read the headers
	IsDefault       bool   `json:"is_default_org"`
	Settings        struct {
		IsActive bool `json:"is_org_active"`
	} `json:"org_settings"`
}

type organizationsAnswer struct {
	head
	Organizations []Organization `json:"organizations"`
}

func (a *organizationsAnswer) complete() bool { return a.Organizations != nil }

// Organizations lists every organisation that the credentials reach. The call takes no organisation, but its answer tells the day's quota of one;
// it is charged to the client's own. One call.
func (c *Client) Organizations(ctx context.Context) ([]Organization, error) {
	var a organizationsAnswer
	err := c.do(ctx, &call{method: http.MethodGet, resource: "/organizations", path: "/organizations", noOrg: true}, &a)
	if err != nil {
		return nil, err
	}
	return a.Organizations, nil
}

// Organization is the client's own. One call. Without it in the list the error's Status is 404 and Verdict says Missing.
func (c *Client) Organization(ctx context.Context) (*Organization, error) {
	all, err := c.Organizations(ctx)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].OrganizationID == c.cfg.OrganizationID {
			return &all[i], nil
		}
	}
	return nil, &Error{
		Method: http.MethodGet, Path: "/organizations", Status: http.StatusNotFound, Code: codeMissing,
		Message: fmt.Sprintf("organisation %s is not among the %d that these credentials reach", c.cfg.OrganizationID, len(all)),
	}
}

// Tax is a tax or a tax group.
type Tax struct {
	TaxID        string `json:"tax_id"`
	Name         string `json:"tax_name"`
	Percentage   Amount `json:"tax_percentage"`
	Type         string `json:"tax_type"`          // tax, compound_tax, tax_group
	SpecificType string `json:"tax_specific_type"` // India: igst, cgst, sgst, ...
	Status       string `json:"status"`
	IsDefault    bool   `json:"is_default_tax"`
	IsEditable   bool   `json:"is_editable"`
	AuthorityID  string `json:"tax_authority_id"` // United States
}

type taxesAnswer struct {
	head
	Taxes []Tax       `json:"taxes"`
	Page  pageContext `json:"page_context"`
}

func (a *taxesAnswer) complete() bool       { return a.Taxes != nil }
func (a *taxesAnswer) rows() []Tax          { return a.Taxes }
func (a *taxesAnswer) context() pageContext { return a.Page }

// ListTaxes walks the active taxes and tax groups, 200 a call.
func (c *Client) ListTaxes(ctx context.Context, opts *ListOptions) iter.Seq2[Tax, error] {
	return list(ctx, c, "/settings/taxes", opts, func() listAnswer[Tax] { return new(taxesAnswer) })
}

type taxGroupAnswer struct {
	head
	Group *struct {
		ID    string `json:"tax_group_id"`
		Taxes []Tax  `json:"taxes"`
	} `json:"tax_group"`
}

func (a *taxGroupAnswer) complete() bool { return a.Group != nil && a.Group.ID != "" }

// TaxGroup gives the taxes of a group, in Zoho's order. One call.
func (c *Client) TaxGroup(ctx context.Context, id string) ([]Tax, error) {
	var a taxGroupAnswer
	if err := c.one(ctx, http.MethodGet, "/settings/taxgroups", id, "", nil, &a); err != nil {
		return nil, err
	}
	return a.Group.Taxes, nil
}

// TaxExemption is a reason why a customer or an item is not taxed.
type TaxExemption struct {
	ID   string `json:"tax_exemption_id"`
	Code string `json:"tax_exemption_code"`
	Type string `json:"type"` // customer, item
}

type exemptionsAnswer struct {
	head
	Exemptions []TaxExemption `json:"tax_exemptions"`
}

func (a *exemptionsAnswer) complete() bool { return a.Exemptions != nil }

// TaxExemptions lists the exemptions; not every edition has them. One call.
func (c *Client) TaxExemptions(ctx context.Context) ([]TaxExemption, error) {
	var a exemptionsAnswer
	const path = "/settings/taxexemptions"
	if err := c.do(ctx, &call{method: http.MethodGet, resource: path, path: path}, &a); err != nil {
		return nil, err
	}
	return a.Exemptions, nil
}

// Currency is one that the organisation has set up.
type Currency struct {
	CurrencyID     string `json:"currency_id"`
	Code           string `json:"currency_code"`
	Name           string `json:"currency_name"`
	PricePrecision int    `json:"price_precision"` // decimals
	IsBase         bool   `json:"is_base_currency"`
	ExchangeRate   Amount `json:"exchange_rate"` // to the base currency; 0 when none is set
	EffectiveDate  string `json:"effective_date"`
}

type currenciesAnswer struct {
	head
	Currencies []Currency  `json:"currencies"`
	Page       pageContext `json:"page_context"`
}

func (a *currenciesAnswer) complete() bool       { return a.Currencies != nil }
func (a *currenciesAnswer) rows() []Currency     { return a.Currencies }
func (a *currenciesAnswer) context() pageContext { return a.Page }

// ListCurrencies walks the currencies, 200 a call.
func (c *Client) ListCurrencies(ctx context.Context, opts *ListOptions) iter.Seq2[Currency, error] {
	return list(ctx, c, "/settings/currencies", opts, func() listAnswer[Currency] { return new(currenciesAnswer) })
}

// ExchangeRate is a currency's rate to the base currency from a day on.
type ExchangeRate struct {
	EffectiveDate string `json:"effective_date"` // yyyy-mm-dd
	Rate          Amount `json:"rate"`
}

type ratesAnswer struct {
	head
	Rates []ExchangeRate `json:"exchange_rates"`
}

func (a *ratesAnswer) complete() bool { return a.Rates != nil }

// ExchangeRateOn is the rate of a currency (by Zoho's id) on a day (yyyy-mm-dd): the last one set until then, zero when there is none. One call.
func (c *Client) ExchangeRateOn(ctx context.Context, currencyID, day string) (Amount, error) {
	path, err := item("/settings/currencies", currencyID, "/exchangerates")
	if err != nil {
		return Amount{}, err
	}
	var a ratesAnswer
	err = c.do(ctx, &call{
		method: http.MethodGet, resource: "/settings/currencies/{id}/exchangerates", path: path, query: url.Values{"from_date": {day}}.Encode(),
	}, &a)
	if err != nil {
		return Amount{}, err
	}
	var last ExchangeRate
	for _, r := range a.Rates { // Zoho may answer all of them
		if r.EffectiveDate <= day && r.EffectiveDate >= last.EffectiveDate {
			last = r
		}
	}
	return last.Rate, nil
}

// TransactionLock is a date up to which a module's transactions are locked.
type TransactionLock struct {
	LockID     string `json:"transaction_lock_id"`
	Status     string `json:"transaction_lock_status"` // disabled, enabled, enabled_with_logging
	Date       string `json:"transaction_lock_date"`   // yyyy-mm-dd, inclusive
	LockStatus string `json:"lock_status"`
	Scope      string `json:"lock_scope"` // a number; 0 is everything, the others UNCONFIRMED
	ScopeText  string `json:"lock_scope_formatted"`
	StartDate  string `json:"start_date"` // of the accounting period
	EndDate    string `json:"end_date"`
	Reason     string `json:"reason"`
}

type locksAnswer struct {
	head
	Locks []TransactionLock `json:"transaction_locks"`
	Page  pageContext       `json:"page_context"`
}

func (a *locksAnswer) complete() bool          { return a.Locks != nil }
func (a *locksAnswer) rows() []TransactionLock { return a.Locks }
func (a *locksAnswer) context() pageContext    { return a.Page }

// TransactionLocks gives all locks. One call per 200. Needs the scope accountants.READ.
func (c *Client) TransactionLocks(ctx context.Context) ([]TransactionLock, error) {
	all := []TransactionLock{}
	for lock, err := range list(ctx, c, "/transactionlocks", nil, func() listAnswer[TransactionLock] { return new(locksAnswer) }) {
		if err != nil {
			return nil, err
		}
		all = append(all, lock)
	}
	return all, nil
}
