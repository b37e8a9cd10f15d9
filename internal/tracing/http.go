package tracing

import (
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Transport makes spans of the requests of a client. name is what they are called, and server what the host of an address is
// called in them, nil if that is nobody's business. Nothing of the trace is told to that server. Without a tracer it is next.
func Transport(next http.RoundTripper, tracer trace.Tracer, name string, server func(host string) string) http.RoundTripper {
	if tracer == nil || next == nil {
		return next
	}
	return &transport{next, tracer, name, server}
}

type transport struct {
	next   http.RoundTripper
	tracer trace.Tracer
	name   string
	server func(string) string
}

var _ http.RoundTripper = (*transport)(nil)

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, span := t.tracer.Start(r.Context(), t.name, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attribute.String("http.request.method", r.Method)))
	defer span.End()
	if t.server != nil {
		span.SetAttributes(attribute.String("server.address", t.server(r.URL.Host)))
	}
	resp, err := t.next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		span.SetStatus(codes.Error, "no answer") // the error itself may name what is nobody's business
		return resp, err
	}
	span.SetAttributes(attribute.Int("http.response.status_code", resp.StatusCode))
	if resp.StatusCode >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, "")
	}
	return resp, nil
}

// CloseIdleConnections closes those of the transport that is wrapped.
func (t *transport) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
