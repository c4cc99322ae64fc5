package app

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/booksync/booksync/connectors/zohobooks"
)

func TestAnOrganisationIsTriedAgain(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 9, 13, 0, 0, 0, time.UTC)
	paused := func(d time.Duration) error {
		return fmt.Errorf("reading: %w", &zohobooks.PausedError{Until: now.Add(d), Reason: "state_lost"})
	}
	for _, c := range []struct {
		name string
		err  error
		n    int
		want time.Duration
	}{
		{"soon", errors.New("no route"), 0, time.Second},
		{"later and later", errors.New("no route"), 3, 8 * time.Second},
		{"each minute in the end", errors.New("no route"), 80, time.Minute},
		{"when a pause ends", paused(17 * time.Second), 6, 17 * time.Second},
		{"each minute during a long pause", paused(time.Hour), 0, time.Minute},
		{"soon after a pause that is over", paused(-time.Second), 4, time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := again(c.err, c.n, now); got != c.want {
				t.Errorf("waits %v, want %v", got, c.want)
			}
		})
	}
}
