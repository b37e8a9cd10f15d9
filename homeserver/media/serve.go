package media

import (
	"encoding/json/v2"
	"io"
	"net/http"
	"time"
)

// metaOf reads what an upload request says of its file, and refuses one that announces too much.
func (r *Repo) metaOf(req *http.Request, by Uploader) (Meta, error) {
	if req.ContentLength > r.c.MaxUpload {
		return Meta{}, r.tooLarge()
	}
	if err := r.withinQuota(req.Context(), by, max(req.ContentLength, 0)); err != nil {
		return Meta{}, err
	}
	return Meta{Type: req.Header.Get("Content-Type"), Name: req.URL.Query().Get("filename")}, nil
}

// ServeUpload answers POST .../upload.
func (r *Repo) ServeUpload(w http.ResponseWriter, req *http.Request, by Uploader) error {
	m, err := r.metaOf(req, by)
	if err != nil {
		return err
	}
	body := newSteady(w, req.Body, r.c.Stall)
	defer body.end()
	id, err := r.Upload(req.Context(), by, m, body)
	if err != nil {
		return err
	}
	return reply(w, struct {
		URI string `json:"content_uri"`
	}{URI(r.c.Server, id)})
}

// ServeFill answers PUT .../upload/{origin}/{id}.
func (r *Repo) ServeFill(w http.ResponseWriter, req *http.Request, by Uploader, origin, id string) error {
	// Who may fill it comes before what is in it.
	if err := r.fillable(req.Context(), by.User, origin, id); err != nil {
		return err
	}
	m, err := r.metaOf(req, by)
	if err != nil {
		return err
	}
	body := newSteady(w, req.Body, r.c.Stall)
	defer body.end()
	if err := r.Fill(req.Context(), by, origin, id, m, body); err != nil {
		return err
	}
	return reply(w, struct{}{})
}

// ServeReserve answers POST .../create.
func (r *Repo) ServeReserve(w http.ResponseWriter, req *http.Request, by Uploader) error {
	id, expires, err := r.Reserve(req.Context(), by)
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

// steady reads a request's body and breaks it off when a part of it takes too long.
type steady struct {
	body    io.Reader
	conn    *http.ResponseController
	stall   time.Duration
	allowed int // bytes that may still come before the deadline moves
}

// steadyPart is how much must come within each stall time.
const steadyPart = 16 << 10

func newSteady(w http.ResponseWriter, body io.Reader, stall time.Duration) *steady {
	return &steady{body: body, conn: http.NewResponseController(w), stall: stall}
}

func (s *steady) Read(p []byte) (int, error) {
	if s.allowed <= 0 {
		s.allowed = steadyPart
		// Where there is no connection of its own (in the same process) there is no deadline either.
		_ = s.conn.SetReadDeadline(time.Now().Add(s.stall))
	}
	n, err := s.body.Read(p)
	s.allowed -= n
	return n, err
}

// end takes the deadline off the connection.
func (s *steady) end() { _ = s.conn.SetReadDeadline(time.Time{}) }
