package processor

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/booksync/booksync/connectors/zohobooks"
)

// outagesToOpen is how many outages in a row, without a success between them, open the circuit.
const outagesToOpen = 5

// gate knows whether an organisation can be worked for: not while it's paused (limits, quota, credentials), nor while
// Zoho Books is down. A circuit that is open is probed with a cheap GET, never with a record.
type gate struct {
	books      Books
	clock      Clock
	key        string // wakes those who wait for the circuit
	wake       func(keys ...string)
	background func(func(context.Context)) // runs the probe until the job closes
	delay      time.Duration               // of the first probe; doubles up to a minute
	recheck    time.Duration               // how often a parked record looks whether the circuit is closed

	mu          sync.Mutex
	pausedUntil time.Time
	pauseReason string
	reserved    map[zohobooks.Class]time.Time // until when what is left of the day is not for this class
	outages     int
	circuitOpen bool
	writes      int64 // successful writes
}

// open says whether nothing holds work up: no pause, no lack of quota, no circuit.
func (g *gate) open() bool {
	return g.park(zohobooks.ClassOrder) == nil
}

// park is nil when work of this class may go on, else until when to park, and why.
func (g *gate) park(class zohobooks.Class) *Park {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.clock.Now()
	switch {
	case g.circuitOpen:
		return &Park{Until: now.Add(g.recheck), Reason: parkCircuit, Keys: []string{g.key}}
	case now.Before(g.pausedUntil):
		return &Park{Until: g.pausedUntil, Reason: parkPaused}
	case now.Before(g.reserved[class]):
		return &Park{Until: g.reserved[class], Reason: parkReserve}
	}
	return nil
}

// reserve holds one class's work until then: what is left of the day's quota is kept for others.
func (g *gate) reserve(class zohobooks.Class, until time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.reserved == nil {
		g.reserved = make(map[zohobooks.Class]time.Time)
	}
	g.reserved[class] = until
}

// pause holds the organisation's work until then; it never shortens a pause.
func (g *gate) pause(until time.Time, reason string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if until.After(g.pausedUntil) {
		g.pausedUntil, g.pauseReason = until, reason
	}
}

// answered tells that Zoho answered; wrote, that it was a write that succeeded.
func (g *gate) answered(wrote bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.outages = 0
	if wrote {
		g.writes++
	}
}

// successes counts the organisation's successful writes.
func (g *gate) successes() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.writes
}

// outage tells that a call found Zoho down. The one that opens the circuit starts the probe.
func (g *gate) outage() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.outages++
	if g.circuitOpen || g.outages < outagesToOpen {
		return
	}
	g.circuitOpen = true
	g.background(g.probe)
}

// probe asks for the organisation until Zoho answers, then closes the circuit and wakes those who wait.
func (g *gate) probe(ctx context.Context) {
	ctx = zohobooks.WithClass(ctx, zohobooks.ClassProbe)
	for n := 0; ; n++ {
		timer := time.NewTimer(backOff(g.delay, time.Minute, n))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		// What keeps the probe itself from being made (the budget, a pause) says nothing of Zoho.
		var notMade *zohobooks.BudgetError
		if _, err := g.books.Organization(ctx); err == nil || !zohobooks.Verdict(err).Outage && !errors.As(err, &notMade) {
			break
		}
	}
	g.mu.Lock()
	g.circuitOpen, g.outages = false, 0
	g.mu.Unlock()
	g.wake(g.key)
}

// GateState says whether an organisation is worked for.
type GateState struct {
	CircuitOpen bool
	PausedUntil time.Time // zero when it's not paused
	PauseReason string
}

// Gates are the organisations' gates by name.
func (p *Processor) Gates() map[string]GateState {
	out := make(map[string]GateState, len(p.tenants))
	for name, t := range p.tenants {
		out[name] = t.gate.state()
	}
	return out
}

func (g *gate) state() GateState {
	g.mu.Lock()
	defer g.mu.Unlock()
	st := GateState{CircuitOpen: g.circuitOpen}
	if g.clock.Now().Before(g.pausedUntil) {
		st.PausedUntil, st.PauseReason = g.pausedUntil, g.pauseReason
	}
	return st
}
