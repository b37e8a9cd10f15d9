package homeserver

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json/v2"
	"net/http"
	"time"

	"maunium.net/go/mautrix/crypto/canonicaljson"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// keyLifetime is how long other servers may rely on the published key without asking again.
const keyLifetime = 24 * time.Hour

// federation serves what a server must tell others of itself: its version and its keys.
func (s *Server) federation() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_matrix/federation/v1/version", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, map[string]any{"server": map[string]string{"name": "Landbridge", "version": "dev"}})
	})
	mux.HandleFunc("GET /_matrix/key/v2/server", func(w http.ResponseWriter, _ *http.Request) {
		keys, err := s.serverKeys()
		if err != nil {
			s.o.Log.Error("signing the server's keys", "err", err)
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		writeJSON(w, keys)
	})
	mux.HandleFunc("GET /_matrix/federation/v1/openid/userinfo", s.openIDUserInfo)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		w.Write([]byte(`{"errcode":"M_UNRECOGNIZED","error":"Unrecognized request."}`))
	})
	return mux
}

// openIDUserInfo is GET /_matrix/federation/v1/openid/userinfo.
func (s *Server) openIDUserInfo(w http.ResponseWriter, r *http.Request) {
	id, err := s.accounts.OpenIDUser(r.Context(), r.URL.Query().Get("access_token"))
	if err == nil {
		writeJSON(w, map[string]string{"sub": id})
		return
	}
	e, ok := mxerror.As(err)
	if !ok || e.Status >= 500 {
		s.o.Log.ErrorContext(r.Context(), "looking up an OpenID token", "err", err)
		e = mxerror.New(http.StatusInternalServerError, "M_UNKNOWN", "Something went wrong here.")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.Status)
	writeJSON(w, map[string]string{"errcode": e.Code, "error": e.Message})
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

func writeJSON(w http.ResponseWriter, v any) {
	raw, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(raw)
}
