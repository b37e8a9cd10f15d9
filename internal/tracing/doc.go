// Package tracing sends what the server does, as OpenTelemetry traces, to a collector. What is traced is said where it is
// done, with go.opentelemetry.io/otel/trace alone; here is what needs the rest of OpenTelemetry, and what several places
// would write alike. Spans name routes, methods, statuses and servers: no user, no room, no content.
package tracing
