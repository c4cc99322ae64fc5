package processor

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/shopspring/decimal"
)

// FuzzKept reads claims that another hand has written: nothing panics or fills the memory, and what is read as a state can be calculated with and comes
// back the same.
func FuzzKept(f *testing.F) {
	for _, seed := range []string{
		`{"invoice":{"id":"1","total":"433","lines":[{"line_id":"1","amount":"400"}]},"payments":[{"payment_id":"P1","applied":"1"}],"credits":[{"key":"refund:R1","total":"1e3"}]}`,
		`{"invoice":{"total":1e999999999}}`, `{"payments":[{"applied":"1e-999999999"},{"applied":"1"}]}`, `{"further":[null]}`, `{"payments":null}`, `[]`, `null`,
		`{"origin":"t/0/1;1;x","documents":[null]}`, `{"correction":{"total":"1e2147483647"},"done":[1]}`, `{"outcome":"AAAA","headers":[{"k":"a","v":"!"}]}`,
		strings.Repeat(`{"invoice":`, 5000), `{"contact":{},"id":"1"}`, "\xff", `1234567890`, `{"ordered":{"lines":null,"total":"NaN"}}`,
	} {
		f.Add([]byte(seed))
	}
	same := cmp.Options{cmp.Comparer(func(a, b decimal.Decimal) bool { return a.Equal(b) }), cmpopts.EquateEmpty()}
	f.Fuzz(func(t *testing.T, b []byte) {
		e := ClaimEntry{Data: b, Steps: b, Outcome: b}
		st := orderStateOf(e)
		st.Credited().Add(st.Received()).Sub(st.Returned())
		if again := orderStateOf(ClaimEntry{Data: st.encode()}); !cmp.Equal(st, again, same) {
			t.Fatalf("(-read +again) %s", cmp.Diff(st, again, same))
		}
		var p progress
		if unmarshalKept(b, &p) == nil {
			p.unplan()
			p.encode()
		}
		foundIn(e)
		readContactRecord(b, 1)
		pendingOf(&ClaimAnswer{State: ClaimInDoubt, Entry: e})
		StatePending(b)
		_, _ = StateWithout(b, ClaimRef{RolePayment, "P1"}, ClaimRef{RoleRefund, "R1"}, ClaimRef{RoleCancel, "O1"})
	})
}

func TestWhatAClaimCannotHaveKeptIsRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]error{
		`{"invoice":{"total":"1e9999"}}`:            errKeptNumber,
		`{"payments":[{"draws":{"x":"1e-65"}}]}`:    errKeptNumber,
		`{"further":[null]}`:                        errKeptNull,
		`{"invoice":{"total":"0.0001"}}`:            nil,
		`{"exchange_rate":"1.0000000001"}`:          nil,
		`{"payments":[{"amount":"99999999999.9"}]}`: nil,
	} {
		if err := unmarshalKept([]byte(text), &OrderState{}); !isKept(err, want) {
			t.Errorf("%s: %v, want %v", text, err, want)
		}
	}
}

func isKept(err, want error) bool { return err == want } //nolint:errorlint // they are not wrapped
