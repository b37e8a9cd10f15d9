package appservicetest

import (
	"encoding/json"
	"maps"
	"strings"

	"maunium.net/go/mautrix/id"
)

type device struct {
	name    string
	keys    json.RawMessage
	oneTime map[string]json.RawMessage // by "algorithm:id"
	inbox   []json.RawMessage          // of an ordinary user
}

// routeKeys adds what end-to-end encryption needs (MSC4190, MSC2409, MSC3202).
func (hs *Homeserver) routeKeys() {
	const v3 = "/_matrix/client/v3"
	hs.handle("PUT "+v3+"/devices/{device}", func(r *request) (any, *failure) {
		d := hs.device(r.user, id.DeviceID(r.PathValue("device")))
		d.name = r.str("display_name")
		return empty{}, nil
	})
	hs.handle("DELETE "+v3+"/devices/{device}", func(r *request) (any, *failure) {
		delete(hs.user(r.user).devices, id.DeviceID(r.PathValue("device")))
		return empty{}, nil
	})
	hs.handle("POST "+v3+"/keys/upload", func(r *request) (any, *failure) {
		if r.device == "" {
			return nil, forbidden("no device is given")
		}
		d := hs.device(r.user, r.device)
		if keys := r.body["device_keys"]; len(keys) > 0 && string(keys) != "null" {
			d.keys = keys
			hs.deviceChanged(r.user)
		}
		var oneTime map[string]json.RawMessage
		_ = json.Unmarshal(r.body["one_time_keys"], &oneTime)
		for k, v := range oneTime {
			d.oneTime[k] = v
		}
		return map[string]any{"one_time_key_counts": d.counts()}, nil
	})
	hs.handle("POST "+v3+"/keys/query", func(r *request) (any, *failure) {
		var asked map[id.UserID]json.RawMessage
		_ = json.Unmarshal(r.body["device_keys"], &asked)
		out := map[id.UserID]map[id.DeviceID]json.RawMessage{}
		for u := range asked {
			out[u] = map[id.DeviceID]json.RawMessage{}
			for name, d := range hs.user(u).devices {
				if d.keys != nil {
					out[u][name] = d.keys
				}
			}
		}
		return map[string]any{"device_keys": out, "failures": empty{}}, nil
	})
	hs.handle("POST "+v3+"/keys/claim", func(r *request) (any, *failure) {
		var asked map[id.UserID]map[id.DeviceID]string
		_ = json.Unmarshal(r.body["one_time_keys"], &asked)
		out := map[id.UserID]map[id.DeviceID]map[string]json.RawMessage{}
		for u, devices := range asked {
			out[u] = map[id.DeviceID]map[string]json.RawMessage{}
			for name, algorithm := range devices {
				d := hs.user(u).devices[name]
				if d == nil {
					continue
				}
				for key, value := range d.oneTime {
					if strings.HasPrefix(key, algorithm+":") {
						out[u][name] = map[string]json.RawMessage{key: value}
						delete(d.oneTime, key)
						break
					}
				}
				hs.countChanged(u, name, d)
			}
		}
		return map[string]any{"one_time_keys": out, "failures": empty{}}, nil
	})
	hs.handle("PUT "+v3+"/sendToDevice/{type}/{txn}", func(r *request) (any, *failure) {
		var messages map[id.UserID]map[id.DeviceID]json.RawMessage
		_ = json.Unmarshal(r.body["messages"], &messages)
		for u, devices := range messages {
			for name, content := range devices {
				for actual, d := range hs.user(u).devices {
					if name == "*" || name == actual {
						hs.toDevice(u, actual, d, map[string]any{"type": r.PathValue("type"), "sender": r.user, "content": content})
					}
				}
			}
		}
		return empty{}, nil
	})
	hs.handle("POST "+v3+"/keys/device_signing/upload", func(r *request) (any, *failure) {
		for k, v := range r.body {
			hs.user(r.user).crossKeys[k] = v
		}
		return empty{}, nil
	})
	hs.handle("POST "+v3+"/keys/signatures/upload", func(*request) (any, *failure) { return empty{}, nil })
}

