// Package telemetry is how booksync can be watched: metrics, traces, logs, and the HTTP endpoints that serve health and metrics.
//
// [Setup] builds one meter provider that Prometheus scrapes, and, when an OTLP endpoint is configured, a tracer provider that
// exports there. [Metrics] holds every instrument with a method for each thing that can happen, so that names and attributes
// are spelled once; what OpenTelemetry's messaging conventions name is named so. Attributes are of low cardinality: workflows,
// organisations, statuses, classes, never a business id. [NewLogger] adds the trace's ids to every line. [Server] serves
// /healthz, /readyz and /metrics.
//
// Nothing here is global but the OpenTelemetry error handler, and nothing here knows booksync's other packages.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace/noop"
)

// scope names the instrumentation in metrics and traces.
const scope = "github.com/booksync/booksync"

// cardinalityLimit bounds the attribute sets of one instrument; what comes beyond is counted under otel.metric.overflow.
const cardinalityLimit = 2000

// Config says how the service names itself and where traces go. The zero value gives metrics without traces.
type Config struct {
	// ServiceName is service.name. Default booksync.
	ServiceName string
	// InstanceID is service.instance.id, such as the host's name. Default empty: not said.
	InstanceID string
	// Version is service.version. Default: [Version].
	Version string
	// OTLPEndpoint is the base URL of an OTLP/HTTP collector. Default empty: no traces.
	OTLPEndpoint string
	// OTLPHeaders are sent with every export; their values are secrets.
	OTLPHeaders map[string]string
	// SampleRatio is the part of the traces that are kept when the producer of a record has not decided. Default 0: none.
	SampleRatio float64
	// Logger hears about failing exports. Default: discarded.
	Logger *slog.Logger
}

// Telemetry is what a running service reports through.
type Telemetry struct {
	Metrics  *Metrics
	Tracer   *Tracer
	registry *prometheus.Registry
	shutdown []func(context.Context) error
}

// Setup builds the providers. It connects to nothing: a collector that is away is noticed, and logged, by the export.
func Setup(ctx context.Context, cfg Config) (*Telemetry, error) {
	if cfg.ServiceName == "" {
		cfg.ServiceName = "booksync"
	}
	if cfg.Version == "" {
		cfg.Version = Version()
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	attrs := resource.NewSchemaless(semconv.ServiceName(cfg.ServiceName), semconv.ServiceVersion(cfg.Version))
	if cfg.InstanceID != "" {
		attrs, _ = resource.Merge(attrs, resource.NewSchemaless(semconv.ServiceInstanceID(cfg.InstanceID))) // schemaless ones do not conflict
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { cfg.Logger.Warn("telemetry export failing", "error", err) }))

	t := &Telemetry{registry: prometheus.NewRegistry()}
	t.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	exporter, err := otelprom.New(otelprom.WithRegisterer(t.registry))
	if err != nil {
		return nil, fmt.Errorf("building the Prometheus exporter: %w", err)
	}
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter), sdkmetric.WithResource(attrs), sdkmetric.WithCardinalityLimit(cardinalityLimit))
	t.shutdown = append(t.shutdown, meters.Shutdown)
	if t.Metrics, err = newMetrics(meters.Meter(scope)); err != nil {
		return nil, fmt.Errorf("building the instruments: %w", err)
	}

	t.Tracer = &Tracer{tracer: noop.NewTracerProvider().Tracer(scope)}
	if cfg.OTLPEndpoint != "" {
		spans, err := otlptracehttp.New(ctx,
			otlptracehttp.WithEndpointURL(strings.TrimRight(cfg.OTLPEndpoint, "/")+"/v1/traces"), otlptracehttp.WithHeaders(cfg.OTLPHeaders),
			otlptracehttp.WithHTTPClient(exportClient()))
		if err != nil {
			return nil, fmt.Errorf("building the OTLP exporter: %w", err)
		}
		tracers := sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans), sdktrace.WithResource(attrs),
			sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(cfg.SampleRatio))))
		t.shutdown = append(t.shutdown, tracers.Shutdown)
		t.Tracer.tracer = tracers.Tracer(scope)
	}
	return t, nil
}

// exportTimeout bounds one export, as OpenTelemetry's default does.
const exportTimeout = 10 * time.Second

// exportClient follows no redirect: the headers are secrets, and a collector does not move.
func exportClient() *http.Client {
	return &http.Client{Timeout: exportTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// Handler serves the metrics in Prometheus' formats.
func (t *Telemetry) Handler() http.Handler {
	return promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{Registry: t.registry, EnableOpenMetrics: true, Timeout: 10 * time.Second})
}

// Registry is where further collectors can be registered.
func (t *Telemetry) Registry() *prometheus.Registry { return t.registry }

// Shutdown exports what is left, for as long as ctx allows.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	errs := make([]error, 0, len(t.shutdown))
	for _, stop := range t.shutdown {
		errs = append(errs, stop(ctx))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("stopping telemetry: %w", err)
	}
	return nil
}

// ParseHeaders reads name=value pairs, comma-separated, as OTEL_EXPORTER_OTLP_HEADERS has them. The error names no value.
func ParseHeaders(text string) (map[string]string, error) {
	headers := map[string]string{}
	for pair := range strings.SplitSeq(text, ",") {
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, errors.New("want name=value pairs, comma-separated")
		}
		headers[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	return headers, nil
}
