package event

import (
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/base64"
	"fmt"

	"filippo.io/edwards25519"
	"filippo.io/edwards25519/field"
	"maunium.net/go/mautrix/federation/pdu"
	"maunium.net/go/mautrix/id"
)

// Unsigned are events that were built and wait for their signatures. Many are signed with a third less work than each by
// itself: what costs a third of a signature, the inversion that brings a point into its written form, is done once for all.
type Unsigned struct {
	events []*pdu.PDU
	texts  [][]byte
	// scratch is where texts are written that are needed for a moment.
	scratch []byte
}

func (u *Unsigned) add(e *pdu.PDU, text []byte) {
	u.events, u.texts = append(u.events, e), append(u.texts, text)
}

// Sign signs all, and forgets them.
func (u *Unsigned) Sign(s Signer) error {
	sums, err := signMany(s.Key, u.texts)
	if err != nil {
		return err
	}
	for i, e := range u.events {
		e.AddSignature(s.Server, id.KeyID(s.KeyID), base64.RawStdEncoding.EncodeToString(sums[i][:]))
	}
	*u = Unsigned{}
	return nil
}

// signMany makes the Ed25519 signatures of messages: RFC 8032, 5.1.6. They are those that ed25519.Sign makes.
func signMany(key ed25519.PrivateKey, messages [][]byte) ([][ed25519.SignatureSize]byte, error) {
	if len(key) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("a key of %d bytes", len(key))
	}
	expanded := sha512.Sum512(key.Seed())
	secret, err := new(edwards25519.Scalar).SetBytesWithClamping(expanded[:32])
	if err != nil {
		return nil, fmt.Errorf("reading the key: %w", err)
	}
	nonces := make([]*edwards25519.Scalar, len(messages))
	points := make([]edwards25519.Point, len(messages))
	for i, m := range messages {
		h := sha512.New()
		h.Write(expanded[32:])
		h.Write(m)
		if nonces[i], err = new(edwards25519.Scalar).SetUniformBytes(h.Sum(nil)); err != nil {
			return nil, fmt.Errorf("making a nonce: %w", err)
		}
		points[i].ScalarBaseMult(nonces[i])
	}
	written := encodePoints(points)
	out := make([][ed25519.SignatureSize]byte, len(messages))
	for i, m := range messages {
		h := sha512.New()
		h.Write(written[i][:])
		h.Write(key[32:])
		h.Write(m)
		challenge, err := new(edwards25519.Scalar).SetUniformBytes(h.Sum(nil))
		if err != nil {
			return nil, fmt.Errorf("making a challenge: %w", err)
		}
		copy(out[i][:], written[i][:])
		copy(out[i][32:], new(edwards25519.Scalar).MultiplyAdd(challenge, secret, nonces[i]).Bytes())
	}
	return out, nil
}

// encodePoints writes points as RFC 8032, 5.1.2 says: y, and the lowest bit of x. Both have to be divided by z, which is done by one
// inversion for all: that of the product of all z.
func encodePoints(points []edwards25519.Point) [][32]byte {
	n := len(points)
	out := make([][32]byte, n)
	if n == 0 {
		return out
	}
	x, y, z := make([]*field.Element, n), make([]*field.Element, n), make([]*field.Element, n)
	before := make([]field.Element, n) // the product of those before
	product := new(field.Element).One()
	for i := range points {
		x[i], y[i], z[i], _ = points[i].ExtendedCoordinates()
		before[i].Set(product)
		product.Multiply(product, z[i])
	}
	inverse := new(field.Element).Invert(product)
	for i := n - 1; i >= 0; i-- {
		by := new(field.Element).Multiply(inverse, &before[i])
		inverse.Multiply(inverse, z[i])
		copy(out[i][:], y[i].Multiply(y[i], by).Bytes())
		out[i][31] |= byte(x[i].Multiply(x[i], by).IsNegative() << 7)
	}
	return out
}
