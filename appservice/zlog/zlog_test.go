package zlog_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/landbridge-im/landbridge/appservice/zlog"
)

func TestLines(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer
	log := slog.New(slog.NewTextHandler(&buf, &slog.HandlerOptions{Level: slog.LevelInfo, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	var seen []string
	z := zlog.New(log.With("bridge", "irc"), func(l slog.Level, msg string) { seen = append(seen, l.String()+" "+msg) })
	z.Debug().Msg("not enabled")
	z.Info().Str("room_id", "!a:b").Int("n", 3).Msg("hello")
	child := z.With().Str("component", "x").Logger()
	child.Warn().Str("access_token", "geheim1").Interface("req_body", map[string]string{"body": "geheim2"}).Msg("request")
	for _, text := range []string{"failed to find preferred login: not logged in (relay not allowed for this event)", "the database is gone"} {
		z.Error().Str("error", text).Msg("Failed to get member event target")
	}
	z.WithLevel(zerolog.FatalLevel).Msg("fatal does not exit")
	got := buf.String()
	want := "level=INFO msg=hello bridge=irc n=3 room_id=!a:b\n" +
		"level=WARN msg=request bridge=irc component=x\n" +
		"level=ERROR msg=\"Failed to get member event target\" bridge=irc error=\"the database is gone\"\n" +
		"level=ERROR msg=\"fatal does not exit\" bridge=irc\n"
	if got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	if strings.Contains(got, "geheim") {
		t.Error("a secret was logged")
	}
	if s := strings.Join(seen, ","); s != "INFO hello,WARN request,DEBUG Failed to get member event target,ERROR Failed to get member event target,ERROR fatal does not exit" {
		t.Errorf("observed %q", s)
	}
}
