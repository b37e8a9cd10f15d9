package exporter

import (
	"context"
	"encoding/json/jsontext"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/landbridge-im/landbridge/export"
	"github.com/landbridge-im/landbridge/homeserver/media"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// whose finds somebody's number.
func (x *Exporter) whose(ctx context.Context, user string) (int64, error) {
	nid, err := x.Store.UserNID(ctx, user)
	if errors.Is(err, store.ErrNotFound) {
		return 0, export.ErrNobody
	}
	return nid, err
}

// Person implements export.Source.
func (x *Exporter) Person(ctx context.Context, user string) (p export.Person, err error) {
	nid, err := x.whose(ctx, user)
	if err != nil {
		return p, err
	}
	p.ID = user
	fields, err := x.Store.Profile(ctx, nid)
	if err != nil {
		return p, err
	}
	for _, f := range fields {
		if p.Profile == nil {
			p.Profile = map[string]jsontext.Value{}
		}
		p.Profile[f.Name] = jsontext.Value(f.Value)
	}
	switch a, err := x.Store.Account(ctx, nid); {
	case err == nil:
		if p.Account, err = x.account(ctx, a); err != nil {
			return p, err
		}
	case !errors.Is(err, store.ErrNotFound):
		return p, err
	}
	if p.Data, err = x.data(ctx, nid); err != nil {
		return p, err
	}
	p.Rooms, err = x.standings(ctx, nid)
	return p, err
}

func (x *Exporter) account(ctx context.Context, a store.Account) (*export.Account, error) {
	out := &export.Account{Kind: a.Kind, Admin: a.Admin, CreatedTS: a.CreatedTS, DeactivatedTS: a.DeactivatedTS, Locked: a.Locked,
		Suspended: a.Suspended, Service: a.Service}
	addresses, err := x.Store.ThreePIDsOf(ctx, a.User)
	if err != nil {
		return nil, err
	}
	for _, t := range addresses {
		out.Addresses = append(out.Addresses, export.Address{Medium: t.Medium, Address: t.Address, ValidatedTS: t.ValidatedTS, AddedTS: t.AddedTS})
	}
	links, err := x.Store.SSOLinksOf(ctx, a.User)
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		out.Identities = append(out.Identities, export.Identity{Provider: l.Provider, Subject: l.Subject})
	}
	devices, err := x.Store.DevicesOf(ctx, a.User)
	if err != nil {
		return nil, err
	}
	keys, err := x.Store.DeviceKeysOf(ctx, a.User)
	if err != nil {
		return nil, err
	}
	for _, d := range devices {
		device := export.Device{ID: d.ID, Name: d.Name, CreatedTS: d.CreatedTS, LastSeenTS: d.LastSeenTS, LastSeenIP: d.LastSeenIP, Agent: d.LastSeenAgent}
		for _, k := range keys {
			if k.DeviceID == d.ID {
				device.Keys = jsontext.Value(k.JSON)
			}
		}
		out.Devices = append(out.Devices, device)
	}
	pushers, err := x.Store.PushersOf(ctx, a.User)
	if err != nil {
		return nil, err
	}
	for _, p := range pushers {
		out.Pushers = append(out.Pushers, export.Pusher{AppID: p.AppID, Kind: p.Kind, Pushkey: p.Pushkey})
	}
	policies, err := x.Store.AcceptedPolicies(ctx, a.User)
	if err != nil {
		return nil, err
	}
	for _, p := range policies {
		out.Policies = append(out.Policies, export.Policy{Policy: p[0], Version: p[1]})
	}
	return out, nil
}

// data lists what somebody's clients have stored.
func (x *Exporter) data(ctx context.Context, user int64) ([]export.Datum, error) {
	list, err := x.Store.AccountDataAfter(ctx, user, 0, 1<<62)
	if err != nil {
		return nil, err
	}
	var out []export.Datum
	for _, d := range list {
		datum := export.Datum{Type: d.Type, Content: jsontext.Value(d.Content)}
		if d.Room != 0 {
			name, err := x.Store.RoomByNID(ctx, d.Room)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return nil, err
			}
			datum.Room = name.ID
		}
		out = append(out, datum)
	}
	return out, nil
}

func (x *Exporter) standings(ctx context.Context, user int64) ([]export.Standing, error) {
	list, err := x.Store.RoomsOf(ctx, user)
	if err != nil {
		return nil, err
	}
	var out []export.Standing
	for _, m := range list {
		r, err := x.Store.LoadRoom(ctx, m.Room)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		s := export.Standing{RoomID: r.ID, Membership: m.Membership}
		switch e, err := x.Store.StateEvent(ctx, r.Root, "m.room.name", ""); {
		case err == nil:
			s.Name = e.ContentString("name")
		case !errors.Is(err, store.ErrNotFound):
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// Uploads implements export.Source.
func (x *Exporter) Uploads(ctx context.Context, user, after string) (out export.Files, err error) {
	nid, err := x.whose(ctx, user)
	if err != nil {
		return out, err
	}
	at, id, _ := strings.Cut(after, " ")
	ts, err := number(at)
	if err != nil {
		return out, err
	}
	list, err := x.Store.MediaOf(ctx, nid, ts, id, filesPart)
	if err != nil {
		return out, err
	}
	for _, m := range list {
		if len(m.Hash) > 0 { // otherwise it was only announced
			out.Files = append(out.Files, export.File{URI: media.URI(m.Origin, m.ID), Type: m.Type, Name: m.Name, Size: m.Size, TS: m.CreatedTS})
		}
	}
	if len(list) == filesPart {
		last := list[len(list)-1]
		out.Next = fmt.Sprintf("%s %s", strconv.FormatInt(last.CreatedTS, 10), last.ID)
	}
	return out, nil
}
