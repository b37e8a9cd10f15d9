package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"time"

	"github.com/landbridge-im/landbridge/homeserver"
	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/internal/inproc"
	"github.com/landbridge-im/landbridge/registration"
)

// inProcess measures how fast a service in the process gets what it missed, as bridges of `landbridge serve` do. The
// server runs in this process, too.
func inProcess(ctx context.Context, b *bench) (err error) {
	const n = 20_000
	s := &sink{}
	set, err := registration.NewSet("test", &registration.Registration{ID: "sink", Module: "sink", ASToken: sinkToken, HSToken: "token-of-the-server-to-the-sink", SenderLocalpart: "sinkbot"})
	if err != nil {
		return err
	}
	hs, err := homeserver.Open(ctx, homeserver.Options{Name: "test", PublicURL: "http://test", Dir: b.dir, Database: filepath.Join(b.dir, "inprocess.db"),
		Media: homeserver.MediaOptions{Dir: filepath.Join(b.dir, "media")}, Settings: client.Settings{MaxBody: 1 << 20, SyncTimeout: time.Minute},
		Registrations: set, Transport: func(*registration.Registration) http.RoundTripper { return inproc.Transport(s) }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	ran := make(chan error, 1)
	go func() { ran <- hs.Run(running) }()
	defer func() {
		stop()
		err = errors.Join(err, <-ran, hs.Close())
	}()
	bot := &http.Client{Transport: inproc.Transport(hs.Client())}
	call := func(path string, body, out any) error {
		raw, err := json.Marshal(body)
		if err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, "POST", "http://in-process/_matrix/client/"+path, bytes.NewReader(raw))
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+sinkToken)
		res, err := bot.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", path, res.Status)
		}
		return json.NewDecoder(res.Body).Decode(out)
	}
	var made struct {
		RoomID string `json:"room_id"`
	}
	if err := call("v3/createRoom", map[string]string{"preset": "public_chat"}, &made); err != nil {
		return err
	}
	const page = 500
	batch := make([]map[string]any, page)
	for i := range batch {
		batch[i] = map[string]any{"sender": "@sinkbot:test", "type": "m.room.message", "origin_server_ts": time.Now().UnixMilli(),
			"content": map[string]string{"msgtype": "m.text", "body": "a message of some words, as people write them"}}
	}
	for range n / page {
		var ids struct{}
		if err := call("unstable/com.beeper.backfill/rooms/"+url.PathEscape(made.RoomID)+"/batch_send", map[string]any{"forward": true, "send_notification": true, "events": batch}, &ids); err != nil {
			return err
		}
	}
	s.open.Store(true)
	for s.got.Load() == 0 && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	first, began := s.got.Load(), time.Now()
	for s.got.Load() < n && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	b.report.add(result{Key: "service_deliveries_inprocess_per_s", What: fmt.Sprintf("deliveries in the process to a bridge that missed %d events", n),
		Value: float64(n-first) / time.Since(began).Seconds(), Unit: "/s"})
	return nil
}
