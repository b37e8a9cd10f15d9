package app

import (
	"context"
	"crypto/rand"
	"flag"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/console"
)

// roomOrder is a command that does something to a room, whose id it is given, on behalf of an administrator.
func roomOrder(name, usage string, args int, std stdio, flags func(o *roomChange)) func(ctx context.Context, words []string) error {
	return func(ctx context.Context, words []string) error {
		fs := newFlags(name)
		ch := &roomChange{std: std, asJSON: fs.Bool("json", false, "print JSON"), as: fs.String("as", "", asHelp), order: order{name, usage, args, fs, nil}}
		flags(ch)
		ch.order.do = func(ctx context.Context, c *commander, args []string) error {
			var r console.Room
			if err := c.do(ctx, "/room/show", console.Named{Name: args[0]}, &r); err != nil {
				return err
			}
			return ch.do(ctx, c, r.ID, args[1:])
		}
		return ch.order.run(ctx, words, std)
	}
}

// roomChange is such a command.
type roomChange struct {
	order  order
	std    stdio
	asJSON *bool
	as     *string
	do     func(ctx context.Context, c *commander, room string, args []string) error
}

// changed is what a command prints that has changed a room.
type roomChanged struct {
	RoomID string `json:"room_id"`
	As     string `json:"as"`
	Did    string `json:"did"`
	Answer any    `json:"answer,omitempty"`
}

// act does one thing and tells of it.
func (ch *roomChange) act(ctx context.Context, c *commander, room string, q console.Act, body any, said string) error {
	q.As, q.To = *ch.as, room
	out, err := c.act(ctx, q, body)
	if err != nil {
		return err
	}
	return tell(ch.std, *ch.asJSON, roomChanged{room, out.As, q.Did, out.Answer}, "%s: %s", room, said)
}

func runRoomBlock(ctx context.Context, args []string, std stdio) error {
	return roomOrder("landbridge room block", "landbridge room block ROOM_OR_ALIAS [-undo] [-as ADMIN] [-json] [-c FILE]", 1, std, func(ch *roomChange) {
		undo := ch.order.flags.Bool("undo", false, "let people join again")
		ch.do = func(ctx context.Context, c *commander, room string, _ []string) error {
			did, said := "block", "nobody can join any more"
			if *undo {
				did, said = "unblock", "people can join again"
			}
			return ch.act(ctx, c, room, console.Act{Method: put, Path: "/v1/rooms/" + url.PathEscape(room) + "/block", Did: did}, map[string]bool{"block": !*undo}, said)
		}
	})(ctx, args)
}

func runRoomDelete(ctx context.Context, args []string, std stdio) error {
	return roomOrder("landbridge room delete", "landbridge room delete ROOM_OR_ALIAS [-block] [-as ADMIN] [-json] [-c FILE]", 1, std, func(ch *roomChange) {
		block := ch.order.flags.Bool("block", false, "let nobody of this server join it again")
		ch.do = func(ctx context.Context, c *commander, room string, _ []string) error {
			return ch.act(ctx, c, room, console.Act{Method: del, Path: "/v2/rooms/" + url.PathEscape(room), Did: "delete"}, map[string]bool{"purge": true, "block": *block}, "is being deleted")
		}
	})(ctx, args)
}

func runRoomPurge(ctx context.Context, args []string, std stdio) error {
	return roomOrder("landbridge room purge", "landbridge room purge ROOM_OR_ALIAS -older TIME [-as ADMIN] [-json] [-c FILE]", 1, std, func(ch *roomChange) {
		older := ch.order.flags.Duration("older", 0, "delete what was said longer `ago`, such as 720h")
		ch.do = func(ctx context.Context, c *commander, room string, _ []string) error {
			if *older <= 0 {
				return usageError("landbridge room purge: -older is missing")
			}
			return ch.act(ctx, c, room, console.Act{Method: post, Path: "/v1/purge_history/" + url.PathEscape(room), Did: "purge the history of", More: "older than " + older.String()},
				map[string]any{"purge_up_to_ts": time.Now().Add(-*older).UnixMilli(), "delete_local_events": true}, "old history is being deleted")
		}
	})(ctx, args)
}

func runRoomAdmin(ctx context.Context, args []string, std stdio) error {
	return roomOrder("landbridge room admin", "landbridge room admin ROOM_OR_ALIAS [USER] [-as ADMIN] [-json] [-c FILE]", -1, std, func(ch *roomChange) {
		ch.do = func(ctx context.Context, c *commander, room string, args []string) error {
			body := map[string]string{}
			if len(args) > 0 {
				var u console.User
				if err := c.do(ctx, "/user/show", console.Named{Name: args[0]}, &u); err != nil {
					return err
				}
				body["user_id"] = u.ID
			}
			path := url.PathEscape(room)
			if err := ch.act(ctx, c, room, console.Act{Method: post, Path: "/v1/rooms/" + path + "/make_room_admin", Did: "make an administrator of", More: body["user_id"]}, body,
				"has another administrator"); err != nil || len(args) > 0 {
				return err
			}
			_, err := c.act(ctx, console.Act{As: *ch.as, Client: true, Method: post, Path: "/join/" + path}, map[string]any{})
			return err
		}
	})(ctx, args)
}

