package app

import (
	"context"
	"encoding/json/v2"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/web/console"
)

// bridgeCommand is a command about a bridge to a running server.
type bridgeCommand struct {
	ID string `json:"id,omitempty"`
	// Do is start, stop or restart.
	Do string `json:"do,omitempty"`
	// Search, Offset and Limit say which portals are wanted.
	Search string `json:"search,omitempty"`
	Offset int    `json:"offset,omitempty"`
	Limit  int    `json:"limit,omitempty"`
	// Entry is a bridge in YAML, as an entry of the list of bridges; Check has it checked only.
	Entry string `json:"entry,omitempty"`
	Check bool   `json:"check,omitempty"`
}

// bridgeDone is what has become of a command.
type bridgeDone struct {
	ID    string `json:"id,omitempty"`
	Did   string `json:"did"`
	File  string `json:"file,omitempty"` // the configuration that has the bridge
	Check bool   `json:"checked_only,omitempty"`
}

// portalEntry is a portal as commands see it.
type portalEntry struct {
	Name      string `json:"name"`
	Remote    string `json:"remote_id"`
	RoomID    string `json:"room_id"`
	Messages  int64  `json:"messages"`
	LastTS    int64  `json:"last_ts,omitempty"`
	ToRemote  int64  `json:"to_remote"`
	ToMatrix  int64  `json:"to_matrix"`
	Failed    int64  `json:"failed"`
	Waiting   int    `json:"waiting"`
	LatencyMS int64  `json:"latency_ms"`
}

// portalPage is a part of a bridge's portals.
type portalPage struct {
	Portals []portalEntry `json:"portals"`
	Total   int           `json:"total"`
}

// handled serves a command with a JSON object.
func handled[Q, R any](do func(context.Context, Q) (R, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var q Q
		raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCommand))
		if err == nil {
			err = json.Unmarshal(raw, &q, json.RejectUnknownMembers(true))
		}
		var out R
		if err == nil {
			out, err = do(r.Context(), q)
		}
		reply(w, out, err)
	}
}

// noted writes into the audit log what a command of whoever is on the machine has done.
func (s *serving) noted(ctx context.Context, did, to, more string, err error) error {
	entry := store.Audit{TS: time.Now().UnixMilli(), Who: "command line", Did: did, To: to, More: more}
	if err != nil {
		entry.Did, entry.More = did+" (failed)", err.Error()
	}
	return errors.Join(err, s.hs.Store().Write(context.WithoutCancel(ctx), func(t *store.Tx) error { return t.AddAudit(entry) }))
}

// setBridge starts, stops or restarts a bridge.
func (s *serving) setBridge(ctx context.Context, q bridgeCommand) (bridgeDone, error) {
	return bridgeDone{ID: q.ID, Did: q.Do}, s.noted(ctx, q.Do, "bridge "+q.ID, "", backend{s}.SetBridge(ctx, q.ID, q.Do))
}

// addBridge writes a bridge into the configuration and starts it.
func (s *serving) addBridge(ctx context.Context, q bridgeCommand) (out bridgeDone, err error) {
	if q.Check {
		out.File, err = backend{s}.CheckBridge(ctx, q.Entry)
		out.Did, out.Check = "check", true
		return out, err
	}
	out.Did = "set up"
	out.File, err = backend{s}.AddBridge(context.WithoutCancel(ctx), q.Entry)
	// The entry may hold secrets.
	return out, s.noted(ctx, "set up", "a bridge", "in "+out.File, err)
}

func (s *serving) listPortals(ctx context.Context, q bridgeCommand) (out portalPage, err error) {
	list, total, err := backend{s}.Portals(ctx, q.ID, q.Search, max(q.Offset, 0), min(max(q.Limit, 1), 1000))
	out = portalPage{Portals: []portalEntry{}, Total: total}
	for _, p := range list {
		out.Portals = append(out.Portals, portalEntry{p.Name, p.Remote, p.Room, p.Messages, p.LastTS, p.ToRemote, p.ToMatrix, p.Failed, p.Waiting, p.Latency.Milliseconds()})
	}
	return out, err
}

