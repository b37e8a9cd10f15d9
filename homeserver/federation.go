package homeserver

import (
	"crypto/x509"
	"encoding/json/v2"
	"net/http"
	"net/netip"

	"github.com/landbridge-im/landbridge/homeserver/edge"
	"github.com/landbridge-im/landbridge/homeserver/federation/discovery"
	"github.com/landbridge-im/landbridge/homeserver/federation/fclient"
	"github.com/landbridge-im/landbridge/homeserver/federation/keyring"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/internal/safedial"
)

// Federation says how other servers are reached.
type Federation struct {
	// Enabled allows calling other servers at all.
	Enabled bool
	// RootCAs vouch for them; nil means the system's.
	RootCAs *x509.CertPool
	// AllowPrivate are ranges that aren't public and where servers may be nevertheless.
	AllowPrivate []netip.Prefix
	// Notaries are servers that are asked for the keys of those that don't answer.
	Notaries []keyring.Notary
}

// outside is what connects the server with others.
type outside struct {
	finder  *discovery.Finder
	backoff *fclient.Backoff
	client  *fclient.Client
	ring    *keyring.Ring
}

// openOutside makes the parts that know other servers.
func (s *Server) openOutside(own *keyring.Own) (o *outside, err error) {
	f := s.o.Federation
	o = &outside{}
	dial := safedial.Policy{Allow: f.AllowPrivate}.DialContext
	if o.finder, err = discovery.New(discovery.Options{Dial: dial, RootCAs: f.RootCAs, Log: s.o.Log, Now: s.o.Now}); err != nil {
		return nil, err
	}
	if o.backoff, err = fclient.NewBackoff(s.store, s.o.Log, s.o.Now); err != nil {
		return nil, err
	}
	o.client = fclient.New(fclient.Options{Finder: o.finder, Signer: own.Signer(), Backoff: o.backoff, Dial: dial, RootCAs: f.RootCAs, Log: s.o.Log})
	o.ring, err = keyring.New(keyring.Options{Own: own, Cache: keyring.StoreCache{Store: s.store}, Fetcher: o.client, Notaries: f.Notaries, Log: s.o.Log, Now: s.o.Now})
	return o, err
}

// close ends what is under way and waits for it.
func (o *outside) close() {
	o.ring.Close()
	o.finder.Close()
	o.client.Close()
}

// federation serves what a server must tell others of itself, its version and its keys, and, as a
// notary, the keys of others.
func (s *Server) federation() http.Handler {
	mux := http.NewServeMux()
	on := func(method, path string, fn func(*http.Request) (any, error)) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if r.Method != method && (method != http.MethodGet || r.Method != http.MethodHead) {
				w.Header().Set("Allow", method+", OPTIONS")
				s.answer(w, r, nil, mxerror.New(http.StatusMethodNotAllowed, "M_UNRECOGNIZED", "The method %s is not allowed here.", r.Method))
				return
			}
			v, err := fn(r)
			s.answer(w, r, v, err)
		})
	}
	on(http.MethodGet, "/_matrix/federation/v1/version", func(*http.Request) (any, error) {
		return map[string]any{"server": map[string]string{"name": "Landbridge", "version": "dev"}}, nil
	})
	on(http.MethodGet, "/_matrix/key/v2/server", func(*http.Request) (any, error) { return s.outside.ring.ServeServer() })
	on(http.MethodGet, "/_matrix/federation/v1/openid/userinfo", func(r *http.Request) (any, error) {
		id, err := s.accounts.OpenIDUser(r.Context(), r.URL.Query().Get("access_token"))
		return map[string]string{"sub": id}, err
	})
	if s.o.Federation.Enabled {
		on(http.MethodGet, "/_matrix/key/v2/query/{server}", func(r *http.Request) (any, error) {
			return s.outside.ring.ServeQuery(r, r.PathValue("server"))
		})
		on(http.MethodPost, "/_matrix/key/v2/query", func(r *http.Request) (any, error) { return s.outside.ring.ServeQueries(r) })
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.answer(w, r, nil, mxerror.New(http.StatusNotFound, "M_UNRECOGNIZED", "Unrecognized request."))
	})
	return mux
}

// answer writes what another server asked for, or why it doesn't get it.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, v any, err error) {
	status := http.StatusOK
	if err != nil {
		e, ok := mxerror.As(err)
		if !ok {
			id := edge.RequestID(r.Context())
			s.o.Log.ErrorContext(r.Context(), "request failed", "id", id, "method", r.Method, "route", r.URL.Path, "err", err)
			e = mxerror.New(http.StatusInternalServerError, "M_UNKNOWN", "Something went wrong here. The server's log knows more under %s.", id)
		}
		status, v = e.Status, map[string]string{"errcode": e.Code, "error": e.Message}
	}
	raw, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		s.o.Log.Error("encoding an answer to another server", "err", err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(raw)
}
