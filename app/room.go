package app

import (
	"context"
	"strconv"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/console"
)

// runRoom is "landbridge room".
func runRoom(ctx context.Context, args []string, std stdio) error {
	return dispatch(ctx, "landbridge room", []command{
		{"list", "list the rooms", runRoomList},
		{"show", "show a room", runRoomShow},
		{"set", "change name, topic, who may come in and read, on behalf of an administrator", runRoomSet},
		{"admin", "give somebody of this server the most power in a room", runRoomAdmin},
		{"redact", "remove the contents of a message", runRoomRedact},
		{"block", "let nobody join any more; -undo ends it", runRoomBlock},
		{"purge", "delete old history from this server", runRoomPurge},
		{"delete", "have everybody here leave, and delete the room from this server", runRoomDelete},
	}, args, std)
}

func runRoomList(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge room list")
	asJSON := fs.Bool("json", false, "print JSON, a room a line")
	return order{"landbridge room list", "landbridge room list [-json] [-c FILE]", 0, fs, func(ctx context.Context, c *commander, _ []string) error {
		rows := [][]string{{"ROOM", "JOINED", "NAME", "ALIASES"}}
		for page := (console.Page{}); ; {
			var out console.Rooms
			if err := c.do(ctx, "/room/list", page, &out); err != nil {
				return err
			}
			for _, r := range out.Rooms {
				if *asJSON {
					if err := printJSON(std, r); err != nil {
						return err
					}
					continue
				}
				rows = append(rows, []string{r.ID, strconv.FormatInt(r.Joined, 10), strconv.Quote(r.Name), strings.Join(r.Aliases, " ")})
			}
			if page.After = out.Next; page.After == 0 {
				break
			}
		}
		if *asJSON {
			return nil
		}
		return table(std, rows)
	}}.run(ctx, args, std)
}

func runRoomShow(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge room show")
	asJSON := fs.Bool("json", false, "print JSON")
	return order{"landbridge room show", "landbridge room show ROOM_OR_ALIAS [-json] [-c FILE]", 1, fs, func(ctx context.Context, c *commander, args []string) error {
		var r console.Room
		if err := c.do(ctx, "/room/show", console.Named{Name: args[0]}, &r); err != nil {
			return err
		}
		if *asJSON {
			return printJSON(std, r)
		}
		// Names are written by strangers: quoted, they can't play tricks with a terminal.
		return table(std, [][]string{{r.ID, strconv.Quote(r.Name)}, {"version", r.Version}, {"since", when(r.CreatedTS, "")}, {"joined", strconv.FormatInt(r.Joined, 10)},
			{"invited", strconv.FormatInt(r.Invited, 10)}, {"join rule", r.JoinRule}, {"encrypted", strconv.FormatBool(r.Encrypted)}, {"in the directory", strconv.FormatBool(r.Public)},
			{"aliases", strings.Join(r.Aliases, " ")}})
	}}.run(ctx, args, std)
}
