package console

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/internal/sentence"
)

// chart is a picture of some series over a time.
type chart struct {
	Title, Unit sentence.Text
	// SVG is what is in the picture, which is chartWidth by chartHeight.
	SVG template.HTML
	// From and Until are the ends of the axis of time, and Top that of the other one.
	From, Until, Top string
	Legend           []legend
	Empty            bool
}

type legend struct {
	Class     int
	Name      string
	Now, Most string
}

// groups are the charts: the first part of the names of their series.
var groups = []struct {
	prefix, title, unit string
	text                func(float64) string
}{
	{"messages/", "Messages by network", "a minute", plain},
	{"latency/", "Latency of bridges", "milliseconds", plain},
	{"queue/", "What waits for bridges", "events", plain},
	{"claims/", "Claims: people who have come", "people", plain},
	{"writes/", "Writes to the database", "a minute", plain},
	{"memory/", "Memory", "", func(f float64) string { return size(int64(f)) }},
	{"disk/", "Disk by use", "", func(f float64) string { return size(int64(f)) }},
}

func plain(f float64) string {
	if f >= 10 || f == math.Trunc(f) {
		return number(int64(math.Round(f)))
	}
	return fmt.Sprintf("%.2f", f)
}

type chartsView struct {
	Span   string
	Spans  []spanLink
	Charts []chart
}

type spanLink struct {
	Name sentence.Text
	Link string
	Here bool
}

func (c *Console) charts(v *visit) error {
	spans := []struct {
		name       string
		step, long int64
	}{{"hour", minute, hour}, {"day", minute, day}, {"month", hour, 31 * day}, {"year", hour, 366 * day}}
	i := max(slices.IndexFunc(spans, func(s struct {
		name       string
		step, long int64
	}) bool {
		return s.name == v.r.URL.Query().Get("span")
	}), 0)
	now := c.o.Now().Unix()
	samples, err := c.o.Store.Samples(v.ctx, spans[i].step, now-spans[i].long, spans[i].long/chartWidth)
	if err != nil {
		return err
	}
	out := chartsView{Span: spans[i].name}
	for j, s := range spans {
		out.Spans = append(out.Spans, spanLink{say(s.name), Path + "/charts?span=" + s.name, j == i})
	}
	for _, g := range groups {
		var own []store.Sample
		for _, p := range samples {
			if name, ok := strings.CutPrefix(p.Series, g.prefix); ok {
				p.Series = name
				own = append(own, p)
			}
		}
		out.Charts = append(out.Charts, draw(say(g.title), say(g.unit), g.text, own, now-spans[i].long, now, spans[i].step))
	}
	return v.show("/charts", say("Charts"), "charts", out)
}

// Measures of a chart, in its own units, and how many series it shows.
const (
	chartWidth  = 600
	chartHeight = 180
	chartLeft   = 4
	chartLines  = 8
)

// draw makes a chart of samples, which are ordered by series and time.
func draw(title, unit sentence.Text, write func(float64) string, list []store.Sample, from, until, step int64) chart {
	out := chart{Title: title, Unit: unit, Empty: len(list) == 0}
	if out.Empty {
		return out
	}
	top := 0.0
	var names []string
	for _, p := range list {
		top = max(top, p.Value)
		if len(names) == 0 || names[len(names)-1] != p.Series {
			names = append(names, p.Series)
		}
	}
	top = roundUp(top)
	names = names[:min(len(names), chartLines)]
	x := func(ts int64) float64 {
		return chartLeft + float64(ts-from)/float64(max(until-from, 1))*(chartWidth-2*chartLeft)
	}
	y := func(v float64) float64 { return chartHeight - 20 - v/top*(chartHeight-40) }
	var b strings.Builder
	for _, part := range []float64{0, 0.5, 1} {
		fmt.Fprintf(&b, `<line class="grid" x1="0" x2="%d" y1="%.1f" y2="%.1f"/>`, chartWidth, y(part*top), y(part*top))
	}
	for class, name := range names {
		points := of(list, name)
		var path strings.Builder
		// far tells that nothing was measured between a point and the one before.
		far := func(i int) bool { return points[i].TS-points[i-1].TS > 3*max(step, (until-from)/chartWidth) }
		for i, p := range points {
			verb := "L"
			if i == 0 || far(i) {
				verb = "M"
			}
			fmt.Fprintf(&path, "%s%.1f %.1f", verb, x(p.TS), y(p.Value))
			if verb == "M" && (i == len(points)-1 || far(i+1)) {
				path.WriteString("h0") // a dot, alone
			}
		}
		fmt.Fprintf(&b, `<path class="line c%d" d="%s" vector-effect="non-scaling-stroke"/>`, class, path.String())
		most := slices.MaxFunc(points, func(p, q store.Sample) int { return int(math.Copysign(1, p.Value-q.Value)) })
		out.Legend = append(out.Legend, legend{class, name, write(points[len(points)-1].Value), write(most.Value)})
	}
	out.From, out.Until, out.Top = at(from), at(until), write(top)
	out.SVG = template.HTML(b.String())
	return out
}

func at(ts int64) string { return time.Unix(ts, 0).UTC().Format("2 Jan 15:04") }

// of gives the samples of a series, which lie beside each other in the list.
func of(list []store.Sample, name string) []store.Sample {
	has := func(p store.Sample) bool { return p.Series == name }
	begin := max(slices.IndexFunc(list, has), 0)
	end := begin
	for end < len(list) && has(list[end]) {
		end++
	}
	return list[begin:end]
}

// roundUp gives a round number that is not smaller.
func roundUp(f float64) float64 {
	if f <= 0 {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(f)))
	for _, n := range []float64{1, 2, 5, 10} {
		if n*unit >= f {
			return n * unit
		}
	}
	return 10 * unit
}
