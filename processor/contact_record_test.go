package processor

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestContactRecordsComeBack(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]*contactRecord{
		"bare":         {ID: "982000000567114"},
		"whole":        {ID: "982000000567114", Rev: 3, At: 1795890183882, Raw: "0123456789abcdef", Sent: hashes{"co": "12345678", "na": "87654321"}, Shown: hashes{"em": "00000000"}},
		"nothing sent": {ID: "1", At: 5, Sent: hashes{}, Shown: hashes{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := readContactRecord(r.encode(), 0)
			if diff := cmp.Diff(r, got); diff != "" {
				t.Errorf("%s: %s", r.encode(), diff)
			}
			text, err := json.Marshal(r) // of an earlier version
			if err != nil {
				t.Fatal(err)
			}
			want := *r
			if len(r.Shown) == 0 {
				want.Shown = nil
			}
			if diff := cmp.Diff(&want, readContactRecord(text, 0)); diff != "" {
				t.Errorf("%s: %s", text, diff)
			}
		})
	}
	if got := readContactRecord([]byte("982000000567114"), 7); got == nil || got.ID != "982000000567114" || got.Rev != 7 || got.Sent != nil {
		t.Errorf("a bare id: %+v", got)
	}
}

func TestWhatIsNoContactRecordIsNone(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"", "{", `{"id":""}`, "c2 ", "c2 1", "c2  0 0 - - -", "c2 1 x 0 - - -", "c2 1 0 x - - -", "c2 1 0 0 - co -", "c2 1 0 0 - - co:1,na", "c2 1 2 0 0 - - -", "c2 1 0 0 - -",
	} {
		if r := readContactRecord([]byte(s), 0); r != nil {
			t.Errorf("%q: %+v", s, r)
		}
	}
}
