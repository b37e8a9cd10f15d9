package app

import (
	"context"
	"strconv"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/console"
)

// runToken is "landbridge token".
func runToken(ctx context.Context, args []string, std stdio) error {
	return dispatch(ctx, "landbridge token", []command{
		{"create", "make a registration token", runTokenCreate},
		{"list", "list the registration tokens", runTokenList},
		{"delete", "delete a registration token", runTokenDelete},
	}, args, std)
}

func runTokenCreate(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge token create")
	asJSON := fs.Bool("json", false, "print JSON")
	uses := fs.Int64("uses", 1, "how `often` it may be used; 0 for as often as one likes")
	expires := fs.Duration("expires", 0, "for how `long` it is good, such as 72h; 0 for ever")
	admin := fs.Bool("admin", false, "whoever uses it becomes an administrator")
	text := fs.String("token", "", "the `token`; without it, one is made up")
	return order{"landbridge token create", "landbridge token create [-uses N] [-expires TIME] [-admin] [-token TOKEN] [-json] [-c FILE]", 0, fs, func(ctx context.Context, c *commander, _ []string) error {
		if *uses < 0 || *expires < 0 {
			return usageError("landbridge token create: -uses and -expires must not be negative")
		}
		q := console.Token{Token: *text, Uses: *uses, Admin: *admin}
		if *expires > 0 {
			q.ExpiresTS = time.Now().Add(*expires).UnixMilli()
		}
		var k console.Token
		if err := c.do(ctx, "/token/create", q, &k); err != nil {
			return err
		}
		return tell(std, *asJSON, k, "%s", k.Token)
	}}.run(ctx, args, std)
}

func runTokenList(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge token list")
	asJSON := fs.Bool("json", false, "print JSON, a token a line")
	return order{"landbridge token list", "landbridge token list [-json] [-c FILE]", 0, fs, func(ctx context.Context, c *commander, _ []string) error {
		var out console.Tokens
		if err := c.do(ctx, "/token/list", struct{}{}, &out); err != nil {
			return err
		}
		rows := [][]string{{"TOKEN", "USED", "OF", "UNTIL", ""}}
		for _, k := range out.Tokens {
			if *asJSON {
				if err := printJSON(std, k); err != nil {
					return err
				}
				continue
			}
			of, admin := "any", ""
			if k.Uses > 0 {
				of = strconv.FormatInt(k.Uses, 10)
			}
			if k.Admin {
				admin = "makes an administrator"
			}
			rows = append(rows, []string{k.Token, strconv.FormatInt(k.Used, 10), of, when(k.ExpiresTS, "for ever"), admin})
		}
		if *asJSON {
			return nil
		}
		return table(std, rows)
	}}.run(ctx, args, std)
}

func runTokenDelete(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge token delete")
	asJSON := fs.Bool("json", false, "print JSON")
	return order{"landbridge token delete", "landbridge token delete TOKEN [-json] [-c FILE]", 1, fs, func(ctx context.Context, c *commander, args []string) error {
		var k console.Token
		if err := c.do(ctx, "/token/delete", console.Named{Name: args[0]}, &k); err != nil {
			return err
		}
		return tell(std, *asJSON, k, "Deleted %s", k.Token)
	}}.run(ctx, args, std)
}
