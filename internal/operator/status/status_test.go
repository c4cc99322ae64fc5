package status

import (
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestForecastOfTheDaysCalls(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	midnight := noon.Add(12 * time.Hour)
	for name, test := range map[string]struct {
		b       Budget
		window  time.Duration
		perHour int
		ends    time.Time
	}{
		"not learnt":                {b: Budget{Limit: 100, Left: 40}, window: time.Minute, perHour: 3600},
		"lasts":                     {b: Budget{Limit: 100, Left: 100, DayLimit: 2400, DayRemaining: 1800, DayReset: midnight}, window: time.Minute, perHour: 50},
		"spent by the average":      {b: Budget{Limit: 100, Left: 100, DayLimit: 2400, DayRemaining: 600, DayReset: midnight}, window: time.Minute, perHour: 150, ends: noon.Add(4 * time.Hour)},
		"spent by the present rate": {b: Budget{Limit: 100, Left: 90, DayLimit: 2400, DayRemaining: 1800, DayReset: midnight}, window: time.Minute, perHour: 600, ends: noon.Add(3 * time.Hour)},
		"more than lasts for ever":  {b: Budget{Limit: 100, Left: 100, DayLimit: 1 << 40, DayRemaining: 1<<40 - 24, DayReset: midnight}, window: time.Minute, perHour: 2},
		"lasts for centuries":       {b: Budget{Limit: 100, Left: 100, DayLimit: 100_000_000, DayRemaining: 99_999_988, DayReset: midnight}, window: time.Minute, perHour: 1},
		"nothing left":              {b: Budget{Limit: 100, Left: 100, DayLimit: 2400, DayReset: midnight}, window: time.Minute, perHour: 200, ends: noon},
		"the day has just begun":    {b: Budget{Limit: 100, Left: 100, DayLimit: 2400, DayRemaining: 2390, DayReset: noon.Add(24*time.Hour - time.Second)}, window: time.Minute},
	} {
		test.b.forecast(noon, test.window)
		if test.b.PerHour != test.perHour || !test.b.EndsAt.Equal(test.ends) {
			t.Errorf("%s: %d an hour, ends %s; want %d, %s", name, test.b.PerHour, test.b.EndsAt, test.perHour, test.ends)
		}
	}
}

func TestTheOldestClaimsInDoubtAreNamed(t *testing.T) {
	t.Parallel()
	var d InDoubt
	const n = 3 * OldestInDoubt
	for i := range n {
		d.add(DoubtfulClaim{ID: strconv.Itoa(i), Since: time.Unix(int64((i*7)%n), 0)})
	}
	if d.Count != n || len(d.Oldest) != OldestInDoubt {
		t.Fatalf("%d, %d named", d.Count, len(d.Oldest))
	}
	for i, c := range d.Oldest {
		if !c.Since.Equal(time.Unix(int64(i), 0)) {
			t.Errorf("number %d is of %s", i, c.Since)
		}
	}
}
