package processor

import (
	"strings"
	"testing"
)

func FuzzParseOrigin(f *testing.F) {
	f.Add("commerce.orders/0/17 r3 hdeadbeef o0123456789ab")
	f.Add("commerce.orders/0/17 r3x hdeadbeef o0123456789ab")
	f.Add("a r-1 h o")
	f.Add("a  r1\thf o1 extra")
	f.Fuzz(func(t *testing.T, s string) {
		o, ok := parseOrigin(s)
		if !ok {
			if o != (origin{}) {
				t.Errorf("refused, but answered %+v", o)
			}
			return
		}
		again, ok := parseOrigin(o.String())
		if !ok || again != o {
			t.Errorf("%q reads as %+v, written and read again as %+v", s, o, again)
		}
		if strings.ContainsAny(o.Coordinates+o.Fingerprint+o.Order, " \t\n") {
			t.Errorf("blanks in %+v", o)
		}
	})
}

func TestParseOriginRefusesWhatBooksyncDidNotWrite(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "paid by hand", "t/0/1 r1 h1", "t/0/1 1 h1 o1", "t/0/1 r h1 o1", "t/0/1 r1 x1 o1", "t/0/1 r99999999999999999999 h1 o1"} {
		if o, ok := parseOrigin(s); ok {
			t.Errorf("%q reads as %+v", s, o)
		}
	}
}
