package setup

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/booksync/booksync/internal/config"
	"github.com/booksync/booksync/schemas"
)

func newCodec(t *testing.T, urls ...string) *schemas.Codec {
	t.Helper()
	var opts []schemas.Option
	if len(urls) > 0 {
		opts = append(opts, schemas.WithRegistry(schemas.RegistryConfig{URLs: urls}))
	}
	c, err := schemas.NewCodec(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestSchemasAreRegisteredWhenAskedTo(t *testing.T) {
	t.Parallel()
	registry := srfake.New()
	defer registry.Close()
	codec := newCodec(t, registry.URL())
	look := func(apply bool) []string {
		r, err := Run(t.Context(), config.Default(), Deps{Registry: codec}, Options{Apply: apply, Skip: []string{"kafka", "books"}})
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, f := range r.Findings {
			out = append(out, string(f.State)+" "+f.Item)
		}
		return out
	}
	items := []string{"commerce.orders-value", "commerce.payments-value", "commerce.refunds-value", "books.outcomes-value", "books.audit-value", "books.reconciliations-value"}
	want := func(states ...string) []string {
		var out []string
		for i, item := range items {
			out = append(out, states[i]+" "+item)
		}
		return out
	}
	if diff := cmp.Diff(want("note", "note", "note", "missing", "missing", "missing"), look(false)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want("created", "created", "created", "created", "created", "created"), look(true)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want("ok", "ok", "ok", "ok", "ok", "ok"), look(false)); diff != "" {
		t.Error(diff)
	}
}

func TestARegistryThatIsAwayIsNotTakenForAMissingSchema(t *testing.T) {
	t.Parallel()
	codec := newCodec(t, "http://127.0.0.1:1")
	r, err := Run(t.Context(), config.Default(), Deps{Registry: codec}, Options{Skip: []string{"kafka", "books"}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"unknown registry/commerce.orders-value"}, bad(r)); diff != "" {
		t.Error(diff)
	}
}
