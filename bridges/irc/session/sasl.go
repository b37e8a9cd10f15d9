package session

import (
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// Mechanism is one way to prove an account to a server by SASL. A Mechanism is
// used by one connection at a time; Start begins anew.
type Mechanism interface {
	// Name is the mechanism's name on the wire, such as PLAIN.
	Name() string
	// Start begins an exchange. The TLS state is nil without TLS.
	Start(*tls.ConnectionState) error
	// Next answers one challenge of the server (decoded). The first challenge is
	// empty for mechanisms in which the client speaks first.
	Next(challenge []byte) ([]byte, error)
}

// finisher is a Mechanism that has a say when the server reports success.
type finisher interface{ done() error }

var (
	_ Mechanism = (*Plain)(nil)
	_ Mechanism = (*External)(nil)
)

// External is SASL EXTERNAL (RFC 4422, appendix A): the account is that of the TLS
// client certificate.
type External struct {
	// User is the account to act as; empty means that of the certificate.
	User string
}

// Name implements Mechanism.
func (*External) Name() string { return "EXTERNAL" }

// Start implements Mechanism.
func (*External) Start(state *tls.ConnectionState) error {
	if state == nil {
		return errors.New("SASL EXTERNAL needs TLS with a client certificate")
	}
	return nil
}

// Next implements Mechanism.
func (e *External) Next([]byte) ([]byte, error) { return []byte(e.User), nil }

// Plain is SASL PLAIN (RFC 4616).
type Plain struct {
	User, Password string
	// AllowCleartext permits sending the password over a connection without TLS.
	AllowCleartext bool
}

// Name implements Mechanism.
func (*Plain) Name() string { return "PLAIN" }

// Start implements Mechanism.
func (p *Plain) Start(state *tls.ConnectionState) error {
	if state == nil && !p.AllowCleartext {
		return errors.New("SASL PLAIN needs TLS, or its password could be read on the way")
	}
	return nil
}

// Next implements Mechanism.
func (p *Plain) Next([]byte) ([]byte, error) {
	if strings.IndexByte(p.User, 0) >= 0 || strings.IndexByte(p.Password, 0) >= 0 {
		return nil, errors.New("SASL user or password contains a NUL byte")
	}
	return []byte("\x00" + p.User + "\x00" + p.Password), nil
}

// saslChunk is the longest AUTHENTICATE parameter (IRCv3 sasl-3.1: "The response
// is encoded in Base64, then split to 400-byte chunks"; a response whose last
// chunk is exactly 400 bytes long is followed by a "+").
const saslChunk = 400

func saslChunks(response []byte) []string {
	encoded := base64.StdEncoding.EncodeToString(response)
	var chunks []string
	for len(encoded) >= saslChunk {
		chunks = append(chunks, encoded[:saslChunk])
		encoded = encoded[saslChunk:]
	}
	if encoded == "" {
		encoded = "+"
	}
	return append(chunks, encoded)
}

// maxSASL bounds a challenge that a server sends in chunks.
const maxSASL = 64 << 10

// saslExchange gathers the chunks of challenges.
type saslExchange struct {
	mech Mechanism
	buf  strings.Builder
}

// feed takes one AUTHENTICATE parameter and returns the chunks to answer with,
// if the challenge is complete.
func (x *saslExchange) feed(param string) ([]string, error) {
	if param != "+" {
		if x.buf.Len()+len(param) > maxSASL {
			return nil, errors.New("SASL challenge is too long")
		}
		x.buf.WriteString(param)
		if len(param) >= saslChunk {
			return nil, nil
		}
	}
	challenge, err := base64.StdEncoding.DecodeString(x.buf.String())
	x.buf.Reset()
	if err != nil {
		return nil, fmt.Errorf("decode SASL challenge: %w", err)
	}
	response, err := x.mech.Next(challenge)
	if err != nil {
		return nil, fmt.Errorf("SASL %s: %w", x.mech.Name(), err)
	}
	return saslChunks(response), nil
}
