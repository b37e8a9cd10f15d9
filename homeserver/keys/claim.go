package keys

import (
	"context"
	"encoding/json/jsontext"
	"errors"
	"maps"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// claimBatch is how many keys are claimed in one write, so that a huge claim does not hold up
// everybody else.
const claimBatch = 256

// ClaimRequest is the body of POST /keys/claim.
type ClaimRequest struct {
	// OneTimeKeys are the wanted algorithms by user and device.
	OneTimeKeys map[string]map[string]string `json:"one_time_keys"`
	// Timeout is for other servers, in milliseconds.
	Timeout int64 `json:"timeout"`
}

// ClaimResponse is the answer to it: keys by user, device, and <algorithm>:<key id>.
type ClaimResponse struct {
	Failures    Failures                                        `json:"failures"`
	OneTimeKeys map[string]map[string]map[string]jsontext.Value `json:"one_time_keys"`
}

// claim is one wanted key.
type claim struct {
	user, device, algorithm string
	nid                     int64
}

// Claim hands out one-time keys, each once and the oldest first; where a device has none left,
// its fallback key. "it MUST be removed from the list of keys" before it is answered.
func (k *Keys) Claim(ctx context.Context, r ClaimRequest) (*ClaimResponse, error) {
	if r.OneTimeKeys == nil {
		return nil, mxerror.MissingParam("The request needs one_time_keys.")
	}
	out := &ClaimResponse{Failures{}, map[string]map[string]map[string]jsontext.Value{}}
	var claims []claim
	// In order, so that those who claim at the same time meet the keys in the same order.
	for _, user := range slices.Sorted(maps.Keys(r.OneTimeKeys)) {
		if !k.local(user) {
			continue
		}
		nid, err := k.userNID(ctx, user)
		if err != nil {
			return nil, public(err)
		}
		if nid == 0 {
			continue
		}
		for _, device := range slices.Sorted(maps.Keys(r.OneTimeKeys[user])) {
			claims = append(claims, claim{user, device, r.OneTimeKeys[user][device], nid})
		}
		if len(claims) > maxAsked {
			return nil, mxerror.InvalidParam("The request asks for more than %d keys.", maxAsked)
		}
	}
	for batch := range slices.Chunk(claims, claimBatch) {
		found := make([]store.OneTimeKey, len(batch))
		err := k.store.Write(ctx, func(tx *store.Tx) error {
			for i, c := range batch {
				key, err := k.take(tx, c)
				if err != nil && !errors.Is(err, store.ErrNotFound) {
					return err
				}
				if err != nil {
					key = store.OneTimeKey{}
				}
				found[i] = key
			}
			return nil
		})
		if err != nil {
			return nil, public(err)
		}
		for i, key := range found {
			if key.ID == "" {
				continue
			}
			devices := out.OneTimeKeys[batch[i].user]
			if devices == nil {
				devices = map[string]map[string]jsontext.Value{}
				out.OneTimeKeys[batch[i].user] = devices
			}
			devices[batch[i].device] = map[string]jsontext.Value{key.Algorithm + ":" + key.ID: jsontext.Value(key.JSON)}
		}
	}
	k.claimRemote(ctx, r, out)
	return out, nil
}

func (k *Keys) take(tx *store.Tx, c claim) (store.OneTimeKey, error) {
	d := store.DeviceName{User: c.nid, ID: c.device}
	key, err := tx.TakeOneTimeKey(d, c.algorithm, k.now().UnixMilli())
	if !errors.Is(err, store.ErrNotFound) {
		return key, err
	}
	return tx.UseFallbackKey(d, c.algorithm)
}
