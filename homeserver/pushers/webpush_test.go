package pushers

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

func decode64(t testing.TB, s string) []byte {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestSeal is the example of RFC 8291, section 5.
func TestSeal(t *testing.T) {
	t.Parallel()
	b, err := newBrowser("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4", "BTBZMqHH6r4Tts7J_aSIgg")
	if err != nil {
		t.Fatal(err)
	}
	own, err := ecdh.P256().NewPrivateKey(decode64(t, "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := b.sealWith(own, [16]byte(decode64(t, "DGv6ra1nlYgDCS1FRnbzlw")), []byte("When I grow up, I want to be a watermelon"))
	if err != nil {
		t.Fatal(err)
	}
	const want = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
	if s := base64.RawURLEncoding.EncodeToString(got); s != want {
		t.Errorf("%s, want %s", s, want)
	}
	if _, err := b.seal(make([]byte, webPlainMax+1)); err == nil {
		t.Error("too much fits")
	}
	if sealed, err := b.seal(make([]byte, webPlainMax)); err != nil || len(sealed) != recordSize {
		t.Errorf("%d bytes, %v", len(sealed), err)
	}
	for _, bad := range [][2]string{{"", "BTBZMqHH6r4Tts7J_aSIgg"}, {"AAAA", "BTBZMqHH6r4Tts7J_aSIgg"}, {strings.Repeat("B", 87), "BTBZMqHH6r4Tts7J_aSIgg"},
		{"BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4", "AAAA"}} {
		if _, err := newBrowser(bad[0], bad[1]); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// webService is a push service with one browser.
type webService struct {
	*httptest.Server
	t      testing.TB
	own    *ecdh.PrivateKey
	auth   []byte
	status int
	vapid  string
	got    []map[string]any
	urgent []string
}

func (w *webService) open(body []byte) ([]byte, error) {
	if len(body) < 86 || body[20] != 65 {
		return nil, errors.New("no head")
	}
	other, err := ecdh.P256().NewPublicKey(body[21:86])
	if err != nil {
		return nil, err
	}
	shared, err := w.own.ECDH(other)
	if err != nil {
		return nil, err
	}
	ikm, err := hkdf.Key(sha256.New, shared, w.auth, "WebPush: info\x00"+string(w.own.PublicKey().Bytes())+string(body[21:86]), 32)
	if err != nil {
		return nil, err
	}
	cek, _ := hkdf.Key(sha256.New, ikm, body[:16], "Content-Encoding: aes128gcm\x00", 16)
	nonce, _ := hkdf.Key(sha256.New, ikm, body[:16], "Content-Encoding: nonce\x00", 12)
	block, err := aes.NewCipher(cek)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	plain, err := gcm.Open(nil, nonce, body[86:], nil)
	if err != nil || plain[len(plain)-1] != 2 {
		return nil, errors.New("no record")
	}
	return plain[:len(plain)-1], nil
}

// known checks the header by which the service knows the server.
func (w *webService) known(header string) bool {
	jwt, ok := strings.CutPrefix(header, "vapid t=")
	token, key, ok2 := strings.Cut(jwt, ", k=")
	parts := strings.Split(token, ".")
	if !ok || !ok2 || key != w.vapid || len(parts) != 3 {
		return false
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), decode64(w.t, key))
	if err != nil {
		return false
	}
	sum, sig := sha256.Sum256([]byte(parts[0]+"."+parts[1])), decode64(w.t, parts[2])
	var claims struct {
		Aud string `json:"aud"`
		Sub string `json:"sub"`
		Exp int64  `json:"exp"`
	}
	err = json.Unmarshal(decode64(w.t, parts[1]), &claims)
	return err == nil && claims.Aud == w.URL && claims.Sub == "https://test" && claims.Exp > 0 && len(sig) == 64 &&
		ecdsa.Verify(public, sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:]))
}

func newWebService(t testing.TB, vapid string) *webService {
	t.Helper()
	w := &webService{t: t, auth: make([]byte, 16), status: http.StatusCreated, vapid: vapid}
	var err error
	if w.own, err = ecdh.P256().GenerateKey(rand.Reader); err != nil {
		t.Fatal(err)
	}
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("Content-Encoding") != "aes128gcm" || r.Header.Get("TTL") == "" || !w.known(r.Header.Get("Authorization")) || r.URL.RawQuery != "a=b" {
			t.Errorf("%v %v", err, r.Header)
		}
		if w.status/100 == 2 {
			plain, err := w.open(body)
			var got map[string]any
			if err = errors.Join(err, json.Unmarshal(plain, &got)); err != nil {
				t.Errorf("%q: %v", plain, err)
			}
			w.got, w.urgent = append(w.got, got), append(w.urgent, r.Header.Get("Urgency"))
		}
		rw.WriteHeader(w.status)
	}))
	t.Cleanup(w.Close)
	return w
}

func (w *webService) pushkey() string {
	return base64.RawURLEncoding.EncodeToString(w.own.PublicKey().Bytes())
}

