package client

import (
	"net/http"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// mediaRoutes mounts the content repository: authenticated under /_matrix/client/v1/media, and
// the old paths under /_matrix/media.
func (a *API) mediaRoutes() {
	m := a.o.Media
	raw := func(method, path string, who access, h func(*call) error) {
		a.router.add(method, path, &route{pattern: path, access: who, raw: h})
	}
	const v1, old = "/_matrix/client/v1/media", "/_matrix/media/v3"
	config := func(c *call) error { return m.ServeConfig(c.w, c.r) }
	download := func(c *call) error { return m.ServeDownload(c.w, c.r, c.params[0], c.params[1], "") }
	named := func(c *call) error { return m.ServeDownload(c.w, c.r, c.params[0], c.params[1], c.params[2]) }
	thumbnail := func(c *call) error { return m.ServeThumbnail(c.w, c.r, c.params[0], c.params[1]) }

	raw(http.MethodGet, v1+"/config", user, config)
	raw(http.MethodGet, v1+"/download/{serverName}/{mediaId}", user, download)
	raw(http.MethodGet, v1+"/download/{serverName}/{mediaId}/{fileName}", user, named)
	raw(http.MethodGet, v1+"/thumbnail/{serverName}/{mediaId}", user, thumbnail)

	raw(http.MethodGet, old+"/config", user, config)
	for _, p := range [...]string{old, "/_matrix/media/r0"} {
		raw(http.MethodPost, p+"/upload", user, func(c *call) error { return m.ServeUpload(c.w, c.r, c.session.User) })
		raw(http.MethodGet, p+"/download/{serverName}/{mediaId}", anyone, a.oldMedia(download))
		raw(http.MethodGet, p+"/download/{serverName}/{mediaId}/{fileName}", anyone, a.oldMedia(named))
		raw(http.MethodGet, p+"/thumbnail/{serverName}/{mediaId}", anyone, a.oldMedia(thumbnail))
	}
	raw(http.MethodPut, old+"/upload/{serverName}/{mediaId}", user, func(c *call) error {
		return m.ServeFill(c.w, c.r, c.session.User, c.params[0], c.params[1])
	})
	raw(http.MethodPost, "/_matrix/media/v1/create", user, func(c *call) error { return m.ServeReserve(c.w, c.r, c.session.User) })
}

// oldMedia guards the paths without authentication, which are off unless the configuration says
// otherwise. Specification: servers SHOULD "freeze" them, answering "404 M_NOT_FOUND".
func (a *API) oldMedia(h func(*call) error) func(*call) error {
	return func(c *call) error {
		if !a.settings.Load().OldMedia {
			return mxerror.NotFound("This server hands out media to those who are logged in only: /_matrix/client/v1/media.")
		}
		return h(c)
	}
}
