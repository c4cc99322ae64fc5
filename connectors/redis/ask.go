package redis

import (
	"crypto/rand"
	"log/slog"
	"strings"
	"time"
)

// asked is the script's answer.
type asked struct {
	granted  [levels]int
	reason   string
	wait     time.Duration
	day      string
	dayReset time.Duration
	dayLevel int // the first that the day holds up; with day
	sent     time.Time
	received time.Time
	late     bool // it took so long, or time jumped: no grant of it is good
}

// anchor is what was last seen of the state and of Redis's clock.
type anchor struct {
	id             string
	sequence       int64
	now            int64 // Redis time, ms
	sent, received time.Time
	jumped         bool // to be told with the next question
}

// ask executes the script, never twice: a repeated question would be granted twice.
func (p *pump) ask(q question) (asked, error) {
	l := p.limits
	args := []any{
		rand.Text(), p.state.id, p.state.sequence, flag(p.state.jumped),
		l.limit(), millis(l.Window), l.slice(), l.capacity(), l.slots(), millis(l.SlotDeadline), p.b.replica, q.from,
	}
	for _, w := range q.want {
		args = append(args, w)
	}
	reset := int64(-1)
	if q.learnt.limit > 0 && q.learnt.reset >= 0 {
		reset = millis(max(0, q.learnt.reset-time.Since(q.learnt.resetAt)))
	}
	pause := millis(q.learnt.pause)
	args = append(args, 0, 0, 0, max(0, l.DayReserve), max(0, l.OperatorReserve),
		q.learnt.limit, q.learnt.remaining, reset, pause, q.learnt.reason, flag(q.learnt.empty),
		millis(turnStep), millis(poll), p.keys.budgetFree(), len(q.freed))
	for _, s := range q.freed {
		args = append(args, s)
	}
	for _, s := range q.unused {
		args = append(args, s)
	}
	keys := []string{p.keys.budget(), p.keys.budgetFlight(), p.keys.budgetWaiting(), p.keys.budgetTurns(), p.keys.epoch()}
	a := asked{sent: time.Now()}
	v, err := p.b.c.runOnce(p.b.c.closing, budgetScript, keys, args...)
	a.received = time.Now()
	if err != nil {
		if !p.away && p.b.c.closing.Err() == nil {
			p.b.c.logger.Warn("budget not reachable, no calls leave", slog.String("organization", p.org), slog.Any("error", err))
			p.away = true
		}
		return asked{}, err
	}
	if p.away {
		p.b.c.logger.Info("budget reachable again", slog.String("organization", p.org))
		p.away = false
	}
	for i := range a.granted {
		a.granted[i] = int(numberOf(v[3+i]))
	}
	a.reason, a.wait = textOf(v[8]), time.Duration(numberOf(v[9]))*time.Millisecond
	a.day, a.dayReset = textOf(v[10]), time.Duration(numberOf(v[11]))*time.Millisecond
	a.dayLevel = max(0, int(numberOf(v[12]))-1)
	a.late = a.received.Sub(a.sent) > l.Unused
	p.remember(&a, numberOf(v[0]), textOf(v[1]), numberOf(v[2]))
	return a, nil
}

// remember compares Redis's clock with the local monotonic one and keeps both. Between two questions they must have gone on equally, up to the time
// the questions took and a tolerance; else one of them jumped, and the window that was counted is not the one that Zoho saw.
func (p *pump) remember(a *asked, now int64, id string, sequence int64) {
	last := p.state
	p.state = anchor{id: id, sequence: sequence, now: now, sent: a.sent, received: a.received}
	if last.id == "" {
		return
	}
	went := time.Duration(now-last.now) * time.Millisecond
	least, most := a.sent.Sub(last.received), a.received.Sub(last.sent)
	tolerance := max(20*time.Millisecond, p.limits.Window/122) + most/1000
	if went < least-tolerance || went > most+tolerance {
		p.state.jumped = true
		a.late = true
		p.b.c.logger.Warn("redis clock jumped, no calls leave for one window", slog.String("organization", p.org), slog.Duration("went", went),
			slog.Duration("expected", least))
	}
}

// hear listens for slots that other replicas free. It is only a hint: until the subscription stands, polling does.
func (b *Budget) hear() {
	b.listen.Do(func() {
		b.c.background(func() {
			for retry := firstRetry; ; retry = min(2*retry, lastRetry) {
				_, err := b.c.subscribe(b.c.closing, freePattern, b.freed, func() {})
				if err == nil || b.c.closing.Err() != nil {
					return
				}
				b.c.logger.Warn("not told of free slots, polling instead", slog.Any("error", err))
				select {
				case <-time.After(retry):
				case <-b.c.closing.Done():
					return
				}
			}
		})
	})
}

// freed makes the organisation's pump ask at once.
func (b *Budget) freed(channel, replica string) {
	if replica == b.replica {
		return
	}
	org := strings.TrimSuffix(strings.TrimPrefix(channel, "booksync:{"), "}:budget:free")
	b.mu.Lock()
	p := b.pumps[org]
	b.mu.Unlock()
	if p != nil {
		p.hint()
	}
}
