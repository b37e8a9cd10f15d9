package client

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"strconv"
	"time"
)

// VoIP is what clients are told about calls.
type VoIP struct {
	// TURNURIs are TURN servers; without any there are none.
	TURNURIs []string
	// TURNSecret makes credentials that end after TURNLifetime; without it TURNUsername and
	// TURNPassword are given out.
	TURNSecret, TURNUsername, TURNPassword string
	TURNLifetime                           time.Duration
	// LiveKitURLs are the services that give out tokens for LiveKit, for MatrixRTC.
	LiveKitURLs []string
}

// voipRoutes mounts the endpoints of calls.
func (a *API) voipRoutes() {
	a.on(http.MethodGet, v3, "/voip/turnServer", user, a.turnServer)
	a.on(http.MethodGet, []string{"/_matrix/client/unstable/org.matrix.msc4143", "/_matrix/client/v1"}, "/rtc/transports", user, a.rtcTransports)
}

// turnServer is GET /voip/turnServer. The credentials are those of the TURN REST API
// (draft-uberti-behave-turn-rest): the time at which they end and the user, and an HMAC of that,
// which the TURN server can check with the secret that it shares.
func (a *API) turnServer(c *call) (any, error) {
	v := a.o.VoIP
	uris := append([]string{}, v.TURNURIs...) // an empty list, not null, where there is none
	name, password := v.TURNUsername, v.TURNPassword
	if v.TURNSecret != "" && len(uris) > 0 {
		name = strconv.FormatInt(a.o.Now().Add(v.TURNLifetime).Unix(), 10) + ":" + c.session.UserID
		mac := hmac.New(sha1.New, []byte(v.TURNSecret))
		mac.Write([]byte(name))
		password = base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return map[string]any{"username": name, "password": password, "uris": uris, "ttl": int64(v.TURNLifetime / time.Second)}, nil
}

// rtcTransport is where the media of a MatrixRTC call go: MSC4143 and, for LiveKit, MSC4195.
type rtcTransport struct {
	Type string `json:"type"`
	URL  string `json:"livekit_service_url"`
}

func (a *API) transports() []rtcTransport {
	out := []rtcTransport{}
	for _, u := range a.o.VoIP.LiveKitURLs {
		out = append(out, rtcTransport{"livekit", u})
	}
	return out
}

// rtcTransports is GET /rtc/transports of MSC4143.
func (a *API) rtcTransports(*call) (any, error) {
	return map[string][]rtcTransport{"rtc_transports": a.transports()}, nil
}
