package tale

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var begin = time.Date(2026, 3, 10, 4, 0, 0, 0, time.UTC)

func TestASeedAlwaysTellsTheSameTale(t *testing.T) {
	t.Parallel()
	o := Options{Orders: 40, Begin: begin}
	a := lines(Tell(7, o))
	if diff := cmp.Diff(a, lines(Tell(7, o))); diff != "" {
		t.Error(diff)
	}
	if cmp.Equal(a, lines(Tell(8, o))) {
		t.Error("another seed tells the same")
	}
}

// lines are a tale's emissions, each in a line.
func lines(t *Tale) []string {
	var out []string
	for _, e := range t.Emissions {
		line := fmt.Sprint(e.Workflow, e.Key, e.At, len(e.After), e.Aborted, e.Within, e.Want, e.Raw, e.Size, " ", e.Effect())
		switch {
		case e.Order != nil:
			line += fmt.Sprint(e.Order.EventID, e.Order.Totals, e.Order.Customer.ID, len(e.Order.Lines))
		case e.Payment != nil:
			line += fmt.Sprint(e.Payment.EventID, e.Payment.Amount, e.Payment.ReceivedAt)
		case e.Refund != nil:
			line += fmt.Sprint(e.Refund.EventID, e.Refund.Amount, e.Refund.CreditTotal)
		}
		out = append(out, line)
	}
	return out
}

func TestADayHasItsOrdersAndTheirPayments(t *testing.T) {
	t.Parallel()
	day := Day(1, Options{Orders: 500, Begin: begin})
	n := map[string]int{}
	people := map[string]bool{}
	for _, e := range day.Emissions {
		n[e.Workflow]++
		if e.At < 0 || e.At >= 24*time.Hour {
			t.Errorf("%s of %s at %s", e.Workflow, e.Key, e.At)
		}
		if e.Order != nil {
			people[e.Order.Customer.ID] = true
		}
	}
	if n["order"] != 500 || n["payment"] < 450 || n["payment"] > 500 || n["refund"] < 10 || n["refund"] > 40 || len(people) < 120 || len(people) > 200 {
		t.Errorf("%v, %d people", n, len(people))
	}
}
