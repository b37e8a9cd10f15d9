package app

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/console"
)

// runUser is "landbridge user".
func runUser(ctx context.Context, args []string, std stdio) error {
	return dispatch(ctx, "landbridge user", []command{
		{"create", "make an account", runUserCreate},
		{"list", "list the accounts", runUserList},
		{"show", "show an account with its devices", runUserShow},
		{"password", "set a new password", runUserPassword},
		{"sign-out", "sign out one device of an account", runUserSignOut},
		{"redact", "remove all that somebody said in rooms of this server", runUserRedact},
		{"deactivate", "close an account for good", runUserDeactivate},
		{"suspend", "let somebody look but not act; -undo ends it", runUserSuspend},
		{"lock", "shut somebody out; -undo lets them in", runUserLock},
		{"admin", "make somebody an administrator; -undo ends it", runUserAdmin},
	}, args, std)
}

// passwordFlag is where a new password comes from: a file, standard input ("-"), or nowhere, and then
// it is made up.
func passwordFlag(path string, std stdio) (password string, made bool, err error) {
	var raw []byte
	switch path {
	case "":
		return rand.Text(), true, nil
	case "-":
		raw, err = io.ReadAll(io.LimitReader(std.In, 4096))
	default:
		raw, err = os.ReadFile(path)
	}
	if err != nil {
		return "", false, fmt.Errorf("reading the password: %w", err)
	}
	password = strings.TrimRight(string(raw), "\r\n")
	if password == "" || strings.ContainsAny(password, "\r\n") {
		return "", false, &exitError{exitFailure, "the password must be one line"}
	}
	return password, false, nil
}

const passwordHelp = "`file` with the password, - for standard input; without it, one is made up and printed"

// withPassword is an account with the password that was made up for it.
type withPassword struct {
	console.User
	Password string `json:"password,omitempty"`
}

// tellAccount tells what was done to an account, and the password if it was made up.
func tellAccount(std stdio, asJSON bool, u console.User, said, password string, made bool) error {
	if !made {
		return tell(std, asJSON, u, "%s", said)
	}
	return tell(std, asJSON, withPassword{u, password}, "%s\nThe password of %s is %s", said, u.ID, password)
}

func runUserCreate(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge user create")
	asJSON := fs.Bool("json", false, "print JSON")
	file := fs.String("password-file", "", passwordHelp)
	admin := fs.Bool("admin", false, "make an administrator")
	name := fs.String("display-name", "", "display `name`")
	return order{"landbridge user create", "landbridge user create NAME [-admin] [-display-name NAME] [-password-file FILE] [-json] [-c FILE]", 1, fs, func(ctx context.Context, c *commander, args []string) error {
		password, made, err := passwordFlag(*file, std)
		if err != nil {
			return err
		}
		var u console.User
		if err := c.do(ctx, "/user/create", console.CreateUser{Name: args[0], Password: password, DisplayName: *name, Admin: *admin}, &u); err != nil {
			return err
		}
		return tellAccount(std, *asJSON, u, "Made "+u.ID, password, made)
	}}.run(ctx, args, std)
}

// marks are what is special about an account.
func marks(u console.User) string {
	var out []string
	for _, m := range []struct {
		name string
		on   bool
	}{{"admin", u.Admin}, {"suspended", u.Suspended}, {"locked", u.Locked}, {"deactivated", u.Deactivated}, {"guest", u.Kind == "guest"}, {"of " + u.Service, u.Service != ""}} {
		if m.on {
			out = append(out, m.name)
		}
	}
	return strings.Join(out, ", ")
}

