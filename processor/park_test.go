package processor

import (
	"testing"
	"time"
)

func TestBackOffStaysWithinItsBounds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		base, limit time.Duration
		n           int
		most        time.Duration
	}{
		{time.Second, time.Minute, 0, time.Second},
		{time.Second, time.Minute, 3, 8 * time.Second},
		{time.Second, time.Minute, 6, time.Minute},
		{time.Second, time.Minute, 1_000_000_000, time.Minute},
		{time.Minute, time.Second, 5, time.Second},
		{1, 1, 0, 1},
	} {
		for range 200 {
			if d := backOff(tt.base, tt.limit, tt.n); d < tt.most/10 || d > tt.most {
				t.Fatalf("backOff(%v, %v, %d) = %v, want between %v and %v", tt.base, tt.limit, tt.n, d, tt.most/10, tt.most)
			}
		}
	}
}
