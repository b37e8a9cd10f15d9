package pushers

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json/v2"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Web Push (MSC4174): RFC 8030 is how a push service is asked, RFC 8291 the encryption for the
// browser, and RFC 8292 (VAPID) how the service knows who asks.
const (
	// recordSize is the size of the one record of a message: push services take 4096 bytes.
	recordSize = 4096
	// webPlainMax is how much fits in: less salt, sizes and key in the head, the tag, and the byte that
	// ends the record.
	webPlainMax = recordSize - 16 - 4 - 1 - 65 - 16 - 1
	vapidLife   = 12 * time.Hour
	// webTTL is for how long, in seconds, a push service keeps a message for a browser that is away.
	webTTL   = "86400"
	vapidKey = "webpush_vapid"
)

// vapid is the server's own key.
type vapid struct {
	private *ecdsa.PrivateKey
	// public is the key in the uncompressed form, in URL-safe Base64 without padding.
	public string
}

// VAPID is the server's public key, as clients need it to register with a push service.
func (p *Pushers) VAPID(ctx context.Context) (string, error) {
	v, err := p.ownKey(ctx)
	if err != nil {
		return "", err
	}
	return v.public, nil
}

// ownKey reads the server's key, and makes it once.
func (p *Pushers) ownKey(ctx context.Context) (*vapid, error) {
	p.keyMu.Lock()
	defer p.keyMu.Unlock()
	if p.key != nil {
		return p.key, nil
	}
	text, err := p.o.Store.Meta(ctx, vapidKey)
	if errors.Is(err, store.ErrNotFound) {
		fresh, err := ecdh.P256().GenerateKey(rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("making the key for Web Push: %w", err)
		}
		text = base64.RawURLEncoding.EncodeToString(fresh.Bytes())
		if err := p.o.Store.Write(ctx, func(t *store.Tx) error { return t.SetMeta(vapidKey, text) }); err != nil {
			return nil, fmt.Errorf("storing the key for Web Push: %w", err)
		}
	} else if err != nil {
		return nil, fmt.Errorf("reading the key for Web Push: %w", err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, errors.New("the stored key for Web Push is damaged")
	}
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), raw)
	if err != nil {
		return nil, fmt.Errorf("the stored key for Web Push is damaged: %w", err)
	}
	public, err := private.PublicKey.Bytes()
	if err != nil {
		return nil, fmt.Errorf("the stored key for Web Push is damaged: %w", err)
	}
	p.key = &vapid{private, base64.RawURLEncoding.EncodeToString(public)}
	return p.key, nil
}

// authorization is the header of a request to a push service: RFC 8292, section 2.
func (v *vapid) authorization(to *url.URL, subject string, now time.Time) (string, error) {
	claims := map[string]any{"aud": to.Scheme + "://" + to.Host, "exp": now.Add(vapidLife).Unix()}
	if strings.HasPrefix(subject, "https:") {
		claims["sub"] = subject // "a contact URI [...] as either a mailto: (email) or an https: URI"
	}
	raw, err := json.Marshal(claims, json.Deterministic(true))
	if err != nil {
		return "", err
	}
	b := base64.RawURLEncoding
	signed := b.EncodeToString([]byte(`{"alg":"ES256","typ":"JWT"}`)) + "." + b.EncodeToString(raw)
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, v.private, sum[:])
	if err != nil {
		return "", err
	}
	var sig [64]byte
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return "vapid t=" + signed + "." + b.EncodeToString(sig[:]) + ", k=" + v.public, nil
}

// browser is whom a message is encrypted for.
type browser struct {
	public *ecdh.PublicKey
	auth   []byte
}

// newBrowser reads a pushkey and data.auth: a point of P-256 in the uncompressed form, and 16 bytes,
// both in URL-safe Base64 without padding.
func newBrowser(pushkey, auth string) (*browser, error) {
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(pushkey, "="))
	if err != nil {
		return nil, errors.New("pushkey is no URL-safe Base64")
	}
	public, err := ecdh.P256().NewPublicKey(raw)
	if err != nil {
		return nil, errors.New("pushkey is no public key of P-256")
	}
	secret, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(auth, "="))
	if err != nil || len(secret) != 16 {
		return nil, errors.New("data.auth is not 16 bytes in URL-safe Base64")
	}
	return &browser{public, secret}, nil
}

// seal encrypts a message: RFC 8291, section 3, and RFC 8188, section 2.
func (b *browser) seal(plain []byte) ([]byte, error) {
	own, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	var salt [16]byte
	rand.Read(salt[:]) // never fails
	return b.sealWith(own, salt, plain)
}

func (b *browser) sealWith(own *ecdh.PrivateKey, salt [16]byte, plain []byte) ([]byte, error) {
	if len(plain) > webPlainMax {
		return nil, fmt.Errorf("a message of %d bytes does not fit into one record", len(plain))
	}
	shared, err := own.ECDH(b.public)
	if err != nil {
		return nil, err
	}
	ownPublic := own.PublicKey().Bytes()
	info := "WebPush: info\x00" + string(b.public.Bytes()) + string(ownPublic)
	ikm, err := hkdf.Key(sha256.New, shared, b.auth, info, 32)
	if err != nil {
		return nil, err
	}
	cek, err := hkdf.Key(sha256.New, ikm, salt[:], "Content-Encoding: aes128gcm\x00", 16)
	if err != nil {
		return nil, err
	}
	nonce, err := hkdf.Key(sha256.New, ikm, salt[:], "Content-Encoding: nonce\x00", 12)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(cek)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	out := append([]byte(nil), salt[:]...)
	out = binary.BigEndian.AppendUint32(out, recordSize)
	out = append(out, byte(len(ownPublic)))
	out = append(out, ownPublic...)
	// The last record ends with a byte 2.
	return gcm.Seal(out, nonce, append(bytes.Clone(plain), 2), nil), nil
}

// postWeb sends a message to a push service. gone tells that the browser is not registered there any
// more: "the homeserver deletes the registration if it receives a 404, 410 or 403".
func (p *Pushers) postWeb(ctx context.Context, to target, body []byte, urgent bool) (gone bool, err error) {
	if !p.hosts.try(to.host, p.o.Now()) {
		return false, errHost
	}
	u, err := url.Parse(to.url)
	if err != nil {
		return false, err
	}
	own, err := p.ownKey(ctx)
	if err != nil {
		return false, err
	}
	auth, err := own.authorization(u, p.o.PublicURL, p.o.Now())
	if err != nil {
		return false, err
	}
	sealed, err := to.web.seal(body)
	if err != nil {
		return false, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.url, bytes.NewReader(sealed))
	if err != nil {
		return false, err
	}
	h := req.Header
	h.Set("Authorization", auth)
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Encoding", "aes128gcm")
	h.Set("TTL", webTTL)
	h.Set("Urgency", "normal")
	if urgent {
		h.Set("Urgency", "high")
	}
	h.Set("User-Agent", "Landbridge")
	res, err := p.http.Do(req)
	p.hosts.note(to.host, p.o.Now(), p.o.Backoff, err == nil && res.StatusCode < 500)
	if err != nil {
		return false, err
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, answerMax)) // so that the connection can be used again
	switch {
	case res.StatusCode/100 == 2:
		return false, nil
	case res.StatusCode == http.StatusNotFound, res.StatusCode == http.StatusGone, res.StatusCode == http.StatusForbidden:
		return true, nil
	}
	return false, fmt.Errorf("the push service answered with status %d", res.StatusCode)
}
