package exporter

import (
	"context"
	"encoding/json/jsontext"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/export"
	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/media"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/homeserver/sync"
)

// Exporter is a source of exports. It is safe for concurrent use.
type Exporter struct {
	Name  string // of the server
	Store *store.Store
	Media *media.Repo
}

var _ export.Source = (*Exporter)(nil)

const (
	// roomsPart is how many rooms are listed at once, and eventsPart how many events.
	roomsPart  = 200
	eventsPart = 500
	filesPart  = 500
	// scanned bounds the events that are looked at for one part of what a person did.
	scanned = 10_000
)

// Server implements export.Source.
func (x *Exporter) Server(context.Context) (string, error) { return x.Name, nil }

// Rooms implements export.Source.
func (x *Exporter) Rooms(ctx context.Context, after string) (out export.Rooms, err error) {
	from, err := number(after)
	if err != nil {
		return out, err
	}
	nids, err := x.Store.Rooms(ctx, from, roomsPart)
	if err != nil {
		return out, err
	}
	for _, nid := range nids {
		r, err := x.room(ctx, nid)
		if errors.Is(err, store.ErrNotFound) {
			continue // removed just now
		}
		if err != nil {
			return out, err
		}
		out.Rooms = append(out.Rooms, r)
	}
	if len(nids) == roomsPart {
		out.Next = strconv.FormatInt(nids[len(nids)-1], 10)
	}
	return out, nil
}

func number(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, mxerror.BadJSON("%q is no place in a list.", s)
	}
	return n, nil
}

// room is a room in short.
func (x *Exporter) room(ctx context.Context, nid int64) (export.Room, error) {
	r, err := x.Store.LoadRoom(ctx, nid)
	if err != nil {
		return export.Room{}, err
	}
	out := export.Room{ID: r.ID, Version: string(r.Version), CreatedTS: r.CreatedTS}
	for _, f := range [...]struct {
		to       *string
		typ, key string
	}{
		{&out.Type, "m.room.create", "type"}, {&out.Name, "m.room.name", "name"}, {&out.Topic, "m.room.topic", "topic"},
		{&out.Alias, "m.room.canonical_alias", "alias"}, {&out.JoinRule, "m.room.join_rules", "join_rule"},
		{&out.Visibility, "m.room.history_visibility", "history_visibility"},
	} {
		e, err := x.Store.StateEvent(ctx, r.Root, f.typ, "")
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return out, err
		}
		*f.to = e.ContentString(f.key)
	}
	switch _, err := x.Store.StateEvent(ctx, r.Root, "m.room.encryption", ""); {
	case err == nil:
		out.Encrypted = true
	case !errors.Is(err, store.ErrNotFound):
		return out, err
	}
	aliases, err := x.Store.AliasesOf(ctx, nid)
	if err != nil {
		return out, err
	}
	for _, a := range aliases {
		out.Aliases = append(out.Aliases, a.Alias)
	}
	if out.Joined, err = x.Store.JoinedCount(ctx, nid); err != nil {
		return out, err
	}
	if out.Space() {
		out.Children, err = x.children(ctx, r)
	}
	return out, err
}

// children lists the rooms of a space, in the order in which clients show them.
func (x *Exporter) children(ctx context.Context, r store.Room) ([]string, error) {
	events, err := x.state(ctx, r, func(k store.StateKey) bool { return k.Type == "m.space.child" })
	if err != nil {
		return nil, err
	}
	type child struct{ id, order string }
	var list []child
	for _, e := range events {
		if via := gjson.GetBytes(e.Content, "via"); via.IsArray() && len(via.Array()) > 0 {
			list = append(list, child{*e.StateKey, e.ContentString("order")})
		}
	}
	// Specification, "Ordering of children within a space": those with an order come first, in that order.
	slices.SortFunc(list, func(a, b child) int {
		switch {
		case a.order != "" && b.order == "":
			return -1
		case a.order == "" && b.order != "":
			return 1
		case a.order != b.order:
			return strings.Compare(a.order, b.order)
		}
		return strings.Compare(a.id, b.id)
	})
	ids := make([]string, len(list))
	for i, c := range list {
		ids[i] = c.id
	}
	return ids, nil
}

