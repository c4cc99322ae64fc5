package torture

import (
	"fmt"
	"strings"
	"time"
)

// maxPerSecond is how many operations of all replicas may leave within a second of simulated time. Time stands still while
// they work, so that work which never waits shows as more than that.
const maxPerSecond = 20_000

// spins finds work that never waits for anything.
type spins struct {
	second int64
	ops    map[string]int
	n      int
	Found  string // what was seen first
}

// see counts an operation. The lock of the run is held.
func (s *spins) see(op string) (spinning bool, told string) {
	if now := time.Now().Unix(); now != s.second {
		s.second, s.n, s.ops = now, 0, map[string]int{}
	}
	s.n++
	s.ops[op]++
	if s.n == maxPerSecond && s.Found == "" {
		s.Found = fmt.Sprint(s.ops)
		return true, s.Found
	}
	return s.n > maxPerSecond, ""
}

// leases finds who goes on with a claim whose lease has lapsed, as nobody prolonged it in time. Operations count as they leave.
type leases struct {
	last  map[string]time.Time // by the attempt's token
	Found string               // what was seen first
}

// cut takes the token off the name of an operation.
func (l *leases) cut(op string) (name, token string) {
	parts := strings.SplitN(op, " ", 3)
	if parts[0] != "redis" || len(parts) < 3 {
		return op, ""
	}
	return parts[0] + " " + parts[1], parts[2]
}

// see takes note of an operation. The lock of the run is held.
func (l *leases) see(op, token string) {
	if token == "" {
		return
	}
	now := time.Now()
	last, known := l.last[token]
	if known && op != "redis claim" && now.Sub(last) > lease && l.Found == "" {
		l.Found = fmt.Sprintf("%s at %s, %s after the lease was taken or prolonged", op, now.UTC().Format("15:04:05.000"), now.Sub(last))
	}
	if l.last == nil {
		l.last = map[string]time.Time{}
	}
	l.last[token] = now
}
