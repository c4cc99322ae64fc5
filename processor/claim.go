package processor

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/booksync/booksync/internal/fastjson"
	"github.com/booksync/booksync/schemas"
)

// doubt says that a write of a step may have taken effect although nothing here knows its answer. The zero value is none.
type doubt struct {
	step  string
	since time.Time
	// unknown: Redis lost its memory, so it isn't known whether anything was written; every step looks first.
	unknown bool
}

// of says whether the step is in doubt.
func (d doubt) of(step string) bool { return d.unknown || d.step == step }

// claim takes the claim of the business id together with the leases of every order the event names, or says why not.
// On nil the attempt holds them, and knows the orders' states and the steps that earlier attempts finished.
func (a *attempt) claim() *ending {
	req := a.claimRequest()
	ans, end := a.ask(req)
	if end != nil {
		return end
	}
	a.entry, a.known = ans.Entry, ans.Orders
	switch ans.State {
	case ClaimBusy:
		return a.busy(ans)
	case ClaimDone:
		return a.met(ans.Entry)
	case ClaimRejected:
		return &ending{stored: ans.Entry.Outcome}
	case ClaimWaiting:
		if a.fewerPending(ans) { // one of them was rejected, which ends this wait but not a need
			return a.claim()
		}
		return a.waitFor(ans)
	}
	a.hold(req, ans)
	if end := a.conflict(ans); end != nil {
		return end
	}
	if a.refused != nil { // the steps that were done stay with the claim
		return a.load(ans).or(&ending{reject: a.refused})
	}
	if end := a.behindPending(ans); end != nil {
		return end
	}
	return a.load(ans)
}

func (a *attempt) claimRequest() *ClaimRequest {
	req := &ClaimRequest{
		Organization: a.Organization, Ref: a.ref, Token: rand.Text(), Coordinates: a.coordinates,
		Fingerprint: a.fingerprint, Revision: a.revision, Replay: a.replay, Orders: a.orders, Lease: a.p.cfg.Lease,
	}
	if a.refused != nil {
		return req // nothing will be sent, so nothing is waited for
	}
	switch a.workflow {
	case WorkflowPayment:
		req.Needs = a.ordersNeeded()
		if a.ref.Role == RolePayment {
			req.Announce = a.orders
			break
		}
		for _, role := range [2]Role{RolePayment, RoleDispute} {
			if (role == RolePayment || a.ref.Role == RoleWon) && !slices.Contains(a.w.paid, ClaimRef{role, a.ref.ID}.key()) {
				req.Needs = append(req.Needs, ClaimRef{role, a.ref.ID})
			}
		}
	case WorkflowRefund:
		req.ListPending = true
		req.Needs = a.ordersNeeded()
		if id := a.refund.PaymentID; id != "" && !slices.Contains(a.w.paid, ClaimRef{RolePayment, id}.key()) {
			req.Needs = append(req.Needs, ClaimRef{RolePayment, id})
		}
		for _, id := range a.w.pending {
			if id != a.refund.PaymentID && !slices.Contains(a.w.paid, ClaimRef{RolePayment, id}.key()) {
				req.Needs = append(req.Needs, ClaimRef{RolePayment, id})
			}
		}
	}
	return req
}

// ordersNeeded are the claims of the event's orders, but for those that were found in the books.
func (a *attempt) ordersNeeded() []ClaimRef {
	var refs []ClaimRef
	for _, id := range a.orders {
		if a.w.adopted[id] == nil && !a.w.advance {
			refs = append(refs, ClaimRef{RoleOrder, id})
		}
	}
	return refs
}

