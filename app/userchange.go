package app

import (
	"context"
	"net/url"

	"github.com/landbridge-im/landbridge/homeserver/console"
)

// userActed is what a command prints that has done something to an account on behalf of an administrator.
type userActed struct {
	UserID string `json:"user_id"`
	As     string `json:"as"`
	Did    string `json:"did"`
	Device string `json:"device_id,omitempty"`
	Answer any    `json:"answer,omitempty"`
}

// userAct does something to the account that a command names.
func userAct(ctx context.Context, c *commander, name string, q console.Act, body any, done func(u console.User) (path string, err error)) (out userActed, err error) {
	var u console.User
	if err := c.do(ctx, "/user/show", console.Named{Name: name}, &u); err != nil {
		return out, err
	}
	if q.Path, err = done(u); err != nil {
		return out, err
	}
	q.To = u.ID
	acted, err := c.act(ctx, q, body)
	if err != nil {
		return out, err
	}
	out = userActed{UserID: u.ID, As: acted.As, Did: q.Did, Device: q.More}
	if len(acted.Answer) > 2 { // more than {}
		out.Answer = acted.Answer
	}
	return out, nil
}

func runUserSignOut(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge user sign-out")
	asJSON, as := fs.Bool("json", false, "print JSON"), fs.String("as", "", asHelp)
	return order{"landbridge user sign-out", "landbridge user sign-out NAME DEVICE [-as ADMIN] [-json] [-c FILE]", 2, fs, func(ctx context.Context, c *commander, args []string) error {
		device := args[1]
		out, err := userAct(ctx, c, args[0], console.Act{As: *as, Method: del, Did: "sign out a device of", More: device}, nil, func(u console.User) (string, error) {
			for _, d := range u.Devices {
				if d.ID == device {
					return "/v2/users/" + url.PathEscape(u.ID) + "/devices/" + url.PathEscape(device), nil
				}
			}
			return "", &exitError{exitFailure, u.ID + " has no device " + device + "; landbridge user show names those there are"}
		})
		if err != nil {
			return err
		}
		return tell(std, *asJSON, out, "Signed out %s of %s", device, out.UserID)
	}}.run(ctx, args, std)
}

func runUserRedact(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge user redact")
	asJSON, as := fs.Bool("json", false, "print JSON"), fs.String("as", "", asHelp)
	reason := fs.String("reason", "", "`why`, for all to read")
	return order{"landbridge user redact", "landbridge user redact NAME [-reason TEXT] [-as ADMIN] [-json] [-c FILE]", 1, fs, func(ctx context.Context, c *commander, args []string) error {
		body := map[string]any{"rooms": []string{}}
		if *reason != "" {
			body["reason"] = *reason
		}
		out, err := userAct(ctx, c, args[0], console.Act{As: *as, Method: post, Did: "redact"}, body, func(u console.User) (string, error) {
			return "/v1/user/" + url.PathEscape(u.ID) + "/redact", nil
		})
		if err != nil {
			return err
		}
		return tell(std, *asJSON, out, "What %s said is being removed", out.UserID)
	}}.run(ctx, args, std)
}
