package console

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/statetree"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// setting is what administrators can change of a room: a field of a state event.
type setting struct {
	Form, Type, Field string
	Label             string
	// Choices are the values there are; none: any text.
	Choices []option
	// otherwise is what holds while there is no such event.
	otherwise string
}

// option is a value and what people call it.
type option struct{ Value, Label string }

var roomSettings = []setting{
	{Form: "name", Type: "m.room.name", Field: "name", Label: "Name"},
	{Form: "topic", Type: "m.room.topic", Field: "topic", Label: "Topic"},
	{Form: "join", Type: "m.room.join_rules", Field: "join_rule", Label: "Who may come in", otherwise: "invite",
		Choices: []option{{"public", "Everybody"}, {"knock", "Who asks and is let in"}, {"invite", "Who is invited"}}},
	{Form: "history", Type: "m.room.history_visibility", Field: "history_visibility", Label: "Who may read what was said before", otherwise: "shared",
		Choices: []option{{"world_readable", "Everybody, also from outside"}, {"shared", "All members"}, {"invited", "Members, since they were invited"}, {"joined", "Members, since they joined"}}},
	{Form: "guests", Type: "m.room.guest_access", Field: "guest_access", Label: "Guests", otherwise: "forbidden", Choices: []option{{"can_join", "may come in"}, {"forbidden", "may not come in"}}},
}

// readingState is the state event by which a room lets everybody read it on a page.
const readingState = "im.landbridge.reading"

// settingValue is a setting as it stands.
type settingValue struct {
	setting
	Value string
}

// settings reads what can be changed of a room.
func (c *Console) settings(ctx context.Context, root statetree.Ref) (out []settingValue, reading bool, err error) {
	for _, s := range roomSettings {
		v := settingValue{s, s.otherwise}
		e, err := c.o.Store.StateEvent(ctx, root, s.Type, "")
		if err == nil {
			if text := e.ContentString(s.Field); text != "" || len(s.Choices) == 0 {
				v.Value = text
			}
		} else if !errors.Is(err, store.ErrNotFound) {
			return nil, false, err
		}
		// A rule of another kind, such as restricted, stays what it is unless it is changed.
		if len(s.Choices) > 0 && !slices.ContainsFunc(s.Choices, func(ch option) bool { return ch.Value == v.Value }) {
			v.Choices = append(slices.Clone(s.Choices), option{v.Value, v.Value})
		}
		out = append(out, v)
	}
	e, err := c.o.Store.StateEvent(ctx, root, readingState, "")
	if errors.Is(err, store.ErrNotFound) {
		return out, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	return out, strings.Contains(strings.ReplaceAll(string(e.Content), " ", ""), `"enabled":true`), nil
}

// asked calls the client-server API as the administrator, who has a member's rights in rooms and no more.
func (v *visit) asked(method, path string, body any) error {
	return v.c.o.Backend.Act(context.WithoutCancel(v.ctx), v.who, method, path, body, nil)
}

// noPower tells what to do where an administrator of the server is none of the room.
func noPower(err error) error {
	if err == nil {
		return nil
	}
	return problemf("%s. Whoever changes a room must be an administrator of it: “Make me an administrator of the room” does that.", strings.TrimSuffix(err.Error(), "."))
}

// roomSet changes what is other than it was.
func (c *Console) roomSet(v *visit, id, back string) error {
	f := v.r.PostForm
	r, err := c.o.Store.RoomByID(v.ctx, id)
	if err != nil {
		return err
	}
	room, err := c.o.Store.LoadRoom(v.ctx, r.NID)
	if err != nil {
		return err
	}
	have, reading, err := c.settings(v.ctx, room.Root)
	if err != nil {
		return err
	}
	listed, err := c.o.Store.IsPublic(v.ctx, r.NID)
	if err != nil {
		return err
	}
	path := "/rooms/" + url.PathEscape(id) + "/state/"
	var changes []string
	var acts []func() error
	for _, s := range have {
		want := strings.TrimSpace(f.Get(s.Form))
		if !f.Has(s.Form) || want == s.Value {
			continue
		}
		if len(s.Choices) > 0 && !slices.ContainsFunc(s.Choices, func(ch option) bool { return ch.Value == want }) {
			return problemf("%q is no value of “%s”.", want, say(s.Label))
		}
		changes = append(changes, s.Type+"="+want)
		acts = append(acts, func() error { return v.asked(http.MethodPut, path+s.Type, map[string]string{s.Field: want}) })
	}
	if want := f.Get("listed") == "yes"; want != listed {
		visibility := map[bool]string{true: "public", false: "private"}[want]
		changes = append(changes, "directory="+visibility)
		acts = append(acts, func() error {
			return v.asked(http.MethodPut, "/directory/list/room/"+url.PathEscape(id), map[string]string{"visibility": visibility})
		})
	}
	if want := f.Get("reading") == "yes"; want != reading {
		changes = append(changes, "reading="+strconv.FormatBool(want))
		acts = append(acts, func() error {
			return v.asked(http.MethodPut, path+readingState, map[string]bool{"enabled": want})
		})
	}
	if len(acts) == 0 {
		return v.done(back, say("Nothing is other than it was."))
	}
	return v.act("change the settings of", id, strings.Join(changes, ", "), back, say("The room is changed."), func() error {
		for _, do := range acts {
			if err := do(); err != nil {
				return noPower(err)
			}
		}
		return nil
	})
}

// redact takes what was said in a message away.
func (v *visit) redact(room, event, reason, back string) error {
	event = strings.TrimSpace(event)
	if !strings.HasPrefix(event, "$") || len(event) > 255 {
		return problemf("Write the id of the event; it begins with $.")
	}
	if !v.sure(question{Text: say("The contents of the event %s are removed for good, here and on all servers that take part.", event), Yes: say("Remove the message"), Back: back}) {
		return nil
	}
	return v.act("remove the message", event+" in "+room, reason, back, say("The message is removed."), func() error {
		body := map[string]string{}
		if reason != "" {
			body["reason"] = reason
		}
		return noPower(v.asked(http.MethodPut, "/rooms/"+url.PathEscape(room)+"/redact/"+url.PathEscape(event)+"/"+rand.Text(), body))
	})
}

// takeCharge makes the administrator one of the room as well.
func (v *visit) takeCharge(id, back string) error {
	return v.act("become an administrator of", id, "", back, say("You are an administrator of the room."), func() error {
		if err := v.api(http.MethodPost, "/v1/rooms/"+url.PathEscape(id)+"/make_room_admin", map[string]any{}, nil); err != nil {
			return err
		}
		return v.asked(http.MethodPost, "/join/"+url.PathEscape(id), map[string]any{})
	})
}

// purge removes what is older than some days.
func (v *visit) purge(id, back string) error {
	days, err := strconv.Atoi(strings.TrimSpace(v.r.PostForm.Get("days")))
	if err != nil || days < 1 || days > 36500 {
		return problemf("%q is no number of days.", v.r.PostForm.Get("days"))
	}
	if !v.sure(question{Text: say("What was said in %s more than %d days ago is deleted from this server.", id, days), Yes: say("Delete it"), Back: back}) {
		return nil
	}
	before := v.c.o.Now().Add(-time.Duration(days) * 24 * time.Hour).UnixMilli()
	return v.act("purge the history of", id, "older than "+strconv.Itoa(days)+" days", back, say("The old history is being deleted."), func() error {
		return v.api(http.MethodPost, "/v1/purge_history/"+url.PathEscape(id), map[string]any{"purge_up_to_ts": before, "delete_local_events": true}, nil)
	})
}
