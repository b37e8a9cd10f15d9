package app

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/landbridge-im/landbridge/internal/tracing"
)

// tracingEnd bounds how long the end of the program waits for the collector of traces.
const tracingEnd = 3 * time.Second

// openTracing makes what sends traces, if the configuration wants it.
func (s *serving) openTracing(ctx context.Context) (err error) {
	c := s.cfg.Tracing
	if c.Endpoint == "" {
		return nil
	}
	headers := map[string]string{}
	if a := c.Authorization.Reveal(); a != "" {
		headers["Authorization"] = a
	}
	s.tracing, err = tracing.Open(ctx, tracing.Options{Endpoint: c.Endpoint, Headers: headers, Sample: c.Sample, Server: s.cfg.Server.Name,
		Version: s.std.build.Version, Log: s.log})
	return err
}

// tracer makes spans; nil: nothing is traced.
func (s *serving) tracer() trace.Tracer {
	if s.tracing == nil {
		return nil
	}
	return s.tracing.Tracer()
}

func (s *serving) closeTracing() {
	if s.tracing == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), tracingEnd)
	defer cancel()
	if err := s.tracing.Close(ctx); err != nil {
		s.log.Warn("the last traces are lost", "err", err)
	}
}
