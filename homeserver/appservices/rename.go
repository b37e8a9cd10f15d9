package appservices

import (
	"context"
	"encoding/json/jsontext"
	"errors"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// A service that has brought history in under names of its own knows its events by these; see client/realname.go.

// called is what the service calls an event.
func (d *sender) called(ctx context.Context, nid int64, id string) (string, error) {
	name, err := d.s.o.Store.ServiceEventName(ctx, d.reg.ID, nid, id)
	if errors.Is(err, store.ErrNotFound) {
		return id, nil
	}
	return name, err
}

// renamed puts the service's names into the relations of an event, and where it redacts one.
func (d *sender) renamed(ctx context.Context, nid int64, raw []byte) ([]byte, error) {
	content := jsontext.Value(gjson.GetBytes(raw, "content").Raw)
	redacts := gjson.GetBytes(raw, "redacts").Str
	named := room.Named(content)
	if redacts != "" {
		named = append(named, redacts)
	}
	names := map[string]string{}
	for _, id := range named {
		name, err := d.called(ctx, nid, id)
		if err != nil {
			return nil, err
		}
		if name != id {
			names[id] = name
		}
	}
	if len(names) == 0 {
		return raw, nil
	}
	content, err := room.Rename(content, names)
	if err == nil {
		raw, err = sjson.SetRawBytes(raw, "content", content)
	}
	if name, ok := names[redacts]; ok && err == nil {
		raw, err = sjson.SetBytes(raw, "redacts", name)
	}
	return raw, err
}