// state reads those events of a room's state that are wanted, in the order of their numbers.
func (x *Exporter) state(ctx context.Context, r store.Room, want func(store.StateKey) bool) ([]*event.Event, error) {
	var nids []int64
	var failed error
	err := x.Store.WalkState(ctx, store.StateView{Root: r.Root, Complete: true}, func(key, nid int64) bool {
		k, err := x.Store.StateKey(ctx, key)
		if failed = err; err == nil && want(k) {
			nids = append(nids, nid)
		}
		return err == nil
	})
	if err = errors.Join(err, failed); err != nil {
		return nil, err
	}
	slices.Sort(nids)
	return x.Store.Events(ctx, nids)
}

// load finds a room by its id.
func (x *Exporter) load(ctx context.Context, id string) (store.Room, error) {
	name, err := x.Store.RoomByID(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return store.Room{}, export.ErrNoRoom
	}
	if err != nil {
		return store.Room{}, err
	}
	return x.Store.LoadRoom(ctx, name.NID)
}

// State implements export.Source.
func (x *Exporter) State(ctx context.Context, room string) (out export.Events, err error) {
	r, err := x.load(ctx, room)
	if err != nil {
		return out, err
	}
	events, err := x.state(ctx, r, func(k store.StateKey) bool { return k.Type != "m.room.member" })
	if err != nil {
		return out, err
	}
	out.Events, err = x.render(ctx, events)
	return out, err
}

// Members implements export.Source.
func (x *Exporter) Members(ctx context.Context, room, after string) (out export.Events, err error) {
	from, err := number(after)
	if err != nil {
		return out, err
	}
	r, err := x.load(ctx, room)
	if err != nil {
		return out, err
	}
	list, err := x.Store.MembersOf(ctx, r.NID)
	if err != nil {
		return out, err
	}
	nids := make([]int64, 0, len(list))
	for _, m := range list {
		if m.Event > from {
			nids = append(nids, m.Event)
		}
	}
	slices.Sort(nids)
	if len(nids) > eventsPart {
		nids = nids[:eventsPart]
		out.Next = strconv.FormatInt(nids[eventsPart-1], 10)
	}
	events, err := x.Store.Events(ctx, nids)
	if err != nil {
		return out, err
	}
	out.Events, err = x.render(ctx, events)
	return out, err
}

func (x *Exporter) render(ctx context.Context, events []*event.Event) ([]jsontext.Value, error) {
	out := make([]jsontext.Value, len(events))
	r := sync.Render{Store: x.Store, RoomID: true}
	var err error
	for i, e := range events {
		if out[i], err = r.Event(ctx, nil, x.erased(e)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// erased is an event as it is for the world after its sender has had everything erased.
func (x *Exporter) erased(e *event.Event) *event.Event {
	if x.Store.ErasedAt(e.Author) == 0 || e.Has(event.Redacted) || e.IsState() && !e.Is("m.room.member", string(e.Sender)) {
		return e
	}
	return e.Pruned(0)
}

// Open implements export.Source.
func (x *Exporter) Open(ctx context.Context, uri string) (export.File, io.ReadCloser, error) {
	f := export.File{URI: uri}
	origin, id, ok := strings.Cut(strings.TrimPrefix(uri, "mxc://"), "/")
	if !ok {
		return f, nil, export.ErrNoFile
	}
	in, m, err := x.Media.Open(ctx, media.Query{Origin: origin, ID: id, LocalOnly: true})
	if e, ok := mxerror.As(err); ok && (e.Status == http.StatusNotFound || mxerror.Is(err, "M_NOT_YET_UPLOADED")) {
		return f, nil, export.ErrNoFile
	}
	if err != nil {
		return f, nil, fmt.Errorf("opening %s: %w", uri, err)
	}
	f.Type, f.Name, f.Size, f.TS = m.Type, m.Name, m.Size, m.CreatedTS
	return f, in, nil
}
