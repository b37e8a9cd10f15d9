package keys

import (
	"context"
	"encoding/json/jsontext"
	"maps"
	"slices"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Bounds of messages to devices.
const (
	maxToDevice     = 65536 // bytes of one message's content
	maxToDeviceType = 255
	maxTxn          = 255
	// requestsKeptMS is how long a transaction id is remembered; pruneEveryMS how often old ones
	// are forgotten.
	requestsKeptMS = int64(24 * time.Hour / time.Millisecond)
	pruneEveryMS   = int64(time.Hour / time.Millisecond)
)

// ToDeviceRequest is the body of PUT /sendToDevice/{eventType}/{txnId}.
type ToDeviceRequest struct {
	// Messages are contents by user and device; the device "*" means all of the user's.
	Messages map[string]map[string]jsontext.Value `json:"messages"`
}

// SendToDevice sends messages to devices. Sent again with the same transaction id, it has no
// effect. Users and devices that there are not get nothing. Messages to
// other servers are sent by and by; where that is switched off, the servers' names are returned.
func (k *Keys) SendToDevice(ctx context.Context, o Owner, typ, txn string, r ToDeviceRequest) (unreached []string, err error) {
	switch {
	case r.Messages == nil:
		return nil, mxerror.MissingParam("The request needs messages.")
	case typ == "" || len(typ) > maxToDeviceType:
		return nil, mxerror.InvalidParam("The type must have 1 to %d bytes.", maxToDeviceType)
	case txn == "" || len(txn) > maxTxn:
		return nil, mxerror.InvalidParam("The transaction id must have 1 to %d bytes.", maxTxn)
	}
	messages, away, unreached, err := k.addressed(ctx, o, typ, r)
	if err != nil {
		return nil, err
	}
	// Users of application services may have no device; no device has a negative number.
	scope := o.DeviceNID
	if scope == 0 {
		scope = -o.UserNID
	}
	now := k.now().UnixMilli()
	last := k.forgot.Load()
	prune := now-last >= pruneEveryMS && k.forgot.CompareAndSwap(last, now)
	err = k.store.Write(ctx, func(tx *store.Tx) error {
		if prune {
			if err := tx.ForgetRequests(now - requestsKeptMS); err != nil {
				return err
			}
		}
		fresh, err := tx.RememberRequest(scope, event.TxnKey("sendToDevice/"+typ, txn), now)
		if err != nil || !fresh {
			return err
		}
		for _, m := range messages {
			if err := m.send(tx); err != nil {
				return err
			}
		}
		for _, m := range away {
			server, err := tx.NameServer(m.server)
			if err != nil {
				return err
			}
			if _, err := tx.AddEDU(server, m.edu); err != nil {
				return err
			}
		}
		return nil
	})
	return unreached, public(err)
}

// addressed is what a user's devices are to get.
type addressed struct {
	user     int64
	byDevice map[string]store.ToDevice
}

// addressed sorts messages into those for users of this server, and what carries the others to their
// servers; unreached are servers that nothing is sent to.
func (k *Keys) addressed(ctx context.Context, o Owner, typ string, r ToDeviceRequest) (out []addressed, away []outgoing, unreached []string, err error) {
	n := 0
	for _, user := range slices.Sorted(maps.Keys(r.Messages)) {
		a := addressed{byDevice: map[string]store.ToDevice{}}
		for device, content := range r.Messages[user] {
			if content.Kind() != '{' {
				return nil, nil, nil, mxerror.BadJSON("The message to device %s of %s is no object.", device, user)
			}
			if len(content) > maxToDevice {
				return nil, nil, nil, mxerror.TooLarge("The message to device %s of %s is %d bytes long; at most %d are allowed.", device, user, len(content), maxToDevice)
			}
			content = content.Clone()
			if err := content.Format(jsontext.AllowDuplicateNames(false), jsontext.AllowInvalidUTF8(false)); err != nil {
				return nil, nil, nil, mxerror.BadJSON("The message to device %s of %s is not valid: text must be UTF-8 and keys must not repeat.", device, user).Because(err)
			}
			a.byDevice[device] = store.ToDevice{Sender: o.UserID, Type: typ, Content: string(content)}
			if n++; n > maxAsked {
				return nil, nil, nil, mxerror.InvalidParam("The request has more than %d messages.", maxAsked)
			}
		}
		if !k.local(user) {
			switch server := store.ServerOf(user); {
			case server == "" || len(server) > maxToDeviceType || len(a.byDevice) == 0:
			case k.remote == nil:
				unreached = append(unreached, server)
			default:
				m, err := directToDevice(o.UserID, typ, user, a.byDevice)
				if err != nil {
					return nil, nil, nil, err
				}
				away = append(away, m)
			}
			continue
		}
		if a.user, err = k.userNID(ctx, user); err != nil {
			return nil, nil, nil, public(err)
		}
		if a.user != 0 {
			out = append(out, a)
		}
	}
	return out, away, unreached, nil
}

// send hands out a user's messages to the devices that there are now.
func (a addressed) send(tx *store.Tx) error {
	devices, err := tx.DevicesOf(a.user)
	if err != nil {
		return err
	}
	all, toAll := a.byDevice["*"]
	for _, d := range devices {
		m, ok := a.byDevice[d.ID]
		if !ok {
			m, ok = all, toAll
		}
		if !ok {
			continue
		}
		if err := tx.AddToDevice(store.DeviceName{User: a.user, ID: d.ID}, d.NID, m); err != nil {
			return err
		}
	}
	return nil
}
