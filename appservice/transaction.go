package appservice

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"maunium.net/go/mautrix/event"

	"github.com/landbridge-im/landbridge/appservice/store"
)

// transaction is the body of PUT /_matrix/app/v1/transactions/{txnId}, with the
// unstable names of MSC2409 and MSC3202 beside the stable ones.
type transaction struct {
	Events    []json.RawMessage `json:"events"`
	Ephemeral []json.RawMessage `json:"ephemeral"`
	ToDevice  []json.RawMessage `json:"to_device"`

	DeviceLists json.RawMessage `json:"device_lists"`
	KeyCounts   json.RawMessage `json:"device_one_time_keys_count"`

	UnstableEphemeral   []json.RawMessage `json:"de.sorunome.msc2409.ephemeral"`
	UnstableToDevice    []json.RawMessage `json:"de.sorunome.msc2409.to_device"`
	UnstableDeviceLists json.RawMessage   `json:"org.matrix.msc3202.device_lists"`
	UnstableKeyCounts   json.RawMessage   `json:"org.matrix.msc3202.device_one_time_keys_count"`
}

// parseTransaction splits a transaction into what must not be lost, in the order
// in which it is to be handled (keys before the events that they decrypt), and
// what may be (typing, receipts, presence).
func parseTransaction(body []byte) (stored, fleeting []store.Item, err error) {
	var txn transaction
	if err := json.Unmarshal(body, &txn); err != nil {
		return nil, nil, fmt.Errorf("the transaction cannot be read: %w", err)
	}
	if b := bytes.TrimSpace(body); len(b) == 0 || b[0] != '{' {
		return nil, nil, errors.New("the transaction is not a JSON object")
	}
	if txn.Ephemeral == nil {
		txn.Ephemeral = txn.UnstableEphemeral
	}
	if txn.ToDevice == nil {
		txn.ToDevice = txn.UnstableToDevice
	}
	if len(txn.DeviceLists) == 0 {
		txn.DeviceLists = txn.UnstableDeviceLists
	}
	if len(txn.KeyCounts) == 0 {
		txn.KeyCounts = txn.UnstableKeyCounts
	}

	for i, raw := range txn.ToDevice {
		if _, err := head("to_device", i, raw); err != nil {
			return nil, nil, err
		}
		stored = append(stored, store.Item{Kind: store.KindToDevice, Lane: deviceLane, Body: raw})
	}
	for kind, raw := range map[store.Kind]json.RawMessage{store.KindDeviceLists: txn.DeviceLists, store.KindKeyCounts: txn.KeyCounts} {
		if isObject(raw) {
			stored = append(stored, store.Item{Kind: kind, Lane: deviceLane, Body: raw})
		}
	}
	for i, raw := range txn.Events {
		h, err := head("events", i, raw)
		if err != nil {
			return nil, nil, err
		}
		if h.RoomID == "" || h.EventID == "" {
			return nil, nil, fmt.Errorf("events[%d]: room_id and event_id must not be empty", i)
		}
		item := store.Item{Kind: store.KindEvent, Lane: h.RoomID, EventID: h.EventID, Body: raw}
		if h.Type == event.StateMember.Type && len(h.Sender) > 2 && bytes.Equal(h.StateKey, h.Sender) {
			item.Self = strings.Trim(string(h.Sender), `"`)
		}
		stored = append(stored, item)
	}
	for i, raw := range txn.Ephemeral {
		h, err := head("ephemeral", i, raw)
		if err != nil {
			return nil, nil, err
		}
		if h.RoomID == "" {
			continue // presence
		}
		fleeting = append(fleeting, store.Item{Kind: kindEphemeral, Lane: h.RoomID, Body: raw})
	}
	return stored, fleeting, nil
}

// isObject reports whether raw is a JSON object with something in it.
func isObject(raw json.RawMessage) bool {
	var m map[string]json.RawMessage
	return json.Unmarshal(raw, &m) == nil && len(m) > 0
}

// eventHead is what must be known of an event before it is handled.
type eventHead struct {
	Type    string `json:"type"`
	RoomID  string `json:"room_id"`
	EventID string `json:"event_id"`

	// Sender and StateKey are JSON of any kind here.
	Sender   json.RawMessage `json:"sender"`
	StateKey json.RawMessage `json:"state_key"`
}

func head(list string, i int, raw json.RawMessage) (eventHead, error) {
	var h eventHead
	if err := json.Unmarshal(raw, &h); err != nil {
		return h, fmt.Errorf("%s[%d]: %w", list, i, err)
	}
	if h.Type == "" {
		return h, fmt.Errorf("%s[%d]: type must not be empty", list, i)
	}
	return h, nil
}
