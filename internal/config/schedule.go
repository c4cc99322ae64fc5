package config

import (
	"errors"
	"time"
)

// shortestSchedule keeps scheduled work from spending the day's calls.
const shortestSchedule = time.Minute

var errSchedule = errors.New("want a time of the day such as 04:30, or a duration of at least a minute such as 6h")

// Schedule says when something recurs: at a time of the day, or every so often. The zero value never does.
type Schedule struct {
	daily  bool
	minute int // of the day
	every  time.Duration
}

// ParseSchedule reads `04:30`, `6h`, or nothing.
func ParseSchedule(s string) (Schedule, error) {
	if s == "" {
		return Schedule{}, nil
	}
	if t, err := time.Parse("15:04", s); err == nil {
		return Schedule{daily: true, minute: t.Hour()*60 + t.Minute()}, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < shortestSchedule {
		return Schedule{}, errSchedule
	}
	return Schedule{every: d}, nil
}

// Never says that nothing recurs.
func (s Schedule) Never() bool { return !s.daily && s.every == 0 }

// Last is the latest time at or before now at which it was due, in the zone of the day; of a duration counted from the
// start of 1970, so that all replicas agree. A time of the day that the clocks leave out is due when they go on.
func (s Schedule) Last(now time.Time, zone *time.Location) time.Time {
	if !s.daily {
		return now.Truncate(max(s.every, 1))
	}
	local := now.In(zone)
	at := time.Date(local.Year(), local.Month(), local.Day(), 0, s.minute, 0, 0, zone)
	if at.After(now) {
		at = time.Date(local.Year(), local.Month(), local.Day()-1, 0, s.minute, 0, 0, zone)
	}
	return at
}
