package edge

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// trace begins the span of a request. What a client says of a trace that it belongs to is not believed: anybody could have
// everything traced.
func (e *Edge) trace(ctx context.Context, r *http.Request) (context.Context, trace.Span) {
	if e.o.Tracer == nil {
		return ctx, nil
	}
	return e.o.Tracer.Start(ctx, r.Method, trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attribute.String("http.request.method", r.Method), attribute.String("request.id", RequestID(ctx))))
}

// endSpan ends the span of a request; nil is none.
func endSpan(span trace.Span, status int) {
	if span == nil {
		return
	}
	span.SetAttributes(attribute.Int("http.response.status_code", status))
	if status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}

// NameSpan says which route a request has: the pattern, not the path, which names people and rooms.
func NameSpan(ctx context.Context, method, pattern string) {
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		span.SetName(method + " " + pattern)
		span.SetAttributes(attribute.String("http.route", pattern))
	}
}
