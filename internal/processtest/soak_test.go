package processtest

import (
	"os"
	"testing"
	"time"
)

// Terms of the soak: room for its rate, which is far above Zoho's, so that an hour holds as many orders as months do.
const (
	soakSeconds   = 90     // of the short form
	soakOrders    = 50_000 // an hour
	soakPerMinute = 6_000  // calls
	soakPerDay    = 10_000_000
	soakCustomers = 2_000
	soakSamples   = 60
	soakParts     = 2 // seconds of orders that are produced at a time
)

// TestSoak runs three processes under a steady load and looks at them a number of times: their memory and their goroutines
// must not grow, and what the budget counts must not drift from what arrives at Zoho. In the end the judge has its say.
func TestSoak(t *testing.T) {
	length, long := soakSeconds*time.Second, false
	if text := os.Getenv(envSoak); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatalf("%s: %v", envSoak, err)
		}
		long = length >= time.Hour
	}
	tools := findTools(t)
	begin := time.Now()
	w := newWorld(t, tools, build(t), seed(t), soakTerms(length, long))
	orders := int(soakOrders * length / time.Hour)
	parts := int(length / time.Second / soakParts)
	s := w.invent(t, seed(t), orders, soakCustomers, parts)
	watch := w.watch(t)
	for n := range 3 {
		w.start(t, n)
	}
	w.until(t, "three processes that consume", func() bool {
		for n := range w.processes {
			if w.said(t, n, "kafka partitions assigned") == nil {
				return false
			}
		}
		return true
	}, watch)

	load := time.Now()
	probe := w.probe(t)
	pace := newPace(load, length, parts, s.files)
	for next := load; ; {
		for _, file := range pace.due(time.Now()) {
			w.send(t, file)
		}
		if now := time.Now(); !now.Before(next) {
			probe.sample(t, now.Sub(load), watch.distinct())
			next = next.Add(length / soakSamples)
		}
		if pace.done() && time.Since(load) >= length {
			break
		}
		w.check(t, watch)
		wait := time.NewTimer(min(time.Until(next), time.Until(pace.next())))
		<-wait.C
	}
	produced := time.Since(load)
	// The machine may have been too slow for the rate: the backlog takes its time, and nothing else.
	w.settleAll(t, watch, len(s.want.Records))
	settled := time.Since(load)
	probe.settled(t, watch)
	w.stopAll(t)

	probe.judge(t, long)
	j := judgement{t: t, want: s.want, seen: w.read(t), ledger: w.ledger(t), calls: w.calls(t), terms: w.terms}
	j.records()
	j.books()
	j.limits()
	probe.report(t)
	t.Logf("%d orders with what belongs to them, %d records; produced within %v, the last outcome after %v", orders, len(s.want.Records),
		produced.Round(time.Second), settled.Round(time.Second))
	j.report(settled, time.Since(begin), 0)
}

// soakTerms are booksync's defaults, where the other runs shorten what they wait for.
func soakTerms(length time.Duration, long bool) terms {
	terms := terms{
		perMinute: soakPerMinute, perDay: soakPerDay, concurrency: 20, latency: 100 * time.Millisecond, jitter: 200 * time.Millisecond,
		settings: map[string]string{
			"KAFKA_SESSION_TIMEOUT": "10s", "CLAIMS_LEASE": "1m", "CLAIMS_RECHECK": "30s", "ZOHO_TIMEOUT": "30s", "ZOHO_SETTLE_DELAY": "5s",
			"ZOHO_WRITE_HORIZON": "5m", "ZOHO_PAUSE": "1m", "ZOHO_BACK_OFF": "1s", "ZOHO_BACK_OFF_LIMIT": "1m", "ZOHO_MARK_SENT_EVERY": "2s",
			"ORGANIZATIONS_DEMO_DEPENDENCY_DEADLINE": max(length/30, 20*time.Second).String(),
		},
	}
	if !long {
		// With booksync's own setting the heap grows to nine times what lives before it is collected: it takes a quarter of an hour
		// to level off.
		terms.system = []string{"GOGC=100"}
	}
	return terms
}

// pace says what is to be produced when.
type pace struct {
	begin time.Time
	step  time.Duration
	files []string
}

func newPace(begin time.Time, length time.Duration, parts int, files []string) *pace {
	return &pace{begin: begin, step: length / time.Duration(parts), files: files}
}

// due are the files of the parts whose time has come, each once.
func (p *pace) due(now time.Time) []string {
	var out []string
	for !p.done() && !now.Before(p.next()) {
		out, p.files = append(out, p.files[0]), p.files[1:]
	}
	return out
}

// next is when the next part's time comes; far away when there is none.
func (p *pace) next() time.Time {
	if p.done() {
		return p.begin.Add(1000 * time.Hour)
	}
	var n time.Duration
	for _, digit := range part(p.files[0]) {
		n = 10*n + time.Duration(digit-'0')
	}
	return p.begin.Add(n * p.step)
}

func (p *pace) done() bool { return len(p.files) == 0 }
