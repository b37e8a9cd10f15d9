package policy

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json/jsontext"
	"errors"
	"log/slog"
	"maps"
	"time"

	"github.com/tidwall/gjson"
	"maunium.net/go/mautrix/federation/pdu"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/federation/fclient"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// KeyID is that of the signatures: "The Key ID for the ed25519 key in m.room.policy is always
// ed25519:policy_server."
const KeyID id.KeyID = "ed25519:policy_server"

// askTime is how long a policy server may take.
const askTime = 10 * time.Second

// Remote asks a policy server; *fclient.Client does.
type Remote interface {
	PolicySign(ctx context.Context, server string, event jsontext.Value) (signature string, err error)
}

var _ Remote = (*fclient.Client)(nil)

// Policy knows what policy servers say. It is safe for concurrent use.
type Policy struct {
	Store  *store.Store
	Remote Remote
	Log    *slog.Logger
}

// Server is the policy server of a room.
type Server struct {
	Name string
	Key  ed25519.PublicKey
}

// Of reads the content of an m.room.policy event: "Valid means content contains at least: A string value
// for via. An object value for public_keys containing at least a string value for ed25519." A key that is
// none is nobody's, and verifies nothing.
func Of(content jsontext.Value) (s Server, ok bool) {
	via, key := gjson.GetBytes(content, "via"), gjson.GetBytes(content, "public_keys.ed25519")
	if via.Type != gjson.String || via.Str == "" || key.Type != gjson.String {
		return s, false
	}
	s.Name = via.Str
	if raw, err := base64.RawStdEncoding.DecodeString(key.Str); err == nil && len(raw) == ed25519.PublicKeySize {
		s.Key = raw
	}
	return s, true
}

// Exempt tells whether an event is never asked about: "This endpoint MUST NOT be called for events which have
// a type of m.room.policy and an empty string state_key."
func Exempt(e *pdu.PDU) bool {
	return e.Type == "m.room.policy" && e.StateKey != nil && *e.StateKey == ""
}

// Enabled finds the policy server that a room uses: "The current state for the room has a valid m.room.policy
// state event with empty state key" and "the server name denoted by ... via has at least one joined user in the
// room in current state".
func (p *Policy) Enabled(ctx context.Context, room int64) (s Server, ok bool, err error) {
	row, err := p.Store.LoadRoom(ctx, room)
	if errors.Is(err, store.ErrNotFound) {
		return s, false, nil
	} else if err != nil {
		return s, false, err
	}
	e, err := p.Store.StateEvent(ctx, row.Root, "m.room.policy", "")
	if errors.Is(err, store.ErrNotFound) {
		return s, false, nil
	} else if err != nil {
		return s, false, err
	}
	if s, ok = Of(e.Content); !ok {
		return s, false, nil
	}
	ok, err = p.Store.ServerInRoom(ctx, room, s.Name)
	return s, ok, err
}

// Check makes sure that an event has the signature of its room's policy server, if the room uses one, and
// asks for it if it hasn't. A new signature is added to e, whose PDU is replaced for it. The error is why the event is
// not wanted: an *mxerror that may be shown to whoever made it, with what the policy server said; others are our
// own trouble.
func (p *Policy) Check(ctx context.Context, room int64, e *event.Event) error {
	if Exempt(e.PDU) {
		return nil
	}
	s, ok, err := p.Enabled(ctx, room)
	if err != nil || !ok {
		return err
	}
	return p.Ask(ctx, s, e)
}

// Ask is Check for a room whose policy server is known.
func (p *Policy) Ask(ctx context.Context, s Server, e *event.Event) error {
	if s.verifies(e) {
		return nil
	}
	raw, err := e.JSON()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	signature, err := p.Remote.PolicySign(ctx, s.Name, raw)
	if err != nil {
		return refusal(s, err)
	}
	// "Those existing signatures might not be returned by the policy server, but should be retained to validate
	// the event."
	c := *e.PDU
	c.Signatures = maps.Clone(c.Signatures)
	if own := c.Signatures[s.Name]; own != nil {
		c.Signatures[s.Name] = maps.Clone(own)
	}
	c.AddSignature(s.Name, KeyID, signature)
	signed := *e
	if signed.PDU = &c; !s.verifies(&signed) {
		return mxerror.Forbidden("The room's policy server %.100s did not sign the event with the key that the room knows.", s.Name)
	}
	if raw, err = signed.JSON(); err == nil {
		err = event.CheckSize(raw)
	}
	if err != nil {
		return err
	}
	e.PDU = &c
	return nil
}

// refusal is what is told of an error: "If the Policy Server returned an error, that error SHOULD be provided to
// the client verbatim."
func refusal(s Server, err error) error {
	var said *fclient.Error
	if errors.As(err, &said) && said.Status/100 == 4 && said.Code != "" {
		return mxerror.New(said.Status, said.Code, "%.500s", said.Message).Because(err)
	}
	return mxerror.New(502, "M_UNKNOWN", "The room's policy server %.100s could not be asked.", s.Name).Because(err)
}

// verifies tells whether an event has a good signature of the policy server.
func (s Server) verifies(e *event.Event) bool {
	sig, err := base64.RawStdEncoding.DecodeString(e.Signatures[s.Name][KeyID])
	if err != nil || len(sig) != ed25519.SignatureSize || s.Key == nil {
		return false
	}
	message, err := event.ForSignature(e.PDU, e.Version)
	return err == nil && ed25519.Verify(s.Key, message, sig)
}
