package media

import (
	"context"
	"encoding/hex"
	"encoding/json/v2"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// How long a download waits for a file that was announced, specification: timeout_ms, "the
// default value is 20000 (20 seconds) ... Servers SHOULD impose a maximum value".
const (
	defaultWait = 20 * time.Second
	maxWait     = time.Minute
)

// Find reads what is known of a piece of media. Where its file has only been announced, it
// waits so long for it, and then answers M_NOT_YET_UPLOADED.
func (r *Repo) Find(ctx context.Context, origin, id string, patience time.Duration) (store.Media, error) {
	// Waiters register before they look, so that no arrival falls between.
	filled, stop := r.await(id)
	defer stop()
	m, err := r.find(ctx, origin, id)
	if err != nil || m.ExpiresTS == 0 {
		return m, err
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-filled:
		return r.find(ctx, origin, id)
	case <-timer.C:
	case <-ctx.Done():
		return m, ctx.Err()
	}
	return m, mxerror.New(http.StatusGatewayTimeout, "M_NOT_YET_UPLOADED", "The media has not been uploaded yet.")
}

func (r *Repo) find(ctx context.Context, origin, id string) (store.Media, error) {
	if origin != r.c.Server {
		return store.Media{}, notFound()
	}
	m, err := r.c.Store.Media(ctx, origin, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && m.ExpiresTS != 0 && m.ExpiresTS <= r.nowMS() {
		return m, notFound()
	}
	return m, public(err)
}

// Open opens the file of a piece of media, which the caller must close. It waits for a file
// that was announced as Find does.
func (r *Repo) Open(ctx context.Context, origin, id string, patience time.Duration) (io.ReadSeekCloser, store.Media, error) {
	m, err := r.Find(ctx, origin, id, patience)
	if err != nil {
		return nil, m, err
	}
	f, err := r.file(m)
	if err != nil {
		return nil, m, err
	}
	return f, m, nil
}

func (r *Repo) file(m store.Media) (*os.File, error) {
	f, err := os.Open(r.path(m.Hash))
	if err != nil {
		return nil, public(fmt.Errorf("opening media %s: %w", m.ID, err))
	}
	return f, nil
}

// ServeDownload answers GET .../download/{origin}/{id} and, with a name that replaces the
// uploader's, .../download/{origin}/{id}/{filename}. It understands timeout_ms, ranges and
// conditions.
func (r *Repo) ServeDownload(w http.ResponseWriter, req *http.Request, origin, id, filename string) error {
	patience, err := patienceOf(req)
	if err != nil {
		return err
	}
	f, m, err := r.Open(req.Context(), origin, id, patience)
	if err != nil {
		return err
	}
	defer f.Close()
	name := m.Name
	if filename != "" {
		name = cleanName(filename)
	}
	setHeaders(w.Header(), m.Type, disposition(m.Type, name), hex.EncodeToString(m.Hash))
	http.ServeContent(w, req, "", time.Time{}, f)
	return nil
}

// setHeaders sets what all answers with media have in common.
func setHeaders(h http.Header, contentType, disposition, etag string) {
	h.Set("Content-Type", contentType)
	h.Set("Content-Disposition", disposition)
	h.Set("Content-Security-Policy", contentSecurity)
	// "Servers SHOULD additionally return Cross-Origin-Resource-Policy: cross-origin".
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Robots-Tag", "noindex, nofollow, noarchive, noimageindex")
	// What an id stands for never changes, but others may not be allowed to see it.
	h.Set("Cache-Control", "private, max-age=86400, immutable")
	h.Set("ETag", `"`+etag+`"`)
}

func patienceOf(req *http.Request) (time.Duration, error) {
	v := req.URL.Query().Get("timeout_ms")
	if v == "" {
		return defaultWait, nil
	}
	ms, err := strconv.ParseInt(v, 10, 64)
	if err != nil || ms < 0 {
		return 0, mxerror.InvalidParam("timeout_ms must be a number of milliseconds.")
	}
	return min(time.Duration(min(ms, maxWait.Milliseconds()))*time.Millisecond, maxWait), nil
}

// metaOf reads what an upload request says of its file.
func (r *Repo) metaOf(req *http.Request) (Meta, error) {
	if req.ContentLength > r.c.MaxUpload {
		return Meta{}, r.tooLarge()
	}
	return Meta{Type: req.Header.Get("Content-Type"), Name: req.URL.Query().Get("filename")}, nil
}

// ServeUpload answers POST .../upload.
func (r *Repo) ServeUpload(w http.ResponseWriter, req *http.Request, owner int64) error {
	m, err := r.metaOf(req)
	if err != nil {
		return err
	}
	id, err := r.Upload(req.Context(), owner, m, req.Body)
	if err != nil {
		return err
	}
	return reply(w, struct {
		URI string `json:"content_uri"`
	}{URI(r.c.Server, id)})
}

// ServeFill answers PUT .../upload/{origin}/{id}.
func (r *Repo) ServeFill(w http.ResponseWriter, req *http.Request, owner int64, origin, id string) error {
	m, err := r.metaOf(req)
	if err != nil {
		return err
	}
	if err := r.Fill(req.Context(), owner, origin, id, m, req.Body); err != nil {
		return err
	}
	return reply(w, struct{}{})
}

// ServeReserve answers POST .../create.
func (r *Repo) ServeReserve(w http.ResponseWriter, req *http.Request, owner int64) error {
	id, expires, err := r.Reserve(req.Context(), owner)
	if err != nil {
		return err
	}
	return reply(w, struct {
		URI     string `json:"content_uri"`
		Expires int64  `json:"unused_expires_at"`
	}{URI(r.c.Server, id), expires})
}

// ServeConfig answers GET .../config.
func (r *Repo) ServeConfig(w http.ResponseWriter, _ *http.Request) error {
	return reply(w, struct {
		Size int64 `json:"m.upload.size"`
	}{r.c.MaxUpload})
}

func reply(w http.ResponseWriter, body any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return public(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(raw) // if the client is gone there is nobody to tell
	return nil
}
