package accounts

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// TestJWTPublicKey: with a public key, nobody can sign with what everybody knows.
func TestJWTPublicKey(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	v, err := newJWTVerifier(&JWT{Algorithm: "ES256", Secret: text})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	sign := func(alg jose.SignatureAlgorithm, key any, claims jwt.Claims) string {
		s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, nil)
		if err != nil {
			t.Fatal(err)
		}
		token, err := jwt.Signed(s).Claims(claims).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	claims := jwt.Claims{Subject: "anna", Expiry: jwt.NewNumericDate(now.Add(time.Minute))}
	if subject, _, err := v.claims(sign(jose.ES256, key, claims), now); err != nil || subject != "anna" {
		t.Errorf("%q, %v", subject, err)
	}
	for what, token := range map[string]string{
		"signed with the public key":         sign(jose.HS256, []byte(text), claims),
		"not signed at all":                  "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm5hIn0.",
		"a token that never was, but is big": string(make([]byte, maxJWT+1)),
	} {
		if subject, _, err := v.claims(token, now); err == nil {
			t.Errorf("%s: taken as %q", what, subject)
		}
	}
	if _, err := newJWTVerifier(&JWT{Algorithm: "ES256", Secret: "no key"}); err == nil {
		t.Error("a key that is none was taken")
	}
}
