package processor

import "github.com/booksync/booksync/connectors/zohobooks"

// advance is what the first attempt of an order has ready before it asks for the claim: the plan of its invoice and the
// grant of its call. With it the claim, where it holds nothing, is marked as sending in the script that takes it. Where
// anything else is found, or the budget has no call at once, the steps follow each other as they do for all other events.
type advance struct {
	org   *Organization
	plan  *invoicePlan
	grant *zohobooks.Reservation
	// marked: the claim is taken and says that the invoice is being sent.
	marked bool
}

// prepare makes the advance of an order that nothing is known of yet; nil where there is none.
func (a *attempt) prepare() *advance {
	if a.ref.Role != RoleOrder || a.refused != nil || a.replay || a.w.tries > 1 || a.forgotten() {
		return nil
	}
	org := a.tenant.org()
	if a.leaving() || org.mode(a.workflow) != ModeOn || a.p.held(a.Organization, a.workflow) != nil || a.tenant.gate.park(a.class) != nil {
		return nil // no write is to leave
	}
	if a.order.Currency != org.BaseCurrency && !a.order.ExchangeRate.Valid {
		return nil // the rate is read first
	}
	known := a.tenant.contacts.get(contactKey(&a.order.Customer, a.order.Currency))
	if known == nil || known.Sent == nil || known.Raw != a.customerHash() {
		return nil // the contact has to be made or updated first
	}
	plan, rej := a.planInvoice(org)
	if rej != nil || plan.Skip {
		return nil
	}
	plan.Request.CustomerID = known.ID
	r := a.tenant.books.TryReserve(zohobooks.WithClass(a.intake, a.class))
	if r == nil {
		return nil
	}
	return &advance{org: org, plan: plan, grant: r}
}

// dropAdvance gives the grant back unless a call spent it.
func (a *attempt) dropAdvance() {
	if a.advance != nil {
		a.advance.grant.Release()
		a.advance = nil
	}
}

// took says that the claim was marked: until the call leaves, the mark says too much.
func (a *attempt) took() {
	a.advance.marked, a.answered = true, true
	a.prog.Origin, a.prog.Fingerprint = a.event.origin, a.fingerprint
}

// advanced is the grant of a call whose step is marked already; nil where there is none.
func (a *attempt) advanced(step string) *zohobooks.Reservation {
	if a.advance == nil || !a.advance.marked || step != stepInvoice {
		return nil
	}
	r := a.advance.grant
	a.advance = nil
	return r
}
