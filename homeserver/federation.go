package homeserver

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json/v2"
	"net/http"
	"strconv"
	"time"

	"maunium.net/go/mautrix/crypto/canonicaljson"

	"github.com/landbridge-im/landbridge/homeserver/edge"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// keyLifetime is how long other servers may rely on the published key without asking again.
const keyLifetime = 24 * time.Hour

// federation serves what a server must tell others of itself: its version and its keys.
func (s *Server) federation() http.Handler {
	answers := map[string]func() (map[string]any, error){
		"/_matrix/federation/v1/version": func() (map[string]any, error) {
			return map[string]any{"server": map[string]string{"name": "Landbridge", "version": "dev"}}, nil
		},
		"/_matrix/key/v2/server": s.serverKeys,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := answers[r.URL.EscapedPath()]
		switch {
		case answer == nil:
			s.refuse(w, r, mxerror.Unrecognized(http.StatusNotFound))
			return
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD, OPTIONS")
			s.refuse(w, r, mxerror.Unrecognized(http.StatusMethodNotAllowed))
			return
		}
		v, err := answer()
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		writeJSON(w, http.StatusOK, v)
	})
}

// refuse answers with an error. What is not meant for the public stands in the log only.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	e, ok := mxerror.As(err)
	if !ok {
		id := edge.RequestID(r.Context())
		s.o.Log.ErrorContext(r.Context(), "request failed", "id", id, "method", r.Method, "route", r.URL.Path, "err", err)
		e = mxerror.New(http.StatusInternalServerError, "M_UNKNOWN", "Something went wrong here. The server's log knows more under %s.", id)
	}
	writeJSON(w, e.Status, map[string]string{"errcode": e.Code, "error": e.Message})
}

// serverKeys is the answer to GET /_matrix/key/v2/server, signed.
func (s *Server) serverKeys() (map[string]any, error) {
	public := s.signer.Key.Public().(ed25519.PublicKey)
	keys := map[string]any{
		"server_name":     s.o.Name,
		"valid_until_ts":  s.o.Now().Add(keyLifetime).UnixMilli(),
		"verify_keys":     map[string]any{s.signer.KeyID: map[string]string{"key": base64.RawStdEncoding.EncodeToString(public)}},
		"old_verify_keys": map[string]any{},
	}
	raw, err := canonicaljson.Marshal(keys)
	if err != nil {
		return nil, err
	}
	signature := base64.RawStdEncoding.EncodeToString(ed25519.Sign(s.signer.Key, raw))
	keys["signatures"] = map[string]any{s.o.Name: map[string]string{s.signer.KeyID: signature}}
	return keys, nil
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	raw, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(raw)))
	w.WriteHeader(status)
	_, _ = w.Write(raw) // the other side may be gone; there is nobody to tell
}
