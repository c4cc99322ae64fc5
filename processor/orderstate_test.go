package processor

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
)

func amount(s string) decimal.Decimal { return decimal.RequireFromString(s) }

// anOrder was paid with an overpayment of 10, and cancelled: 100 are credited, of which R1 took 30.
func anOrder() *OrderState {
	return (&OrderState{
		Cancelled: true,
		Invoice:   &InvoiceState{ID: "i", Status: "sent", Total: amount("100")},
		Payments:  []PaymentState{{PaymentID: "P1", DocumentID: "p", Amount: amount("110"), Applied: amount("100"), Excess: amount("10")}},
		Credits:   []CreditState{{Key: "cancel:O1", DocumentID: "c", Total: amount("100")}},
	}).withRefundFrom("c", "refund:R1", amount("30"))
}

func sameState(t *testing.T, what string, got, want *OrderState) {
	t.Helper()
	if diff := cmp.Diff(string(want.encode()), string(got.encode())); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestTheSameRefundAgainReplacesWhatItDrew(t *testing.T) {
	t.Parallel()
	st := anOrder()
	twice := st.withRefundFrom("c", "refund:R2", amount("20")).withRefundFrom("c", "refund:R2", amount("25"))
	if got := twice.Returned(); !got.Equal(amount("55")) {
		t.Errorf("returned %s, want 55", got)
	}
	sameState(t, "without the second refund it is as before", twice.without("refund:R2"), st)
	excess := st.withExcessRefunded("p", "refund:R3", amount("4")).withExcessRefunded("p", "refund:R3", amount("6"))
	if got := excess.Returned(); !got.Equal(amount("36")) {
		t.Errorf("returned %s, want 36", got)
	}
	sameState(t, "without the excess it is as before", excess.without("refund:R3"), st)
}

func TestStatesAreNotChangedByTheirCopies(t *testing.T) {
	t.Parallel()
	st := anOrder()
	before := string(st.encode())
	_ = st.withRefundFrom("c", "refund:R1", amount("1"))
	_ = st.withExcessRefunded("p", "refund:R1", amount("1"))
	_ = st.without("refund:R1").withPayment(PaymentState{PaymentID: "P1"}).withCredit(CreditState{Key: "cancel:O1"})
	_ = st.withoutPayment("P1")
	if got := string(st.encode()); got != before {
		t.Errorf("was %s, is %s", before, got)
	}
}

func TestSums(t *testing.T) {
	t.Parallel()
	st := anOrder().withCredit(CreditState{Key: "refund:R9", Total: amount("5"), Applied: amount("2"), Refunded: amount("3")})
	for name, tt := range map[string]struct {
		got  decimal.Decimal
		want string
	}{
		"balance": {st.Balance(), "-2"}, "credited": {st.Credited(), "105"}, "received": {st.Received(), "110"}, "returned": {st.Returned(), "33"},
	} {
		if !tt.got.Equal(amount(tt.want)) {
			t.Errorf("%s is %s, want %s", name, tt.got, tt.want)
		}
	}
	for ref, want := range map[ClaimRef]bool{
		{RoleRefund, "R1"}: true, {RoleRefund, "R9"}: true, {RoleCancel, "O1"}: true, {RolePayment, "P1"}: true, {RoleRefund, "P1"}: false, {RolePayment, "P2"}: false,
	} {
		if got := st.names(ref); got != want {
			t.Errorf("names(%v) = %v, want %v", ref, got, want)
		}
	}
}

func TestWhatIsWithdrawnIsWhatWasNotWritten(t *testing.T) {
	t.Parallel()
	base := anOrder().without("refund:R1")
	entry := refundEntry{}
	plan := &refundPlan{FromNotes: []noteRefund{{NoteID: "c", Request: entry.of(amount("100"))}}}
	plan.FromExcess = []excessRefund{{PaymentDocumentID: "p", Request: entry.of(amount("10"))}}
	for name, tt := range map[string]struct {
		done []string
		want string
	}{
		"nothing was written":      {nil, "0"},
		"the first entry was":      {[]string{stepNote + ":c"}, "100"},
		"both were":                {[]string{stepNote + ":c", stepExcess + ":p"}, "110"},
		"steps of something else ": {[]string{stepApply}, "0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &attempt{event: &event{workflow: WorkflowRefund, ref: ClaimRef{RoleRefund, "R1"}}, prog: progress{Refund: plan, Done: tt.done}}
			if got := a.written(plan.applied(base, "refund:R1")).Returned(); !got.Equal(amount(tt.want)) {
				t.Errorf("returned %s, want %s", got, tt.want)
			}
		})
	}
}
