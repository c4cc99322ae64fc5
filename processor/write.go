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
	if err := a.p.claims.Sending(a.ctx, a.handle, step, a.prog.encode(), orders); err != nil {
		return &storeError{err}
	}
	a.inDoubt = doubt{step: step, since: a.p.clock.Now()}
	err = call(r.Attach(a.ctx))
	if err == nil {
		a.tenant.gate.answered(true)
	}
	if err == nil || zohobooks.Verdict(err).Action != zohobooks.ActionInDoubt {
		a.inDoubt = doubt{}
	}
	a.refusedWrite = err != nil && a.inDoubt.step == ""
	return err
}

// read makes one reading call: a look-up comes before orders in the budget.
func (a *attempt) read(call func(ctx context.Context) error) error {
	r, err := a.reserve(zohobooks.ClassLookUp)
	if err != nil {
		return err
	}
	defer r.Release()
	err = call(r.Attach(a.ctx))
	if err == nil {
		a.tenant.gate.answered(false)
	}
	return err
}

func (a *attempt) reserve(class zohobooks.Class) (*zohobooks.Reservation, error) {
	if a.leaving() {
		return nil, errLeaving
	}
	return a.tenant.books.Reserve(zohobooks.WithClass(a.intake, class))
}

// failed turns an error of write or read into the attempt's ending. One function decides, so that one table says what
// happens when.
func (a *attempt) failed(step string, err error) *ending {
	var store *storeError
	var rejection *Rejection
	switch {
	case errors.Is(err, errLeaving), a.leaving() && errors.Is(err, context.Canceled):
		return &ending{released: true}
	case errors.As(err, &store):
		return a.storeAway(store.err)
	case errors.As(err, &rejection):
		return &ending{reject: rejection}
	}
	now, dec := a.p.clock.Now(), zohobooks.Verdict(err)
	a.p.log.Debug("call failed", "organization", a.Organization, "workflow", string(a.workflow), "business_id", a.ref.ID,
		"step", step, "error", err.Error(), "action", dec.Action.String())
	switch dec.Action {
	case zohobooks.ActionWaitOrganization, zohobooks.ActionStop:
		if refused := new(zohobooks.Error); errors.As(err, &refused) && dec.Action == zohobooks.ActionWaitOrganization {
			// The budget has seen the refusal and pauses all replicas; it says until when at the next reservation.
			return a.parkFor(parkPaused, backOff(a.p.cfg.BackOff, a.p.cfg.BackOff, 0))
		}
		after := dec.After
		if after <= 0 {
			after = time.Minute
		}
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
		Message: fmt.Sprintf("%s: %v", step, err),
	}}
}

// again5xx is the ending of an attempt that met trouble which may pass: the lane waits, with full jitter. It counts as an
// attempt only if another write of the organisation succeeded since the last failure; else Zoho as a whole is in trouble.
func (a *attempt) again5xx(step string, err error, dec zohobooks.Decision) *ending {
	now, w := a.p.clock.Now(), a.w
	if dec.Outage {
		a.tenant.gate.outage()
	}
	if w.failedAt.IsZero() {
		w.failedAt = now
	}
	if seen := a.tenant.gate.successes(); seen > w.writesSeen {
		w.attempts, w.writesSeen = w.attempts+1, seen
	}
	if w.attempts >= a.p.cfg.MaxAttempts {
		a.prog.Doubt, a.prog.Since = a.inDoubt.step, a.inDoubt.since
		return &ending{reject: &Rejection{
			Class: "exhausted", Code: codeText(dec.Code), Retryable: "yes",
			Message: fmt.Sprintf("%s failed %d times while other writes of the organisation succeeded: %v", step, w.attempts, err),
		}}
	}
	wait := max(backOff(a.p.cfg.BackOff, a.p.cfg.BackOffLimit, w.tries-1), dec.After)
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
