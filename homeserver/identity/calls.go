package identity

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/url"
	"regexp"
	"slices"
	"sync"

	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// Asker is somebody in whose name an identity server is asked.
type Asker struct {
	// Server is its name, and Token the user's access token there.
	Server, Token string
}

// Lookup finds whose an address is; "" if nobody's. The server is told a hash of it, if it takes hashes.
func (c *Client) Lookup(ctx context.Context, a Asker, medium, address string) (userID string, err error) {
	for range 2 { // "has it been rotated?"
		userID, err = c.lookup(ctx, a, medium, address)
		if !mxerror.Is(err, "M_INVALID_PEPPER") {
			break
		}
	}
	return userID, err
}

func (c *Client) lookup(ctx context.Context, a Asker, medium, address string) (string, error) {
	var how struct {
		Pepper     string   `json:"lookup_pepper"`
		Algorithms []string `json:"algorithms"`
	}
	if err := c.do(ctx, call{server: a.Server, path: "/hash_details", token: a.Token}, &how); err != nil {
		return "", err
	}
	algorithm, key := "none", address+" "+medium
	switch {
	case slices.Contains(how.Algorithms, "sha256"):
		hash := sha256.Sum256([]byte(key + " " + how.Pepper))
		algorithm, key = "sha256", base64.RawURLEncoding.EncodeToString(hash[:])
	case !slices.Contains(how.Algorithms, "none"):
		return "", unreachable(errors.New("it takes no hashes that are known here"))
	}
	var found struct {
		Mappings map[string]string `json:"mappings"`
	}
	q := map[string]any{"algorithm": algorithm, "pepper": how.Pepper, "addresses": []string{key}}
	if err := c.do(ctx, call{server: a.Server, path: "/lookup", token: a.Token, body: q}, &found); err != nil {
		return "", err
	}
	userID := found.Mappings[key]
	if userID == "" {
		return "", nil
	}
	if _, _, err := id.UserID(userID).ParseAndValidateRelaxed(); err != nil {
		return "", unreachable(err)
	}
	return userID, nil
}

// Invitation is what an identity server is told of an invitation that waits for the owner of an address.
// Fields that are empty are left out.
type Invitation struct {
	Medium       string `json:"medium"`
	Address      string `json:"address"`
	RoomID       string `json:"room_id"`
	Sender       string `json:"sender"`
	RoomAlias    string `json:"room_alias,omitempty"`
	RoomAvatar   string `json:"room_avatar_url,omitempty"`
	JoinRule     string `json:"room_join_rules,omitempty"`
	RoomName     string `json:"room_name,omitempty"`
	RoomType     string `json:"room_type,omitempty"`
	SenderName   string `json:"sender_display_name,omitempty"`
	SenderAvatar string `json:"sender_avatar_url,omitempty"`
}

// PublicKey is a key with which an identity server will vouch for somebody.
type PublicKey struct {
	Key      string `json:"public_key"`
	Validity string `json:"key_validity_url,omitempty"`
}

// Stored is what goes into an m.room.third_party_invite event.
type Stored struct {
	Token       string      `json:"token"`
	DisplayName string      `json:"display_name"`
	Keys        []PublicKey `json:"public_keys"`
}

// "Must be a string consisting of the characters [0-9a-zA-Z.=_-]. Its length must not exceed 255 characters
// and it must not be empty."
var tokenForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-zA-Z.=_-]{1,255}$`) })

// Store has an invitation remembered.
func (c *Client) Store(ctx context.Context, a Asker, i Invitation) (Stored, error) {
	var out Stored
	if err := c.do(ctx, call{server: a.Server, path: "/store-invite", token: a.Token, body: i}, &out); err != nil {
		return out, err
	}
	if !tokenForm().MatchString(out.Token) || len(out.Keys) == 0 || len(out.Keys) > 20 || len(out.DisplayName) > 1000 {
		return out, unreachable(errors.New("it gave no token or keys that can be used"))
	}
	for _, k := range out.Keys {
		if len(k.Key) == 0 || len(k.Key) > 200 || len(k.Validity) > 1000 {
			return out, unreachable(errors.New("it gave a key that can't be used"))
		}
	}
	return out, nil
}

// Bind publishes that an address that was validated at the server belongs to a user.
func (c *Client) Bind(ctx context.Context, a Asker, sid, secret, userID string) (medium, address string, err error) {
	var out struct {
		Medium  string `json:"medium"`
		Address string `json:"address"`
	}
	q := map[string]string{"sid": sid, "client_secret": secret, "mxid": userID}
	if err := c.do(ctx, call{server: a.Server, path: "/3pid/bind", token: a.Token, body: q}, &out); err != nil {
		return "", "", err
	}
	return out.Medium, out.Address, nil
}

// Unbind takes back that an address belongs to a user of this server, which signs the request. done is false
// where the server does not support that: "If the response body is not a JSON Matrix error, the identity
// server does not support unbinds. If a JSON Matrix error is in the response body, the requesting party should
// respect the error."
func (c *Client) Unbind(ctx context.Context, server, userID, medium, address string) (done bool, err error) {
	q := map[string]any{"mxid": userID, "threepid": map[string]string{"medium": medium, "address": address}}
	err = c.do(ctx, call{server: server, path: "/3pid/unbind", query: url.Values{}, body: q}, nil)
	if errors.Is(err, errNoMatrix) {
		return false, nil
	}
	return err == nil, err
}
