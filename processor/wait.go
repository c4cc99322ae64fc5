package processor

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// wait is how long a record has waited for what it needs. Its clock runs only while the topic waited for is settled up
// to what it held when the wait began, and while the organisation works (design, section 6).
type wait struct {
	ends   map[string]map[int32]int64 // by topic; what must be settled before the clock runs
	passed bool
	ran    time.Duration
	last   time.Time
	// over: the time is over, and what was produced meanwhile is to be settled: it may be what is waited for, held up by the
	// same pause as this record.
	over bool
}

// waitFor parks a record whose order or payment is not settled. The claim store has registered it for a wake-up, which is
// a hint: it asks again now and then. When the deadline has passed, the books are searched before it's rejected; and once
// before that where Redis may have forgotten what is there, as soon as everything produced before is settled.
func (a *attempt) waitFor(ans *ClaimAnswer) *ending {
	expired, end := a.expired(ans.WaitingFor)
	if end != nil {
		return end
	}
	if forgot := a.epoch.Loss && a.w.wait.passed && !a.w.looked; forgot || expired && !a.w.lookedLast {
		found, end := a.lookForNeeds(ans)
		if end != nil {
			if expired { // nobody knows since when the organisation could not be asked: its time starts anew
				a.w.wait = wait{}
			}
			return end
		}
		a.w.looked, a.w.lookedLast = true, expired
		if found {
			return a.claim()
		}
	}
	if expired && a.advances(ans.WaitingFor) {
		a.w.advance = true
		return a.claim()
	}
	if expired && a.onlyAnnounced(ans.WaitingFor) { // one that Redis forgot was settled is waited for in vain
		a.w.pending = nil
		return a.claim()
	}
	if expired {
		return &ending{reject: &Rejection{Class: "dependency.missing", Retryable: "yes", Message: a.missing(ans)}}
	}
	park := &Park{Reason: parkDependency, Until: a.recheckAt()}
	for _, ref := range ans.WaitingFor {
		park.Keys = append(park.Keys, ref.WakeKey(a.Organization))
	}
	return &ending{park: park}
}

// recheckAt is when a record that waits for an order or for money asks again: as a rule after the time that is configured, sooner when its
// deadline is nearer. Once that is over only what was produced meanwhile is to be settled.
func (a *attempt) recheckAt() time.Time {
	every := a.p.cfg.Recheck
	if a.w.wait.over {
		return a.p.clock.Now().Add(every / 6)
	}
	return a.p.clock.Now().Add(min(every, max(a.deadline()-a.w.wait.ran, every/30)))
}

func (a *attempt) deadline() time.Duration { return a.tenant.org().DependencyDeadline }

// expired runs the wait's clock.
func (a *attempt) expired(refs []ClaimRef) (bool, *ending) {
	w, now := &a.w.wait, a.p.clock.Now()
	if a.needsHeld(refs) { // what it waits for cannot come: the time starts anew when it can
		*w = wait{}
		return false, nil
	}
	for _, topic := range a.topicsOf(refs) {
		if w.ends[topic] != nil {
			continue
		}
		ends, err := a.p.progress.Ends(a.intake, topic)
		if err != nil {
			return false, a.progressAway()
		}
		if rec := a.d.Record; topic == rec.Topic {
			// It waits for another record of its own topic, which isn't settled beyond this one before it is: what concerns one
			// order is in one partition, so what came before this one is enough.
			ends = map[int32]int64{rec.Partition: rec.Offset}
		}
		// What came first was found; what's waited for now gets the whole time.
		if w.ends == nil {
			w.ends = make(map[string]map[int32]int64)
		}
		w.ends[topic], w.passed, w.ran, w.over = ends, false, 0, false
	}
	if !w.passed {
		w.last = now
		for topic, ends := range w.ends {
			passed, err := a.p.progress.Passed(a.intake, topic, ends)
			if err != nil {
				return false, a.progressAway()
			}
			if !passed {
				return false, nil
			}
		}
		w.passed = true
	}
	if w.over {
		return true, nil
	}
	if a.tenant.gate.open() { // a longer gap than that to the next look was a pause
		w.ran += min(now.Sub(w.last), a.p.cfg.Recheck)
	}
	w.last = now
	if w.ran < a.deadline() {
		return false, nil
	}
	for topic := range w.ends {
		ends, err := a.p.progress.Ends(a.intake, topic)
		if err != nil {
			return false, a.progressAway()
		}
		w.ends[topic] = ends
	}
	w.over, w.passed = true, false
	return a.expired(refs)
}

func (a *attempt) progressAway() *ending {
	if a.leaving() {
		return &ending{released: true}
	}
	return a.parkFor(parkBackOff, a.backOff(a.p.cfg.BackOffLimit))
}

func (a *attempt) topicsOf(refs []ClaimRef) []string {
	var topics []string
	for _, ref := range refs {
		if ref.Role == RoleOrder {
			topics = append(topics, a.p.cfg.Topics.Orders...)
		} else {
			topics = append(topics, a.p.cfg.Topics.Payments...)
		}
	}
	slices.Sort(topics)
	return slices.Compact(topics)
}

// advances says whether the policy books the money without the order that it waits for: on a contact that's there for it. A
// payment of several orders, and what needs more than an order, waits.
func (a *attempt) advances(refs []ClaimRef) bool {
	org := a.tenant.org()
	if org.Advances != advanceUnapplied || org.AdvanceContact == "" || a.w.advance || len(a.orders) != 1 {
		return false
	}
	for _, ref := range refs {
		if ref.Role != RoleOrder {
			return false
		}
	}
	return a.ref.Role == RolePayment || a.ref.Role == RoleRefund
}

// advanceUnapplied is the policy that books money which no invoice takes.
const advanceUnapplied = "advance"

// missing says what did not come.
func (a *attempt) missing(ans *ClaimAnswer) string {
	var parts []string
	for _, ref := range ans.WaitingFor {
		s := fmt.Sprintf("%s %s", ref.Role, ref.ID)
		if e := ans.Orders[ref.ID]; ref.Role == RoleOrder && e.State == "rejected" {
			s += " (rejected: its record is " + e.Coordinates + "; mend and replay it first)"
		}
		parts = append(parts, s)
	}
	return fmt.Sprintf("waited %s for %s", a.w.wait.ran.Round(time.Second), strings.Join(parts, ", "))
}

// onlyAnnounced says whether a refund waits only for payments of its order that were announced before it: none that it names.
func (a *attempt) onlyAnnounced(refs []ClaimRef) bool {
	for _, ref := range refs {
		if a.workflow != WorkflowRefund || ref.Role != RolePayment || ref.ID == a.refund.PaymentID {
			return false
		}
	}
	return true
}
