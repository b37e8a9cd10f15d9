package app

import (
	"bytes"
	"encoding/json/v2"
	"errors"
	"fmt"
	"net/http"

	"github.com/landbridge-im/landbridge/config"
)

// configOIDC is an identity provider in the configuration.
type configOIDC = config.OIDC

// call makes a request to the client API as if the browser of r had, so that its limits hold.
func (b backend) call(r *http.Request, path, token string, body, out any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(r.Context(), http.MethodPost, path, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	req.RemoteAddr, req.RequestURI, req.Host = r.RemoteAddr, path, r.Host
	for _, h := range r.Header.Values("X-Forwarded-For") {
		req.Header.Add("X-Forwarded-For", h)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	w := &answer{header: http.Header{}, status: http.StatusOK}
	b.s.hs.Client().ServeHTTP(w, req)
	if w.status != http.StatusOK {
		var e struct {
			Message string `json:"error"`
		}
		if json.Unmarshal(w.body.Bytes(), &e) != nil || e.Message == "" {
			return fmt.Errorf("the server answers %d", w.status)
		}
		return errors.New(e.Message)
	}
	return json.Unmarshal(w.body.Bytes(), out)
}

// answer keeps what a handler writes.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

var _ http.ResponseWriter = (*answer)(nil)

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) { return a.body.Write(p) }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) { a.status = status }
