package appservice

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"maunium.net/go/mautrix/bridgev2/status"
	"maunium.net/go/mautrix/id"
)

// metrics are the host's collectors. Every one has the label "bridge".
type metrics struct {
	events   *prometheus.CounterVec   // bridge, direction, result
	latency  *prometheus.HistogramVec // bridge
	errors   *prometheus.CounterVec   // bridge, kind
	restarts *prometheus.CounterVec   // bridge
	requests *prometheus.CounterVec   // bridge, code
	duration *prometheus.HistogramVec // bridge
}

func newMetrics() *metrics {
	const ns, sub = "landbridge", "bridge"
	return &metrics{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: ns, Subsystem: sub, Name: "events_total",
			Help: "Events that were bridged, by direction (to_remote, to_matrix) and result (ok, pending, failed, dropped)."}, []string{"bridge", "direction", "result"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: ns, Subsystem: sub, Name: "event_seconds",
			Help:    "Time from the homeserver's hand-over of an event to its effects being committed.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}}, []string{"bridge"}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: ns, Subsystem: sub, Name: "errors_total",
			Help: "Errors, by kind (start, panic, content, inbox, alias, permission, invite, checkpoint, log)."}, []string{"bridge", "kind"}),
		restarts: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: ns, Subsystem: sub, Name: "restarts_total",
			Help: "Starts after a failure."}, []string{"bridge"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: ns, Subsystem: sub, Name: "homeserver_requests_total",
			Help: "Requests to the homeserver, by status code or 'error'."}, []string{"bridge", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: ns, Subsystem: sub, Name: "homeserver_request_seconds",
			Help:    "Time until the homeserver began to answer.",
			Buckets: prometheus.ExponentialBuckets(.0005, 4, 9)}, []string{"bridge"}),
	}
}

func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.events, m.latency, m.errors, m.restarts, m.requests, m.duration}
}

// of returns the metrics of one instance.
func (m *metrics) of(id string) *instanceMetrics {
	return &instanceMetrics{m: m, id: id, traffic: newTraffic()}
}

// forget drops what was counted for an instance that is removed.
func (m *metrics) forget(id string) {
	match := prometheus.Labels{"bridge": id}
	for _, vec := range []interface {
		DeletePartialMatch(prometheus.Labels) int
	}{m.events, m.latency, m.errors, m.restarts, m.requests, m.duration} {
		vec.DeletePartialMatch(match)
	}
}

type instanceMetrics struct {
	m       *metrics
	id      string
	traffic *traffic
}

func (im *instanceMetrics) toRemote(result string) {
	im.m.events.WithLabelValues(im.id, "to_remote", result).Inc()
}

func (im *instanceMetrics) toMatrix(result string) {
	im.m.events.WithLabelValues(im.id, "to_matrix", result).Inc()
}

func (im *instanceMetrics) dropped()           { im.toRemote("dropped") }
func (im *instanceMetrics) failed(kind string) { im.m.errors.WithLabelValues(im.id, kind).Inc() }
func (im *instanceMetrics) restarted()         { im.m.restarts.WithLabelValues(im.id).Inc() }
func (im *instanceMetrics) handled(d time.Duration) {
	im.m.latency.WithLabelValues(im.id).Observe(d.Seconds())
}

// countedTransport counts the requests of a bridge to its homeserver.
type countedTransport struct {
	next    http.RoundTripper
	metrics *instanceMetrics
}

var _ http.RoundTripper = (*countedTransport)(nil)

// RoundTrip implements http.RoundTripper.
func (t *countedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	begin := time.Now()
	resp, err := t.next.RoundTrip(req)
	t.metrics.m.duration.WithLabelValues(t.metrics.id).Observe(time.Since(begin).Seconds())
	code, result := "error", "failed"
	if err == nil {
		code = strconv.Itoa(resp.StatusCode)
		if resp.StatusCode < 300 {
			result = "ok"
		}
	}
	t.metrics.m.requests.WithLabelValues(t.metrics.id, code).Inc()
	if req.Method == http.MethodPut && strings.Contains(req.URL.Path, "/rooms/") && strings.Contains(req.URL.Path, "/send/") {
		t.metrics.toMatrix(result)
		_, rest, _ := strings.Cut(req.URL.Path, "/rooms/")
		room, _, _ := strings.Cut(rest, "/")
		t.metrics.traffic.toMatrix(id.RoomID(room), result == "ok")
	}
	return resp, err
}

// hostCollector reports what the host knows at the time it is asked.
type hostCollector struct {
	host    *Host
	up      *prometheus.Desc
	waiting *prometheus.Desc
	login   *prometheus.Desc
	dead    *prometheus.Desc
	portal  *prometheus.Desc
	latency *prometheus.Desc
	queue   *prometheus.Desc
}

var _ prometheus.Collector = (*hostCollector)(nil)

func newHostCollector(h *Host) *hostCollector {
	return &hostCollector{host: h,
		up:      prometheus.NewDesc("landbridge_bridge_up", "Whether the bridge runs.", []string{"bridge", "module"}, nil),
		waiting: prometheus.NewDesc("landbridge_bridge_inbox_items", "Events that were taken over and are not yet handled.", []string{"bridge"}, nil),
		login:   prometheus.NewDesc("landbridge_bridge_login_connected", "Whether a login is connected to the remote network.", []string{"bridge", "login"}, nil),
		dead:    prometheus.NewDesc("landbridge_bridge_dead_letters", "Events that did not get across to the remote network.", []string{"bridge"}, nil),
		portal:  prometheus.NewDesc("landbridge_bridge_portal_events_total", "Events that were bridged, by room, direction and result (ok, failed).", []string{"bridge", "room", "direction", "result"}, nil),
		latency: prometheus.NewDesc("landbridge_bridge_portal_event_seconds", "How long the last event from Matrix took until its effects were committed.", []string{"bridge", "room"}, nil),
		queue:   prometheus.NewDesc("landbridge_bridge_portal_waiting", "Events from Matrix that are not handled yet.", []string{"bridge", "room"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *hostCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.up
	ch <- c.waiting
	ch <- c.login
	ch <- c.dead
	ch <- c.portal
	ch <- c.latency
	ch <- c.queue
}

// Collect implements prometheus.Collector.
func (c *hostCollector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for _, s := range c.host.Status() {
		gauge(c.up, boolFloat(s.State == StateRunning), s.ID, s.Module)
		gauge(c.waiting, float64(s.Waiting), s.ID)
		gauge(c.dead, float64(s.DeadLetters), s.ID)
		for _, p := range s.Portals {
			room := string(p.Room)
			count := func(n int64, direction, result string) {
				ch <- prometheus.MustNewConstMetric(c.portal, prometheus.CounterValue, float64(n), s.ID, room, direction, result)
			}
			count(p.ToRemote, "to_remote", "ok")
			count(p.Failed, "to_remote", "failed")
			count(p.ToMatrix, "to_matrix", "ok")
			count(p.Refused, "to_matrix", "failed")
			gauge(c.latency, p.Latency.Seconds(), s.ID, room)
			gauge(c.queue, float64(p.Waiting), s.ID, room)
		}
		for _, l := range s.Logins {
			gauge(c.login, boolFloat(l.State == status.StateConnected), s.ID, string(l.ID))
		}
	}
}

func boolFloat(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// register registers the host's collectors.
func (h *Host) register(reg prometheus.Registerer) error {
	for _, c := range append(h.metrics.collectors(), newHostCollector(h)) {
		if err := reg.Register(c); err != nil {
			return fmt.Errorf("register metrics: %w", err)
		}
	}
	return nil
}
