package inbound

import (
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/media"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// patience is how long media may be waited for that has only been announced.
func (c *call) patience() (time.Duration, error) {
	ms, err := c.number("timeout_ms", 20_000)
	if err == nil && ms < 0 {
		err = mxerror.InvalidParam("timeout_ms must be a number of milliseconds.")
	}
	return time.Duration(min(max(ms, 0), 60_000)) * time.Millisecond, err
}

// download is GET /media/download/{mediaId}. Only our own media is there for other servers.
func (a *API) download(c *call) error {
	wait, err := c.patience()
	if err != nil {
		return err
	}
	f, m, err := a.o.Media.Open(c.ctx, media.Query{Origin: a.o.Server, ID: c.params[0], Patience: wait, LocalOnly: true})
	if err != nil {
		return err
	}
	defer f.Close()
	return a.twoParts(c, m.Type, media.Disposition(m.Type, m.Name), m.Size, f)
}

// thumbnail is GET /media/thumbnail/{mediaId}.
func (a *API) thumbnail(c *call) error {
	size, err := media.ParseSize(c.query)
	if err != nil {
		return err
	}
	wait, err := c.patience()
	if err != nil {
		return err
	}
	p, err := a.o.Media.OpenThumbnail(c.ctx, media.Query{Origin: a.o.Server, ID: c.params[0], Patience: wait, LocalOnly: true}, size)
	if err != nil {
		return err
	}
	defer p.Close()
	return a.twoParts(c, "image/"+p.Format, "inline; filename=thumbnail."+p.Format, p.Media.Size, p)
}

// slowest is how slowly another server may take media, in bytes a second, after a minute's grace.
const slowest = 8 << 10

// twoParts answers with "a multipart/mixed response with exactly two parts: the first part MUST be a
// JSON object with a Content-Type: application/json ... The second part is the media item with the
// appropriate Content-Type header."
func (a *API) twoParts(c *call, kind, disposition string, size int64, body io.Reader) error {
	if kind == "" {
		kind = "application/octet-stream"
	}
	ctl := http.NewResponseController(c.w)
	// Within the process there is no connection, and no deadline either.
	if ctl.SetWriteDeadline(a.o.Now().Add(time.Minute+time.Duration(size/slowest)*time.Second)) == nil {
		defer func() { _ = ctl.SetWriteDeadline(time.Time{}) }()
	}
	mp := multipart.NewWriter(c.w)
	c.w.Header().Set("Content-Type", "multipart/mixed; boundary="+mp.Boundary())
	c.w.WriteHeader(http.StatusOK)
	err := func() error {
		meta, err := mp.CreatePart(textproto.MIMEHeader{"Content-Type": {"application/json"}})
		if err != nil {
			return err
		}
		if _, err := io.WriteString(meta, "{}"); err != nil {
			return err
		}
		part, err := mp.CreatePart(textproto.MIMEHeader{"Content-Type": {kind}, "Content-Disposition": {disposition}})
		if err != nil {
			return err
		}
		if _, err := io.Copy(part, body); err != nil {
			return err
		}
		return mp.Close()
	}()
	if err != nil {
		a.broken(c.ctx, fmt.Errorf("sending media: %w", err))
	}
	return nil
}

// broken ends an answer that can't be completed so that nobody takes it for a whole one.
func (a *API) broken(ctx context.Context, err error) {
	if ctx.Err() == nil {
		a.o.Log.DebugContext(ctx, "an answer to another server broke off", "err", err)
	}
	panic(http.ErrAbortHandler)
}
