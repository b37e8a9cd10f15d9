package client

import (
	"encoding/json/jsontext"
	"net/http"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/notices"
)

// noticeRoutes are the endpoints of Synapse's admin API for server notices, which tools use.
func (a *API) noticeRoutes() {
	root := []string{"/_synapse/admin/v1"}
	a.on(http.MethodPost, root, "/send_server_notice", user, a.sendNotice)
	a.on(http.MethodPut, root, "/send_server_notice/{txnId}", user, a.sendNotice)
}

// sendNotice is POST /_synapse/admin/v1/send_server_notice, and PUT with a transaction id.
func (a *API) sendNotice(c *call) (any, error) {
	if !c.session.Admin {
		return nil, mxerror.Forbidden("Only administrators of the server send notices.")
	}
	var q struct {
		UserID   string         `json:"user_id"`
		Type     string         `json:"type"`
		StateKey *string        `json:"state_key"`
		Content  jsontext.Value `json:"content"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if q.UserID == "" || q.Content == nil {
		return nil, mxerror.MissingParam("user_id and content are needed.")
	}
	if err := checkUserID(q.UserID); err != nil {
		return nil, err
	}
	n := notices.Notice{Type: q.Type, StateKey: q.StateKey, Content: q.Content}
	if len(c.params) > 0 {
		n.TxnScope, n.Txn = c.session.Scope(), event.TxnKey("send_server_notice", c.params[0])
	}
	id, err := a.o.Notices.Send(c.ctx, q.UserID, n)
	if err != nil {
		return nil, err
	}
	return eventIDReply{id}, nil
}
