package torture

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"text/tabwriter"
	"time"

	"github.com/booksync/booksync/internal/torture/judge"
	"github.com/booksync/booksync/internal/torture/tale"
)

// DayOptions are one seller's day: so many orders at so many calls a day.
type DayOptions struct {
	Orders, Quota int
	Seed          int64
}

// Day is what became of a seller's day at its end, 24 hours after the company's midnight. Nothing fails on this day.
type Day struct {
	Orders int `json:"orders"`
	Quota  int `json:"quota"`
	Calls  int `json:"calls"` // spent
	// Settled and Sent are events by workflow.
	Settled map[string]int `json:"settled"`
	Sent    map[string]int `json:"sent"`
	// Noon and Evening are the orders settled of those sent until 12:00 and 18:00.
	Noon    [2]int `json:"orders_noon"`
	Evening [2]int `json:"orders_evening"`
	// Stop is when orders began to wait: the first one that waited for more than ten minutes; "" when none did.
	Stop string `json:"orders_wait_from,omitempty"`
	// Behind are payments and refunds settled that came after Stop: what the reserve was kept for.
	Behind int `json:"payments_and_refunds_after"`
	// Stuck are payments and refunds not settled although their order is.
	Stuck int `json:"payments_and_refunds_waiting"`
	// Typical is the time from event to outcome of half of all that were settled.
	Typical time.Duration `json:"typical_ns"`
	Seconds float64       `json:"seconds"` // real
}

// RunDay plays a seller's day in simulated time. It blocks until the day is over; when ctx ends it is nil.
func RunDay(ctx context.Context, o DayOptions) (day *Day, err error) {
	began := time.Now()
	synctest.Test(&testing.T{}, func(*testing.T) { day, err = playDay(ctx, o) })
	if err != nil || ctx.Err() != nil {
		return nil, err
	}
	day.Seconds = time.Since(began).Seconds()
	return day, nil
}

// dayRecheck is how often what waits asks again unless it's woken. Nothing goes wrong on this day, so that everything is woken; and
// thousands of payments wait for their orders, for hours: asking twice a minute, as they do by default, takes most of the time.
const dayRecheck = 10 * time.Minute

// midnight is when the day begins in New York.
var midnight = time.Date(2026, 3, 10, 4, 0, 0, 0, time.UTC)

func playDay(interrupt context.Context, o DayOptions) (*Day, error) {
	x := &run{
		plan: &plan{
			replicas: 1, protocol: "classic", start: midnight.Add(-5 * time.Second), perMinute: perMinute, perDay: o.Quota, ageEvery: ageDayEvery,
			skews: make([]time.Duration, 1),
		},
		history: &history{level: slog.LevelError}, faults: map[string]int{}, ops: map[string]int{}, flying: map[*conn]string{},
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	x.ctx = ctx
	pause(ctx, time.Until(x.plan.start))
	w, err := newWorld(o.Seed, x.plan)
	if err != nil {
		return nil, err
	}
	defer w.close()
	w.cfg.Claims.Recheck = dayRecheck
	x.w, x.tale = w, tale.Day(o.Seed, tale.Options{Orders: o.Orders, Begin: midnight})
	x.reader = &judge.Collector{Connect: w.client, Topics: w.cfg.Topics, Group: w.cfg.Kafka.Group, Codec: w.codec}
	if err := x.reader.Start(); err != nil {
		return nil, err
	}
	defer x.reader.Stop()
	x.sender = &tale.Sender{Tale: x.tale, Connect: w.client, Topics: w.cfg.Topics, Codec: w.codec, Begin: midnight, Settled: x.reader.Settled}
	r := &replica{x: x, n: 1}
	r.start()
	producing := make(chan error, 1)
	go func() { producing <- x.sender.Run(ctx) }()
	until(ctx, time.Until(midnight.Add(24*time.Hour)), func() bool { return interrupt.Err() != nil })
	cancel()
	err = <-producing
	day := x.day(o)
	r.stop()
	x.alive.Wait()
	return day, err
}

// patienceOfOrders is how long an order may take before it counts as waiting.
const patienceOfOrders = 10 * time.Minute

// day adds up what was sent and settled until now.
func (x *run) day(o DayOptions) *Day {
	d := &Day{Orders: o.Orders, Quota: o.Quota, Calls: x.w.sim.Calls(tale.ZohoID).Total, Settled: map[string]int{}, Sent: map[string]int{}}
	var took []time.Duration
	stop := 24 * time.Hour
	settled := map[*tale.Story]bool{}
	for _, e := range x.tale.Emissions {
		out, ok := x.reader.Outcome(e.Where)
		if e.Workflow != "order" || !e.Sent {
			continue
		}
		settled[e.Story] = ok
		if at := e.At; at < stop && (!ok || out.Seen.Sub(midnight.Add(at)) > patienceOfOrders) {
			stop = at
		}
	}
	for _, e := range x.tale.Emissions {
		d.Sent[e.Workflow]++
		out, ok := x.reader.Outcome(e.Where)
		ok = ok && e.Sent
		at := midnight.Add(e.At)
		if e.Workflow == "order" {
			for _, part := range []struct {
				until time.Duration
				count *[2]int
			}{{12 * time.Hour, &d.Noon}, {18 * time.Hour, &d.Evening}} {
				if e.At < part.until {
					part.count[1]++
					if ok && out.Seen.Before(midnight.Add(part.until)) {
						part.count[0]++
					}
				}
			}
		}
		switch {
		case ok:
			d.Settled[e.Workflow]++
			took = append(took, out.Seen.Sub(at))
			if e.Workflow != "order" && e.At > stop {
				d.Behind++
			}
		case e.Workflow != "order" && settled[e.Story]:
			d.Stuck++
		}
	}
	if stop < 24*time.Hour {
		d.Stop = time.Time{}.Add(stop).Format("15:04")
	}
	if slices.Sort(took); len(took) > 0 {
		d.Typical = took[len(took)/2]
	}
	return d
}

// PrintDays writes a table, as Markdown has it.
func PrintDays(w io.Writer, days []*Day) error {
	t := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	_, _ = fmt.Fprintln(t, "| orders\t| calls a day\t| spent\t| orders by 12:00\t| by 18:00\t| by 24:00\t| orders wait from\t| payments\t| refunds\t| of them after that\t| typical\t|")
	_, _ = fmt.Fprintln(t, "| ---\t| ---\t| ---\t| ---\t| ---\t| ---\t| ---\t| ---\t| ---\t| ---\t| ---\t|")
	for _, d := range days {
		stop := d.Stop
		if stop == "" {
			stop = "-"
		}
		of := func(workflow string) string { return fmt.Sprintf("%d of %d", d.Settled[workflow], d.Sent[workflow]) }
		_, _ = fmt.Fprintf(t, "| %d\t| %d\t| %d\t| %d of %d\t| %d of %d\t| %s\t| %s\t| %s\t| %s\t| %d\t| %.1f s\t|\n", d.Orders, d.Quota, d.Calls,
			d.Noon[0], d.Noon[1], d.Evening[0], d.Evening[1], of("order"), stop, of("payment"), of("refund"), d.Behind, d.Typical.Seconds())
	}
	return t.Flush()
}
