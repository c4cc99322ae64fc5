package reconcile

import (
	"errors"
	"fmt"
	"time"
)

// Window is a span of calendar days in the organisation's time zone, both ends included.
type Window struct {
	Since string // YYYY-MM-DD
	Until string // YYYY-MM-DD
}

// String is for people.
func (w Window) String() string {
	if w.Since == w.Until {
		return w.Since
	}
	return w.Since + " to " + w.Until
}

// contains compares days as text.
func (w Window) contains(day string) bool { return day >= w.Since && day <= w.Until }

// start is the first instant of the window.
func (w Window) start(zone *time.Location) time.Time {
	t, err := time.ParseInLocation(time.DateOnly, w.Since, zone)
	if err != nil {
		panic("window: " + err.Error()) // Ask.Window made it
	}
	return t
}

// days lists the window's days.
func (w Window) days() []string {
	var out []string
	for day := w.Since; day <= w.Until; day = nextDay(day) {
		out = append(out, day)
	}
	return out
}

func nextDay(day string) string {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		panic("window: " + err.Error()) // Ask.Window made it
	}
	return t.AddDate(0, 0, 1).Format(time.DateOnly)
}

// maxDays bounds a window: a year and a day.
const maxDays = 367

// Ask is a window as people ask for one; what is not given is "".
type Ask struct {
	Since, Until string // days; until today where only the first is given
	Day          string // one day, `today` or `yesterday`
	Period       string // a month (2026-10) or a year (2026)
}

// ErrWindow is a window that cannot be.
var ErrWindow = errors.New("the window is wrong")

// Window reads what was asked for; nothing means the last 7 days. now and zone decide what today is. Errors wrap ErrWindow.
func (a Ask) Window(now time.Time, zone *time.Location) (Window, error) {
	w, err := a.window(now, zone)
	if err != nil {
		return Window{}, fmt.Errorf("%w: %w", ErrWindow, err)
	}
	return w, nil
}

func (a Ask) window(now time.Time, zone *time.Location) (Window, error) {
	since, until, day, period := a.Since, a.Until, a.Day, a.Period
	today := now.In(zone).Format(time.DateOnly)
	given := 0
	for _, set := range []bool{since != "" || until != "", day != "", period != ""} {
		if set {
			given++
		}
	}
	if given > 1 {
		return Window{}, errors.New("give one of since and until, day, and period")
	}
	var w Window
	switch {
	case day == "today":
		w = Window{today, today}
	case day == "yesterday":
		yesterday := now.In(zone).AddDate(0, 0, -1).Format(time.DateOnly)
		w = Window{yesterday, yesterday}
	case day != "":
		w = Window{day, day}
	case period != "":
		return parsePeriod(period)
	case given == 0:
		w = Window{now.In(zone).AddDate(0, 0, -6).Format(time.DateOnly), today}
	default:
		w = Window{since, until}
		if until == "" {
			w.Until = today
		}
		if since == "" {
			w.Since = w.Until
		}
	}
	return w.checked()
}

func (w Window) checked() (Window, error) {
	from, err := time.Parse(time.DateOnly, w.Since)
	if err != nil {
		return Window{}, fmt.Errorf("%q is not a day: want YYYY-MM-DD", w.Since)
	}
	to, err := time.Parse(time.DateOnly, w.Until)
	if err != nil {
		return Window{}, fmt.Errorf("%q is not a day: want YYYY-MM-DD", w.Until)
	}
	if to.Before(from) {
		return Window{}, fmt.Errorf("%s is before %s", w.Until, w.Since)
	}
	if to.Sub(from) >= maxDays*24*time.Hour {
		return Window{}, fmt.Errorf("%s is more than a year: take it in parts", w)
	}
	return w, nil
}

func parsePeriod(period string) (Window, error) {
	for layout, next := range map[string]func(time.Time) time.Time{
		"2006-01": func(t time.Time) time.Time { return t.AddDate(0, 1, -1) },
		"2006":    func(t time.Time) time.Time { return t.AddDate(1, 0, -1) },
	} {
		if t, err := time.Parse(layout, period); err == nil {
			return Window{t.Format(time.DateOnly), next(t).Format(time.DateOnly)}, nil
		}
	}
	return Window{}, fmt.Errorf("%q is not a period: want a month such as 2026-10, or a year", period)
}
