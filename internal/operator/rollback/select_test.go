package rollback

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/booksync/booksync/schemas"
)

func TestSelectorIsWrittenAsItsFlags(t *testing.T) {
	t.Parallel()
	ids := make([]string, 23)
	for i := range ids {
		ids[i] = "O"
	}
	for want, sel := range map[string]Selector{
		"--all": {},
		"--since 2026-11-20T10:40:00Z --config-hash 3f9c --organization acme": {Since: time.Date(2026, 11, 20, 10, 40, 0, 0, time.UTC), ConfigHash: "3f9c", Organization: "acme"},
		"--until 2026-11-20T10:40:00Z --version 1.4.0 --workflow order --ids O1,O2": {
			Until: time.Date(2026, 11, 20, 10, 40, 0, 0, time.UTC), Version: "1.4.0", Workflow: "order", IDs: []string{"O1", "O2"},
		},
		"--ids O,O,O,O,O,O,O,O,O,O,O,O,O,O,O,O,O,O,O,O and 3 more": {IDs: ids},
	} {
		if got := sel.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestSelectorWantsAllThatIsGiven(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 10, 40, 0, 0, time.UTC)
	out := &schemas.Outcome{
		OutcomeID: "x1", Workflow: "payment", Organization: "acme", BusinessID: "P1", OrderID: "O1", Version: "1.4.0", ConfigHash: "3f9c0a1b2c3d4e5f", SettledAt: at,
		Source: schemas.Source{EventID: "e1"}, Documents: []schemas.Document{{Type: "customer_payment", ID: "460", Number: "17"}},
	}
	for name, test := range map[string]struct {
		sel  Selector
		want bool
	}{
		"nothing is asked for":             {Selector{}, true},
		"since is inclusive":               {Selector{Since: at}, true},
		"until is not":                     {Selector{Until: at}, false},
		"the beginning of the hash":        {Selector{ConfigHash: "3f9c"}, true},
		"more than the hash":               {Selector{ConfigHash: "3f9c0a1b2c3d4e5f00"}, false},
		"another hash":                     {Selector{ConfigHash: "3f9d"}, false},
		"the order's id finds its payment": {Selector{IDs: []string{"O1"}}, true},
		"the event's id":                   {Selector{IDs: []string{"e1"}}, true},
		"the document's number":            {Selector{IDs: []string{"no", "17"}}, true},
		"another id":                       {Selector{IDs: []string{"P2"}}, false},
		"one of two does not hold":         {Selector{IDs: []string{"P1"}, Workflow: "order"}, false},
		"all hold":                         {Selector{IDs: []string{"P1"}, Workflow: "payment", Organization: "acme", Version: "1.4.0"}, true},
	} {
		if got := test.sel.matches(out); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestPlanOfAReversedOutcome(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]schemas.Outcome{
		"X7":  {Status: schemas.StatusReversed, Reason: reasonOf("X7", "o1")},
		"":    {Status: schemas.StatusPosted, Reason: reasonOf("X7", "o1")},
		"Y 8": {Status: schemas.StatusReversed, Reason: reasonOf("Y 8", "o1")},
	} {
		if got := PlanOf(&o); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := PlanOf(&schemas.Outcome{Status: schemas.StatusReversed, Reason: "somebody else's"}); got != "" {
		t.Errorf("%q of a reason that is not ours", got)
	}
}

// posted is an outcome that wrote a document, settled so many seconds after the first.
func posted(workflow, id string, seconds int, selected bool) *Posted {
	return &Posted{
		Workflow: workflow, BusinessID: id, OrderID: "O1", SettledAt: time.Date(2026, 11, 20, 10, 40, seconds, 0, time.UTC), Selected: selected,
		Documents: []schemas.Document{{Type: workflow, ID: "doc of " + id}},
	}
}

func TestWhatRestsOnSomethingGoesWithItLastFirst(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		posted     []*Posted
		want, kept []string
	}{
		"nothing selected": {[]*Posted{posted("order", "O1", 0, false)}, nil, nil},
		"the order takes all with it": {
			[]*Posted{posted("order", "O1", 0, true), posted("payment", "P1", 1, false), posted("refund", "R1", 2, false)},
			[]string{"R1", "P1", "O1"}, nil,
		},
		"a payment takes the refunds after it": {
			[]*Posted{posted("order", "O1", 0, false), posted("payment", "P1", 1, true), posted("payment", "P2", 2, false), posted("refund", "R1", 3, false)},
			[]string{"R1", "P1"}, []string{"doc of P2", "doc of O1"},
		},
		"a refund goes alone": {
			[]*Posted{posted("order", "O1", 0, false), posted("payment", "P1", 1, false), posted("refund", "R1", 2, true)},
			[]string{"R1"}, []string{"doc of P1", "doc of O1"},
		},
		"a refund before the payment stays": {
			[]*Posted{posted("order", "O1", 0, false), posted("refund", "R1", 1, false), posted("payment", "P2", 2, true)},
			[]string{"P2"}, []string{"doc of R1", "doc of O1"},
		},
		"of one moment the refund is the last": {
			[]*Posted{posted("order", "O1", 0, true), posted("refund", "R1", 0, true), posted("payment", "P1", 0, true)},
			[]string{"R1", "P1", "O1"}, nil,
		},
		"what wrote nothing is not taken back": {
			[]*Posted{{Workflow: "order", BusinessID: "O1", OrderID: "O1", Selected: true}}, nil, nil,
		},
	} {
		all := make(map[schemas.Source]*Posted)
		for i, p := range test.posted {
			all[schemas.Source{Topic: "t", Offset: int64(i)}] = p
		}
		g := groupOf(orderID{"acme", "O1"}, all)
		var got, kept []string
		if g != nil {
			for _, p := range g.Outcomes {
				got = append(got, p.BusinessID)
			}
			for _, d := range g.Kept {
				kept = append(kept, d.ID)
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got): %s", name, diff)
		}
		if diff := cmp.Diff(test.kept, kept); diff != "" {
			t.Errorf("%s, kept (-want +got): %s", name, diff)
		}
	}
}
