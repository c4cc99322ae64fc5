package judge

import (
	"testing"

	"github.com/booksync/booksync/internal/simulator"
)

func TestAPaymentIsFirstByTheBooks(t *testing.T) {
	t.Parallel()
	doc := func(id string) []simulator.LedgerDocument { return []simulator.LedgerDocument{{ID: id}} }
	tests := map[string]struct {
		payment, note []simulator.LedgerDocument
		refunds       []simulator.LedgerDocument
		want          bool
	}{
		"the credit note came later":             {doc("99"), doc("100"), nil, true},
		"the credit note came earlier":           {doc("100"), doc("99"), nil, false},
		"one of two credit notes came earlier":   {doc("100"), append(doc("101"), doc("98")...), nil, false},
		"no payment is there":                    {nil, doc("100"), nil, false},
		"money of the payment itself went back":  {doc("99"), nil, []simulator.LedgerDocument{{ID: "100", ParentID: "99"}}, true},
		"money of something else went back only": {doc("99"), nil, []simulator.LedgerDocument{{ID: "100", ParentID: "7"}}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &checker{byKey: map[string][]simulator.LedgerDocument{"payment:P": tt.payment, "refund:R": tt.note}}
			c.Ledger = simulator.Ledger{Refunds: tt.refunds}
			if got := c.paidFirst("payment:P", "refund:R"); got != tt.want {
				t.Errorf("the payment was first: %t", got)
			}
		})
	}
}