func (w *webService) request() Request {
	name := "x"
	return Request{Kind: jsontext.Value(`"webpush"`), AppID: "web", Pushkey: w.pushkey(), details: details{AppName: &name, DeviceName: &name, Lang: &name,
		Data: jsontext.Value(`{"url":"` + w.URL + `/push?a=b","auth":"AAAAAAAAAAAAAAAAAAAAAA","activated":true}`)}}
}

func TestWebPush(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.p.o.PublicURL = "https://test"
	vapid, err := r.p.VAPID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r.p.key = nil // as after a restart
	if again, err := r.p.VAPID(t.Context()); err != nil || again != vapid {
		t.Errorf("the key changes: %s %s %v", vapid, again, err)
	}
	w := newWebService(t, vapid)
	if activate, err := r.p.Set(t.Context(), r.bob, 0, w.request()); err != nil || !activate {
		t.Fatal(activate, err)
	}
	active := func() bool {
		t.Helper()
		list, err := r.p.List(t.Context(), r.bob)
		if err != nil || len(list) != 1 || list[0].Kind != "webpush" {
			t.Fatalf("%v, %v", list, err)
		}
		return activated(list[0].Data)
	}
	if active() {
		t.Error("it says itself that it is activated")
	}
	// Until then nothing comes but the token, once.
	r.say("too early")
	r.serve()
	r.serve()
	if len(w.got) != 1 || w.got[0]["app_id"] != "web" || w.got[0]["ack_token"] == nil {
		t.Fatalf("%v", w.got)
	}
	token := w.got[0]["ack_token"].(string)
	for _, c := range []struct{ app, token, code string }{{"web", "guess", "M_UNKNOWN_ACTIVATION_TOKEN"}, {"other", token, "M_NOT_FOUND"}} {
		if err := r.p.Activate(t.Context(), r.bob, c.app, c.token); !mxerror.Is(err, c.code) {
			t.Errorf("%s %s: %v", c.app, c.token, err)
		}
	}
	r.now = r.now.Add(6 * time.Minute)
	if err := r.p.Activate(t.Context(), r.bob, "web", token); !mxerror.Is(err, "M_EXPIRED_ACTIVATION_TOKEN") {
		t.Errorf("late: %v", err)
	}
	if activate, err := r.p.Set(t.Context(), r.bob, 0, w.request()); err != nil || !activate {
		t.Fatal(activate, err)
	}
	r.serve()
	if err := r.p.Activate(t.Context(), r.bob, "web", w.got[1]["ack_token"].(string)); err != nil || !active() {
		t.Fatal(err)
	}
	if activate, err := r.p.Set(t.Context(), r.bob, 0, w.request()); err != nil || activate || !active() {
		t.Errorf("set again: %v %v", activate, err)
	}
	e := r.say("hello")
	r.serve()
	last := w.got[len(w.got)-1]
	content, _ := last["content"].(map[string]any)
	if len(w.got) != 3 || last["event_id"] != e.ID || content["body"] != "hello" || last["sender_display_name"] != "Alice <a>" || last["devices"] != nil {
		t.Fatalf("%v", w.got)
	}
	// What is too long for a message is left to be fetched.
	long := r.say(strings.Repeat("a", 10000))
	r.serve()
	if last := w.got[len(w.got)-1]; last["event_id"] != long.ID || last["content"] != nil || last["room_id"] == nil {
		t.Errorf("%v", last)
	}
	// A count alone, for what has been read.
	r.read(long)
	r.serve()
	if last := w.got[len(w.got)-1]; last["event_id"] != nil || w.urgent[len(w.urgent)-1] != "normal" {
		t.Errorf("%v", last)
	}
	// A service that is broken is asked again; one that does not know the browser any more is not.
	w.status = http.StatusServiceUnavailable
	r.say("broken")
	wait := r.serve()
	if wait == 0 {
		t.Error("not tried again")
	}
	r.now = r.now.Add(wait)
	w.status = http.StatusGone
	r.serve()
	if list, err := r.p.List(t.Context(), r.bob); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
}

func TestWebPushRequests(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	w := newWebService(t, "")
	for name, data := range map[string]string{
		"no url": `{"auth":"AAAAAAAAAAAAAAAAAAAAAA"}`, "no auth": `{"url":"https://push.example/"}`, "a short auth": `{"url":"https://push.example/","auth":"AAAA"}`,
		"javascript": `{"url":"javascript:x","auth":"AAAAAAAAAAAAAAAAAAAAAA"}`, "a user": `{"url":"https://u@push.example/","auth":"AAAAAAAAAAAAAAAAAAAAAA"}`,
		"a number": `{"url":7,"auth":"AAAAAAAAAAAAAAAAAAAAAA"}`,
	} {
		q := w.request()
		q.Data = jsontext.Value(data)
		if _, err := r.p.Set(t.Context(), r.bob, 0, q); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	q := w.request()
	q.Pushkey = "no key"
	if _, err := r.p.Set(t.Context(), r.bob, 0, q); !mxerror.Is(err, "M_INVALID_PARAM") {
		t.Error(err)
	}
	q = w.request()
	if _, err := q.kind(false); err == nil {
		t.Error("http is accepted")
	}
}
