package login

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/booksync/booksync/connectors/zohobooks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMissingScopes(t *testing.T) {
	t.Parallel()
	needed := []string{"ZohoBooks.invoices.CREATE", "ZohoBooks.invoices.READ", "ZohoBooks.banking.READ"}
	for _, test := range []struct {
		name    string
		granted []string
		want    []string
	}{
		{"Zoho did not say", nil, nil},
		{"everything", []string{"ZohoBooks.fullaccess.all"}, nil},
		{"exactly these", needed, nil},
		{"all of a resource", []string{"ZohoBooks.invoices.ALL", "ZohoBooks.banking.READ"}, nil},
		{"one is missing", []string{"ZohoBooks.invoices.CREATE", "ZohoBooks.banking.READ"}, []string{"ZohoBooks.invoices.READ"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, Missing(test.granted, needed)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEveryRefusalOfTheCredentialsHasAHint(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		&zohobooks.AuthError{Code: "invalid_code"}, &zohobooks.AuthError{Code: "invalid_client"}, &zohobooks.AuthError{Code: "invalid_client_secret"},
		&zohobooks.AuthError{Code: "Access Denied"}, &zohobooks.AuthError{Code: zohobooks.AuthWrongAPIDomain}, &zohobooks.AuthError{Code: zohobooks.AuthUnreachable},
		&zohobooks.Error{Method: "GET", Status: 401, Code: 57}, &zohobooks.Error{Method: "GET", Status: 404, Code: 1002},
	} {
		if Hint(err) == "" {
			t.Errorf("no hint for %v", err)
		}
	}
	if h := Hint(errors.New("something else")); h != "" {
		t.Errorf("a hint from nowhere: %s", h)
	}
}
