package client

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/homeserver/sync"
)

func (a *API) lookupRoutes() {
	v1 := "/_matrix/client/v1"
	a.on(http.MethodGet, []string{v1, "/_matrix/client/unstable/org.matrix.msc3030"}, "/rooms/{roomId}/timestamp_to_event", user, a.timestampToEvent)
	a.on(http.MethodGet, []string{v1}, "/mutual_rooms", user, a.mutualRooms)
	a.on(http.MethodGet, []string{"/_matrix/client/unstable/uk.half-shot.msc2666"}, "/user/mutual_rooms", user, a.mutualRooms)
}

// timestampScan bounds how many events are looked at to find one that may be seen.
const timestampScan = 5000

// timestampToEvent is GET /rooms/{roomId}/timestamp_to_event: "Get the ID of the event closest to
// the given timestamp, in the direction specified by the dir parameter."
func (a *API) timestampToEvent(c *call) (any, error) {
	if c.query.Get("ts") == "" {
		return nil, mxerror.MissingParam("ts is missing.")
	}
	ts, err := c.number("ts", 0)
	if err != nil {
		return nil, err
	}
	if ts < 0 {
		return nil, mxerror.InvalidParam("ts must not be negative.")
	}
	at := store.Timed{TS: ts}
	back := false
	switch dir := c.query.Get("dir"); dir {
	case "f":
	case "b":
		back, at.NID = true, math.MaxInt64
	case "":
		return nil, mxerror.MissingParam("dir is missing.")
	default:
		return nil, mxerror.InvalidParam("dir must be \"b\" or \"f\".")
	}
	v, err := c.lookParam(0)
	if err != nil {
		return nil, err
	}
	const page = 50
	// Of several of the same time what was said counts before changes of the room: state is the first of those.
	var state *event.Event
scan:
	for seen := 0; seen < timestampScan; {
		found, err := a.o.Store.EventsByTime(c.ctx, v.room.NID, v.upto, at, back, page)
		if err != nil {
			return nil, err
		}
		for _, t := range found {
			e, err := a.o.Store.Event(c.ctx, t.NID)
			if err != nil {
				return nil, err
			}
			if state != nil && e.OriginServerTS != state.OriginServerTS {
				break scan
			}
			if ok, err := sync.Visible(c.ctx, a.o.Store, e, v.reader); err != nil {
				return nil, err
			} else if ok && !e.IsState() {
				return a.nearer(c, v, ts, back, e)
			} else if ok && state == nil {
				state = e
			}
			at = t
		}
		if seen += len(found); len(found) < page {
			break
		}
	}
	if state != nil {
		return a.nearer(c, v, ts, back, state)
	}
	way := "forward"
	if back {
		way = "backward"
	}
	if e, err := a.nearest(c, v, ts, back, nil); e != nil || err != nil {
		return timed(e), err
	}
	return nil, mxerror.NotFound("There is no event from %d on in %s direction.", ts, way)
}

// mutualPage is how many rooms one answer lists.
const mutualPage = 1000

// mutualRooms is GET /mutual_rooms: "a list of room IDs that the user shares with the specified
// user_id".
func (a *API) mutualRooms(c *call) (any, error) {
	other := c.query.Get("user_id")
	if other == "" {
		return nil, mxerror.InvalidParam("user_id is missing.")
	}
	if err := checkUserID(other); err != nil {
		return nil, err
	}
	if other == c.session.UserID {
		return nil, mxerror.InvalidParam("user_id must be somebody else's.")
	}
	after := int64(0)
	from := c.query.Get("from")
	if from == "" {
		from = c.query.Get("batch_token") // its name while it was unstable
	}
	if from != "" {
		n, err := strconv.ParseInt(strings.TrimPrefix(from, "m"), 10, 64)
		if err != nil || n < 0 || !strings.HasPrefix(from, "m") {
			return nil, mxerror.InvalidParam("from is not a token of this server.")
		}
		after = n
	}
	joined := []string{}
	nid, err := a.o.Store.UserNID(c.ctx, other)
	if errors.Is(err, store.ErrNotFound) {
		// "If the provided user_id is not a valid user, the server MUST return an empty list".
		return map[string]any{"joined": joined, "count": 0}, nil
	} else if err != nil {
		return nil, err
	}
	rooms, err := a.o.Store.MutualRooms(c.ctx, c.session.User, nid, after, mutualPage+1)
	if err != nil {
		return nil, err
	}
	count, err := a.o.Store.MutualRoomCount(c.ctx, c.session.User, nid)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"count": count}
	if len(rooms) > mutualPage {
		rooms = rooms[:mutualPage]
		next := "m" + strconv.FormatInt(rooms[mutualPage-1], 10)
		out["next_batch"], out["next_batch_token"] = next, next
	}
	for _, r := range rooms {
		name, err := a.o.Store.RoomByNID(c.ctx, r)
		if err != nil {
			return nil, err
		}
		joined = append(joined, name.ID)
	}
	out["joined"] = joined
	return out, nil
}
