package bench

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// arrivals notes when calls of the API reached the server, and which were refused for a limit.
type arrivals struct {
	mu      sync.Mutex
	at      []time.Time
	posted  time.Time // when the first invoice was asked for
	refused int
}

// before puts the notes in front of a handler.
func (a *arrivals) before(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/books/") {
			h.ServeHTTP(w, r)
			return
		}
		a.mu.Lock()
		now := time.Now()
		a.at = append(a.at, now)
		if a.posted.IsZero() && r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/invoices") {
			a.posted = now
		}
		a.mu.Unlock()
		h.ServeHTTP(&watched{w, a}, r)
	})
}

type watched struct {
	http.ResponseWriter
	a *arrivals
}

// WriteHeader counts refusals.
func (w *watched) WriteHeader(status int) {
	if status == http.StatusTooManyRequests {
		w.a.mu.Lock()
		w.a.refused++
		w.a.mu.Unlock()
	}
	w.ResponseWriter.WriteHeader(status)
}

// all are the arrivals so far, in order, and the number of refusals.
func (a *arrivals) all() ([]time.Time, int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	at := slices.Clone(a.at)
	slices.SortFunc(at, time.Time.Compare)
	return at, a.refused
}

// begun is when the first invoice was asked for, after the service had read the organisation and joined the group.
func (a *arrivals) begun() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.posted
}

// between is how many calls arrived in a stretch of time.
func between(at []time.Time, from, to time.Time) int {
	n := 0
	for _, t := range at {
		if !t.Before(from) && t.Before(to) {
			n++
		}
	}
	return n
}

// most is the largest number of arrivals in any stretch of this length.
func most(at []time.Time, window time.Duration) int {
	largest, first := 0, 0
	for i, t := range at {
		for t.Sub(at[first]) >= window {
			first++
		}
		largest = max(largest, i-first+1)
	}
	return largest
}
