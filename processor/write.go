package processor

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/booksync/booksync/connectors/zohobooks"
)

// errLeaving says that a call was not made because the partition is leaving.
var errLeaving = errors.New("the partition is leaving")

// storeError is a failure of the claim store, to be told from one of Zoho's.
type storeError struct{ err error }

func (e *storeError) Error() string { return "claim store: " + e.err.Error() }
func (e *storeError) Unwrap() error { return e.err }

// write makes one write of a step: it waits until the budget grants the call, marks the step as sending (with the orders'
// data as they will be if it succeeds, so that others who plan on the same order count it), and calls. The budget comes
// first: a step that waits for its turn is not in doubt.
func (a *attempt) write(step string, intents map[string]*OrderState, call func(ctx context.Context) error) error {
	if r := a.advanced(step); r != nil {
		defer r.Release()
		return a.leave(step, r, call)
	}
	r, err := a.reserve(a.class)
	if err != nil {
		return err
	}
	defer r.Release()
	var orders map[string][]byte
	if len(intents) > 0 {
		a.intended = true
		orders = make(map[string][]byte, len(intents))
		for id, st := range intents {
			orders[id] = st.encode()
		}
	}
	if a.prog.Fingerprint == "" {
		a.prog.Origin, a.prog.Fingerprint = a.event.origin, a.fingerprint
	}
	a.prog.Forgotten = time.Time{}
	if err := a.p.claims.Sending(a.ctx, a.handle, step, a.prog.encode(), orders); err != nil {
		return &storeError{err}
	}
	if orders != nil {
		a.older = nil
	}
	return a.leave(step, r, call)
}

// leave makes the call of a step that is marked.
func (a *attempt) leave(step string, r *zohobooks.Reservation, call func(ctx context.Context) error) error {
	before := a.inDoubt
	a.wrote, a.answered = true, false
	a.inDoubt = doubt{step: step, since: a.p.clock.Now()}
	err := call(r.Attach(a.ctx))
	if err == nil {
		a.went(true)
	}
	if err == nil || zohobooks.Verdict(err).Action != zohobooks.ActionInDoubt {
		a.inDoubt = doubt{}
		if before.step != step && !before.unknown {
			a.inDoubt = before
		}
		a.answered = err != nil
	}
	return err
}

// went notes that a call succeeded; wrote, that it was a write.
func (a *attempt) went(wrote bool) {
	a.w.failures = 0
	a.tenant.gate.answered(wrote)
}

// read makes one reading call: a look-up comes before orders in the budget, unless it's a shadow's.
func (a *attempt) read(call func(ctx context.Context) error) error {
	r, err := a.reserve(a.reads)
	if err != nil {
		return err
	}
	defer r.Release()
	err = call(r.Attach(a.ctx))
	if err == nil {
		a.went(false)
	}
	return err
}

// reserve waits for the budget to grant a call. Meanwhile the organisation may have been paused, or its circuit opened:
// then no call is made.
func (a *attempt) reserve(class zohobooks.Class) (*zohobooks.Reservation, error) {
	if a.leaving() {
		return nil, errLeaving
	}
	if park := a.p.held(a.Organization, a.workflow); park != nil {
		return nil, &heldError{park}
	}
	r, err := a.tenant.books.Reserve(zohobooks.WithClass(a.intake, class))
	if err != nil {
		return nil, err
	}
	if park := a.tenant.gate.park(class); park != nil {
		r.Release()
		return nil, &heldError{park}
	}
	return r, nil
}

// heldError says that a call was not made because the organisation, or its workflow, is not worked for at present.
type heldError struct{ park *Park }

func (e *heldError) Error() string { return "not worked for: " + e.park.Reason }

