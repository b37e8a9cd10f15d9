package inbound

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strings"
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
	boundary := rand.Text()
	c.w.Header().Set("Content-Type", "multipart/mixed; boundary="+boundary)
	c.w.WriteHeader(http.StatusOK)
	// Not by mime/multipart, which sorts headers: Synapse forgets the disposition if it comes before the type.
	_, err := fmt.Fprintf(c.w, "--%s\r\nContent-Type: application/json\r\n\r\n{}\r\n--%[1]s\r\nContent-Type: %s\r\nContent-Disposition: %s\r\n\r\n",
		boundary, header(kind), header(disposition))
	if err == nil {
		_, err = io.Copy(c.w, body)
	}
	if err == nil {
		_, err = fmt.Fprintf(c.w, "\r\n--%s--\r\n", boundary)
	}
	if err != nil {
		a.broken(c.ctx, fmt.Errorf("sending media: %w", err))
	}
	return nil
}

// header is a value as it may stand in a header.
func header(v string) string { return strings.NewReplacer("\r", "", "\n", "").Replace(v) }

// broken ends an answer that can't be completed so that nobody takes it for a whole one.
func (a *API) broken(ctx context.Context, err error) {
	if ctx.Err() == nil {
		a.o.Log.DebugContext(ctx, "an answer to another server broke off", "err", err)
	}
	panic(http.ErrAbortHandler)
}
