package appservices

import (
	"bytes"
	"context"
	"encoding/json/v2"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// request calls the service. Specification, "Legacy routes": "Homeservers should attempt to use the
// specified endpoints first when communicating with application services. However, if the application
// service receives an HTTP status code that does not indicate success (i.e.: 404, 500, 501, etc) then the
// homeserver should fall back to the older endpoints". Done for every failure, that would have a service
// that is in trouble do its work twice; so it is done where the answer may mean that the endpoint is not known.
func (d *sender) request(ctx context.Context, method, path string, body []byte) (status int, reply []byte, err error) {
	status, reply, err = d.call(ctx, method, path, body)
	if err != nil || !unknownEndpoint(status, reply) {
		return status, reply, err
	}
	old := legacyPath(path)
	if old == "" {
		return status, reply, nil
	}
	// "In previous versions of this specification, an access_token query parameter was used instead.
	// Servers should only send this query parameter if supporting legacy versions of the specification.
	// If sending the query_string, it is encouraged to send it alongside the Authorization header".
	sep := "?"
	if strings.Contains(old, "?") {
		sep = "&"
	}
	oldStatus, oldReply, err := d.call(ctx, method, old+sep+"access_token="+url.QueryEscape(d.reg.HSToken), body)
	if err != nil || oldStatus/100 != 2 {
		return status, reply, nil // what the endpoint of today said counts
	}
	return oldStatus, oldReply, nil
}

// unknownEndpoint tells whether an answer may be that of a service which does not know an endpoint.
func unknownEndpoint(status int, reply []byte) bool {
	switch status {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
	default:
		return false
	}
	var e struct {
		Code string `json:"errcode"`
	}
	return json.Unmarshal(reply, &e) != nil || e.Code == "" || e.Code == "M_UNRECOGNIZED"
}

// legacyPath is where an endpoint was in drafts of the specification; "" for those that are younger.
func legacyPath(path string) string {
	rest, ok := strings.CutPrefix(path, "/_matrix/app/v1/")
	switch {
	case !ok:
		return ""
	case strings.HasPrefix(rest, "transactions/"), strings.HasPrefix(rest, "users/"), strings.HasPrefix(rest, "rooms/"):
		return "/" + rest
	case strings.HasPrefix(rest, "thirdparty/"):
		return "/_matrix/app/unstable/" + rest
	}
	return ""
}

// call makes one request.
func (d *sender) call(ctx context.Context, method, path string, body []byte) (status int, reply []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, method, d.base+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+d.reg.HSToken)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := d.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	reply, err = io.ReadAll(io.LimitReader(res.Body, replyMax))
	return res.StatusCode, reply, err
}
