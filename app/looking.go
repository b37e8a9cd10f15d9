package app

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/console"
)

// list is a command that lists something, part by part, as a table or as JSON, one a line. part gives the rows of a
// part, and whether there are more.
type list struct {
	order  order
	asJSON *bool
	head   []string
	part   func(ctx context.Context, c *commander, args []string) (rows []row, more bool, err error)
}

// row is an entry of a list: for programs and for people.
type row struct {
	entry any
	cells []string
}

func (l list) run(ctx context.Context, args []string, std stdio) error {
	l.order.do = func(ctx context.Context, c *commander, args []string) error {
		rows := [][]string{l.head}
		for {
			part, more, err := l.part(ctx, c, args)
			if err != nil {
				return err
			}
			for _, r := range part {
				if !*l.asJSON {
					rows = append(rows, r.cells)
				} else if err := printJSON(std, r.entry); err != nil {
					return err
				}
			}
			if !more {
				break
			}
		}
		if *l.asJSON {
			return nil
		}
		return table(std, rows)
	}
	return l.order.run(ctx, args, std)
}

// runReport is "landbridge report".
func runReport(ctx context.Context, args []string, std stdio) error {
	return dispatch(ctx, "landbridge report", []command{
		{"list", "list what users have reported", runReportList},
		{"dismiss", "take a report off the list", runReportDismiss},
	}, args, std)
}

func runReportList(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge report list")
	var page console.Page
	return list{order{fs.Name(), "landbridge report list [-json] [-c FILE]", 0, fs, nil}, fs.Bool("json", false, "print JSON, a report a line"),
		[]string{"REPORT", "WHEN", "KIND", "OF", "ROOM", "EVENT", "BY", "WHY"}, func(ctx context.Context, c *commander, _ []string) (rows []row, more bool, err error) {
			var out console.Reports
			err = c.do(ctx, "/report/list", page, &out)
			for _, r := range out.Reports {
				rows = append(rows, row{r, []string{strconv.FormatInt(r.ID, 10), when(r.CreatedTS, ""), r.Kind, r.UserID, r.RoomID, r.EventID, r.Reporter, strconv.Quote(r.Reason)}})
			}
			page.After = out.Next
			return rows, out.Next != 0, err
		}}.run(ctx, args, std)
}

func runReportDismiss(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge report dismiss")
	asJSON := fs.Bool("json", false, "print JSON")
	return order{fs.Name(), "landbridge report dismiss REPORT [-json] [-c FILE]", 1, fs, func(ctx context.Context, c *commander, args []string) error {
		id, err := strconv.ParseInt(args[0], 10, 64)
		if err != nil {
			return usageError("landbridge report dismiss: %q is no number of a report", args[0])
		}
		var out console.Numbered
		if err := c.do(ctx, "/report/dismiss", console.Numbered{ID: id}, &out); err != nil {
			return err
		}
		return tell(std, *asJSON, out, "Report %d is dealt with", id)
	}}.run(ctx, args, std)
}

// runFederation is "landbridge federation".
func runFederation(ctx context.Context, args []string, std stdio) error {
	return dispatch(ctx, "landbridge federation", []command{
		{"list", "list other servers: whether they can be reached, what waits for them, why not", runFederationList},
		{"retry", "try a server again at once", runFederationRetry},
	}, args, std)
}

func runFederationList(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge federation list")
	var q console.PeersOf
	fs.BoolVar(&q.Failing, "failing", false, "only those that can't be reached")
	fs.StringVar(&q.Search, "search", "", "only those with this `text` in their name")
	return list{order{fs.Name(), "landbridge federation list [-failing] [-search TEXT] [-json] [-c FILE]", 0, fs, nil}, fs.Bool("json", false, "print JSON, a server a line"),
		[]string{"SERVER", "REACHABLE", "SINCE", "NEXT TRY", "ROOMS", "WAITING", "LAST ERROR"}, func(ctx context.Context, c *commander, _ []string) (rows []row, more bool, err error) {
			var out console.Peers
			err = c.do(ctx, "/federation/list", q, &out)
			for _, p := range out.Peers {
				rows = append(rows, row{p, []string{p.Server, strconv.FormatBool(p.Reachable), when(p.SinceTS, ""), when(p.RetryTS, ""), strconv.FormatInt(p.Rooms, 10), strconv.FormatInt(p.Waiting, 10), p.LastError}})
			}
			q.After = out.Next
			return rows, out.Next != "", err
		}}.run(ctx, args, std)
}

