package console

import (
	"context"
	"net/http"

	"github.com/landbridge-im/landbridge/homeserver/claims"
)

// ClaimsOf names a bridge, and perhaps a person of its network.
type ClaimsOf struct {
	Service string `json:"service"`
	Person  string `json:"person,omitempty"`
}

// Reminded tells how many people are reminded.
type Reminded struct {
	Count int `json:"count"`
}

func (c *console) claimCommands(mux *http.ServeMux) {
	serve(mux, c, "/claims/invite", c.o.Claims.Invite)
	serve(mux, c, "/claims/list", c.o.Claims.List)
	serve(mux, c, "/claims/overview", func(ctx context.Context, q ClaimsOf) (claims.Overview, error) {
		return c.o.Claims.Overview(ctx, q.Service)
	})
	serve(mux, c, "/claims/remind", func(ctx context.Context, q ClaimsOf) (out Reminded, err error) {
		out.Count, err = c.o.Claims.Remind(ctx, q.Service)
		return out, err
	})
	serve(mux, c, "/claims/unlink", func(ctx context.Context, q ClaimsOf) (struct{}, error) {
		return struct{}{}, c.o.Claims.Unlink(ctx, q.Service, q.Person)
	})
}
