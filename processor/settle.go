package processor

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/shopspring/decimal"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/booksync/booksync/schemas"
)

// Reasons of a DUPLICATE.
const (
	duplicateSame  = "same"  // the business id was settled by another record with the same content
	duplicateStale = "stale" // a higher revision, or the cancellation, was settled before
	// An operator took back what this content had posted; it is posted again by a replay only.
	duplicateReversed = "reversed"
)

// stored is what a claim keeps of a verdict with a dead letter: enough to publish it again, byte for byte, without a call to
// Zoho. Of a verdict without one it keeps the outcome as it is encoded; none begins as JSON does.
type stored struct {
	Outcome []byte   `json:"outcome"`
	Headers []header `json:"headers,omitempty"` // of the dead letter
}

type header struct {
	Key   string `json:"k"`
	Value []byte `json:"v"`
}

// settle makes the verdict of an attempt's ending. A claim is finished, with the outcome in it, before its result is handed
// over; where that is refused nothing is published and the record goes back to the claim step.
func (a *attempt) settle(end *ending) Verdict {
	a.stopRenewing()
	a.tally()
	switch {
	case end == nil, end.posted && a.handle != nil:
		return a.finish(a.outcome(schemas.StatusPosted), nil)
	case end.posted:
		return a.publish(a.outcome(schemas.StatusPosted), nil, nil)
	case end.stored != nil:
		return a.again(end.stored)
	case end.duplicate != "":
		out := a.outcome(schemas.StatusDuplicate)
		out.Reason = end.duplicate
		if a.found != nil && a.handle != nil { // whoever waits for this business id finds it settled
			return a.finish(out, nil)
		}
		a.giveBack()
		return a.publish(out, nil, nil)
	case end.reject != nil:
		return a.rejected(end.reject)
	case end.shadow != nil:
		return a.publish(a.shadowOutcome(end.shadow), nil, nil)
	case end.lost:
		a.giveBack() // leases of orders that nobody took
		return Verdict{Park: &Park{Until: a.p.clock.Now(), Reason: parkBusy}}
	case end.released:
		a.giveBack()
		return Verdict{Released: true}
	}
	a.giveBack()
	return Verdict{Park: end.park}
}

// tally adds this attempt's calls to those of the earlier ones.
func (a *attempt) tally() {
	a.w.calls += a.counter.Calls()
	a.w.waitedForBudget += a.counter.WaitedForBudget()
	a.w.called += a.counter.Called()
}

// giveBack releases what the attempt holds: a record that waits never holds what another needs. A failure is mended by the
// lease's end.
func (a *attempt) giveBack() {
	if a.handle == nil {
		return
	}
	ctx, cancel := a.lastly()
	defer cancel()
	if a.answered && a.inDoubt.step == "" {
		steps := &a.prog
		if a.older != nil { // no mark has told the claim what was done of it
			steps = a.older
		}
		if err := a.p.claims.Answered(ctx, a.handle, steps.encode()); err != nil {
			a.p.log.Debug("claim keeps its mark", "error", err.Error(), "organization", a.Organization, "business_id", a.ref.ID)
		}
	}
	if err := a.p.claims.Release(ctx, a.handle); err != nil && !errors.Is(err, ErrLost) {
		a.p.log.Debug("claim not released", "error", err.Error(), "organization", a.Organization, "business_id", a.ref.ID)
	}
	a.p.wake(a.freeKeys()...)
}

// lastly is the context of an attempt's last change of its claim: it outlives a stop that was hurried, for a claim that's
// finished or given back then needs no lease to lapse and no look-up.
func (a *attempt) lastly() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(a.ctx), lastChange)
}

// lastChange is how long an attempt's last change of its claim may take.
const lastChange = 10 * time.Second

// wakeWaiting wakes this replica's lanes that wait for the claim, or an order, to be settled or free.
func (a *attempt) wakeWaiting() { a.p.wake(a.settledKeys(a.freeKeys())...) }

