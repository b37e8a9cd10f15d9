package client

import (
	"cmp"
	"encoding/json/jsontext"
	"errors"
	"maps"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// searchReply is the answer of one category.
type searchReply struct {
	Count      int                       `json:"count"`
	Highlights []string                  `json:"highlights"`
	Results    []searchResult            `json:"results"`
	State      map[string]jsontext.Value `json:"state,omitempty"`
	Groups     map[string]searchGroups   `json:"groups,omitempty"`
	Next       string                    `json:"next_batch,omitempty"`
}

type searchResult struct {
	Rank    float64        `json:"rank"`
	Result  jsontext.Value `json:"result"`
	Context *searchContext `json:"context,omitempty"`
}

type searchContext struct {
	Start   string                   `json:"start"`
	End     string                   `json:"end"`
	Before  jsontext.Value           `json:"events_before"`
	After   jsontext.Value           `json:"events_after"`
	Profile map[string]searchProfile `json:"profile_info,omitempty"`
}

type searchProfile struct {
	Name   string `json:"displayname,omitempty"`
	Avatar string `json:"avatar_url,omitempty"`
}

type searchGroups map[string]*searchGroup

type searchGroup struct {
	Next    string   `json:"next_batch,omitempty"`
	Order   int      `json:"order"`
	Results []string `json:"results"`
	last    int64    // position
}

// highlightsMax bounds the words that clients are told to highlight.
const highlightsMax = 50

// reply makes the answer of the results.
func (s *searching) reply(results []result, next *searchToken, count int) (any, error) {
	out := searchReply{Count: count, Results: make([]searchResult, len(results)), Highlights: s.query.Words()}
	if out.Highlights == nil {
		out.Highlights = []string{}
	}
	found := map[string]bool{}
	for i, r := range results {
		var err error
		if out.Results[i], err = s.result(r); err != nil {
			return nil, err
		}
		for _, key := range [...]string{"body", "name", "topic"} {
			s.query.Highlights(found, r.ContentString(key))
		}
	}
	for _, w := range slices.Sorted(maps.Keys(found)) {
		if len(out.Highlights) < highlightsMax && !slices.Contains(out.Highlights, w) {
			out.Highlights = append(out.Highlights, w)
		}
	}
	var err error
	if next != nil {
		next.Recent = s.query.Recent
		if out.Next, err = next.String(); err != nil {
			return nil, err
		}
	}
	if out.Groups, err = s.groups(results, next); err != nil {
		return nil, err
	}
	if s.criteria.IncludeState {
		if out.State, err = s.state(results); err != nil {
			return nil, err
		}
	}
	return map[string]any{"search_categories": map[string]any{"room_events": out}}, nil
}

// result renders one result.
func (s *searching) result(r result) (out searchResult, err error) {
	out.Rank = r.rank
	if out.Result, err = s.render().Event(s.ctx, nil, r.Event); err != nil || s.criteria.Context == nil {
		return out, err
	}
	out.Context, err = s.context(r.Event)
	return out, err
}

// context is what was said around an event.
func (s *searching) context(e *event.Event) (*searchContext, error) {
	limit := func(n *int) int {
		if n == nil {
			return 5 // "By default, this is 5."
		}
		return min(max(*n, 0), contextMax)
	}
	v := s.views[e.Room]
	before, start, err := s.api.page(s.call, v, page{from: store.Before(e), to: store.Beginning, limit: limit(s.criteria.Context.Before), back: true})
	if err != nil {
		return nil, err
	}
	after, end, err := s.api.page(s.call, v, page{from: store.After(e), to: store.End, limit: limit(s.criteria.Context.After)})
	if err != nil {
		return nil, err
	}
	start = cmp.Or(start, lastOf(before, store.Before(e), true))
	end = cmp.Or(end, lastOf(after, store.After(e), false))
	out := &searchContext{Start: start.String(), End: end.String()}
	rend := s.render()
	if out.Before, err = rend.Events(s.ctx, nil, before); err != nil {
		return nil, err
	}
	if out.After, err = rend.Events(s.ctx, nil, after); err != nil {
		return nil, err
	}
	if s.criteria.Context.Profile {
		out.Profile, err = s.profiles(e, slices.Concat(before, []*event.Event{e}, after))
	}
	return out, err
}

// profiles are "the historic profile information of the users that sent the events that were
// returned": as they were at the result.
func (s *searching) profiles(at *event.Event, events []*event.Event) (map[string]searchProfile, error) {
	out := map[string]searchProfile{}
	for _, e := range events {
		sender := string(e.Sender)
		if _, done := out[sender]; done {
			continue
		}
		m, err := s.api.o.Store.StateEvent(s.ctx, at.Root, "m.room.member", sender)
		if errors.Is(err, store.ErrNotFound) {
			out[sender] = searchProfile{}
			continue
		} else if err != nil {
			return nil, err
		}
		out[sender] = searchProfile{Name: m.ContentString("displayname"), Avatar: m.ContentString("avatar_url")}
	}
	return out, nil
}

// groups sorts the results into the groups that were asked for. In order of time, one can go on
// within a group.
func (s *searching) groups(results []result, next *searchToken) (map[string]searchGroups, error) {
	if len(s.criteria.Groupings.By) == 0 {
		return nil, nil
	}
	out := map[string]searchGroups{}
	for _, by := range s.criteria.Groupings.By {
		groups := searchGroups{}
		for _, r := range results {
			value := r.InRoom
			if by.Key == "sender" {
				value = string(r.Sender)
			}
			g := groups[value]
			if g == nil {
				g = &searchGroup{Order: len(groups) + 1}
				groups[value] = g
			}
			g.Results = append(g.Results, r.ID)
			g.last = r.Pos
		}
		for value, g := range groups {
			if next == nil || !s.query.Recent || s.at.Group != "" {
				continue
			}
			t := searchToken{Recent: true, UpTo: next.UpTo, Before: g.last, Group: by.Key, Value: value}
			var err error
			if g.Next, err = t.String(); err != nil {
				return nil, err
			}
		}
		out[by.Key] = groups
	}
	return out, nil
}

// state is "the current state for every room in the results", as far as the caller may know it.
func (s *searching) state(results []result) (map[string]jsontext.Value, error) {
	out := map[string]jsontext.Value{}
	for _, r := range results {
		if _, done := out[r.InRoom]; done {
			continue
		}
		var nids []int64
		root := s.views[r.Room].root
		if err := s.api.o.Store.State().Walk(s.ctx, root, func(_, nid int64) bool { nids = append(nids, nid); return true }); err != nil {
			return nil, err
		}
		slices.Sort(nids)
		events, err := s.api.o.Store.Events(s.ctx, nids)
		if err != nil {
			return nil, err
		}
		raw, err := s.render().Events(s.ctx, nil, events)
		if err != nil {
			return nil, err
		}
		out[r.InRoom] = raw
	}
	return out, nil
}
