package client

import (
	"encoding/base64"
	"encoding/json/v2"
	"errors"
	"net/http"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/search"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/homeserver/sync"
)

// Bounds of a search: results and context of one answer, candidates that are looked at for one,
// and how long it waits for the index to have what has just been said.
const (
	searchDefault = 10
	searchMax     = 100
	contextMax    = 50
	searchScan    = 5000
	searchBatch   = 200
	searchWait    = 10 * time.Second
	// predecessorsMax bounds how far back a room's upgrades are followed.
	predecessorsMax = 20
)

func (a *API) searchRoutes() {
	a.on(http.MethodPost, v3, "/search", user, a.search)
}

// searchRequest is the body of POST /search.
type searchRequest struct {
	Categories *struct {
		RoomEvents *searchCriteria `json:"room_events"`
	} `json:"search_categories"`
}

// searchCriteria say what is looked for.
type searchCriteria struct {
	Term    *string          `json:"search_term"`
	Keys    *[]string        `json:"keys"`
	Filter  sync.EventFilter `json:"filter"`
	OrderBy string           `json:"order_by"`
	Context *struct {
		Before  *int `json:"before_limit"`
		After   *int `json:"after_limit"`
		Profile bool `json:"include_profile"`
	} `json:"event_context"`
	IncludeState bool `json:"include_state"`
	Groupings    struct {
		By []struct {
			Key string `json:"key"`
		} `json:"group_by"`
	} `json:"groupings"`
}

// searching is one search under way.
type searching struct {
	*call
	criteria searchCriteria
	query    search.Query
	at       searchToken
	limit    int
	// views are the rooms that were looked at; those that may not be have no entry in them but
	// one in closed.
	views  map[int64]view
	closed map[int64]bool
}

// result is an event that was found and may be seen.
type result struct {
	*event.Event
	rank float64
}

// search is POST /search.
func (a *API) search(c *call) (any, error) {
	var q searchRequest
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if a.o.Search == nil {
		return nil, mxerror.Forbidden("Searching messages is switched off on this server.")
	}
	if q.Categories == nil {
		return nil, mxerror.MissingParam("search_categories is missing.")
	}
	if q.Categories.RoomEvents == nil {
		return map[string]any{"search_categories": object{}}, nil
	}
	s := &searching{call: c, criteria: *q.Categories.RoomEvents, views: map[int64]view{}, closed: map[int64]bool{}}
	found, err := s.prepare()
	if err != nil {
		return nil, err
	}
	if !found {
		return s.reply(nil, nil, 0)
	}
	if err := a.indexed(c); err != nil {
		return nil, err
	}
	if s.at.UpTo == 0 {
		s.at.UpTo = a.o.Store.Position()
	}
	s.query.UpTo = s.at.UpTo
	results, next, err := s.page()
	if err != nil {
		return nil, err
	}
	count := len(results)
	if next != nil || s.at.Offset > 0 || s.at.Before != 0 {
		whole := s.query
		whole.Before, whole.Offset = 1<<62, 0
		if count, err = a.o.Search.Count(c.ctx, whole); err != nil {
			return nil, err
		}
	}
	return s.reply(results, next, count)
}

// indexed waits until what has been said until now can be found.
func (a *API) indexed(c *call) error {
	ok, err := a.o.Search.Wait(c.ctx, searchWait)
	if err == nil && !ok {
		a.o.Log.WarnContext(c.ctx, "a search did not wait any longer for the index", "behind", a.o.Search.Behind())
	}
	return err
}

// prepare checks the request and makes the query of it. It reports false if nothing can be found.
func (s *searching) prepare() (bool, error) {
	q := &s.criteria
	if q.Term == nil {
		return false, mxerror.MissingParam("search_categories.room_events.search_term is missing.")
	}
	if len(*q.Term) > 4096 {
		return false, mxerror.InvalidParam("search_term has more than 4096 bytes.")
	}
	switch q.OrderBy {
	case "", "rank":
	case "recent":
		s.query.Recent = true
	default:
		return false, mxerror.InvalidParam("order_by must be \"rank\" or \"recent\".")
	}
	for _, g := range q.Groupings.By {
		if g.Key != "room_id" && g.Key != "sender" {
			return false, mxerror.InvalidParam("groupings.group_by: key must be \"room_id\" or \"sender\".")
		}
	}
	if err := s.keys(); err != nil {
		return false, err
	}
	if err := q.Filter.Check(); err != nil {
		return false, err
	}
	s.limit = searchDefault
	if l := q.Filter.Limit; l != nil {
		if *l < 0 {
			return false, mxerror.InvalidParam("filter.limit must not be negative.")
		}
		s.limit = min(max(*l, 1), searchMax)
	}
	if token := s.call.query.Get("next_batch"); token != "" {
		var err error
		if s.at, err = parseSearchToken(token, s.query.Recent); err != nil {
			return false, err
		}
	}
	s.query.Before, s.query.Offset = 1<<62, s.at.Offset
	if s.at.Before != 0 {
		s.query.Before = s.at.Before
	}
	var ok bool
	if s.query.Question, ok = search.Ask(*q.Term); !ok {
		return false, nil
	}
	if err := s.rooms(); err != nil {
		return false, err
	}
	if err := s.senders(); err != nil {
		return false, err
	}
	return len(s.query.Rooms) > 0 && (s.query.Senders == nil || len(s.query.Senders) > 0), nil
}

