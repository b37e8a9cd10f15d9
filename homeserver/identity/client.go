package identity

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json/v2"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/federation/xmatrix"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/internal/safedial"
)

// Options say which identity servers are asked, and how.
type Options struct {
	// Signer signs what this server asks for by itself.
	Signer event.Signer
	// Trusted are the names of servers, with a port if it isn't 443; "*" stands for every server.
	Trusted []string
	// AllowNetworks are networks in which identity servers may be beside the public internet.
	AllowNetworks []netip.Prefix
	// RootCAs vouch for their certificates; nil means those of the system.
	RootCAs *x509.CertPool
}

// Client asks identity servers. It is safe for concurrent use.
type Client struct {
	o    Options
	http *http.Client
}

// Bounds of a request.
const (
	askTime   = 20 * time.Second
	answerMax = 1 << 20
)

// New makes a Client.
func New(o Options) *Client {
	t := safedial.Policy{Allow: o.AllowNetworks}.Transport()
	if o.RootCAs != nil {
		t.TLSClientConfig = &tls.Config{RootCAs: o.RootCAs}
	}
	return &Client{o: o, http: &http.Client{Transport: t, Timeout: askTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// Close ends idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// serverName is a host name or address, perhaps with a port.
var serverName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^([0-9A-Za-z.-]{1,230}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?$`)
})

// Check refuses servers that are not trusted: "It is possible some homeservers may want to supply defaults,
// or reject some identity servers for its users".
func (c *Client) Check(server string) error {
	if !serverName().MatchString(server) {
		return mxerror.InvalidParam("id_server is not the name of a server.")
	}
	if slices.Contains(c.o.Trusted, strings.ToLower(server)) || slices.Contains(c.o.Trusted, "*") {
		return nil
	}
	return mxerror.New(http.StatusForbidden, "M_SERVER_NOT_TRUSTED", "This server does not work with that identity server.")
}

// call is one request.
type call struct {
	server, path string
	// token is the user's access token at the identity server; without one this server signs the request.
	token string
	query url.Values
	body  any
}

// do asks. An answer that is an error of Matrix's is returned as that, everything else as one that tells that
// the identity server is not to be had.
func (c *Client) do(ctx context.Context, q call, out any) error {
	if err := c.Check(q.server); err != nil {
		return err
	}
	u := url.URL{Scheme: "https", Host: q.server, Path: "/_matrix/identity/v2" + q.path, RawQuery: q.query.Encode()}
	method, raw := http.MethodGet, []byte(nil)
	if q.body != nil {
		var err error
		if raw, err = json.Marshal(q.body, json.Deterministic(true)); err != nil {
			return fmt.Errorf("encoding a request to an identity server: %w", err)
		}
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(raw))
	if err != nil {
		return fmt.Errorf("asking an identity server: %w", err)
	}
	if raw != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if q.token != "" {
		r.Header.Set("Authorization", "Bearer "+q.token)
	} else if err := xmatrix.Sign(r, raw, c.o.Signer, q.server); err != nil {
		return err
	}
	res, err := c.http.Do(r)
	if err != nil {
		return unreachable(err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(res.Body, answerMax+1))
	switch {
	case err != nil:
		return unreachable(err)
	case len(answer) > answerMax:
		return unreachable(errors.New("its answer is too long"))
	case res.StatusCode != http.StatusOK:
		return refused(res.StatusCode, answer)
	case out == nil:
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return unreachable(err)
	}
	return nil
}

func unreachable(err error) error {
	return mxerror.New(http.StatusBadGateway, "M_UNKNOWN", "The identity server could not be asked.").Because(err)
}

// errNoMatrix is the cause of an answer that is no error of Matrix's.
var errNoMatrix = errors.New("an identity server gave an error that is none of Matrix's")

var errcode = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Z0-9_.]{1,64}$`) })

// textMax bounds what is passed on of an identity server's words.
const textMax = 500

// refused passes an identity server's error on.
func refused(status int, answer []byte) error {
	var e struct {
		Code string `json:"errcode"`
		Text string `json:"error"`
	}
	if json.Unmarshal(answer, &e) != nil || !errcode().MatchString(e.Code) || status < 400 || status >= 500 {
		return unreachable(fmt.Errorf("%w: status %d", errNoMatrix, status))
	}
	if status == http.StatusUnauthorized {
		status = http.StatusForbidden // it is not this server that doesn't know the token
	}
	return mxerror.New(status, e.Code, "The identity server says: %s", strings.ToValidUTF8(e.Text[:min(len(e.Text), textMax)], ""))
}