func runUserList(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge user list")
	asJSON := fs.Bool("json", false, "print JSON, an account a line")
	all := fs.Bool("all", false, "list the users of application services and deactivated accounts too")
	return order{"landbridge user list", "landbridge user list [-all] [-json] [-c FILE]", 0, fs, func(ctx context.Context, c *commander, _ []string) error {
		rows := [][]string{{"USER", "SINCE", ""}}
		for page := (console.Page{}); ; {
			var out console.Users
			if err := c.do(ctx, "/user/list", page, &out); err != nil {
				return err
			}
			for _, u := range out.Users {
				switch {
				case !*all && (u.Service != "" || u.Deactivated):
				case *asJSON:
					if err := printJSON(std, u); err != nil {
						return err
					}
				default:
					rows = append(rows, []string{u.ID, when(u.CreatedTS, ""), marks(u)})
				}
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

func runUserShow(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge user show")
	asJSON := fs.Bool("json", false, "print JSON")
	return order{"landbridge user show", "landbridge user show NAME [-json] [-c FILE]", 1, fs, func(ctx context.Context, c *commander, args []string) error {
		var u console.User
		if err := c.do(ctx, "/user/show", console.Named{Name: args[0]}, &u); err != nil {
			return err
		}
		if *asJSON {
			return printJSON(std, u)
		}
		rows := [][]string{{u.ID, marks(u)}, {"since", when(u.CreatedTS, "")}, {"addresses", strings.Join(u.Addresses, ", ")}, {"rooms", strconv.Itoa(u.Rooms)}}
		for _, d := range u.Devices {
			rows = append(rows, []string{"device " + d.ID, strings.TrimSpace(strconv.Quote(d.Name) + " seen " + when(d.LastSeenTS, "never") + " " + d.LastSeenIP)})
		}
		return table(std, rows)
	}}.run(ctx, args, std)
}

func runUserPassword(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge user password")
	asJSON := fs.Bool("json", false, "print JSON")
	file := fs.String("password-file", "", passwordHelp)
	keep := fs.Bool("keep-devices", false, "leave the user's devices logged in")
	return order{"landbridge user password", "landbridge user password NAME [-keep-devices] [-password-file FILE] [-json] [-c FILE]", 1, fs, func(ctx context.Context, c *commander, args []string) error {
		password, made, err := passwordFlag(*file, std)
		if err != nil {
			return err
		}
		var u console.User
		if err := c.do(ctx, "/user/password", console.SetPassword{Name: args[0], Password: password, Keep: *keep}, &u); err != nil {
			return err
		}
		return tellAccount(std, *asJSON, u, "Changed the password of "+u.ID, password, made)
	}}.run(ctx, args, std)
}

func runUserDeactivate(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge user deactivate")
	asJSON := fs.Bool("json", false, "print JSON")
	erase := fs.Bool("erase", false, "erase profile and data, and hide messages from those who come later")
	return order{"landbridge user deactivate", "landbridge user deactivate NAME [-erase] [-json] [-c FILE]", 1, fs, func(ctx context.Context, c *commander, args []string) error {
		var u console.User
		if err := c.do(ctx, "/user/deactivate", console.Deactivate{Name: args[0], Erase: *erase}, &u); err != nil {
			return err
		}
		return tell(std, *asJSON, u, "Deactivated %s", u.ID)
	}}.run(ctx, args, std)
}

// setUser is a subcommand that sets one mark of an account, or takes it away.
func setUser(ctx context.Context, args []string, std stdio, verb string, set func(q *console.SetUser, on *bool)) error {
	name := "landbridge user " + verb
	fs := newFlags(name)
	asJSON := fs.Bool("json", false, "print JSON")
	undo := fs.Bool("undo", false, "the opposite")
	return order{name, name + " NAME [-undo] [-json] [-c FILE]", 1, fs, func(ctx context.Context, c *commander, args []string) error {
		q, on := console.SetUser{Name: args[0]}, !*undo
		set(&q, &on)
		var u console.User
		if err := c.do(ctx, "/user/set", q, &u); err != nil {
			return err
		}
		m := marks(u)
		if m == "" {
			m = "an ordinary user"
		}
		return tell(std, *asJSON, u, "%s is now %s", u.ID, m)
	}}.run(ctx, args, std)
}

func runUserSuspend(ctx context.Context, args []string, std stdio) error {
	return setUser(ctx, args, std, "suspend", func(q *console.SetUser, on *bool) { q.Suspended = on })
}

func runUserLock(ctx context.Context, args []string, std stdio) error {
	return setUser(ctx, args, std, "lock", func(q *console.SetUser, on *bool) { q.Locked = on })
}

func runUserAdmin(ctx context.Context, args []string, std stdio) error {
	return setUser(ctx, args, std, "admin", func(q *console.SetUser, on *bool) { q.Admin = on })
}
