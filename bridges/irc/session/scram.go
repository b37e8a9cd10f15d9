package session

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/text/unicode/norm"
)

var _ Mechanism = (*Scram)(nil)

// Scram is SASL SCRAM-SHA-256 (RFC 5802, RFC 7677), without channel binding: the
// server never sees the password, and proves that it knows it too.
type Scram struct {
	User, Password string

	step      int
	nonce     string
	first     string // client-first-message-bare
	signature []byte // the server's, which it must give at the end
}

const (
	// maxScramIterations bounds the work that a server may demand.
	maxScramIterations = 1_000_000
	// minScramIterations is what RFC 7677, section 4, asks for at least.
	minScramIterations = 4096
	// gs2 says that there is no channel binding and no other identity.
	gs2 = "n,,"
)

// Name implements Mechanism.
func (*Scram) Name() string { return "SCRAM-SHA-256" }

// Start implements Mechanism.
func (s *Scram) Start(*tls.ConnectionState) error {
	var raw [24]byte
	if _, err := rand.Read(raw[:]); err != nil {
		return fmt.Errorf("make a nonce: %w", err)
	}
	s.step, s.nonce, s.signature = 0, base64.StdEncoding.EncodeToString(raw[:]), nil
	return nil
}

// Next implements Mechanism.
func (s *Scram) Next(challenge []byte) ([]byte, error) {
	s.step++
	switch s.step {
	case 1:
		s.first = "n=" + scramName.Replace(norm.NFKC.String(s.User)) + ",r=" + s.nonce
		return []byte(gs2 + s.first), nil
	case 2:
		return s.prove(string(challenge))
	case 3:
		return nil, s.verify(string(challenge))
	}
	return nil, errors.New("the server asks for more than SCRAM has")
}

// scramName escapes a user name (RFC 5802, section 5.1: "The characters ',' or '='
// in usernames are sent as '=2C' and '=3D' respectively").
var scramName = strings.NewReplacer(",", "=2C", "=", "=3D")

// prove answers the server's nonce, salt and number of iterations.
func (s *Scram) prove(challenge string) ([]byte, error) {
	attrs := scramAttrs(challenge)
	if reason, failed := attrs["e"]; failed {
		return nil, fmt.Errorf("the server refuses: %s", truncate(reason, 100))
	}
	if _, unknown := attrs["m"]; unknown {
		return nil, errors.New("the server demands an extension that is not known")
	}
	nonce := attrs["r"]
	if !strings.HasPrefix(nonce, s.nonce) || len(nonce) == len(s.nonce) {
		return nil, errors.New("the server's nonce does not continue ours")
	}
	salt, err := base64.StdEncoding.DecodeString(attrs["s"])
	if err != nil || len(salt) == 0 {
		return nil, errors.New("the server's salt is none")
	}
	iterations, err := strconv.Atoi(attrs["i"])
	if err != nil || iterations < minScramIterations || iterations > maxScramIterations {
		return nil, fmt.Errorf("the server wants %q iterations; %d to %d are fine", truncate(attrs["i"], 20), minScramIterations, maxScramIterations)
	}
	salted, err := pbkdf2.Key(sha256.New, norm.NFKC.String(s.Password), salt, iterations, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive a key: %w", err)
	}
	final := "c=" + base64.StdEncoding.EncodeToString([]byte(gs2)) + ",r=" + nonce
	auth := s.first + "," + challenge + "," + final
	clientKey := scramMAC(salted, "Client Key")
	stored := sha256.Sum256(clientKey)
	proof := make([]byte, sha256.Size)
	subtle.XORBytes(proof, clientKey, scramMAC(stored[:], auth))
	s.signature = scramMAC(scramMAC(salted, "Server Key"), auth)
	return []byte(final + ",p=" + base64.StdEncoding.EncodeToString(proof)), nil
}

// verify checks that the server knows the password too.
func (s *Scram) verify(challenge string) error {
	attrs := scramAttrs(challenge)
	if reason, failed := attrs["e"]; failed {
		return fmt.Errorf("the server refuses: %s", truncate(reason, 100))
	}
	signature, err := base64.StdEncoding.DecodeString(attrs["v"])
	if err != nil || !hmac.Equal(signature, s.signature) {
		return errors.New("the server does not know the password itself: it is not who it claims to be")
	}
	s.signature = nil
	return nil
}

// done implements finisher: a server that never proved itself is not believed.
func (s *Scram) done() error {
	if s.step < 3 || s.signature != nil {
		return errors.New("the server ended SCRAM before it had proved itself")
	}
	return nil
}

func scramMAC(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// scramAttrs reads "a=x,b=y". Of an attribute that comes twice the first counts.
func scramAttrs(text string) map[string]string {
	attrs := make(map[string]string)
	for _, part := range strings.Split(text, ",") {
		name, value, ok := strings.Cut(part, "=")
		if _, twice := attrs[name]; ok && !twice {
			attrs[name] = value
		}
	}
	return attrs
}