// ask sends the request under the present epoch; where Redis holds another one, it learns that first.
func (a *attempt) ask(req *ClaimRequest) (*ClaimAnswer, *ending) {
	refresh := false
	for range 2 {
		ep, err := a.p.claims.Epoch(a.intake, a.Organization, refresh)
		if err != nil {
			return nil, a.storeAway(err)
		}
		a.epoch, req.EpochID = ep, ep.ID
		if err := a.p.claims.Witness(a.intake, a.Organization, a.d.Epoch, a.d.Changes); errors.Is(err, ErrEpochChanged) {
			refresh = true
			continue
		} else if err != nil {
			return nil, a.storeAway(err)
		}
		if a.advance = a.prepare(); a.advance != nil {
			first := progress{Origin: a.event.origin, Fingerprint: a.fingerprint}
			req.Step, req.Steps = stepInvoice, first.encode()
		}
		ans, err := a.p.claims.Claim(a.ctx, req)
		if err != nil || !ans.Marked {
			a.dropAdvance()
			req.Step, req.Steps = "", nil
		}
		switch {
		case errors.Is(err, ErrEpochChanged):
			refresh = true
			continue
		case err != nil:
			return nil, a.storeAway(err)
		}
		if ans.Marked {
			a.took()
		}
		return ans, nil
	}
	return nil, a.parkFor(parkEpoch, time.Second)
}

// hold remembers what the claim gave, and renews it while the attempt works.
func (a *attempt) hold(req *ClaimRequest, ans *ClaimAnswer) {
	a.handle = &ClaimHandle{Organization: a.Organization, Ref: a.ref, Token: req.Token, EpochID: req.EpochID, Orders: a.orders, Lease: a.p.cfg.Lease}
	a.renewal = a.renewLater(a.handle)
	switch {
	case ans.State == ClaimInDoubt:
		a.inDoubt = doubt{step: ans.Entry.Step, since: ans.Entry.Since}
		if a.epoch.Loss && ans.Entry.Since.Before(a.epoch.Since) { // the marks of later steps may be lost
			a.inDoubt.unknown, a.inDoubt.since = true, a.epoch.Since
		}
	case ans.Entry.State == "" && a.forgotten():
		a.inDoubt = doubt{unknown: true, since: a.epoch.Since}
	}
}

// forgotten says whether this record is older than Redis' memory, so that an earlier attempt may have written.
func (a *attempt) forgotten() bool {
	rec := a.d.Record
	if a.epoch.Loss && rec.Offset < a.epoch.Ends[rec.Topic][rec.Partition] {
		return true
	}
	return a.d.Committed && a.d.Epoch != "" && a.d.Epoch != a.epoch.Mark && rec.Offset < a.d.End
}

// renewal renews a claim every third of its lease until it's stopped.
type renewal struct {
	mu      sync.Mutex
	timer   *time.Timer
	stopped bool
}

func (a *attempt) renewLater(h *ClaimHandle) *renewal {
	every, r := a.p.cfg.Lease/3, &renewal{}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.timer = time.AfterFunc(every, func() {
		// A refusal is found by the next change of the claim; an answer that's missing is asked for again.
		err := a.p.claims.Renew(a.ctx, h)
		r.mu.Lock()
		defer r.mu.Unlock()
		if !r.stopped && !errors.Is(err, ErrLost) && a.ctx.Err() == nil {
			r.timer.Reset(every)
		}
	})
	return r
}

// stop ends it; it is nothing on nil.
func (r *renewal) stop() {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = true
	r.timer.Stop()
}

func (a *attempt) stopRenewing() { a.renewal.stop() }

// busy parks until it's given back or the holder's lease lapses. Wake-ups are hints: it asks again after a second, and if that
// finds it busy again and again, as behind a holder that waits for the budget, after up to five.
func (a *attempt) busy(ans *ClaimAnswer) *ending {
	d := min(time.Second<<min(a.w.busy/8, 3), maxBusyWait, max(ans.BusyUntil.Sub(ans.Now), minBusyWait))
	a.w.busy++
	end := a.parkFor(parkBusy, d/2+backOff(d/2, d, 0))
	end.park.Keys = a.settledKeys(a.freeKeys())
	return end
}

// minBusyWait and maxBusyWait bound the time after which a claim that was busy is asked for again.
const (
	minBusyWait = 100 * time.Millisecond
	maxBusyWait = 5 * time.Second
)

// freeKeys wake who waits for what this attempt holds, or would hold, to be free.
func (a *attempt) freeKeys() []string { return a.claimKeys(nil, ClaimRef.FreeKey) }

// settledKeys adds those that wake who waits for it to be settled.
func (a *attempt) settledKeys(keys []string) []string { return a.claimKeys(keys, ClaimRef.WakeKey) }

