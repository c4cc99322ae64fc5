// Package login gets, tests and revokes the credentials of one organisation.
//
// The first refresh token comes from a self client's code; it is shown to work by a refresh, and the scopes are compared with
// what the workflows need. Zoho's answer may leave the scopes out, so they are also tried: one cheap read each.
package login

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/booksync/booksync/connectors/zohobooks"
)

// Scopes are what the workflows need, besides those of [SetupScopes].
var Scopes = []string{
	"ZohoBooks.contacts.CREATE", "ZohoBooks.contacts.READ", "ZohoBooks.contacts.UPDATE",
	"ZohoBooks.invoices.CREATE", "ZohoBooks.invoices.READ", "ZohoBooks.invoices.UPDATE",
	"ZohoBooks.customerpayments.CREATE", "ZohoBooks.customerpayments.READ", "ZohoBooks.customerpayments.UPDATE",
	"ZohoBooks.creditnotes.CREATE", "ZohoBooks.creditnotes.READ", "ZohoBooks.creditnotes.UPDATE",
	"ZohoBooks.settings.READ", "ZohoBooks.banking.READ", "ZohoBooks.accountants.READ",
}

// SetupScopes are needed by `setup --apply` only, to create the custom fields.
var SetupScopes = []string{"ZohoBooks.settings.CREATE"}

const everything = "ZohoBooks.fullaccess.all"

// Missing are those of the needed scopes that granted does not contain. None are missing when granted is empty: Zoho did not say.
func Missing(granted, needed []string) []string {
	if len(granted) == 0 || slices.Contains(granted, everything) {
		return nil
	}
	var out []string
	for _, scope := range needed {
		all := scope[:strings.LastIndexByte(scope, '.')] + ".ALL"
		if !slices.Contains(granted, scope) && !slices.Contains(granted, all) {
			out = append(out, scope)
		}
	}
	return out
}

// Books are the cheap reads that show whether a scope is there. *zohobooks.Client has them.
type Books interface {
	Organization(ctx context.Context) (*zohobooks.Organization, error)
	ListContacts(ctx context.Context, opts *zohobooks.ListOptions) iter.Seq2[zohobooks.Contact, error]
	ListInvoices(ctx context.Context, opts *zohobooks.ListOptions) iter.Seq2[zohobooks.Invoice, error]
	ListPayments(ctx context.Context, opts *zohobooks.ListOptions) iter.Seq2[zohobooks.Payment, error]
	ListCreditNotes(ctx context.Context, opts *zohobooks.ListOptions) iter.Seq2[zohobooks.CreditNote, error]
	ListAccounts(ctx context.Context, opts *zohobooks.ListOptions) iter.Seq2[zohobooks.Account, error]
	ListBankAccounts(ctx context.Context, opts *zohobooks.ListOptions) iter.Seq2[zohobooks.Account, error]
}

// Probe is the result of one read.
type Probe struct {
	Scope string // the one that the read needs
	Err   error  // nil: it is there
	// Refused: the credentials do not reach it; else Err is an outage, or something else that says nothing about the scope.
	Refused bool
}

// Try reads one row of everything that is read; seven calls. The first error that is about the credentials as a whole, or an
// outage, ends it: the rest would say the same.
func Try(ctx context.Context, books Books) (*zohobooks.Organization, []Probe) {
	org, err := books.Organization(ctx)
	probes := []Probe{probe("ZohoBooks.settings.READ", err)}
	if err != nil {
		return nil, probes
	}
	one := &zohobooks.ListOptions{PerPage: 1}
	for _, p := range []struct {
		scope string
		read  func() error
	}{
		{"ZohoBooks.contacts.READ", func() error { return first(books.ListContacts(ctx, one)) }},
		{"ZohoBooks.invoices.READ", func() error { return first(books.ListInvoices(ctx, one)) }},
		{"ZohoBooks.customerpayments.READ", func() error { return first(books.ListPayments(ctx, one)) }},
		{"ZohoBooks.creditnotes.READ", func() error { return first(books.ListCreditNotes(ctx, one)) }},
		{"ZohoBooks.accountants.READ", func() error { return first(books.ListAccounts(ctx, one)) }},
		{"ZohoBooks.banking.READ", func() error { return first(books.ListBankAccounts(ctx, one)) }},
	} {
		result := probe(p.scope, p.read())
		probes = append(probes, result)
		if result.Err != nil && !result.Refused {
			break
		}
	}
	return org, probes
}

func probe(scope string, err error) Probe {
	return Probe{Scope: scope, Err: err, Refused: err != nil && zohobooks.Verdict(err).Action == zohobooks.ActionStop}
}

// first reads at most one row.
func first[T any](rows iter.Seq2[T, error]) error {
	for _, err := range rows {
		return err
	}
	return nil
}

// Hint says what to do about trouble with credentials; "" when err is none.
func Hint(err error) string {
	var auth *zohobooks.AuthError
	if errors.As(err, &auth) {
		switch auth.Code {
		case "invalid_code":
			return "the refresh token is wrong, revoked, or of another data centre: make a new one with `booksync auth login`"
		case "invalid_client":
			return "the client id is wrong, or registered in another data centre: compare it, and data_center, with the API console"
		case "invalid_client_secret":
			return "the client secret is wrong: copy it anew from the API console"
		case "Access Denied":
			return "too many token requests: Zoho allows 10 in 10 minutes; wait 10 minutes without asking"
		case zohobooks.AuthWrongAPIDomain:
			return "the token belongs to another data centre: set data_center to the one of the account"
		case zohobooks.AuthUnreachable:
			return "the accounts server does not answer: check the network and data_center"
		}
		return ""
	}
	var api *zohobooks.Error
	if errors.As(err, &api) {
		switch {
		case zohobooks.Verdict(err).Action == zohobooks.ActionMissing:
			return "the credentials do not reach this organization_id: check the id, and which user made the refresh token"
		case zohobooks.Verdict(err).Action == zohobooks.ActionStop:
			return fmt.Sprintf("code %d: a scope is missing, or the user may not do this: make a new refresh token with all scopes", api.Code)
		}
	}
	return ""
}
