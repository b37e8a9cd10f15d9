package homeserver

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json/v2"
	"net/http"
	"time"

	"maunium.net/go/mautrix/crypto/canonicaljson"
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
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		w.Write([]byte(`{"errcode":"M_UNRECOGNIZED","error":"Unrecognized request."}`))
	})
	return mux
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
