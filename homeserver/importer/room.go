package importer

import (
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/importer/wire"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// roomRemote is what a room is called in the ledger.
func roomRemote(remote string) string { return "room/" + remote }

// errAliasTaken says that an alias belongs to another room.
var errAliasTaken = errors.New("the alias is taken")

// Room makes a room, or finds the one that was made before.
func (i *Importer) Room(ctx context.Context, q wire.Room) (out wire.RoomMade, err error) {
	source, err := i.source(ctx, q.Source)
	if err != nil {
		return out, err
	}
	if q.Remote == "" || len(q.Remote) > wire.MaxRemote || q.TS <= 0 {
		return out, mxerror.BadJSON("The room needs a remote name of at most %d bytes and a time.", wire.MaxRemote)
	}
	i.making.Lock()
	defer i.making.Unlock()
	have, err := i.o.Store.Imported(ctx, source, []string{roomRemote(q.Remote), adoptedRemote(q.Remote)})
	if err != nil {
		return out, err
	}
	if r, ok := have[roomRemote(q.Remote)]; ok {
		name, err := i.o.Store.RoomByNID(ctx, r.Room)
		if err != nil {
			return out, err
		}
		out.RoomID = name.ID
		if _, out.Adopted = have[adoptedRemote(q.Remote)]; !out.Adopted {
			out.Lived, err = i.o.Store.HasTalk(ctx, r.Room)
		}
		out.Lived = out.Lived || out.Adopted
		return out, err
	}
	if q.Adopt != "" {
		return i.adopt(ctx, source, q)
	}
	c, err := i.creation(ctx, source, q)
	if err != nil {
		return out, err
	}
	name, _, err := i.o.Rooms.Create(ctx, c)
	if errors.Is(err, errAliasTaken) {
		q.Alias, out.NoAlias = "", true
		if c, err = i.creation(ctx, source, q); err == nil {
			name, _, err = i.o.Rooms.Create(ctx, c)
		}
	}
	if err != nil {
		return out, err
	}
	out.RoomID, out.Fresh = name.ID, true
	return out, nil
}

func (i *Importer) creation(ctx context.Context, source int64, q wire.Room) (c room.Creation, err error) {
	version := i.o.Version
	if q.Version != "" {
		version = event.Version(q.Version)
	}
	content := map[string]jsontext.Value{}
	if len(q.Content) > 0 {
		if err := json.Unmarshal(q.Content, &content); err != nil {
			return c, mxerror.BadJSON("The content of the room must be an object.")
		}
	}
	set := func(key, value string) error {
		raw, err := json.Marshal(value)
		content[key] = raw
		return err
	}
	if err := set("room_version", string(version)); err != nil {
		return c, err
	}
	if !version.PrivilegedRoomCreators() {
		return c, mxerror.BadJSON("Rooms of version %s can't be made by an import; 12 can.", string(version))
	}
	raw, err := json.Marshal(content, json.Deterministic(true))
	if err != nil {
		return c, mxerror.BadJSON("The content of the room is not valid.").Because(err)
	}
	creator, err := i.o.Store.UserNID(ctx, q.Creator)
	if err != nil {
		return c, mxerror.NotFound("There is no account %s to make the room.", q.Creator)
	}
	join, err := (&profiles{i, ctx, map[string]map[string]string{}}).member(q.Creator, "join")
	if err != nil {
		return c, err
	}
	return room.Creation{Version: version, Creator: q.Creator, Content: raw, TS: q.TS,
		Events: func(string) ([]room.Proposal, error) {
			out := []room.Proposal{{Sender: q.Creator, Type: "m.room.member", StateKey: &q.Creator, Content: join, TS: q.TS}}
			for _, s := range q.State {
				out = append(out, room.Proposal{Sender: q.Creator, Type: s.Type, StateKey: &s.Key, Content: s.Content, TS: q.TS})
			}
			if q.Alias != "" {
				raw, err := json.Marshal(map[string]string{"alias": q.Alias})
				if err != nil {
					return nil, err
				}
				none := ""
				out = append(out, room.Proposal{Sender: q.Creator, Type: "m.room.canonical_alias", StateKey: &none, Content: raw, TS: q.TS})
			}
			return out, nil
		},
		Extra: func(t *store.Tx, r store.Room) error {
			if q.Alias != "" {
				ok, err := t.AddAlias(store.Alias{Alias: q.Alias, Room: r.NID, Creator: creator}, q.TS)
				if err != nil {
					return err
				}
				if !ok {
					return store.Refuse(errAliasTaken)
				}
			}
			return t.AddImported(source, store.Imported{Remote: roomRemote(q.Remote), Room: r.NID, Event: r.Extremities[0]})
		}}, nil
}
