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
	pd := &processor.Delivery{
		Record: rec, Attempt: d.Attempt, Leaving: d.Leaving(), Committed: d.Resumed.Committed, Epoch: d.Resumed.Epoch, End: d.Resumed.End,
		TraceID: telemetry.TraceID(ctx), Work: work,
	}
	v := h.job.Process(ctx, pd)
	d.State = pd.Work
	switch {
	case v.Park != nil:
		span.Text("booksync.parked", v.Park.Reason)
		return kafka.Result{Park: &kafka.Park{Until: v.Park.Until, Keys: v.Park.Keys, Reason: v.Park.Reason}}
	case v.Released:
		return kafka.Result{Released: true}
	}
	result := kafka.Result{Publish: make([]kafka.Message, len(v.Publish))}
	traceParent := telemetry.TraceParent(ctx)
	for i, m := range v.Publish {
		result.Publish[i] = kafka.Message{Record: m.Record, TooLarge: m.TooLarge}
		if traceParent != "" {
			setHeader(m.Record, "traceparent", traceParent)
			setHeader(m.TooLarge, "traceparent", traceParent)
		}
	}
	if out := v.Outcome; out != nil {
		span.Text("booksync.status", string(out.Status))
		age := time.Duration(-1)
		if at := v.OccurredAt; !at.IsZero() {
			age = max(time.Since(at), 0)
		}
		ctx = context.WithoutCancel(ctx)
		result.Published = func() { h.published(ctx, out, age, v.Touched) }
	}
	return result
}

func (h *handler) published(ctx context.Context, out *schemas.Outcome, age time.Duration, touched bool) {
	s := telemetry.Settled{Workflow: out.Workflow, Organization: out.Organization, Status: string(out.Status), Touched: touched}
	if out.Error != nil {
		s.Class = out.Error.Class
	}
	h.telemetry.Metrics.Settled(ctx, s, age)
	if h.observe != nil {
		h.observe(out)
	}
}
