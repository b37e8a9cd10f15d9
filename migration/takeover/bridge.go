package takeover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"

	appstore "github.com/landbridge-im/landbridge/appservice/store"
	"github.com/landbridge-im/landbridge/migration/model"
	"github.com/landbridge-im/landbridge/migration/run"
)

// module is what differs between networks.
type module interface {
	// open makes the module's own tables.
	open(ctx context.Context, db *dbutil.Database, bridge networkid.BridgeID) error
	// space is the id of the space's portal.
	space() networkid.PortalID
	// portal, ghost and message are what the module keeps with each; they become JSON.
	portal(r run.Room) any
	identifiers(p model.Person) []string
	message(r run.Recorded, part int) any
	// edited is what is kept with the first part of a message that was there and has another text now.
	edited(r run.Recorded) any
	// name is the id of a part's row.
	name(r run.Recorded, part int) string
	// emoji is what a reaction is known by.
	emoji(r run.Reacted) networkid.EmojiID
	// saw is told of each message, in the order of the channel.
	saw(channel string, r run.Recorded)
	done(ctx context.Context, c *model.Channel, last time.Time) error
}

// Bridge is a run.Recorder: the database of a bridge.
type Bridge struct {
	db     *dbutil.Database
	id     networkid.BridgeID
	module module
}

var _ run.Recorder = (*Bridge)(nil)

// open opens the database in a bridge's folder, and makes it if it is not there yet.
func open(ctx context.Context, dir, id string, m module) (_ *Bridge, err error) {
	db, err := appstore.OpenBridge(filepath.Join(dir, "bridge.db"))
	if err != nil {
		return nil, err
	}
	b := &Bridge{db: db, id: networkid.BridgeID(id), module: m}
	if err := database.New(b.id, database.MetaTypes{}, db).Upgrade(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("making the bridge's tables: %w", err), db.Close())
	}
	if err := m.open(ctx, db, b.id); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return b, nil
}

// Close closes the database.
func (b *Bridge) Close() error { return b.db.Close() }

func encode(v any) string {
	raw, err := json.Marshal(v)
	if err != nil || v == nil {
		return "{}"
	}
	return string(raw)
}

// Person implements run.Recorder.
func (b *Bridge) Person(ctx context.Context, p model.Person, _, avatar string) error {
	source := ""
	if p.Avatar != nil && avatar != "" {
		source = p.Avatar.URL.Reveal() // public pictures, by which the bridge knows them
	}
	set := source != ""
	if !set {
		avatar = ""
	}
	ids := b.module.identifiers(p)
	if ids == nil {
		ids = []string{}
	}
	_, err := b.db.Exec(ctx, `
		INSERT INTO ghost (bridge_id, id, name, avatar_id, avatar_hash, avatar_mxc, name_set, avatar_set, contact_info_set, is_bot, identifiers, metadata)
		VALUES ($1, $2, $3, $4, '', $5, true, $6, false, $7, $8, '{}')
		ON CONFLICT (bridge_id, id) DO NOTHING
	`, b.id, p.Ghost, p.Name, source, avatar, set, p.Bot, encode(ids))
	if err != nil {
		return fmt.Errorf("recording %s: %w", p.ID, err)
	}
	return nil
}

// Room implements run.Recorder. A channel that is bridged already to another room stays so.
func (b *Bridge) Room(ctx context.Context, r run.Room) error {
	key, parent, kind := b.module.space(), any(nil), database.RoomTypeSpace
	if r.Channel != nil {
		switch r.Channel.Kind {
		case model.Direct, model.Group:
			return nil // the bridges have no such rooms
		case model.Section:
			kind = database.RoomTypeSpace
		default:
			kind = database.RoomTypeDefault
		}
		key, parent = networkid.PortalID(r.Channel.Key), any(string(b.module.space()))
		if r.Channel.Parent != "" {
			parent = r.Channel.Parent
		}
	}
	have, err := b.room(ctx, key)
	switch {
	case err != nil:
		return err
	case have == r.RoomID:
		return nil
	case have != "":
		return fmt.Errorf("the bridge has another room for %s already, %s, and what is brought in goes to %s: such a migration has to come before the bridge's first start, or needs another bridge id", key, have, r.RoomID)
	}
	_, err = b.db.Exec(ctx, `
		INSERT INTO portal (bridge_id, id, receiver, mxid, parent_id, parent_receiver, name, topic, avatar_id, avatar_hash, avatar_mxc,
			name_set, avatar_set, topic_set, in_space, room_type, metadata)
		VALUES ($1, $2, '', $3, $4, '', $5, $6, '', '', '', true, true, true, $7, $8, $9)
		ON CONFLICT (bridge_id, id, receiver) DO UPDATE SET mxid=excluded.mxid, parent_id=excluded.parent_id, metadata=excluded.metadata
	`, b.id, key, r.RoomID, parent, r.Name, r.Topic, parent != nil, kind, encode(b.module.portal(r)))
	if err != nil {
		return fmt.Errorf("recording the room of %s: %w", key, err)
	}
	return nil
}

