package homeserver

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/tidwall/gjson"
)

// adm makes a request to the administrators' API.
func (h *hs) adm(token, method, path string, body any) (int, gjson.Result) {
	h.Helper()
	raw := []byte(nil)
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			h.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(h.Context(), method, h.url+"/_synapse/admin"+path, bytes.NewReader(raw))
	if err != nil {
		h.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := h.http.Do(req)
	if err != nil {
		h.Fatal(err)
	}
	defer res.Body.Close()
	if raw, err = io.ReadAll(res.Body); err != nil {
		h.Fatal(err)
	}
	return res.StatusCode, gjson.ParseBytes(raw)
}

// admOK is adm where it must succeed.
func (h *hs) admOK(token, method, path string, body any) gjson.Result {
	h.Helper()
	status, out := h.adm(token, method, path, body)
	if status/100 != 2 {
		h.Fatalf("%s %s: %d %s", method, path, status, out.Raw)
	}
	return out
}

// admNo is adm where it must fail in this way.
func (h *hs) admNo(status int, code, token, method, path string, body any) {
	h.Helper()
	got, out := h.adm(token, method, path, body)
	if got != status || out.Get("errcode").Str != code {
		h.Errorf("%s %s: %d %s, want %d %s", method, path, got, out.Raw, status, code)
	}
}

// want checks values of an answer by their paths.
func want(t testing.TB, out gjson.Result, values map[string]string) {
	t.Helper()
	for path, v := range values {
		if got := out.Get(path).String(); got != v {
			t.Errorf("%s is %q, want %q, in %s", path, got, v, out.Raw)
		}
	}
}

// startAdmin starts a server with an administrator.
func startAdmin(t testing.TB, change ...func(*Options)) (h *hs, root string) {
	h = start(t, change...)
	h.runs()
	h.user("root")
	h.admin("@root:test")
	return h, h.again("root")
}

// again logs somebody in once more.
func (h *hs) again(name string) string {
	return h.ok("", "POST", "/v3/login", obj{"type": "m.login.password", "identifier": obj{"type": "m.id.user", "user": name}, "password": "long enough"}).Get("access_token").Str
}
