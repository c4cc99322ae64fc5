package judge

import (
	"slices"
	"time"
)

// limits: the calls that left in any 60 s and in any day, and those in flight at Zoho. Too many within a minute have both left and arrived: what the
// network held back arrives with later ones, and what was cut off while it was written never does.
func (c *checker) limits() {
	calls := slices.SortedFunc(slices.Values(c.Sent), time.Time.Compare)
	if c.Limits.PerMinute > 0 && c.Calls.LargestMinute > c.Limits.PerMinute {
		for i, from := 0, 0; i < len(calls); i++ {
			for calls[i].Sub(calls[from]) >= time.Minute {
				from++
			}
			if n := i - from + 1; n > c.Limits.PerMinute {
				c.Problem(limits, "%d calls left within 60 s, until %s, at most %d arrived", n, clock(calls[i]), c.Calls.LargestMinute)
				break
			}
		}
	}
	if c.Limits.PerDay > 0 {
		days, most := map[string][]time.Time{}, c.Limits.PerDay
		if c.Tale.Forgetful { // what is left of the day is known again with the first answer; until then as many leave as may be in flight
			most += c.Limits.InFlight
		}
		for _, at := range calls {
			day := at.In(c.zone).Format(time.DateOnly)
			days[day] = append(days[day], at)
		}
		for day, left := range days {
			if n := len(left); n > most {
				c.Problem(limits, "%d calls left on %s, of at most %d, the last one at %s", n, day, most, clock(left[n-1]))
			}
		}
	}
	if n := c.Flying; c.Limits.InFlight > 0 && n > c.Limits.InFlight {
		c.Problem(limits, "%d calls waited for their answers", n)
	}
	if n := c.Calls.LargestInFlight; c.Limits.InFlight > 0 && n > c.Limits.InFlight {
		c.Problem(limits, "%d calls were in flight", n)
	}
}
