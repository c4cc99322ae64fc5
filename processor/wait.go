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
	started bool
	ends    map[string]map[int32]int64 // by topic; what must be settled before the clock runs
	passed  bool
	ran     time.Duration
	last    time.Time
}

// waitFor parks a record whose order or payment is not settled. The claim store has registered it for a wake-up, which is
// a hint: it asks again now and then. When the deadline has passed, the books are searched once before it's rejected.
func (a *attempt) waitFor(ans *ClaimAnswer) *ending {
	if a.epoch.Loss && !a.w.looked { // Redis may have forgotten it
		if found, end := a.lookForNeeds(ans.WaitingFor); end != nil || found {
			return a.claimAgain(end)
		}
	}
	expired, end := a.expired(ans.WaitingFor)
	if end != nil {
		return end
	}
	if expired {
		if !a.w.looked {
			if found, end := a.lookForNeeds(ans.WaitingFor); end != nil || found {
				return a.claimAgain(end)
			}
		}
		return &ending{reject: &Rejection{Class: "dependency.missing", Retryable: "yes", Message: a.missing(ans)}}
	}
	park := &Park{Reason: parkDependency, Until: a.p.clock.Now().Add(min(a.p.cfg.Recheck, max(a.deadline()-a.w.wait.ran, time.Second)))}
	for _, ref := range ans.WaitingFor {
		park.Keys = append(park.Keys, ref.WakeKey(a.Organization))
	}
	return &ending{park: park}
}

// claimAgain asks for the claim once more after the books answered, unless the look-up itself ended the attempt.
func (a *attempt) claimAgain(end *ending) *ending {
	if end != nil {
		return end
	}
	return a.claim()
}

func (a *attempt) deadline() time.Duration { return a.tenant.org().DependencyDeadline }

// expired runs the wait's clock.
func (a *attempt) expired(refs []ClaimRef) (bool, *ending) {
	w, now := &a.w.wait, a.p.clock.Now()
	if w.ends == nil {
		w.started, w.ends, w.last = true, make(map[string]map[int32]int64), now
		for _, topic := range a.topicsOf(refs) {
			ends, err := a.p.progress.Ends(a.intake, topic)
			if err != nil {
				w.ends = nil
				return false, a.progressAway()
			}
			w.ends[topic] = ends
		}
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
	if a.tenant.gate.open() {
		w.ran += now.Sub(w.last)
	}
	w.last = now
	return w.ran >= a.deadline(), nil
}

func (a *attempt) progressAway() *ending {
	if a.leaving() {
		return &ending{released: true}
	}
	return a.parkFor(parkBackOff, backOff(a.p.cfg.BackOff, a.p.cfg.BackOffLimit, a.w.tries-1))
}

func (a *attempt) topicsOf(refs []ClaimRef) []string {
	var topics []string
	for _, ref := range refs {
		if ref.Role == RolePayment {
			topics = append(topics, a.p.cfg.Topics.Payments...)
		} else {
			topics = append(topics, a.p.cfg.Topics.Orders...)
		}
	}
	slices.Sort(topics)
	return slices.Compact(topics)
}

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
