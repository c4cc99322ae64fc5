package app

import (
	"context"
	"time"

	"github.com/booksync/booksync/connectors/kafka"
	"github.com/booksync/booksync/internal/telemetry"
	"github.com/booksync/booksync/processor"
	"github.com/booksync/booksync/schemas"
)

// handler gives the engine's records to the job, with a span and metrics around each attempt.
type handler struct {
	job       *processor.Processor
	telemetry *telemetry.Telemetry
	group     string
	// observe, if set, is told of every outcome that was published; for demo's progress.
	observe func(*schemas.Outcome)
	now     clock
}

// watched is a handler whose attempts the watchdog sees.
type watched struct {
	dog *watchdog
	kafka.Handler
}

// Handle implements kafka.Handler.
func (w watched) Handle(ctx context.Context, d *kafka.Delivery) kafka.Result {
	ctx, over := w.dog.attempt(ctx, d.Record.Topic, d.Record.Partition, d.Record.Offset)
	defer over()
	return w.Handler.Handle(ctx, d)
}

// Handle implements kafka.Handler.
func (h *handler) Handle(ctx context.Context, d *kafka.Delivery) kafka.Result {
	rec := d.Record
	ctx, span := h.telemetry.Tracer.Process(ctx, telemetry.Record{
		Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset, Key: string(rec.Key), Group: h.group, Attempt: d.Attempt,
		TraceParent: headerOf(d, "traceparent"),
	})
	defer span.End(nil)
	work, _ := d.State.(*processor.Work)
	mark, changes := splitMark(d.Resumed.Epoch)
	pd := &processor.Delivery{
		Record: rec, Attempt: d.Attempt, Leaving: d.Leaving(), Committed: d.Resumed.Committed, Epoch: mark, Changes: changes, End: d.Resumed.End,
		TraceID: telemetry.TraceID(ctx), Work: work,
	}
	if d.Attempt == 1 {
		h.telemetry.Metrics.Consumed(ctx, rec.Topic, h.group)
	}
	started := time.Now()
	v := h.job.Process(ctx, pd)
	d.State = pd.Work
	h.telemetry.Metrics.Processed(ctx, rec.Topic, h.group, unsettled(v), time.Since(started))
	switch {
	case v.Park != nil:
		span.Text("booksync.parked", v.Park.Reason)
		return kafka.Result{Park: &kafka.Park{Until: h.now.engine(v.Park.Until), Keys: v.Park.Keys, Reason: v.Park.Reason}}
	case v.Released:
		return kafka.Result{Released: true}
	}
	d.State = nil // the event may go before its outcome does
	result := kafka.Result{Publish: make([]kafka.Message, len(v.Publish))}
	traceParent := telemetry.TraceParent(ctx)
	for i, m := range v.Publish {
		result.Publish[i] = kafka.Message{Record: m.Record, TooLarge: m.TooLarge}
		if traceParent != "" {
			setHeader(m.Record, "traceparent", traceParent)
			setHeader(m.TooLarge, "traceparent", traceParent)
		}
	}
	if v.Outcome != nil {
		span.Text("booksync.status", string(v.Outcome.Status))
	}
	ctx = context.WithoutCancel(ctx)
	result.Published = func() { h.published(ctx, v) }
	return result
}

// unsettled says why an attempt ended without a verdict; "" when it has one.
func unsettled(v processor.Verdict) string {
	switch {
	case v.Park != nil:
		return v.Park.Reason
	case v.Released:
		return "released"
	}
	return ""
}

// published counts what a transaction made visible.
func (h *handler) published(ctx context.Context, v processor.Verdict) {
	for _, m := range v.Publish {
		h.telemetry.Metrics.Sent(ctx, m.Record.Topic, 1)
	}
	out := v.Outcome
	if out == nil {
		return // published before, as far as the counts go
	}
	s := telemetry.Settled{Workflow: out.Workflow, Organization: out.Organization, Status: string(out.Status), Touched: v.Touched}
	if out.Error != nil {
		s.Class = out.Error.Class
	}
	age := time.Duration(-1)
	if !v.OccurredAt.IsZero() {
		age = max(time.Since(v.OccurredAt), 0)
	}
	h.telemetry.Metrics.Settled(ctx, s, age)
	if h.observe != nil {
		h.observe(out)
	}
}
