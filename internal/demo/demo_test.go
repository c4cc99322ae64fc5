package demo

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/booksync/booksync/internal/simulator"
	"github.com/booksync/booksync/schemas"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestDemoLeavesTheBooksAsTheEventsSay(t *testing.T) {
	for _, tc := range []struct {
		name   string
		faults bool
	}{{"undisturbed", false}, {"with faults and two replicas", true}} {
		t.Run(tc.name, func(t *testing.T) {
			r, err := Run(t.Context(), Options{Orders: 120, Seed: 3, Faults: tc.faults})
			if err != nil {
				t.Fatal(err)
			}
			if !r.OK() {
				t.Errorf("the demo found:\n%s", r.table())
			}
		})
	}
}

func TestEveryEditionsBooksAreAsTheEventsSay(t *testing.T) {
	for _, edition := range Editions() {
		t.Run(edition, func(t *testing.T) {
			t.Parallel()
			r, err := Run(t.Context(), Options{Orders: 60, Seed: 5, Edition: edition, Faults: edition == "in"})
			if err != nil {
				t.Fatal(err)
			}
			if !r.OK() || r.Outcomes["POSTED"] < 100 {
				t.Errorf("the demo found:\n%s", r.table())
			}
		})
	}
}

func TestTheCheckSeesAWrongField(t *testing.T) {
	t.Parallel()
	m := markets["in"]
	o := &schemas.Order{OrderID: "O1", Customer: schemas.Party{ID: "cust-000"}}
	c := &checker{}
	c.checkEdition(m, o, simulator.LedgerDocument{Edition: map[string]string{"gst_treatment": "consumer", "place_of_supply": "KA"}})
	if len(c.problems) != 1 {
		t.Errorf("problems: %q", c.problems)
	}
}

func TestAnUnknownEditionIsNamed(t *testing.T) {
	t.Parallel()
	if _, err := Run(t.Context(), Options{Edition: "atlantis"}); err == nil {
		t.Error("no error")
	}
}
