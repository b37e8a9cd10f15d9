package app

import (
	"context"
	"encoding/json/v2"
	"fmt"
	"net/http"

	"github.com/landbridge-im/landbridge/homeserver/console"
)

const asHelp = "the administrator on whose `behalf` it is done; without it, the first there is"

// act has a server do an Act, with a body of any kind.
func (c *commander) act(ctx context.Context, q console.Act, body any) (out console.Acted, err error) {
	if body != nil {
		if q.Body, err = json.Marshal(body, json.Deterministic(true)); err != nil {
			return out, err
		}
	}
	return out, c.do(ctx, "/act", q, &out)
}

// tell prints what was done: JSON for programs, or a sentence.
func tell(std stdio, asJSON bool, what any, format string, args ...any) error {
	if asJSON {
		return printJSON(std, what)
	}
	_, err := fmt.Fprintf(std.Out, format+"\n", args...)
	return err
}

// Methods of the APIs, to be short.
const (
	put  = http.MethodPut
	post = http.MethodPost
	del  = http.MethodDelete
)
