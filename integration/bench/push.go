package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"time"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/integration/client"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

// pushConfig lets the server push to this machine.
const pushConfig = "push:\n  allow_loopback: true\n"

// pushed is how many local members the room has, each of whom has a phone.
const pushed = 10_000

// gatewayWait bounds how long the gateway waits to be told of the next one.
const gatewayWait = time.Minute

// pushes measures the evaluation of push rules: from an event in a large room until a gateway has been
// told for each member.
func pushes(ctx context.Context, b *bench) error {
	told := make(chan struct{}, pushed)
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the server has gone if this fails, and is found out below
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"rejected":[]}`)
		select {
		case told <- struct{}{}:
		case <-ctx.Done():
		}
	}))
	defer gateway.Close()
	sender, err := (&client.Client{URL: b.URL()}).RegisterAdmin(ctx, "root", testserver.SharedSecret)
	if err != nil {
		return err
	}
	admin := sender.Token
	room, err := sender.CreateRoom(ctx, map[string]any{"preset": "public_chat"})
	if err != nil {
		return err
	}
	tokens := make([]string, pushed)
	if _, err := b.each(ctx, pushed, func(w *wire, i int) error {
		user := url.PathEscape(b.UserID(fmt.Sprintf("member_%d", i)))
		status, err := w.do("PUT", "/_synapse/admin/v2/users/"+user, admin, `{}`)
		if err == nil && status != 201 {
			err = fmt.Errorf("making an account: %d %s", status, w.body)
		}
		if err == nil {
			err = w.must("POST", "/_synapse/admin/v1/users/"+user+"/login", admin, `{}`)
		}
		if err != nil {
			return err
		}
		tokens[i] = gjson.GetBytes(w.body, "access_token").String()
		return w.must("POST", client.Path("join", room), tokens[i], `{}`)
	}); err != nil {
		return err
	}
	send := func(txn string) (time.Duration, error) {
		began := time.Now()
		_, err := sender.Send(ctx, room, "m.room.message", txn, client.Message("hello, all of you"))
		return time.Since(began), err
	}
	plain, err := send("before")
	if err != nil {
		return err
	}
	if _, err := b.each(ctx, pushed, func(w *wire, i int) error {
		return w.must("POST", client.Path("pushers", "set"), tokens[i],
			fmt.Sprintf(`{"kind":"http","app_id":"im.bench","app_display_name":"b","device_display_name":"d","lang":"en","pushkey":"%d","data":{"url":%q}}`, i, gateway.URL+"/_matrix/push/v1/notify"))
	}); err != nil {
		return err
	}
	stop := b.profile(ctx, "pushes", b.PID())
	defer stop()
	began := time.Now()
	answered, err := send("all")
	if err != nil {
		return err
	}
	for i := range pushed {
		select {
		case <-told:
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(gatewayWait):
			return fmt.Errorf("the gateway has been told %d times, want %d", i, pushed)
		}
	}
	took := time.Since(began)
	b.report.add(result{Key: "push_send_ms", What: fmt.Sprintf("a send in a room of %d who have pushers (without: %.1f ms)", pushed, ms(plain)), Value: ms(answered), Unit: "ms"})
	b.report.add(result{Key: "push_all_ms", What: fmt.Sprintf("until a gateway was told for all %d", pushed), Value: ms(took), Unit: "ms"})
	b.report.add(result{Key: "push_per_s", What: "the same, evaluations with a push each", Value: pushed / took.Seconds(), Unit: "/s"})
	return nil
}
