package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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
	if org.Country == "" {
		if org.Country, org.State, err = processor.Home(cfg.Edition, facts.CountryCode, cfg.State); err != nil {
			return nil, fmt.Errorf("organisation %s: reading Zoho's country: %w", name, err)
		}
	}
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

// stockTracked adds the items whose stock Zoho tracks: a credit of their value alone must not restock them. The catalogue
// is read 200 items a call, so what was found is kept in Redis for a day.
func (s *Service) stockTracked(ctx context.Context, org *processor.Organization) error {
	if len(org.Items) == 0 {
		return nil // only mapped items are ever sold
	}
	var ids []string
	kept, err := s.claims.CacheGet(ctx, org.Name, cacheFacts, "stock_items")
	if err != nil {
		return fmt.Errorf("reading the stock-tracked items kept in Redis: %w", err)
	}
	if len(kept) > 0 {
		if err := json.Unmarshal(kept, &ids); err != nil {
			return fmt.Errorf("reading the stock-tracked items kept in Redis: %w", err)
		}
	} else {
		for item, err := range s.books[org.Name].ListItems(ctx, nil) {
			if err != nil {
				return fmt.Errorf("listing the items of %s: %w", org.Name, err)
			}
			if item.ItemType == itemTypeStock {
				ids = append(ids, item.ItemID)
			}
		}
		text, err := json.Marshal(append([]string{}, ids...))
		if err != nil {
			return fmt.Errorf("keeping the stock-tracked items: %w", err)
		}
		if err := s.claims.CacheSet(ctx, org.Name, cacheFacts, "stock_items", text, 24*time.Hour); err != nil {
			return fmt.Errorf("keeping the stock-tracked items: %w", err)
		}
	}
	if org.StockItems == nil {
		org.StockItems = make(map[string]bool, len(ids))
	}
	for _, id := range ids {
		org.StockItems[id] = true
	}
	return nil
}

const (
	cacheFacts    = "facts"     // kind of what is kept in Redis of an organisation's settings
	itemTypeStock = "inventory" // Zoho's item_type of items whose stock is tracked
)

// locksEvery is how often the transaction locks are read anew; an accountant who closes a month expects it to hold soon.
const locksEvery = time.Hour

// watchLocks keeps the organisations' locks as Zoho has them until ctx ends: one call an hour each.
func (s *Service) watchLocks(ctx context.Context, job *processor.Processor, orgs []*processor.Organization) {
	ctx = zohobooks.WithClass(ctx, zohobooks.ClassLookUp)
	for pause(ctx, locksEvery) {
		for i, org := range orgs {
			last, err := lockedUntil(ctx, s.cfg.Organizations[org.Name].LockedUntil, s.books[org.Name])
			if err != nil {
				s.log.Warn("transaction locks not read", "organization", org.Name, "error", err.Error())
				continue
			}
			if last == org.LockedUntil {
				continue
			}
			s.log.Info("transaction lock changed", "organization", org.Name, "locked_until", last)
			changed := *org
			changed.LockedUntil = last
			orgs[i] = &changed
			job.Replace(&changed)
		}
	}
}

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