func (a *attempt) claimKeys(keys []string, of func(ClaimRef, string) string) []string {
	keys = append(keys, of(a.ref, a.Organization))
	for _, id := range a.orders {
		if ref := (ClaimRef{RoleOrder, id}); ref != a.ref {
			keys = append(keys, of(ref, a.Organization))
		}
	}
	return keys
}

// met is the ending of a record whose business id is settled.
func (a *attempt) met(e ClaimEntry) *ending {
	st := orderStateOf(e) // of another role's claim it's empty
	found := foundIn(e)
	switch {
	case e.Coordinates == a.coordinates:
		return &ending{stored: e.Outcome}
	case a.ref.Role == RoleOrder && a.wroteInvoice(st):
		return a.postedAs(st)
	case a.ref.Role != RoleOrder && found != nil && a.isOurs(found.Origin):
		a.tell(found)
		return &ending{posted: true}
	case a.workflow == WorkflowOrder && a.revision < e.Revision:
		return &ending{duplicate: duplicateStale}
	case a.ref.Role == RoleOrder && st.Cancelled:
		return &ending{duplicate: duplicateStale}
	case e.State == claimReversed:
		return &ending{duplicate: duplicateReversed}
	case e.Fingerprint == a.fingerprint, a.ref.Role == RoleOrder && a.sameContent(st.Origin):
		return &ending{duplicate: duplicateSame}
	case a.refused != nil:
		return &ending{reject: a.refused}
	case e.Fingerprint != a.fingerprint:
		return &ending{reject: reject(classConflict, "%s %s was settled with other content by the record %s: "+
			"correct it by a further event, or discard this one", a.ref.Role, a.ref.ID, e.Coordinates)}
	}
	return &ending{duplicate: duplicateSame}
}

// conflict compares the content with that of a write in doubt, and an order event with what the order's claim says.
func (a *attempt) conflict(ans *ClaimAnswer) *ending {
	e := ans.Entry
	if by := e.Sending; e.State == "sending" && by.Fingerprint != "" && by.Fingerprint != a.fingerprint && by.Revision == a.revision &&
		by.Coordinates != a.coordinates {
		return &ending{reject: reject(classConflict,
			"%s %s is being written with other content by the record %s", a.ref.Role, a.ref.ID, by.Coordinates)}
	}
	if a.workflow != WorkflowOrder {
		return nil
	}
	if e.State == "sending" && e.Sending.Coordinates != a.coordinates && e.Sending.Revision != a.revision {
		if !a.orphaned(e) { // another revision's write is in doubt: its record resolves that
			end := a.parkFor(parkDependency, time.Second)
			end.park.Keys = []string{a.ref.WakeKey(a.Organization)}
			return end
		}
		a.inDoubt = doubt{unknown: true, since: a.epoch.Since} // what it wrote, if anything, is met where this one looks before it writes
	}
	order := ans.Orders[a.orderID]
	if a.ref.Role == RoleCancel {
		switch {
		case order.State == "done" && a.revision < order.Revision:
			return &ending{duplicate: duplicateStale}
		case order.State == "done" && orderStateOf(order).Cancelled && e.State == "done": // by an earlier revision
			return &ending{duplicate: duplicateSame}
		}
		if order.State == "sending" && !a.orphaned(order) { // the order itself is in doubt: its record resolves that
			return a.parkFor(parkDependency, time.Second) // without a key: giving the order's lease back would wake this very record
		}
		return nil
	}
	st := orderStateOf(e)
	if a.wroteInvoice(st) { // found and adopted by a payment or a refund while this record was in doubt
		return a.postedAs(st)
	}
	if st.Cancelled {
		return &ending{reject: reject("rejected.unsupported", "order %s revision %d changes an order that was cancelled as revision %d: "+
			"send a new order instead", a.orderID, a.revision, e.Revision)}
	}
	return nil
}

// orphaned says whether a write in doubt has nobody who will resolve it: Redis lost its last writes since, and with them
// perhaps that the record was settled. What the write did, if anything, is in the books by now.
func (a *attempt) orphaned(e ClaimEntry) bool {
	return a.epoch.Loss && e.Since.Before(a.epoch.Since) && a.p.clock.Now().After(e.Since.Add(a.p.cfg.WriteHorizon))
}

