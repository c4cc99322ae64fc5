package demo

import (
	"testing"

	"go.uber.org/goleak"
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
