package claims

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Person is somebody of a bridged network.
type Person struct {
	Service string // the bridge
	ID      string // on its network
	Name    string // may be empty
}

// Offer is what a person needs to claim an account; both parts are secrets of theirs.
type Offer struct {
	URL  string
	Code string // such as "K7QX2-M4DPA"
}

// maxID and maxName bound what a network says of a person, in bytes.
const (
	maxID   = 255
	maxName = 256
)

// secret makes one of an offer's secrets. They are not stored: what the database has is a random number and
// their hashes, and the key to the number is in a file.
func (c *Claims) secret(what string, p store.ClaimPerson) []byte {
	m := hmac.New(sha256.New, c.o.Key)
	fmt.Fprintf(m, "%s\x00%s\x00%s\x00%x", what, p.Service, p.Person, p.Nonce)
	return m.Sum(nil)
}

// token is what the address of an offer ends with: 192 bits.
func (c *Claims) token(p store.ClaimPerson) string {
	return base64.RawURLEncoding.EncodeToString(c.secret("url", p)[:24])
}

var codeText = base32.NewEncoding("ABCDEFGHJKLMNPQRSTUVWXYZ23456789").WithPadding(base32.NoPadding)

// code is what can be typed: 50 bits, without letters that look like others.
func (c *Claims) code(p store.ClaimPerson) string { return codeOf(c.secret("code", p)) }

func codeOf(b []byte) string {
	s := codeText.EncodeToString(b[:7])[:10]
	return s[:5] + "-" + s[5:]
}

// hash is what is stored of a secret.
func hash(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// plainCode is a code as people type it, as it was made.
func plainCode(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return -1
	}, s[:min(len(s), 64)])
	if len(s) != 10 {
		return ""
	}
	return s[:5] + "-" + s[5:]
}

func (p Person) check() error {
	if p.ID == "" || len(p.ID) > maxID {
		return mxerror.InvalidParam("The name of a person on a network must have 1 to %d bytes.", maxID)
	}
	return nil
}

// Offer makes an offer for a person, or gives the one that is still good.
func (c *Claims) Offer(ctx context.Context, p Person) (Offer, error) {
	out, err := c.offer(ctx, p)
	if err != nil {
		return Offer{}, err
	}
	return Offer{URL: c.o.Pages.URL(PathClaim + "/" + c.token(out)), Code: c.code(out)}, nil
}

func (c *Claims) offer(ctx context.Context, p Person) (out store.ClaimPerson, err error) {
	if err := p.check(); err != nil {
		return out, err
	}
	if _, _, err := c.bridge(ctx, p.Service); err != nil {
		return out, err
	}
	err = c.o.Store.Write(ctx, func(t *store.Tx) (err error) {
		if _, err := t.Tie(p.Service, p.ID); err == nil {
			return store.Refuse(ErrLinked)
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		out, err = t.ClaimPerson(p.Service, p.ID)
		if errors.Is(err, store.ErrNotFound) {
			out = store.ClaimPerson{Service: p.Service, Person: p.ID}
		} else if err != nil {
			return err
		}
		if p.Name != "" {
			out.Name = strings.ToValidUTF8(p.Name[:min(len(p.Name), maxName)], "")
		}
		c.renew(&out)
		return t.SetClaimPerson(out)
	})
	return out, err
}

// renew gives a person an offer that is good: the one there is, unless it will soon end.
func (c *Claims) renew(p *store.ClaimPerson) {
	life := c.settings.Load().OfferLife.Milliseconds()
	if len(p.Nonce) > 0 && p.ExpiresTS-c.nowMS() > life/2 && string(hash(c.token(*p))) == string(p.URLHash) {
		return
	}
	p.Nonce = make([]byte, 16)
	rand.Read(p.Nonce) // never fails
	p.URLHash, p.CodeHash = hash(c.token(*p)), hash(c.code(*p))
	p.ExpiresTS, p.SignupTS, p.Signup = c.nowMS()+life, 0, 0
}

// good tells whether a person's offer can be used.
func (c *Claims) good(p store.ClaimPerson) bool { return len(p.URLHash) > 0 && p.ExpiresTS > c.nowMS() }

// offered finds whose offer has a token; ErrBadCode if nobody's, or not any more.
func (c *Claims) offered(ctx context.Context, token string) (store.ClaimPerson, error) {
	if len(token) != 32 {
		return store.ClaimPerson{}, ErrBadCode
	}
	p, err := c.o.Store.ClaimPersonByURL(ctx, hash(token))
	return p, c.usable(p, err)
}

// offeredCode is offered for a code that was typed.
func (c *Claims) offeredCode(ctx context.Context, code string) (store.ClaimPerson, error) {
	p, err := c.o.Store.ClaimPersonByCode(ctx, hash(plainCode(code)))
	return p, c.usable(p, err)
}

func (c *Claims) usable(p store.ClaimPerson, err error) error {
	if errors.Is(err, store.ErrNotFound) || err == nil && !c.good(p) {
		return ErrBadCode
	}
	return err
}

// signupPause is how long an offer is kept for one who is making an account with it.
const signupPause = 60_000

// Reserve lets somebody make an account on the strength of an offer: path is where they want to go afterwards,
// the page of the offer. False means that it is none, or was used. What was reserved has to be Settled.
func (c *Claims) Reserve(ctx context.Context, path string) (ok bool, err error) {
	return c.signup(ctx, path, func(p *store.ClaimPerson) bool {
		if p.Signup != 0 || c.nowMS()-p.SignupTS < signupPause {
			return false
		}
		p.SignupTS = c.nowMS()
		return true
	})
}

// Settle notes the account that was made with an offer; 0 if there is none after all.
func (c *Claims) Settle(ctx context.Context, path string, user int64) error {
	_, err := c.signup(ctx, path, func(p *store.ClaimPerson) bool {
		p.Signup = user
		if user == 0 {
			p.SignupTS = 0
		}
		return true
	})
	return err
}

// Invited tells whether an account can be made on the strength of the offer whose page a path is.
func (c *Claims) Invited(ctx context.Context, path string) bool {
	p, err := c.offered(ctx, tokenIn(path))
	return err == nil && p.Signup == 0
}

func tokenIn(path string) string {
	token, ok := strings.CutPrefix(path, PathClaim+"/")
	if !ok {
		return ""
	}
	return token
}

func (c *Claims) signup(ctx context.Context, path string, change func(*store.ClaimPerson) bool) (ok bool, err error) {
	token := tokenIn(path)
	if len(token) != 32 {
		return false, nil
	}
	err = c.o.Store.Write(ctx, func(t *store.Tx) error {
		p, err := t.ClaimPersonByURL(hash(token))
		if errors.Is(err, store.ErrNotFound) || err == nil && !c.good(p) {
			ok = false
			return nil
		} else if err != nil {
			return err
		}
		if ok = change(&p); !ok {
			return nil
		}
		return t.SetClaimPerson(p)
	})
	return ok, err
}
