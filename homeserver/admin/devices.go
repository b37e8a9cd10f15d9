package admin

import (
	"errors"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

type deviceInfo struct {
	ID         string  `json:"device_id"`
	Name       *string `json:"display_name"`
	IP         *string `json:"last_seen_ip"`
	Agent      *string `json:"last_seen_user_agent"`
	TS         *int64  `json:"last_seen_ts"`
	UserID     string  `json:"user_id"`
	Dehydrated bool    `json:"dehydrated"`
}

func deviceOf(user string, d store.Device, dehydrated string) deviceInfo {
	out := deviceInfo{ID: d.ID, Name: orNil(d.Name), IP: orNil(d.LastSeenIP), Agent: orNil(d.LastSeenAgent), UserID: user, Dehydrated: d.ID == dehydrated}
	if d.LastSeenTS != 0 {
		out.TS = &d.LastSeenTS
	}
	return out
}

// dehydrated is the id of a user's dehydrated device, or "".
func (a *Admin) dehydrated(c client.AdminCall, user int64) (string, error) {
	d, err := a.o.Store.Dehydrated(c.Context(), user)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	return d.DeviceID, err
}

// devices is GET v2/users/{userId}/devices.
func (a *Admin) devices(c client.AdminCall) (any, error) {
	id, account, err := a.account(c)
	if err != nil {
		return nil, err
	}
	list, err := a.o.Store.DevicesOf(c.Context(), account.User)
	if err != nil {
		return nil, err
	}
	dehydrated, err := a.dehydrated(c, account.User)
	out := make([]deviceInfo, len(list))
	for i, d := range list {
		out[i] = deviceOf(id, d, dehydrated)
	}
	return object{"devices": out, "total": len(out)}, err
}

// addDevice is POST v2/users/{userId}/devices: "Does nothing if the device_id exists already."
func (a *Admin) addDevice(c client.AdminCall) (any, error) {
	var q struct {
		ID string `json:"device_id"`
	}
	if err := c.Body(&q); err != nil {
		return nil, err
	}
	if q.ID == "" {
		return nil, mxerror.MissingParam("device_id is missing.")
	}
	if len(q.ID) > 255 {
		return nil, mxerror.InvalidParam("A device id has 1 to 255 bytes.")
	}
	id, account, err := a.account(c)
	if err != nil {
		return nil, err
	}
	err = a.o.Store.Write(c.Context(), func(t *store.Tx) error {
		_, _, err := t.EnsureDevice(store.Device{User: account.User, ID: q.ID, CreatedTS: a.nowMS()})
		return err
	})
	if err == nil {
		a.audit(c, "make a device", id, "device", q.ID)
	}
	return client.Created(object{}), err
}

// device is GET v2/users/{userId}/devices/{deviceId}.
func (a *Admin) device(c client.AdminCall) (any, error) {
	id, account, err := a.account(c)
	if err != nil {
		return nil, err
	}
	d, err := a.o.Store.Device(c.Context(), account.User, c.Param(1))
	if errors.Is(err, store.ErrNotFound) {
		return nil, mxerror.NotFound("No device found")
	} else if err != nil {
		return nil, err
	}
	dehydrated, err := a.dehydrated(c, account.User)
	return deviceOf(id, d, dehydrated), err
}

// putDevice is PUT v2/users/{userId}/devices/{deviceId}.
func (a *Admin) putDevice(c client.AdminCall) (any, error) {
	var q struct {
		Name *string `json:"display_name"`
	}
	if err := c.Body(&q); err != nil {
		return nil, err
	}
	id, account, err := a.account(c)
	if err != nil {
		return nil, err
	}
	if q.Name == nil {
		_, err := a.device(c)
		return nil, err
	}
	if err := accounts.CheckDeviceName(*q.Name); err != nil {
		return nil, err
	}
	err = a.o.Store.Write(c.Context(), func(t *store.Tx) error {
		ok, err := t.RenameDevice(account.User, c.Param(1), *q.Name)
		if err == nil && !ok {
			return store.Refuse(mxerror.NotFound("No device found"))
		}
		return err
	})
	if err == nil {
		a.audit(c, "rename a device", id, "device", c.Param(1))
	}
	return nil, err
}

// deleteDevice is DELETE v2/users/{userId}/devices/{deviceId}.
func (a *Admin) deleteDevice(c client.AdminCall) (any, error) {
	return a.dropDevices(c, []string{c.Param(1)})
}

// deleteDevices is POST v2/users/{userId}/delete_devices.
func (a *Admin) deleteDevices(c client.AdminCall) (any, error) {
	var q struct {
		Devices *[]string `json:"devices"`
	}
	if err := c.Body(&q); err != nil {
		return nil, err
	}
	if q.Devices == nil {
		return nil, mxerror.MissingParam("devices is missing.")
	}
	return a.dropDevices(c, *q.Devices)
}

func (a *Admin) dropDevices(c client.AdminCall, ids []string) (any, error) {
	id, account, err := a.account(c)
	if err != nil {
		return nil, err
	}
	if err := a.o.Accounts.DeleteDevices(c.Context(), account.User, ids...); err != nil {
		return nil, err
	}
	a.audit(c, "delete devices", id, "devices", len(ids))
	return nil, nil
}
