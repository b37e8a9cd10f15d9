package console

import (
	"context"
	"net/http"

	"github.com/landbridge-im/landbridge/homeserver/cutover"
)

func (c *console) cutoverCommands(mux *http.ServeMux) {
	serve(mux, c, "/cutover/want", c.o.Cutover.Want)
	serve(mux, c, "/cutover/report", func(ctx context.Context, q ClaimsOf) (cutover.Report, error) {
		return c.o.Cutover.Report(ctx, q.Service)
	})
}
