package homeserver

import (
	"strings"
	"testing"
)

// TestWebPushEndpoints: a pusher of MSC4174 has to be activated, with a token that its client got.
func TestWebPushEndpoints(t *testing.T) {
	t.Parallel()
	h := startWith(t, nil)
	alice := h.user("alice")
	if c := h.want(200, "", alice, "GET", "/v3/capabilities", nil); !strings.Contains(c.raw, `"org.matrix.msc4174.webpush":{"enabled":true,"vapid":"B`) {
		t.Error(c.raw)
	}
	body := obj{"kind": "org.matrix.msc4174.webpush", "app_id": "web", "app_display_name": "a", "device_display_name": "d", "lang": "en",
		"pushkey": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
		"data":    obj{"url": "https://push.example/x", "auth": "BTBZMqHH6r4Tts7J_aSIgg"}}
	h.want(201, "", alice, "POST", "/v3/pushers/set", body)
	if l := h.want(200, "", alice, "GET", "/v3/pushers", nil); !strings.Contains(l.raw, `"activated":false`) || !strings.Contains(l.raw, `"kind":"org.matrix.msc4174.webpush"`) {
		t.Error(l.raw)
	}
	const ack = "/_matrix/client/unstable/org.matrix.msc4174/pushers/ack"
	h.want(400, "M_UNKNOWN_ACTIVATION_TOKEN", alice, "POST", ack, obj{"app_id": "web", "ack_token": "guess"})
	h.want(404, "M_NOT_FOUND", alice, "POST", ack, obj{"app_id": "none", "ack_token": "guess"})
	h.want(400, "M_MISSING_PARAM", alice, "POST", ack, obj{"app_id": "web"})
	h.want(401, "M_MISSING_TOKEN", "", "POST", ack, obj{"app_id": "web", "ack_token": "guess"})
	body["pushkey"] = "x"
	h.want(400, "M_INVALID_PARAM", alice, "POST", "/v3/pushers/set", body)
}
