package appservicetest

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"maunium.net/go/mautrix/id"
)

func (hs *Homeserver) routeUsers() {
	hs.mux.HandleFunc("GET /_matrix/client/versions", func(w http.ResponseWriter, _ *http.Request) {
		hs.mu.Lock()
		defer hs.mu.Unlock()
		reply(w, http.StatusOK, map[string]any{"versions": []string{"v1.4", "v1.7", "v1.11"}, "unstable_features": hs.features})
	})
	hs.mux.HandleFunc("POST /_matrix/client/v1/appservice/{id}/ping", hs.ping)
	hs.handle("GET /_matrix/client/v3/account/whoami", func(r *request) (any, *failure) {
		return map[string]any{"user_id": r.user}, nil
	})
	hs.handle("GET /_matrix/client/v3/capabilities", func(r *request) (any, *failure) {
		return map[string]any{"capabilities": map[string]any{"m.room_versions": map[string]any{"default": "11", "available": map[string]string{"11": "stable"}}}}, nil
	})
	hs.handle("POST /_matrix/client/v3/register", func(r *request) (any, *failure) {
		userID := id.NewUserID(r.str("username"), hs.Domain)
		if r.service == nil || !r.service.owns(userID) {
			return nil, &failure{http.StatusBadRequest, "M_EXCLUSIVE", "not in the namespace"}
		}
		if _, ok := hs.users[userID]; ok {
			return nil, &failure{http.StatusBadRequest, "M_USER_IN_USE", "user exists"}
		}
		hs.user(userID)
		return map[string]any{"user_id": userID}, nil
	})

	hs.handle("GET /_matrix/client/v3/profile/{user}", func(r *request) (any, *failure) {
		u, ok := hs.users[id.UserID(r.PathValue("user"))]
		if !ok {
			return nil, notFound("no such user")
		}
		return u.profile, nil
	})
	hs.handle("GET /_matrix/client/v3/profile/{user}/{field}", func(r *request) (any, *failure) {
		u, ok := hs.users[id.UserID(r.PathValue("user"))]
		if !ok {
			return nil, notFound("no such user")
		}
		if u.profile[r.PathValue("field")] == nil {
			return empty{}, nil
		}
		return map[string]any{r.PathValue("field"): u.profile[r.PathValue("field")]}, nil
	})
	hs.handle("PUT /_matrix/client/v3/profile/{user}/{field}", func(r *request) (any, *failure) {
		if id.UserID(r.PathValue("user")) != r.user {
			return nil, forbidden("not your profile")
		}
		hs.user(r.user).profile[r.PathValue("field")] = r.body[r.PathValue("field")]
		return empty{}, nil
	})

	hs.handle("PUT /_matrix/client/v3/presence/{user}/status", func(r *request) (any, *failure) {
		hs.presence[r.user] = r.str("presence")
		return empty{}, nil
	})
	for _, path := range []string{"/account_data/{type}", "/rooms/{room}/account_data/{type}"} {
		hs.handle("GET /_matrix/client/v3/user/{user}"+path, func(r *request) (any, *failure) {
			data := hs.user(r.user).accountData[r.PathValue("room")+" "+r.PathValue("type")]
			if data == nil {
				return nil, notFound("no such account data")
			}
			return data, nil
		})
		hs.handle("PUT /_matrix/client/v3/user/{user}"+path, func(r *request) (any, *failure) {
			hs.user(r.user).accountData[r.PathValue("room")+" "+r.PathValue("type")] = marshal(r.body)
			return empty{}, nil
		})
	}

	hs.handle("GET /_matrix/client/v1/media/config", func(r *request) (any, *failure) {
		return map[string]any{"m.upload.size": 10 << 20}, nil
	})
	hs.handle("POST /_matrix/media/v3/upload", func(r *request) (any, *failure) {
		data, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, &failure{http.StatusBadRequest, "M_UNKNOWN", err.Error()}
		}
		hs.next++
		mediaID := fmt.Sprint("media", hs.next)
		hs.media[mediaID] = data
		return map[string]any{"content_uri": "mxc://" + hs.Domain + "/" + mediaID}, nil
	})
	hs.mux.HandleFunc("GET /_matrix/client/v1/media/download/{server}/{media}", func(w http.ResponseWriter, r *http.Request) {
		hs.mu.Lock()
		data, ok := hs.media[r.PathValue("media")]
		hs.mu.Unlock()
		if !ok {
			reply(w, http.StatusNotFound, map[string]string{"errcode": "M_NOT_FOUND"})
			return
		}
		_, _ = w.Write(data)
	})
}

// ping calls the service back, as the homeserver must.
func (hs *Homeserver) ping(w http.ResponseWriter, raw *http.Request) {
	r := &request{Request: raw}
	hs.mu.Lock()
	fail := hs.authenticate(r)
	hs.mu.Unlock()
	if fail != nil || r.service == nil || r.service.ID != raw.PathValue("id") {
		reply(w, http.StatusForbidden, map[string]string{"errcode": "M_FORBIDDEN", "error": "not your ping"})
		return
	}
	status, err := r.service.call(context.WithoutCancel(raw.Context()), http.MethodPost, "/_matrix/app/v1/ping", []byte(`{}`))
	if err != nil || status != http.StatusOK {
		reply(w, http.StatusBadGateway, map[string]string{"errcode": "M_BAD_STATUS", "error": fmt.Sprint(status, " ", err)})
		return
	}
	reply(w, http.StatusOK, map[string]int{"duration_ms": 1})
}
