package app

import "testing"

func TestWhatCommitsName(t *testing.T) {
	for text, want := range map[string][2]string{
		"":                                 {"", ""},
		"0123456789abcdef":                 {"0123456789abcdef", ""}, // before changes were named
		"0123456789abcdef n:ABCDEFGH 17,4": {"0123456789abcdef", "n:ABCDEFGH 17,4"},
		"0123456789abcdef n:ABCDEFGH":      {"0123456789abcdef", "n:ABCDEFGH"}, // cut off
	} {
		if mark, changes := splitMark(text); mark != want[0] || changes != want[1] {
			t.Errorf("%q: %q and %q, want %q", text, mark, changes, want)
		}
	}
	c := &claims{mark: "m", orgs: []string{"shop"}}
	for _, changes := range []string{"", "n:ABCDEFGH", "n:ABCDEFGH x", "id 17", "n:ABCDEFGH 17"} { // the last one: of no organisation that it knows
		if err := c.Witness(t.Context(), "shop", "m", changes); err != nil {
			t.Errorf("%q: %v", changes, err)
		}
	}
}
