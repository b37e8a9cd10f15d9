package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Client is somebody on a homeserver. It is safe for concurrent use as long as its fields do not
// change.
type Client struct {
	// URL is the homeserver's address, without a path.
	URL string
	// Token is the access token; empty for requests without one.
	Token string
	// UserID and DeviceID are whom the token belongs to.
	UserID, DeviceID string
	// AsUser and AsDevice are who an application service acts as; empty means itself.
	AsUser, AsDevice string
	// HTTP makes the requests; nil means http.DefaultClient.
	HTTP *http.Client
}

// Error is an answer that says that a request failed.
type Error struct {
	Status  int    `json:"-"`
	Code    string `json:"errcode"`
	Message string `json:"error"`
	Body    []byte `json:"-"` // the answer's body as it came
}

// Error is what the server said.
func (e *Error) Error() string { return fmt.Sprintf("%d %s: %s", e.Status, e.Code, e.Message) }

// Path puts a path of the client-server API together, each part escaped:
// Path("rooms", id, "join") is "/_matrix/client/v3/rooms/.../join".
func Path(parts ...string) string {
	var b strings.Builder
	b.WriteString("/_matrix/client/v3")
	for _, p := range parts {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(p))
	}
	return b.String()
}

// Do makes a request with a JSON body, unless that is nil, and decodes the answer into out,
// unless that is nil. An answer other than 2xx is an *Error.
func (c *Client) Do(ctx context.Context, method, path string, query url.Values, body, out any) error {
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return fmt.Errorf("%s %s: encoding the body: %w", method, path, err)
		}
	}
	status, answer, err := c.Raw(ctx, method, path, query, raw)
	if err != nil {
		return err
	}
	if status/100 != 2 {
		e := &Error{Status: status, Body: answer}
		if json.Unmarshal(answer, e) != nil {
			e.Message = "no JSON: " + string(answer[:min(len(answer), 200)])
		}
		return fmt.Errorf("%s %s: %w", method, path, e)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%s %s: decoding the answer %s: %w", method, path, answer[:min(len(answer), 500)], err)
	}
	return nil
}

// Raw makes a request with the body as it is, and gives the answer as it is.
func (c *Client) Raw(ctx context.Context, method, path string, query url.Values, body []byte) (status int, answer []byte, err error) {
	req, err := c.Request(ctx, method, path, query, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	hc := c.HTTP
	if hc == nil {
		hc = http.DefaultClient
	}
	res, err := hc.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer, err = io.ReadAll(res.Body)
	if err != nil {
		return 0, nil, fmt.Errorf("%s %s: reading the answer: %w", method, path, err)
	}
	return res.StatusCode, answer, nil
}

// Request makes a request without sending it.
func (c *Client) Request(ctx context.Context, method, path string, query url.Values, body io.Reader) (*http.Request, error) {
	q := url.Values{}
	for k, v := range query {
		q[k] = v
	}
	if c.AsUser != "" {
		q.Set("user_id", c.AsUser)
	}
	if c.AsDevice != "" {
		q.Set("device_id", c.AsDevice)
	}
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, c.URL+path, body)
	if err != nil {
		return nil, err
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	return req, nil
}

// As is an application service acting as one of its users.
func (c *Client) As(userID string) *Client {
	d := *c
	d.AsUser, d.UserID = userID, userID
	return &d
}
