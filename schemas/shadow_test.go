package schemas

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAShadowOutcomeIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	c := mustCodec(t)
	want := sampleOutcome()
	want.Status = StatusShadow
	want.Shadow = &Shadow{
		Plan:        `[{"call":"POST /invoices"}]`,
		Found:       []Document{{Type: "invoice", ID: "9", Number: "INV-9", Total: dec("1469.12"), Tax: dec("234.56"), Balance: dec("0")}},
		Differences: []ShadowDifference{{Field: "invoice.total", Planned: "1469.13", Found: "1469.12"}, {Field: "invoice.lines"}},
	}
	for _, shadow := range []*Shadow{want.Shadow, {}, nil} {
		want.Shadow = shadow
		value, err := c.EncodeOutcome(t.Context(), "", want)
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := c.DecodeOutcome(t.Context(), value, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}
