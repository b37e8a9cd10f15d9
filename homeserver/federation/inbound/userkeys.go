package inbound

import (
	"encoding/json/jsontext"

	"github.com/landbridge-im/landbridge/homeserver/keys"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// userDevices is GET /user/devices/{userId}.
func (a *API) userDevices(c *call) (any, error) {
	id := c.params[0]
	nid, err := a.account(c, id)
	if err != nil {
		return nil, err
	}
	// The position is taken first: what changes from now on comes with a greater one.
	stream := a.o.Store.Position()
	all, err := a.o.Devices.Query(c.ctx, keys.Owner{}, keys.QueryRequest{DeviceKeys: map[string][]string{id: nil}})
	if err != nil {
		return nil, err
	}
	devices, err := a.o.Store.DevicesOf(c.ctx, nid)
	if err != nil {
		return nil, err
	}
	type device struct {
		ID   string         `json:"device_id"`
		Name string         `json:"device_display_name,omitempty"`
		Keys jsontext.Value `json:"keys"`
	}
	list := []device{}
	names := map[string]string{}
	for _, d := range devices {
		names[d.ID] = d.Name
	}
	for deviceID, k := range all.DeviceKeys[id] {
		list = append(list, device{deviceID, names[deviceID], k})
	}
	out := object{"user_id": id, "stream_id": stream, "devices": list}
	if k, ok := all.MasterKeys[id]; ok {
		out["master_key"] = k
	}
	if k, ok := all.SelfSigningKeys[id]; ok {
		out["self_signing_key"] = k
	}
	return out, nil
}

// onlyLocal refuses requests about users of other servers: each answers for its own.
func onlyLocal[V any](a *API, users map[string]V) error {
	for id := range users {
		if store.ServerOf(id) != a.o.Server {
			return mxerror.InvalidParam("%s is not a user of this server.", clip(id))
		}
	}
	return nil
}

// queryKeys is POST /user/keys/query.
func (a *API) queryKeys(c *call) (any, error) {
	var q keys.QueryRequest
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if err := onlyLocal(a, q.DeviceKeys); err != nil {
		return nil, err
	}
	all, err := a.o.Devices.Query(c.ctx, keys.Owner{}, q)
	if err != nil {
		return nil, err
	}
	return object{"device_keys": all.DeviceKeys, "master_keys": all.MasterKeys, "self_signing_keys": all.SelfSigningKeys}, nil
}

// claimKeys is POST /user/keys/claim.
func (a *API) claimKeys(c *call) (any, error) {
	var q keys.ClaimRequest
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if err := onlyLocal(a, q.OneTimeKeys); err != nil {
		return nil, err
	}
	all, err := a.o.Devices.Claim(c.ctx, q)
	if err != nil {
		return nil, err
	}
	return object{"one_time_keys": all.OneTimeKeys}, nil
}
