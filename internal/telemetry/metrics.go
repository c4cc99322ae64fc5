package telemetry

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// Attribute keys of booksync's own instruments.
const (
	keyWorkflow     = "workflow"
	keyOrganization = "organization"
	keyStatus       = "status"
	keyClass        = "class"
	keyTouched      = "touched"
	keyResult       = "result"
	keyResource     = "resource"
	keyMethod       = "method"
	keyCode         = "code"
	keyVendor       = "vendor"
	keyReason       = "reason"
	keyWindow       = "window"
	keyKind         = "kind"
	keyTopic        = "topic"
	keyPartition    = "partition"
)

// Metrics are all instruments of booksync. Methods are safe for concurrent use, never block, and do nothing on a nil receiver.
type Metrics struct {
	meter metric.Meter

	settled          metric.Int64Counter
	settleDuration   metric.Float64Histogram
	paymentsCompared metric.Int64Counter
	calls            metric.Int64Counter
	callDuration     metric.Float64Histogram
	budgetWait       metric.Float64Histogram
	inDoubt          metric.Int64Counter
	webhooks         metric.Int64Counter
	webhookLag       metric.Float64Histogram
	reconcileTime    metric.Float64Histogram
	reconcileFound   metric.Int64Counter

	consumed        metric.Int64Counter
	sent            metric.Int64Counter
	processDuration metric.Float64Histogram

	sets sync.Map // attribute sets by the values they are made of
}

// secondsBuckets are the boundaries of durations: from a Redis round trip to a day of waiting.
var secondsBuckets = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400}

func newMetrics(meter metric.Meter) (*Metrics, error) {
	m := &Metrics{meter: meter}
	var errs []error
	counter := func(name, unit, what string) metric.Int64Counter {
		c, err := meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(what))
		errs = append(errs, err)
		return c
	}
	seconds := func(name, what string) metric.Float64Histogram {
		h, err := meter.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(what), metric.WithExplicitBucketBoundaries(secondsBuckets...))
		errs = append(errs, err)
		return h
	}
	m.settled = counter("booksync.events.settled", "{event}", "Records that reached a verdict.")
	m.settleDuration = seconds("booksync.settle.duration", "From the event's own time to its verdict.")
	m.paymentsCompared = counter("booksync.payments.compared", "{payment}", "Payments as Zoho Books answered them, compared with their events.")
	m.calls = counter("booksync.books.calls", "{call}", "Calls of the Zoho Books API by their answer.")
	m.callDuration = seconds("booksync.books.call.duration", "Duration of calls of the Zoho Books API.")
	m.budgetWait = seconds("booksync.budget.wait", "Time that calls waited for the budget.")
	m.inDoubt = counter("booksync.claims.in_doubt", "{claim}", "Writes whose answer was unknown and that were looked up.")
	m.webhooks = counter("booksync.webhooks.received", "{webhook}", "Webhooks received by their result.")
	m.webhookLag = seconds("booksync.webhooks.lag", "From a webhook's own time to its arrival.")
	m.reconcileTime = seconds("booksync.reconciliation.duration", "Duration of reconciliations.")
	m.reconcileFound = counter("booksync.reconciliation.exceptions", "{exception}", "Exceptions that reconciliations found.")
	m.consumed = counter("messaging.client.consumed.messages", "{message}", "Records handed to the job.")
	m.sent = counter("messaging.client.sent.messages", "{message}", "Records published.")
	m.processDuration = seconds("messaging.process.duration", "Duration of one attempt at a record.")
	return m, errors.Join(errs...)
}

// set caches the attribute set of a comparable value, so that hot paths allocate nothing.
func (m *Metrics) set(of any, attrs func() []attribute.KeyValue) metric.MeasurementOption {
	if s, ok := m.sets.Load(of); ok {
		return s.(metric.MeasurementOption)
	}
	s := metric.WithAttributeSet(attribute.NewSet(attrs()...))
	m.sets.Store(of, s)
	return s
}

// Settled is a verdict that was published.
type Settled struct {
	Workflow, Organization string // empty when the record could not be decoded
	Status                 string // POSTED, DUPLICATE, REJECTED, ...
	Class                  string // of a REJECTED, such as rejected.totals; else empty
	Touched                bool   // a person had to replay, edit or discard it
}

// Settled counts a verdict; age is the time since the event's own time, negative when that is unknown.
func (m *Metrics) Settled(ctx context.Context, s Settled, age time.Duration) {
	if m == nil {
		return
	}
	m.settled.Add(ctx, 1, m.set(s, func() []attribute.KeyValue {
		return []attribute.KeyValue{attribute.String(keyWorkflow, s.Workflow), attribute.String(keyOrganization, s.Organization),
			attribute.String(keyStatus, s.Status), attribute.String(keyClass, s.Class), attribute.Bool(keyTouched, s.Touched)}
	}))
	if age < 0 {
		return
	}
	type short struct{ workflow, organization, status string }
	m.settleDuration.Record(ctx, age.Seconds(), m.set(short{s.Workflow, s.Organization, s.Status}, func() []attribute.KeyValue {
		return []attribute.KeyValue{attribute.String(keyWorkflow, s.Workflow), attribute.String(keyOrganization, s.Organization), attribute.String(keyStatus, s.Status)}
	}))
}

// PaymentResult says how a payment in Zoho Books compares with its event.
type PaymentResult string