func (hs *Homeserver) device(u id.UserID, name id.DeviceID) *device {
	devices := hs.user(u).devices
	if devices[name] == nil {
		devices[name] = &device{oneTime: map[string]json.RawMessage{}}
	}
	return devices[name]
}

func (d *device) counts() map[string]int {
	n := map[string]int{}
	for key := range d.oneTime {
		algorithm, _, _ := strings.Cut(key, ":")
		n[algorithm]++
	}
	return n
}

// toDevice delivers to the service that owns the user, or keeps it for
// TakeToDevice.
func (hs *Homeserver) toDevice(u id.UserID, name id.DeviceID, d *device, msg map[string]any) {
	for _, s := range hs.services {
		if s.owns(u) {
			msg["to_user_id"], msg["to_device_id"] = u, name
			raw := marshal(msg)
			if hs.hold != nil {
				go func(hold <-chan struct{}) {
					<-hold
					hs.mu.Lock()
					defer hs.mu.Unlock()
					s.push(func(t *Transaction) { t.ToDevice = append(t.ToDevice, raw) })
				}(hs.hold)
				return
			}
			s.push(func(t *Transaction) { t.ToDevice = append(t.ToDevice, raw) })
			return
		}
	}
	d.inbox = append(d.inbox, marshal(msg))
}

// TakeToDevice returns and removes what waits for a device of an ordinary user.
func (hs *Homeserver) TakeToDevice(u id.UserID, name id.DeviceID) []json.RawMessage {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	d := hs.device(u, name)
	inbox := d.inbox
	d.inbox = nil
	return inbox
}

// KeyCount is how many one-time keys a device has left.
func (hs *Homeserver) KeyCount(u id.UserID) int {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	n := 0
	for _, d := range hs.user(u).devices {
		n += len(d.oneTime)
	}
	return n
}

// DropOneTimeKeys removes all but keep one-time keys of a user and tells the
// service that owns it.
func (hs *Homeserver) DropOneTimeKeys(u id.UserID, keep int) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	for name, d := range hs.user(u).devices {
		for key := range d.oneTime {
			if len(d.oneTime) <= keep {
				break
			}
			delete(d.oneTime, key)
		}
		hs.countChanged(u, name, d)
	}
}

func (hs *Homeserver) countChanged(u id.UserID, name id.DeviceID, d *device) {
	for _, s := range hs.services {
		if s.owns(u) {
			n := d.counts()
			if n["signed_curve25519"] == 0 {
				n["signed_curve25519"] = 0
			}
			s.push(func(t *Transaction) {
				t.KeyCounts = map[id.UserID]map[id.DeviceID]map[string]int{u: {name: n}}
			})
		}
	}
}

// deviceChanged tells every service that the user's devices have changed.
func (hs *Homeserver) deviceChanged(u id.UserID) {
	for _, s := range hs.services {
		s.push(func(t *Transaction) {
			if t.DeviceLists == nil {
				t.DeviceLists = &DeviceLists{}
			}
			t.DeviceLists.Changed = append(t.DeviceLists.Changed, u)
		})
	}
}

// HoldToDevice keeps the to-device events for services back until release is
// closed.
func (hs *Homeserver) HoldToDevice(release <-chan struct{}) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	hs.hold = release
}

// ForgetDevices loses all devices of a user.
func (hs *Homeserver) ForgetDevices(u id.UserID) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	hs.user(u).devices = map[id.DeviceID]*device{}
}

// Keys are the keys that a device has uploaded.
type Keys struct {
	Device  json.RawMessage
	OneTime map[string]json.RawMessage
}

// DeviceKeys returns the keys of all devices of a user.
func (hs *Homeserver) DeviceKeys(u id.UserID) map[id.DeviceID]Keys {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	out := map[id.DeviceID]Keys{}
	for name, d := range hs.user(u).devices {
		out[name] = Keys{Device: d.keys, OneTime: maps.Clone(d.oneTime)}
	}
	return out
}
