package zlog

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"sort"
	"time"

	"github.com/rs/zerolog"
)

// secret are the fields that are dropped: mautrix-go puts request and event
// bodies under these names.
var secret = map[string]bool{
	"access_token": true, "as_token": true, "hs_token": true, "token": true, "authorization": true,
	"body": true, "req_body": true, "request_body": true, "response_body": true, "response": true, "resp": true,
	"content": true, "raw_content": true, "event_content": true, "mss_content": true, "event": true, "evt": true,
	"raw": true, "raw_data": true, "data": true, "params": true, "ciphertext": true, "formatted_body": true,
}

// New returns a zerolog logger that writes to log. Levels that log is not
// enabled for cost next to nothing. observe, if not nil, is called with the
// level and message of every line that is logged, before log gets it; it must
// not log and must be safe for concurrent use.
func New(log *slog.Logger, observe func(level slog.Level, msg string)) zerolog.Logger {
	h := log.Handler()
	return zerolog.New(&writer{handler: h, observe: observe}).
		Level(zerolog.TraceLevel).
		Sample(sampler{h})
}

// level translates; slog has no Trace and no Fatal.
func level(l zerolog.Level) slog.Level {
	switch l {
	case zerolog.TraceLevel:
		return slog.LevelDebug - 4
	case zerolog.DebugLevel:
		return slog.LevelDebug
	case zerolog.WarnLevel:
		return slog.LevelWarn
	case zerolog.ErrorLevel, zerolog.FatalLevel, zerolog.PanicLevel:
		return slog.LevelError
	default:
		return slog.LevelInfo
	}
}

// mild are lines that bridgev2 calls errors, by their error, and that are none: that somebody without a login joins a room is
// what a community's bridge lives of.
var mild = map[string]string{
	"Failed to get member event target": "failed to find preferred login: not logged in (relay not allowed for this event)",
}

// of is the level of a line.
func of(l zerolog.Level, msg string, fields map[string]any) slog.Level {
	if text, ok := mild[msg]; ok && fields[zerolog.ErrorFieldName] == text {
		return slog.LevelDebug
	}
	return level(l)
}

// sampler drops lines before they are formatted.
type sampler struct{ handler slog.Handler }

func (s sampler) Sample(l zerolog.Level) bool {
	return s.handler.Enabled(context.Background(), level(l))
}

type writer struct {
	handler slog.Handler
	observe func(slog.Level, string)
}

var _ zerolog.LevelWriter = (*writer)(nil)

// Write implements io.Writer for lines without a level.
func (w *writer) Write(line []byte) (int, error) { return w.WriteLevel(zerolog.InfoLevel, line) }

// WriteLevel implements zerolog.LevelWriter. line is one JSON object.
func (w *writer) WriteLevel(l zerolog.Level, line []byte) (int, error) {
	var fields map[string]any
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.UseNumber()
	if err := dec.Decode(&fields); err != nil {
		// A field that is not JSON must not cost the line, nor leak.
		fields = map[string]any{zerolog.MessageFieldName: "log line that is not JSON"}
	}
	msg, _ := fields[zerolog.MessageFieldName].(string)
	delete(fields, zerolog.MessageFieldName)
	delete(fields, zerolog.LevelFieldName)
	delete(fields, zerolog.TimestampFieldName)
	severity := of(l, msg, fields)
	if w.observe != nil {
		w.observe(severity, msg)
	}
	if !w.handler.Enabled(context.Background(), severity) {
		return len(line), nil
	}
	names := make([]string, 0, len(fields))
	for name := range fields {
		if !secret[name] {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	rec := slog.NewRecord(time.Now(), severity, msg, 0)
	for _, name := range names {
		rec.AddAttrs(attr(name, fields[name]))
	}
	if err := w.handler.Handle(context.Background(), rec); err != nil {
		return 0, err
	}
	return len(line), nil
}

func attr(name string, v any) slog.Attr {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return slog.Int64(name, n)
		}
		return slog.String(name, v.String())
	case string:
		return slog.String(name, v)
	default:
		return slog.Any(name, v)
	}
}
