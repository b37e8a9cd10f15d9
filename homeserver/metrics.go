package homeserver

import "github.com/prometheus/client_golang/prometheus"

// Collector tells how the server does, for Prometheus.
func (s *Server) Collector() prometheus.Collector { return collector{s} }

type collector struct{ s *Server }

var _ prometheus.Collector = collector{}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("landbridge_homeserver_"+name, help, labels, nil)
}

var (
	descPosition = desc("log_position", "The newest position of the log.")
	descGroups   = desc("commits_total", "Commits of the database.")
	descWrites   = desc("writes_total", "Writes in these commits.")
	descQueue    = desc("write_queue", "Writes that wait for the database.")
	descQueueMax = desc("write_queue_max", "How many writes can wait; more wait at the door.")
	descActors   = desc("active_rooms", "Rooms that somebody changed of late.")
	descDropped  = desc("to_device_dropped_total", "Messages to devices that were dropped because too many waited.")
	descPushers  = desc("pusher_users", "Users with pushers.")
	descPushWait = desc("pusher_users_waiting", "Users whose pushers are to be served.")
	descPushes   = desc("pushes_total", "Notifications that were tried, by outcome.", "outcome")
	descUp       = desc("service_reachable", "Whether an application service takes transactions.", "service")
	descBehind   = desc("service_behind", "Log positions that an application service has not been told of yet.", "service")
	descSearch   = desc("search_behind", "Log positions that are not in the search index yet.")
	descTxns     = desc("service_transactions_total", "Transactions that an application service has taken.", "service")
)

// Describe implements prometheus.Collector.
func (collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range [...]*prometheus.Desc{descPosition, descGroups, descWrites, descQueue, descQueueMax, descActors, descDropped, descPushers, descPushWait, descPushes, descSearch, descUp, descBehind, descTxns} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(out chan<- prometheus.Metric) {
	send := func(d *prometheus.Desc, t prometheus.ValueType, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, t, v, labels...)
	}
	st := c.s.store.WriterStats()
	send(descPosition, prometheus.CounterValue, float64(c.s.store.Position()))
	send(descGroups, prometheus.CounterValue, float64(st.Groups))
	send(descWrites, prometheus.CounterValue, float64(st.Writes))
	send(descQueue, prometheus.GaugeValue, float64(st.Waiting))
	send(descQueueMax, prometheus.GaugeValue, float64(st.WaitingMax))
	send(descActors, prometheus.GaugeValue, float64(c.s.rooms.Active()))
	send(descDropped, prometheus.CounterValue, float64(c.s.store.ToDeviceDropped()))
	push := c.s.pushers.Stats()
	send(descPushers, prometheus.GaugeValue, float64(push.Users))
	send(descPushWait, prometheus.GaugeValue, float64(push.Waiting))
	send(descPushes, prometheus.CounterValue, float64(push.Sent), "sent")
	send(descPushes, prometheus.CounterValue, float64(push.Failed), "failed")
	send(descPushes, prometheus.CounterValue, float64(push.Rejected), "rejected")
	if c.s.search != nil {
		send(descSearch, prometheus.GaugeValue, float64(c.s.search.Behind()))
	}
	for _, svc := range c.s.services.Status() {
		up := 0.0
		if svc.Reachable {
			up = 1
		}
		send(descUp, prometheus.GaugeValue, up, svc.ID)
		send(descBehind, prometheus.GaugeValue, float64(svc.Behind), svc.ID)
		send(descTxns, prometheus.CounterValue, float64(svc.Transactions), svc.ID)
	}
}
