package client

import (
	"net/http"

	"github.com/landbridge-im/landbridge/homeserver/keys"
)

// dehydratedRoutes mounts the endpoints of dehydrated devices: MSC3814.
func (a *API) dehydratedRoutes() {
	prefix := []string{"/_matrix/client/unstable/org.matrix.msc3814.v1"}
	a.on(http.MethodPut, prefix, "/dehydrated_device", user, a.putDehydrated)
	a.on(http.MethodGet, prefix, "/dehydrated_device", user, a.getDehydrated)
	a.on(http.MethodDelete, prefix, "/dehydrated_device", user, a.deleteDehydrated)
	a.on(http.MethodGet, prefix, "/dehydrated_device/{deviceId}/events", user, a.dehydratedEvents)
	// Older clients ask so.
	a.on(http.MethodPost, prefix, "/dehydrated_device/{deviceId}/events", user, a.postDehydratedEvents)
}

// putDehydrated is PUT /dehydrated_device.
func (a *API) putDehydrated(c *call) (any, error) {
	var q keys.DehydrateRequest
	if err := c.body(&q); err != nil {
		return nil, err
	}
	return a.o.Keys.Dehydrate(c.ctx, c.owner(), q)
}

// getDehydrated is GET /dehydrated_device.
func (a *API) getDehydrated(c *call) (any, error) { return a.o.Keys.Dehydrated(c.ctx, c.owner()) }

// deleteDehydrated is DELETE /dehydrated_device.
func (a *API) deleteDehydrated(c *call) (any, error) {
	return a.o.Keys.DeleteDehydrated(c.ctx, c.owner())
}

// dehydratedEvents is GET /dehydrated_device/{deviceId}/events.
func (a *API) dehydratedEvents(c *call) (any, error) {
	limit, err := c.number("limit", 0)
	if err != nil {
		return nil, err
	}
	q := keys.DehydratedEventsRequest{NextBatch: c.query.Get("from"), Limit: int(max(0, min(limit, 1000))), Ends: true}
	return a.o.Keys.DehydratedEvents(c.ctx, c.owner(), c.params[0], q)
}

// postDehydratedEvents is POST /dehydrated_device/{deviceId}/events.
func (a *API) postDehydratedEvents(c *call) (any, error) {
	var q keys.DehydratedEventsRequest
	if err := c.body(&q); err != nil {
		return nil, err
	}
	return a.o.Keys.DehydratedEvents(c.ctx, c.owner(), c.params[0], q)
}
