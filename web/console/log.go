package console

import (
	"encoding/json/v2"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"strings"
	"time"
)

// script serves what pages do beyond HTML.
func (c *Console) script(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	raw, err := pages.ReadFile("pages/" + name)
	if err != nil || path.Ext(name) != ".js" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(raw) // the browser may be gone
}

type shownLine struct {
	Time  string `json:"time"`
	Level string `json:"level"`
	Text  string `json:"text"`
}

func shownOf(l Line) shownLine {
	return shownLine{l.At.UTC().Format("15:04:05.000"), l.Level.String(), strings.TrimPrefix(l.Text, "msg=")}
}

// filter reads what lines are wanted.
func (v *visit) filter() (level slog.Level, name, text string) {
	q := v.r.URL.Query()
	name = q.Get("level")
	if level.UnmarshalText([]byte(name)) != nil {
		level, name = slog.LevelInfo, "info"
	}
	return level, strings.ToLower(name), strings.TrimSpace(q.Get("q"))
}

// linesShown is how many lines the page begins with.
const linesShown = 200

func (c *Console) log(v *visit) error {
	level, name, text := v.filter()
	var lines []shownLine
	for _, l := range c.o.Lines.Newest(level, text, linesShown) {
		lines = append(lines, shownOf(l))
	}
	return v.show("/log", say("Log"), "log", map[string]any{"Level": name, "Search": text, "Lines": lines, "Levels": []string{"debug", "info", "warn", "error"}, "Query": v.r.URL.RawQuery})
}

// Times of the stream: a comment is sent so often when there is nothing to say, and after so long the
// browser has to come again, so that it is looked at once more who that is.
const (
	streamBeat = 20 * time.Second
	streamLife = 5 * time.Minute
)

// stream begins an answer of server-sent events.
func (v *visit) stream() *http.ResponseController {
	h := v.w.Header()
	v.c.o.Site.Headers(h)
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	v.w.WriteHeader(http.StatusOK)
	return http.NewResponseController(v.w)
}

// logStream sends fresh lines as server-sent events.
func (c *Console) logStream(v *visit) error {
	level, _, text := v.filter()
	lines, stop, ok := c.o.Lines.Follow()
	if !ok {
		return problemf("Too many follow the log already.")
	}
	defer stop()
	out := v.stream()
	beat, end := time.NewTicker(streamBeat), time.NewTimer(streamLife)
	defer beat.Stop()
	defer end.Stop()
	for {
		if err := out.Flush(); err != nil {
			return nil // the browser is gone
		}
		select {
		case l := <-lines:
			if !l.Matches(level, text) {
				continue
			}
			raw, err := json.Marshal(shownOf(l))
			if err != nil {
				continue // a line that is no UTF-8
			}
			if _, err := fmt.Fprintf(v.w, "data: %s\n\n", raw); err != nil {
				return nil
			}
		case <-beat.C:
			if _, err := fmt.Fprint(v.w, ": still here\n\n"); err != nil {
				return nil
			}
		case <-end.C:
			return nil
		case <-c.ended:
			return nil
		case <-v.ctx.Done():
			return nil
		}
	}
}
