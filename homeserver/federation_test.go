package homeserver

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// TestFederationEdge asks for what a server tells others of itself.
func TestFederationEdge(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.o.Federation.Enabled = true
	srv := httptest.NewServer(h.Federation())
	t.Cleanup(srv.Close)
	for _, tc := range []struct {
		method, path, body string
		status             int
		field, want        string
	}{
		{"GET", "/_matrix/federation/v1/version", "", 200, "server.name", "Landbridge"},
		{"POST", "/_matrix/federation/v1/version", "", 405, "errcode", "M_UNRECOGNIZED"},
		{"GET", "/_matrix/key/v2/server", "", 200, "server_name", "test"},
		{"GET", "/_matrix/key/v2/query/test", "", 200, "server_keys.0.server_name", "test"},
		{"GET", "/_matrix/key/v2/query/10.0.0.1", "", 200, "server_keys.#", "0"},
		{"GET", "/_matrix/key/v2/query/test?minimum_valid_until_ts=x", "", 400, "errcode", "M_INVALID_PARAM"},
		{"POST", "/_matrix/key/v2/query", `{"server_keys":{"test":{}}}`, 200, "server_keys.0.server_name", "test"},
		{"POST", "/_matrix/key/v2/query", `{`, 400, "errcode", "M_NOT_JSON"},
		{"POST", "/_matrix/key/v2/query", `{}`, 400, "errcode", "M_BAD_JSON"},
		{"DELETE", "/_matrix/key/v2/query", "", 405, "errcode", "M_UNRECOGNIZED"},
		{"GET", "/_matrix/federation/v1/nothing", "", 404, "errcode", "M_UNRECOGNIZED"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tc.method, srv.URL+tc.path, strings.NewReader(tc.body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		raw, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if got := gjson.GetBytes(raw, tc.field).String(); resp.StatusCode != tc.status || got != tc.want {
			t.Errorf("%s %s: %d %s", tc.method, tc.path, resp.StatusCode, raw)
		}
	}
}
