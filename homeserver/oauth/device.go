package oauth

import (
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	deviceLife     = 20 * time.Minute
	deviceInterval = 5 * time.Second
	devicesKept    = 8192
	// userCodeLetters have no vowels, so that no words come out, and none that read like another:
	// RFC 8628, section 6.1.
	userCodeLetters = "BCDFGHJKLMNPQRSTVWXZ"
	userCodeSize    = 8
)

// deviceCode is a device that waits for its user to decide elsewhere.
type deviceCode struct {
	client string
	grant  grant
	user   string // the user code
	until  time.Time

	mu       sync.Mutex
	decided  bool
	allowed  int64 // by which user; 0 if it was denied
	used     bool
	interval time.Duration
	polled   time.Time
}

// deviceCodes are the devices that wait.
type deviceCodes struct {
	now    func() time.Time
	byCode *lru.Cache[[sha256.Size]byte, *deviceCode]
	byUser *lru.Cache[string, *deviceCode]
}

func newDeviceCodes(now func() time.Time) (*deviceCodes, error) {
	byCode, err := lru.New[[sha256.Size]byte, *deviceCode](devicesKept)
	if err != nil {
		return nil, err
	}
	byUser, err := lru.New[string, *deviceCode](devicesKept)
	return &deviceCodes{now, byCode, byUser}, err
}

// add lets a device wait.
func (ds *deviceCodes) add(d *deviceCode) (secret string) {
	d.until, d.interval = ds.now().Add(deviceLife), deviceInterval
	for {
		d.user = newUserCode()
		if had, _ := ds.byUser.ContainsOrAdd(d.user, d); !had {
			break
		}
	}
	secret = random()
	ds.byCode.Add(sha256.Sum256([]byte(secret)), d)
	return secret
}

// byUserCode finds the device that shows a code, if nothing has been decided yet.
func (ds *deviceCodes) byUserCode(text string) *deviceCode {
	d, ok := ds.byUser.Get(plainUserCode(text))
	if !ok || !ds.now().Before(d.until) {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.decided {
		return nil
	}
	return d
}

// decide notes what the user says; 0 is no. It is false if somebody has decided before.
func (d *deviceCode) decide(user int64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.decided {
		return false
	}
	d.decided, d.allowed = true, user
	return true
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
	d := &deviceCode{client: c.ID, grant: g}
	secret := p.devices.add(d)
	shown := showUserCode(d.user)
	return sendJSON(w, http.StatusOK, map[string]any{"device_code": secret, "user_code": shown, "verification_uri": p.o.PublicURL + pathLink,
		"verification_uri_complete": p.o.PublicURL + pathLink + "?" + url.Values{"user_code": {shown}}.Encode(),
		"expires_in":                int64(deviceLife.Seconds()), "interval": int64(deviceInterval.Seconds())})
}

// poll is what a waiting device asks: RFC 8628, section 3.5.
func (p *Provider) poll(w http.ResponseWriter, r *http.Request, c *client, v url.Values) error {
	if v.Get("device_code") == "" {
		return bad("invalid_request", "device_code is missing.")
	}
	d, ok := p.devices.byCode.Get(sha256.Sum256([]byte(v.Get("device_code"))))
	if !ok || !sameText(d.client, c.ID) {
		return bad("invalid_grant", "The device code is not known.")
	}
	now := p.o.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.used:
		return bad("invalid_grant", "The device code has been used.")
	case d.decided && d.allowed == 0:
		return bad("access_denied", "The user did not allow it.")
	case !now.Before(d.until):
		return bad("expired_token", "The device code has expired. Ask for another one.")
	case !d.decided:
		early := now.Sub(d.polled) < d.interval
		d.polled = now
		if early {
			// "the interval MUST be increased by 5 seconds for this and all subsequent requests"
			d.interval = min(d.interval+5*time.Second, time.Minute)
			return bad("slow_down", "Wait longer between two requests.")
		}
		return bad("authorization_pending", "The user has not decided yet.")
	}
	l, err := p.grant(r, d.allowed, c, d.grant)
	if err != nil {
		return err
	}
	d.used = true
	return sendTokens(w, l, d.grant.Scope)
}
