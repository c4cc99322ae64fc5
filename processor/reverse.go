package processor

import (
	"fmt"
	"slices"
)

// StateWithout is an order's state, as its claim keeps it, without what the events of refs put there: what it is after their
// documents were taken back in the books. It does not change what another event did. Of the order's own event nothing of the
// state is left: its claim keeps none.
func StateWithout(data []byte, refs ...ClaimRef) ([]byte, error) {
	st := &OrderState{}
	if len(data) > 0 {
		if err := unmarshalKept(data, st); err != nil {
			return nil, fmt.Errorf("reading an order's state: %w", err)
		}
	}
	for _, ref := range refs {
		switch ref.Role {
		case RoleOrder:
			return nil, nil
		case RolePayment:
			st = st.withoutPayment(ref.ID)
		case RoleCancel:
			st = st.without(ref.key())
			st.Cancelled = false
			if st.Invoice != nil && st.Invoice.Status == invoiceVoid {
				inv := *st.Invoice
				inv.Status = "sent"
				st.Invoice = &inv
			}
		default:
			st = st.without(ref.key())
		}
	}
	return st.encode(), nil
}

// Key is what the document of this claim carries in the books, in a field that Zoho keeps unique.
func (r ClaimRef) Key() string { return r.key() }

// RefOf is the claim that a posted outcome settled; cancelled says that it was an order's cancellation.
func RefOf(workflow Workflow, businessID string, cancelled bool) ClaimRef {
	switch {
	case workflow == WorkflowPayment:
		return ClaimRef{RolePayment, businessID}
	case workflow == WorkflowRefund:
		return ClaimRef{RoleRefund, businessID}
	case cancelled:
		return ClaimRef{RoleCancel, businessID}
	}
	return ClaimRef{RoleOrder, businessID}
}

// StatePending says whether an order's state announces a document whose write is not settled.
func StatePending(data []byte) bool {
	if len(data) == 0 {
		return false
	}
	var st OrderState
	if unmarshalKept(data, &st) != nil {
		return false
	}
	return slices.ContainsFunc(st.Payments, func(p PaymentState) bool { return p.Pending }) ||
		slices.ContainsFunc(st.Credits, func(c CreditState) bool { return c.Pending })
}

// Reference is the reference_number of a document with this key.
func Reference(key string) string { return reference(key) }
