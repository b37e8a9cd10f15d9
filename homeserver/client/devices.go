package client

import (
	"errors"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// deviceReply is a device as its user sees it.
type deviceReply struct {
	ID   string `json:"device_id"`
	Name string `json:"display_name,omitempty"`
	IP   string `json:"last_seen_ip,omitempty"`
	TS   int64  `json:"last_seen_ts,omitempty"`
}

func deviceOut(d store.Device) deviceReply {
	return deviceReply{d.ID, d.Name, d.LastSeenIP, d.LastSeenTS}
}

// devices is GET /devices.
func (a *API) devices(c *call) (any, error) {
	all, err := a.o.Store.DevicesOf(c.ctx, c.session.User)
	out := make([]deviceReply, len(all))
	for i, d := range all {
		out[i] = deviceOut(d)
	}
	return map[string]any{"devices": out}, err
}

// device is GET /devices/{deviceId}.
func (a *API) device(c *call) (any, error) {
	d, err := a.o.Store.Device(c.ctx, c.session.User, c.params[0])
	if errors.Is(err, store.ErrNotFound) {
		return nil, mxerror.NotFound("You have no device %s.", clip(c.params[0]))
	}
	return deviceOut(d), err
}

// putDevice is PUT /devices/{deviceId}: "Updates the metadata on the given device, or creates a new device.
// The ability to create new devices is only available to application services". No registration has to ask
// for that since version 1.17 of the specification.
func (a *API) putDevice(c *call) (any, error) {
	var q struct {
		Name *string `json:"display_name"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	name := ""
	if q.Name != nil {
		name = *q.Name
		if err := accounts.CheckDeviceName(name); err != nil {
			return nil, err
		}
	}
	id := c.params[0]
	reg := c.session.Service
	if reg != nil {
		// "This endpoint is rate-limited for device creation."
		if err := c.limit(a.limits.Load().logins); err != nil {
			return nil, err
		}
	}
	var fresh bool
	err := a.o.Store.Write(c.ctx, func(t *store.Tx) error {
		fresh = false
		if q.Name != nil {
			ok, err := renameDevice(t, store.DeviceName{User: c.session.User, ID: id}, name)
			if ok || err != nil {
				return err
			}
		}
		if reg == nil {
			// "If not given, the display name is unchanged."
			_, err := t.Device(c.session.User, id)
			if q.Name != nil || errors.Is(err, store.ErrNotFound) {
				return store.Refuse(mxerror.NotFound("You have no device %s.", clip(id)))
			}
			return err
		}
		if len(id) > 255 || id == "" {
			return store.Refuse(mxerror.InvalidParam("A device id has 1 to 255 bytes."))
		}
		var err error
		if _, fresh, err = t.EnsureDevice(store.Device{User: c.session.User, ID: id, Name: name, CreatedTS: a.o.Now().UnixMilli(), LastSeenIP: c.address(), LastSeenAgent: clip(c.r.UserAgent())}); !fresh || err != nil {
			return err
		}
		return t.DeviceListChanged(c.session.User, id)
	})
	if err == nil && fresh {
		return created{object{}}, nil
	}
	return nil, err
}

// deleteDevice is DELETE /devices/{deviceId}.
func (a *API) deleteDevice(c *call) (any, error) {
	raw, err := a.interactiveBody(c)
	if err != nil {
		return nil, err
	}
	if err := a.confirm(c, raw); err != nil {
		return nil, err
	}
	return nil, a.o.Accounts.DeleteDevices(c.ctx, c.session.User, c.params[0])
}

// deleteDevices is POST /delete_devices.
func (a *API) deleteDevices(c *call) (any, error) {
	raw, err := a.interactiveBody(c)
	if err != nil {
		return nil, err
	}
	var q struct {
		Devices []string `json:"devices"`
	}
	if err := parse(raw, &q); err != nil {
		return nil, err
	}
	if err := a.confirm(c, raw); err != nil {
		return nil, err
	}
	return nil, a.o.Accounts.DeleteDevices(c.ctx, c.session.User, q.Devices...)
}

// renameDevice changes a device's name; false if there is no such device.
func renameDevice(t *store.Tx, d store.DeviceName, name string) (bool, error) {
	ok, err := t.RenameDevice(d.User, d.ID, name)
	if ok && err == nil {
		err = renamed(t, d)
	}
	return ok, err
}

// renamed tells those who see a device that it has another name: specification, server-server API,
// "Device Management": "changes in device information such as the device's human-readable name".
func renamed(t *store.Tx, d store.DeviceName) error { return t.DeviceListChanged(d.User, d.ID) }
