package console

import (
	"context"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Spans of samples, in seconds, and how long each is kept: a few thousand rows for each series.
const (
	minute = 60
	hour   = 3600
	day    = 24 * hour

	keepMinutes = 2 * day
	keepHours   = 400 * day
)

// Run measures, once a minute, until ctx ends. From then on nobody follows the log any more. It is
// called once.
func (c *Console) Run(ctx context.Context) error {
	defer close(c.ended)
	tick := time.NewTicker(minute * time.Second)
	defer tick.Stop()
	last := map[string]float64{}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := c.sample(ctx, last); err != nil && ctx.Err() == nil {
				c.o.Log.ErrorContext(ctx, "measuring for the charts", "err", err)
			}
		}
	}
}

// sample measures everything once. last has what counters stood at before.
func (c *Console) sample(ctx context.Context, last map[string]float64) error {
	values, err := c.measure(last)
	if err != nil {
		return err
	}
	now := c.o.Now().Unix()
	ts := now - now%minute
	list := make([]store.Sample, 0, len(values))
	for name, v := range values {
		list = append(list, store.Sample{Series: name, TS: ts, Value: v})
	}
	if err := c.o.Store.Write(ctx, func(t *store.Tx) error { return t.AddSamples(minute, list, ts-keepMinutes) }); err != nil {
		return err
	}
	if ts%hour != 0 {
		return nil
	}
	hourly, err := c.o.Store.MeanSamples(ctx, minute, ts-hour, ts)
	if err != nil {
		return err
	}
	return c.o.Store.Write(ctx, func(t *store.Tx) error { return t.AddSamples(hour, hourly, ts-keepHours) })
}

// seriesMax bounds how many series there are.
const seriesMax = 200

// measure reads what the charts show. Counters become what they grew since the last time.
func (c *Console) measure(last map[string]float64) (map[string]float64, error) {
	families, err := c.o.Metrics.Gather()
	if err != nil {
		return nil, err
	}
	out := map[string]float64{}
	grown := func(name string, now float64) (float64, bool) {
		before, known := last[name]
		last[name] = now
		return max(now-before, 0), known
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			id := label(m, "bridge")
			switch f.GetName() {
			case "process_resident_memory_bytes":
				out["memory/resident"] = m.GetGauge().GetValue()
			case "go_memstats_heap_inuse_bytes":
				out["memory/heap"] = m.GetGauge().GetValue()
			case "landbridge_homeserver_writes_total":
				if n, ok := grown("writes", m.GetCounter().GetValue()); ok {
					out["writes/all"] = n
				}
			case "landbridge_bridge_events_total":
				name := id + " " + strings.ReplaceAll(label(m, "direction"), "_", " ")
				if n, ok := grown(name+label(m, "result"), m.GetCounter().GetValue()); ok {
					out["messages/"+name] += n
				}
			case "landbridge_bridge_event_seconds":
				h := m.GetHistogram()
				sum, ok := grown("sum "+id, h.GetSampleSum())
				count, _ := grown("count "+id, float64(h.GetSampleCount()))
				if ok && count > 0 {
					out["latency/"+id] = sum / count * 1000
				}
			case "landbridge_bridge_inbox_items":
				out["queue/"+id] = m.GetGauge().GetValue()
			case "landbridge_homeserver_service_behind":
				out["queue/"+label(m, "service")+" behind"] = m.GetGauge().GetValue()
			}
			if len(out) >= seriesMax {
				return out, nil
			}
		}
	}
	if claimed, err := c.o.Store.TieCounts(context.Background()); err == nil {
		for service, n := range claimed {
			out["claims/"+service] = float64(n)
		}
	}
	for _, a := range c.sampledDisk() {
		out["disk/"+a.Name] = float64(a.Bytes)
	}
	return out, nil
}

func (c *Console) sampledDisk() []amount {
	list, _, err := c.diskUse()
	if err != nil {
		return nil
	}
	return list
}