// behindPending makes a refund wait for the payments of its order that were announced before it was first seen.
func (a *attempt) behindPending(ans *ClaimAnswer) *ending {
	if a.workflow != WorkflowRefund || a.w.pendingSeen {
		return nil // those seen were among the needs, and a claim that was given has all of its needs
	}
	a.w.pendingSeen, a.w.pending = true, ans.Pending
	if len(a.w.pending) == 0 {
		return nil
	}
	// Give back, and ask again with the pending payments among the needs, which registers for their wake-ups.
	if err := a.p.claims.Release(a.ctx, a.handle); err != nil {
		return a.storeAway(err)
	}
	a.stopRenewing()
	a.handle = nil
	return a.claim()
}

// fewerPending drops the payments that are settled meanwhile, one way or the other; true if there were any.
func (a *attempt) fewerPending(ans *ClaimAnswer) bool {
	before := len(a.w.pending)
	a.w.pending = slices.DeleteFunc(a.w.pending, func(id string) bool { return !slices.Contains(ans.Pending, id) })
	return len(a.w.pending) < before
}

// load reads what the claims hold: the orders' states, and the steps that earlier attempts finished.
func (a *attempt) load(ans *ClaimAnswer) *ending {
	a.states = make(map[string]*OrderState, len(a.orders))
	for _, id := range a.orders {
		e := ans.Orders[id]
		st := a.stateOf(e)
		if found := a.w.adopted[id]; found != nil && e.State != "done" {
			st = found
		}
		a.states[id], a.rebuilt = st, a.rebuilt || st.Origin != "" || st.Partial || st.Listed
	}
	if len(ans.Entry.Steps) > 0 {
		if err := unmarshalKept(ans.Entry.Steps, &a.prog); err != nil {
			return &ending{reject: &Rejection{Class: "exhausted", Retryable: "after-fix",
				Message: fmt.Sprintf("reading the steps kept in the claim of %s %s: %v", a.ref.Role, a.ref.ID, err)}}
		}
		if f := a.prog.Fingerprint; f != "" && f != a.fingerprint {
			if step := a.prog.unkeyed(); step != "" {
				a.inDoubt = doubt{step: a.prog.Doubt, since: a.prog.Since}
				return &ending{reject: reject(classConflict, "%s %s was posted in part with other content (%s), and nothing in the books refuses that "+
					"a second time: replay the dead letter of the other one, or correct it by hand", a.ref.Role, a.ref.ID, step)}
			}
			// Steps of other content are none of this event's. What they wrote carries this event's key, and will be met there.
			kept := progress{Doubt: a.prog.Doubt, Since: a.prog.Since, Forgotten: a.prog.Forgotten}
			if a.prog.Void != nil {
				kept.Void, kept.Done = a.prog.Void, a.prog.Done
			}
			if a.prog.Correction != nil && a.prog.Doubt != "" { // an earlier revision's, which is finished first
				kept = a.prog
			}
			a.prog = kept
		}
	}
	if a.inDoubt.step == "" && !a.inDoubt.unknown && a.prog.Doubt != "" {
		a.inDoubt = doubt{step: a.prog.Doubt, since: a.prog.Since}
	}
	a.inherit(ans.Entry)
	switch {
	case a.inDoubt.unknown:
		a.prog.Forgotten = a.inDoubt.since
	case !a.prog.Forgotten.IsZero() && a.inDoubt.step == "": // an earlier attempt found some of the steps
		a.inDoubt = doubt{unknown: true, since: a.prog.Forgotten}
	}
	return nil
}

// stateOf reads an order's state.
func (a *attempt) stateOf(e ClaimEntry) *OrderState {
	st := orderStateOf(e)
	a.outlived(st)
	return st
}

// outlived says whether a state is from before Redis lost its memory. It may miss what was written last then: payments and credits are listed
// anew where they matter.
func (a *attempt) outlived(st *OrderState) bool {
	if !a.epoch.Loss || st.Epoch == a.epoch.ID || st.Invoice == nil {
		return false
	}
	st.Partial, st.Epoch = true, a.epoch.ID
	return true
}

