package client

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
)

// Password is that of every account made by Register.
const Password = "long enough for anybody"

type loginReply struct {
	UserID      string `json:"user_id"`
	AccessToken string `json:"access_token"`
	DeviceID    string `json:"device_id"`
}

func (c *Client) with(l loginReply) *Client {
	d := *c
	d.UserID, d.Token, d.DeviceID = l.UserID, l.AccessToken, l.DeviceID
	return &d
}

// Register signs a user up and gives a client that is logged in as them.
func (c *Client) Register(ctx context.Context, localpart string) (*Client, error) {
	var out loginReply
	err := c.Do(ctx, "POST", Path("register"), nil, map[string]any{"username": localpart, "password": Password,
		"auth": map[string]string{"type": "m.login.dummy"}}, &out)
	return c.with(out), err
}

// Login logs in with the password of Register, on a new device.
func (c *Client) Login(ctx context.Context, localpart string) (*Client, error) {
	var out loginReply
	err := c.Do(ctx, "POST", Path("login"), nil, map[string]any{"type": "m.login.password", "password": Password,
		"identifier": map[string]string{"type": "m.id.user", "user": localpart}}, &out)
	return c.with(out), err
}

// RegisterAdmin makes an administrator, with the shared secret for registration.
func (c *Client) RegisterAdmin(ctx context.Context, localpart, secret string) (*Client, error) {
	const path = "/_synapse/admin/v1/register"
	var nonce struct{ Nonce string }
	if err := c.Do(ctx, "GET", path, nil, nil, &nonce); err != nil {
		return nil, err
	}
	mac := hmac.New(sha1.New, []byte(secret))
	fmt.Fprintf(mac, "%s\x00%s\x00%s\x00admin", nonce.Nonce, localpart, Password)
	var out loginReply
	err := c.Do(ctx, "POST", path, nil, map[string]any{"nonce": nonce.Nonce, "username": localpart, "password": Password, "admin": true,
		"mac": hex.EncodeToString(mac.Sum(nil))}, &out)
	return c.with(out), err
}

// RegisterGhost makes a user of an application service, without a device.
func (c *Client) RegisterGhost(ctx context.Context, localpart string) error {
	return c.Do(ctx, "POST", Path("register"), nil, map[string]any{"type": "m.login.application_service", "username": localpart, "inhibit_login": true}, nil)
}