// The results of comparing a payment, the first difference that is found.
const (
	PaymentMatch    PaymentResult = "match"
	PaymentAmount   PaymentResult = "amount"
	PaymentCurrency PaymentResult = "currency"
	PaymentStatus   PaymentResult = "status"
)

// PaymentCompared counts a comparison.
func (m *Metrics) PaymentCompared(ctx context.Context, organization string, result PaymentResult) {
	if m == nil {
		return
	}
	type key struct {
		organization string
		result       PaymentResult
	}
	m.paymentsCompared.Add(ctx, 1, m.set(key{organization, result}, func() []attribute.KeyValue {
		return []attribute.KeyValue{attribute.String(keyOrganization, organization), attribute.String(keyResult, string(result))}
	}))
}

// Call is one call of the Zoho Books API.
type Call struct {
	Organization string
	Resource     string // invoices, customerpayments, ...: the resource's name, never a path with an id
	Method       string // HTTP method
	Status       int    // HTTP status; 0 when no answer came
	Code         int    // Zoho's code; 0 is success, or none
}

// Call counts a call that took d after it had waited for the budget for waited.
func (m *Metrics) Call(ctx context.Context, c Call, d, waited time.Duration) {
	if m == nil {
		return
	}
	m.calls.Add(ctx, 1, m.set(c, func() []attribute.KeyValue {
		return []attribute.KeyValue{attribute.String(keyOrganization, c.Organization), attribute.String(keyResource, c.Resource),
			attribute.String(keyMethod, c.Method), attribute.String(keyStatus, strconv.Itoa(c.Status)), attribute.String(keyCode, strconv.Itoa(c.Code))}
	}))
	type short struct{ organization, resource, method string }
	m.callDuration.Record(ctx, d.Seconds(), m.set(short{c.Organization, c.Resource, c.Method}, func() []attribute.KeyValue {
		return []attribute.KeyValue{attribute.String(keyOrganization, c.Organization), attribute.String(keyResource, c.Resource), attribute.String(keyMethod, c.Method)}
	}))
	type org struct{ organization string }
	m.budgetWait.Record(ctx, waited.Seconds(), m.set(org{c.Organization}, func() []attribute.KeyValue {
		return []attribute.KeyValue{attribute.String(keyOrganization, c.Organization)}
	}))
}

// InDoubt counts a write that was looked up because its answer was unknown; result is found, absent or unknown.
func (m *Metrics) InDoubt(ctx context.Context, workflow, organization, result string) {
	if m != nil {
		m.inDoubt.Add(ctx, 1, metric.WithAttributes(attribute.String(keyWorkflow, workflow), attribute.String(keyOrganization, organization), attribute.String(keyResult, result)))
	}
}

// Webhook counts a webhook; lag is the time since its own time, negative when that is unknown.
func (m *Metrics) Webhook(ctx context.Context, vendor, result string, lag time.Duration) {
	if m == nil {
		return
	}
	m.webhooks.Add(ctx, 1, metric.WithAttributes(attribute.String(keyVendor, vendor), attribute.String(keyResult, result)))
	if lag >= 0 {
		m.webhookLag.Record(ctx, lag.Seconds(), metric.WithAttributes(attribute.String(keyVendor, vendor)))
	}
}

// Reconciled records a finished reconciliation and its exceptions by kind.
func (m *Metrics) Reconciled(ctx context.Context, organization string, d time.Duration, exceptions map[string]int) {
	if m == nil {
		return
	}
	m.reconcileTime.Record(ctx, d.Seconds(), metric.WithAttributes(attribute.String(keyOrganization, organization)))
	for kind, n := range exceptions {
		m.reconcileFound.Add(ctx, int64(n), metric.WithAttributes(attribute.String(keyOrganization, organization), attribute.String(keyKind, kind)))
	}
}

// Processed counts one attempt at a record of a topic that took d; errorType is empty, or says why the attempt ended without a verdict.
func (m *Metrics) Processed(ctx context.Context, topic, group, errorType string, d time.Duration) {
	if m == nil {
		return
	}
	type key struct{ topic, group, errorType string }
	m.processDuration.Record(ctx, d.Seconds(), m.set(key{topic, group, errorType}, func() []attribute.KeyValue {
		attrs := messaging("process", topic)
		attrs = append(attrs, semconv.MessagingConsumerGroupName(group))
		if errorType != "" {
			attrs = append(attrs, semconv.ErrorTypeKey.String(errorType))
		}
		return attrs
	}))
}

// Consumed counts a record that the engine handed over for the first time.
func (m *Metrics) Consumed(ctx context.Context, topic, group string) {
	if m == nil {
		return
	}
	type key struct{ topic, group string }
	m.consumed.Add(ctx, 1, m.set(key{topic, group}, func() []attribute.KeyValue {
		return append(messaging("poll", topic), semconv.MessagingConsumerGroupName(group))
	}))
}

// Sent counts n records published to a topic.
func (m *Metrics) Sent(ctx context.Context, topic string, n int) {
	if m == nil {
		return
	}
	type key struct{ topic string }
	m.sent.Add(ctx, int64(n), m.set(key{topic}, func() []attribute.KeyValue { return messaging("send", topic) }))
}

func messaging(operation, topic string) []attribute.KeyValue {
	return []attribute.KeyValue{semconv.MessagingSystemKafka, semconv.MessagingOperationName(operation), semconv.MessagingDestinationName(topic)}
}
