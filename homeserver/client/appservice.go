package client

import (
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// pingService is POST /v1/appservice/{appserviceId}/ping.
func (a *API) pingService(c *call) (any, error) {
	var q struct {
		Txn string `json:"transaction_id"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if c.session.Service == nil || c.session.Service.ID != c.params[0] {
		return nil, mxerror.Forbidden("Only the application service itself may ask for this.")
	}
	d, err := a.o.Services.Ping(c.ctx, c.session.Service, q.Txn)
	if err != nil {
		return nil, err
	}
	return map[string]int64{"duration_ms": d.Milliseconds()}, nil
}