// rejected settles a record that must not be posted: the outcome, and the dead letter.
func (a *attempt) rejected(rej *Rejection) Verdict {
	out := a.outcome(schemas.StatusRejected)
	out.Error = &schemas.Failure{Class: rej.Class, Code: rej.Code, Message: cut(rej.Message, maxMessage)}
	headers := a.deadLetterHeaders(rej)
	if a.handle != nil && a.entry.State == "sending" && a.entry.Sending.Coordinates != a.coordinates && !a.wrote {
		a.giveBack() // the claim stays with the record whose write is in doubt
		return a.publish(out, headers, nil)
	}
	if a.handle == nil {
		return a.publish(out, headers, nil)
	}
	return a.finish(out, headers)
}

// finish stores the verdict in the claim, then hands it over.
func (a *attempt) finish(out *schemas.Outcome, headers []kgo.RecordHeader) Verdict {
	value, err := a.p.codec.EncodeOutcome(a.ctx, a.p.cfg.Topics.Outcomes, out)
	if err != nil {
		return a.notEncoded(err)
	}
	for _, st := range a.result.orders {
		st.Epoch = a.epoch.ID
	}
	f := &ClaimFinish{State: "done", Outcome: encodeStored(value, headers), Retention: a.p.cfg.Retention}
	switch {
	case out.Status == schemas.StatusRejected:
		f.State = "rejected"
		a.prog.Doubt, a.prog.Since = a.inDoubt.step, a.inDoubt.since
		f.Orders = a.withdrawn()
		if st := a.corrected(); st != nil {
			f.Data = st.encode()
		}
		a.prog.unplan()
		f.Steps = a.prog.encode()
	case out.Status == schemas.StatusDuplicate:
		a.found.comparison = a.result.comparison
		f.Data, f.Orders = a.found.encode(), a.withdrawn()
		if len(a.result.orders) > 0 { // the event has taken effect by this record's doing, too
			f.Orders = a.orderUpdates()
		}
		if a.ref.Role == RoleOrder {
			f.Data, f.Orders = a.result.orders[a.orderID].encode(), nil
		}
	case a.ref.Role == RoleOrder:
		f.Data = a.result.orders[a.orderID].encode()
	default:
		f.Orders = a.orderUpdates()
	}
	ctx, cancel := a.lastly()
	defer cancel()
	if err := a.p.claims.Finish(ctx, a.handle, f); err != nil {
		end := a.storeAway(err)
		if end.lost {
			return Verdict{Park: &Park{Until: a.p.clock.Now(), Reason: parkBusy}}
		}
		a.giveBack()
		return Verdict{Park: end.park, Released: end.released}
	}
	a.wakeWaiting()
	for id := range f.Orders {
		a.p.wake(paidKey(a.Organization, id))
	}
	return a.publish(out, headers, value)
}

// orderUpdates are the orders' states after an event that is not the order itself.
func (a *attempt) orderUpdates() map[string]OrderUpdate {
	updates := make(map[string]OrderUpdate, len(a.result.orders))
	for id, st := range a.result.orders {
		u := OrderUpdate{Data: st.encode()}
		if a.result.tombstone {
			u.Revision, u.Done = a.revision, true
		}
		if a.w.adopted[id] != nil {
			u.Revision, u.Done = a.w.adopted[id].invoiceRevision(), true
		}
		updates[id] = u
	}
	return updates
}

// withdrawn takes what an event that is not posted announced in the orders' states back, but for what was written of it. What
// is in doubt stays. Where the books hold another record's document under its key, what they hold is to be listed anew.
func (a *attempt) withdrawn() map[string]OrderUpdate {
	if a.prog.Doubt != "" || a.ref.Role == RoleOrder {
		return nil
	}
	updates := make(map[string]OrderUpdate)
	for id, st := range a.states {
		if a.intended || st.names(a.ref) {
			was := *a.written(st)
			was.Partial = was.Partial || a.taken && was.Invoice != nil
			updates[id] = OrderUpdate{Data: was.encode()}
		}
	}
	return updates
}

