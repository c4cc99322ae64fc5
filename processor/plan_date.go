package processor

import (
	"time"
)

const dayFormat = "2006-01-02"

// day is the calendar day of an instant in the organisation's time zone, as Zoho writes it (accounting rule 1).
func (o *Organization) day(t time.Time) string {
	return t.In(o.zone()).Format(dayFormat)
}

func (o *Organization) zone() *time.Location {
	if o.TimeZone == nil {
		return time.UTC
	}
	return o.TimeZone
}

// locked reports whether the day is in a locked period. Days compare as text.
func (o *Organization) locked(day string) bool {
	return o.LockedUntil != "" && day <= o.LockedUntil
}

// posting is the day a document of instant t gets: its own, or, in a locked period, the next open day, and then its own
// day is the second result (accounting rule 11). The check has refused locked days already where the policy says so.
func (o *Organization) posting(t time.Time) (day, trueDate string) {
	day = o.day(t)
	if !o.locked(day) {
		return day, ""
	}
	return nextDay(o.LockedUntil), day
}

// nextDay is the day after; a text that isn't a day stays as it is.
func nextDay(day string) string { return addDays(day, 1) }

func addDays(day string, n int) string {
	t, err := time.Parse(dayFormat, day)
	if err != nil {
		return day
	}
	return t.AddDate(0, 0, n).Format(dayFormat)
}

// withTrueDate adds the event's own day to a document's text where a locked period moved it.
func withTrueDate(text, trueDate string) string {
	if trueDate == "" {
		return text
	}
	note := "True date " + trueDate + "; that period is locked."
	if text == "" {
		return note
	}
	return note + "\n" + text
}
