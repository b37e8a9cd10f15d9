package client

import (
	"encoding/json/jsontext"
	"net/http"

	"github.com/landbridge-im/landbridge/homeserver/keys"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/sync"
)

// keyRoutes mounts the endpoints of keys of devices and users, and of messages to devices.
func (a *API) keyRoutes() {
	const put, post = http.MethodPut, http.MethodPost
	a.on(post, v3, "/keys/upload", user, a.keysUpload)
	a.on(post, v3, "/keys/query", user, a.keysQuery)
	a.on(post, v3, "/keys/claim", user, a.keysClaim)
	a.on(http.MethodGet, v3, "/keys/changes", user, a.keysChanges)
	// Older clients know these two by the prefix from before they were in the specification.
	crossSigning := append([]string{"/_matrix/client/unstable"}, v3...)
	a.on(post, crossSigning, "/keys/device_signing/upload", user, a.crossSigning)
	a.on(post, crossSigning, "/keys/signatures/upload", user, a.signatures)
	a.on(put, v3, "/sendToDevice/{eventType}/{txnId}", user, a.sendToDevice)
}

// owner is the session as the keys know it.
func (c *call) owner() keys.Owner {
	s := c.session
	return keys.Owner{UserID: s.UserID, UserNID: s.User, DeviceID: s.DeviceID, DeviceNID: s.Device}
}

// keysUpload is POST /keys/upload.
func (a *API) keysUpload(c *call) (any, error) {
	var q keys.UploadRequest
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if c.session.DeviceID == "" {
		return nil, mxerror.InvalidParam("Keys belong to a device: name one with device_id.")
	}
	return a.o.Keys.Upload(c.ctx, c.owner(), q)
}

// keysQuery is POST /keys/query.
func (a *API) keysQuery(c *call) (any, error) {
	var q keys.QueryRequest
	if err := c.body(&q); err != nil {
		return nil, err
	}
	return a.o.Keys.Query(c.ctx, c.owner(), q)
}

// keysClaim is POST /keys/claim.
func (a *API) keysClaim(c *call) (any, error) {
	var q keys.ClaimRequest
	if err := c.body(&q); err != nil {
		return nil, err
	}
	return a.o.Keys.Claim(c.ctx, q)
}

// keysChanges is GET /keys/changes.
func (a *API) keysChanges(c *call) (any, error) {
	from, err := sync.ParseToken(c.query.Get("from"))
	if err != nil {
		return nil, err
	}
	to, err := sync.ParseToken(c.query.Get("to"))
	if err != nil {
		return nil, err
	}
	return a.o.Sync.DeviceLists(c.ctx, c.session.UserID, c.session.User, from, to)
}

// crossSigning is POST /keys/device_signing/upload.
func (a *API) crossSigning(c *call) (any, error) {
	raw, err := a.interactiveBody(c)
	if err != nil {
		return nil, err
	}
	var q keys.CrossSigningRequest
	if err := parse(raw, &q); err != nil {
		return nil, err
	}
	ask, err := a.o.Keys.NeedsInteractive(c.ctx, c.owner(), q)
	if err != nil {
		return nil, err
	}
	if ask && c.session.Service == nil {
		// An administrator may have allowed it for a while.
		account, err := a.o.Store.Account(c.ctx, c.session.User)
		if err != nil {
			return nil, err
		}
		ask = a.o.Now().UnixMilli() >= account.KeysUntilTS
	}
	if ask {
		confirm := a.confirm
		if c.byOAuth() {
			confirm = a.confirmByOAuth
		}
		if err := confirm(c, raw); err != nil {
			return nil, err
		}
	}
	return nil, a.o.Keys.UploadCrossSigning(c.ctx, c.owner(), q)
}

// signatures is POST /keys/signatures/upload.
func (a *API) signatures(c *call) (any, error) {
	var q keys.SignaturesRequest
	if err := c.body(&q); err != nil {
		return nil, err
	}
	return a.o.Keys.UploadSignatures(c.ctx, c.owner(), q)
}

// sendToDevice is PUT /sendToDevice/{eventType}/{txnId}.
func (a *API) sendToDevice(c *call) (any, error) {
	var q keys.ToDeviceRequest
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if q.Messages == nil {
		return nil, mxerror.MissingParam("messages is missing.")
	}
	unreached, err := a.o.Keys.SendToDevice(c.ctx, c.owner(), c.params[0], c.params[1], q)
	if len(unreached) > 0 {
		a.o.Log.WarnContext(c.ctx, "messages to devices of other servers were not sent", "servers", unreached)
	}
	return jsontext.Value("{}"), err
}
