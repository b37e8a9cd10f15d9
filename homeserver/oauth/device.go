package oauth

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

const (
	deviceLife     = 20 * time.Minute
	deviceInterval = 5 * time.Second
	devicesKept    = 8192
	kindDevice     = "device"
	// userCodeLetters have no vowels, so that no words come out, and none that read like another:
	// RFC 8628, section 6.1.
	userCodeLetters = "BCDFGHJKLMNPQRSTVWXZ"
	userCodeSize    = 8
)

// paces are how often devices that wait ask. They live in memory: a restart forgives who asked too often.
type paces struct {
	mu    sync.Mutex
	bySum *lru.Cache[string, pace]
}

type pace struct {
	interval time.Duration
	polled   time.Time
}

func newPaces() (*paces, error) {
	c, err := lru.New[string, pace](devicesKept)
	return &paces{bySum: c}, err
}

// early notes that a device asks now, and tells whether it should have waited longer.
func (ps *paces) early(sum []byte, now time.Time) bool {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	x, ok := ps.bySum.Get(string(sum))
	if !ok {
		x.interval = deviceInterval
	}
	early := now.Sub(x.polled) < x.interval
	x.polled = now
	if early {
		// "the interval MUST be increased by 5 seconds for this and all subsequent requests"
		x.interval = min(x.interval+5*time.Second, time.Minute)
	}
	ps.bySum.Add(string(sum), x)
	return early
}

// addDevice lets a device wait.
func (p *Provider) addDevice(ctx context.Context, client string, g grant) (secret, userCode string, err error) {
	secret = random()
	now := p.o.Now()
	for fresh := false; !fresh; {
		userCode = newUserCode()
		c := store.OAuthCode{Sum: sumOf(secret), Kind: kindDevice, UserCode: userCode, Client: client, Device: g.Device, Scope: g.Scope,
			State: store.CodeWaiting, ExpiresTS: now.Add(deviceLife).UnixMilli()}
		if err := p.o.Store.Write(ctx, func(tx *store.Tx) (err error) {
			fresh, err = tx.AddOAuthCode(c, now.Add(-deviceLife).UnixMilli(), devicesKept)
			return err
		}); err != nil {
			return "", "", err
		}
	}
	return secret, userCode, nil
}

// byUserCode finds the device that shows a code, if nothing has been decided yet; ErrNotFound otherwise.
func (p *Provider) byUserCode(ctx context.Context, text string) (store.OAuthCode, error) {
	c, err := p.o.Store.OAuthCodeOf(ctx, plainUserCode(text))
	if err == nil && (c.State != store.CodeWaiting || p.o.Now().UnixMilli() >= c.ExpiresTS) {
		err = store.ErrNotFound
	}
	return c, err
}

// newUserCode makes a user code: 20^8 of them are enough for the few minutes that each lives, with the
// tries being counted.
func newUserCode() string {
	out := make([]byte, 0, userCodeSize)
	var buf [64]byte
	for len(out) < userCodeSize {
		rand.Read(buf[:]) // never fails
		for _, b := range buf {
			// 240 is the largest multiple of 20 in a byte: what is above would favour some letters.
			if b < 240 && len(out) < userCodeSize {
				out = append(out, userCodeLetters[int(b)%len(userCodeLetters)])
			}
		}
	}
	return string(out)
}

// plainUserCode is a user code as somebody typed it, without what does not matter: "the server should
// ignore any characters like punctuation that are not in the user code character set".
func plainUserCode(s string) string {
	return strings.Map(func(c rune) rune {
		if strings.ContainsRune(userCodeLetters, c) {
			return c
		}
		return -1
	}, strings.ToUpper(s[:min(len(s), 64)]))
}

// showUserCode writes it with a dash in the middle.
func showUserCode(s string) string { return s[:userCodeSize/2] + "-" + s[userCodeSize/2:] }

// authorizeDevice is the device authorization endpoint: RFC 8628, section 3.1.
func (p *Provider) authorizeDevice(w http.ResponseWriter, r *http.Request) error {
	if err := p.o.Client().Stranger(r); err != nil {
		return err
	}
	v, err := readForm(w, r)
	if err != nil {
		return err
	}
	c, err := p.client(r.Context(), v.Get("client_id"))
	if err != nil {
		return err
	}
	if !c.may(grantDevice) {
		return bad("unauthorized_client", "The client has not registered the grant type "+grantDevice+".")
	}
	g, err := parseScope(v.Get("scope"))
	if err != nil {
		return err
	}
	secret, userCode, err := p.addDevice(r.Context(), c.ID, g)
	if err != nil {
		return err
	}
	shown := showUserCode(userCode)
	return sendJSON(w, http.StatusOK, map[string]any{"device_code": secret, "user_code": shown, "verification_uri": p.o.PublicURL + pathLink,
		"verification_uri_complete": p.o.PublicURL + pathLink + "?" + url.Values{"user_code": {shown}}.Encode(),
		"expires_in":                int64(deviceLife.Seconds()), "interval": int64(deviceInterval.Seconds())})
}

// poll is what a waiting device asks: RFC 8628, section 3.5.
func (p *Provider) poll(w http.ResponseWriter, r *http.Request, c *client, v url.Values) error {
	if v.Get("device_code") == "" {
		return bad("invalid_request", "device_code is missing.")
	}
	ctx := r.Context()
	d, err := p.code(ctx, kindDevice, v.Get("device_code"))
	if errors.Is(err, store.ErrNotFound) || err == nil && !sameText(d.Client, c.ID) {
		return bad("invalid_grant", "The device code is not known.")
	}
	if err != nil {
		return err
	}
	now := p.o.Now()
	switch {
	case d.State == store.CodeUsed:
		return errDeviceUsed
	case d.State == store.CodeDenied:
		return bad("access_denied", "The user did not allow it.")
	case now.UnixMilli() >= d.ExpiresTS:
		return bad("expired_token", "The device code has expired. Ask for another one.")
	case d.State == store.CodeWaiting && p.paces.early(d.Sum, now):
		return bad("slow_down", "Wait longer between two requests.")
	case d.State == store.CodeWaiting:
		return bad("authorization_pending", "The user has not decided yet.")
	}
	d.State = store.CodeUsed
	if ok, err := p.move(ctx, store.CodeAllowed, d); err != nil || !ok {
		return cmp.Or(err, error(errDeviceUsed))
	}
	g := grant{Device: d.Device, Scope: d.Scope}
	l, err := p.grant(r, d.User, c, g)
	if err != nil {
		// It may be tried again.
		d.State = store.CodeAllowed
		_, back := p.move(context.WithoutCancel(ctx), store.CodeUsed, d)
		return errors.Join(err, back)
	}
	return sendTokens(w, l, g.Scope)
}

var errDeviceUsed = bad("invalid_grant", "The device code has been used.")