func runRoomRedact(ctx context.Context, args []string, std stdio) error {
	return roomOrder("landbridge room redact", "landbridge room redact ROOM_OR_ALIAS EVENT [-reason TEXT] [-as ADMIN] [-json] [-c FILE]", 2, std, func(ch *roomChange) {
		reason := ch.order.flags.String("reason", "", "`why`, for all to read")
		ch.do = func(ctx context.Context, c *commander, room string, args []string) error {
			body := map[string]string{}
			if *reason != "" {
				body["reason"] = *reason
			}
			return ch.act(ctx, c, room, console.Act{Client: true, Method: put, Path: "/rooms/" + url.PathEscape(room) + "/redact/" + url.PathEscape(args[0]) + "/" + rand.Text(),
				Did: "remove the message", More: args[0]}, body, args[0]+" is removed")
		}
	})(ctx, args)
}

// roomFields are the settings of "landbridge room set": the flag, the state event and its field, and what is said of it.
var roomFields = []struct {
	flag, typ, field, usage string
	values                  []string // those there are; none: any text
}{
	{"name", "m.room.name", "name", "the `name`", nil},
	{"topic", "m.room.topic", "topic", "the `topic`", nil},
	{"join", "m.room.join_rules", "join_rule", "who may come `in`: public, knock or invite", []string{"public", "knock", "invite"}},
	{"history", "m.room.history_visibility", "history_visibility", "who may read what was said `before`: world_readable, shared, invited or joined", []string{"world_readable", "shared", "invited", "joined"}},
	{"guests", "m.room.guest_access", "guest_access", "whether `guests` may come in: can_join or forbidden", []string{"can_join", "forbidden"}},
}

func runRoomSet(ctx context.Context, args []string, std stdio) error {
	usage := "landbridge room set ROOM_OR_ALIAS [-name TEXT] [-topic TEXT] [-join RULE] [-history WHO] [-guests RULE] [-listed yes|no] [-reading yes|no] [-as ADMIN] [-json] [-c FILE]"
	return roomOrder("landbridge room set", usage, 1, std, func(ch *roomChange) {
		fs := ch.order.flags
		values := make([]*string, len(roomFields))
		for i, f := range roomFields {
			values[i] = fs.String(f.flag, "", f.usage)
		}
		listed := fs.String("listed", "", "whether it is in the `directory` of public rooms: yes or no")
		reading := fs.String("reading", "", "whether everybody may read it on a `page`: yes or no")
		ch.do = func(ctx context.Context, c *commander, room string, _ []string) error {
			given := map[string]bool{}
			fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
			path := "/rooms/" + url.PathEscape(room) + "/state/"
			var acts []console.Act
			var bodies []any
			add := func(path, more string, body any) {
				acts, bodies = append(acts, console.Act{Client: true, Method: put, Path: path, Did: "change the settings of", More: more}), append(bodies, body)
			}
			for i, f := range roomFields {
				if given[f.flag] {
					if f.values != nil && !slices.Contains(f.values, *values[i]) {
						return usageError("landbridge room set: -%s is one of %s, not %q", f.flag, strings.Join(f.values, ", "), *values[i])
					}
					add(path+f.typ, f.typ+"="+*values[i], map[string]string{f.field: *values[i]})
				}
			}
			for _, f := range []struct{ name, value string }{{"listed", *listed}, {"reading", *reading}} {
				switch {
				case !given[f.name]:
				case f.value != "yes" && f.value != "no":
					return usageError("landbridge room set: -%s is yes or no, not %q", f.name, f.value)
				case f.name == "listed":
					visibility := map[string]string{"yes": "public", "no": "private"}[f.value]
					add("/directory/list/room/"+url.PathEscape(room), "directory="+visibility, map[string]string{"visibility": visibility})
				default:
					add(path+"im.landbridge.reading", "reading="+f.value, map[string]bool{"enabled": f.value == "yes"})
				}
			}
			if len(acts) == 0 {
				return usageError("landbridge room set: nothing is to be changed\nUsage: %s", usage)
			}
			var did []string
			as := ""
			for i, a := range acts {
				a.As, a.To = *ch.as, room
				out, err := c.act(ctx, a, bodies[i])
				if err != nil {
					return err
				}
				did, as = append(did, a.More), out.As
			}
			return tell(std, *ch.asJSON, roomChanged{RoomID: room, As: as, Did: strings.Join(did, ", ")}, "%s: %s", room, strings.Join(did, ", "))
		}
	})(ctx, args)
}
