package appservicetest

import (
	"encoding/json"
	"net/http"
	"strings"

	"maunium.net/go/mautrix/id"
)

// UserDevice is the one device of every ordinary user.
const UserDevice id.DeviceID = "DEVICE"

// request is a request that has been authenticated; hs.mu is held while it is
// handled.
type request struct {
	*http.Request
	user    id.UserID
	device  id.DeviceID
	service *service // nil for an ordinary user
	body    map[string]json.RawMessage
}

// failure is an error of the client-server API.
type failure struct {
	status           int
	errcode, message string
}

func notFound(what string) *failure { return &failure{http.StatusNotFound, "M_NOT_FOUND", what} }
func forbidden(why string) *failure { return &failure{http.StatusForbidden, "M_FORBIDDEN", why} }

// str returns a field of the body that is a string, or "".
func (r *request) str(field string) (s string) {
	_ = json.Unmarshal(r.body[field], &s)
	return s
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

type empty struct{}

// handle adds an endpoint that needs a user. f returns the body of the answer.
func (hs *Homeserver) handle(pattern string, f func(r *request) (any, *failure)) {
	hs.mux.HandleFunc(pattern, func(w http.ResponseWriter, raw *http.Request) {
		r := &request{Request: raw, body: map[string]json.RawMessage{}}
		if raw.Method != http.MethodGet && raw.Header.Get("Content-Type") == "application/json" {
			if err := json.NewDecoder(raw.Body).Decode(&r.body); err != nil && raw.ContentLength != 0 {
				reply(w, http.StatusBadRequest, map[string]string{"errcode": "M_NOT_JSON", "error": err.Error()})
				return
			}
		}
		hs.mu.Lock()
		defer hs.mu.Unlock()
		hs.requests[pattern]++
		out, fail := any(nil), hs.authenticate(r)
		if fail == nil {
			out, fail = f(r)
		}
		if fail != nil {
			reply(w, fail.status, map[string]string{"errcode": fail.errcode, "error": fail.message})
			return
		}
		hs.notify()
		reply(w, http.StatusOK, out)
	})
}

func (hs *Homeserver) authenticate(r *request) *failure {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	query := r.URL.Query()
	r.device = id.DeviceID(query.Get("device_id"))
	for _, s := range hs.services {
		if token != s.ASToken {
			continue
		}
		r.service, r.user = s, s.bot
		if as := id.UserID(query.Get("user_id")); as != "" {
			if !s.owns(as) {
				return forbidden("not a user of the application service")
			}
			r.user = as
		}
		if _, ok := hs.users[r.user]; !ok && !strings.HasSuffix(r.URL.Path, "/register") {
			return forbidden("Application service has not registered this user")
		}
		return nil
	}
	if r.user = hs.tokens[token]; r.user == "" {
		return &failure{http.StatusUnauthorized, "M_UNKNOWN_TOKEN", "Unknown token"}
	}
	r.device = UserDevice
	return nil
}