// written is an order's state with no more of this event than what the steps say was done.
func (a *attempt) written(st *OrderState) *OrderState {
	if a.ref.Role == RolePayment {
		return st.withoutPayment(a.ref.ID)
	}
	key, plan := a.ref.key(), a.prog.Refund
	st = st.without(key)
	if a.prog.Credit != nil {
		cr := *a.prog.Credit
		cr.Applied, cr.Further, cr.Refunded = decimal.Zero, nil, decimal.Zero
		if a.prog.did(stepApply) {
			cr.Applied, cr.Further = a.prog.Credit.Applied, a.prog.Credit.Further
		}
		if a.prog.did(stepRefund) {
			cr.Refunded = a.prog.Credit.Refunded
		}
		st = st.withCredit(cr)
	}
	if plan == nil {
		return st
	}
	for _, n := range plan.FromNotes {
		if a.prog.did(stepNote + ":" + n.NoteID) {
			st = st.withRefundFrom(n.NoteID, key, n.Request.Amount.Decimal)
		}
	}
	for _, ex := range plan.FromExcess {
		if a.prog.did(stepExcess + ":" + ex.PaymentDocumentID) {
			st = st.withExcessRefunded(ex.PaymentDocumentID, key, ex.Request.Amount.Decimal)
		}
	}
	return st
}

// again publishes the verdict that the claim holds: a crash came between finishing the claim and the transaction.
func (a *attempt) again(b []byte) Verdict {
	s := readStored(b)
	if s == nil {
		return a.rejected(&Rejection{Class: "exhausted", Retryable: "after-fix",
			Message: "the claim of " + a.ref.key() + " says it's settled but holds no outcome"})
	}
	var headers []kgo.RecordHeader
	for _, h := range s.Headers {
		headers = append(headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	v := a.messages(s.Outcome, headers)
	a.wakeWaiting()
	return v
}

// readStored reads what encodeStored wrote; nil where it is none.
func readStored(b []byte) *stored {
	if len(b) > 0 && b[0] != '{' {
		return &stored{Outcome: b}
	}
	s := new(stored)
	if json.Unmarshal(b, s) != nil || len(s.Outcome) == 0 {
		return nil
	}
	return s
}

func encodeStored(outcome []byte, headers []kgo.RecordHeader) []byte {
	if len(headers) == 0 {
		return outcome
	}
	s := stored{Outcome: outcome}
	for _, h := range headers {
		s.Headers = append(s.Headers, header{h.Key, h.Value})
	}
	b, err := json.Marshal(s)
	if err != nil {
		panic("stored verdict: " + err.Error()) // bytes and strings: cannot fail
	}
	return b
}

// publish makes the messages of a verdict; value is the encoded outcome if it's there already.
func (a *attempt) publish(out *schemas.Outcome, headers []kgo.RecordHeader, value []byte) Verdict {
	if value == nil {
		var err error
		if value, err = a.p.codec.EncodeOutcome(a.ctx, a.p.cfg.Topics.Outcomes, out); err != nil {
			return a.notEncoded(err)
		}
	}
	v := a.messages(value, headers)
	v.Outcome, v.OccurredAt, v.Touched = out, a.OccurredAt, a.replay
	return v
}

// notEncoded parks a record whose outcome could not be written: the registry is away, or a value doesn't fit the schema,
// which is a bug that must not lose the record.
func (a *attempt) notEncoded(err error) Verdict {
	a.giveBack()
	if !errors.Is(err, schemas.ErrRegistryUnavailable) {
		a.p.log.Error("outcome not encoded", "error", err.Error(), "workflow", string(a.workflow), "organization", a.Organization)
	}
	return Verdict{Park: a.parkFor(parkRegistry, backOff(a.p.cfg.BackOff, a.p.cfg.BackOffLimit, a.w.tries-1)).park}
}

// messages are the records of a verdict: the outcome, and the dead letter where there are headers for one.
func (a *attempt) messages(value []byte, headers []kgo.RecordHeader) Verdict {
	key := []byte(a.orderID)
	if a.orderID == "" {
		key = a.d.Record.Key
	}
	v := Verdict{Publish: []Message{{Record: &kgo.Record{Topic: a.p.cfg.Topics.Outcomes, Key: key, Value: value}}}}
	if len(headers) > 0 {
		v.Publish = append(v.Publish, a.deadLetter(headers))
	}
	return v
}

// cut shortens s to at most n bytes without splitting a character.
func cut(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n-len("…")], "") + "…"
}
