package telemetry

import (
	"context"
	"net/http"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Tracer starts booksync's spans. A nil Tracer starts spans that record nothing.
type Tracer struct{ tracer trace.Tracer }

// traceContext reads and writes W3C traceparent.
var traceContext propagation.TraceContext

// Record says which record a span is about.
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	Key       string
	Group     string
	Attempt   int
	// TraceParent is the value of the record's traceparent header; "" when it has none.
	TraceParent string
}

// Process starts the span of one attempt at a record, named "process <topic>", as a child of the record's own trace if it carries one.
// The caller ends it with [Span.End].
func (t *Tracer) Process(ctx context.Context, r Record) (context.Context, Span) {
	if t == nil {
		return ctx, Span{}
	}
	if r.TraceParent != "" {
		ctx = traceContext.Extract(ctx, propagation.MapCarrier{"traceparent": r.TraceParent})
	}
	ctx, s := t.tracer.Start(ctx, "process "+r.Topic, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		semconv.MessagingSystemKafka, semconv.MessagingOperationTypeProcess, semconv.MessagingOperationName("process"),
		semconv.MessagingDestinationName(r.Topic), semconv.MessagingDestinationPartitionID(strconv.Itoa(int(r.Partition))),
		semconv.MessagingKafkaOffset(int(r.Offset)), semconv.MessagingKafkaMessageKey(r.Key), semconv.MessagingConsumerGroupName(r.Group),
		attribute.Int("booksync.attempt", r.Attempt)))
	return ctx, Span{s}
}

// Call starts the span of one API call, named "METHOD resource".
func (t *Tracer) Call(ctx context.Context, method, resource, organization string) (context.Context, Span) {
	if t == nil {
		return ctx, Span{}
	}
	ctx, s := t.tracer.Start(ctx, method+" "+resource, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		semconv.HTTPRequestMethodKey.String(method), semconv.URLTemplate(resource), attribute.String("booksync.organization", organization)))
	return ctx, Span{s}
}

// Step starts the span of a step of the job, such as claim or settle.
func (t *Tracer) Step(ctx context.Context, name string) (context.Context, Span) {
	if t == nil {
		return ctx, Span{}
	}
	ctx, s := t.tracer.Start(ctx, name)
	return ctx, Span{s}
}

// Span is a started span; the zero value records nothing.
type Span struct{ span trace.Span }

// Text adds an attribute.
func (s Span) Text(key, value string) {
	if s.span != nil {
		s.span.SetAttributes(attribute.String(key, value))
	}
}

// Status adds the answer of an API call.
func (s Span) Status(httpStatus, code int) {
	if s.span == nil {
		return
	}
	s.span.SetAttributes(semconv.HTTPResponseStatusCode(httpStatus), attribute.Int("booksync.books.code", code))
	if httpStatus >= http.StatusBadRequest || code != 0 {
		s.span.SetStatus(codes.Error, "")
	}
}

// End ends the span; an error marks it failed.
func (s Span) End(err error) {
	if s.span == nil {
		return
	}
	if err != nil {
		s.span.RecordError(err)
		s.span.SetStatus(codes.Error, "")
	}
	s.span.End()
}

// TraceID is the id of ctx's trace in hexadecimal, "" without one.
func TraceID(ctx context.Context) string {
	if sc := trace.SpanContextFromContext(ctx); sc.HasTraceID() {
		return sc.TraceID().String()
	}
	return ""
}

// TraceParent is ctx's trace context as a traceparent header's value, "" without one.
func TraceParent(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	traceContext.Inject(ctx, carrier)
	return carrier["traceparent"]
}