// keys says where to look: "The keys to search. Defaults to all."
func (s *searching) keys() error {
	q := &s.query
	if s.criteria.Keys == nil {
		q.Body, q.Name, q.Topic = true, true, true
		return nil
	}
	for _, k := range *s.criteria.Keys {
		switch k {
		case "content.body":
			q.Body = true
		case "content.name":
			q.Name = true
		case "content.topic":
			q.Topic = true
		default:
			return mxerror.InvalidParam("keys: %q is not one of content.body, content.name and content.topic.", clip(k))
		}
	}
	if !q.Body && !q.Name && !q.Topic {
		return mxerror.InvalidParam("keys must not be empty.")
	}
	return nil
}

// page finds events that the caller may see. next is nil if there are no more; after a full page
// nobody has looked whether there are, and the next one may be empty.
func (s *searching) page() (results []result, next *searchToken, err error) {
	at := s.at
	size := s.limit
	for seen := 0; seen < searchScan; {
		q := s.query
		q.Limit = size
		hits, err := s.api.o.Search.Search(s.ctx, q)
		if err != nil {
			return nil, nil, err
		}
		for _, h := range hits {
			e, err := s.visible(h)
			if err != nil {
				return nil, nil, err
			}
			if e != nil {
				if s.query.Recent {
					h.Rank = s.query.Score(e.ContentString("body") + " " + e.ContentString("name") + " " + e.ContentString("topic"))
				}
				results = append(results, result{e, h.Rank})
			}
			seen++
			if s.query.Recent {
				at.Before, s.query.Before = h.Pos, h.Pos
			} else {
				at.Offset++
				s.query.Offset++
			}
			if len(results) == s.limit {
				return results, &at, nil
			}
		}
		if len(hits) < size {
			return results, nil, nil
		}
		size = searchBatch
	}
	return results, &at, nil
}

// visible reads an event that was found; nil if the caller may not see it, or does not want to.
func (s *searching) visible(h search.Hit) (*event.Event, error) {
	v, ok, err := s.view(h.Room)
	if err != nil || !ok || h.Pos > v.upto {
		return nil, err
	}
	e, err := s.api.o.Store.Event(s.ctx, h.NID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if e.Pos == 0 || e.Has(event.Redacted) || !s.criteria.Filter.Allows(e) {
		return nil, nil
	}
	ok, err = sync.Visible(s.ctx, s.api.o.Store, e, sync.Reader{ID: s.session.UserID, Current: v.membership})
	if err != nil || !ok {
		return nil, err
	}
	return e, nil
}

// view opens a room once. "The search will not include rooms that are end to end encrypted."
func (s *searching) view(room int64) (v view, ok bool, err error) {
	if v, ok := s.views[room]; ok || s.closed[room] {
		return v, ok, nil
	}
	name, err := s.api.o.Store.RoomByNID(s.ctx, room)
	if err != nil {
		return v, false, err
	}
	v, err = s.look(name)
	if mxerror.Is(err, "M_FORBIDDEN") {
		s.closed[room] = true
		return v, false, nil
	} else if err != nil {
		return v, false, err
	}
	_, err = s.api.o.Store.StateEvent(s.ctx, v.root, "m.room.encryption", "")
	if err == nil {
		s.closed[room] = true
		return v, false, nil
	} else if !errors.Is(err, store.ErrNotFound) {
		return v, false, err
	}
	s.views[room] = v
	return v, true, nil
}

// searchToken says where a search goes on. It gives no rights: what it leads to is checked anew.
type searchToken struct {
	Recent bool `json:"r,omitempty"`
	// UpTo is the end of the log at the first page: what is said later does not move the pages.
	UpTo int64 `json:"u"`
	// Before is the position of the last result in order of time, Offset the number of hits before
	// in order of rank.
	Before int64 `json:"b,omitempty"`
	Offset int   `json:"o,omitempty"`
	// Group and Value are set where the search goes on within a group.
	Group string `json:"g,omitempty"`
	Value string `json:"v,omitempty"`
}

func (t searchToken) String() (string, error) {
	raw, err := json.Marshal(t)
	return base64.RawURLEncoding.EncodeToString(raw), err
}

// offsetMax bounds how far a search by rank goes; the index ranks fewer.
const offsetMax = 100000

func parseSearchToken(s string, recent bool) (t searchToken, err error) {
	bad := mxerror.InvalidParam("next_batch is none of this search.")
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || json.Unmarshal(raw, &t) != nil {
		return t, bad
	}
	if t.Recent != recent || t.UpTo <= 0 || t.Offset < 0 || t.Offset > offsetMax || t.Group != "" && t.Group != "room_id" && t.Group != "sender" {
		return t, bad
	}
	return t, nil
}
