package homeserver

import (
	"cmp"
	"context"
	"encoding/json/v2"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/internal/inproc"
)

// readingType is the state event by which a room lets everybody read it on a page.
const readingType = "im.landbridge.reading"

// Readable finds a room by its alias or id that is to be read by everybody: its history is readable by
// the world, and it has asked for it. false if there is none such.
func (s *Server) Readable(ctx context.Context, name string) (r PublicRoom, ok bool, err error) {
	var nid int64
	if strings.HasPrefix(name, "#") {
		a, err := s.store.Alias(ctx, name)
		if err != nil {
			return r, false, ignore(err)
		}
		nid = a.Room
	} else {
		n, err := s.store.RoomByID(ctx, name)
		if err != nil {
			return r, false, ignore(err)
		}
		nid = n.NID
	}
	room, err := s.store.LoadRoom(ctx, nid)
	if err != nil {
		return r, false, ignore(err)
	}
	wanted, err := s.store.StateEvent(ctx, room.Root, readingType, "")
	if err != nil {
		return r, false, ignore(err)
	}
	visibility, err := s.store.StateEvent(ctx, room.Root, "m.room.history_visibility", "")
	if err != nil {
		return r, false, ignore(err)
	}
	if gjson.GetBytes(wanted.Content, "enabled").Type != gjson.True || visibility.ContentString("history_visibility") != "world_readable" {
		return r, false, nil
	}
	r, err = s.publicRoom(ctx, nid)
	return r, err == nil, err
}

// ignore makes no error of what is not there.
func ignore(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// Said is a message for readers without an account.
type Said struct {
	ID, UserID, Name, Text, Kind string
	At                           time.Time
	Edited                       bool
}

// readingPage is how many events a page of history has.
const readingPage = 100

// stranger is somebody who is in no room: a number that no account has.
const stranger = -1

// ReadHistory gives messages of a room from before a point of /messages ("" for the newest), oldest
// first, as somebody sees them who is not in it.
func (s *Server) ReadHistory(ctx context.Context, room, before string) (list []Said, older string, err error) {
	ctx = client.WithSession(ctx, &accounts.Session{UserID: "@:" + s.o.Name, User: stranger, Kind: "guest", Guest: true})
	older = before
	// Of what is asked for, little may be messages: then there is more to ask for.
	for range readingRounds {
		var part []Said
		if part, older, err = s.readPart(ctx, room, older); err != nil {
			return nil, "", err
		}
		list = append(list, part...)
		if older == "" || len(list) >= readingPage {
			break
		}
	}
	slices.Reverse(list)
	return list, older, nil
}

// readingRounds bounds how often a page of history is asked for.
const readingRounds = 10

// readPart gives messages from before a point, newest first, and where the rest begins.
func (s *Server) readPart(ctx context.Context, room, before string) (list []Said, older string, err error) {
	q := url.Values{"dir": {"b"}, "limit": {strconv.Itoa(readingPage)}, "filter": {`{"lazy_load_members":true,"types":["m.room.message","m.sticker"]}`}}
	if before != "" {
		q.Set("from", before)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://in-process/_matrix/client/v3/rooms/"+url.PathEscape(room)+"/messages?"+q.Encode(), nil)
	if err != nil {
		return nil, "", err
	}
	res, err := inproc.Transport(s.client).RoundTrip(req)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, "", fmt.Errorf("reading a room's history: %w", err)
	}
	if res.StatusCode == http.StatusBadRequest || res.StatusCode == http.StatusForbidden {
		return nil, "", nil // a point that is none, or a room that has just been closed
	}
	if res.StatusCode != http.StatusOK {
		return nil, "", errors.New("reading a room's history: " + res.Status)
	}
	var page struct {
		End   string         `json:"end"`
		Chunk []readingEvent `json:"chunk"`
		State []readingEvent `json:"state"`
	}
	if err := json.Unmarshal(raw, &page); err != nil {
		return nil, "", fmt.Errorf("reading a room's history: %w", err)
	}
	names := map[string]string{}
	for _, e := range page.State {
		if e.Type == "m.room.member" && e.StateKey != nil {
			names[*e.StateKey] = e.text("displayname")
		}
	}
	for _, e := range page.Chunk {
		if m, ok := e.said(); ok {
			m.Name = cmp.Or(names[e.Sender], e.Sender)
			list = append(list, m)
		}
	}
	return list, page.End, nil
}

type readingEvent struct {
	Type     string         `json:"type"`
	ID       string         `json:"event_id"`
	Sender   string         `json:"sender"`
	StateKey *string        `json:"state_key"`
	TS       int64          `json:"origin_server_ts"`
	Content  map[string]any `json:"content"`
	Unsigned struct {
		Relations struct {
			Replace *readingEvent `json:"m.replace"`
		} `json:"m.relations"`
	} `json:"unsigned"`
}

func (e readingEvent) text(key string) string {
	s, _ := e.Content[key].(string)
	return s
}

// said is the event as a message; false if it is none by itself: redacted, or an edit of another one.
func (e readingEvent) said() (m Said, ok bool) {
	content := e.Content
	if relation, _ := content["m.relates_to"].(map[string]any); relation["rel_type"] == "m.replace" {
		return m, false
	}
	if edit := e.Unsigned.Relations.Replace; edit != nil {
		if fresh, isMap := edit.Content["m.new_content"].(map[string]any); isMap {
			content, m.Edited = fresh, true
		}
	}
	body, _ := content["body"].(string)
	kind, _ := content["msgtype"].(string)
	if body == "" {
		return m, false
	}
	m.ID, m.UserID, m.At, m.Text = e.ID, e.Sender, time.UnixMilli(e.TS), withoutFallback(body)
	switch kind = strings.TrimPrefix(kind, "m."); kind {
	case "notice", "emote", "image", "video", "audio", "file":
		m.Kind = kind
	}
	return m, true
}

// withoutFallback removes the quotation that clients of old put before a reply.
func withoutFallback(body string) string {
	if !strings.HasPrefix(body, "> <@") {
		return body
	}
	rest := body
	for strings.HasPrefix(rest, ">") {
		_, after, ok := strings.Cut(rest, "\n")
		if !ok {
			return body
		}
		rest = after
	}
	return strings.TrimPrefix(rest, "\n")
}
