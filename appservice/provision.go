package appservice

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"strings"

	"maunium.net/go/mautrix/id"
)

// minSecret is the least length of a provisioning secret, in bytes; bridgev2's own API is off with a shorter one.
const minSecret = 16

// ProvisionedRoom is a room of a bridge as its provisioning API tells it.
type ProvisionedRoom struct {
	Channel string    `json:"channel"`
	Name    string    `json:"name"`
	Topic   string    `json:"topic,omitempty"`
	Room    id.RoomID `json:"room_id"`
	Parent  string    `json:"parent,omitempty"` // the channel whose space it is in
	Type    string    `json:"type,omitempty"`   // "space", or empty
}

// provision answers for communities beside bridgev2's own provisioning API, which is for people with log-ins. False means
// that the request is for that.
func (h *Host) provision(w http.ResponseWriter, req *http.Request, in *instance, r *run) bool {
	rest, ok := strings.CutPrefix(req.URL.Path, "/_matrix/provision/")
	if !ok {
		return false
	}
	token, _ := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer ")
	if strings.HasPrefix(token, "openid:") {
		// It would have the bridge call any server that a stranger names.
		respond(w, http.StatusUnauthorized, "M_UNKNOWN_TOKEN", "OpenID tokens are not taken")
		return true
	}
	what, ours := strings.CutPrefix(rest, "v3/landbridge/")
	if !ours {
		if who := id.UserID(req.URL.Query().Get("user_id")); who != "" {
			if user, err := r.br.GetExistingUserByMXID(req.Context(), who); err == nil && user != nil {
				if err := r.pump.allow(req.Context(), user); err != nil {
					r.log.Warn("cannot find out what somebody may do", "user_id", who, "error", err)
				}
			}
		}
		return false
	}
	in.mu.Lock()
	secret := in.config.ProvisioningSecret
	in.mu.Unlock()
	switch {
	case secret == "":
		respond(w, http.StatusForbidden, "M_FORBIDDEN", "Provisioning API is disabled")
	case token == "":
		respond(w, http.StatusUnauthorized, "M_MISSING_TOKEN", "Missing auth token")
	case subtle.ConstantTimeCompare([]byte(token), []byte(secret)) != 1:
		respond(w, http.StatusUnauthorized, "M_UNKNOWN_TOKEN", "Invalid auth token")
	case req.Method != http.MethodGet:
		respond(w, http.StatusMethodNotAllowed, "M_UNRECOGNIZED", "Invalid method for endpoint")
	case what == "rooms":
		h.provisionRooms(w, req, r)
	case what == "status":
		respondJSON(w, in.snapshot())
	default:
		respond(w, http.StatusNotFound, "M_UNRECOGNIZED", "Unrecognized endpoint")
	}
	return true
}

func (h *Host) provisionRooms(w http.ResponseWriter, req *http.Request, r *run) {
	list, err := r.br.GetAllPortalsWithMXID(req.Context())
	if err != nil {
		r.log.Error("cannot list the rooms", "error", err)
		respond(w, http.StatusInternalServerError, "M_UNKNOWN", "The rooms could not be listed")
		return
	}
	out := struct {
		Rooms []ProvisionedRoom `json:"rooms"`
	}{Rooms: make([]ProvisionedRoom, 0, len(list))}
	for _, p := range list {
		out.Rooms = append(out.Rooms, ProvisionedRoom{Channel: string(p.ID), Name: p.Name, Topic: p.Topic, Room: p.MXID, Parent: string(p.ParentKey.ID), Type: string(p.RoomType)})
	}
	respondJSON(w, out)
}

func respondJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	// A caller that is gone needs no answer.
	_ = json.NewEncoder(w).Encode(v)
}
