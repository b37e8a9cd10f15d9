package console

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/landbridge-im/landbridge/internal/sentence"
)

// traffic is what a bridge has carried since the server was started.
type traffic struct {
	ToRemote, ToMatrix, Failed, Errors int64
	// Latency is the mean time from the homeserver's hand-over of an event to its effects.
	Latency time.Duration
}

type bridgeRow struct {
	Bridge
	traffic
}

func (c *Console) bridges(v *visit) error {
	counted, err := c.traffic()
	if err != nil {
		return err
	}
	var rows []bridgeRow
	for _, b := range c.o.Backend.Bridges() {
		rows = append(rows, bridgeRow{b, counted[b.ID]})
	}
	return v.show("/bridges", say("Bridges"), "bridges", map[string]any{"Bridges": rows, "Services": c.o.Backend.Services()})
}

// label is a label's value.
func label(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

// traffic reads the metrics of the bridges.
func (c *Console) traffic() (map[string]traffic, error) {
	families, err := c.o.Metrics.Gather()
	if err != nil {
		return nil, err
	}
	out := map[string]traffic{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			id := label(m, "bridge")
			t := out[id]
			switch f.GetName() {
			case "landbridge_bridge_events_total":
				n := int64(m.GetCounter().GetValue())
				switch {
				case label(m, "result") == "failed" || label(m, "result") == "dropped":
					t.Failed += n
				case label(m, "direction") == "to_remote":
					t.ToRemote += n
				default:
					t.ToMatrix += n
				}
			case "landbridge_bridge_errors_total":
				t.Errors += int64(m.GetCounter().GetValue())
			case "landbridge_bridge_event_seconds":
				if h := m.GetHistogram(); h.GetSampleCount() > 0 {
					t.Latency = time.Duration(h.GetSampleSum() / float64(h.GetSampleCount()) * float64(time.Second)).Round(100 * time.Microsecond)
				}
			default:
				continue
			}
			out[id] = t
		}
	}
	return out, nil
}

type bridgeView struct {
	bridgeRow
	Search  string
	Portals []Portal
	Total   int
	Next    string
	Letters []Letter
	Claims  bool // somebody keeps them
	// Fresh tells that the bridge was just set up, and Wanted how many rooms it is to make; 0 if that is not known.
	Fresh  bool
	Wanted int
}

// lettersShown is how many dead letters a page lists.
const lettersShown = 100

func (c *Console) bridge(v *visit) error {
	q := v.r.URL.Query()
	for _, b := range c.o.Backend.Bridges() {
		if b.ID != q.Get("id") {
			continue
		}
		counted, err := c.traffic()
		if err != nil {
			return err
		}
		out := bridgeView{Fresh: q.Get("fresh") == "yes", Wanted: int(min(max(v.number("of"), 0), 100_000)), bridgeRow: bridgeRow{b, counted[b.ID]}, Search: q.Get("q"), Claims: c.o.Claims != nil}
		from := int(max(v.number("from"), 0))
		if out.Portals, out.Total, err = c.o.Backend.Portals(v.ctx, b.ID, out.Search, from, pageSize); err != nil {
			return err
		}
		if out.Letters, err = c.o.Backend.Letters(v.ctx, b.ID); err != nil {
			return err
		}
		out.Letters = out.Letters[:min(len(out.Letters), lettersShown)]
		if next := from + len(out.Portals); next < out.Total && len(out.Portals) > 0 {
			out.Next = Path + "/bridges/show?" + url.Values{"id": {b.ID}, "q": {out.Search}, "from": {strconv.Itoa(next)}}.Encode()
		}
		return v.show("/bridges", say("Bridge %s", b.ID), "bridge", out)
	}
	return problemf("There is no bridge %q.", q.Get("id"))
}

func (c *Console) bridgeDo(v *visit) error {
	f := v.r.PostForm
	id, what := f.Get("id"), f.Get("do")
	back := Path + "/bridges/show?" + url.Values{"id": {id}}.Encode()
	switch what {
	case "start", "restart":
	case "stop":
		if !v.sure(question{Text: say("Until you start it again, nothing goes through the bridge %s. What is said meanwhile on Matrix is delivered afterwards.", id), Yes: say("Stop it"), Back: back}) {
			return nil
		}
	default:
		return problemf("There is no action %q.", what)
	}
	return v.act(what, "bridge "+id, "", back, say("Done: %s.", say(what)), func() error { return c.o.Backend.SetBridge(v.ctx, id, what) })
}

// bridgeProgress tells how far a bridge is that was just started, for the script of its page.
func (c *Console) bridgeProgress(v *visit) error {
	id := v.r.URL.Query().Get("id")
	for _, b := range c.o.Backend.Bridges() {
		if b.ID != id {
			continue
		}
		_, total, err := c.o.Backend.Portals(v.ctx, id, "", 0, 0)
		if err != nil {
			return err
		}
		up := 0
		for _, l := range b.Logins {
			if l.State == "CONNECTED" {
				up++
			}
		}
		return v.json(map[string]any{"state": b.State, "shown": v.say(say(b.State)), "error": b.Error, "connected": up, "logins": len(b.Logins), "rooms": total})
	}
	return problemf("There is no bridge %q.", id)
}

// lettersDo tries dead letters again, or forgets them; all if none is named.
func (c *Console) lettersDo(v *visit) error {
	f := v.r.PostForm
	id, events := f.Get("id"), f["event"]
	back := Path + "/bridges/show?" + url.Values{"id": {id}}.Encode()
	var n int
	switch f.Get("do") {
	case "retry":
		return v.actSaid("retry dead letters of", "bridge "+id, strings.Join(events, " "), back, func() sentence.Text { return say("%d are tried again.", n) }, func() (err error) {
			n, err = c.o.Backend.RetryLetters(v.ctx, id, events)
			return err
		})
	case "drop":
		if !v.sure(question{Text: say("What did not get across the bridge %s is not tried again. The messages themselves stay in their rooms.", id), Yes: say("Forget them"), Back: back}) {
			return nil
		}
		return v.actSaid("drop dead letters of", "bridge "+id, strings.Join(events, " "), back, func() sentence.Text { return say("%d are forgotten.", n) }, func() (err error) {
			n, err = c.o.Backend.DropLetters(v.ctx, id, events)
			return err
		})
	}
	return problemf("There is no action %q.", f.Get("do"))
}
