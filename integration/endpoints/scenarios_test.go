package endpoints

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/landbridge-im/landbridge/integration/client"
)

// configuration is what the server has beside testserver's own.
const configuration = `media:
  allow_old_endpoints: true
mail:
  server: %[1]q
  security: none
  from: noreply@example.org
url_previews:
  enabled: true
  allow_networks: [127.0.0.0/8]
login:
  oidc: [{id: corp, name: Corp, issuer: %[2]q, client_id: landbridge, client_secret: hunter2}]
well_known:
  support_page: https://example.org/help
  support_contacts: [{role: m.role.admin, matrix_id: "@admin:test"}]
  policy_server_key: 6yhHGKhCiXTSEN2ksjV7kX_N6rBQZ3Xb-M7LlC6NS-s
`

const page = `<!doctype html><title>A page</title><meta property="og:title" content="A page">`

// provider is the discovery of an OpenID Connect provider.
func provider(w http.ResponseWriter, r *http.Request) {
	at := "http://" + r.Host
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(object{"issuer": at, "authorization_endpoint": at + "/auth", "token_endpoint": at + "/token", "jwks_uri": at + "/keys",
		"id_token_signing_alg_values_supported": []string{"RS256"}, "response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}}) // whoever asked will see that nothing came
}

// scenarios are those of all modules, by operation.
func scenarios() map[string]scenario {
	all := map[string]scenario{}
	for _, part := range []map[string]scenario{accountScenarios, deviceScenarios, dataScenarios, roomScenarios, membershipScenarios,
		eventScenarios, directoryScenarios, mediaScenarios, pushScenarios, keyScenarios, serverScenarios,
		threePIDScenarios, adminScenarios} {
		maps.Copy(all, part)
	}
	return all
}

type object = map[string]any

// plain is a call that needs nothing but what stage knows.
func plain(*stage) call { return call{} }

// with is a call with a body.
func with(body any) scenario { return func(*stage) call { return call{body: body} } }

// confirmed is a body with the authentication that user-interactive endpoints want.
func (s *stage) confirmed(body object) object {
	if body == nil {
		body = object{}
	}
	body["auth"] = object{"type": "m.login.password", "password": client.Password,
		"identifier": object{"type": "m.id.user", "user": s.alice().UserID}}
	return body
}

// localpart is the name that a user id begins with.
func localpart(userID string) string {
	name, _, _ := strings.Cut(userID[1:], ":")
	return name
}

// post makes a request that must succeed, and decodes the answer unless out is nil.
func (s *stage) post(as *client.Client, method, path string, body, out any) {
	s.Helper()
	s.ok(as.Do(s.Context(), method, path, nil, body, out))
}

// thirdParty is the application service's side of third-party look-ups.
func thirdParty(w http.ResponseWriter, r *http.Request) {
	var v any
	switch rest := strings.TrimPrefix(r.URL.Path, "/_matrix/app/v1/thirdparty/"); {
	case strings.HasPrefix(rest, "protocol/"):
		v = object{"user_fields": []string{"flag"}, "location_fields": []string{"hill"}, "icon": "mxc://test/icon",
			"field_types": object{"flag": object{"regexp": ".*", "placeholder": "red"}, "hill": object{"regexp": ".*", "placeholder": "high"}},
			"instances":   []object{{"desc": "Hills", "network_id": "hills", "fields": object{}}}}
	case strings.HasPrefix(rest, "user"):
		v = []object{{"userid": "@flag_red:test", "protocol": "semaphore", "fields": object{"flag": "red"}}}
	default:
		v = []object{{"alias": "#flag_hill:test", "protocol": "semaphore", "fields": object{"hill": "high"}}}
	}
	_ = json.NewEncoder(w).Encode(v) // whoever asked will see that nothing came
}

// png is a picture of one pixel.
var png = func() []byte {
	raw, err := base64.StdEncoding.DecodeString("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
	if err != nil {
		panic(err)
	}
	return raw
}()

var serverScenarios = map[string]scenario{
	"getVersions":         plain,
	"getWellknown":        plain,
	"getWellknownSupport": plain,
	"getWellknownPolicy":  plain,
	"getCapabilities":     plain,
	"getTurnServer":       plain,
	"pingAppservice": func(s *stage) call {
		return call{as: s.service, params: map[string]string{"appserviceId": "endpoints"}, body: object{"transaction_id": "ping"}}
	},
	"updateAppserviceRoomDirectoryVisibility": func(s *stage) call {
		return call{as: s.service, params: map[string]string{"networkId": "hills"}, body: object{"visibility": "public"}}
	},
	"getProtocols":            plain,
	"getProtocolMetadata":     semaphore(nil),
	"queryLocationByProtocol": semaphore(url.Values{"hill": {"high"}}),
	"queryUserByProtocol":     semaphore(url.Values{"flag": {"red"}}),
	"queryLocationByAlias":    semaphore(url.Values{"alias": {"#flag_hill:test"}}),
	"queryUserByID":           semaphore(url.Values{"userid": {"@flag_red:test"}}),
	"search":                  with(object{"search_categories": object{"room_events": object{"search_term": "first"}}}),
	"searchUserDirectory":     with(object{"search_term": "user"}),
}

func semaphore(q url.Values) scenario {
	return func(*stage) call { return call{params: map[string]string{"protocol": "semaphore"}, query: q} }
}