// failed turns an error of write or read into the attempt's ending. One function decides, so that one table says what
// happens when.
func (a *attempt) failed(step string, err error) *ending {
	var store *storeError
	var held *heldError
	var rejection *Rejection
	switch {
	case errors.Is(err, errLeaving), a.leaving() && errors.Is(err, context.Canceled):
		return &ending{released: true}
	case errors.As(err, &store):
		return a.storeAway(store.err)
	case errors.As(err, &held):
		return &ending{park: held.park}
	case errors.As(err, &rejection):
		return &ending{reject: rejection}
	}
	a.w.failures++
	now, dec := a.p.clock.Now(), zohobooks.Verdict(err)
	if statusOf(err) > 0 && !dec.Outage { // a refusal is an answer, too
		a.tenant.gate.answered(false)
	}
	a.p.log.Debug("call failed", "organization", a.Organization, "workflow", string(a.workflow), "business_id", a.ref.ID,
		"step", step, "error", err.Error(), "action", dec.Action.String())
	var paused *zohobooks.PausedError
	if errors.As(err, &paused) && paused.Reason == PauseReserve {
		a.tenant.gate.reserve(a.class, paused.Until)
		return &ending{park: &Park{Until: paused.Until, Reason: parkReserve}}
	}
	switch dec.Action {
	case zohobooks.ActionWaitOrganization, zohobooks.ActionStop:
		if refused := new(zohobooks.Error); errors.As(err, &refused) && dec.Action == zohobooks.ActionWaitOrganization {
			// The budget has seen the refusal and pauses all replicas; it says until when at the next reservation.
			return a.parkFor(parkPaused, backOff(a.p.cfg.BackOff, a.p.cfg.BackOff, 0))
		}
		after := max(dec.After, a.p.cfg.BackOff) // a pause that ends this moment has none left
		if dec.Action == zohobooks.ActionStop {
			a.p.log.Error("credentials refused, organisation paused", "organization", a.Organization, "error", err.Error())
		}
		a.tenant.gate.pause(now.Add(after), dec.Reason)
		return &ending{park: &Park{Until: now.Add(after), Reason: parkPaused}}
	case zohobooks.ActionInDoubt, zohobooks.ActionRetry:
		return a.again5xx(step, err, dec)
	}
	return &ending{reject: &Rejection{
		Class: "rejected.books", Code: codeText(dec.Code), Retryable: "after-fix",
		Status: statusOf(err), Message: fmt.Sprintf("%s: %v", step, err),
	}}
}

// PauseReserve is the reason of a [zohobooks.PausedError] that concerns one class of calls only: what is left of the day's
// quota is kept for the others.
const PauseReserve = "day_reserve"

// statusOf is the HTTP status of Zoho's answer, 0 where there was none.
func statusOf(err error) int {
	var e *zohobooks.Error
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}

// backOff is how long this record waits after trouble, growing with every failure in a row.
func (a *attempt) backOff(limit time.Duration) time.Duration {
	return backOff(a.p.cfg.BackOff, limit, max(a.w.failures-1, 0))
}

// countable says whether the failure is Zoho's: trouble with Redis, the token's store or our own end says nothing of the
// record.
func countable(err error) bool {
	var e *zohobooks.Error
	return errors.As(err, &e) || errors.Is(err, zohobooks.ErrSearchIncomplete)
}

// again5xx is the ending of an attempt that met trouble which may pass: the lane waits, with full jitter. It counts as an
// attempt only if another write of the organisation succeeded since the last failure; else Zoho as a whole is in trouble.
func (a *attempt) again5xx(step string, err error, dec zohobooks.Decision) *ending {
	now, w := a.p.clock.Now(), a.w
	var shared *sharedFailure
	if dec.Outage && !errors.As(err, &shared) {
		a.tenant.gate.outage()
	}
	if !countable(err) {
		return a.parkFor(parkBackOff, max(a.backOff(a.p.cfg.BackOffLimit), dec.After))
	}
	seen := a.tenant.gate.successes()
	if w.failedAt.IsZero() {
		w.failedAt, w.writesSeen = now, seen
	}
	if seen > w.writesSeen {
		w.attempts, w.writesSeen = w.attempts+1, seen
	}
	if w.attempts >= a.p.cfg.MaxAttempts {
		a.prog.Doubt, a.prog.Since = a.inDoubt.step, a.inDoubt.since
		return &ending{reject: &Rejection{
			Class: "exhausted", Code: codeText(dec.Code), Status: statusOf(err), Retryable: "yes",
			Message: fmt.Sprintf("%s failed %d times while other writes of the organisation succeeded: %v", step, w.attempts, err),
		}}
	}
	wait := max(a.backOff(a.p.cfg.BackOffLimit), dec.After)
	if dec.Action == zohobooks.ActionInDoubt {
		return &ending{park: &Park{Until: now.Add(max(a.p.cfg.SettleDelay, wait)), Reason: parkInDoubt}}
	}
	return &ending{park: &Park{Until: now.Add(wait), Reason: parkBackOff}}
}

// settled parks until a look-up that finds nothing can be believed: the settle delay after the answer was lost. It is nil
// when that time is over.
func (a *attempt) settled() *ending { return a.until(a.p.cfg.SettleDelay) }

// horizonPassed parks until the write in doubt can't take effect any more; nil when that time is over.
func (a *attempt) horizonPassed() *ending { return a.until(a.p.cfg.WriteHorizon) }

// until is nil from that long after the doubt began. The store's clock says when that was, this one's that it's over: a
// difference between them lengthens or shortens the wait.
func (a *attempt) until(d time.Duration) *ending {
	ready := a.inDoubt.since.Add(d)
	if !a.p.clock.Now().Before(ready) {
		return nil
	}
	return &ending{park: &Park{Until: ready, Reason: parkInDoubt}}
}

// codeText is Zoho's code for people; "" when the answer had none.
func codeText(code int) string {
	if code == 0 {
		return ""
	}
	return strconv.Itoa(code)
}
