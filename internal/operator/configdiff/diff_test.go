package configdiff

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/booksync/booksync/internal/config"
)

const base = `
kafka: {brokers: ['k1:9092']}
organizations:
  acme:
    id: "1"
    client_id: c
    client_secret: very-secret
    refresh_token_file: /run/secrets/acme
    taxes: {vat20: {tax_id: "20", rate: 20}}
    line_targets: {GOODS/vat20: {account_id: "388"}}
    clearing: {stripe/EUR: "361"}
  other:
    id: "2"
    client_id: c
    client_secret: s
    refresh_token: r
`

func load(t *testing.T, text string) *config.Config {
	t.Helper()
	name := filepath.Join(t.TempDir(), "booksync.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.LoadForReading(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// changed is the difference when parts of the text are replaced.
func changed(t *testing.T, oldnew ...string) Diff {
	t.Helper()
	text := strings.NewReplacer(oldnew...).Replace(base)
	if len(oldnew) > 0 && text == base {
		t.Fatalf("%q is not in the configuration", oldnew[0])
	}
	return Compare(load(t, base), load(t, text))
}

func TestEqualConfigurationsHaveNoDifference(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]Diff{
		"the same":              changed(t),
		"a default written out": changed(t, "brokers: ['k1:9092']", "brokers: ['k1:9092'], client_id: booksync"),
		"a rate with zeros":     changed(t, "rate: 20", "rate: 20.00"),
	} {
		if !d.Equal || len(d.Changes) > 0 || d.Organizations[0].OldHash != d.Organizations[0].NewHash || d.Organizations[0].Touched != nil {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

func TestChangesAreSaidInWords(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		replace []string
		want    Change
		same    bool // the mapping's hash
	}{
		"another tax": {replace: []string{`tax_id: "20"`, `tax_id: "21"`}, want: Change{
			Organization: "acme", Path: "taxes.vat20.tax_id", Old: "20", New: "21", Workflows: []string{"order", "refund"},
			Meaning: "lines with the tax code vat20 are posted with another tax",
		}},
		"another rate": {replace: []string{"rate: 20", "rate: 19"}, want: Change{
			Organization: "acme", Path: "taxes.vat20.rate", Old: "20", New: "19", Workflows: []string{"order", "refund"},
			Meaning: "lines with the tax code vat20 are checked against another rate: events with the old one are rejected",
		}},
		"another clearing account": {replace: []string{`stripe/EUR: "361"`, `stripe/EUR: "362"`}, want: Change{
			Organization: "acme", Path: "clearing.stripe/EUR", Old: "361", New: "362", Workflows: []string{"payment", "refund"},
			Meaning: "the account that money by stripe/EUR goes to and refunds come from",
		}},
		"a gateway unmapped": {replace: []string{`clearing: {stripe/EUR: "361"}`, ``}, want: Change{
			Organization: "acme", Path: "clearing.stripe/EUR", Old: "361", Workflows: []string{"payment", "refund"},
			Meaning: "the account that money by stripe/EUR goes to and refunds come from; it is not mapped any more: such events are REJECTED, or booked by default",
		}},
		"to shadow": {same: true, replace: []string{`clearing:`, "workflows: {refund: shadow}\n    clearing:"}, want: Change{
			Organization: "acme", Path: "workflows.refund", Old: "on", New: "shadow", Workflows: []string{"refund"},
			Meaning: "refund events are planned and compared, and NOT written; each ends with the outcome SHADOW",
		}},
		"a secret": {same: true, replace: []string{"very-secret", "other-secret"}, want: Change{
			Organization: "acme", Path: "client_secret", Old: "[secret]", New: "[secret]", Secret: true, Workflows: all, Meaning: "another OAuth client secret",
		}},
		"the service": {same: true, replace: []string{"k1:9092", "k2:9092"}, want: Change{
			Path: "kafka.brokers", Old: "k1:9092", New: "k2:9092", Workflows: all, Meaning: "how Kafka is reached",
		}},
	} {
		d := changed(t, test.replace...)
		if diff := cmp.Diff([]Change{test.want}, d.Changes); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		acme, other := d.Organizations[0], d.Organizations[1]
		if d.Equal || (acme.OldHash == acme.NewHash) != test.same || other.OldHash != other.NewHash || !cmp.Equal(acme.Touched, test.want.Workflows) {
			t.Errorf("%s: %+v", name, d.Organizations)
		}
		if test.want.Organization != "" && len(other.Touched) > 0 {
			t.Errorf("%s: touches %+v", name, other)
		}
	}
}

func TestAnOrganizationThatComesOrGoesIsOneChange(t *testing.T) {
	t.Parallel()
	with, without := load(t, base), load(t, base[:strings.Index(base, "  other:")])
	gone := Compare(with, without)
	if len(gone.Changes) != 1 || gone.Changes[0].Organization != "other" || !strings.Contains(gone.Changes[0].Meaning, "REJECTED") || gone.Organizations[1].NewHash != "" {
		t.Errorf("%+v", gone)
	}
	came := Compare(without, with)
	if len(came.Changes) != 1 || came.Organizations[1].OldHash != "" || !strings.Contains(came.Changes[0].Meaning, "is new") {
		t.Errorf("%+v", came)
	}
}
