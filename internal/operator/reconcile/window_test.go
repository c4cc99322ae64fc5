package reconcile_test

import (
	"errors"
	"testing"
	"time"

	"github.com/booksync/booksync/internal/operator/reconcile"
)

func TestWindows(t *testing.T) {
	t.Parallel()
	auckland, err := time.LoadLocation("Pacific/Auckland")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 31, 22, 0, 0, 0, time.UTC) // the first of April there
	for name, test := range map[string]struct {
		ask  reconcile.Ask
		want reconcile.Window
	}{
		"nothing: a week":         {reconcile.Ask{}, reconcile.Window{Since: "2026-03-26", Until: "2026-04-01"}},
		"today is the zone's":     {reconcile.Ask{Day: "today"}, reconcile.Window{Since: "2026-04-01", Until: "2026-04-01"}},
		"yesterday":               {reconcile.Ask{Day: "yesterday"}, reconcile.Window{Since: "2026-03-31", Until: "2026-03-31"}},
		"a day":                   {reconcile.Ask{Day: "2026-02-28"}, reconcile.Window{Since: "2026-02-28", Until: "2026-02-28"}},
		"a month of a leap year":  {reconcile.Ask{Period: "2028-02"}, reconcile.Window{Since: "2028-02-01", Until: "2028-02-29"}},
		"a year":                  {reconcile.Ask{Period: "2026"}, reconcile.Window{Since: "2026-01-01", Until: "2026-12-31"}},
		"since a day until today": {reconcile.Ask{Since: "2026-03-30"}, reconcile.Window{Since: "2026-03-30", Until: "2026-04-01"}},
		"since and until":         {reconcile.Ask{Since: "2026-03-01", Until: "2026-03-02"}, reconcile.Window{Since: "2026-03-01", Until: "2026-03-02"}},
		"until alone is that day": {reconcile.Ask{Until: "2026-03-02"}, reconcile.Window{Since: "2026-03-02", Until: "2026-03-02"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := test.ask.Window(now, auckland)
			if err != nil || got != test.want {
				t.Errorf("%v %v, want %v", got, err, test.want)
			}
		})
	}
	for name, ask := range map[string]reconcile.Ask{
		"two at once":      {Day: "today", Period: "2026"},
		"backwards":        {Since: "2026-03-02", Until: "2026-03-01"},
		"more than a year": {Since: "2024-01-01", Until: "2026-01-01"},
		"no day":           {Day: "2026-02-30"},
		"no period":        {Period: "March"},
	} {
		if _, err := ask.Window(now, auckland); !errors.Is(err, reconcile.ErrWindow) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
