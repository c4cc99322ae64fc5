package simulator

import (
	"fmt"
	"sync"
	"time"
)

// Rate limits of one organisation, and what arrived: dossier 2. The messages are Zoho's own.
const (
	messageMinute = "For security reasons your organization has been blocked as it have exceeded the maximum number of " +
		"requests per minute that can originate from an organization."
	messageDay        = "The API call for this organization has exceeded the maximum call rate limit of %d."
	messageConcurrent = "You have reached the maximum number of in process requests allowed. Kindly try again after some time."

	window             = time.Minute
	defaultMinuteBlock = time.Minute
	unlimitedQuota     = 100_000_000 // what the headers show of an organisation without a daily limit
)

type limiter struct {
	mu       sync.Mutex
	switches *Switches
	loc      *time.Location

	dayLimit, minuteLimit, concurrency int // negative: none

	inFlight     int
	recent       ring // calls of the last 60 s
	admitted     int  // of them, those not refused
	blockedUntil time.Time
	dayEnds      time.Time
	dayUsed      int

	calls Calls
}

// quota is what the x-rate-limit headers of an answer say.
type quota struct{ limit, remaining, reset int }

func (l *limiter) init(s *Simulator, org Org, loc *time.Location) {
	l.switches, l.loc = &s.cfg.Switches, loc
	l.dayLimit, l.minuteLimit, l.concurrency = org.PlanQuota, org.MinuteLimit, org.Concurrency
	l.calls.reset()
}

// begin counts a call that arrived and refuses it when a limit is reached. Refused or not, end must follow.
//
// The clock is read under the lock, so that arrivals are in order.
func (l *limiter) begin(clock func() time.Time) (time.Time, quota, *failure) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := clock()
	l.roll(now)
	l.inFlight++
	l.calls.LargestInFlight = max(l.calls.LargestInFlight, l.inFlight)
	f := l.refusal(now)
	if f == nil {
		l.admitted++
	} else {
		f.bare = l.switches.NoRateHeadersOn429
		f.retry = l.switches.RetryAfterOn429
	}
	if f == nil || !l.switches.RefusedCallsFree {
		l.dayUsed++
	}
	l.recent.push(now.UnixNano(), f == nil)
	l.calls.Total++
	l.calls.LargestMinute = max(l.calls.LargestMinute, l.recent.len)
	return now, l.quota(now), f
}

// roll forgets calls older than the window, and the day that is over. A window is half open: a call leaves it exactly
// 60 s after it came.
func (l *limiter) roll(now time.Time) {
	edge := now.Add(-window).UnixNano()
	for l.recent.len > 0 {
		at, admitted := l.recent.first()
		if at > edge {
			break
		}
		l.recent.pop()
		if admitted {
			l.admitted--
		}
	}
	if !now.Before(l.dayEnds) {
		local := now.In(l.loc)
		l.dayEnds = time.Date(local.Year(), local.Month(), local.Day()+1, 0, 0, 0, 0, l.loc)
		l.dayUsed = 0
	}
}

func (l *limiter) refusal(now time.Time) *failure {
	if l.dayLimit >= 0 && l.dayUsed >= l.dayLimit {
		return refuse(429, codeDay, fmt.Sprintf(messageDay, l.dayLimit))
	}
	block := time.Duration(l.switches.MinuteBlock) * time.Second
	if block == 0 {
		block = defaultMinuteBlock
	}
	over := l.minuteLimit >= 0 && l.admitted >= l.minuteLimit
	blocked := now.Before(l.blockedUntil)
	if over || blocked {
		if block > 0 && (!blocked || l.switches.BlockExtends) {
			l.blockedUntil = now.Add(block)
		}
		return refuse(429, codeMinute, messageMinute)
	}
	if l.concurrency >= 0 && l.inFlight > l.concurrency {
		return refuse(429, codeConcurrent, messageConcurrent)
	}
	return nil
}

func (l *limiter) quota(now time.Time) quota {
	q := quota{limit: l.dayLimit, reset: int(l.dayEnds.Sub(now) / time.Second)}
	if l.dayLimit < 0 {
		q.limit = unlimitedQuota
	}
	q.remaining = max(0, q.limit-l.dayUsed)
	return q
}

// end gives the slot back and counts what the call was answered with. Status 0: nothing was answered.
func (l *limiter) end(resource string, status, code int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight--
	l.calls.count(resource, status, code)
}

// change sets limits while running; nil leaves one as it is.
func (l *limiter) change(day, minute, concurrency *int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range []struct{ to, of *int }{{day, &l.dayLimit}, {minute, &l.minuteLimit}, {concurrency, &l.concurrency}} {
		if c.to != nil {
			*c.of = *c.to
		}
	}
}

// Calls are what reached the API of one organisation, refused calls included.
type Calls struct {
	Total           int                       `json:"total"`
	LargestMinute   int                       `json:"largest_minute"`    // most calls that arrived in any 60 s
	LargestInFlight int                       `json:"largest_in_flight"` // most calls at the same time
	Refused         int                       `json:"refused"`           // answered 429
	ByResource      map[string]int            `json:"by_resource"`       // "POST /invoices/{id}/status/sent"
	ByStatus        map[int]int               `json:"by_status"`         // by HTTP status; 0: the connection was closed without an answer
	ByCode          map[int]int               `json:"by_code"`           // by Zoho's code, refusals only
	Answers         map[string]map[string]int `json:"answers"`           // by resource, then "status" or "status/code"
	keys            map[callKey]int
}

type callKey struct {
	resource     string
	status, code int
}

func (c *Calls) reset() { *c = Calls{keys: map[callKey]int{}} }

func (c *Calls) count(resource string, status, code int) {
	if status == 429 {
		c.Refused++
	}
	c.keys[callKey{resource, status, code}]++
}

// snapshot is a copy with the maps filled in.
func (l *limiter) snapshot() Calls {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.calls
	out.keys = nil
	out.ByResource, out.ByStatus, out.ByCode = map[string]int{}, map[int]int{}, map[int]int{}
	out.Answers = map[string]map[string]int{}
	for k, n := range l.calls.keys {
		out.ByResource[k.resource] += n
		out.ByStatus[k.status] += n
		name := itoa(k.status)
		if k.code != 0 {
			out.ByCode[k.code] += n
			name += "/" + itoa(k.code)
		}
		if out.Answers[k.resource] == nil {
			out.Answers[k.resource] = map[string]int{}
		}
		out.Answers[k.resource][name] += n
	}
	return out
}

// ring is a queue of moments; the lowest bit says whether the call was admitted.
type ring struct {
	at        []int64
	head, len int
}

func (r *ring) push(nanos int64, admitted bool) {
	if r.len == len(r.at) {
		grown := make([]int64, max(256, 2*len(r.at)))
		for i := range r.len {
			grown[i] = r.at[(r.head+i)%len(r.at)]
		}
		r.at, r.head = grown, 0
	}
	nanos &^= 1
	if admitted {
		nanos |= 1
	}
	r.at[(r.head+r.len)%len(r.at)] = nanos
	r.len++
}

func (r *ring) first() (nanos int64, admitted bool) {
	v := r.at[r.head]
	return v &^ 1, v&1 == 1
}

func (r *ring) pop() {
	r.head = (r.head + 1) % len(r.at)
	r.len--
}
