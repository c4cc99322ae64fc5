package config

import (
	"testing"
	"time"
)

func TestScheduleSaysWhenItWasLastDue(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ schedule, now, want string }{
		"later today is yesterday's":                 {"04:30", "2026-10-05T04:29:00+02:00", "2026-10-04T04:30:00+02:00"},
		"at the time itself":                         {"04:30", "2026-10-05T04:30:00+02:00", "2026-10-05T04:30:00+02:00"},
		"the day the clocks go on":                   {"02:30", "2026-03-29T12:00:00+02:00", "2026-03-29T03:30:00+02:00"},
		"the day they go back":                       {"04:30", "2026-10-25T12:00:00+01:00", "2026-10-25T04:30:00+01:00"},
		"every six hours, the same for all replicas": {"6h", "2026-10-05T13:10:00Z", "2026-10-05T12:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := ParseSchedule(test.schedule)
			if err != nil {
				t.Fatal(err)
			}
			now, err1 := time.Parse(time.RFC3339, test.now)
			want, err2 := time.Parse(time.RFC3339, test.want)
			if err1 != nil || err2 != nil {
				t.Fatal(err1, err2)
			}
			if got := s.Last(now, berlin); !got.Equal(want) || s.Never() {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
	for _, bad := range []string{"25:00", "30s", "daily", "-6h"} {
		if _, err := ParseSchedule(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if s, err := ParseSchedule(""); err != nil || !s.Never() {
		t.Errorf("none: %v %v", s, err)
	}
}
