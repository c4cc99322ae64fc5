package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/booksync/booksync/connectors/zohobooks"
	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/processor"
)

// OrganizationOf is the organisation as the job needs it: the configured mapping, completed with what Zoho says of it now.
// It makes five to eight calls. An error says what to mend: it joins everything that is wrong.
func OrganizationOf(ctx context.Context, name string, cfg config.Organization, books *zohobooks.Client) (*processor.Organization, error) {
	org, err := cfg.Mapping(name)
	if err != nil {
		return nil, err
	}
	facts, err := books.Organization(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading organisation %s: %w", name, err)
	}
	if org.TimeZone == nil {
		if org.TimeZone, err = time.LoadLocation(facts.TimeZone); err != nil {
			return nil, fmt.Errorf("organisation %s: loading Zoho's time zone %q: %w", name, facts.TimeZone, err)
		}
	}
	if org.BaseCurrency != "" && org.BaseCurrency != facts.CurrencyCode {
		return nil, fmt.Errorf("organisation %s: base_currency is configured as %s, in Zoho it is %s", name, org.BaseCurrency, facts.CurrencyCode)
	}
	org.BaseCurrency = facts.CurrencyCode
	org.CurrencyIDs = make(map[string]string)
	for cur, err := range books.ListCurrencies(ctx, nil) {
		if err != nil {
			return nil, fmt.Errorf("reading the currencies of %s: %w", name, err)
		}
		org.CurrencyIDs[cur.Code] = cur.CurrencyID
	}
	if org.LockedUntil, err = lockedUntil(ctx, org.LockedUntil, books); err != nil {
		return nil, fmt.Errorf("reading the transaction locks of %s: %w", name, err)
	}
	return &org, errors.Join(checkFields(ctx, &org, books)...)
}

// lockedUntil is the later of the configured and Zoho's own last locked day for sales.
func lockedUntil(ctx context.Context, configured string, books *zohobooks.Client) (string, error) {
	locks, err := books.TransactionLocks(ctx)
	if err != nil {
		return "", err
	}
	last := configured
	for _, l := range locks {
		if l.Status != lockDisabled && l.Date > last {
			last = l.Date
		}
	}
	return last, nil
}

// lockDisabled is the status of a lock that's switched off.
const lockDisabled = "disabled"

// Entities that have custom fields of ours, as Zoho names them; the names of payments and credit notes are UNCONFIRMED.
const (
	entityContact    = "contact"
	entityInvoice    = "invoice"
	entityPayment    = "customer_payment"
	entityCreditNote = "creditnote"
)

// checkFields says which of the custom fields are missing, or not unique: without them nothing would refuse a second
// document (design, section 7).
func checkFields(ctx context.Context, org *processor.Organization, books *zohobooks.Client) []error {
	var errs []error
	for _, e := range []struct {
		entity string
		fields processor.EntityFields
	}{
		{entityContact, org.Fields.Contact}, {entityInvoice, org.Fields.Invoice},
		{entityPayment, org.Fields.Payment}, {entityCreditNote, org.Fields.CreditNote},
	} {
		defs, err := books.CustomFields(ctx, e.entity)
		if err != nil {
			return append(errs, fmt.Errorf("reading the custom fields of %s: %w", e.entity, err))
		}
		key := slices.IndexFunc(defs, func(d zohobooks.FieldDef) bool { return d.APIName == e.fields.Key })
		switch {
		case key < 0:
			errs = append(errs, &SetupError{fmt.Sprintf("organisation %s: %s has no custom field %s: run `booksync setup --apply`", org.Name, e.entity, e.fields.Key)})
		case !defs[key].IsUnique:
			errs = append(errs, &SetupError{fmt.Sprintf("organisation %s: the custom field %s of %s takes the same value twice: declare it unique in Zoho", org.Name, e.fields.Key, e.entity)})
		}
		if !slices.ContainsFunc(defs, func(d zohobooks.FieldDef) bool { return d.APIName == e.fields.Origin }) {
			errs = append(errs, &SetupError{fmt.Sprintf("organisation %s: %s has no custom field %s: run `booksync setup --apply`", org.Name, e.entity, e.fields.Origin)})
		}
	}
	return errs
}

// SetupError is something in Zoho that `booksync setup` or a person must mend.
type SetupError struct{ Message string }

// Error says what, and how to mend it.
func (e *SetupError) Error() string { return e.Message }

// BooksClient builds the client of one configured organisation.
func BooksClient(cfg *config.Config, name string, opts ...zohobooks.Option) (*zohobooks.Client, error) {
	c, err := zohobooks.New(cfg.BooksConfig(name), opts...)
	if err != nil {
		return nil, fmt.Errorf("organisation %s: %w", name, err)
	}
	return c, nil
}

// names are the organisations' names, sorted.
func names(cfg *config.Config) []string {
	out := make([]string, 0, len(cfg.Organizations))
	for name := range cfg.Organizations {
		out = append(out, name)
	}
	slices.SortFunc(out, strings.Compare)
	return out
}