// logLines gives the newest lines of the log.
func (s *serving) logLines(_ context.Context, q logRequest) ([]logLine, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(q.Level)); err != nil {
		return nil, fmt.Errorf("%q is no level: debug, info, warn or error", q.Level)
	}
	out := []logLine{}
	for _, l := range s.lines.Newest(level, q.Text, min(max(q.Most, 1), console.LinesKept)) {
		if l.N > q.After {
			out = append(out, logLine{l.N, l.At, l.Level.String(), l.Text})
		}
	}
	return out, nil
}

// setBridgeCommand is "landbridge bridge start", "stop" and "restart".
func setBridgeCommand(verb, said string) func(context.Context, []string, stdio) error {
	return func(ctx context.Context, args []string, std stdio) error {
		fs := newFlags("landbridge bridge " + verb)
		asJSON := fs.Bool("json", false, "print JSON")
		return running1(ctx, order{fs.Name(), fs.Name() + " BRIDGE [-json] [-c FILE]", 1, fs, func(ctx context.Context, c *commander, args []string) error {
			var out bridgeDone
			if err := c.do(ctx, "/bridge/set", bridgeCommand{ID: args[0], Do: verb}, &out); err != nil {
				return err
			}
			return tell(std, *asJSON, out, "The bridge %s %s", args[0], said)
		}}, args, std)
	}
}

// running1 is order.run for what a running server alone can do.
func running1(ctx context.Context, o order, args []string, std stdio) error {
	do := o.do
	o.do = func(ctx context.Context, c *commander, args []string) error {
		if !c.running {
			return errors.New("nothing runs with this configuration")
		}
		return do(ctx, c, args)
	}
	return o.run(ctx, args, std)
}

func runBridgeAdd(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge bridge add")
	asJSON := fs.Bool("json", false, "print JSON")
	check := fs.Bool("check", false, "check it only")
	return running1(ctx, order{fs.Name(), "landbridge bridge add FILE|- [-check] [-json] [-c FILE]", 1, fs, func(ctx context.Context, c *commander, args []string) error {
		raw, err := readNamed(args[0], std)
		if err != nil {
			return err
		}
		var out bridgeDone
		if err := c.do(ctx, "/bridge/add", bridgeCommand{Entry: string(raw), Check: *check}, &out); err != nil {
			return err
		}
		if *check {
			return tell(std, *asJSON, out, "It is good. Without -check it is written to %s", out.File)
		}
		return tell(std, *asJSON, out, "It is written to %s and has been started", out.File)
	}}, args, std)
}

// entryMax bounds a bridge in YAML.
const entryMax = 256 << 10

// readNamed reads a small file, or standard input.
func readNamed(name string, std stdio) ([]byte, error) {
	in := std.In
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, entryMax+1))
	if err == nil && len(raw) > entryMax {
		err = fmt.Errorf("%s is larger than %d bytes", name, entryMax)
	}
	return raw, err
}

func runBridgePortals(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge bridge portals")
	q := bridgeCommand{Limit: 500}
	fs.StringVar(&q.Search, "search", "", "only those with this `text` in their name")
	return list{order{fs.Name(), "landbridge bridge portals BRIDGE [-search TEXT] [-json] [-c FILE]", 1, fs, nil}, fs.Bool("json", false, "print JSON, a portal a line"),
		[]string{"PORTAL", "ID", "ROOM", "MESSAGES", "TO REMOTE", "TO MATRIX", "FAILED", "WAITING", "LATENCY MS", "LAST"}, func(ctx context.Context, c *commander, args []string) (rows []row, more bool, err error) {
			if !c.running {
				return nil, false, errors.New("nothing runs with this configuration")
			}
			q.ID = args[0]
			var out portalPage
			err = c.do(ctx, "/bridge/portals", q, &out)
			n := func(i int64) string { return strconv.FormatInt(i, 10) }
			for _, p := range out.Portals {
				rows = append(rows, row{p, []string{strconv.Quote(p.Name), p.Remote, p.RoomID, n(p.Messages), n(p.ToRemote), n(p.ToMatrix), n(p.Failed), strconv.Itoa(p.Waiting), n(p.LatencyMS), when(p.LastTS, "never")}})
			}
			q.Offset += len(out.Portals)
			return rows, len(out.Portals) > 0 && q.Offset < out.Total, err
		}}.run(ctx, args, std)
}