func runFederationRetry(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge federation retry")
	asJSON := fs.Bool("json", false, "print JSON")
	return order{fs.Name(), "landbridge federation retry SERVER [-json] [-c FILE]", 1, fs, func(ctx context.Context, c *commander, args []string) error {
		if !c.running {
			return errors.New("nothing runs with this configuration; all servers are tried when it starts")
		}
		var out console.Named
		if err := c.do(ctx, "/federation/retry", console.Named{Name: args[0]}, &out); err != nil {
			return err
		}
		return tell(std, *asJSON, out, "%s is tried again at once", args[0])
	}}.run(ctx, args, std)
}

// runAudit is "landbridge audit".
func runAudit(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge audit")
	most := fs.Int("most", 100, "how `many` entries; 0 for all")
	var page console.Page
	n := 0
	return list{order{fs.Name(), "landbridge audit [-most N] [-json] [-c FILE]", 0, fs, nil}, fs.Bool("json", false, "print JSON, an entry a line"),
		[]string{"WHEN", "WHO", "DID", "TO", "MORE"}, func(ctx context.Context, c *commander, _ []string) (rows []row, more bool, err error) {
			var out console.Audits
			err = c.do(ctx, "/audit/list", page, &out)
			for _, a := range out.Audits {
				if n++; *most > 0 && n > *most {
					return rows, false, err
				}
				rows = append(rows, row{a, []string{when(a.TS, ""), a.Who, a.Did, a.To, strconv.Quote(a.More)}})
			}
			page.After = out.Next
			return rows, out.Next != 0, err
		}}.run(ctx, args, std)
}

// runCharts is "landbridge charts".
func runCharts(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge charts")
	asJSON := fs.Bool("json", false, "print JSON, a series a line, with all values")
	span := fs.Duration("span", time.Hour, "how `long` back, such as 24h; beyond two days there are means of hours")
	return order{fs.Name(), "landbridge charts [-span TIME] [-json] [-c FILE]", 0, fs, func(ctx context.Context, c *commander, _ []string) error {
		var out console.AllSeries
		if err := c.do(ctx, "/chart/list", console.SamplesOf{Hourly: *span > 48*time.Hour, Since: time.Now().Add(-*span).Unix()}, &out); err != nil {
			return err
		}
		rows := [][]string{{"SERIES", "NOW", "LEAST", "MOST", "VALUES"}}
		for _, s := range out.Series {
			if *asJSON {
				if err := printJSON(std, s); err != nil {
					return err
				}
				continue
			}
			least, most := s.Points[0][1], s.Points[0][1]
			for _, p := range s.Points {
				least, most = min(least, p[1]), max(most, p[1])
			}
			value := func(f float64) string { return strconv.FormatFloat(f, 'g', 6, 64) }
			rows = append(rows, []string{s.Name, value(s.Points[len(s.Points)-1][1]), value(least), value(most), strconv.Itoa(len(s.Points))})
		}
		if *asJSON {
			return nil
		}
		return table(std, rows)
	}}.run(ctx, args, std)
}

// logRequest asks for lines of the log behind one.
type logRequest struct {
	Level string `json:"level"`
	Text  string `json:"text,omitempty"`
	After int64  `json:"after,omitempty"`
	Most  int    `json:"most"`
}

// logLine is a line of the log.
type logLine struct {
	N     int64     `json:"n"`
	At    time.Time `json:"at"`
	Level string    `json:"level"`
	Text  string    `json:"text"`
}

// followPause is how often new lines are asked for.
const followPause = 500 * time.Millisecond

// runLog is "landbridge log".
func runLog(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge log")
	path := configFlag(fs)
	q := logRequest{}
	fs.StringVar(&q.Level, "level", "info", "lines of at least this `level`: debug, info, warn or error")
	fs.StringVar(&q.Text, "text", "", "only lines with this `text`")
	fs.IntVar(&q.Most, "most", 200, "how `many` of the newest lines")
	follow := fs.Bool("follow", false, "go on with new lines as they come")
	asJSON := fs.Bool("json", false, "print JSON, a line a line")
	rest, err := parseFlags(fs, "landbridge log [-level LEVEL] [-text TEXT] [-most N] [-follow] [-json] [-c FILE]", args, std)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usageError("landbridge log: unexpected argument %q", rest[0])
	}
	c, err := running(ctx, *path)
	if err != nil {
		return err
	}
	defer c.close()
	for {
		var lines []logLine
		if err := c.do(ctx, "/log", q, &lines); err != nil {
			return err
		}
		for _, l := range lines {
			q.After = l.N
			if *asJSON {
				if err := printJSON(std, l); err != nil {
					return err
				}
			} else if _, err := fmt.Fprintf(std.Out, "%s %-5s %s\n", l.At.UTC().Format("2006-01-02 15:04:05.000"), l.Level, plainText(l.Text)); err != nil {
				return err
			}
		}
		if !*follow {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(followPause):
		}
	}
}
