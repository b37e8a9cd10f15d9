package store

import (
	"context"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// traced makes a span of a write, from when it is queued to when it is durable, where the caller is traced.
func traced(ctx context.Context, done func(error)) func(error) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return done
	}
	_, span := parent.TracerProvider().Tracer("github.com/landbridge-im/landbridge/homeserver/store").Start(ctx, "write")
	return func(err error) {
		if err != nil {
			span.SetStatus(codes.Error, "")
		}
		span.End()
		done(err)
	}
}
