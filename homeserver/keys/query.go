package keys

import (
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// maxAsked is about how many users or keys one request may ask for.
const maxAsked = 20_000

// QueryRequest is the body of POST /keys/query.
type QueryRequest struct {
	// DeviceKeys are the wanted devices of users; none means all.
	DeviceKeys map[string][]string `json:"device_keys"`
	// Timeout is for other servers, in milliseconds.
	Timeout int64 `json:"timeout"`
}

// QueryResponse is the answer to it.
type QueryResponse struct {
	Failures        Failures                             `json:"failures"`
	DeviceKeys      map[string]map[string]jsontext.Value `json:"device_keys"`
	MasterKeys      map[string]jsontext.Value            `json:"master_keys"`
	SelfSigningKeys map[string]jsontext.Value            `json:"self_signing_keys"`
	UserSigningKeys map[string]jsontext.Value            `json:"user_signing_keys"`
}

// Query hands out the keys of users as a viewer may see them.
func (k *Keys) Query(ctx context.Context, viewer Owner, r QueryRequest) (*QueryResponse, error) {
	if r.DeviceKeys == nil {
		return nil, mxerror.MissingParam("The request needs device_keys.")
	}
	if len(r.DeviceKeys) > maxAsked {
		return nil, mxerror.InvalidParam("The request asks for %d users; at most %d are allowed.", len(r.DeviceKeys), maxAsked)
	}
	out := &QueryResponse{Failures{}, map[string]map[string]jsontext.Value{}, map[string]jsontext.Value{}, map[string]jsontext.Value{}, map[string]jsontext.Value{}}
	for user, devices := range r.DeviceKeys {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !k.local(user) {
			continue
		}
		nid, err := k.userNID(ctx, user)
		if err != nil {
			return nil, public(err)
		}
		if nid == 0 {
			continue // "the corresponding user or device is missing from the device_keys result"
		}
		if err := k.queryUser(ctx, viewer, user, nid, devices, out); err != nil {
			return nil, public(err)
		}
	}
	return out, k.queryRemote(ctx, viewer, r, out)
}

func (k *Keys) queryUser(ctx context.Context, viewer Owner, user string, nid int64, wanted []string, out *QueryResponse) error {
	stored, err := k.store.DeviceKeysOf(ctx, nid)
	if err != nil {
		return err
	}
	cross, err := k.store.CrossSigningKeys(ctx, nid)
	if err != nil {
		return err
	}
	extra, err := k.extraSignatures(ctx, nid, viewer.UserNID)
	if err != nil {
		return err
	}
	names := map[string]string{}
	if len(stored) > 0 {
		devices, err := k.store.DevicesOf(ctx, nid)
		if err != nil {
			return err
		}
		for _, d := range devices {
			names[d.ID] = d.Name
		}
	}
	list := map[string]jsontext.Value{}
	out.DeviceKeys[user] = list
	for _, d := range stored {
		if len(wanted) > 0 && !slices.Contains(wanted, d.DeviceID) {
			continue
		}
		key, err := decorate(d.JSON, extra[d.DeviceID], names[d.DeviceID])
		if err != nil {
			return err
		}
		if names[d.DeviceID] == "" && len(key) > 2 && key[len(key)-1] == '}' {
			// Older clients look for it unasked. What is stored never has one.
			key = append(slices.Clip(key[:len(key)-1]), `,"unsigned":{}}`...)
		}
		list[d.DeviceID] = key
	}
	for _, c := range cross {
		into := map[string]map[string]jsontext.Value{
			usageMaster: out.MasterKeys, usageSelfSigning: out.SelfSigningKeys, usageUserSigning: out.UserSigningKeys,
		}[c.Usage]
		// "user_signing_keys: ... only ... for the user making the request".
		if into == nil || c.Usage == usageUserSigning && nid != viewer.UserNID {
			continue
		}
		key, err := parseCrossKey(jsontext.Value(c.JSON), c.Usage)
		if err != nil {
			return err
		}
		if into[user], err = decorate(c.JSON, extra[key.public], ""); err != nil {
			return err
		}
	}
	return nil
}

// extraSignatures are the signatures on a user's keys that came after them, by key.
func (k *Keys) extraSignatures(ctx context.Context, user, viewer int64) (map[string]signatures, error) {
	stored, err := k.store.KeySignatures(ctx, user, viewer)
	if err != nil {
		return nil, err
	}
	out := map[string]signatures{}
	for _, s := range stored {
		signer, err := k.store.UserID(ctx, s.Signer)
		if err != nil {
			return nil, err
		}
		of := out[s.TargetKey]
		if of == nil {
			of = signatures{}
			out[s.TargetKey] = of
		}
		of.add(signer, s.SignerKey, s.Signature)
	}
	return out, nil
}

// decorate adds to a stored key what is not part of it: later signatures, and the device's name.
func decorate(stored string, extra signatures, name string) (jsontext.Value, error) {
	if len(extra) == 0 && name == "" {
		return jsontext.Value(stored), nil
	}
	key, err := parseSigned(jsontext.Value(stored), "a stored key")
	if err != nil {
		return nil, err
	}
	if key.signatures == nil {
		key.signatures = signatures{}
	}
	for user, sigs := range extra {
		for id, sig := range sigs {
			key.signatures.add(user, id, sig)
		}
	}
	if key.members["signatures"], err = json.Marshal(key.signatures, json.Deterministic(true)); err != nil {
		return nil, err
	}
	if name != "" {
		unsigned := map[string]string{"device_display_name": name}
		if key.members["unsigned"], err = json.Marshal(unsigned); err != nil {
			return nil, err
		}
	}
	return json.Marshal(key.members, json.Deterministic(true))
}
