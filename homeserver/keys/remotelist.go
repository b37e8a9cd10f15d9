package keys

import (
	"bytes"
	"context"
	"encoding/json/jsontext"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"github.com/landbridge-im/landbridge/homeserver/federation/fclient"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Bounds of keeping the device lists of other servers' users.
const (
	// snapshotsMax is up to how many users of one server are asked for by a request each, snapshotsAtOnce at a time,
	// which tell their place in the stream of updates; more are asked for by one, without it.
	snapshotsMax, snapshotsAtOnce = 200, 8
	// staleMax is how many lists may wait to be fetched anew, staleWorkers how many are at once.
	staleMax, staleWorkers = 1024, 4
	// sweepEvery is how often lists are looked for that are stale, sweepMax how many at a time.
	sweepEvery, sweepMax = time.Minute, 100
)

// DeviceListUpdate is the content of an m.device_list_update of another server.
type DeviceListUpdate struct {
	User    string         `json:"user_id"`
	Device  string         `json:"device_id"`
	Name    string         `json:"device_display_name"`
	Stream  int64          `json:"stream_id"`
	Prev    []int64        `json:"prev_id"`
	Deleted bool           `json:"deleted"`
	Keys    jsontext.Value `json:"keys"`
}

// TakeDeviceListUpdate takes an update in. Specification, server-server API, "Device Management": "If the
// receiving server does not recognise any of the prev_ids, it means an EDU has been lost and the server
// should query a snapshot of the device list". That the user is one of the server that speaks is for the
// caller to check.
func (k *Keys) TakeDeviceListUpdate(ctx context.Context, u DeviceListUpdate) error {
	nid, ok, err := k.tracked(ctx, u.User)
	if err != nil || !ok {
		return err
	}
	raw := deviceJSON(u.User, u.Device, u.Name, u.Keys)
	stale := false
	err = k.store.Write(ctx, func(t *store.Tx) error {
		stale = false
		have, err := t.RemoteDeviceList(nid)
		none := errors.Is(err, store.ErrNotFound)
		switch {
		case err != nil && !none:
			return err
		case none && raw == nil && !u.Deleted:
			return nil // nobody has asked for the keys yet, and this device has none
		case !none && u.Stream == have.Stream && u.Stream != 0:
			return nil // sent again
		case none || have.Stale || !follows(u, have.Stream):
			stale = true
			if err := t.SetRemoteDeviceList(store.RemoteDeviceList{User: nid, Stale: true, Stream: u.Stream}); err != nil {
				return err
			}
			return t.DeviceListChanged(nid)
		}
		was, err := t.RemoteDevice(nid, u.Device)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if u.Deleted || raw == nil {
			err = t.DeleteRemoteDevice(nid, u.Device)
			raw = nil
		} else {
			err = t.PutRemoteDevice(store.RemoteDevice{User: nid, ID: u.Device, Stream: u.Stream, JSON: raw})
		}
		if err == nil {
			err = t.SetRemoteDeviceList(store.RemoteDeviceList{User: nid, Stream: u.Stream})
		}
		if err != nil || bytes.Equal(was, raw) {
			return err
		}
		return t.DeviceListChanged(nid)
	})
	if err == nil && stale {
		k.fetchLater(u.User)
	}
	return err
}

// follows tells whether an update is the one after a place in the stream.
func follows(u DeviceListUpdate, stream int64) bool {
	return stream != 0 && u.Stream > stream && len(u.Prev) > 0 && slices.Max(u.Prev) == stream
}

// ownKeys tells whether keys are those of a device: "user_id ... Must match", "device_id ... Must match". Some servers
// leave them out, and clients, which have to look themselves, make of that what they will.
func ownKeys(keys jsontext.Value, user, device string) bool {
	g := gjson.ParseBytes(keys)
	if !g.IsObject() {
		return false
	}
	for field, want := range map[string]string{"user_id": user, "device_id": device} {
		if x := g.Get(field); x.Exists() && x.Str != want {
			return false
		}
	}
	return true
}

// deviceJSON is a device as clients get it; nil if there are no keys, or not its own.
func deviceJSON(user, device, name string, keys jsontext.Value) []byte {
	if !ownKeys(keys, user, device) {
		return nil
	}
	raw := slices.Clone(keys)
	if name != "" {
		if with, err := sjson.SetBytes(raw, "unsigned.device_display_name", name); err == nil {
			return with
		}
	}
	return raw
}

// TakeSigningKeys takes in the cross-signing keys that another server tells of one of its users:
// m.signing_key_update.
func (k *Keys) TakeSigningKeys(ctx context.Context, user string, master, self jsontext.Value) error {
	nid, ok, err := k.tracked(ctx, user)
	if err != nil || !ok {
		return err
	}
	got := fclient.Keys{Master: map[string]jsontext.Value{}, Self: map[string]jsontext.Value{}}
	if len(master) > 0 {
		got.Master[user] = master
	}
	if len(self) > 0 {
		got.Self[user] = self
	}
	rk := readRemote(user, got)
	if rk == nil {
		return nil
	}
	return k.store.Write(ctx, func(t *store.Tx) error {
		for usage, key := range map[string]jsontext.Value{usageMaster: rk.master, usageSelfSigning: rk.self} {
			if key == nil {
				continue
			}
			if err := t.SetCrossSigningKey(nid, store.CrossSigningKey{Usage: usage, JSON: string(key)}); err != nil {
				return err
			}
		}
		return t.DeviceListChanged(nid)
	})
}

// tracked finds a user of another server, and tells whether changes of their devices are heard of here:
// those of who shares a room are.
func (k *Keys) tracked(ctx context.Context, user string) (nid int64, ok bool, err error) {
	nid, err = k.store.UserNID(ctx, user)
	if errors.Is(err, store.ErrNotFound) {
		return 0, false, nil
	} else if err != nil {
		return 0, false, err
	}
	servers, err := k.store.ServersSharing(ctx, nid)
	return nid, slices.Contains(servers, k.server), err
}

// kept reads the keys of a user of another server that are stored here. fresh tells that they are what
// the user's server would say.
func (k *Keys) kept(ctx context.Context, user string) (rk *remoteKeys, fresh bool, err error) {
	nid, ok, err := k.tracked(ctx, user)
	if err != nil || !ok {
		return nil, false, err
	}
	list, err := k.store.RemoteDeviceList(ctx, nid)
	if errors.Is(err, store.ErrNotFound) {
		return nil, false, nil
	} else if err != nil {
		return nil, false, err
	}
	devices, err := k.store.RemoteDevices(ctx, nid)
	if err != nil {
		return nil, false, err
	}
	cross, err := k.store.CrossSigningKeys(ctx, nid)
	if err != nil {
		return nil, false, err
	}
	rk = &remoteKeys{devices: make(map[string]jsontext.Value, len(devices))}
	for _, d := range devices {
		rk.devices[d.ID] = d.JSON
	}
	by := byUsage(cross)
	if key := by[usageMaster]; key != "" {
		rk.master = jsontext.Value(key)
	}
	if key := by[usageSelfSigning]; key != "" {
		rk.self = jsontext.Value(key)
	}
	return rk, !list.Stale, nil
}

// snapshot asks a user's server for all of the user's devices: GET /user/devices/{userId}.
func (k *Keys) snapshot(ctx context.Context, user string) (*remoteKeys, int64, error) {
	got, err := k.remote.UserDevices(ctx, store.ServerOf(user), user)
	if err != nil {
		return nil, 0, err
	}
	all := fclient.Keys{Devices: map[string]map[string]jsontext.Value{user: {}}, Master: map[string]jsontext.Value{}, Self: map[string]jsontext.Value{}}
	for _, d := range got.Devices {
		if raw := deviceJSON(user, d.ID, d.Name, d.Keys); raw != nil {
			all.Devices[user][d.ID] = raw
		}
	}
	if len(got.Master) > 0 {
		all.Master[user] = got.Master
	}
	if len(got.Self) > 0 {
		all.Self[user] = got.Self
	}
	return readRemote(user, all), got.StreamID, nil
}

// streamOf is where a user's list is known to be; 0 if that isn't known.
func (k *Keys) streamOf(ctx context.Context, user string) (int64, error) {
	nid, err := k.store.UserNID(ctx, user)
	if err == nil {
		var l store.RemoteDeviceList
		l, err = k.store.RemoteDeviceList(ctx, nid)
		if err == nil {
			return l.Stream, nil
		}
	}
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return 0, err
}

// keepDevices stores a user's devices. before is where the list was when it was asked for: if it has gone
// on since, it stays stale. An answer can overtake the update that tells of a change, which says nothing new
// then: whoever knows the devices from before hears of it here.
func (k *Keys) keepDevices(ctx context.Context, nid int64, rk *remoteKeys, stream, before int64) error {
	was, err := k.store.RemoteDevices(ctx, nid)
	if err != nil {
		return err
	}
	same := len(was) == len(rk.devices)
	for _, d := range was {
		same = same && bytes.Equal(d.JSON, rk.devices[d.ID])
	}
	return k.store.Write(ctx, func(t *store.Tx) error {
		have, err := t.RemoteDeviceList(nid)
		first := errors.Is(err, store.ErrNotFound)
		if err != nil && !first {
			return err
		}
		l := store.RemoteDeviceList{User: nid, Stream: stream}
		if have.Stream != before && have.Stream > stream {
			l.Stale, l.Stream = true, have.Stream
		}
		var devices []store.RemoteDevice
		for id, raw := range rk.devices {
			devices = append(devices, store.RemoteDevice{ID: id, Stream: stream, JSON: raw})
		}
		if err := t.SetRemoteDevices(nid, devices); err != nil {
			return err
		}
		if err := t.SetRemoteDeviceList(l); err != nil || same && !first {
			return err
		}
		// With the first list, somebody else may have asked in vain before.
		return t.DeviceListChanged(nid)
	})
}

// stale are lists that wait to be fetched anew.
type stale struct {
	mu      sync.Mutex
	waiting map[string]bool
	queue   chan string
}

// fetchLater has a list fetched that is stale. It never waits; what doesn't fit is found by the next sweep.
func (k *Keys) fetchLater(user string) {
	k.stale.mu.Lock()
	defer k.stale.mu.Unlock()
	if k.stale.waiting[user] {
		return
	}
	select {
	case k.stale.queue <- user:
		k.stale.waiting[user] = true
	default:
	}
}

// Run fetches the device lists of other servers' users that are stale, until ctx ends.
func (k *Keys) Run(ctx context.Context) error {
	if k.remote == nil {
		return nil
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	for range staleWorkers {
		wg.Go(func() {
			for {
				select {
				case user := <-k.stale.queue:
					k.stale.mu.Lock()
					delete(k.stale.waiting, user)
					k.stale.mu.Unlock()
					k.refetch(ctx, user)
				case <-ctx.Done():
					return
				}
			}
		})
	}
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	after := int64(0)
	for {
		lists, err := k.store.StaleDeviceLists(ctx, after, sweepMax)
		if after = 0; err == nil && len(lists) == sweepMax {
			after = lists[sweepMax-1].User
		}
		for _, l := range lists {
			if user, err := k.store.UserID(ctx, l.User); err == nil {
				k.fetchLater(user)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// refetch fetches a list that is stale. If that fails it stays so, and the next sweep or whoever asks for
// the keys tries again.
func (k *Keys) refetch(ctx context.Context, user string) {
	nid, ok, err := k.tracked(ctx, user)
	if err != nil || !ok {
		return
	}
	l, err := k.store.RemoteDeviceList(ctx, nid)
	if err != nil || !l.Stale {
		return
	}
	mark := k.forgotten.Load()
	rk, stream, err := k.snapshot(ctx, user)
	if err != nil || rk == nil {
		return
	}
	_ = k.keepRemote(ctx, user, rk, mark, stream, l.Stream) // it stays stale
}
