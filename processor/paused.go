package processor

import (
	"context"
)

// Switches tell which work operators have paused. It is safe for concurrent use.
type Switches interface {
	// Paused answers from what was last known and does not block; organisation "" asks for what concerns all of them.
	Paused(organization string, workflow Workflow) bool
	// Fresh makes what is known at most a moment old. It blocks where it was older; an error says that the store is away.
	Fresh(ctx context.Context) error
}

// WakeSwitches is the key that wakes records which wait for a switch.
const WakeSwitches = "switches"

// Mode says how a workflow of an organisation is worked: on (the zero value, too), shadow or off.
type Mode string

// The modes.
const (
	ModeOn     Mode = "on"     // writes to the books
	ModeShadow Mode = "shadow" // plans and compares, never writes
	ModeOff    Mode = "off"    // its records wait
)

// mode of the workflow.
func (o *Organization) mode(w Workflow) Mode {
	if m := o.Modes[w]; m != "" {
		return m
	}
	return ModeOn
}

// held is why work of the workflow must not start, for an organisation or ("") for any; nil when it may.
func (p *Processor) held(organization string, w Workflow) *Park {
	reason, key := "", WakeSwitches
	switch t := p.tenants[organization]; {
	case p.switches != nil && p.switches.Paused(organization, w):
		reason = parkPaused
	case t != nil && t.org() == nil:
		reason, key = parkUnusable, usableKey(organization)
	case t != nil && t.org().mode(w) == ModeOff:
		reason = parkOff
	default:
		return nil
	}
	return &Park{Until: p.clock.Now().Add(p.cfg.Recheck), Reason: reason, Keys: []string{key}}
}

// heldUnread parks a record of a workflow that is paused for all organisations, before its bytes are looked at.
func (a *attempt) heldUnread() *ending {
	return a.heldBy(a.p.held("", a.p.workflowOf(a.d.Record.Topic)))
}

// held parks a record whose workflow is paused or off, or whose organisation is not usable yet. It holds nothing, and its
// deadline does not run: once it goes on it has the whole time again.
func (a *attempt) held() *ending {
	return a.heldBy(a.p.held(a.Organization, a.workflow))
}

func (a *attempt) heldBy(park *Park) *ending {
	if park == nil {
		return nil
	}
	a.w.wait = wait{}
	return &ending{park: park}
}

// needsHeld says whether what a record waits for cannot come because its workflow is paused, off, or in shadow.
func (a *attempt) needsHeld(refs []ClaimRef) bool {
	for _, ref := range refs {
		w := WorkflowOrder
		if ref.Role == RolePayment {
			w = WorkflowPayment
		}
		if a.p.held(a.Organization, w) != nil || a.tenant.org().mode(w) == ModeShadow {
			return true
		}
	}
	return false
}

// mayWrite is asked when a write is about to leave: the pause may have come since the attempt began.
func (a *attempt) mayWrite(ctx context.Context) error {
	if a.event == nil {
		return nil
	}
	return a.p.mayWrite(ctx, a.Organization, a.workflow)
}

func (p *Processor) mayWrite(ctx context.Context, organization string, w Workflow) error {
	if p.switches != nil {
		if err := p.switches.Fresh(ctx); err != nil {
			return &storeError{err}
		}
	}
	if park := p.held(organization, w); park != nil {
		return &heldError{park}
	}
	return nil
}
