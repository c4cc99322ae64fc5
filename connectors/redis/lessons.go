package redis

import (
	"math/rand/v2"
	"time"
)

// learnt is what answers taught since the last question.
type learnt struct {
	limit, remaining int
	reset            time.Duration
	resetAt          time.Time // when reset was learnt
	pause            time.Duration
	reason           string
	empty            bool
}

// otherDay is how far apart the ends of two answers' days are at least when they are not the same day.
const otherDay = time.Hour

// learn keeps what an answer taught. The caller holds mu.
func (p *pump) learn(a Answer) {
	if !a.Answered {
		return
	}
	if a.DayReset >= 0 {
		a.DayReset += time.Second // it is told in whole seconds, cut off: whoever comes a moment early is refused until the next reset
	}
	if a.DayLimit > 0 && a.DayRemaining >= 0 {
		now := time.Now()
		later := time.Duration(0) // by how much the day of this answer ends later than the day known
		if p.learnt.limit > 0 && p.learnt.reset >= 0 && a.DayReset >= 0 {
			later = now.Add(a.DayReset).Sub(p.learnt.resetAt.Add(p.learnt.reset))
		}
		if later >= -otherDay { // else it's of the day before, overtaken
			if later > otherDay || p.learnt.limit != a.DayLimit || a.DayRemaining < p.learnt.remaining {
				p.learnt.limit, p.learnt.remaining = a.DayLimit, a.DayRemaining
			}
			p.learnt.reset, p.learnt.resetAt = a.DayReset, now
		}
	}
	pause, reason := p.limits.refusal(a)
	if pause > p.learnt.pause {
		p.learnt.pause, p.learnt.reason = pause, reason
	}
	p.learnt.empty = p.learnt.empty || reason == ReasonRate
}

// Zoho's codes for "too many".
const (
	codeRate        = 44
	codeDay         = 45
	codeConcurrency = 1070
)

// refusal says how long an answer makes the organisation pause, and why; 0 if not at all.
func (l Limits) refusal(a Answer) (time.Duration, string) {
	switch {
	case a.Code == codeDay:
		pause := a.DayReset
		if pause <= 0 {
			pause = max(l.DayPause, a.RetryAfter)
		}
		return pause + jitter(time.Second), ReasonDayLimit
	case a.Code == codeConcurrency:
		return max(time.Millisecond, jitter(l.ConcurrencyPause)), ReasonConcurrency
	case a.Status == 429 || a.Code == codeRate:
		pause := max(l.RatePause, a.RetryAfter)
		return pause + jitter(pause/4), ReasonRate
	}
	return 0, ""
}

func jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d)
}
