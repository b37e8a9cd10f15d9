package main

import (
	"context"
	"fmt"
	"time"
)

// store measures what many events cost in memory and on the disk.
func store(ctx context.Context, b *bench) error {
	all, err := b.people(ctx, "store", 64, false)
	if err != nil {
		return err
	}
	before, err := b.disk(ctx)
	if err != nil {
		return err
	}
	l, err := b.send(ctx, all, time.Hour, b.events)
	if err != nil {
		return err
	}
	rss, err := b.rss()
	if err != nil {
		return err
	}
	b.report.add(result{Key: "fill_per_s", What: fmt.Sprintf("sends, 64 senders, until there are %d", l.sent), Value: float64(l.sent) / l.took.Seconds(), Unit: "/s"})
	b.report.add(result{Key: "rss_filled_mb", What: fmt.Sprintf("memory after %d events (RSS)", l.sent), Value: rss / 1e6, Unit: "MB"})
	after, err := b.disk(ctx)
	if err != nil {
		return err
	}
	b.report.add(result{Key: "disk_event_bytes", What: "disk, a message", Value: (after - before) / float64(l.sent), Unit: "bytes"})
	b.report.add(result{Key: "start_filled_ms", What: fmt.Sprintf("cold start with %d events", l.sent), Value: ms(b.StartTime), Unit: "ms", Target: 300})
	return nil
}
