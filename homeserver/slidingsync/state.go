package slidingsync

import (
	"context"
	"errors"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
	"github.com/landbridge-im/landbridge/homeserver/store"
	homesync "github.com/landbridge-im/landbridge/homeserver/sync"
)

const member = "m.room.member"

// needs are the configurations of all lists and subscriptions that a room is in: "a state event [that]
// would be returned by any room config [...] is returned by the combined room config".
type needs struct {
	limit   int
	configs []Required
	lists   []string
	userID  string
}

func (n *needs) add(c Config) {
	n.limit = max(n.limit, min(c.TimelineLimit, maxTimeline))
	n.configs = append(n.configs, c.Required)
}

func (n *needs) lazy() bool {
	return slices.ContainsFunc(n.configs, func(r Required) bool { return r.Lazy })
}

// want tells whether state is asked for, apart from lazily loaded members.
func (n *needs) want(k store.StateKey) bool { return wanted(n.configs, k, n.userID) }

func wanted(configs []Required, k store.StateKey, userID string) bool {
	return slices.ContainsFunc(configs, func(r Required) bool { return r.want(k, userID) })
}

func (r Required) want(k store.StateKey, userID string) bool {
	matches := func(e Element) bool {
		if r.Lazy && k.Type == member && (e.Type == nil || e.Key == nil) {
			return false // that is what lazy loading replaces
		}
		return (e.Type == nil || *e.Type == k.Type) && (e.Key == nil || *e.Key == k.Key || *e.Key == me && k.Key == userID)
	}
	excludes := func(e Element) bool {
		return (e.Type == nil || *e.Type == k.Type) && (e.Key == nil || *e.Key == k.Key || *e.Key == me && k.Key == userID)
	}
	return slices.ContainsFunc(r.Include, matches) && !slices.ContainsFunc(r.Exclude, excludes)
}

// exact lists the state that is asked for by name, and tells whether that is all.
func (n *needs) exact() (keys []store.StateKey, all bool) {
	seen := map[store.StateKey]bool{}
	all = true
	for _, r := range n.configs {
		for _, e := range r.Include {
			if all = all && e.Type != nil && e.Key != nil; e.Key == nil {
				continue
			}
			k := store.StateKey{Type: member, Key: *e.Key} // members are looked up, not looked through
			if e.Type != nil {
				k.Type = *e.Type
			}
			if k.Key == me {
				k.Key = n.userID
			}
			if !seen[k] && n.want(k) {
				seen[k], keys = true, append(keys, k)
			}
		}
	}
	return keys, all
}

// members tells whether members are asked for other than by name.
func (n *needs) members() bool {
	for _, r := range n.configs {
		if r.Lazy {
			continue
		}
		for _, e := range r.Include {
			if e.Key == nil && (e.Type == nil || *e.Type == member) {
				return true
			}
		}
	}
	return false
}

// everybody tells whether a configuration asks for members other than the reader and those who say
// something: of a room that isn't complete they aren't known, so that it is left out (MSC3902).
func (r Required) everybody() bool {
	return !r.Lazy && slices.ContainsFunc(r.Include, func(e Element) bool {
		return (e.Type == nil || *e.Type == member) && (e.Key == nil || *e.Key != me)
	})
}

// whole lists the events of a state that are asked for.
func (n *needs) whole(ctx context.Context, s *store.Store, room int64, root statetree.Ref) (nids []int64, err error) {
	keys, all := n.exact()
	if all {
		for _, k := range keys {
			nid, err := stateNID(ctx, s, root, k)
			if err != nil {
				return nil, err
			}
			if nid != 0 {
				nids = append(nids, nid)
			}
		}
		return nids, nil
	}
	entries, err := homesync.StateChanges(ctx, s, room, 0, root, !n.members())
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		k, err := s.StateKey(ctx, e.Key)
		if err != nil {
			return nil, err
		}
		if n.want(k) {
			nids = append(nids, e.NID)
		}
	}
	for _, k := range keys {
		if k.Type != member || n.members() {
			continue // found above
		}
		nid, err := stateNID(ctx, s, root, k)
		if err != nil {
			return nil, err
		}
		if nid != 0 {
			nids = append(nids, nid)
		}
	}
	return nids, nil
}

// stateNID is the number of a state event, 0 if the state has none.
func stateNID(ctx context.Context, s *store.Store, root statetree.Ref, k store.StateKey) (int64, error) {
	key, err := s.StateKeyNID(ctx, k)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	nid, ok, err := s.State().Get(ctx, root, key)
	if err != nil || !ok {
		return 0, err
	}
	return nid, nil
}

// content reads one string of a state event; "" if there is none.
func content(ctx context.Context, s *store.Store, root statetree.Ref, typ, key, field string) (string, error) {
	e, err := s.StateEvent(ctx, root, typ, key)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	return e.ContentString(field), nil
}

// lazyMembers lists the memberships that are needed to show a timeline: "All the senders of events in
// timeline, excluding membership events that were previously returned. The target (i.e. state_key) of
// all membership events in timeline".
func (b *builder) lazyMembers(ctx context.Context, room int64, root statetree.Ref, initial bool, timeline []*event.Event) (nids []int64, err error) {
	users := map[string]bool{}
	for _, e := range timeline {
		users[string(e.Sender)] = true
		if e.IsState() && e.Type == member {
			users[*e.StateKey] = true
		}
	}
	for user := range users {
		nid, err := stateNID(ctx, b.store, root, store.StateKey{Type: member, Key: user})
		if err != nil {
			return nil, err
		}
		if nid == 0 {
			m, err := homesync.MemberAt(ctx, b.store, root, user, timeline)
			if errors.Is(err, store.ErrNotFound) {
				continue
			} else if err != nil {
				return nil, err
			}
			nid = m.NID
		}
		k := homesync.LazyKey{Scope: b.conn.scope, Room: room, User: user}
		if initial || !b.s.lazy.Has(k, nid, b.base.seq) {
			nids = append(nids, nid)
		}
		// The answer being made will have a number greater than any before.
		b.s.lazy.Add(k, nid, b.conn.upcoming())
	}
	return nids, nil
}

// upcoming is the number that the next answer will have, at least.
func (n *conn) upcoming() int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.seq + 1
}