// Bridged implements run.Recorder.
func (b *Bridge) Bridged(ctx context.Context, c *model.Channel) (string, error) {
	switch {
	case c == nil:
		return b.room(ctx, b.module.space())
	case c.Kind == model.Direct || c.Kind == model.Group:
		return "", nil
	}
	return b.room(ctx, networkid.PortalID(c.Key))
}

// had is a row of a message.
type had struct{ id, part, event string }

// Has implements run.Recorder.
func (b *Bridge) Has(ctx context.Context, channel string, m *model.Message) (*run.Had, error) {
	// Further parts have names of their own, or names within the message.
	rows, err := b.db.Query(ctx, `SELECT id, part_id, mxid FROM message WHERE bridge_id=$1 AND room_receiver='' AND (id=$2 OR id>$3 AND id<$4) AND room_id=$5 ORDER BY rowid`,
		b.id, m.Name, m.Name+"~", m.Name+"~:", channel)
	list, err := dbutil.NewRowIterWithError(rows, func(row dbutil.Scannable) (h had, err error) { return h, row.Scan(&h.id, &h.part, &h.event) }, err).AsList()
	if err != nil {
		return nil, fmt.Errorf("looking for message %s: %w", m.Name, err)
	}
	if len(list) == 0 {
		return nil, nil
	}
	out := &run.Had{Parts: map[string]string{}}
	for _, h := range list {
		if h.part == "" {
			out.Parts[h.id] = h.event
		}
	}
	if out.Parts[m.Name] == "" {
		out.Parts[m.Name] = list[0].event // a message of files alone
	}
	return out, nil
}

// room is the room of a portal; "" if it has none.
func (b *Bridge) room(ctx context.Context, key networkid.PortalID) (string, error) {
	rows, err := b.db.Query(ctx, "SELECT COALESCE(mxid, '') FROM portal WHERE bridge_id=$1 AND id=$2 AND receiver=''", b.id, key)
	list, err := dbutil.NewRowIterWithError(rows, dbutil.ScanSingleColumn[string], err).AsList()
	if err != nil {
		return "", fmt.Errorf("looking for the room of %s: %w", key, err)
	}
	if len(list) == 0 {
		return "", nil
	}
	return list[0], nil
}

const insertMessage = `
	INSERT INTO message (bridge_id, id, part_id, mxid, room_id, room_receiver, sender_id, sender_mxid, timestamp, edit_count, double_puppeted, thread_root_id, reply_to_id, metadata)
	VALUES ($1, $2, $12, $3, $4, '', $5, $6, $7, $8, false, $9, $10, $11) ON CONFLICT DO NOTHING`

const updateMessage = `UPDATE message SET metadata=$3, edit_count=edit_count+1 WHERE bridge_id=$1 AND id=$2 AND room_receiver='' AND part_id='' AND edit_count=0`

const insertReaction = `
	INSERT INTO reaction (bridge_id, message_id, message_part_id, sender_id, sender_mxid, emoji_id, room_id, room_receiver, mxid, timestamp, emoji, metadata)
	VALUES ($1, $2, $10, $3, $4, $5, $6, '', $7, $8, $9, '{}') ON CONFLICT DO NOTHING`

// Messages implements run.Recorder.
func (b *Bridge) Messages(ctx context.Context, channel string, list []run.Recorded) error {
	if have, err := b.room(ctx, networkid.PortalID(channel)); err != nil || have == "" {
		return err
	}
	for _, r := range list {
		b.module.saw(channel, r)
	}
	return b.db.DoTxn(ctx, nil, func(ctx context.Context) error {
		for _, r := range list {
			if r.Message.What == model.Named || r.Message.What == model.Topic || r.Message.What == model.Gone {
				continue
			}
			at := r.Message.Time.UnixNano()
			if r.Edited {
				_, err := b.db.Exec(ctx, updateMessage, b.id, r.Message.Name, encode(b.module.edited(r)))
				if err != nil {
					return fmt.Errorf("recording the newest version of %s: %w", r.Message.Name, err)
				}
			}
			for i, p := range r.Parts {
				edits := 0
				if i == 0 && !r.Message.Edited.IsZero() {
					edits = 1
				}
				_, err := b.db.Exec(ctx, insertMessage, b.id, b.module.name(r, i), p.EventID, channel, r.Message.Sender, r.Sender, at, edits,
					dbutil.StrPtr(r.Message.Thread), dbutil.StrPtr(r.Message.Reply), encode(b.module.message(r, i)), p.ID)
				if err != nil {
					return fmt.Errorf("recording message %s: %w", p.Name, err)
				}
			}
			for _, x := range r.Reactions {
				_, err := b.db.Exec(ctx, insertReaction, b.id, r.Message.Name, x.Ghost, x.UserID, b.module.emoji(x), channel, x.EventID, at, x.Key, r.First)
				if err != nil {
					return fmt.Errorf("recording a reaction to %s: %w", r.Message.Name, err)
				}
			}
		}
		return nil
	})
}

// Done implements run.Recorder.
func (b *Bridge) Done(ctx context.Context, c *model.Channel, last time.Time) error {
	if have, err := b.room(ctx, networkid.PortalID(c.Key)); err != nil || have == "" {
		return err
	}
	return b.module.done(ctx, c, last)
}
