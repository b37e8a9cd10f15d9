package client

import (
	"net/http"

	"github.com/landbridge-im/landbridge/homeserver/media"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/preview"
)

// mediaRoutes mounts the content repository: authenticated under /_matrix/client/v1/media, and
// the old paths under /_matrix/media.
func (a *API) mediaRoutes() {
	m := a.o.Media
	raw := func(method, path string, who access, h func(*call) error) {
		a.router.add(method, path, &route{pattern: path, access: who, raw: h})
	}
	const v1, old = "/_matrix/client/v1/media", "/_matrix/media/v3"
	by := func(c *call) media.Uploader {
		svc := c.session.Service
		return media.Uploader{User: c.session.User, Unlimited: svc != nil && !svc.IsRateLimited()}
	}
	config := func(c *call) error { return m.ServeConfig(c.w, c.r) }
	download := func(c *call, a media.Access) error {
		return m.ServeDownload(c.w, c.r, a, c.params[0], c.params[1], "")
	}
	named := func(c *call, a media.Access) error {
		return m.ServeDownload(c.w, c.r, a, c.params[0], c.params[1], c.params[2])
	}
	thumbnail := func(c *call, a media.Access) error {
		return m.ServeThumbnail(c.w, c.r, a, c.params[0], c.params[1])
	}
	limited := func(h func(*call) error) func(*call) error {
		return func(c *call) error {
			if err := c.limit(a.limits.Load().uploads); err != nil {
				return err
			}
			return h(c)
		}
	}
	for path, h := range map[string]func(*call, media.Access) error{
		"/download/{serverName}/{mediaId}": download, "/download/{serverName}/{mediaId}/{fileName}": named,
		"/thumbnail/{serverName}/{mediaId}": thumbnail,
	} {
		raw(http.MethodGet, v1+path, user, func(c *call) error { return h(c, media.Access{}) })
		for _, p := range [...]string{old, "/_matrix/media/r0", "/_matrix/media/v1"} {
			raw(http.MethodGet, p+path, anyone, a.oldMedia(h))
		}
	}
	for _, p := range [...]string{old, "/_matrix/media/r0", "/_matrix/media/v1"} {
		raw(http.MethodGet, p+"/config", user, config)
		raw(http.MethodGet, p+"/preview_url", user, a.previewURL)
		raw(http.MethodPost, p+"/upload", user, limited(func(c *call) error { return m.ServeUpload(c.w, c.r, by(c)) }))
	}
	raw(http.MethodGet, v1+"/config", user, config)
	raw(http.MethodGet, v1+"/preview_url", user, a.previewURL)
	raw(http.MethodPut, old+"/upload/{serverName}/{mediaId}", user, limited(func(c *call) error {
		return m.ServeFill(c.w, c.r, by(c), c.params[0], c.params[1])
	}))
	raw(http.MethodPost, "/_matrix/media/v1/create", user, limited(func(c *call) error { return m.ServeReserve(c.w, c.r, by(c)) }))
}

// oldMedia guards the paths without authentication, which are off unless the configuration says
// otherwise. Specification: "servers SHOULD "freeze" the deprecated, unauthenticated, endpoints to
// prevent newly-uploaded media from being downloaded", answering "404 M_NOT_FOUND".
func (a *API) oldMedia(h func(*call, media.Access) error) func(*call) error {
	return func(c *call) error {
		s := a.settings.Load()
		if !s.OldMedia {
			return mxerror.NotFound("This server hands out media to those who are logged in only: /_matrix/client/v1/media.")
		}
		return h(c, media.Access{Old: true, Before: s.OldMediaUntil})
	}
}

// previewURL answers GET .../preview_url.
func (a *API) previewURL(c *call) error {
	q := preview.Query{URL: c.query.Get("url")}
	if q.URL == "" {
		return mxerror.MissingParam("url is needed.")
	}
	ts, err := c.number("ts", 0)
	if err != nil {
		return err
	}
	if ts < 0 {
		return mxerror.InvalidParam("ts must not be negative.")
	}
	q.TS = ts
	if err := c.limit(a.limits.Load().previews); err != nil {
		return err
	}
	out, err := a.o.Preview.Preview(c.ctx, q)
	if err != nil {
		return err
	}
	a.reply(c, http.StatusOK, out)
	return nil
}
