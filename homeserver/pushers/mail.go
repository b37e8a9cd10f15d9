package pushers

import (
	"context"
	"encoding/json/v2"
	"fmt"
	"html"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/homeserver/unread"
)

// E-mail is for those who are away: what is still unread after mailDelay is told of in one
// message. The next one follows after the throttle at the earliest, which grows while people do
// not come, and begins anew when they have been quiet for mailReset.
const (
	mailDelay       = 10 * time.Minute
	mailThrottleMin = 10 * time.Minute
	mailThrottleMax = 24 * time.Hour
	mailReset       = 12 * time.Hour
	mailEvents      = 20
	mailText        = 300 // bytes of one message
)

// mail tells an e-mail pusher.
func (t *turn) mail(ctx context.Context, row store.Pusher, st *state, news []unread.Notification) error {
	if t.p.o.Mailer == nil {
		return nil
	}
	var fresh []unread.Notification
	for _, n := range news {
		if n.Event.Pos > st.pos {
			fresh = append(fresh, n)
		}
	}
	if len(fresh) == 0 {
		st.pos = t.upto
		return nil
	}
	since := min(fresh[0].Event.OriginServerTS, t.now.UnixMilli())
	due := max(since+mailDelay.Milliseconds(), row.SentTS+row.ThrottleMS)
	if d := time.Duration(due-t.now.UnixMilli()) * time.Millisecond; d > 0 {
		t.again(d)
		return nil
	}
	// Whoever has the address now is not told what others write to this user.
	if ok, err := t.p.o.HasEmail(ctx, row.User, row.Pushkey); err != nil || !ok {
		if err == nil {
			err = t.drop(ctx, row)
		}
		return err
	}
	subject, text, page, err := t.digest(ctx, fresh)
	if err != nil {
		return err
	}
	link := t.p.unsubscribe(row)
	if link != "" {
		text += "\nNo more such messages: " + link + "\n"
		page += `<p><a href="` + html.EscapeString(link) + "\">No more such messages</a></p>\n"
	}
	if err := t.p.o.Mailer.Deliver(ctx, row.Pushkey, subject, text, page, link); err != nil {
		t.p.failed.Add(1)
		st.failures++
		pause := min(time.Minute<<min(st.failures-1, 20), backoffMax)
		st.next = t.now.Add(pause)
		t.again(pause)
		t.p.o.Log.WarnContext(ctx, "sending a notification by e-mail failed", "err", err)
		return nil
	}
	t.p.sent.Add(1)
	throttle := mailThrottleMin
	if last := t.now.UnixMilli() - row.SentTS; last < mailReset.Milliseconds() {
		throttle = min(3*time.Duration(row.ThrottleMS)*time.Millisecond, mailThrottleMax)
	}
	st.failures, st.pos = 0, t.upto
	return t.p.o.Store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.PusherServed(row, t.upto); err != nil {
			return err
		}
		return tx.PusherMailed(row, t.now.UnixMilli(), throttle.Milliseconds())
	})
}

// digest writes a message about notifications, in plain text and as HTML.
func (t *turn) digest(ctx context.Context, news []unread.Notification) (subject, text, page string, err error) {
	var plain, rich strings.Builder
	rooms := map[string]bool{}
	last := ""
	for _, n := range news[max(0, len(news)-mailEvents):] {
		name, _, err := t.p.roomName(ctx, n.Event, t.u.nid)
		if err != nil {
			return "", "", "", err
		}
		sender, err := t.p.stateText(ctx, n.Event, t.u.nid, "m.room.member", string(n.Event.Sender), "displayname")
		if err != nil {
			return "", "", "", err
		}
		if sender == "" {
			sender = string(n.Event.Sender)
		}
		if name == "" {
			name = "a room"
		}
		rooms[n.Event.InRoom] = true
		if n.Event.InRoom != last {
			last = n.Event.InRoom
			fmt.Fprintf(&plain, "\n%s\n", name)
			fmt.Fprintf(&rich, "<h3>%s</h3>\n", html.EscapeString(name))
		}
		what := said(n)
		fmt.Fprintf(&plain, "  %s: %s\n", sender, what)
		fmt.Fprintf(&rich, "<p><b>%s</b>: %s</p>\n", html.EscapeString(sender), html.EscapeString(what))
	}
	subject = fmt.Sprintf("%d unread messages on %s", len(news), t.p.o.ServerName)
	if len(news) == 1 {
		subject = "An unread message on " + t.p.o.ServerName
	}
	return subject, strings.TrimLeft(plain.String(), "\n"), rich.String(), nil
}

// said is what a notification shows of an event.
func said(n unread.Notification) string {
	e := n.Event
	switch {
	case e.Membership() == "invite":
		return "invites you"
	case e.Type == "m.room.encrypted":
		return "an encrypted message"
	case e.Type == "m.call.invite":
		return "a call"
	}
	var content struct {
		Body string `json:"body"`
	}
	if json.Unmarshal(e.Content, &content) != nil || content.Body == "" {
		return "something new"
	}
	body := content.Body
	if len(body) > mailText {
		body = body[:mailText]
		for !utf8.ValidString(body) {
			body = body[:len(body)-1]
		}
		body += "…"
	}
	return strings.ReplaceAll(body, "\n", " ")
}