// orderStateOf reads an order's state; of a claim that holds none it is empty.
func orderStateOf(e ClaimEntry) *OrderState {
	st := &OrderState{}
	if len(e.Data) > 0 {
		// Only this package writes the data; a state that can't be read is treated as none, and the unique keys in the books
		// refuse what would be written twice.
		if err := unmarshalKept(e.Data, st); err != nil {
			return &OrderState{}
		}
	}
	return st
}

// progress is what the claim keeps of the steps, so that the next attempt goes on where this one stopped.
type progress struct {
	// Origin and Fingerprint are of the event whose steps these are: what its documents name.
	Origin      string `json:"origin,omitempty"`
	Fingerprint string `json:"fingerprint,omitempty"`
	// Plans are kept from the first write on: what others planned meanwhile counted on them.
	Payment *paymentPlan `json:"payment,omitempty"`
	Refund  *refundPlan  `json:"refund,omitempty"`
	Cancel  *cancelPlan  `json:"cancel,omitempty"`
	// Correction is what a later revision changes, Further its further invoice once it's created.
	Correction *correctionPlan `json:"correction,omitempty"`
	Further    *InvoiceState   `json:"further,omitempty"`
	// Credit is the credit note of this event once it's created.
	Credit *CreditState `json:"credit,omitempty"`
	// Void is the invoice that booksync takes back because its total isn't the order's.
	Void *voidPlan `json:"void,omitempty"`
	Done []string  `json:"done,omitempty"`
	// Doubted are steps of which a write was in doubt at some time: a refusal may be a late twin's doing.
	Doubted   []string           `json:"doubted,omitempty"`
	Documents []schemas.Document `json:"documents,omitempty"`
	Doubt     string             `json:"doubt,omitempty"` // of a rejected record: the step that was in doubt
	Since     time.Time          `json:"since,omitzero"`
	// Forgotten is since when it isn't known what was written, because Redis lost its memory; zero once a step was written
	// since, for those behind it were not written before.
	Forgotten time.Time `json:"forgotten,omitzero"`
	// Inherited: the steps are of a record that was given up.
	Inherited bool `json:"inherited,omitempty"`
	// Found is the first document of another record's event with the same content, whose steps are gone on with.
	Found *inBooks `json:"found,omitempty"`
}

func (p *progress) did(step string) bool { return slices.Contains(p.Done, step) }

// unkeyed is a step that was done, or is in doubt, and whose entry carries no key: steps of other content would write it again.
func (p *progress) unkeyed() string {
	for _, step := range append(slices.Clone(p.Done), p.Doubt) {
		if strings.HasPrefix(step, stepNote+":") || strings.HasPrefix(step, stepExcess+":") || step == stepFee {
			return step
		}
	}
	return ""
}

// unplan drops the plans of which nothing was written and nothing is in doubt: a later attempt plans anew, with the mapping and
// the orders as they are then.
func (p *progress) unplan() {
	if p.Doubt != "" {
		return
	}
	p.Payment = nil
	if p.Credit == nil && len(p.Done) == 0 {
		p.Refund, p.Cancel = nil, nil
	}
	if p.Correction != nil { // the order's state says what was written of it
		p.Correction, p.Further, p.Credit, p.Done = nil, nil, nil, nil
	}
}

func (p *progress) encode() []byte { return fastjson.Must(p) }

// storeAway parks a record whose claim could not be asked for or changed.
func (a *attempt) storeAway(err error) *ending {
	switch {
	case a.leaving():
		return &ending{released: true}
	case errors.Is(err, ErrLost):
		return &ending{lost: true}
	case errors.Is(err, ErrEpochChanged):
		return a.parkFor(parkEpoch, time.Second)
	case errors.Is(err, ErrUnreadable):
		if a.w.tries == 1 {
			a.p.log.Warn("claim is in a state that this version does not know, its record waits", "organization", a.Organization, "claim", a.ref.key())
		}
		return a.parkFor(parkUnreadable, a.p.cfg.Recheck)
	}
	a.p.log.Debug("claim store did not answer", "error", err.Error(), "organization", a.Organization, "business_id", a.ref.ID)
	return a.parkFor(parkRedis, a.backOff(10*time.Second))
}

func (a *attempt) parkFor(reason string, d time.Duration) *ending {
	return &ending{park: &Park{Until: a.p.clock.Now().Add(d), Reason: reason}}
}
