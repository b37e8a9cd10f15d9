package tracing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Options say what is sent where.
type Options struct {
	// Endpoint is the address of the collector (OTLP over HTTP), http://127.0.0.1:4318 say; /v1/traces is added.
	Endpoint string
	// Headers are sent along, to authenticate.
	Headers map[string]string
	// Sample is the share of traces that are sent, from 0 to 1.
	Sample float64
	// Server is the name of the server, and Version that of the program.
	Server, Version string
	Log             *slog.Logger
}

// Tracing sends traces in the background. What a collector can't take is dropped: nothing waits for it.
type Tracing struct {
	provider *sdk.TracerProvider
}

// Open makes a Tracing, without calling the collector yet.
func Open(ctx context.Context, o Options) (*Tracing, error) {
	e, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(o.Endpoint+"/v1/traces"), otlptracehttp.WithHeaders(o.Headers))
	if err != nil {
		return nil, fmt.Errorf("opening the collector of traces: %w", err)
	}
	what := resource.NewSchemaless(attribute.String("service.name", "landbridge"), attribute.String("service.version", o.Version),
		attribute.String("service.instance.id", o.Server))
	return &Tracing{sdk.NewTracerProvider(sdk.WithBatcher(&exporter{SpanExporter: e, log: o.Log}), sdk.WithResource(what),
		sdk.WithSampler(sdk.ParentBased(sdk.TraceIDRatioBased(o.Sample))))}, nil
}

// Tracer makes spans.
func (t *Tracing) Tracer() trace.Tracer {
	return t.provider.Tracer("github.com/landbridge-im/landbridge")
}

// Close sends what is left, for as long as ctx allows.
func (t *Tracing) Close(ctx context.Context) error {
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("sending the last traces: %w", err)
	}
	return nil
}

// complainEvery is how often it is said that the collector takes nothing.
const complainEvery = 5 * time.Minute

// exporter says in the log, now and then, that the collector takes nothing.
type exporter struct {
	sdk.SpanExporter
	log  *slog.Logger
	said atomic.Int64 // when, in nanoseconds
}

// ExportSpans implements sdk.SpanExporter. Its failures end here.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	if err == nil || errors.Is(err, context.Canceled) {
		return nil
	}
	now, last := time.Now().UnixNano(), e.said.Load()
	if now-last > int64(complainEvery) && e.said.CompareAndSwap(last, now) {
		e.log.WarnContext(ctx, "traces are lost: the collector does not take them", "spans", len(spans), "err", err)
	}
	return nil
}
