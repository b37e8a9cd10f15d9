package main

import (
	"context"
	"time"
)

// start measures the start and what an idle server needs.
func start(ctx context.Context, b *bench) error {
	b.report.add(result{Key: "start_first_ms", What: "first start, process to first answer, makes the database", Value: ms(b.StartTime), Unit: "ms", Target: 300})
	var times []time.Duration
	for range 11 {
		if err := b.Restart(ctx); err != nil {
			return err
		}
		times = append(times, b.StartTime)
	}
	b.report.add(result{Key: "start_ms", What: "cold start, process to first answer, p50 of 11", Value: ms(percentile(times, 50)), Unit: "ms", Target: 300})
	select {
	case <-time.After(2 * time.Second): // what the start left over is collected
	case <-ctx.Done():
		return ctx.Err()
	}
	rss, err := b.rss()
	if err != nil {
		return err
	}
	b.report.add(result{Key: "rss_idle_mb", What: "memory, idle (RSS)", Value: rss / 1e6, Unit: "MB", Target: 60})
	return nil
}
