package keys

import (
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"strconv"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Bounds of dehydrated devices (MSC3814): the data that only clients understand, the name, and how
// many messages are handed out at once.
const (
	maxDehydrated     = 64 << 10
	maxDehydratedName = 255
	dehydratedEvents  = 100
)

// DehydrateRequest is the body of PUT /dehydrated_device.
type DehydrateRequest struct {
	DeviceID string         `json:"device_id"`
	Data     jsontext.Value `json:"device_data"`
	Name     string         `json:"initial_device_display_name"`
	UploadRequest
}

// DehydratedID is the answer to the setting and the removal of a dehydrated device.
type DehydratedID struct {
	DeviceID string `json:"device_id"`
}

// DehydratedDevice is the answer to GET /dehydrated_device.
type DehydratedDevice struct {
	DeviceID string         `json:"device_id"`
	Data     jsontext.Value `json:"device_data"`
}

// Dehydrate stores the user's dehydrated device, in place of the one before. It is made together
// with its keys, so that nobody ever sees it without.
func (k *Keys) Dehydrate(ctx context.Context, o Owner, r DehydrateRequest) (*DehydratedID, error) {
	switch {
	case r.DeviceID == "":
		return nil, mxerror.MissingParam("device_id is missing.")
	case len(r.DeviceID) > maxKeyName:
		return nil, mxerror.InvalidParam("device_id can have at most %d bytes.", maxKeyName)
	case len(r.Data) == 0:
		return nil, mxerror.MissingParam("device_data is missing.")
	case r.Data.Kind() != '{' || !r.Data.IsValid():
		return nil, mxerror.BadJSON("device_data must be an object, without a name twice.")
	case len(r.Data) > maxDehydrated:
		return nil, mxerror.TooLarge("device_data can have at most %d KiB.", maxDehydrated>>10)
	case len(r.Name) > maxDehydratedName:
		return nil, mxerror.InvalidParam("initial_device_display_name can have at most %d bytes.", maxDehydratedName)
	}
	device := Owner{UserID: o.UserID, UserNID: o.UserNID, DeviceID: r.DeviceID}
	u, err := k.read(r.UploadRequest, device)
	if err != nil {
		return nil, err
	}
	// MSC3814: "device_keys" is required: who can't be told the keys can't send anything to it.
	if u.device == nil {
		return nil, mxerror.MissingParam("device_keys is missing.")
	}
	err = k.store.Write(ctx, func(tx *store.Tx) error {
		d, fresh, err := tx.EnsureDevice(store.Device{User: o.UserNID, ID: r.DeviceID, Name: r.Name, CreatedTS: k.now().UnixMilli()})
		if err != nil {
			return err
		}
		was, err := tx.Dehydrated(o.UserNID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if !fresh {
			if was.DeviceID != r.DeviceID {
				return store.Refuse(mxerror.InvalidParam("The device %s exists and is not dehydrated.", r.DeviceID))
			}
			// Stored anew: nothing of the old one may remain, least of all its one-time keys.
			if err := tx.DeleteDevice(d); err != nil {
				return err
			}
			if _, _, err := tx.EnsureDevice(store.Device{User: o.UserNID, ID: r.DeviceID, Name: r.Name, CreatedTS: k.now().UnixMilli()}); err != nil {
				return err
			}
		}
		if err := tx.SetDehydrated(o.UserNID, store.Dehydrated{DeviceID: r.DeviceID, Data: string(r.Data)}); err != nil {
			return err
		}
		_, err = u.put(tx)
		return err
	})
	if err != nil {
		return nil, public(err)
	}
	return &DehydratedID{r.DeviceID}, nil
}

// Dehydrated reads the user's dehydrated device.
func (k *Keys) Dehydrated(ctx context.Context, o Owner) (*DehydratedDevice, error) {
	d, err := k.store.Dehydrated(ctx, o.UserNID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, mxerror.NotFound("There is no dehydrated device.")
	}
	if err != nil {
		return nil, public(err)
	}
	return &DehydratedDevice{d.DeviceID, jsontext.Value(d.Data)}, nil
}

// DeleteDehydrated deletes the user's dehydrated device.
func (k *Keys) DeleteDehydrated(ctx context.Context, o Owner) (*DehydratedID, error) {
	var gone string
	err := k.store.Write(ctx, func(tx *store.Tx) error {
		d, err := tx.Dehydrated(o.UserNID)
		if errors.Is(err, store.ErrNotFound) {
			return store.Refuse(mxerror.NotFound("There is no dehydrated device."))
		}
		if err != nil {
			return err
		}
		gone = d.DeviceID
		device, err := tx.Device(o.UserNID, d.DeviceID)
		if err != nil {
			return err
		}
		return tx.DeleteDevice(device)
	})
	if err != nil {
		return nil, public(err)
	}
	return &DehydratedID{gone}, nil
}

// DehydratedEventsRequest asks for messages to a dehydrated device. It is the body of POST
// /dehydrated_device/{device_id}/events; GET has the same in its query.
type DehydratedEventsRequest struct {
	NextBatch string `json:"next_batch"`
	Limit     int    `json:"limit"`
	// Ends leaves next_batch out of the last page, as GET has it. Clients that ask by POST go on until a page
	// has no events.
	Ends bool `json:"-"`
}

// DehydratedEvents is the answer to it.
type DehydratedEvents struct {
	Events    []jsontext.Value `json:"events"`
	NextBatch string           `json:"next_batch,omitzero"`
}

// DehydratedEvents hands out the messages to a dehydrated device. They stay until the device is
// deleted: whoever rehydrates it may fail half-way.
func (k *Keys) DehydratedEvents(ctx context.Context, o Owner, device string, r DehydratedEventsRequest) (*DehydratedEvents, error) {
	d, err := k.store.Dehydrated(ctx, o.UserNID)
	if errors.Is(err, store.ErrNotFound) || err == nil && d.DeviceID != device {
		// MSC3814: "If the device ID [...] does not belong to the user's current dehydrated device,
		// the server responds with 403".
		return nil, mxerror.Forbidden("%s is not your dehydrated device.", device)
	}
	if err != nil {
		return nil, public(err)
	}
	var after int64
	if r.NextBatch != "" {
		if after, err = strconv.ParseInt(r.NextBatch, 10, 64); err != nil || after < 0 {
			return nil, mxerror.InvalidParam("next_batch is none of this endpoint's.")
		}
	}
	limit := dehydratedEvents
	if r.Limit > 0 {
		limit = min(limit, r.Limit)
	}
	messages, err := k.store.ToDeviceAfter(ctx, store.DeviceName{User: o.UserNID, ID: device}, after, k.store.Position(), limit+1)
	if err != nil {
		return nil, public(err)
	}
	more := len(messages) > limit
	messages = messages[:min(len(messages), limit)]
	out := &DehydratedEvents{Events: make([]jsontext.Value, len(messages))}
	for i, m := range messages {
		out.Events[i], err = json.Marshal(map[string]any{"sender": m.Sender, "type": m.Type, "content": jsontext.Value(m.Content)}, json.Deterministic(true))
		if err != nil {
			return nil, public(err)
		}
		after = m.Pos
	}
	if more || !r.Ends {
		out.NextBatch = strconv.FormatInt(after, 10)
	}
	return out, nil
}
